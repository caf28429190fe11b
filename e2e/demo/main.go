// Command demo shows alignd at work: it starts a private Postfix, a DNS server
// on loopback and alignd serve as their own processes, sends the messages of
// show/session over real SMTP, prints what became of each, and stops
// everything again.
//
//	demo [-alignd BINARY] [-expect FILE]
//
// Root is needed, as Postfix's master wants it. The system's own Postfix is
// neither asked nor touched, and nothing leaves the machine. Exit status: 0
// when each message came out as the file of expectations says (by default the
// one built in), 1 when one did not or something could not be started.
package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/e2e/play"
	"alignd/e2e/port"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

//go:embed show expect
var files embed.FS

func main() {
	binary := flag.String("alignd", "", "the alignd to show; built when not given")
	expect := flag.String("expect", "", "file of expectations, instead of the built-in one")
	flag.Parse()
	if err := run(*binary, *expect); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(binary, expectFile string) error {
	want, err := readExpectations(expectFile)
	if err != nil {
		return err
	}
	s, err := newSetup(binary)
	if err != nil {
		return err
	}
	outcomes, err := s.show()
	if err != nil {
		return err
	}
	rows := table(outcomes, s.alignd.Judged())
	printTable(os.Stdout, want, rows)
	printHeaders(os.Stdout, want, outcomes)
	return compare(want, rows)
}

func readExpectations(file string) ([]row, error) {
	if file == "" {
		text, err := files.ReadFile("expect")
		if err != nil {
			return nil, err
		}
		return parseExpectations(string(text), "expect")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseExpectations(string(text), file)
}

// setup is everything that must be stopped in the end.
type setup struct {
	dir    string
	story  *cases.Case
	dns    *dnsserver.Server
	alignd *daemon.Daemon
	mta    *mta.Postfix
}

// newSetup prepares a directory; nothing runs yet.
func newSetup(binary string) (*setup, error) {
	if err := mta.Missing(); err != nil {
		return nil, fmt.Errorf("a private Postfix needs: %w (make demo takes care of that)", err)
	}
	dir, err := os.MkdirTemp("", "alignd-demo-")
	if err != nil {
		return nil, err
	}
	s := &setup{dir: dir}
	if err := s.prepare(binary); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *setup) prepare(binary string) error {
	show, err := fs.Sub(files, "show")
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(s.dir, "show"), show); err != nil {
		return err
	}
	if s.story, err = cases.Read(filepath.Join(s.dir, "show")); err != nil {
		return err
	}
	if binary == "" {
		if binary, err = daemon.Build(s.dir); err != nil {
			return err
		}
	}
	s.alignd = &daemon.Daemon{Binary: binary}
	return nil
}

// show starts all three, plays the session, and stops all three again, also
// when it is interrupted.
func (s *setup) show() (outcomes []play.Outcome, err error) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	done := make(chan error, 1)
	defer func() { err = errors.Join(err, s.stop()) }()

	if err := s.start(); err != nil {
		return nil, err
	}
	line := play.Postfix{Postfix: s.mta, Line: "demo"}
	go func() {
		done <- play.Play(s.story, line, s.alignd, func(o play.Outcome) { outcomes = append(outcomes, o) })
	}()
	select {
	case err := <-done:
		if err != nil {
			err = fmt.Errorf("%w\nmail log:\n%salignd's log:\n%s", err, s.mta.Log(), s.alignd.Log())
		}
		return outcomes, err
	case sig := <-interrupted:
		return nil, fmt.Errorf("stopped by %s", sig)
	}
}

func (s *setup) start() error {
	text, err := os.Open(s.story.Zone)
	if err != nil {
		return err
	}
	defer text.Close()
	zone, err := resolver.ParseZone(text, "zone")
	if err != nil {
		return err
	}
	if s.dns, err = dnsserver.ServeZone(zone, "127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println("DNS       ", s.dns.Addr(), "with a zone of its own")

	if s.alignd.Config, err = play.Config(s.story, s.dir, s.dns.Addr()); err != nil {
		return err
	}
	addr, err := port.Free()
	if err != nil {
		return err
	}
	s.alignd.Listen = "inet:" + addr
	if err := s.alignd.Start(); err != nil {
		return err
	}
	fmt.Println("alignd    ", addr, "alignd serve, with one trusted list and the defaults")

	s.mta, err = mta.Start([]mta.Line{{Name: "demo", Milter: "inet:" + addr}})
	if err != nil {
		return err
	}
	fmt.Println("Postfix   ", s.mta.Addr("demo"), "private, with smtpd_milters = inet:"+addr)
	return nil
}

// stop ends what runs, the MTA first.
func (s *setup) stop() error {
	var errs []error
	if s.mta != nil {
		errs = append(errs, s.mta.Stop())
	}
	if s.alignd != nil {
		errs = append(errs, s.alignd.Stop())
	}
	if s.dns != nil {
		errs = append(errs, s.dns.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
