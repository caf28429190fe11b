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
	for _, row := range []struct{ name, from, want string }{
		{"an encoded word with angle brackets", " " + b64("utf-8", "<ceo@bank.example>") + ",<x@evil.example>", both},
		{"an encoded word in Q", " =?utf-8?q?ceo=40bank.example?=, a@evil.example", both},
		{"an encoded word with encoded dots", " =?utf-8?Q?ceo=40bank=2Eexample?=, <x@evil.example>", both},
		{"an encoded word with a language", " =?utf-8*en?Q?ceo=40bank.example?=, <x@evil.example>", both},
		{"two encoded words that are one text", " =?utf-8?Q?ceo=40ba?= =?utf-8?Q?nk.example?=, <x@evil.example>", both},
		{"two encoded words that some readers read apart", " =?utf-8?Q?ceo=40bank.example?= =?utf-8?Q?s?=, <x@evil.example>", "bank.examples bank.example evil.example unparsable"},
		{"an encoded word without a character set", " =??Q?ceo=40bank.example?=, <x@evil.example>", both},
		{"an encoded word that holds a comma for some", " =?utf-,8?Q?ceo=40bank.example?=, x@evil.example", "evil.example unparsable"},
		{"an encoded word with brackets that some drop", " =?utf-8?<>q?ceo=40bank.example?=, x@evil.example", "evil.example unparsable"},
		{"US-ASCII with octets that it has not", " =?us-ascii?Q?ceo=FCx?=, x@evil.example", "evil.example unparsable"},
		{"an encoded domain in front of an angle address", " ceo@=?utf-8?Q?bank.example?= <x@evil.example>", "evil.example bank.example in front of evil.example"},
		{"a domain in base64 in front of an angle address", " ceo@=?utf-8?B?YmFuay5leGFtcGxl?= <x@evil.example>", "evil.example bank.example in front of evil.example"},
		{"a domain in broken base64 in front of an angle address", " ceo@=?utf-8?B?YmFuay5l=eGFtcGxl?= <x@evil.example>", "evil.example bank.example in front of evil.example unparsable"},
		{"an encoded word with a plain colon in its text", " =?utf-8?Q?b:ceo=40bank.example?=@evil.example", "evil.example bank.example unparsable"},
		{"a source route through a text in brackets", " <@[<b@bank.example>]:x@evil.example>", both},
		{"an encoded local part in front of an angle address", " =?utf-8?Q?ceo=40bank.example=2C?=@a.example <x@evil.example>", "evil.example bank.example a.example in front of evil.example unparsable"},
		{"two encoded words in different character sets", " =?utf-8?Q?ceo=40?=\r\n " + b64("windows-1252", "bank.example") + ", <x@evil.example>", both},
		{"an encoded word that goes on in plain text", " =?utf-8?Q?ceo=40?=bank.example, <x@evil.example>", both},
		{"an encoded word in a known character set", " " + b64("koi8-r", "\xc1\xc2@bank.example") + ", <x@evil.example>", both},
		{"an encoded word in Shift JIS", " " + b64("shift_jis", "\x8e\x52 ceo@bank.example") + ", <x@evil.example>", both},
		{"an at sign that only a reader without Shift JIS sees", " " + b64("shift_jis", "ceo\x83@bank.example") + ", <x@evil.example>", both},
		{"an encoded word in quotes", ` "=?utf-8?Q?ceo=40bank.example?=", <x@evil.example>`, both},
		{"an encoded word in a comment", ` (=?utf-8?Q?ceo=40bank.example?=), <x@evil.example>`, both},
		{"an encoded word with white space in its text", " =?utf-8?Q?the ceo=40bank.example?=, <x@evil.example>", both},
		{"an encoded word with a plain comma in its text", " =?utf-8?Q?ceo=40bank.example,_x?=, <x@evil.example>", both},
		{"an encoded word behind the mailbox", " <x@evil.example>, =?utf-8?Q?ceo=40bank.example?=", "evil.example bank.example unparsable"},
		{"base64 without padding", " =?utf-8?B?" + "Y2VvQGJhbmsuZXhhbXBsZQ" + "?=, <x@evil.example>", both},
		{"a quoted string", ` "ceo@bank.example", <x@evil.example>`, both},
		{"a quoted string behind the mailbox", ` <x@evil.example>, "ceo@bank.example"`, "evil.example bank.example unparsable"},
		{"a quoted string with angle brackets", ` "<ceo@bank.example>", <x@evil.example>`, both},
		{"a quoted string with escapes", ` "ceo\@bank\.example", <x@evil.example>`, both},
		{"a quoted string with a comma", ` "ceo@bank.example, CEO", <x@evil.example>`, both},
		{"a quoted string among words", ` the "ceo@bank.example" himself, <x@evil.example>`, both},
		{"a quoted string with white space around the at sign", ` "ceo @ bank.example", <x@evil.example>`, both},
		{"a quoted string with a wide at sign", " \"ceo\uff20bank.example\", <x@evil.example>", both},
		{"a quoted string with a small at sign", " \"ceo\ufe6bbank.example\", <x@evil.example>", both},
		{"a quoted string with wide dots", " \"ceo@bank\uff0eexample\", <x@evil.example>", both},
		{"a quoted string in a group", ` G: "ceo@bank.example", <x@evil.example>;`, both},
		{"a comment", " (ceo@bank.example), <x@evil.example>", both},
		{"a comment beside a word", " Ceo (ceo@bank.example), <x@evil.example>", both},
		{"a nested comment", " (x (ceo@bank.example) y), <x@evil.example>", both},
		{"a comment within the domain in a comment", " (ceo@bank(x).example), <x@evil.example>", both},
		{"a comment with an at sign within the domain", ` (x), "ceo@(a@b)bank.example", <x@evil.example>`, both},
		{"a domain literal that is a domain", " ceo@[bank.example], a@evil.example", "evil.example bank.example unparsable"},
		{"one with a tag", " ceo@[IPv6:bank.example], a@evil.example", "evil.example bank.example unparsable"},
		{"one of one label", " ceo@[bank], a@evil.example", "evil.example unparsable"},
		{"one in angle brackets", " <ceo@[bank.example]>, <a@evil.example>", both},
		{"a domain literal with an address", " x@[<ceo@bank.example>], a@evil.example", "evil.example bank.example unparsable"},
		{"a domain literal with a comma and an address", " x@[a, ceo@bank.example], a@evil.example", "evil.example bank.example unparsable"},
		{"a domain literal with an IP address and more", " x@[192.0.2.1 <ceo@bank.example>], a@evil.example", "evil.example bank.example unparsable"},
		{"an address before an empty angle address", " ceo@bank.example <>, a@evil.example", both},
		{"an address before an angle address with white space", " ceo@bank.example < >, a@evil.example", both},
		{"an address before an angle address without a domain", " ceo@bank.example <root>, a@evil.example", both},
		{"an address before an angle address with an IP address", " ceo@bank.example <a@[192.0.2.1]>, a@evil.example", both},
		{"a quoted address before an empty angle address", ` "ceo@bank.example" <>, a@evil.example`, both},
		{"an encoded address before an empty angle address", ` =?utf-8?Q?ceo=40bank.example?= <>, a@evil.example`, both},
		{"a comment before an empty angle address", ` (ceo@bank.example) <>, a@evil.example`, both},
		{"an address before an empty angle address, behind the mailbox", " a@evil.example, ceo@bank.example <>", "evil.example bank.example unparsable"},
		{"the name of an empty group", ` "ceo@bank.example":;, a@evil.example`, both},
		{"the name of a group of names", ` "ceo@bank.example": Ann, Bob;, a@evil.example`, both},
		{"an encoded name of an empty group", ` =?utf-8?Q?ceo=40bank.example?=: ;, a@evil.example`, both},
		{"an encoded local part", " =?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZSg=?==?utf-8?B?eA==?=@evil.example", both},
		{"an encoded local part with NUL", " " + b64("utf-8", "ceo@bank.example\x00") + "@evil.example", both},
		{"an encoded local part in angle brackets", " <" + b64("utf-8", "ceo@bank.example ") + "@evil.example>", both},
		{"a quoted local part", ` "ceo@bank.example"@evil.example`, both},
		{"a quoted name before a bare address", ` "ceo@bank.example" a@evil.example`, both},
		{"an encoded address behind the angle address", " <a@evil.example> =?utf-8?Q?ceo=40bank.example?=", "evil.example bank.example unparsable"},
		{"a wide at sign behind the angle address", " <a@evil.example> ceo\uff20bank.example", "evil.example bank.example unparsable"},
		{"a wide at sign in a local part", " <ceo\uff20bank.example@evil.example>", both},
		{"an encoded word that opens a comment", " =?utf-8?Q?(?= <ceo@bank.example>, =?utf-8?Q?)?= <a@evil.example>", both},
		{"an encoded word that opens a quoted string", ` =?utf-8?Q?"?= <ceo@bank.example>, =?utf-8?Q?"?= <a@evil.example>`, both},
		{"a quoted address that a bracket cuts off", ` "ceo@bank.example" ] <a@evil.example>`, "evil.example bank.example unparsable"},
		{"a quoted address before brackets and one behind", ` "ceo@bank.example" [x] <a@evil.example> [`, "evil.example bank.example unparsable"},
		{"a quoted address before brackets", ` "ceo@bank.example" [x] <a@evil.example>`, "evil.example bank.example unparsable"},
		{"an encoded word that is glued by who decodes first", " =?utf-8?Q?ceo=40ba?= nk.example, a@evil.example", both},
		{"an encoded word with its own domain glued to it", " =?utf-8?Q?ceo=40bank.example?=evil.example", "bank.exampleevil.example bank.example unparsable"},
		{"raw ISO-2022-JP", " \x1b$B#c!w#b#a#n#k!%#e#x\x1b(B, a@evil.example", "evil.example bank.ex unparsable"},
		{"a domain with an invisible character", " \"ceo@ba\u200dnk.example\", a@evil.example", both},
		{"a domain with a soft hyphen", " \"ceo@ba\u00adnk.example\", a@evil.example", both},
		{"a domain with an empty label", ` "ceo@bank..example", a@evil.example`, both},
		{"a domain with a character that none has", ` "ceo@x!bank.example", a@evil.example`, both},
		{"a name with an encoded word that nobody can read", " =?x-unknown?Q?ceo=40bank.example?=, a@evil.example", both},
		{"a word in a stateful character set", " " + b64("iso-2022-jp", "\x1b$B;3\x1b(B") + ", a@evil.example", "evil.example unparsable"},
		{"a word in UTF-7", " =?utf-7?Q?ceo+AEA-bank.example?=, a@evil.example", "evil.example unparsable"},
		{"a word in an unknown encoding", " =?utf-8?X?abc?=, a@evil.example", "evil.example unparsable"},
		{"a word of broken base64", " =?utf-8?B?!?=, a@evil.example", "evil.example unparsable"},
		{"a word without an end", " =?utf-8?Q?abc, a@evil.example", "evil.example unparsable"},
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
		{"a quoted name that is the address", ` "ann@a.example" <ann@a.example>`, "a.example"},
		{"a quoted name that is another address", ` "ann@a.example" <ann@b.example>`, "b.example"},
		{"a quoted name that is an address and a comma", ` "ann@a.example, Ann" <ann@b.example>`, "b.example"},
		{"an encoded name that is an address", ` =?utf-8?Q?ann=40a.example?= <ann@b.example>`, "b.example"},
		{"an encoded name in a stateful character set", " " + b64("iso-2022-jp", "\x1b$B;3ED\x1b(B") + " <ann@b.example>", "b.example"},
		{"an encoded name in an unknown character set", " =?x-unknown?Q?Ann?= <ann@b.example>", "b.example"},
		{"an encoded name with parentheses", " =?utf-8?Q?Ann_(Sales)?= <ann@b.example>", "b.example"},
		{"an encoded name with a plain comma", " =?utf-8?Q?Acme,_Inc.?= <ann@b.example>", "b.example"},
		{"an encoded name with an encoded comma", " =?utf-8?Q?Acme=2C_Inc.?= <ann@b.example>", "b.example"},
		{"a quoted name of a group", ` "ann@a.example": ann@b.example;`, "b.example"},
		{"a comment that is an address behind a bare one", " ann@b.example (ann@a.example)", "b.example"},
		{"a comment that is an address in a name", " Ann (ann@a.example) <ann@b.example>", "b.example"},
		{"an address in front of the angle address", " ann@a.example <tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front without white space", " ann@a.example<tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front among words", " Ann ann@a.example via Tickets <tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front with a wide at sign", " ann\uff20a.example <tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front with white space and a comment", " ann @ a (x) . example <tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front with a quoted domain", ` ann@"a.example" <tickets@b.example>`, "b.example a.example in front of b.example"},
		{"an address in front with a domain literal", " ann@[a.example] <tickets@b.example>", "b.example a.example in front of b.example"},
		{"an address in front that DNS cannot carry", " ann@a.exam\u200dple <tickets@b.example>", "b.example a.exam in front of b.example a.example in front of b.example"},
		{"an address in front and a quoted string", ` ann@a.example"x" <tickets@b.example>`, "b.example a.examplex in front of b.example a.example in front of b.example"},
		{"a quoted local part in front", ` "ann@a.example"@work <tickets@b.example>`, "b.example a.example unparsable"},
		{"an encoded address and an at sign in front", " =?utf-8?Q?ann@a.example?= Acme@Home <tickets@b.example>", "b.example"},
		{"an address in front with an open parenthesis in brackets", " ann@[(a.example] <tickets@b.example>", "b.example a.example in front of b.example"},
		{"brackets before a quoted name", ` [List] "ann@a.example" <tickets@b.example>`, "b.example"},
		{"brackets in a quoted name", ` "[ann@a.example]" <tickets@b.example>`, "b.example"},
		{"brackets behind the same address in quotes", ` "ann@a.example" [List] <ann@a.example>`, "a.example"},
		{"two addresses in front", " ann@a.example bob@c.example <tickets@b.example>", "b.example a.example in front of b.example c.example in front of b.example"},
		{"an address in front of two angle addresses", " ann@a.example <t@b.example>, ann@a.example <t@c.example>", "b.example a.example in front of b.example,c.example c.example"},
		{"an address in front that is a mailbox too", " ann@a.example <t@b.example>, <ann@a.example>", "b.example a.example"},
		{"the same address in front", " ann@a.example <ann@a.example>", "a.example"},
		{"the same domain in quotes as an element", ` "ann@a.example", <bob@a.example>`, "a.example"},
		{"a quoted at sign in front", ` "ann@a.example" at@work <ann@b.example>`, "b.example"},
		{"an at sign and a word in front", " Acme@Home Inc. <ann@a.example>", "a.example"},
		{"an at sign and a word and a comma in front", " Acme@Home, Inc. <ann@a.example>", "a.example"},
		{"an at sign and a word in quotes", ` "Acme@Home", <ann@a.example>`, "a.example"},
		{"a handle", " @ann <ann@a.example>", "a.example"},
		{"a wide handle", " \uff20cosme <ann@a.example>", "a.example"},
		{"a name and a company", " \u5c71\u7530\uff20\u682a\u5f0f\u4f1a\u793e <ann@a.example>", "a.example"},
		{"a Japanese name in brackets", " \u300c\u5c71\u7530\u300d <ann@a.example>", "a.example"},
		{"Shift JIS in the raw", " \x83@\x8e\x52 <ann@a.example>", "a.example"},
		{"an unquoted comma", " Ann, <x@a.example>", "a.example"},
		{"last name first", " Smith, John <j@x.example>", "x.example"},
		{"last name first, encoded", " =?utf-8?Q?M=C3=BCller?=, John <j@x.example>", "x.example"},
		{"a name with a dot", " Ann. <x@a.example>", "a.example"},
		{"an emoticon", " Ann :-) <x@a.example>", "a.example"},
		{"an at sign and white space", " Ann @ Home <x@a.example>", "a.example"},
		{"a price", " Only $5 @ Acme <x@a.example>", "a.example"},
		{"a host alone", " root@localhost", "localhost"},
		{"a host beside a domain", " root@localhost, <x@a.example>", "a.example"},
		{"an IP address beside a domain", " root@[192.0.2.1], <x@a.example>", "a.example"},
		{"an IP address with white space", " root@[ 192.0.2.1 ], <x@a.example>", "a.example"},
		{"an untagged IPv6 address", " root@[2001:db8::1], <x@a.example>", "a.example"},
		{"an encoded word as local part", " =?utf-8?Q?ann?=@a.example", "a.example"},
		{"an empty group", " undisclosed:;", "empty"},
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
		{"two angle brackets", " Ann <<ann@a.example>>", sole},
		{"an encoded word with an open parenthesis", " =?utf-8?Q?Ann_(x?= <ann@a.example>", sole},
		{"an encoded name with a plain colon", " =?utf-8?Q?Ann:_Sales?= <ann@a.example>", sole},
		{"escaped quotes", ` \"Ann\" <ann@a.example>`, sole},
		{"no closing bracket", " Ann <ann@a.example", sole},
		{"no opening bracket", " Ann ann@a.example>", sole},
		{"an open parenthesis", " Ann (Sales <ann@a.example>", sole},
		{"an emoticon", " Ann :-( <ann@a.example>", sole},
		{"an open quote", ` "Ann <ann@a.example>`, sole},
		{"quotes within quotes", ` "Ann "the" Smith" <ann@a.example>`, "a.example"},
		{"a third quote", ` "Ann" " <ann@a.example>`, sole},
		{"single quotes", " 'ann@a.example'", sole},
		{"backquotes", " `ann@a.example`", sole},
		{"wide parentheses", " \uff08ann@a.example\uff09", sole},
		{"a wide parenthesis behind the address", " ann@a.example\uff08Ann\uff09", sole},
		{"corner brackets", " \u300cann@a.example\u300d\u3055\u3093", sole},
		{"raw ISO-2022-JP", " \x1b$B;3ED\x1b(B <ann@a.example>", sole},
		{"two angle addresses", " Ann <ann@a.example> <ann@a.example>", sole},
		{"a quoted pair", ` Ann \(Sales\) <ann@a.example>`, sole},
		{"an address behind the angle address", " <ann@a.example> ann@a.example", sole},
		{"a comment that is not closed, behind", " ann@a.example (Ann", sole},
		{"a closing bracket too many", " Ann <ann@a.example>>", sole},
		{"the display name is the address", ` "ann@a.example" <<ann@a.example>>`, sole},
		{"a full stop behind", " ann@a.example..", sole},
		{"an exclamation mark behind", " ann@a.example!", sole},
		{"a wide exclamation mark behind", " ann@a.example\uff01", sole},
		{"a leading dot", " ann@.a.example", sole},
		{"only a quoted string", ` "ann@a.example"`, sole},
		{"only a quoted string with brackets", ` "Ann <ann@a.example>"`, sole},
		{"only a comment", " (ann@a.example)", sole},
		{"only an encoded word", " =?utf-8?Q?Ann_=3Cann=40a.example=3E?=", sole},
		{"an address and an empty angle address", " ann@a.example <>", sole},
		{"a quoted address and an angle address without domain", ` "ann@a.example" <root>`, sole},
		{"a wide at sign", " ann\uff20a.example", "a.example"},
		{"a domain literal that is a domain", " ann@[a.example]", sole},
		{"no local part", " @a.example", sole},
		{"the name of an empty group", ` "ann@a.example":;`, sole},
		{"the address as group name", " ann@a.example:;", sole},
		{"a handle in the name", " @ann (x <ann@a.example>", sole},

		{"two domains", " Ann (Sales b@b.example <ann@a.example>", "b.example a.example unparsable"},
		{"a domain in a quoted name counts too", ` "ann@b.example" <<ann@a.example>>`, "b.example a.example unparsable"},
		{"a domain in an encoded name counts too", ` =?utf-8?Q?ann=40b.example?= <<ann@a.example>>`, "a.example b.example unparsable"},
		{"a domain that one reader glues", " ann@b.ex ample", "b.ex b.example unparsable"},
		{"more of the domain behind a quote", ` "ann@a.example".example`, "a.example unparsable"},
		{"more of the domain behind brackets that some drop", " ann@a.e<>xample", "a.e unparsable"},
		{"more of the domain in a bracket that is not closed", " <ann@a.example <b>", "a.example unparsable"},
		{"more of the domain behind a fold in brackets", " <<ann@a.example> b (x", "a.example unparsable"},
		{"more of the domain in front of a quotation mark that is not of ASCII", " =?iso-8859-1?B?YUDigItldmlsLmV4YW1wbGU=?=", "evil.example unparsable"},
		{"more of the domain behind a comment", " ann@a.example(x(c).b.example", "a.example unparsable"},
		{"more of the domain behind a space that is not of ASCII", " <ann@a.example\u00a0.b.example", "a.example unparsable"},
		{"a domain with a control character that some drop", " ann@a\x01.example", sole},
		{"an octet that is no UTF-8 behind the domain", " \"ann@a.example\xff\"", "a.example unparsable"},
		{"NUL", " ann@a.example\x00", "a.example unparsable"},
		{"a domain behind NUL", " x\x00 <ann@a.example>", "a.example unparsable"},
		{"NUL within the domain", " ann@a.exa\x00mple", "a.exa a.example unparsable"},
		{"a bare CR", " Ann\r <ann@a.example>", "a.example unparsable"},
		{"a bare LF", " Ann\nx <ann@a.example>", "a.example unparsable"},
		{"an encoded word in a stateful character set", " " + b64("iso-2022-jp", "\x1b$B;3\x1b(B") + " <<ann@a.example>>", "a.example unparsable"},
		{"an encoded word in an unknown character set", " =?x-unknown?Q?Ann?= <<ann@a.example>>", "a.example unparsable"},
		{"a broken encoded word", " =?utf-8?Q?Ann <<ann@a.example>>", "a.example unparsable"},
		{"a name that DNS cannot carry besides", " ann@a.exam\u200dple <<ann@a.example>>", "a.exam a.example unparsable"},
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
