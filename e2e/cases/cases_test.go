package cases

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAllCasesCanBeRead(t *testing.T) {
	all, err := Load("../../testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Errorf("only %d cases", len(all))
	}
	for _, c := range all {
		for _, s := range c.Steps {
			if s.Verb != "data" {
				continue
			}
			if _, err := c.Message(s); err != nil {
				t.Error(err)
			}
		}
		checkNoStrayWants(t, c)
	}
}

// checkNoStrayWants fails for a want file that no message of the case uses.
func checkNoStrayWants(t *testing.T, c *Case) {
	known := map[string]bool{"want.log": true}
	for _, s := range c.Steps {
		if s.Message > 0 {
			known[filepath.Base(c.WantFile(s.Message, "headers"))] = true
			known[filepath.Base(c.WantFile(s.Message, "verdict"))] = true
			known[filepath.Base(c.WantFile(s.Message, "json"))] = true
		}
	}
	found, _ := filepath.Glob(filepath.Join(c.Dir, "want.*"))
	for _, f := range found {
		if !known[filepath.Base(f)] {
			t.Errorf("%s belongs to no message of the session", f)
		}
	}
}

func TestMatchTakesStarsForAnyText(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{pattern: "a", text: "a", want: true},
		{pattern: "a", text: "ab"},
		{want: true},
		{pattern: "*", want: true},
		{pattern: "a*", text: "a", want: true},
		{pattern: "a*c", text: "abc", want: true},
		{pattern: "a*c", text: "ab"},
		{pattern: "*b*", text: "abc", want: true},
		{pattern: "a*a", text: "a"},
		{pattern: "*b*b*", text: "abc"},
		{pattern: "550 5.7.26 *example.com*", text: "550 5.7.26 for example.com", want: true},
	} {
		if got := Match(c.pattern, c.text); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

func TestDiffNamesEveryChange(t *testing.T) {
	const received = "Received: from a\r\n\tby mx (Postfix) id 1; now\r\n"
	for _, c := range []struct {
		name, sent, delivered string
		want                  []string
		err                   string
	}{
		{name: "the MTA's own Received is no change", sent: "A: 1\n\nx\n", delivered: received + "A: 1\r\n\r\nx\r\n"},
		{name: "an added field is unfolded", sent: "A: 1\n\nx", delivered: "B: 1\r\n\t2\r\nA: 1\r\n\r\nx\r\n", want: []string{"+ B: 1 2"}},
		{name: "a removed field among equals", sent: "A: 1\nB: 2\nA: 1\n\n", delivered: "A: 1\r\nA: 1\r\n\r\n", want: []string{"- B: 2"}},
		{name: "changed white space is a change", sent: "A:1\n\n", delivered: "A: 1\r\n\r\n", want: []string{"+ A: 1", "- A:1"}},
		{name: "a changed body is an error", sent: "A: 1\n\nx\n", delivered: "A: 1\r\n\r\ny\r\n", err: "the body changed"},
		{name: "a body without an empty line before it", sent: "A: 1\nno field\n", delivered: "A: 1\r\n\r\nno field\r\n"},
	} {
		got, err := Diff([]byte(c.sent), []byte(c.delivered), "mx")
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
}

func TestFlattenNamesScalarsByPath(t *testing.T) {
	got, err := Flatten([]byte(`{"a":[{"b":"x"},{"b":2}],"c":[],"d":true,"e":null}`))
	want := []string{"a.0.b=x", "a.1.b=2", "c=[]", "d=true", "e=[]"}
	if err != nil {
		t.Fatal(err)
	}
	if diff := CompareVerdict(want, got); diff != nil {
		t.Errorf("%q", diff)
	}
	for _, wrong := range []string{"a.0.b=y", "nosuch=1", "d"} {
		if diff := CompareVerdict([]string{wrong}, got); len(diff) != 1 {
			t.Errorf("%q: %q", wrong, diff)
		}
	}
}

func TestSessionMistakesNameTheirLine(t *testing.T) {
	for _, c := range []struct{ name, session, want string }{
		{name: "unknown word", session: "connect 192.0.2.1\nfoo", want: `2: unknown line "foo"`},
		{name: "no address", session: "connect", want: "1: connect ADDR"},
		{name: "bad address", session: "connect 1.2.3", want: "1: ParseAddr"},
		{name: "sender without brackets", session: "mail a@b", want: "1: mail wants an address"},
		{name: "mta not first", session: "connect local\nmta x=1", want: "2: mta must be the first"},
		{name: "no message", session: "connect local\n", want: "1: a session needs a data line"},
		{name: "alignd does not dance", session: "alignd dance", want: "1: alignd start, stop"},
	} {
		_, err := parseSession(c.session)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSessionStepsCarryTheirArguments(t *testing.T) {
	steps, err := parseSession("connect 2001:db8::1 a.example as joe\nmail <a@b> SMTPUTF8 => 550 *\ndata x.eml held\ndata")
	if err != nil {
		t.Fatal(err)
	}
	if s := steps[0]; s.Addr.String() != "2001:db8::1" || s.Name != "a.example" || s.User != "joe" {
		t.Errorf("connect: %+v", s)
	}
	if s := steps[1]; s.Command() != "MAIL FROM:<a@b> SMTPUTF8" || s.Want != "550 *" || s.Address() != "a@b" {
		t.Errorf("mail: %+v", s)
	}
	if s := steps[2]; s.File != "x.eml" || !s.Held || s.Message != 1 {
		t.Errorf("data: %+v", s)
	}
	if s := steps[3]; s.File != "message.eml" || s.Held || s.Message != 2 || s.Want != "2*" {
		t.Errorf("data: %+v", s)
	}
}

func TestFolderWithoutTitleIsRefused(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "README"), []byte("\n"), 0o600)
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "what the case shows") {
		t.Errorf("got %v", err)
	}
}
