package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// filter is one that judges messages.
type filter interface {
	name() string
	version() string // with what it was configured as
	begin() error    // before each case
	judge(l letter) result
	end() error
	close() // after all cases
}

// notRun is what is not installed here.
type notRun struct{ called, why string }

func (n notRun) name() string        { return n.called }
func (n notRun) version() string     { return "not run: " + n.why }
func (n notRun) begin() error        { return nil }
func (n notRun) end() error          { return nil }
func (n notRun) close()              {}
func (n notRun) judge(letter) result { return result{done: "not run"} }

// installed are all filters of the page.
func installed(o options, dir string) ([]filter, error) {
	alignd, err := newAlignd(o.alignd)
	if err != nil {
		return nil, err
	}
	filters := []filter{alignd}
	if v, ok := debian("opendkim", "opendmarc"); ok {
		filters = append(filters, &chain{versions: v, dir: dir})
	} else {
		filters = append(filters, notRun{"opendkim + opendmarc", "not installed"})
	}
	if v, ok := debian("rspamd"); ok {
		filters = append(filters, &rspamd{versions: v, dir: dir})
	} else {
		filters = append(filters, notRun{"rspamd", "not installed"})
	}
	if o.mox != "" {
		m, err := newMox(o.mox)
		if err != nil {
			return nil, err
		}
		filters = append(filters, m)
	} else {
		filters = append(filters, notRun{"mox", "its module could not be fetched"})
	}
	return append(filters, notRun{"authentication_milter", "Debian 12 has no package"}), nil
}

// debian is "name version" of packages, if all are installed.
func debian(packages ...string) (string, bool) {
	var all []string
	for _, p := range packages {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", p).Output()
		version, ok := strings.CutPrefix(string(out), "installed ")
		if err != nil || !ok {
			return "", false
		}
		all = append(all, p+" "+version)
	}
	return strings.Join(all, ", "), true
}

// alignd is asked by its command check, which tells what the daemon would do.
type alignd struct{ binary, versions string }

func newAlignd(binary string) (*alignd, error) {
	out, err := exec.Command(binary, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w (make build)", binary, err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "+") // the page is in the commit that it would name
	return &alignd{binary: binary, versions: version}, nil
}

func (a *alignd) name() string    { return "alignd" }
func (a *alignd) version() string { return a.versions + ", with its defaults" }
func (a *alignd) begin() error    { return nil }
func (a *alignd) end() error      { return nil }
func (a *alignd) close()          {}

func (a *alignd) judge(l letter) result {
	cmd := exec.Command(a.binary, append(append([]string{"check", "--json", "--zone", l.zone, "--authserv-id", mta.Hostname}, l.Args()...), "-")...)
	cmd.Stdin = strings.NewReader(string(l.text))
	out, err := cmd.Output()
	if err != nil {
		return result{done: failed}
	}
	var said struct {
		Header      string `json:"authentication_results"`
		Disposition struct{ Delivery string }
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return result{done: failed}
	}
	r := resultsOf([]string{said.Header})
	r.done = map[string]string{"deliver": delivered, "tag": marked, "hold": held, "refuse": refused, "defer": putOff}[said.Disposition.Delivery]
	return r
}

// program is a daemon that was started.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a daemon in the foreground until its socket is there.
func start(socket string, args ...string) (*program, error) {
	os.Remove(socket)
	p := &program{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	log, err := os.OpenFile(socket+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.cmd.Wait(); close(p.done) }() // a status other than 0 is no fault here
	for range 18000 {                           // rspamd takes minutes on a busy machine
		if s, err := os.Stat(socket); err == nil && s.Mode()&os.ModeSocket != 0 {
			return p, nil
		}
		select {
		case <-p.done:
			text, _ := os.ReadFile(socket + ".log")
			return nil, fmt.Errorf("%s ended: %s", args[0], text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil, errors.Join(fmt.Errorf("%s has no socket", args[0]), p.stop())
}

// stop ends it at once and waits for that: it has nothing to put in order, and with a
// milter's own way it would take five seconds.
func (p *program) stop() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

// through hands a message to a milter as Postfix does.
func through(socket string, l letter, text []byte) fakemta.Result {
	s := fakemta.Dial(fakemta.Options{Network: "unix", Address: socket, NoSkip: true}, mta.Peer{Addr: l.IP, Name: l.name})
	defer s.Close()
	commands := []string{"EHLO " + l.HELO, "MAIL FROM:<" + l.From + ">"}
	for _, r := range l.Rcpts {
		commands = append(commands, "RCPT TO:<"+r+">")
	}
	for _, c := range commands {
		if reply := s.Command(c); reply.Code/100 != 2 {
			return fakemta.Result{Reply: reply}
		}
	}
	return s.Data(text)
}

// doneOf is what became of a message.
func doneOf(r fakemta.Result) string {
	switch {
	case r.Reply.Code/100 == 4:
		return putOff
	case r.Reply.Code/100 == 5:
		return refused
	case r.Held:
		return held
	case strings.Contains("\n"+string(header(r.Delivered)), "\nX-Spam: Yes"):
		return marked
	}
	return delivered
}
