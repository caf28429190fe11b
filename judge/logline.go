package judge

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"alignd/evidence"
)

// The bounds of a line, in octets as written, be it key=value or JSON. They are
// ours; syslog and journald take lines of this length everywhere.
const (
	maxLine = 4096
	// lineHead is the room for time, level and message, and what encloses them.
	lineHead = 120
	// lineTail is kept for the keys of finish.
	lineTail = 1100
	// maxDomain is a whole domain (RFC 1035 section 2.3.4).
	maxDomain = 253
)

// logLine gathers the keys of one line. Each value has a bound of its own, so that
// none takes the place of the others; room bounds them together.
type logLine struct {
	attrs     []slog.Attr
	room      int
	leftOut   []string // keys that found no room
	addresses bool     // local parts are shown
	hide      localHider
}

// word appends a short value of ours.
func (w *logLine) word(key, value string) { w.text(key, value, 64) }

// text appends a value of at most max octets as written; what is longer is cut and
// ends in "...". The log's handler quotes it.
func (w *logLine) text(key, value string, max int) {
	if value == "" {
		return
	}
	room := w.room - keyCost(key)
	if len(value) > room && room < 32 {
		w.leftOut = append(w.leftOut, key)
		return
	}
	value, n := clip(value, min(max, room))
	w.room = room - n
	w.attrs = append(w.attrs, slog.String(key, value))
}

func (w *logLine) address(key string, ip netip.Addr) {
	if ip.IsValid() {
		w.text(key, ip.String(), 64)
	}
}

// number appends a number, which takes 24 octets at most.
func (w *logLine) number(key string, value slog.Value) {
	w.room -= keyCost(key) + 24
	w.attrs = append(w.attrs, slog.Attr{Key: key, Value: value})
}

// list appends n items as one value of at most max octets, and how many did not fit.
// item is not called for those.
func (w *logLine) list(key string, n int, between string, max int, item func(int) string) {
	switch n {
	case 0:
		return
	case 1:
		w.text(key, item(0), max)
		return
	}
	max = min(max, w.room-keyCost(key))
	var b strings.Builder
	b.Grow(128)
	cost := 0
	for i := range n {
		text, c := clip(item(i), max/2)
		if cost+c+len(between) > max-24 { // the count has room
			if i > 0 {
				b.WriteString(between)
			}
			fmt.Fprintf(&b, "and %d more", n-i)
			break
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(text)
		cost += c + len(between)
	}
	w.text(key, b.String(), max)
}

// keyCost is what a key takes: as in ,"key":"", which is longer than key="".
func keyCost(key string) int { return len(key) + 6 }

// clip cuts s to at most max octets as written, whole characters only, and returns
// how many it takes.
func clip(s string, max int) (string, int) {
	if len(s) > max && max < 3 {
		return "", 0
	}
	cost, fits := 0, 0 // fits: what stands before "..." when s is cut
	for i := 0; i < len(s); {
		n, c := 1, 1
		if b := s[i]; b < ' ' || b >= 0x7f || b == '"' || b == '\\' {
			n, c = escapedCost(s[i:])
		}
		if cost+c > max {
			return s[:fits] + "...", max
		}
		cost += c
		if i += n; cost <= max-3 {
			fits = i
		}
	}
	return s, cost
}

// escapedCost is the size of the first character of s, and how many octets it takes
// at most where it is escaped: \" \x00 \u202e \U000e0001, in JSON \u0000 and \ufffd.
func escapedCost(s string) (size, cost int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == '"' || r == '\\':
		return n, 2
	case r == utf8.RuneError && n == 1 || r < utf8.RuneSelf:
		return n, 6
	case strconv.IsPrint(r):
		return n, n
	case r > 0xffff:
		return n, 10
	}
	return n, 6
}

// plainName is a name that stands beside other text in a value. One that could be
// taken for that text is quoted.
func plainName(name string) string {
	if name == "" {
		return `""`
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' && c != '*' {
			return strconv.Quote(name)
		}
	}
	return name
}

// maxSignatures is how many signatures stand in a line in their own order; of more,
// those of the Author Domain and its relatives come first.
const maxSignatures = 6

// dkim has result, domain, selector, what failed and the reason of each signature:
// "fail(bank.test s1 body: body hash did not verify) pass(list.example x)".
func (w *logLine) dkim(ev *evidence.Message, d *evidence.DMARC) {
	if len(ev.DKIM) == 0 {
		if ev.Has(evidence.SectionDKIM) {
			w.word("dkim", string(evidence.None))
		}
		return
	}
	var order []int // nil is as they stand
	if len(ev.DKIM) > maxSignatures && d != nil {
		order = relativesFirst(ev.DKIM, d)
	}
	w.list("dkim", len(ev.DKIM), " ", 900, func(i int) string {
		if order != nil {
			i = order[i]
		}
		return w.signature(&ev.DKIM[i])
	})
	if ev.DKIMSkipped > 0 {
		w.number("dkim_skipped", slog.Int64Value(int64(ev.DKIMSkipped)))
	}
}

func relativesFirst(sigs []evidence.Signature, d *evidence.DMARC) []int {
	var near, far []int
	for i := range sigs {
		if related(sigs[i].Domain, d.AuthorDomain) || related(sigs[i].Domain, d.OrgDomain) {
			near = append(near, i)
		} else {
			far = append(far, i)
		}
	}
	return append(near, far...)
}

// related: one is the other or lies below it.
func related(a, b string) bool {
	return a != "" && b != "" && (a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a))
}

func (w *logLine) signature(s *evidence.Signature) string {
	var b strings.Builder
	b.Grow(64)
	b.WriteString(string(s.Result))
	b.WriteByte('(')
	domain, _ := clip(w.outside(s.Domain), 100)
	b.WriteString(plainName(domain))
	b.WriteByte(' ')
	selector, _ := clip(w.outside(s.Selector), 64)
	b.WriteString(plainName(selector))
	if s.FailedOn != evidence.FailedNothing {
		b.WriteByte(' ')
		b.WriteString(string(s.FailedOn))
	}
	if s.Reason != "" {
		reason, _ := clip(s.Reason, 120)
		b.WriteString(": ")
		b.WriteString(reason)
	}
	if s.Testing && s.Result == evidence.Fail {
		b.WriteString(", key in testing mode")
	}
	b.WriteByte(')')
	return b.String()
}
