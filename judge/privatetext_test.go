package judge

import (
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/record"
)

// Each spelling of an address in a text loses its local part, and what is none stays.
func TestSpellingsOfAddressesInTexts(t *testing.T) {
	p := NewPseudonyms(testKey, "")
	x := func(local, domain string) string { return p.Local(local, domain) }
	doe := x("john.doe", "bank.test")
	for _, row := range []struct {
		name, text string
		drop       string
		hash       string // empty: as dropped
	}{
		{name: "plain", text: "550 5.1.1 <john.doe@bank.test>: no such user", drop: "550 5.1.1 <@bank.test>: no such user", hash: "550 5.1.1 <" + doe + "@bank.test>: no such user"},
		{name: "quoted", text: `to "john doe"@bank.test`, drop: `to @bank.test`, hash: "to " + x(`"john doe"`, "bank.test") + "@bank.test"},
		{name: "quoted with an at sign and a quote in it", text: `<"john@\"doe"@bank.test>`, drop: `<@bank.test>`, hash: "<" + x(`"john@\"doe"`, "bank.test") + "@bank.test>"},
		{name: "partly quoted", text: `john."doe smith"@bank.test`, drop: `@bank.test`, hash: x(`john."doe smith"`, "bank.test") + "@bank.test"},
		{name: "a comment in between", text: "john.doe(work)@bank.test", drop: "@bank.test", hash: doe + "@bank.test"},
		{name: "two at signs", text: "john@doe@bank.test", drop: "@bank.test", hash: x("john@doe", "bank.test") + "@bank.test"},
		{name: "UTF-8", text: "jörg.müller@bücher.test", drop: "@bücher.test", hash: x("jörg.müller", "bücher.test") + "@bücher.test"},
		{name: "a wide at sign", text: "john.doe\uff20bank.test", drop: "\uff20bank.test", hash: doe + "\uff20bank.test"},
		{name: "a small at sign", text: "john.doe\ufe6bbank.test", drop: "\ufe6bbank.test", hash: doe + "\ufe6bbank.test"},
		{name: "SRS", text: "SRS0=HHHH=TT=bank.test=john.doe@relay.test", drop: "@relay.test", hash: x("SRS0=HHHH=TT=bank.test=john.doe", "relay.test") + "@relay.test"},
		{name: "VERP", text: "bounce+john.doe=bank.test@list.test", drop: "@list.test", hash: x("bounce+john.doe=bank.test", "list.test") + "@list.test"},
		{name: "the percent hack", text: "john.doe%bank.test@relay.test", drop: "@relay.test", hash: x("john.doe%bank.test", "relay.test") + "@relay.test"},
		{name: "percent-encoding", text: "mailto:john.doe%40bank.test?subject=x", drop: "mailto:%40bank.test?subject=x", hash: "mailto:" + doe + "%40bank.test?subject=x"},
		{name: "quoted-printable", text: "john.doe=40bank.test", drop: "=40bank.test", hash: doe + "=40bank.test"},
		{name: "xtext", text: "rfc822;john.doe+40bank.test", drop: "rfc822;+40bank.test", hash: "rfc822;" + doe + "+40bank.test"},
		{name: "references of HTML", text: "john.doe&#64;bank.test or john.doe&#x40;bank.test or john.doe&commat;bank.test", drop: "&#64;bank.test or &#x40;bank.test or &commat;bank.test",
			hash: doe + "&#64;bank.test or " + doe + "&#x40;bank.test or " + doe + "&commat;bank.test"},
		{name: "an escape", text: `john.doe\u0040bank.test john.doe\x40bank.test`, drop: `\u0040bank.test \x40bank.test`, hash: doe + `\u0040bank.test ` + doe + `\x40bank.test`},
		{name: "words in brackets", text: "john.doe (at) bank.test, john.doe[AT]bank.test", drop: " (at) bank.test, [AT]bank.test", hash: doe + " (at) bank.test, " + doe + "[AT]bank.test"},
		{name: "an encoded word, Q", text: "for =?utf-8?Q?john=2Edoe=40bank.test?= only", drop: "for @bank.test only", hash: "for " + doe + "@bank.test only"},
		{name: "an encoded word, B", text: "=?UTF-8?B?am9obi5kb2VAYmFuay50ZXN0?=", drop: "@bank.test", hash: doe + "@bank.test"},
		{name: "an encoded word of a charset that is not known", text: "=?x-none?B?am9obi5kb2VAYmFuay50ZXN0?=", drop: "@bank.test", hash: doe + "@bank.test"},
		{name: "two encoded words", text: "=?utf-8?Q?john.doe?= =?utf-8?Q?=40bank.test?=", drop: "@bank.test", hash: doe + "@bank.test"},
		{name: "an encoded word in front of an at sign", text: "=?utf-8?Q?john.doe?=@bank.test", drop: "@bank.test", hash: x("=?utf-8?Q?john.doe?=", "bank.test") + "@bank.test"},
		{name: "the sender in words", text: "alice.example at bank.test is unknown, Alice.Example AT bank.test, too", drop: " at bank.test is unknown,  AT bank.test, too",
			hash: x("alice.example", "bank.test") + " at bank.test is unknown, " + x("alice.example", "bank.test") + " AT bank.test, too"},
		{name: "the sender as in VERP, without an at sign", text: "SRS0=HH=TT=alice.example=bank.test", drop: "SRS0=HH=TT==bank.test", hash: "SRS0=HH=TT=" + x("alice.example", "bank.test") + "=bank.test"},

		{name: "a time in words", text: "expired at 2026-11-28, looked up at ns.bank.test", drop: "expired at 2026-11-28, looked up at ns.bank.test"},
		{name: "numbers", text: "took=4012.55 ms, l=40, x=1764009140, b=40ab", drop: "took=4012.55 ms, l=40, x=1764009140, b=40ab"},
		{name: "results", text: "dkim=pass header.d=bank.test header.s=s40", drop: "dkim=pass header.d=bank.test header.s=s40"},
		{name: "encoded words without an address", text: "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", drop: "=?utf-8?Q?Gr=C3=BC=C3=9Fe?="},
		{name: "a domain alone", text: "i=@bank.test", drop: "@bank.test", hash: x("i=", "bank.test") + "@bank.test"},
		{name: "part of a name", text: "malice.example at bank.test", drop: "malice.example at bank.test"},
	} {
		for how, want := range map[record.Addresses]string{record.AddressesHashed: row.hash, record.AddressesDropped: row.drop} {
			if want == "" {
				want = row.drop
			}
			r := &record.Record{Evidence: evidence.Message{MailFrom: "alice.example@bank.test", MailFromDomain: "bank.test", Sample: -1}}
			r.Verdict.Reason = row.text
			got := (&Privacy{How: how, Pseudonyms: p}).Record(r).Verdict.Reason
			if got != want {
				t.Errorf("%s, %s: got %q, want %q", row.name, how, got, want)
			}
		}
	}
}

// What a sender writes into a text costs time as its length does.
func TestHostileTextsAreHiddenInTime(t *testing.T) {
	h := hiding{Privacy: &Privacy{How: record.AddressesDropped}, ev: &evidence.Message{MailFrom: "aaa@bank.test", MailFromDomain: "bank.test"}}
	for _, unit := range []string{"aaa=", "aaa at ", "=?utf-8?Q?", "=?utf-8?Q?a?= ", "a@", `"`, "a%40", "(at)", "&#000", "a (", "aaa"} {
		if got := h.text(strings.Repeat(unit, 200_000/len(unit))); len(got) > 400_000 {
			t.Errorf("%q: %d octets", unit, len(got))
		}
	}
}
