// Package readers drives parsers of mail headers and of DMARC reports that are not ours,
// for tests that compare: Python's, Perl's, npm's, PHP's, Evolution's and Dovecot's. Each script runs as one
// long process that answers a line with a line. e2e/install brings what they
// need; what is not there is named, so that a test can say what it left out.
package readers

import (
	"bufio"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed scripts
var scripts embed.FS

// Answer is what the parsers of one program make of one field: for each
// parser, by name, what it shows. A parser that refused the field is not in it.
type Answer map[string][]string

// Program runs one or several parsers.
type Program struct {
	Name   string // for messages: "Perl"
	script string
	probe  string       // fails where a module is missing
	run    []string     // the first that satisfies the probe is taken; the script follows
	flag   string       // what makes run take a script from the command line
	needs  string       // Debian packages or what else must be there
	env    []string     // added to the environment
	ready  func() error // further conditions; nil is none
}

// ErrMissing is wrapped by what Start returns where a program or a module of
// it is not installed.
var ErrMissing = errors.New("not installed")

// Process is a Program that runs. It is used by one goroutine at a time.
type Process struct {
	Program *Program
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  strings.Builder
}

// Start starts the program.
func (p *Program) Start() (*Process, error) {
	text, err := scripts.ReadFile("scripts/" + p.script)
	if err != nil {
		return nil, err
	}
	if p.ready != nil {
		if err := p.ready(); err != nil {
			return nil, fmt.Errorf("%s (%s): %w", p.Name, err, ErrMissing)
		}
	}
	for _, run := range p.run {
		probe := exec.Command(run, p.flag, p.probe)
		probe.Env = append(os.Environ(), p.env...)
		if probe.Run() != nil {
			continue
		}
		s := &Process{Program: p, cmd: exec.Command(run, p.flag, string(text))}
		s.cmd.Env = append(os.Environ(), p.env...)
		s.cmd.Stderr = &s.stderr
		if s.in, err = s.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := s.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		s.out = bufio.NewReaderSize(out, 1<<16)
		return s, s.cmd.Start()
	}
	return nil, fmt.Errorf("%s (needs %s; make test installs it): %w", p.Name, p.needs, ErrMissing)
}

// Ask has the program read the values, which may hold any octets, and returns
// an answer for each.
func (s *Process) Ask(values []string) ([]Answer, error) {
	sent := make(chan error, 1)
	go func() {
		w := bufio.NewWriter(s.in)
		for _, v := range values {
			fmt.Fprintln(w, base64.StdEncoding.EncodeToString([]byte(v)))
		}
		sent <- w.Flush()
	}()
	answers := make([]Answer, len(values))
	for i := range values {
		line, err := s.out.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &answers[i])
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %q: %w\n%s", s.Program.Name, values[i], err, s.stderr.String())
		}
	}
	return answers, <-sent
}

// Stop ends the program.
func (s *Process) Stop() error {
	s.in.Close()
	return s.cmd.Wait()
}

// npm is where e2e/install unpacks the packages of e2e/npm: build/npm of the
// project, which is the nearest folder above with a go.mod.
func npm() string {
	dir, err := os.Getwd()
	if err != nil {
		return "build/npm"
	}
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return filepath.Join(up, "build/npm")
		}
		if up == filepath.Dir(up) {
			return "build/npm"
		}
	}
}

func npmReady() error {
	if _, err := os.Stat(filepath.Join(npm(), "node_modules")); err != nil {
		return errors.New("needs node and the packages of e2e/npm; make test installs them")
	}
	return nil
}

func python(name, script, probe, needs string) *Program {
	return &Program{Name: name, script: script, probe: probe, needs: needs,
		run: []string{"/usr/bin/python3", "python3"}, flag: "-c"}
}

func perl(name, script, probe, needs string) *Program {
	return &Program{Name: name, script: script, probe: probe, needs: needs,
		run: []string{"/usr/bin/perl", "perl"}, flag: "-e"}
}

func node(name, script, probe string) *Program {
	return &Program{Name: name, script: script, probe: probe, needs: "node and the packages of e2e/npm", ready: npmReady,
		run: []string{"node", "nodejs"}, flag: "-e", env: []string{"NODE_PATH=" + filepath.Join(npm(), "node_modules")}}
}

// From are the programs that read From fields. What they show are addresses.
func From() []*Program {
	return []*Program{
		python("Python", "from.py", "import email", "python3"),
		perl("Perl", "from.pl", "use Email::Address::XS; use Mail::Address; use JSON::PP; use Encode", "libemail-address-xs-perl and libmailtools-perl"),
		{Name: "PHP", script: "from.php", run: []string{"php"}, flag: "-r", needs: "php-cli, php-imap and php-mbstring",
			probe: "exit(function_exists('imap_rfc822_parse_adrlist') && function_exists('mb_check_encoding') ? 0 : 1);"},
		python("Camel", "camel.py", "import gi; gi.require_version('Camel', '1.2'); from gi.repository import Camel; Camel.MimeMessage.new()",
			"gir1.2-camel-1.2, evolution-data-server-common and python3-gi"),
		node("npm", "from.cjs", "require('nodemailer'); require('nodemailer-6'); require('postal-mime'); require('libmime')"),
	}
}

// AuthRes are the programs that read Authentication-Results fields. What they
// show are lines "method=result property=value ...", one a result.
func AuthRes() []*Program {
	return []*Program{
		python("Python authres", "authres.py", "import authres", "python3-authres"),
		perl("Perl Mail::AuthenticationResults", "authres.pl", "use Mail::AuthenticationResults; use JSON::PP", "libmail-authenticationresults-perl"),
		node("npm mailauth", "authres.cjs", "require('mailauth/lib/parse-dkim-headers')"),
	}
}

// Reports are the programs that read mails with DMARC aggregate reports. What they show are
// lines "source disposition dkim spf count", one a row, divided by tabs; "refused" is what one
// says that does not read a report.
func Reports() []*Program {
	return []*Program{
		perl("Perl Mail::DMARC", "report.pl", "use Mail::DMARC::Report::Receive; use JSON::PP", "libmail-dmarc-perl"),
		node("npm dmarc-report-parser", "report.cjs", "require('dmarc-report-parser')"),
	}
}
