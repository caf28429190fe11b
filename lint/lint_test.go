package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/miekg/dns"

	"alignd/resolver"
)

func zone(t *testing.T, text string) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

type report interface {
	Text(io.Writer) error
	Worst() Level
	Known() bool
}

func text(t *testing.T, r report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// finding is what a row expects: its level, a part of its text, its section.
type finding struct {
	level         Level
	text, section string
}

func expect(t *testing.T, name string, got []Finding, want ...finding) {
	t.Helper()
	for _, w := range want {
		found := false
		for _, f := range got {
			found = found || f.Level == w.level && strings.Contains(f.Text, w.text) && f.Section == w.section
		}
		if !found {
			t.Errorf("%s: no %+v in %+v", name, w, got)
		}
	}
}

// Whatever is published, nothing that a terminal takes as a command comes out, and
// JSON stays JSON.
func TestHostileRecordsAreShownSafely(t *testing.T) {
	hostile := "\x1b]0;x\x07\u009b2J\u202e\u2066\u200f\ufeff\U000e0041\xff\x00\r\n" + strings.Repeat("A", 10<<10)
	everywhere := lookup(func(name string, qtype uint16) *resolver.Answer {
		a := &resolver.Answer{Name: name, Type: qtype, NameExists: true, CNAMEs: []string{"x\x1b.test"}}
		switch {
		case qtype != dns.TypeTXT:
			a.MX = []resolver.MX{{Host: "m\x1b[2J.test"}}
		case strings.Contains(name, "_domainkey"):
			a.TXT = []string{"v=DKIM1; p=; n=" + hostile, "p=" + hostile, hostile}
		case strings.HasPrefix(name, "_dmarc"):
			a.TXT = []string{"v=DMARC1; p=reject; rua=mailto:" + hostile + "@x.test,mailto:a@b.test; x=" + hostile, "v=DMARC1:" + hostile}
		default:
			a.TXT = []string{"v=spf1 include:" + hostile, "v=spf1;" + hostile, hostile}
		}
		return a
	})
	for _, r := range []report{
		CheckSPF(t.Context(), everywhere, "example.test"),
		CheckDMARC(t.Context(), everywhere, "example.test", true),
		CheckDKIM(t.Context(), everywhere, "s._domainkey.example.test"),
	} {
		var object bytes.Buffer
		if err := JSON(&object, r); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(object.Bytes(), new(any)); err != nil || bytes.Count(object.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%v in %s", err, object.Bytes())
		}
		for kind, out := range map[string]string{"text": text(t, r), "JSON": object.String()} {
			for _, c := range out {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Errorf("%T: %s has %U", r, kind, c)
				}
			}
			if len(out) > 100<<10 {
				t.Errorf("%T: %s has %d octets", r, kind, len(out))
			}
		}
	}
}

// lookup is DNS made by a function.
type lookup func(name string, qtype uint16) *resolver.Answer

func (f lookup) Lookup(_ context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	return f(name, qtype), nil
}

// A domain can publish a tree without end. What is asked of it is bounded, and the
// report says that a bound was met.
func TestTreesWithoutEndAreBounded(t *testing.T) {
	for _, row := range []struct {
		name   string
		record func(i int) string
	}{
		{name: "wide and deep", record: func(i int) string {
			var b strings.Builder
			b.WriteString("v=spf1")
			for j := range 10 {
				fmt.Fprintf(&b, " include:n%d-%d.test", i, j)
			}
			return b.String()
		}},
		{name: "deep", record: func(i int) string { return fmt.Sprintf("v=spf1 include:n%d.test", i) }},
		{name: "thousands of terms", record: func(int) string { return "v=spf1" + strings.Repeat(" a", 5000) }},
		{name: "hosts of mx", record: func(i int) string { return fmt.Sprintf("v=spf1%s", strings.Repeat(fmt.Sprintf(" mx:m%d.test", i), 50)) }},
	} {
		questions := 0
		out := CheckSPF(t.Context(), lookup(func(name string, qtype uint16) *resolver.Answer {
			questions++
			a := &resolver.Answer{Name: name, Type: qtype, NameExists: true}
			switch qtype {
			case dns.TypeTXT:
				a.TXT = []string{row.record(questions)}
			case dns.TypeMX:
				for i := range 1000 {
					a.MX = append(a.MX, resolver.MX{Host: fmt.Sprintf("h%d-%d.test", questions, i)})
				}
			}
			return a
		}), "example.test")
		told := text(t, out)
		if questions > maxQuestions || len(told) > 1<<20 || row.name != "hosts of mx" && !(out.Bounded && strings.Contains(told, "not all was looked at")) {
			t.Errorf("%s: %d questions, bounded %t, %d octets", row.name, questions, out.Bounded, len(told))
		}
	}
}

// Whatever stands in DNS, a report is safe to be shown, and is JSON.
func FuzzReports(f *testing.F) {
	f.Add("v=spf1 include:a.test a mx exists:%{i}.b.test -all", "v=DMARC1; p=reject rua=mailto:a@b.test", "v=DKIM1; p=")
	f.Add("v=spf1;\x1b[2J", "v=DMARC1: p=\u202e", "k=rsa; p=\xff; v=DKIM1")
	f.Fuzz(func(t *testing.T, spf, dmarc, key string) {
		dns := lookup(func(name string, qtype uint16) *resolver.Answer {
			text := map[bool]string{true: dmarc, false: spf}[strings.HasPrefix(name, "_dmarc")]
			if strings.Contains(name, "_domainkey") {
				text = key
			}
			return &resolver.Answer{Name: name, Type: qtype, NameExists: true, TXT: []string{text}}
		})
		for _, r := range []report{
			CheckSPF(t.Context(), dns, "example.test"), CheckDMARC(t.Context(), dns, "example.test", true), CheckDKIM(t.Context(), dns, "s._domainkey.example.test"),
		} {
			var out bytes.Buffer
			if err := JSON(&out, r); err != nil || !json.Valid(out.Bytes()) {
				t.Fatalf("%v: %s", err, out.Bytes())
			}
			for _, c := range out.String() + text(t, r) {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Fatalf("%T shows %U", r, c)
				}
			}
		}
	})
}
