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
		{"a bare address", " a@b.example", "b.example"},
		{"a name and an address", " John Doe <jdoe@machine.example>", "machine.example"},
		{"a quoted name", ` "Joe Q. Public" <john.q.public@example.com>`, "example.com"},
		{"a quoted name with an address in it", ` "ceo@bank.example" <a@b.example>`, "b.example"},
		{"a quoted name with an escaped quote", ` "Giant; \"Big\" Box" <sysservices@example.net>`, "example.net"},
		{"a quoted local part", ` "a@c.example"@b.example`, "c.example b.example unparsable"},
		{"a quoted local part in angle brackets", ` <"a>@c.example"@b.example>`, "c.example b.example unparsable"},
		{"comments everywhere", " Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "silly.test"},
		{"nested comments hide an address", " (a (b) <x@c.example>) <a@b.example>", "b.example"},
		{"a comment behind the address", " a@b.example (x@c.example)", "b.example"},
		{"a comment only", " (a@b.example)", "b.example unparsable sole"},
		{"folds", " John\r\n Doe\r\n\t<a@\r\n b.example>", "b.example"},
		{"case and trailing dot", " <A@B.Example.>", "b.example"},
		{"several mailboxes of one domain", " a@b.example, B <c@B.example>", "b.example"},
		{"several mailboxes", " a@b.example, B <b@c.example>", "b.example c.example"},
		{"a domain literal is no domain", " a@[192.0.2.1]", "unparsable"},
		{"a domain literal beside a domain", " <a@[IPv6:2001:db8::1]>, a@b.example", "b.example"},
		{"a domain literal with everything in it", ` a@[,;<x@c.example>\]], a@b.example`, "b.example c.example unparsable"},
		{"an underscore", " a@b_c.example", "b_c.example"},

		// Groups, RFC 6854.
		{"a group", " A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;", "where.test one.test"},
		{"an empty group", " Undisclosed recipients:;", "empty"},
		{"an empty group with comments", " Undisclosed recipients:(nobody(that I know))  ;", "empty"},
		{"a group and a mailbox", " A:;, b@c.example", "c.example"},
		{"a group without its semicolon", " News: The Team <a@b.example>", "b.example"},
		{"a group of names without address", " A: b, c;", "unparsable"},
		{"two groups", " A: a@b.example; B: b@c.example;", "b.example c.example"},

		// Obsolete syntax, RFC 5322 section 4.4 and appendix A.6.
		{"a source route is ignored", " Mary Smith <@node.test:mary@example.net>", "example.net"},
		{"a route that some readers cut at its commas", " <@a.test,,@b.test , @[192.0.2.1]: mary@example.net>", "a.test b.test example.net unparsable"},
		{"empty elements and space around dots", " , Mary <m@example.net>, , jdoe@test  . example", "example.net test.example"},
		{"a comment in the domain", " John Doe <jdoe@machine(comment).  example>", "machine.example"},
		{"dots in a name", " Joe Q. Public <john.q.public@example.com>", "example.com"},
		{"space around the dots of a local part", " <john . q . public@example.com>", "example.com"},
		{"space around the at sign", " <a @ b.example>", "b.example"},

		// U-labels, RFC 6532 and RFC 8616.
		{"a U-label", " <a@b\u00fccher.example>", "xn--bcher-kva.example"},
		{"an A-label and its U-label are one domain", " a@B\u00dcCHER.example, b@xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"an ideographic full stop", " a@bank\u3002example", "bank.example"},
		{"a UTF-8 local part and name", " J\u00fcrgen <j\u00fcrgen@b.example>", "b.example"},
		{"8-bit garbage in the name", " \xff\xfe <a@b.example>", "b.example"},
		{"8-bit garbage in the domain", " a@b\xff.example", "xn--b-kha.example b.example unparsable"},

		// Encoded words are display text, RFC 2047 section 5.
		{"an encoded word as name", " =?utf-8?Q?ceo=40bank.example?= <a@b.example>", "b.example"},
		{"an encoded word instead of an address", " =?utf-8?Q?=3Cceo=40bank.example=3E?=", "bank.example unparsable sole"},
		{"an encoded word with a comma", " =?utf-8?Q?Doe,_John?= <a@b.example>", "b.example"},
		{"an encoded word with an at sign", " =?utf-8?Q?x@c.example?= <a@b.example>", "b.example"},
		{"an encoded word with at sign and comma could be an address", " =?utf-8?Q?x@c.example,_y?= <a@b.example>", "c.example b.example"},
		{"an encoded word as domain", " a@=?utf-8?Q?b?=.example", "b.example unparsable sole"},

		// What mail programs accept.
		{"an unquoted address as name", " ceo@bank.example <a@b.example>", "b.example bank.example in front of b.example"},
		{"an unquoted comma in a name", " Doe, John <a@b.example>", "b.example"},
		{"a comma that ends an address", " ceo@bank.example, x <a@b.example>", "bank.example b.example"},
		{"a semicolon as separator", " a@b.example; c@d.example", "b.example d.example"},
		{"brackets in a name", " [List] John <a@b.example>", "b.example"},
		{"an open bracket in a name", " John [list <a@b.example>", "b.example"},
		{"a smiley in a name", " John ;) <a@b.example>", "b.example"},
		{"words behind the address", " John <a@b.example> via List", "b.example"},
		{"a name before a bare address", " John Doe a@b.example", "b.example"},
		{"space in a local part", " <john doe@b.example>", "b.example"},
		{"a colon in a name", " Re: John <a@b.example>", "b.example"},
		{"a mailto", " mailto:a@b.example", "b.example"},
		{"a control character in the name", " Jo\x01hn <a@b.example>", "b.example"},
		{"an apostrophe", " O'Neil <a@b.example>", "b.example"},

		// No address.
		{"nothing", "", "unparsable"},
		{"space", " \r\n ", "unparsable"},
		{"a name only", " John Doe", "unparsable"},
		{"a local part only", " <root>", "unparsable"},
		{"the null address", " <>", "unparsable"},
		{"a local part beside an address", " root, a@b.example", "b.example"},
		{"an empty domain", " a@", "unparsable"},
		{"an empty local part", " @b.example", "b.example unparsable sole"},
		{"an empty local part in angle brackets", " <@b.example>", "b.example unparsable sole"},
		{"an empty local part behind a route", " <@c.example:@b.example>", "c.example b.example unparsable"},
		{"an impossible label", " a@" + strings.Repeat("x", 64) + ".example", "unparsable"},
		{"an endless domain", " a@" + strings.Repeat("\xff", 5000), "unparsable"},
		{"a character that no domain has", " a@b!c.example", "c.example unparsable"},

		// Two readings: never the one that suits the sender.
		{"two angle addresses", " <a@b.example> <c@d.example>", "b.example d.example unparsable"},
		{"an address behind the address", " <a@b.example> c@d.example", "b.example d.example unparsable"},
		{"a quoted address behind the address", ` <a@b.example> "c@d.example"`, "b.example d.example unparsable"},
		{"a name with invisible characters beside another mailbox", " <a@b.exam\u200dple>, <c@d.example>", "b.exam b.example d.example unparsable"},
		{"a name with broken octets beside another mailbox", " a@b.example\xff, c@d.example", "d.example b.example unparsable"},
		{"a domain literal beside another mailbox", " a@[192.0.2.1], c@d.example", "d.example"},
		{"two at signs", " a@b.example@c.example", "b.example c.example unparsable"},
		{"two at signs in angle brackets", " <a@b.example@c.example>", "b.example c.example unparsable"},
		{"two bare addresses without comma", " a@b.example c@d.example", "b.example b.examplec d.example unparsable"},
		{"a word behind a bare address", " a@b.example c", "b.example b.examplec unparsable"},
		{"a domain that goes on behind a space counts both ways", " <a@bank.example .evil.example>", "bank.example bank.example.evil.example"},
		{"an empty label", " a@b..example", "b.example unparsable"},
		{"an empty label beside a good address", " ceo@bank..example, a@b.example", "bank.example b.example unparsable"},
		{"a leading dot", " a@.b.example", "b.example unparsable sole"},
		{"an open quote", ` "John <a@b.example>`, "b.example unparsable sole"},
		{"an open comment", " a@b.example (c", "b.example unparsable sole"},
		{"a comment that ends in a backslash", ` a@b.example (c\`, "b.example unparsable sole"},
		{"an open angle bracket", " John <a@b.example", "b.example unparsable sole"},
		{"an open angle bracket before another address", " John <a@b.example, c@d.example>", "b.example d.example unparsable"},
		{"an angle bracket in an angle bracket", " <<a@b.example>>", "b.example unparsable sole"},
		{"a closing angle bracket first", " a@b.example> <c@d.example>", "b.example d.example unparsable"},
		{"an open domain literal", " a@[192.0.2.1", "unparsable"},
		{"a NUL", " a@bank.example\x00 <a@b.example>", "bank.example b.example unparsable"},
		{"a NUL in quotes", " \"a@bank.example\x00\" <a@b.example>", "bank.example b.example unparsable"},
		{"a bare CR", " a@bank.example\rX <a@b.example>", "bank.example bank.examplex b.example unparsable"},
		{"a line that is no fold", " a@bank.example\r\nX: <a@b.example>", "bank.example bank.examplex b.example unparsable"},
		{"an escaped quote outside of quotes", ` \"x" <a@b.example>, "y\" <c@d.example>`, "b.example d.example unparsable"},
		{"an escaped angle bracket", ` John \<a@b.example> <c@d.example>`, "b.example d.example unparsable"},
		{"an address as group name", " a@bank.example: b@c.example;", "bank.example c.example unparsable"},
		{"a control character in the domain", " a@b\x01.example", "b.example unparsable sole"},

		{"four domains", " a@a.example, a@b.example, a@c.example, a@d.example", "a.example b.example c.example d.example"},
		{"five domains", " a@a.example, a@b.example, a@c.example, a@d.example, a@e.example", "a.example b.example c.example d.example too many"},
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
		{"no field", "missing", nil},
		{"two fields give the domains of both", "a.example b.example several", []string{" a@a.example", " b@b.example"}},
		{"two equal fields are several", "a.example several", []string{" a@a.example", " b@a.example"}},
		{"one of them unparsable", "a.example b.example several", []string{" a@a.example", " <a@b.example <"}},
		{"the first of them unparsable", "a.example several", []string{" <", " a@a.example"}},
		{"too many in all", "a.example b.example too many", []string{" a@a.example, b@b.example", " c@c.example"}},
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
		if strings.ContainsAny(value, "\x00\r\n") {
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
		{" <u@local(blah)  .machine .example>", "local.machine local.machine.example", "local.machine"},
		{" u@bank.example .evil.test", "bank.example bank.example.evil.test", "bank.example"},
		{" u@bank.example .evil.test, v@bank.example", "bank.example bank.example.evil.test", ""},
		{" v@bank.example, u@bank.example .evil.test", "bank.example bank.example.evil.test", ""},
		{" u@machine(comment).  example", "machine.example", ""},
	} {
		f := AuthorDomains(fromFields(row.from), 0)
		if got := strings.Join(f.Domains, " "); got != row.domains || strings.Join(f.Partial, " ") != row.partial {
			t.Errorf("%s: got %s, of which partial %q, want %s and %q", row.from, got, f.Partial, row.domains, row.partial)
		}
	}
}
