package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
)

// mox is asked by the program of the folder mox, which calls its packages. It has no
// ARC.
type mox struct{ program, versions string }

var moxVersion = regexp.MustCompile(`(?m)^\tdep\tgithub.com/mjl-/mox\t(\S+)`)

func newMox(program string) (*mox, error) {
	out, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		return nil, err
	}
	m := moxVersion.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("%s was not built with mox", program)
	}
	return &mox{program: program, versions: string(m[1])}, nil
}

func (m *mox) name() string { return "mox" }

func (m *mox) version() string {
	return "mox " + m.versions + ", its packages spf, dkim and dmarc, as its SMTP server calls them, and whether dmarc asks for a refusal; `pct` as 100"
}

func (m *mox) begin() error { return nil }
func (m *mox) end() error   { return nil }
func (m *mox) close()       {}

func (m *mox) judge(l letter) result {
	ip := l.IP.String()
	if !l.IP.IsValid() {
		ip = "127.0.0.1"
	}
	in, err := json.Marshal(map[string]any{"IP": ip, "HELO": l.HELO, "From": l.From, "Text": bytes.ReplaceAll(bytes.ReplaceAll(l.text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))})
	if err != nil {
		return result{done: failed}
	}
	cmd := exec.Command(m.program)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	var said struct {
		SPF, DMARC string
		DKIM       []string
		Refused    bool
	}
	if err != nil || json.Unmarshal(out, &said) != nil {
		return result{done: failed}
	}
	r := result{words: map[string]string{"spf": said.SPF, "dmarc": said.DMARC}, done: delivered}
	if len(said.DKIM) > 0 {
		r.words["dkim"] = counted(said.DKIM)
	}
	if said.Refused {
		r.done = refused
	}
	return r
}
