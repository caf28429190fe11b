// Package facts collects the facts that package doctor looks at: it runs
// postconf and systemctl, reads files, asks DNS. It changes nothing. What it
// cannot find out is left out, or said in Facts.Problems where a check would have
// needed it.
package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"alignd/doctor"
)

// Options say where to look. The zero value is this host.
type Options struct {
	// Root stands before the paths of the system's files, for tests: /proc,
	// /etc/resolv.conf, the unit.
	Root string
	// Postfix are configuration directories. Empty: the default one and, as
	// postmulti(1) does, those it names.
	Postfix []string
	// Sendmail is a sendmail.cf or .mc file. Empty: /etc/mail/sendmail.cf where
	// there is no Postfix.
	Sendmail string
	// Unit is a unit file; empty: what systemd knows, or the installed one.
	Unit string
	// DNS is a server to ask for MX records and, alone, for a signed name; empty:
	// those that alignd asks.
	DNS string
	// Offline asks no DNS at all.
	Offline bool
	// Run runs a command and returns its output; nil: as a process.
	Run func(ctx context.Context, env []string, name string, args ...string) (stdout, stderr string, err error)
}

// commandTime is how long one command of the system may take. Ours: postconf takes
// some hundredths of a second.
const commandTime = 20 * time.Second

// Collect gathers what there is to know. alignd's own part is the caller's.
func Collect(ctx context.Context, o Options, alignd doctor.Alignd) doctor.Facts {
	if o.Run == nil {
		o.Run = run
	}
	g := &gatherer{Options: o, ctx: ctx}
	g.facts.Alignd = alignd
	g.host()
	g.unit()
	g.postfix()
	g.sendmail()
	g.services()
	g.openDKIM()
	g.resolver()
	g.mx()
	g.clock()
	g.journal()
	return g.facts
}

type gatherer struct {
	Options
	ctx   context.Context
	facts doctor.Facts
}

func run(ctx context.Context, env []string, name string, args ...string) (string, string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var stdout, stderr strings.Builder
	c := exec.CommandContext(ctx, program(name), args...)
	c.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	c.Stdout, c.Stderr = &stdout, &stderr
	c.WaitDelay = time.Second
	err := c.Run()
	return stdout.String(), stderr.String(), err
}

// program finds what lies where the PATH of a user does not lead.
func program(name string) string {
	if found, err := exec.LookPath(name); err == nil {
		return found
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found
		}
	}
	return name
}

func (g *gatherer) problem(format string, args ...any) {
	g.facts.Problems = append(g.facts.Problems, fmt.Sprintf(format, args...))
}

// read is a file of the system, "" where there is none.
func (g *gatherer) read(name string) string {
	text, err := os.ReadFile(g.Root + name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.problem("%v", err)
	}
	return string(text)
}

func (g *gatherer) exists(name string) bool {
	_, err := os.Stat(g.Root + name)
	return err == nil
}
