package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/filter/milter"
	"alignd/internal/mailbox"
	"alignd/resolver"
	"alignd/verify"
)

// checkFlags are what a message file does not tell.
type checkFlags struct {
	json       bool
	config     string
	dns        string
	zone       string
	ip         string
	helo       string
	mailFrom   string
	rcpt       []string
	authservID string
	now        string
	fromTrace  bool
	diff       string
	mbox       string

	// given are the flags that were named; an empty value is one too.
	given func(name string) bool
}

func checkCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check [flags] MESSAGE...|-",
		Short: "Explain what the filter would say of a message",
		Long: `Explain what the filter would say of a message in a file, or on standard input (-).

Lines may end with LF or CRLF. Of several files, an mbox file or a folder (a Maildir,
say) each message gets a line, and the sum follows; with --json each gets an object on
a line of its own.

--zone answers from a zone file (RFC 1035) instead of DNS. A name that is not in
it does not exist. Besides records it knows "NAME SERVFAIL" and "NAME TIMEOUT",
which may be followed by the record types that fail.

Exit status 0 means that a verdict was reached on each message, whatever it is; 2
means wrong usage or unreadable input.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a message file, a folder of them, or - for standard input (%s)", help(c))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.given = c.Flags().Changed
			return runCheck(c, &f, args)
		},
	}
	f.flags(c)
	return c
}

func (f *checkFlags) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.json, "json", false, "print a JSON object instead of the explanation")
	configFlag(c, &f.config)
	flags.StringVar(&f.dns, "dns", "", "DNS server to ask, HOST:PORT")
	flags.StringVar(&f.zone, "zone", "", "zone file to answer from instead of DNS")
	flags.StringVar(&f.ip, "ip", "", "address of the SMTP client; without it SPF is none")
	flags.StringVar(&f.helo, "helo", "", "name that the client gave in HELO or EHLO")
	flags.StringVar(&f.mailFrom, "mail-from", "", "reverse-path; empty or <> is the null reverse-path")
	flags.StringArrayVar(&f.rcpt, "rcpt", nil, "recipient; may be repeated")
	flags.StringVar(&f.authservID, "authserv-id", "", "authserv-id of the field (default: the host name)")
	flags.StringVar(&f.now, "now", "", "time of the check, RFC 3339 or in seconds since 1970 (default: now)")
	flags.BoolVar(&f.fromTrace, "from-trace", false, "take --ip, --helo and --mail-from from the Received field of this host and from Return-Path")
	flags.StringVar(&f.diff, "diff", "", "judge with this configuration too, and show what differs")
	flags.StringVar(&f.mbox, "mbox", string(mailbox.MboxRD), "how an mbox file quotes lines: "+strings.Join(mailbox.Quotings(), ", "))
	notBoth(c, "dns", "zone")
}

// runCheck judges all messages that are named.
func runCheck(c *cobra.Command, f *checkFlags, args []string) error {
	k, err := newChecker(f)
	if err != nil {
		return err
	}
	defer k.close()
	show := f.output(c.OutOrStdout(), len(args) > 1 || isFolder(args[0]))
	unreadable := 0
	in := mailbox.Reader{
		Stdin: c.InOrStdin(), Quoting: mailbox.Quoting(f.mbox),
		Message: func(m *mailbox.Message) error {
			out, err := k.check(c.Context(), m)
			if err != nil {
				return nil // the reader tells of it as of an unreadable file
			}
			return show.add(out)
		},
		Unreadable: func(file string, err error) error {
			if len(args) == 1 && file == args[0] {
				return fmt.Errorf("reading the message: %w", err)
			}
			unreadable++
			fmt.Fprintf(c.ErrOrStderr(), "alignd: %s: %s\n", printable(file), printable(err.Error()))
			return nil
		},
	}
	for _, arg := range args {
		if err := in.Read(arg); err != nil {
			return err
		}
	}
	if err := show.end(); err != nil {
		return err
	}
	if unreadable > 0 {
		return fmt.Errorf("files that could not be read: %d", unreadable)
	}
	return nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// at is the time of the check.
func (f *checkFlags) at() (time.Time, error) {
	if !f.given("now") {
		return time.Now(), nil
	}
	if seconds, err := strconv.ParseInt(f.now, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	t, err := time.Parse(time.RFC3339, f.now)
	if err != nil {
		return t, fmt.Errorf("--now %q is neither RFC 3339 (2026-11-02T10:00:00Z) nor seconds since 1970", f.now)
	}
	return t, nil
}

func (f *checkFlags) envelope() (verify.Envelope, error) {
	env := verify.Envelope{MailFrom: mailboxOf(f.mailFrom), MTA: f.hostName()}
	env.Client.HELO = f.helo
	if f.ip == "" {
		return env, nil
	}
	ip, err := verify.ClientIP(f.ip)
	if err != nil {
		return env, fmt.Errorf("--ip %q is no IP address", f.ip)
	}
	env.Client.Peer = ip
	return env, nil
}

// mailboxOf is the address of a path as a person writes it, with or without brackets.
func mailboxOf(path string) string {
	path = strings.TrimSpace(path)
	if rest, ok := strings.CutPrefix(path, "<"); ok {
		path = strings.TrimSpace(strings.TrimSuffix(rest, ">"))
	}
	return milter.Mailbox(path)
}

func (f *checkFlags) loadConfig(file string) (*config.Config, error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, err
	}
	if f.authservID != "" {
		if cfg.AuthservID, err = config.AuthservID(f.authservID); err != nil {
			return nil, fmt.Errorf("--authserv-id %q: %w", f.authservID, err)
		}
	}
	return cfg, nil
}

// hostName is the name of the host that would have received the message: the
// authserv-id stands for the MTA's own name, if it is one.
func (f *checkFlags) hostName() string {
	if name, err := domain.Normalize(f.authservID); err == nil {
		return name
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		return host
	}
	return "localhost"
}

// lookuper answers from the zone file, the named server, or the configured ones.
func (f *checkFlags) lookuper(cfg *config.Config) (resolver.Lookuper, func(), error) {
	if f.zone != "" {
		r, err := os.Open(f.zone)
		if err != nil {
			return nil, nil, err
		}
		defer r.Close()
		zone, err := resolver.ParseZone(r, f.zone)
		return zone, func() {}, err
	}
	opt := resolverOptions(cfg, nil)
	if f.dns != "" {
		opt.Servers = []string{f.dns}
	}
	dns, err := resolver.New(opt)
	if err != nil {
		return nil, nil, err
	}
	return dns, func() { dns.Close() }, nil
}
