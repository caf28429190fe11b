package main

import (
	"errors"
	"os"
	"path/filepath"

	"alignd/e2e/mta"
)

// chain is opendkim and behind it opendmarc, which reads its results. Two of each run:
// the results are those of the pair that refuses nothing, as a refused message does
// not show them, and what is done is what the other pair does.
type chain struct {
	versions, dir string
	running       []*program
}

func (c *chain) name() string { return "opendkim + opendmarc" }

func (c *chain) version() string {
	return c.versions + ", with `RejectFailures`, `HoldQuarantinedMessages`, `SPFSelfValidate`, `SPFIgnoreResults` and `PublicSuffixList`"
}

const (
	opendkimConf  = "Mode v\nBackground no\nSyslog no\nUMask 000\nAlwaysAddARHeader yes\nAuthservID " + mta.Hostname + "\nNameservers " + dnsAddr + "\n"
	opendmarcConf = "Background false\nSyslog false\nUMask 0000\nAuthservID " + mta.Hostname + "\nTrustedAuthservIDs " + mta.Hostname +
		"\nSPFIgnoreResults true\nSPFSelfValidate true\nPublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat\n"
)

// begin starts all four: they remember what DNS said.
func (c *chain) begin() error {
	for _, p := range []struct{ program, flag, name, conf string }{
		{"opendkim", "-x", "dkim-tells", opendkimConf + "On-Default accept\nOn-DNSError accept\nOn-InternalError accept\nOn-Security accept\n"},
		{"opendkim", "-x", "dkim-does", opendkimConf},
		{"opendmarc", "-c", "dmarc-tells", opendmarcConf},
		{"opendmarc", "-c", "dmarc-does", opendmarcConf + "RejectFailures true\nHoldQuarantinedMessages true\n"},
	} {
		file := filepath.Join(c.dir, p.name+".conf")
		if err := os.WriteFile(file, []byte(p.conf+"Socket local:"+c.socket(p.name)+"\n"), 0o644); err != nil {
			return err
		}
		running, err := start(c.socket(p.name), p.program, "-f", p.flag, file)
		if err != nil {
			return err
		}
		c.running = append(c.running, running)
	}
	return nil
}

func (c *chain) socket(name string) string { return filepath.Join(c.dir, name+".sock") }

func (c *chain) end() error {
	var errs []error
	for _, p := range c.running {
		errs = append(errs, p.stop())
	}
	c.running = nil
	return errors.Join(errs...)
}

func (c *chain) close() { _ = c.end() }

func (c *chain) judge(l letter) result {
	told := through(c.socket("dkim-tells"), l, l.text)
	seen := told.Delivered
	if seen != nil {
		if last := through(c.socket("dmarc-tells"), l, seen); last.Delivered != nil {
			seen = last.Delivered
		}
	}
	r := resultsOf(added(l.text, seen))
	first := through(c.socket("dkim-does"), l, l.text)
	if first.Delivered == nil {
		r.done = doneOf(first)
		return r
	}
	if r.done = doneOf(through(c.socket("dmarc-does"), l, first.Delivered)); r.done == delivered {
		r.done = doneOf(first)
	}
	return r
}
