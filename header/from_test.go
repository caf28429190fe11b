package header

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"alignd/domain"
	"alignd/evidence"
)

// from builds a header with these From values.
func fromFields(values ...string) *Fields {
	h := new(Fields)
	h.Add([]byte("Subject"), []byte(" From: x@subject.example"))
	for _, v := range values {
		h.Add([]byte("From"), []byte(v))
	}
	return h
}

func show(f evidence.From) string {
	words := slices.Clone(f.Domains)
	for _, d := range f.Fronts {
		words[slices.Index(words, d.Domain)] += " in front of " + strings.Join(d.Angles, ",")
	}
	words = append(words, strings.Fields(string(f.Problem))...)
	if f.Sole {
		words = append(words, "sole")
	}
	return strings.Join(words, " ")
}

func TestAuthorDomains(t *testing.T) {
	tests := []struct{ name, from, want string }{
		// RFC 5322 section 3.4 and its appendix A.
		{name: "a bare address", from: " a@b.example", want: "b.example"},
		{name: "a name and an address", from: " John Doe <jdoe@machine.example>", want: "machine.example"},
		{name: "a quoted name", from: ` "Joe Q. Public" <john.q.public@example.com>`, want: "example.com"},
		{name: "a quoted name with an address in it", from: ` "ceo@bank.example" <a@b.example>`, want: "b.example"},
		{name: "a quoted name with an escaped quote", from: ` "Giant; \"Big\" Box" <sysservices@example.net>`, want: "example.net"},
		{name: "a quoted local part", from: ` "a@c.example"@b.example`, want: "c.example b.example unparsable"},
		{name: "a quoted local part in angle brackets", from: ` <"a>@c.example"@b.example>`, want: "c.example b.example unparsable"},
		{name: "comments everywhere", from: " Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", want: "silly.test"},
		{name: "nested comments hide an address", from: " (a (b) x@c.example) <a@b.example>", want: "b.example"},
		{name: "but not an angle address from all", from: " (a (b) <x@c.example>) <a@b.example>", want: "b.example c.example in front of b.example"},
		{name: "a comment behind the address", from: " a@b.example (x@c.example)", want: "b.example"},
		{name: "a comment only", from: " (a@b.example)", want: "b.example unparsable sole"},
		{name: "folds", from: " John\r\n Doe\r\n\t<a@\r\n b.example>", want: "b.example"},
		{name: "case and trailing dot", from: " <A@B.Example.>", want: "b.example"},
		{name: "several mailboxes of one domain", from: " a@b.example, B <c@B.example>", want: "b.example"},
		{name: "several mailboxes", from: " a@b.example, B <b@c.example>", want: "b.example c.example"},
		{name: "a domain literal is no domain", from: " a@[192.0.2.1]", want: "unparsable"},
		{name: "a domain literal beside a domain", from: " <a@[IPv6:2001:db8::1]>, a@b.example", want: "b.example"},
		{name: "a domain literal with everything in it", from: ` a@[,;<x@c.example>\]], a@b.example`, want: "b.example c.example unparsable"},
		{name: "an underscore", from: " a@b_c.example", want: "b_c.example"},

		// Groups, RFC 6854.
		{name: "a group", from: " A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;", want: "where.test one.test"},
		{name: "an empty group", from: " Undisclosed recipients:;", want: "empty"},
		{name: "an empty group with comments", from: " Undisclosed recipients:(nobody(that I know))  ;", want: "empty"},
		{name: "a group and a mailbox", from: " A:;, b@c.example", want: "c.example"},
		{name: "a group without its semicolon", from: " News: The Team <a@b.example>", want: "b.example"},
		{name: "a group of names without address", from: " A: b, c;", want: "unparsable"},
		{name: "two groups", from: " A: a@b.example; B: b@c.example;", want: "b.example c.example"},

		// Obsolete syntax, RFC 5322 section 4.4 and appendix A.6.
		{name: "a source route is ignored", from: " Mary Smith <@node.test:mary@example.net>", want: "example.net"},
		{name: "a route that some readers cut at its commas", from: " <@a.test,,@b.test , @[192.0.2.1]: mary@example.net>",
			want: "a.test b.test example.net unparsable"},
		{name: "empty elements and space around dots", from: " , Mary <m@example.net>, , jdoe@test  . example", want: "example.net test.example"},
		{name: "a comment in the domain", from: " John Doe <jdoe@machine(comment).  example>", want: "machine.example"},
		{name: "dots in a name", from: " Joe Q. Public <john.q.public@example.com>", want: "example.com"},
		{name: "space around the dots of a local part", from: " <john . q . public@example.com>", want: "example.com"},
		{name: "space around the at sign", from: " <a @ b.example>", want: "b.example"},

		// U-labels, RFC 6532 and RFC 8616.
		{name: "a U-label", from: " <a@b\u00fccher.example>", want: "xn--bcher-kva.example"},
		{name: "an A-label and its U-label are one domain", from: " a@B\u00dcCHER.example, b@xn--bcher-kva.example", want: "xn--bcher-kva.example"},
		{name: "an ideographic full stop", from: " a@bank\u3002example", want: "bank.example"},
		{name: "a UTF-8 local part and name", from: " J\u00fcrgen <j\u00fcrgen@b.example>", want: "b.example"},
		{name: "8-bit garbage in the name", from: " \xff\xfe <a@b.example>", want: "b.example"},
		{name: "8-bit garbage in the domain", from: " a@b\xff.example", want: "xn--b-kha.example b.example unparsable"},

		// Encoded words are display text, RFC 2047 section 5.
		{name: "an encoded word as name", from: " =?utf-8?Q?ceo=40bank.example?= <a@b.example>", want: "b.example"},
		{name: "an encoded word instead of an address", from: " =?utf-8?Q?=3Cceo=40bank.example=3E?=", want: "bank.example unparsable sole"},
		{name: "an encoded word with a comma", from: " =?utf-8?Q?Doe,_John?= <a@b.example>", want: "b.example"},
		{name: "an encoded word with an at sign", from: " =?utf-8?Q?x@c.example?= <a@b.example>", want: "b.example"},
		{name: "an encoded word with at sign and comma could be an address", from: " =?utf-8?Q?x@c.example,_y?= <a@b.example>",
			want: "c.example b.example"},
		{name: "one with white space behind the at sign is no word for who looks for addresses first", from: " =?utf-8?Q?x@c.example y?= <a@b.example>",
			want: "b.example c.example in front of b.example"},
		{name: "the same with a comment", from: " =?utf-8?Q?x@c.example()?= <a@b.example>", want: "b.example c.example in front of b.example"},
		{name: "the same with a backslash", from: ` =?utf-8?Q?x@c.example\?= <a@b.example>`, want: "b.example c.example in front of b.example"},
		{name: "the same with a second at sign", from: " Bob =?utf-8?Q?x@c.example@y?= <a@b.example>", want: "b.example c.example in front of b.example"},
		{name: "white space without a plain at sign", from: " =?utf-8?Q?Bob x=40c.example y?= <a@b.example>", want: "b.example"},
		{name: "an encoded word as domain", from: " a@=?utf-8?Q?b?=.example", want: "b.example unparsable sole"},

		{name: "one label, several times", from: " a@b, c@b, d@x", want: "b x"},

		// "=" and "?" are atext, RFC 5322 section 3.2.3.
		{name: "all of atext in a local part", from: " !#$%&'*+-/=?^_`{|}~@b.example", want: "b.example"},
		{name: "what begins like an encoded word in a local part", from: " Ann <a.b=?c@b.example>", want: "b.example"},
		{name: "the same with a question mark more", from: " Ann <a=?b?c@b.example>, x@b.example", want: "b.example"},
		{name: "the same in a comment behind the angle address", from: " <a@b.example> (what=?)", want: "b.example"},

		// What mail programs accept.
		{name: "an unquoted address as name", from: " ceo@bank.example <a@b.example>", want: "b.example bank.example in front of b.example"},
		{name: "an unquoted comma in a name", from: " Doe, John <a@b.example>", want: "b.example"},
		{name: "a comma that ends an address", from: " ceo@bank.example, x <a@b.example>", want: "bank.example b.example"},
		{name: "a semicolon as separator", from: " a@b.example; c@d.example", want: "b.example d.example"},
		{name: "brackets in a name", from: " [List] John <a@b.example>", want: "b.example"},
		{name: "an open bracket in a name", from: " John [list <a@b.example>", want: "b.example"},
		{name: "a smiley in a name", from: " John ;) <a@b.example>", want: "b.example"},
		{name: "words behind the address", from: " John <a@b.example> via List", want: "b.example"},
		{name: "a name before a bare address", from: " John Doe a@b.example", want: "b.example"},
		{name: "space in a local part", from: " <john doe@b.example>", want: "b.example"},
		{name: "a colon in a name", from: " Re: John <a@b.example>", want: "b.example"},
		{name: "a mailto", from: " mailto:a@b.example", want: "b.example"},
		{name: "a control character in the name", from: " Jo\x01hn <a@b.example>", want: "b.example"},
		{name: "an apostrophe", from: " O'Neil <a@b.example>", want: "b.example"},

		// No address.
		{name: "nothing", want: "unparsable"},
		{name: "space", from: " \r\n ", want: "unparsable"},
		{name: "a name only", from: " John Doe", want: "unparsable"},
		{name: "a local part only", from: " <root>", want: "unparsable"},
		{name: "the null address", from: " <>", want: "unparsable"},
		{name: "a local part beside an address", from: " root, a@b.example", want: "b.example"},
		{name: "an empty domain", from: " a@", want: "unparsable"},
		{name: "an empty local part", from: " @b.example", want: "b.example unparsable sole"},
		{name: "an empty local part in angle brackets", from: " <@b.example>", want: "b.example unparsable sole"},
		{name: "an empty local part behind a route", from: " <@c.example:@b.example>", want: "c.example b.example unparsable"},
		{name: "an impossible label", from: " a@" + strings.Repeat("x", 64) + ".example", want: "unparsable"},
		{name: "an endless domain", from: " a@" + strings.Repeat("\xff", 5000), want: "unparsable"},
		{name: "a character that no domain has", from: " a@b!c.example", want: "c.example unparsable"},

		// Two readings: never the one that suits the sender.
		{name: "two angle addresses", from: " <a@b.example> <c@d.example>", want: "b.example d.example unparsable"},
		{name: "an address behind the address", from: " <a@b.example> c@d.example", want: "b.example d.example unparsable"},
		{name: "a quoted address behind the address", from: ` <a@b.example> "c@d.example"`, want: "b.example d.example unparsable"},
		{name: "a name with invisible characters beside another mailbox", from: " <a@b.exam\u200dple>, <c@d.example>",
			want: "b.exam b.example d.example unparsable"},
		{name: "a name with broken octets beside another mailbox", from: " a@b.example\xff, c@d.example", want: "d.example b.example unparsable"},
		{name: "a domain literal beside another mailbox", from: " a@[192.0.2.1], c@d.example", want: "d.example"},
		{name: "two at signs", from: " a@b.example@c.example", want: "b.example c.example unparsable"},
		{name: "two at signs in angle brackets", from: " <a@b.example@c.example>", want: "b.example c.example unparsable"},
		{name: "two bare addresses without comma", from: " a@b.example c@d.example", want: "b.example b.examplec d.example unparsable"},
		{name: "a word behind a bare address", from: " a@b.example c", want: "b.example b.examplec unparsable"},
		{name: "a domain that goes on behind a space counts both ways", from: " <a@bank.example .evil.example>",
			want: "bank.example bank.example.evil.example"},
		{name: "an empty label", from: " a@b..example", want: "b.example unparsable"},
		{name: "an empty label beside a good address", from: " ceo@bank..example, a@b.example", want: "bank.example b.example unparsable"},
		{name: "a leading dot", from: " a@.b.example", want: "b.example unparsable sole"},
		{name: "an open quote", from: ` "John <a@b.example>`, want: "b.example unparsable sole"},
		{name: "an open comment", from: " a@b.example (c", want: "b.example unparsable sole"},
		{name: "a comment that ends in a backslash", from: ` a@b.example (c\`, want: "b.example unparsable sole"},
		{name: "an open angle bracket", from: " John <a@b.example", want: "b.example unparsable sole"},
		{name: "an open angle bracket before another address", from: " John <a@b.example, c@d.example>", want: "b.example d.example unparsable"},
		{name: "an angle bracket in an angle bracket", from: " <<a@b.example>>", want: "b.example unparsable sole"},
		{name: "a closing angle bracket first", from: " a@b.example> <c@d.example>", want: "b.example d.example unparsable"},
		{name: "an open domain literal", from: " a@[192.0.2.1", want: "unparsable"},
		{name: "a NUL", from: " a@bank.example\x00 <a@b.example>", want: "bank.example b.example unparsable"},
		{name: "a NUL in quotes", from: " \"a@bank.example\x00\" <a@b.example>", want: "bank.example b.example unparsable"},
		{name: "a bare CR", from: " a@bank.example\rX <a@b.example>", want: "bank.example bank.examplex b.example unparsable"},
		{name: "a line that is no fold", from: " a@bank.example\r\nX: <a@b.example>", want: "bank.example bank.examplex b.example unparsable"},
		{name: "an escaped quote outside of quotes", from: ` \"x" <a@b.example>, "y\" <c@d.example>`, want: "b.example d.example unparsable"},
		{name: "an escaped angle bracket", from: ` John \<a@b.example> <c@d.example>`, want: "b.example d.example unparsable"},
		{name: "an address as group name", from: " a@bank.example: b@c.example;", want: "bank.example c.example unparsable"},
		{name: "a control character in the domain", from: " a@b\x01.example", want: "b.example unparsable sole"},

		{name: "four domains", from: " a@a.example, a@b.example, a@c.example, a@d.example", want: "a.example b.example c.example d.example"},
		{name: "five domains", from: " a@a.example, a@b.example, a@c.example, a@d.example, a@e.example",
			want: "a.example b.example c.example d.example too many"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := AuthorDomains(fromFields(tt.from), 0)
			if got := show(from); got != tt.want {
				t.Errorf("%q: got %s (%s), want %s", tt.from, got, from.Detail, tt.want)
			}
			if (from.Problem == "") != (from.Detail == "") || from.Fields != 1 || len(from.Detail) > 500 {
				t.Errorf("%q: %+v", tt.from, from)
			}
		})
	}
}

// RFC 9989 section 11.5.
func TestSeveralFromFields(t *testing.T) {
	tests := []struct {
		name, want string
		from       []string
	}{
		{name: "no field", want: "missing"},
		{name: "two fields give the domains of both", want: "a.example b.example several", from: []string{" a@a.example", " b@b.example"}},
		{name: "two equal fields are several", want: "a.example several", from: []string{" a@a.example", " b@a.example"}},
		{name: "one of them unparsable", want: "a.example b.example several", from: []string{" a@a.example", " <a@b.example <"}},
		{name: "the first of them unparsable", want: "a.example several", from: []string{" <", " a@a.example"}},
		{name: "too many in all", want: "a.example b.example too many", from: []string{" a@a.example, b@b.example", " c@c.example"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := AuthorDomains(fromFields(tt.from...), 2)
			if got := show(from); got != tt.want || from.Fields != len(tt.from) {
				t.Errorf("got %s, %d fields; want %s", got, from.Fields, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		from []string
		want string
	}{
		{[]string{" a@a.example, b@b.example, c@c.example"}, "From names more than 2 domains"},
		{[]string{" a@a.example", " b@b.example", " c@c.example"}, "the message has 3 From fields with more than 2 domains"},
	} {
		if got := AuthorDomains(fromFields(tt.from...), 2).Detail; got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.from, got, tt.want)
		}
	}
	h := fromFields(" a@a.example")
	h.Add([]byte("FROM \t"), []byte("b@b.example"))
	h.Add([]byte("Resent-From"), []byte("c@c.example"))
	if got := show(AuthorDomains(h, 0)); got != "a.example b.example several" {
		t.Errorf("a field name with case and space: got %s", got)
	}
}

// TestHiddenFromFields: readers that take CR for the end of a line (Python's email,
// Perl's Email::Simple, JavaMail) show a From that stands inside another field.
func TestHiddenFromFields(t *testing.T) {
	for _, tt := range []struct {
		name, field, value, want string
	}{
		{name: "behind a bare CR", field: "Subject", value: " x\rFrom: ceo@bank.example", want: "a.example bank.example several"},
		{name: "behind a bare LF", field: "Subject", value: " x\nFrom: ceo@bank.example", want: "a.example bank.example several"},
		{name: "any case, with space before the colon", field: "X", value: "\rfROM \t:<ceo@bank.example>", want: "a.example bank.example several"},
		{name: "behind two CR", field: "Subject", value: " x\r\rFrom: ceo@bank.example", want: "a.example bank.example several"},
		{name: "behind a fold", field: "Subject", value: " x\r\n y\r\n z\rFrom: ceo@bank.example", want: "a.example bank.example several"},
		{name: "in a name", field: "X\rFrom", value: " ceo@bank.example", want: "a.example bank.example several"},
		{name: "it is folded", field: "Subject", value: " x\rFrom: Ann\r <ceo@bank.example>\rTo: y@to.example", want: "a.example bank.example several"},
		{name: "one author in both", field: "Subject", value: " x\rFrom: ceo@a.example", want: "a.example several"},
		{name: "a fold", field: "Subject", value: " x\r\n From: ceo@bank.example", want: "a.example"},
		{name: "a bare CR and a space", field: "Subject", value: " x\r From: ceo@bank.example", want: "a.example"},
		{name: "another name", field: "Subject", value: " x\rX-From: ceo@bank.example", want: "a.example"},
		{name: "no colon", field: "Subject", value: " x\rFrom ceo@bank.example", want: "a.example"},
		{name: "CR at the end", field: "Subject", value: " x\r", want: "a.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := fromFields(" a@a.example")
			h.Add([]byte(tt.field), []byte(tt.value))
			if got := show(AuthorDomains(h, 0)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	h := new(Fields)
	h.Add([]byte("Subject"), []byte(" x\rFrom: ceo@bank.example"))
	if got := show(AuthorDomains(h, 0)); got != "bank.example missing" {
		t.Errorf("no other From: got %s", got)
	}
	if got := show(AuthorDomains(fromFields(" a@a.example\rFrom: ceo@bank.example"), 0)); got != "a.example a.examplefrom bank.example several" {
		t.Errorf("in From itself: got %s", got)
	}
}

var fromSeeds = []string{
	" a@b.example", ` "x@y, \"z" <a@b.example>, G: <@r.example:c@d . example>;`, " (a(b)) \r\n =?utf-8?q?x?= <a@b\u00fc.example.>",
	" a@[192.0.2.1], <>, a b@c d", ` a\@b@c, <"q"."r"@s>`, " a@b.c .d.e", " John <a@b> c <d@e>", "x@bank\u3002example;", "<0@0!>,<0@00>",
}

// FuzzAuthorDomains: domains are normalized, distinct and within the limit,
// a problem is told when there is not one clean reading, and a quoted display
// name never changes the Author Domain.
func FuzzAuthorDomains(f *testing.F) {
	for _, s := range fromSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		from := AuthorDomains(fromFields(value), 0)
		for i, d := range from.Domains {
			if n, err := domain.Normalize(d); n != d || err != nil || slices.Contains(from.Domains[:i], d) {
				t.Fatalf("%q: domains %q", value, from.Domains)
			}
		}
		if from.Problem == evidence.FromOK && len(from.Domains) == 0 || len(from.Domains) > MaxAuthorDomains ||
			from.Sole && (len(from.Domains) != 1 || from.Problem != evidence.FromUnparsable) || len(from.Detail) > 500 {
			t.Fatalf("%q: %+v", value, from)
		}
		// Behind a quote at once an at sign has a local part for readers that know no escapes.
		if strings.ContainsAny(value, "\x00\r\n") || strings.Contains(value, `"@`) {
			return
		}
		quoted := ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `" <a@good.example>`
		if got := show(AuthorDomains(fromFields(quoted), 0)); got != "good.example" {
			t.Fatalf("%q: got %s", quoted, got)
		}
	})
}

// FuzzAgainstNetMail compares with net/mail, which reads RFC 5322 strictly:
// what it accepts we read alike.
func FuzzAgainstNetMail(f *testing.F) {
	for _, s := range fromSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		list, err := mail.ParseAddressList(value)
		if err != nil || disagreement(value) != "" {
			return
		}
		got := AuthorDomains(fromFields(value), len(value)+1)
		if want := netMailDomains(list); !alike(got, want) {
			t.Fatalf("%q: got %q %s (%s), net/mail %q", value, got.Domains, got.Problem, got.Detail, want)
		}
	})
}

// alike reports whether all domains of net/mail are known here, and no others
// where From is fine. A bare address with one label is taken for a name.
func alike(got evidence.From, want []string) bool {
	want = slices.DeleteFunc(want, func(d string) bool {
		return !strings.Contains(d, ".") && !slices.Contains(got.Domains, d) && len(got.Domains) > 0
	})
	for _, d := range want {
		if !slices.Contains(got.Domains, d) {
			return false
		}
	}
	return got.Problem != evidence.FromOK || len(want) == len(got.Domains)-len(got.Fronts)-len(got.Partial)
}

func netMailDomains(list []*mail.Address) (domains []string) {
	for _, a := range list {
		name := a.Address[strings.LastIndexByte(a.Address, '@')+1:]
		if d, err := domain.Normalize(name); err == nil && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return domains
}

// Random address lists of tokens, most of which RFC 5322 allows somewhere.
func TestTokensAgainstNetMail(t *testing.T) {
	tokens := []string{
		"a", "b.example", "c.example", "d", "@", "@", "@", "<", ">", ",", ":", ";", ".", " ", " ", "\"q\"", "\"x@y\"", "(c)", "(x@y (z))",
		"a@b.example", "<a@c.example>", "a@[192.0.2.1]", "[", "]", "\\", "=?utf-8?Q?x?=", "\u00fc", "@\u00fc.example", "b..c", "G:", "\"", "(",
	}
	rng := rand.New(rand.NewPCG(5322, 6854))
	accepted, ours := 0, 0
	for range 300_000 {
		var b strings.Builder
		for n := 1 + rng.IntN(8); n > 0; n-- {
			b.WriteString(tokens[rng.IntN(len(tokens))])
		}
		value := b.String()
		got := AuthorDomains(fromFields(value), 100)
		if len(got.Domains) > 0 {
			ours++
		}
		list, err := mail.ParseAddressList(value)
		if err != nil || disagreement(value) != "" {
			continue
		}
		accepted++
		if want := netMailDomains(list); !alike(got, want) {
			t.Fatalf("%q: got %q %s (%s), net/mail %q", value, got.Domains, got.Problem, got.Detail, want)
		}
	}
	t.Logf("net/mail accepted %d of 300000, all alike here; we give a domain for %d", accepted, ours)
}

// disagreement names why net/mail may read a value otherwise than we do.
func disagreement(value string) string {
	switch {
	case strings.ContainsAny(value, "\x00\r\n"):
		return "net/mail takes a NUL or a bare line break for text; we see two readings"
	}
	return ""
}

func TestDisagreementsAreNarrow(t *testing.T) {
	for _, s := range fromSeeds[1:] {
		if why := disagreement(strings.ReplaceAll(s, "\r\n", "")); why != "" {
			t.Errorf("%q: %s", s, why)
		}
	}
}

func BenchmarkAuthorDomains(b *testing.B) {
	for name, value := range map[string]string{
		"plain":  ` "Joe Q. Public" <john.q.public@example.com>`,
		"ulabel": " J\u00fcrgen <j\u00fcrgen@b\u00fccher.example>",
	} {
		h := fromFields(value)
		for i := range 20 {
			h.Add(fmt.Appendf(nil, "X-Field-%d", i), []byte(" value"))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if AuthorDomains(h, 0).Problem != "" {
					b.Fatal("unusable")
				}
			}
		})
	}
}

func TestPartialDomainsAreMarked(t *testing.T) {
	for _, row := range []struct{ from, domains, partial string }{
		{from: " <u@local(blah)  .machine .example>", domains: "local.machine local.machine.example", partial: "local.machine"},
		{from: " u@bank.example .evil.test", domains: "bank.example bank.example.evil.test", partial: "bank.example"},
		{from: " u@bank.example .evil.test, v@bank.example", domains: "bank.example bank.example.evil.test"},
		{from: " v@bank.example, u@bank.example .evil.test", domains: "bank.example bank.example.evil.test"},
		{from: " u@machine(comment).  example", domains: "machine.example"},
	} {
		f := AuthorDomains(fromFields(row.from), 0)
		if got := strings.Join(f.Domains, " "); got != row.domains || strings.Join(f.Partial, " ") != row.partial {
			t.Errorf("%s: got %s, of which partial %q, want %s and %q", row.from, got, f.Partial, row.domains, row.partial)
		}
	}
}
