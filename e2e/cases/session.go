package cases

import (
	"fmt"
	"net/netip"
	"strings"
)

// Step is one line of a session.
type Step struct {
	Line int    // in the file, from 1
	Verb string // connect, helo, ehlo, mail, rcpt, data, rset, send, alignd or mta
	Text string // what follows the verb, without the wanted reply
	Want string // pattern of the reply; "2*" when the line names none

	// Of connect: zero Addr means the loopback address as it is.
	Addr       netip.Addr
	Name, User string
	// Of data: the file, and whether the message must be held in the queue.
	File string
	Held bool
	// Message counts the data steps from 1; 0 for other steps.
	Message int
}

// Command is the SMTP command line of a helo, ehlo, mail, rcpt, rset or send
// step.
func (s Step) Command() string {
	switch s.Verb {
	case "helo", "ehlo":
		return strings.ToUpper(s.Verb) + " " + s.Text
	case "mail":
		return "MAIL FROM:" + s.Text
	case "rcpt":
		return "RCPT TO:" + s.Text
	case "rset":
		return "RSET"
	default:
		return s.Text
	}
}

// Address is the address of a mail or rcpt step, without angle brackets.
func (s Step) Address() string {
	addr, _, _ := strings.Cut(strings.TrimPrefix(s.Text, "<"), ">")
	return addr
}

// parseSession reads the whole file. Its errors begin with the line number.
func parseSession(text string) ([]Step, error) {
	var steps []Step
	messages := 0
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		s.Line = n
		if s.Verb == "mta" && len(steps) > 0 {
			return nil, fmt.Errorf("%d: mta must be the first line", n)
		}
		if s.Verb == "data" {
			messages++
			s.Message = messages
		}
		steps = append(steps, s)
	}
	if messages == 0 {
		return nil, fmt.Errorf("%d: a session needs a data line", n)
	}
	return steps, nil
}

func parseStep(line string) (Step, error) {
	line, want, ok := strings.Cut(line, " => ")
	if !ok {
		want = "2*"
	}
	verb, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	s := Step{Verb: verb, Text: strings.TrimSpace(text), Want: strings.TrimSpace(want)}
	switch verb {
	case "connect":
		return s, s.parseConnect()
	case "data":
		return s, s.parseData()
	case "mail", "rcpt":
		if !strings.HasPrefix(s.Text, "<") {
			return s, fmt.Errorf("%s wants an address in angle brackets, not %q", verb, s.Text)
		}
	case "helo", "ehlo", "send", "mta":
		if s.Text == "" {
			return s, fmt.Errorf("%s wants an argument", verb)
		}
	case "rset":
	case "alignd":
		switch s.Text {
		case "start", "stop", "restart", "reload":
		default:
			return s, fmt.Errorf("alignd start, stop, restart or reload, not %q", s.Text)
		}
	default:
		return s, fmt.Errorf("unknown line %q: connect, helo, ehlo, mail, rcpt, data, rset, send, alignd or mta", verb)
	}
	return s, nil
}

// parseConnect reads "ADDR|local [NAME] [as USER]".
func (s *Step) parseConnect() error {
	words := strings.Fields(s.Text)
	if n := len(words); n >= 2 && words[n-2] == "as" {
		s.User, words = words[n-1], words[:n-2]
	}
	if len(words) == 0 || len(words) > 2 {
		return fmt.Errorf("connect ADDR [NAME] [as USER], not %q", s.Text)
	}
	if len(words) == 2 {
		s.Name = words[1]
	}
	if words[0] == "local" {
		return nil
	}
	var err error
	s.Addr, err = netip.ParseAddr(words[0])
	return err
}

// parseData reads "[FILE] [held]".
func (s *Step) parseData() error {
	words := strings.Fields(s.Text)
	if n := len(words); n > 0 && words[n-1] == "held" {
		s.Held, words = true, words[:n-1]
	}
	switch len(words) {
	case 0:
		s.File = "message.eml"
	case 1:
		s.File = words[0]
	default:
		return fmt.Errorf("data [FILE] [held], not %q", s.Text)
	}
	return nil
}
