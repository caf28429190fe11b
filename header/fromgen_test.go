package header

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// fromGen makes From values that readers are known to disagree about: by a
// grammar that allows what RFC 5322 does not, and by mutation. The same seed
// gives the same values.
type fromGen struct{ rng *rand.Rand }

func newFromGen(seed uint64) *fromGen {
	return &fromGen{rng: rand.New(rand.NewPCG(seed, 5322))}
}

func (g *fromGen) pick(from []string) string { return from[g.rng.IntN(len(from))] }

// one reports true once in n times.
func (g *fromGen) one(n int) bool { return g.rng.IntN(n) == 0 }

var (
	genAddresses = []string{"ceo@bank.example", "a@evil.example", "b@third.example", "ann@a.example", "Ceo@BANK.Example"}
	genDomains   = []string{"bank.example", "evil.example", "third.example", "a.example"}
	genNames     = []string{"Ann", "Ann B.", "Smith, John", "Acme@Home, Inc.", "Bank: Service", "O'Hara", "J\u00fcrgen", "\u5c71\u7530", "Ann;Bob", "ann @ work", "Sales (EMEA)", "=?", "?="}
	genCharsets  = []string{"utf-8", "UTF-8", "utf-8*en", "us-ascii", "iso-8859-1", "windows-1252", "iso-2022-jp", "utf-7", "utf-16", "x-unknown", ""}
	genGlue      = []string{"", "", " ", " ", "\t", "\r\n ", "  ", "(c)", " (x) "}
	genSpecials  = []string{"(", ")", "<", ">", "[", "]", ":", ";", "@", "\\", ",", ".", "\"", "'", "%", "=?", "?=", "\x00", "\r", "\n", "\r\n ", " ", "\t",
		"\uff20", "\ufe6b", "\uff08", "\uff1c", "\uff0c", "\u3002", "\u200b", "\u00a0", "\xff", "\xe4", "\x1b(B", "<>", "<@", "@@", "\x7f"}
)

// value is a whole From value.
func (g *fromGen) value() string {
	var b strings.Builder
	b.WriteString(" ")
	for i, n := 0, 1+g.rng.IntN(3); i < n; i++ {
		if i > 0 {
			b.WriteString(g.pick([]string{", ", ",", ";", " ", ", ,", ",\r\n "}))
		}
		b.WriteString(g.element())
	}
	return b.String()
}

// element is an element of the list, or what a sender puts there in order to
// be seen by some.
func (g *fromGen) element() string {
	switch g.rng.IntN(12) {
	case 0, 1:
		return g.address()
	case 2, 3:
		return g.phrase() + g.pick(genGlue) + g.angle()
	case 4:
		return g.angle() + g.pick(genGlue) + g.phrase()
	case 5:
		return g.encoded(g.hidden())
	case 6:
		return g.quoted(g.hidden())
	case 7:
		return g.comment(1)
	case 8:
		return g.phrase() + ":" + g.pick(genGlue) + g.address() + g.pick([]string{"", ", " + g.address(), "," + g.phrase() + g.angle()}) + g.pick([]string{";", ";", ""})
	case 9:
		return g.encoded(g.hidden()) + g.pick([]string{"", "@" + g.domain(), " " + g.encoded(g.hidden())})
	case 10:
		return g.address() + g.pick(genGlue) + g.angle()
	default:
		return g.phrase()
	}
}

// hidden is a text with an address for the inside of a word.
func (g *fromGen) hidden() string {
	a := g.pick(genAddresses)
	switch g.rng.IntN(9) {
	case 0, 1:
		return a
	case 2:
		return "<" + a + ">"
	case 3:
		return a + g.pick([]string{",", "(", "\x00", ">", " <", ";", "\r\n", "\"", "@", "\\", ")"})
	case 4:
		return g.pick([]string{"<", "(", "\"", "x ", ",", "@", "\x00", "G:"}) + a
	case 5:
		return "Ann <" + a + ">"
	case 6:
		return strings.Replace(a, "@", g.pick([]string{"\uff20", "\ufe6b", " @ ", "%40", "&#64;", "@\u200b"}), 1)
	case 7:
		return g.pick(genNames)
	default:
		return a + ", " + g.pick(genAddresses)
	}
}

func (g *fromGen) domain() string {
	d := g.pick(genDomains)
	switch g.rng.IntN(14) {
	case 0:
		return "[192.0.2.1]"
	case 1:
		return "[" + d + "]"
	case 2:
		return "[<" + g.pick(genAddresses) + ">]"
	case 3:
		return strings.Replace(d, ".", g.pick([]string{" . ", "(c).", ".\r\n ", "\u3002", "\uff0e", ".."}), 1)
	case 4:
		return g.pick([]string{d + ".", "b\u00fccher.example", "home", "-x.example", "a_b.example", d + "\x00.evil.example", g.encoded(d)})
	default:
		return d
	}
}

func (g *fromGen) local() string {
	switch g.rng.IntN(10) {
	case 0:
		return g.quoted(g.hidden())
	case 1:
		return g.encoded(g.hidden())
	case 2:
		return g.pick([]string{"a.b", "a..b", ".a", "a b", "a%bank.example", "bank.example!ceo", "j\u00fcrgen", "(c)a", "a(c)", "\"a\".b", "a\\@bank.example"})
	default:
		return g.pick([]string{"a", "ceo", "ann", "b+c"})
	}
}

func (g *fromGen) address() string {
	at := "@"
	if g.one(8) {
		at = g.pick([]string{" @ ", "@@", "\uff20", "\ufe6b", "@ ", "(c)@", "%40", "@(" + g.pick(genAddresses) + ")"})
	}
	return g.local() + at + g.domain()
}

func (g *fromGen) angle() string {
	a := g.address()
	switch g.rng.IntN(14) {
	case 0:
		return "<>"
	case 1:
		return "<<" + a + ">>"
	case 2:
		return "<@" + g.domain() + ":" + a + ">"
	case 3:
		return "<@a.example,@b.example:" + a + ">"
	case 4:
		return "<" + a + g.pick([]string{"", ">" + g.angle(), ", ", " >", "(c)>", ">>"})
	case 5:
		return "<" + g.pick([]string{"mailto:", " ", "(c)", "\r\n ", "local", "\"x\" "}) + a + ">"
	default:
		return "<" + a + ">"
	}
}

func (g *fromGen) phrase() string {
	switch g.rng.IntN(8) {
	case 0:
		return g.quoted(g.hidden())
	case 1:
		return g.encoded(g.hidden())
	case 2:
		return g.comment(1)
	case 3:
		return g.pick(genAddresses)
	case 4:
		return g.encoded(g.pick(genNames)) + g.pick(genGlue) + g.encoded(g.hidden())
	case 5:
		return g.quoted(g.pick(genNames))
	default:
		return g.pick(genNames)
	}
}

// quoted is a quoted string, now and then with its escapes or its end missing.
func (g *fromGen) quoted(text string) string {
	if !g.one(6) {
		text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
	}
	return `"` + text + g.pick([]string{`"`, `"`, `"`, `"`, `"`, `"`, `\"`, ``})
}

func (g *fromGen) comment(depth int) string {
	inside := g.hidden()
	if depth < 4 && g.one(3) {
		inside += g.comment(depth + 1)
	}
	return "(" + inside + g.pick([]string{")", ")", ")", ")", ")", "", `\)`, "))"})
}

// encoded writes text as an encoded word, or as several, rightly or not.
func (g *fromGen) encoded(text string) string {
	charset := "utf-8"
	if g.one(2) {
		charset = g.pick(genCharsets)
	}
	if len(text) > 3 && g.one(4) { // split, also within the address
		i := 1 + g.rng.IntN(len(text)-1)
		return g.word(charset, text[:i]) + g.pick([]string{" ", "", "\r\n ", "\t"}) + g.word(charset, text[i:])
	}
	return g.word(charset, text)
}

func (g *fromGen) word(charset, text string) string {
	if charset == "utf-16" {
		wide := make([]byte, 0, 2*len(text))
		for i := range len(text) {
			wide = append(wide, 0, text[i])
		}
		text = string(wide)
	}
	if g.one(2) {
		code := base64.StdEncoding.EncodeToString([]byte(text))
		switch g.rng.IntN(8) {
		case 0:
			code = strings.TrimRight(code, "=")
		case 1:
			code = code[:len(code)/2] + g.pick([]string{" ", "*", "=", "\r\n "}) + code[len(code)/2:]
		}
		return "=?" + charset + g.pick([]string{"?B?", "?b?"}) + code + g.pick([]string{"?=", "?=", "?=", "?=", "?"})
	}
	var q strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ':
			q.WriteByte('_')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '@' && g.one(4):
			q.WriteByte(c)
		default:
			fmt.Fprintf(&q, g.pick([]string{"=%02X", "=%02X", "=%02x"}), c)
		}
	}
	return "=?" + charset + g.pick([]string{"?Q?", "?q?"}) + q.String() + g.pick([]string{"?=", "?=", "?=", "?=", "?"})
}

// mutate changes a value in one place or a few.
func (g *fromGen) mutate(value, other string) string {
	for n := 1; n > 0; n-- {
		if g.one(3) {
			n++
		}
		if value == "" {
			return other
		}
		i := g.rng.IntN(len(value))
		j := i + g.rng.IntN(min(12, len(value)-i)+1)
		switch g.rng.IntN(6) {
		case 0, 1:
			value = value[:i] + g.pick(genSpecials) + value[i:]
		case 2:
			value = value[:i] + value[j:]
		case 3:
			value = value[:i] + g.pick(genSpecials) + value[min(i+1, len(value)):]
		case 4:
			value = value[:j] + value[i:]
		default:
			value = value[:i] + other[g.rng.IntN(len(other)+1):]
		}
	}
	return value[:min(len(value), 400)]
}

// genSeeds are shapes of published attacks (Composition Kills, Weak Links in
// Authentication Chains, Mailsploit) and of bug reports of other parsers.
var genSeeds = []string{
	" ceo@bank.example <a@evil.example>", " ceo@bank.example<a@evil.example>", " ceo@bank.example <>, a@evil.example",
	" =?utf-8?B?PGNlb0BiYW5rLmV4YW1wbGU+?=,<second@evil.example>", " =?utf-8?q?ceo=40bank.example?=, a@evil.example",
	` "ceo@bank.example", a@evil.example`, ` <a@evil.example>, "ceo@bank.example"`, " (ceo@bank.example), <a@evil.example>",
	" =?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZSg=?==?utf-8?B?eA==?=@evil.example", " =?utf-8?Q?ceo=40bank.example=00?=@evil.example",
	" x@[<ceo@bank.example>], a@evil.example", " ceo@[bank.example], a@evil.example", " x@[a,ceo@bank.example], a@evil.example",
	" <any@evil.example>ceo@bank.example", ` <ceo@bank.example>\,<second@evil.example>`, " <@a.example:@b.example:ceo@bank.example>",
	" Ann <<ann@a.example>>", " =?utf-8?Q?Ann_(x?= <ann@a.example>", ` \"Ann\" <ann@a.example>`, " Ann <ann@a.example", " Ann (Sales <ann@a.example>",
	` "Ann <ann@a.example>`, " 'ann@a.example'", ` "ann@a.example"`, " Acme@Home, Inc. <ann@a.example>", " Ann :-( <ann@a.example>",
	" ceo\uff20bank.example, a@evil.example", " ceo\ufe6bbank.example", " =?utf-8?B?5bGx55Sw?= <ann@a.example>", " \x1b$B;3ED\x1b(B <ann@a.example>",
	" ceo@bank.example\x00@evil.example", " ceo@bank.example\r\n a@evil.example", " ceo@bank.example\ra@evil.example", " ceo@bank.example (a@evil.example",
	" G: ceo@bank.example, a@evil.example;", ` "ceo@bank.example": a@evil.example;`, " undisclosed-recipients:;", " ceo@bank.example: a@evil.example;",
	` "a@evil.example\" <ceo@bank.example>`, ` ceo@bank.example"<a@evil.example>`, " <ceo@bank.example>, <a@evil.example>", " ceo@bank.example a@evil.example",
	" ceo@bank.example@evil.example", ` "ceo@bank.example"@evil.example`, " ceo%bank.example@evil.example", " @bank.example:ceo@evil.example",
	" ceo@bank .example", " ceo@bank.example .evil.example", " ceo@bank.example(c).evil.example", " Ann (ceo@bank.example) <a@evil.example>",
	` "ceo@bank.example" <a@evil.example>`, " =?utf-8?q?ceo=40bank.example?= <a@evil.example>", ` "ceo@bank.example" <>`, " a@b.example; c@d.example",
	" ceo at bank.example, a@evil.example", " zzutf-8?q?ceo=40bank.example=2C@evil.example", " Ann <a(ceo@bank.example>,)@evil.example>",
	` "ceo@ba" nk.example, a@evil.example`, ` "ceo@bank.example" (") <a@evil.example >`, ` Ceo "<ceo@bank.example>" <a@evil.example>`,
}
