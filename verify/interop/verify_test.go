package interop

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify"
	"alignd/verify/internal/testsign"
)

// needPeers skips a test that needs the others' Debian packages, saying so.
func needPeers(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: dkimpy and libopendkim (make test runs them; it sets ALIGND_E2E=1)")
	}
}

// keys are key records by DNS name.
type keys map[string]string

// zone makes a zone of keys, in presentation format.
func (k keys) zone(t testing.TB) *resolver.Zone {
	t.Helper()
	var file strings.Builder
	for name, record := range k {
		fmt.Fprintf(&file, "%s TXT \"%s\"\n", name, strings.ReplaceAll(record, ";", `\;`))
	}
	z, err := resolver.ParseZone(strings.NewReader(file.String()), "keys")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// ours is the evidence on a message as a milter session would bring it: fields
// end at CRLF only, and the body comes in pieces of the size given, 0 for one.
func ours(zone resolver.Lookuper, opt *verify.Options, msg string, piece int) *evidence.Message {
	m := verify.Begin(context.Background(), zone, opt, verify.Envelope{})
	defer m.Release()
	fields, body := testsign.Split(msg)
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, ":"); ok {
			m.Header([]byte(name), []byte(value))
		}
	}
	m.EndOfHeader()
	if piece <= 0 {
		piece = len(body)
	}
	for len(body) > 0 {
		n := min(piece, len(body))
		m.Body([]byte(body[:n]))
		body = body[n:]
	}
	return m.Finish(context.Background())
}

// topmost is the verdict on the topmost signature.
func topmost(ev *evidence.Message) evidence.Signature {
	if len(ev.DKIM) == 0 {
		return evidence.Signature{Result: evidence.None}
	}
	return ev.DKIM[0]
}

// tally counts by name and prints in the order of first use.
type tally struct {
	order []string
	count map[string]int
}

func (c *tally) add(name string) {
	if c.count == nil {
		c.count = map[string]int{}
	}
	if c.count[name] == 0 {
		c.order = append(c.order, name)
	}
	c.count[name]++
}

func (c *tally) total() (n int) {
	for _, v := range c.count {
		n += v
	}
	return n
}

func (c *tally) log(t *testing.T, title string) {
	t.Helper()
	t.Logf("%s: %d", title, c.total())
	for _, name := range c.order {
		t.Logf("  %6d  %s", c.count[name], name)
	}
}

// samples are failures by kind, of which the first are printed.
type samples struct{ tally }

func (s *samples) errorf(t *testing.T, kind, format string, args ...any) {
	t.Helper()
	if s.add(kind); s.count[kind] <= 2 {
		t.Errorf(kind+": "+format, args...)
	}
}

func (s *samples) log(t *testing.T) {
	t.Helper()
	for _, kind := range s.order {
		t.Errorf("%d times %s", s.count[kind], kind)
	}
	*s = samples{}
}

func (c *tally) logFuzz(f *testing.F) {
	f.Logf("documented disagreements: %d", c.total())
	for _, name := range c.order {
		f.Logf("  %6d  %s", c.count[name], name)
	}
}
