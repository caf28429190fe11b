package header

import (
	"encoding/base64"
	"testing"

	"alignd/evidence"
)

// b64 is text as an encoded word.
func b64(charset, text string) string {
	return "=?" + charset + "?B?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
}

// TestHiddenAuthors: a domain that some readers show as the author is found, and the From
// is unusable, as no pass of it can be relied on. RFC 9989 section 11.5.
func TestHiddenAuthors(t *testing.T) {
	const both = "bank.example evil.example unparsable"
	const front = "evil.example bank.example unparsable"
	for _, row := range []struct{ name, from, want string }{
		{name: "an encoded word with angle brackets", from: " " + b64("utf-8", "<ceo@bank.example>") + ",<x@evil.example>", want: both},
		{name: "an encoded word in Q", from: " =?utf-8?q?ceo=40bank.example?=, a@evil.example", want: both},
		{name: "an encoded word with encoded dots", from: " =?utf-8?Q?ceo=40bank=2Eexample?=, <x@evil.example>", want: both},
		{name: "an encoded word with a language", from: " =?utf-8*en?Q?ceo=40bank.example?=, <x@evil.example>", want: both},
		{name: "two encoded words that are one text", from: " =?utf-8?Q?ceo=40ba?= =?utf-8?Q?nk.example?=, <x@evil.example>", want: both},
		{name: "two encoded words that some readers read apart", from: " =?utf-8?Q?ceo=40bank.example?= =?utf-8?Q?s?=, <x@evil.example>",
			want: "bank.examples bank.example evil.example unparsable"},
		{name: "an encoded word without a character set", from: " =??Q?ceo=40bank.example?=, <x@evil.example>", want: both},
		{name: "an encoded word that holds a comma for some", from: " =?utf-,8?Q?ceo=40bank.example?=, x@evil.example", want: "evil.example unparsable"},
		{name: "an encoded word with brackets that some drop", from: " =?utf-8?<>q?ceo=40bank.example?=, x@evil.example", want: "evil.example unparsable"},
		{name: "US-ASCII with octets that it has not", from: " =?us-ascii?Q?ceo=FCx?=, x@evil.example", want: "evil.example unparsable"},
		{name: "an encoded domain in front of an angle address", from: " ceo@=?utf-8?Q?bank.example?= <x@evil.example>",
			want: "evil.example bank.example in front of evil.example"},
		{name: "a domain in base64 in front of an angle address", from: " ceo@=?utf-8?B?YmFuay5leGFtcGxl?= <x@evil.example>",
			want: "evil.example bank.example in front of evil.example"},
		{name: "a domain in broken base64 in front of an angle address", from: " ceo@=?utf-8?B?YmFuay5l=eGFtcGxl?= <x@evil.example>",
			want: "evil.example bank.example in front of evil.example unparsable"},
		{name: "an encoded word with a plain colon in its text", from: " =?utf-8?Q?b:ceo=40bank.example?=@evil.example",
			want: "evil.example bank.example unparsable"},
		{name: "a source route through a text in brackets", from: " <@[<b@bank.example>]:x@evil.example>", want: both},
		{name: "an encoded local part in front of an angle address",
			from: " =?utf-8?Q?ceo=40bank.example=2C?=@a.example <x@evil.example>",
			want: "evil.example bank.example a.example in front of evil.example unparsable"},
		{name: "two encoded words in different character sets",
			from: " =?utf-8?Q?ceo=40?=\r\n " + b64("windows-1252", "bank.example") + ", <x@evil.example>", want: both},
		{name: "an encoded word that goes on in plain text", from: " =?utf-8?Q?ceo=40?=bank.example, <x@evil.example>", want: both},
		{name: "an encoded word in a known character set", from: " " + b64("koi8-r", "\xc1\xc2@bank.example") + ", <x@evil.example>", want: both},
		{name: "an encoded word in Shift JIS", from: " " + b64("shift_jis", "\x8e\x52 ceo@bank.example") + ", <x@evil.example>", want: both},
		{name: "an at sign that only a reader without Shift JIS sees",
			from: " " + b64("shift_jis", "ceo\x83@bank.example") + ", <x@evil.example>", want: both},
		{name: "an encoded word in quotes", from: ` "=?utf-8?Q?ceo=40bank.example?=", <x@evil.example>`, want: both},
		{name: "an encoded word in a comment", from: ` (=?utf-8?Q?ceo=40bank.example?=), <x@evil.example>`, want: both},
		{name: "an encoded word with white space in its text", from: " =?utf-8?Q?the ceo=40bank.example?=, <x@evil.example>", want: both},
		{name: "an encoded word with a plain comma in its text", from: " =?utf-8?Q?ceo=40bank.example,_x?=, <x@evil.example>", want: both},
		{name: "an encoded word behind the mailbox", from: " <x@evil.example>, =?utf-8?Q?ceo=40bank.example?=",
			want: "evil.example bank.example unparsable"},
		{name: "base64 without padding", from: " =?utf-8?B?" + "Y2VvQGJhbmsuZXhhbXBsZQ" + "?=, <x@evil.example>", want: both},
		{name: "a quoted string", from: ` "ceo@bank.example", <x@evil.example>`, want: both},
		{name: "a quoted string behind the mailbox", from: ` <x@evil.example>, "ceo@bank.example"`, want: "evil.example bank.example unparsable"},
		{name: "a quoted string with angle brackets", from: ` "<ceo@bank.example>", <x@evil.example>`, want: both},
		{name: "a quoted string with escapes", from: ` "ceo\@bank\.example", <x@evil.example>`, want: both},
		{name: "a quoted string with a comma", from: ` "ceo@bank.example, CEO", <x@evil.example>`, want: both},
		{name: "a quoted string among words", from: ` the "ceo@bank.example" himself, <x@evil.example>`, want: both},
		{name: "a quoted string with white space around the at sign", from: ` "ceo @ bank.example", <x@evil.example>`, want: both},
		{name: "a quoted string with a wide at sign", from: " \"ceo\uff20bank.example\", <x@evil.example>", want: both},
		{name: "a quoted string with a small at sign", from: " \"ceo\ufe6bbank.example\", <x@evil.example>", want: both},
		{name: "a quoted string with wide dots", from: " \"ceo@bank\uff0eexample\", <x@evil.example>", want: both},
		{name: "a quoted string in a group", from: ` G: "ceo@bank.example", <x@evil.example>;`, want: both},
		{name: "a comment", from: " (ceo@bank.example), <x@evil.example>", want: both},
		{name: "a comment beside a word", from: " Ceo (ceo@bank.example), <x@evil.example>", want: both},
		{name: "a nested comment", from: " (x (ceo@bank.example) y), <x@evil.example>", want: both},
		{name: "a comment within the domain in a comment", from: " (ceo@bank(x).example), <x@evil.example>", want: both},
		{name: "a comment with an at sign within the domain", from: ` (x), "ceo@(a@b)bank.example", <x@evil.example>`, want: both},
		{name: "a domain literal that is a domain", from: " ceo@[bank.example], a@evil.example", want: "evil.example bank.example unparsable"},
		{name: "one with a tag", from: " ceo@[IPv6:bank.example], a@evil.example", want: "evil.example bank.example unparsable"},
		{name: "one of one label", from: " ceo@[bank], a@evil.example", want: "evil.example unparsable"},
		{name: "one in angle brackets", from: " <ceo@[bank.example]>, <a@evil.example>", want: both},
		{name: "a domain literal with an address", from: " x@[<ceo@bank.example>], a@evil.example", want: "evil.example bank.example unparsable"},
		{name: "a domain literal with a comma and an address", from: " x@[a, ceo@bank.example], a@evil.example",
			want: "evil.example bank.example unparsable"},
		{name: "a domain literal with an IP address and more", from: " x@[192.0.2.1 <ceo@bank.example>], a@evil.example",
			want: "evil.example bank.example unparsable"},
		{name: "an address before an empty angle address", from: " ceo@bank.example <>, a@evil.example", want: both},
		{name: "an address before an angle address with white space", from: " ceo@bank.example < >, a@evil.example", want: both},
		{name: "an address before an angle address without a domain", from: " ceo@bank.example <root>, a@evil.example", want: both},
		{name: "an address before an angle address with an IP address", from: " ceo@bank.example <a@[192.0.2.1]>, a@evil.example", want: both},
		{name: "a quoted address before an empty angle address", from: ` "ceo@bank.example" <>, a@evil.example`, want: both},
		{name: "an encoded address before an empty angle address", from: ` =?utf-8?Q?ceo=40bank.example?= <>, a@evil.example`, want: both},
		{name: "a comment before an empty angle address", from: ` (ceo@bank.example) <>, a@evil.example`, want: both},
		{name: "an address before an empty angle address, behind the mailbox", from: " a@evil.example, ceo@bank.example <>",
			want: "evil.example bank.example unparsable"},
		{name: "the name of an empty group", from: ` "ceo@bank.example":;, a@evil.example`, want: both},
		{name: "the name of a group of names", from: ` "ceo@bank.example": Ann, Bob;, a@evil.example`, want: both},
		{name: "an encoded name of an empty group", from: ` =?utf-8?Q?ceo=40bank.example?=: ;, a@evil.example`, want: both},
		{name: "an encoded local part", from: " =?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZSg=?==?utf-8?B?eA==?=@evil.example", want: both},
		{name: "an encoded local part with NUL", from: " " + b64("utf-8", "ceo@bank.example\x00") + "@evil.example", want: both},
		{name: "an encoded local part in angle brackets", from: " <" + b64("utf-8", "ceo@bank.example ") + "@evil.example>", want: both},
		{name: "a quoted local part", from: ` "ceo@bank.example"@evil.example`, want: both},
		{name: "a quoted name before a bare address", from: ` "ceo@bank.example" a@evil.example`, want: both},
		{name: "an encoded address behind the angle address", from: " <a@evil.example> =?utf-8?Q?ceo=40bank.example?=",
			want: "evil.example bank.example unparsable"},
		{name: "a wide at sign behind the angle address", from: " <a@evil.example> ceo\uff20bank.example", want: "evil.example bank.example unparsable"},
		{name: "a wide at sign in a local part", from: " <ceo\uff20bank.example@evil.example>", want: both},
		{name: "an encoded word that opens a comment", from: " =?utf-8?Q?(?= <ceo@bank.example>, =?utf-8?Q?)?= <a@evil.example>", want: both},
		{name: "an encoded word that opens a quoted string", from: ` =?utf-8?Q?"?= <ceo@bank.example>, =?utf-8?Q?"?= <a@evil.example>`, want: both},
		{name: "a quoted address that a bracket cuts off", from: ` "ceo@bank.example" ] <a@evil.example>`, want: "evil.example bank.example unparsable"},
		{name: "a quoted address before brackets and one behind", from: ` "ceo@bank.example" [x] <a@evil.example> [`,
			want: "evil.example bank.example unparsable"},
		{name: "a quoted address before brackets", from: ` "ceo@bank.example" [x] <a@evil.example>`, want: "evil.example bank.example unparsable"},
		{name: "an encoded word that is glued by who decodes first", from: " =?utf-8?Q?ceo=40ba?= nk.example, a@evil.example", want: both},
		{name: "an encoded word with its own domain glued to it", from: " =?utf-8?Q?ceo=40bank.example?=evil.example",
			want: "bank.exampleevil.example bank.example unparsable"},
		{name: "raw ISO-2022-JP", from: " \x1b$B#c!w#b#a#n#k!%#e#x\x1b(B, a@evil.example", want: "evil.example bank.ex unparsable"},
		{name: "a domain with an invisible character", from: " \"ceo@ba\u200dnk.example\", a@evil.example", want: both},
		{name: "a domain with a soft hyphen", from: " \"ceo@ba\u00adnk.example\", a@evil.example", want: both},
		{name: "a domain with an empty label", from: ` "ceo@bank..example", a@evil.example`, want: both},
		{name: "white space that is not of ASCII in a domain", from: " CEO <ceo@bank\u00a0.example>", want: "bank.example unparsable"},
		{name: "the same behind a dot", from: " <ceo@bank.e\u2003xample>, a@evil.example", want: "bank.e bank.example evil.example unparsable"},
		{name: "quotes that some drop in a domain", from: ` ceo@bank"."example, a@evil.example`, want: both},
		{name: "one quote that some drop", from: ` ceo@bank.exam"ple`, want: "bank.exam bank.example unparsable"},
		{name: "a domain with a character that none has", from: ` "ceo@x!bank.example", a@evil.example`, want: both},
		{name: "a name with an encoded word that nobody can read", from: " =?x-unknown?Q?ceo=40bank.example?=, a@evil.example", want: both},
		{name: "a word in a stateful character set", from: " " + b64("iso-2022-jp", "\x1b$B;3\x1b(B") + ", a@evil.example",
			want: "evil.example unparsable"},
		{name: "a word in UTF-7", from: " =?utf-7?Q?ceo+AEA-bank.example?=, a@evil.example", want: "evil.example unparsable"},
		{name: "a word in an unknown encoding", from: " =?utf-8?X?abc?=, a@evil.example", want: "evil.example unparsable"},
		{name: "a word of broken base64", from: " =?utf-8?B?!?=, a@evil.example", want: "evil.example unparsable"},
		{name: "a word without an end", from: " =?utf-8?Q?abc, a@evil.example", want: "evil.example unparsable"},
		{name: "a word without an end in a local part", from: " <=?utf-8?Q?abc@evil.example>", want: "evil.example unparsable"},
		{name: "a word for some that goes on behind the at sign", from: " <=?utf.8@evil.example>, b?Q?ceo=40bank.example?=", want: "evil.example unparsable"},
		{name: "a domain with what begins like a word", from: ` "ceo@bank=?.example", a@evil.example`, want: "evil.example unparsable"},
		{name: "a quoted string beside what begins like a word", from: ` "ceo@bank.example", <x=?y@evil.example>`, want: both},
		// Readers that go on behind the next comma where a name is not to the letter (GMime).
		{name: "a comma in quotes behind a bracket", from: ` a] "z, ceo@bank.example" <a@evil.example>`, want: front},
		{name: "the same in a comment", from: " [x] (z, ceo@bank.example) <a@evil.example>", want: front},
		{name: "a comma in quotes behind a dot", from: ` .a "z, ceo@bank.example" <a@evil.example>`, want: front},
		{name: "behind a backslash", from: ` a\ "z, <ceo@bank.example>" <a@evil.example>`, want: front},
		{name: "behind a control character", from: " \x01 \"z, ceo@bank.example\" <a@evil.example>", want: front},
		{name: "behind an at sign", from: ` @a "z, ceo@bank.example" <a@evil.example>`, want: front},
		{name: "behind a semicolon", from: ` <b@evil.example>; "z, ceo@bank.example" <a@evil.example>`, want: front},
		{name: "behind an odd group name", from: ` a]: "z, ceo@bank.example" <a@evil.example>`, want: front},
		{name: "in an odd group name", from: ` a] "z, ceo@bank.example": <a@evil.example>`, want: both},
		{name: "a comma in a comment behind words and an address", from: " a b@evil.example (z, ceo@bank.example)", want: front},
		{name: "a comma in a comment behind words and an angle address", from: " <a@evil.example> a(b)c (z, ceo@bank.example)", want: front},
		{name: "a comma in a comment behind the angle address of an odd name", from: " [x] <a@evil.example> (z, ceo@bank.example)", want: front},
		{name: "quotes that open where others close", from: ` a] "z," "<ceo@bank.example>" <a@evil.example>`, want: front},
		{name: "the same in the next element", from: ` a] "z, x" <a@evil.example>, " <ceo@bank.example> " <b@evil.example>`, want: front},
		{name: "a comma in quotes of a name to the letter", from: ` J. "z, ceo@bank.example" <a@evil.example>, "y, ceo@bank.example" <b@evil.example>`,
			want: "evil.example"},
		{name: "an odd name without a comma in quotes", from: ` [List] "Ann ceo@bank.example" <a@evil.example>`, want: "evil.example"},
		{name: "an odd name with a comma in quotes and nothing there", from: ` "Doe, J." [List] <a@evil.example>`, want: "evil.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if from := AuthorDomains(fromFields(row.from), 0); show(from) != row.want {
				t.Errorf("%q: got %s (%s), want %s", row.from, show(from), from.Detail, row.want)
			}
		})
	}
}

// TestHonestNames: what mail programs and people write hides nobody.
func TestHonestNames(t *testing.T) {
	for _, row := range []struct{ name, from, want string }{
		{name: "a quoted name that is the address", from: ` "ann@a.example" <ann@a.example>`, want: "a.example"},
		{name: "a quoted name that is another address", from: ` "ann@a.example" <ann@b.example>`, want: "b.example"},
		{name: "a quoted name that is an address and a comma", from: ` "ann@a.example, Ann" <ann@b.example>`, want: "b.example"},
		{name: "an encoded name that is an address", from: ` =?utf-8?Q?ann=40a.example?= <ann@b.example>`, want: "b.example"},
		{name: "an encoded name in a stateful character set", from: " " + b64("iso-2022-jp", "\x1b$B;3ED\x1b(B") + " <ann@b.example>", want: "b.example"},
		{name: "an encoded name in an unknown character set", from: " =?x-unknown?Q?Ann?= <ann@b.example>", want: "b.example"},
		{name: "an encoded name with parentheses", from: " =?utf-8?Q?Ann_(Sales)?= <ann@b.example>", want: "b.example"},
		{name: "an encoded name with a plain comma", from: " =?utf-8?Q?Acme,_Inc.?= <ann@b.example>", want: "b.example"},
		{name: "an encoded name with an encoded comma", from: " =?utf-8?Q?Acme=2C_Inc.?= <ann@b.example>", want: "b.example"},
		{name: "a quoted name of a group", from: ` "ann@a.example": ann@b.example;`, want: "b.example"},
		{name: "a comment that is an address behind a bare one", from: " ann@b.example (ann@a.example)", want: "b.example"},
		{name: "a comment that is an address in a name", from: " Ann (ann@a.example) <ann@b.example>", want: "b.example"},
		{name: "an address in front of the angle address", from: " ann@a.example <tickets@b.example>", want: "b.example a.example in front of b.example"},
		{name: "an address in front without white space", from: " ann@a.example<tickets@b.example>", want: "b.example a.example in front of b.example"},
		{name: "an address in front among words", from: " Ann ann@a.example via Tickets <tickets@b.example>",
			want: "b.example a.example in front of b.example"},
		{name: "an address in front with a wide at sign", from: " ann\uff20a.example <tickets@b.example>",
			want: "b.example a.example in front of b.example"},
		{name: "an address in front with white space and a comment", from: " ann @ a (x) . example <tickets@b.example>",
			want: "b.example a.example in front of b.example"},
		{name: "an address in front with a quoted domain", from: ` ann@"a.example" <tickets@b.example>`, want: "b.example a.example in front of b.example"},
		{name: "an address in front with a domain literal", from: " ann@[a.example] <tickets@b.example>",
			want: "b.example a.example in front of b.example"},
		{name: "an address in front that DNS cannot carry", from: " ann@a.exam\u200dple <tickets@b.example>",
			want: "b.example a.exam in front of b.example a.example in front of b.example"},
		{name: "an address in front and a quoted string", from: ` ann@a.example"x" <tickets@b.example>`,
			want: "b.example a.examplex in front of b.example a.example in front of b.example"},
		{name: "a quoted local part in front", from: ` "ann@a.example"@work <tickets@b.example>`, want: "b.example a.example unparsable"},
		{name: "an encoded address and an at sign in front", from: " =?utf-8?Q?ann@a.example?= Acme@Home <tickets@b.example>", want: "b.example"},
		{name: "an address in front with an open parenthesis in brackets", from: " ann@[(a.example] <tickets@b.example>",
			want: "b.example a.example in front of b.example"},
		{name: "brackets before a quoted name", from: ` [List] "ann@a.example" <tickets@b.example>`, want: "b.example"},
		{name: "brackets in a quoted name", from: ` "[ann@a.example]" <tickets@b.example>`, want: "b.example"},
		{name: "brackets behind the same address in quotes", from: ` "ann@a.example" [List] <ann@a.example>`, want: "a.example"},
		{name: "two addresses in front", from: " ann@a.example bob@c.example <tickets@b.example>",
			want: "b.example a.example in front of b.example c.example in front of b.example"},
		{name: "an address in front of two angle addresses", from: " ann@a.example <t@b.example>, ann@a.example <t@c.example>",
			want: "b.example a.example in front of b.example,c.example c.example"},
		{name: "an address in front that is a mailbox too", from: " ann@a.example <t@b.example>, <ann@a.example>", want: "b.example a.example"},
		{name: "the same address in front", from: " ann@a.example <ann@a.example>", want: "a.example"},
		{name: "the same domain in quotes as an element", from: ` "ann@a.example", <bob@a.example>`, want: "a.example"},
		{name: "a quoted at sign in front", from: ` "ann@a.example" at@work <ann@b.example>`, want: "b.example"},
		{name: "an at sign and a word in front", from: " Acme@Home Inc. <ann@a.example>", want: "a.example"},
		{name: "an at sign and a word and a comma in front", from: " Acme@Home, Inc. <ann@a.example>", want: "a.example"},
		{name: "an at sign and a word in quotes", from: ` "Acme@Home", <ann@a.example>`, want: "a.example"},
		{name: "a handle", from: " @ann <ann@a.example>", want: "a.example"},
		{name: "a wide handle", from: " \uff20cosme <ann@a.example>", want: "a.example"},
		{name: "a name and a company", from: " \u5c71\u7530\uff20\u682a\u5f0f\u4f1a\u793e <ann@a.example>", want: "a.example"},
		{name: "a Japanese name in brackets", from: " \u300c\u5c71\u7530\u300d <ann@a.example>", want: "a.example"},
		{name: "Shift JIS in the raw", from: " \x83@\x8e\x52 <ann@a.example>", want: "a.example"},
		{name: "an unquoted comma", from: " Ann, <x@a.example>", want: "a.example"},
		{name: "last name first", from: " Smith, John <j@x.example>", want: "x.example"},
		{name: "last name first, encoded", from: " =?utf-8?Q?M=C3=BCller?=, John <j@x.example>", want: "x.example"},
		{name: "a name with a dot", from: " Ann. <x@a.example>", want: "a.example"},
		{name: "an emoticon", from: " Ann :-) <x@a.example>", want: "a.example"},
		{name: "an at sign and white space", from: " Ann @ Home <x@a.example>", want: "a.example"},
		{name: "a price", from: " Only $5 @ Acme <x@a.example>", want: "a.example"},
		{name: "a host alone", from: " root@localhost", want: "localhost"},
		{name: "a host beside a domain", from: " root@localhost, <x@a.example>", want: "a.example"},
		{name: "an IP address beside a domain", from: " root@[192.0.2.1], <x@a.example>", want: "a.example"},
		{name: "an IP address with white space", from: " root@[ 192.0.2.1 ], <x@a.example>", want: "a.example"},
		{name: "an untagged IPv6 address", from: " root@[2001:db8::1], <x@a.example>", want: "a.example"},
		{name: "an encoded word as local part", from: " =?utf-8?Q?ann?=@a.example", want: "a.example"},
		{name: "an empty group", from: " undisclosed:;", want: "empty"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if from := AuthorDomains(fromFields(row.from), 0); show(from) != row.want {
				t.Errorf("%q: got %s (%s), want %s", row.from, show(from), from.Detail, row.want)
			}
		})
	}
}

// TestOneSlip: a From that is no address list but shows one domain only has it, and
// its pass counts.
func TestOneSlip(t *testing.T) {
	const sole = "a.example unparsable sole"
	for _, row := range []struct{ name, from, want string }{
		{name: "two angle brackets", from: " Ann <<ann@a.example>>", want: sole},
		{name: "an encoded word with an open parenthesis", from: " =?utf-8?Q?Ann_(x?= <ann@a.example>", want: sole},
		{name: "an encoded name with a plain colon", from: " =?utf-8?Q?Ann:_Sales?= <ann@a.example>", want: sole},
		{name: "escaped quotes", from: ` \"Ann\" <ann@a.example>`, want: sole},
		{name: "no closing bracket", from: " Ann <ann@a.example", want: sole},
		{name: "no opening bracket", from: " Ann ann@a.example>", want: sole},
		{name: "an open parenthesis", from: " Ann (Sales <ann@a.example>", want: sole},
		{name: "an emoticon", from: " Ann :-( <ann@a.example>", want: sole},
		{name: "an open quote", from: ` "Ann <ann@a.example>`, want: sole},
		{name: "quotes within quotes", from: ` "Ann "the" Smith" <ann@a.example>`, want: "a.example"},
		{name: "a third quote", from: ` "Ann" " <ann@a.example>`, want: sole},
		{name: "single quotes", from: " 'ann@a.example'", want: sole},
		{name: "backquotes", from: " `ann@a.example`", want: sole},
		{name: "wide parentheses", from: " \uff08ann@a.example\uff09", want: sole},
		{name: "a wide parenthesis behind the address", from: " ann@a.example\uff08Ann\uff09", want: sole},
		{name: "corner brackets", from: " \u300cann@a.example\u300d\u3055\u3093", want: sole},
		{name: "raw ISO-2022-JP", from: " \x1b$B;3ED\x1b(B <ann@a.example>", want: sole},
		{name: "two angle addresses", from: " Ann <ann@a.example> <ann@a.example>", want: sole},
		{name: "a quoted pair", from: ` Ann \(Sales\) <ann@a.example>`, want: sole},
		{name: "an address behind the angle address", from: " <ann@a.example> ann@a.example", want: sole},
		{name: "a comment that is not closed, behind", from: " ann@a.example (Ann", want: sole},
		{name: "a closing bracket too many", from: " Ann <ann@a.example>>", want: sole},
		{name: "the display name is the address", from: ` "ann@a.example" <<ann@a.example>>`, want: sole},
		{name: "a full stop behind", from: " ann@a.example..", want: sole},
		{name: "an exclamation mark behind", from: " ann@a.example!", want: sole},
		{name: "a wide exclamation mark behind", from: " ann@a.example\uff01", want: sole},
		{name: "a leading dot", from: " ann@.a.example", want: sole},
		{name: "only a quoted string", from: ` "ann@a.example"`, want: sole},
		{name: "only a quoted string with brackets", from: ` "Ann <ann@a.example>"`, want: sole},
		{name: "only a comment", from: " (ann@a.example)", want: sole},
		{name: "only an encoded word", from: " =?utf-8?Q?Ann_=3Cann=40a.example=3E?=", want: sole},
		{name: "an address and an empty angle address", from: " ann@a.example <>", want: sole},
		{name: "a quoted address and an angle address without domain", from: ` "ann@a.example" <root>`, want: sole},
		{name: "a wide at sign", from: " ann\uff20a.example", want: "a.example"},
		{name: "a domain literal that is a domain", from: " ann@[a.example]", want: sole},
		{name: "no local part", from: " @a.example", want: sole},
		{name: "the name of an empty group", from: ` "ann@a.example":;`, want: sole},
		{name: "the address as group name", from: " ann@a.example:;", want: sole},
		{name: "a handle in the name", from: " @ann (x <ann@a.example>", want: sole},

		{name: "two domains", from: " Ann (Sales b@b.example <ann@a.example>", want: "b.example a.example unparsable"},
		{name: "a domain in a quoted name counts too", from: ` "ann@b.example" <<ann@a.example>>`, want: "b.example a.example unparsable"},
		{name: "a domain in an encoded name counts too", from: ` =?utf-8?Q?ann=40b.example?= <<ann@a.example>>`, want: "a.example b.example unparsable"},
		{name: "a domain that one reader glues", from: " ann@b.ex ample", want: "b.ex b.example unparsable"},
		{name: "more of the domain behind a quote", from: ` "ann@a.example".example`, want: "a.example a.example.example unparsable"},
		{name: "more of the domain behind brackets that some drop", from: " ann@a.e<>xample", want: "a.e a.example unparsable"},
		{name: "more of the domain in a bracket that is not closed", from: " <ann@a.example <b>", want: "a.example unparsable"},
		{name: "more of the domain behind a fold in brackets", from: " <<ann@a.example> b (x", want: "a.example unparsable"},
		{name: "more of the domain in front of a quotation mark that is not of ASCII", from: " =?iso-8859-1?B?YUDigItldmlsLmV4YW1wbGU=?=",
			want: "evil.example unparsable"},
		{name: "more of the domain behind a comment", from: " ann@a.example(x(c).b.example", want: "a.example unparsable"},
		{name: "more of the domain behind a space that is not of ASCII", from: " <ann@a.example\u00a0.b.example", want: "a.example a.example.b.example unparsable"},
		{name: "a domain with a control character that some drop", from: " ann@a\x01.example", want: sole},
		{name: "an octet that is no UTF-8 behind the domain", from: " \"ann@a.example\xff\"", want: "a.example unparsable"},
		{name: "NUL", from: " ann@a.example\x00", want: "a.example unparsable"},
		{name: "a domain behind NUL", from: " x\x00 <ann@a.example>", want: "a.example unparsable"},
		{name: "NUL within the domain", from: " ann@a.exa\x00mple", want: "a.exa a.example unparsable"},
		{name: "a bare CR", from: " Ann\r <ann@a.example>", want: "a.example unparsable"},
		{name: "a bare LF", from: " Ann\nx <ann@a.example>", want: "a.example unparsable"},
		{name: "an encoded word in a stateful character set", from: " " + b64("iso-2022-jp", "\x1b$B;3\x1b(B") + " <<ann@a.example>>",
			want: "a.example unparsable"},
		{name: "an encoded word in an unknown character set", from: " =?x-unknown?Q?Ann?= <<ann@a.example>>", want: "a.example unparsable"},
		{name: "a broken encoded word", from: " =?utf-8?Q?Ann <<ann@a.example>>", want: "a.example unparsable"},
		{name: "a name that DNS cannot carry besides", from: " ann@a.exam\u200dple <<ann@a.example>>", want: "a.exam a.example unparsable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if from := AuthorDomains(fromFields(row.from), 0); show(from) != row.want {
				t.Errorf("%q: got %s (%s), want %s", row.from, show(from), from.Detail, row.want)
			}
		})
	}
}

// TestWhatIsWrongIsTold: detail names the fault.
func TestWhatIsWrongIsTold(t *testing.T) {
	for from, want := range map[string]string{
		` "ceo@bank.example", <x@evil.example>`: "From may show another author: bank.example stands where only some programs read an address",
		` "ceo@bank.example"`:                   "From has no address: bank.example stands where only some programs read one",
		" =?x?Q?y?=, <x@evil.example>":          "From may show another author: it holds a word or a domain that cannot be read for certain",
		" Ann (x <ann@a.example>":               "From is no address list: a comment that is not closed",
	} {
		if got := AuthorDomains(fromFields(from), 0); got.Problem != evidence.FromUnparsable || got.Detail != want {
			t.Errorf("%q: got %s, %q; want %q", from, got.Problem, got.Detail, want)
		}
	}
}
