package header

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
)

// piece is a list element made on purpose, so that it is known what readers see in it.
type piece struct {
	text    string
	mailbox []string // domains of its mailboxes
	hidden  []string // domains that only some readers show as the author's
	front   []string // domains in an unquoted address in front of an angle address
	opaque  bool     // some readers may show what nobody knows here
}

// author makes up elements. Each domain is used once, so that what is found tells
// where it was found.
type author struct {
	*rand.Rand
	domains int
}

func (a *author) pick(of ...string) string { return of[a.IntN(len(of))] }

// domain is a new domain, and one way to write it.
func (a *author) domain() (name, written string) {
	a.domains++
	name = fmt.Sprintf("d%d.%s.example", a.domains, a.pick("a", "mail", "x-y"))
	written = name
	switch a.IntN(6) {
	case 0:
		written = strings.ToUpper(name)
	case 1:
		written = strings.Replace(name, ".", "\uff0e", 1)
	}
	return name, written
}

// encoded is text in encoded words.
func (a *author) encoded(text string) string {
	charset := a.pick("utf-8", "UTF-8*en")
	if strings.Trim(text, "\u0000-\u007f") == "" {
		charset = a.pick("utf-8", "us-ascii", "iso-8859-15", "windows-1251", "gb2312", "big5", "euc-kr", "shift_jis")
	}
	word := func(s string) string {
		if a.IntN(2) == 0 {
			return b64(charset, s)
		}
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "=%02X", c)
		}
		return "=?" + charset + "?q?" + b.String() + "?="
	}
	if at := a.IntN(len(text) + 1); a.IntN(2) == 0 && at > 0 && at < len(text) && text[at] < 0x80 {
		return word(text[:at]) + a.pick("", " ", "\r\n ") + word(text[at:])
	}
	return word(text)
}

// address is an address in some shape that stands in other text.
func (a *author) address(domain string) string {
	at := a.pick("@", "@", "@", wideAt, smallAt)
	return a.pick("%s", "<%s>", "Ceo <%s>", "the %s himself", "%s, Ceo", "[%s]", "'%s'", "\u300c%s\u300d")[:] + "\x00" + "ceo" + at + domain
}

// text is a text with an address in it.
func (a *author) text(domain string) string {
	shape, address, _ := strings.Cut(a.address(domain), "\x00")
	return fmt.Sprintf(shape, address)
}

// hiding is an element that has no address of its own, and shows one.
func (a *author) hiding() piece {
	name, written := a.domain()
	text := a.text(written)
	quoted := `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
	e := piece{hidden: []string{name}}
	switch a.IntN(10) {
	case 0:
		e.text = quoted
	case 1:
		e.text = "(" + text + ")"
	case 2:
		e.text = a.pick("", "Ceo ") + "(x (" + text + "))"
	case 3:
		e.text = a.encoded(text)
	case 4:
		e.text = `"` + a.encoded(text) + `"`
	case 5:
		e.text = quoted + a.pick(" <>", " < >", "<root>", " <a@[192.0.2.1]>")
	case 6:
		e.text = a.encoded(text) + " <>"
	case 7:
		e.text = quoted + a.pick(":;", ": ;", ": Ann;")
	case 8:
		e.text = "ceo@" + written + a.pick(" <>", "<root>")
	default:
		e.text = "x@[<ceo@" + written + ">]"
	}
	return e
}

// honest is an element with one mailbox or none.
func (a *author) honest() piece {
	name, written := a.domain()
	other, otherWritten := a.domain()
	e := piece{mailbox: []string{name}}
	switch a.IntN(9) {
	case 0:
		e.text = "ann@" + written
	case 1:
		e.text = "Ann <ann@" + written + ">"
	case 2:
		e.text = `"` + a.text(otherWritten) + `" <ann@` + written + ">"
	case 3:
		e.text = a.encoded(a.text(otherWritten)) + " <ann@" + written + ">"
	case 4:
		e.text = "ann@" + written + " (Ann)"
	case 5:
		e.text = `"` + a.text(otherWritten) + `": Ann <ann@` + written + ">;"
	case 6:
		e.text, e.front = "ceo@"+otherWritten+" <ann@"+written+">", []string{other}
	case 7:
		e.text, e.mailbox = a.pick("Ann", "Acme@Home", "root@[192.0.2.1]", `"Ann"`, "", "(Ann)"), nil
	default:
		e.text, e.mailbox, e.opaque = a.pick("=?x?Q?Ann?=", b64("iso-2022-jp", "\x1b$B;3\x1b(B"), "=?utf-8?B?!?="), nil, true
	}
	return e
}

// field joins elements, perhaps with a slip that makes it no address list.
func (a *author) field(slip string) (value string, all piece) {
	var texts []string
	for range 1 + a.IntN(4) {
		e := a.honest()
		if a.IntN(2) == 0 {
			e = a.hiding()
		}
		texts = append(texts, e.text)
		all.mailbox = append(all.mailbox, e.mailbox...)
		all.hidden = append(all.hidden, e.hidden...)
		all.front = append(all.front, e.front...)
		all.opaque = all.opaque || e.opaque
	}
	if slip != "" {
		texts[a.IntN(len(texts))] += slip
	}
	return " " + strings.Join(texts, a.pick(", ", ",", ",\r\n ")), all
}

// TestEveryShownDomainIsJudged holds the principle at the top of AuthorDomains.
func TestEveryShownDomainIsJudged(t *testing.T) {
	a := &author{Rand: rand.New(rand.NewPCG(9989, 115))}
	for range 30_000 {
		a.domains = 0
		value, all := a.field("")
		got := AuthorDomains(fromFields(value), 100)
		if why := unjudged(got, &all); why != "" {
			t.Fatalf("%q: %s; got %s (%s)", value, why, show(got), got.Detail)
		}
		if why := misjudged(got, &all); why != "" {
			t.Fatalf("%q: %s; got %s (%s)", value, why, show(got), got.Detail)
		}
	}
}

// The same where the field is no address list: there is one reading more, never one less.
func TestEveryShownDomainIsJudgedBesideASlip(t *testing.T) {
	a := &author{Rand: rand.New(rand.NewPCG(9989, 5322))}
	for range 30_000 {
		a.domains = 0
		value, all := a.field(a.pick(" (", " \"", " <", ">", " <x", "@", " \\", " \\\"", " [x@[", "\x00", "\r", "\n\n", " )", " <ann@", " x@y@z", " =?"))
		got := AuthorDomains(fromFields(value), 100)
		if why := unjudged(got, &all); why != "" {
			t.Fatalf("%q: %s; got %s (%s)", value, why, show(got), got.Detail)
		}
	}
}

// unjudged names a domain that is shown and neither judged nor makes the From unusable.
func unjudged(got evidence.From, all *piece) string {
	for _, list := range [][]string{all.mailbox, all.hidden, all.front} {
		for _, d := range list {
			if !slices.Contains(got.Domains, d) {
				return d + " is not judged"
			}
		}
	}
	if len(all.hidden) > 0 && (got.Problem == evidence.FromOK || got.Sole && len(all.hidden)+len(all.mailbox)+len(all.front) > 1) {
		return "a pass of another domain could count"
	}
	if all.opaque && (got.Problem == evidence.FromOK || got.Sole) {
		return "what cannot be decoded is passed over"
	}
	return ""
}

// misjudged names what honest mail would suffer from.
func misjudged(got evidence.From, all *piece) string {
	if len(all.hidden) == 0 && !all.opaque && len(all.mailbox) > 0 {
		if got.Problem != evidence.FromOK {
			return "it is an address list"
		}
		if len(got.Domains) != len(all.mailbox)+len(all.front) {
			return "a display name was judged"
		}
	}
	for _, d := range got.Fronts {
		if !slices.Contains(all.front, d.Domain) {
			return d.Domain + " does not stand in front of an angle address only"
		}
	}
	if len(got.Fronts) < len(all.front) && got.Problem == evidence.FromOK {
		return "a domain in front of an angle address is judged in full"
	}
	return ""
}
