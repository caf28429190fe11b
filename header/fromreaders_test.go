package header

import "testing"

// TestAuthorsOfReaders: each row is what one reader in use, which it names, shows as sent by
// ceo@bank.example, though only evil.example can pass. Its twin below is honest.
func TestAuthorsOfReaders(t *testing.T) {
	const (
		both  = "bank.example evil.example unparsable"
		front = "evil.example bank.example unparsable"
		dev   = "bank.dev unparsable"
		// As an address in front of the angle address: people and programs write that, too.
		beside = "evil.example bank.example in front of evil.example"
	)
	for _, row := range []struct{ name, from, want string }{
		{name: "Roundcube: white space in front of >", from: ` "ceo@bank.example" <a@evil.example >`, want: beside},
		{name: "Roundcube: white space behind <", from: ` "ceo@bank.example" < a@evil.example>`, want: beside},
		{name: "Roundcube: a fold in the angle address", from: " \"Ceo ceo@bank.example\" <a@\r\n evil.example>", want: beside},
		{name: "Roundcube: a comment behind white space", from: ` "ceo@bank.example" <a@evil.example (x)>`, want: beside},
		{name: "Roundcube: words behind the angle address", from: ` "ceo@bank.example" <a@evil.example> desk`, want: beside},
		{name: "Roundcube: a space that is not of ASCII behind it", from: " \"ceo@bank.example\" <a@evil.example> \u00a0", want: beside},
		{name: "Roundcube: a source route", from: ` "ceo@bank.example" <@evil.example:a@evil.example>`, want: beside},
		{name: "Roundcube: an encoded name", from: " =?utf-8?q?ceo@bank.example?= <a@evil.example >", want: beside},
		{name: "Roundcube: a wide at sign", from: " \"ceo@bank.example\" <a\uff20evil.example>", want: front},
		{name: "Roundcube: a route with white space", from: " <@bank.example :a@evil.example>", want: "bank.example evil.example unparsable"},
		{name: "Roundcube: a group name and a colon apart", from: ` "ceo@bank.example" : a@evil.example;`, want: both},
		{name: "Roundcube: a group name and an address without space", from: ` "x ceo@bank.example":a@evil.example;`, want: both},
		{name: "Roundcube: a second colon", from: ` "ceo@bank.example" ::a@evil.example`, want: both},

		{name: "Thunderbird: a quote in a comment", from: ` "ceo@bank.example" (") <a@evil.example>`, want: front},
		{name: "Thunderbird: the same behind the address", from: ` a@evil.example ("), "ceo@bank.example" <b@evil.example>`, want: front},
		{name: "Thunderbird: a bracket in a comment", from: " =?utf-8?q?ceo=40bank.example?= (x [) <a@evil.example>", want: front},
		{name: "Thunderbird: a quote in two comments in a domain", from: ` <a@bank(").evil(").example>`, want: "bank.evil bank.evil.example unparsable"},
		{name: "libetpan: white space in an address in a domain literal", from: " a@[<ceo@bank.co m>]", want: "bank.co bank.com unparsable"},
		{name: "Thunderbird: a control character behind a backslash", from: " (ceo@bank.example) (\\\x7f) <a@evil.example>", want: front},
		{name: "Thunderbird: an octet behind a backslash, dropped", from: ` ceo@bank \x.example`, want: "bankx.example unparsable"},
		{name: "Thunderbird: more of the domain behind a parenthesis", from: " ceo@bank.co)\tm", want: "bank.co unparsable"},

		{name: "Camel: the middle of an encoded word", from: " zzutf-8?q?ceo=40bank.example=2C@evil.example", want: "evil.example evil.examp bank.example unparsable"},
		{name: "Camel: the same in base64", from: " zzutf-8?B?Y2VvQGJhbmsuZXhhbXBsZSAg@evil.example",
			want: "evil.example evil.examp bank.example bank.examplez unparsable"},
		{name: "Camel: without its last octets", from: " ceo?q?x@bank.info", want: "bank.info bank.in unparsable"},
		{name: "Camel: in the domain", from: " a@evil.example?q?ceo=40bank.example?=", want: both},
		{name: "Camel: in an element without an address", from: " zzutf-8?q?ceo=40bank.examplexx, <a@evil.example>", want: both},
		{name: "Camel: behind an encoded word", from: " =?utf-8?q?x?==40bank.example=2C@evil.example", want: "evil.example evil.examp unparsable"},
		{name: "Camel: an angle bracket and a comma in a comment", from: " Ann <a(ceo@bank.example>,)@evil.example>", want: front},

		{name: "c-client: at for an at sign", from: " ceo at bank.example, a@evil.example", want: both},
		{name: "c-client: in capitals, behind a quoted string and a comment", from: ` "the ceo"(x)AT bank.example, a@evil.example`, want: both},
		{name: "c-client: at the start of an address", from: " ceo . x at bank.example@evil.example", want: both},
		{name: "c-client: in front of an address", from: " ceo at bank . example a@evil.example", want: both},
		{name: "c-client: in an angle address", from: " Ceo <ceo at bank.example>, a@evil.example", want: both},
		{name: "c-client: behind a word that a quoted string stands in", from: ` c"e"o at bank.example, a@evil.example`, want: both},
		{name: "c-client: the same in an angle address", from: ` <""ceo at bank.example>, a@evil.example`, want: both},
		{name: "c-client: in front of an empty angle address", from: " ceo at bank.example< (x)>, a@evil.example", want: both},
		{name: "c-client: in front of an odd angle address", from: " ceo at bank.example <]@evil.example>", want: both},
		{name: "c-client: behind a dot", from: " ceo. at bank.example, a@evil.example", want: both},
		{name: "c-client: in front of a bracket and a colon", from: " ceo at bank.example [x]: <a@evil.example>", want: both},
		{name: "c-client: in front of a bracket", from: " ceo at bank.example [x] <a@evil.example>", want: both},
		{name: "c-client: where the field is no address list", from: " ceo at bank.example@evil.example>", want: "evil.example bank.example unparsable"},
		{name: "c-client: in front of a control character and a comment", from: " ceo at bank.example\x1b(B) <a@evil.example>", want: both},
		{name: "c-client: an apostrophe in front of the domain", from: " ceo@'bank.example@evil.example", want: both},
		{name: "c-client: empty quotes in the domain", from: ` ceo@ba""nk.example@evil.example`, want: "evil.example unparsable"},
		{name: "c-client: the same in front of a slip", from: ` ceo@bank.e""xam@ple>>`, want: "bank.e unparsable"},
		{name: "c-client: quotes in the domain", from: ` ceo@ba"nk".example@evil.example`, want: "evil.example unparsable"},

		{name: "mutt: a word behind a quoted string", from: ` "ceo@ba" nk.example, a@evil.example`, want: both},
		{name: "mutt: the same without another author", from: ` "ceo@bank.co" m`, want: "bank.co bank.com unparsable"},
		{name: "mutt: a tab in a quoted string", from: " \"ceo@bank.co\tm\"", want: "bank.co bank.com unparsable"},
		{name: "mutt: a second quoted string in brackets", from: ` <"ceo@bank." "example">, a@evil.example`, want: both},

		{name: "Horde, VMime: an angle address in quotes behind a word", from: ` Ceo "<ceo@bank.example>" <a@evil.example>`, want: front},
		{name: "VMime: in a second quoted string", from: ` "x" "Ceo <ceo@bank.example>" <a@evil.example>`, want: front},
		{name: "VMime: quotes right behind a word", from: ` x"ceo@bank.example" <a@evil.example>`, want: front},
		{name: "Horde: an angle address in a comment behind an address", from: " a@evil.example (Ceo <ceo@bank.example>)", want: front},
		{name: "Horde: in quotes in a comment", from: ` ("<ceo@bank.example>") <a@evil.example>`, want: front},
		{name: "Horde, libetpan: in a comment in front of the angle address", from: " Ann (Ceo <ceo@bank.example>) <a@evil.example>", want: beside},
		{name: "Horde: a comma in a comment", from: ` Ann (x, "ceo@bank.example") <a@evil.example>`, want: beside},
		{name: "Horde: in a comment behind the angle address and a word", from: " <a@evil.example> x (Ceo <ceo@bank.example>)", want: beside},
		{name: "c-client: in an angle address in front of another one", from: " <ceo at bank.example <a@evil.example>", want: "evil.example bank.example unparsable"},
		{name: "c-client: an angle address with an open quote", from: ` ceo at bank.example <a"b@evil.example>`, want: "evil.example bank.example unparsable"},
		{name: "c-client: a comment beside at where the field is no address list", from: " ceo at(x)bank.example <<a@evil.example>>",
			want: "evil.example bank.example unparsable"},
		{name: "many: a domain that goes on in base64 without its padding", from: " ceo@=?utf-8?B?YmFuay5kZXY?= <a@evil.example>",
			want: "evil.example bank.dev in front of evil.example unparsable"},
		{name: "Horde: in a comment of a group name", from: " (<ceo@bank.example>)x: a@evil.example", want: both},
		{name: "Horde: quotes and a backslash", from: ` "ceo@bank.example"\ <a@evil.example>`, want: front},

		{name: "JavaMail: a colon in a quoted group name", from: ` ":<ceo@bank.example>": a@evil.example;`, want: both},
		{name: "JavaMail, not strict: a comment in a local part", from: " a(ceo@bank.example)@evil.example", want: front},
		{name: "JavaMail, not strict: in front of a local part with a comment", from: " (ceo@bank.example)a()@evil.example", want: front},
		{name: "JavaMail, not strict: a comment behind a colon", from: " x:(ceo@bank.example) a@evil.example", want: front},
		{name: "JavaMail, not strict: a comment beside a wide at sign", from: " a\uff20evil.example (ceo@bank.example)", want: front},
		{name: "nodemailer: a semicolon in a comment in a group", from: " x:(ceo@bank.example;) <a@evil.example>;", want: front},
		{name: "many: a domain with an ideographic full stop in front of white space", from: " ceo@bank\u3002example .evil.example",
			want: "bank.example bank.example.evil.example"},
		{name: "Camel: the middle of an encoded word near the start", from: " -8?q?ceo@bank.info", want: "bank.info bank.in unparsable"},
		{name: "many: base64 without its padding", from: " =?utf-8?B?eGNlb0BiYW5rLmRldg?=", want: dev},
	} {
		t.Run(row.name, func(t *testing.T) {
			if from := AuthorDomains(fromFields(row.from), 0); show(from) != row.want {
				t.Errorf("%q: got %s (%s), want %s", row.from, show(from), from.Detail, row.want)
			}
		})
	}
}

// TestAuthorsOfNoReader: what looks much like it, and shows nobody else anywhere.
func TestAuthorsOfNoReader(t *testing.T) {
	for _, row := range []struct{ name, from, want string }{
		{name: "white space in a quoted local part", from: ` "ann@a.example" <"ann x"@b.example>`, want: "b.example"},
		{name: "white space in the angle address and a name without address", from: " Ann < ann@b.example >", want: "b.example"},
		{name: "words behind and the same domain in the name", from: ` "ann@b.example" <ann@b.example> via List`, want: "b.example"},
		{name: "a comment behind the angle address", from: ` "ann@a.example" <list@b.example>(x)`, want: "b.example"},
		{name: "white space at the end", from: " \"ann@a.example\" <list@b.example> \t", want: "b.example"},
		{name: "a fold in front of the angle address", from: " \"ann@a.example\"\r\n\t<list@b.example>", want: "b.example"},
		{name: "white space in the angle address and a name in a stateful character set", from: " " + b64("iso-2022-jp", "\x1b$B;3ED\x1b(B") + " <ann@b.example >",
			want: "b.example"},
		{name: "white space in the angle address and an encoded at sign", from: " =?utf-8?q?ann=40a.example?= <list@b.example >", want: "b.example"},
		{name: "a quoted comment", from: ` "ann@a.example" ("x" [y]) <list@b.example>`, want: "b.example"},
		{name: "an escaped quote in a comment", from: ` "ann@a.example" (5\") <list@b.example>`, want: "b.example"},
		{name: "a quote in a comment and no address in the name", from: ` Ann (5" disks) <ann@b.example>`, want: "b.example"},
		{name: "question marks in a local part", from: " a?b?c=d@b.example", want: "b.example"},
		{name: "the middle of an encoded word in a name", from: " Who?B?What <a@b.example>", want: "b.example"},
		{name: "the same in a comment", from: " a@b.example (Who?B?What)", want: "b.example"},
		{name: "an encoded word and an address", from: " =?utf-8?q?Ann?= ann@b.example", want: "b.example"},
		{name: "at in a name", from: " Ann at a.example <ann@b.example>", want: "b.example"},
		{name: "at in a name with a comma", from: " Jane Doe at a.example, Inc. <jane@b.example>", want: "b.example"},
		{name: "at in a name, one label", from: " Bob at Acme, Inc. <bob@b.example>", want: "b.example"},
		{name: "at in brackets", from: " [Ann at a.example] <list@b.example>", want: "b.example"},
		{name: "at in front of an angle address without a domain", from: " Ann at a.example <ann>, <ann@b.example>", want: "b.example"},
		{name: "at in a name behind a semicolon", from: " Bob <bob@b.example>; Ann at a.example <ann@b.example>", want: "b.example"},
		{name: "at in the name of a group", from: " Ann at a.example: ann@b.example;", want: "b.example"},
		{name: "at right behind quotes", from: ` "Ann"at a.example, <ann@b.example>`, want: "b.example"},
		{name: "at in a word", from: " Ann attic.example, Inc. <ann@b.example>", want: "b.example"},
		{name: "a handle in quotes and a word", from: ` "Acme@Home" Inc, x <ann@b.example>`, want: "b.example"},
		{name: "quotes behind a word, without angle brackets", from: ` Ann "ann@a.example" <list@b.example>`, want: "b.example"},
		{name: "an angle address in the only quotes", from: ` "Ann <ann@a.example>" <list@b.example>`, want: "b.example"},
		{name: "the same behind a comma and a group name", from: ` x@b.example, "Ann <ann@a.example>" <list@b.example>, G: "Ann <ann@a.example>" <list@b.example>;`,
			want: "b.example"},
		{name: "the same and words", from: ` "Ann <ann@a.example>" via List <list@b.example>`, want: "b.example"},
		{name: "a semicolon in a comment without a group", from: " (ann@a.example; Ann) <list@b.example>", want: "b.example"},
		{name: "a semicolon in quotes in a group", from: ` x: "ann@a.example; Ann" <list@b.example>;`, want: "b.example"},
		{name: "a comment in an angle address", from: " <ann(x)@b.example>", want: "b.example"},
		{name: "base64 without its padding and no at sign in it", from: " =?utf-8?B?RG9lIA?=, Ann <ann@b.example>", want: "b.example"},
		{name: "with more padding than it needs", from: " =?utf-8?B?RG9lIA===?=, Ann <ann@b.example>", want: "b.example"},
		{name: "the same behind the angle address", from: " Ann <ann@b.example> (=?utf-8?B?RG9lIA?=)", want: "b.example"},
		{name: "the same where the field is no address list", from: " =?utf-8?B?RG9lIA?= <mailto:ann@b.example>", want: "b.example unparsable sole"},
		{name: "words behind an address in apostrophes", from: " Ann <'ann@b.example'> (via List)", want: "b.example unparsable sole"},
		{name: "at in a quoted name where the field is no address list", from: ` "Ann at a.example" <mailto:ann@b.example>`, want: "b.example unparsable sole"},
		{name: "at in a name in front of a bracket with a local part", from: " Ann at a.example <mailto:ann@b.example>", want: "b.example unparsable sole"},
		{name: "the same with one bracket too many", from: " Ann at a.example <ann@b.example>>", want: "b.example unparsable sole"},
		{name: "the same with one too few", from: " Ann at a.example <ann@b.example", want: "b.example unparsable sole"},
		{name: "an angle address in a comment behind the author's", from: " Ann <ann@b.example> (Ann <ann@a.example>)", want: "b.example"},
		{name: "at in a comment there", from: " (Ann at a.example) <<ann@b.example>>", want: "b.example unparsable sole"},
		{name: "a quote in a comment and an encoded name without an address", from: ` =?utf-8?B?5bGx55Sw?= <ann@b.example> (5" disks)`, want: "b.example"},
		{name: "an at sign at the end of a quoted name", from: ` "x@\"y@" <ann@b.example>`, want: "b.example"},
		{name: "a backslash in a name", from: ` ACME\ann "ann@a.example" <list@b.example>`, want: "b.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if from := AuthorDomains(fromFields(row.from), 0); show(from) != row.want {
				t.Errorf("%q: got %s (%s), want %s", row.from, show(from), from.Detail, row.want)
			}
		})
	}
}
