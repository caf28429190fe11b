package relay

import (
	"net/netip"
	"strings"
	"testing"
)

// said is what a client can make an MTA write in its Received field. The MTA
// writes it down as it came, which is the worst that it can do.
type said struct{ helo, rdns, ident, cert, rcpt string }

// shapes are the fields of the MTAs that are read, with the words of the client
// between braces. The client is 192.0.2.1.
var shapes = []string{
	"from {helo} ({rdns} [192.0.2.1]) by gw.example (Postfix) with ESMTP id 1 for <{rcpt}>; date",
	"from {helo} ({rdns} [192.0.2.1]) (using TLSv1.3 with cipher X (256/256 bits)) (Client CN \"{cert}\", Issuer \"{cert}\" (not verified)) by gw.example (Postfix) with ESMTPS id 1 for <{rcpt}>; date",
	"from {helo} ({rdns} [IPv6:2001:db8::1]) by gw.example (Postfix) with ESMTP id 1 for <{rcpt}>; date",
	"from {helo} ({rdns} [192.0.2.1] (may be forged)) by gw.example (8.18) with SMTP; date",
	"from {helo} (IDENT:{ident}@{rdns} [192.0.2.1]) by gw.example (8.18) with SMTP for {rcpt}; date",
	"from {helo} ({ident}@[192.0.2.1]) by gw.example (8.18) with SMTP for {rcpt}; date",
	"from {helo} ({rdns} [192.0.2.1] (AS64496 EXAMPLE-NET, NO)) (using TLSv1.3 with cipher X) by gw.example (Stalwart SMTP) with ESMTPS id 1; date",
	"from {helo} ([192.0.2.1]) by gw.example with ESMTP; date",
	"from {helo} ([192.0.2.1] {rdns}) by gw.example (ZoneMTA) with ESMTPS id 1 for <{rcpt}>; date",
	"from {helo} ([192.0.2.1] verified) by gw.example (CommuniGate Pro SMTP 6) with ESMTPS id 1; date",
	"from {helo} ([192.0.2.1] RDNS failed) by gw.example with Microsoft SMTPSVC(10.0); date",
	"from {helo} (rdns.example[192.0.2.1]) by gw.example (rwcrmhc53) with SMTP id <1>; date",
	"from [192.0.2.1] by gw.example with esmtp (Exim 4) (envelope-from <{rcpt}>) id 1 for {rcpt}; date",
	"from {helo} (Not Verified[192.0.2.1]) by gw.example with MailMarshal (v6) id <1>; date",
	"from {helo} (192.0.2.1) by gw.example (198.51.100.7) with Microsoft SMTP Server id 1; date",
	"from {helo} (192.0.2.1:23198) by gw.example with [XMail 1.27 ESMTP Server] id <1> for <{rcpt}> from <a@a.example>; date",
	"from {rdns} ([192.0.2.1] helo={helo}) by gw.example with esmtp (Exim 4) for {rcpt}; date",
	"from {rdns} ([192.0.2.1]:4321 helo={helo} ident={ident}) by gw.example with esmtp (Exim 4) for {rcpt}; date",
	"from [192.0.2.1] (helo={helo}) by gw.example with esmtp (Exim 4) for {rcpt}; date",
	"from [192.0.2.1] (port=4321 helo={helo} ident={ident}) by gw.example with esmtp (Exim 4) for {rcpt}; date",
	"from [192.0.2.1] ([192.0.2.1:40112] helo={helo}) by gw.example (ecelerity 4.4) with ESMTPS id 1; date",
	"from ([192.0.2.1:40112] helo={helo}) by gw.example (ecelerity 4.4) with ESMTPS id 1; date",
	"from {rdns} (HELO {helo}) (192.0.2.1) by gw.example with SMTP; date",
	"from {rdns} (HELO {helo}) ({ident}@192.0.2.1) by gw.example with SMTP; date",
	"from {rdns} (HELO {helo}) ([192.0.2.1]) by gw.example with ESMTP/TLS/X; date",
	"from {rdns} ({ident}@192.0.2.1) by gw.example with SMTP; date",
	"from {rdns} (EHLO {helo}) [192.0.2.1] by gw.example (mp1) with SMTP; date",
	"from 192.0.2.1 (EHLO {helo}) by gw.example with SMTPs; date",
	"from [192.0.2.1] (HELO {helo}) by gw.example (X) with ESMTP id 1 for <{rcpt}>; date",
	"from {rdns} [192.0.2.1] (EHLO {helo}) by gw.example(mxl_mta-7) over TLS secured channel with ESMTP id 1; date",
	"from {rdns} [192.0.2.1] by gw.example(mxl_mta-7) with SMTP id 1 (envelope-from <{rcpt}>); date",
}

func (c said) in(shape string) string {
	return strings.NewReplacer("{helo}", c.helo, "{rdns}", c.rdns, "{ident}", c.ident, "{cert}", c.cert, "{rcpt}", c.rcpt).Replace(shape)
}

// noForgery fails where an address is believed that is not the client's, or a
// field is read as one that needs no address.
func noForgery(t *testing.T, c said) {
	t.Helper()
	for _, shape := range shapes {
		value := c.in(shape)
		h, problem := parseReceived([]byte(value))
		if problem != "" {
			continue
		}
		if h.ip != netip.MustParseAddr("192.0.2.1") && h.ip != netip.MustParseAddr("2001:db8::1") || h.queued || h.socket {
			t.Fatalf("%q: %+v is believed", value, h)
		}
	}
}

// hostile are the words that have a meaning to the reader.
var hostile = []string{
	"x", " ", "(", ")", "[198.51.100.9]", "198.51.100.9", " by ", "HELO ", "helo=", "@", "(may be forged)", " for <",
	"[198.51.100.9:25]", "using ", "account ", "from ", "=", "unix", "\"", "port=1 ", " with LMTP ",
}

// All short sequences of them in one place, the others honest.
func TestNoWordOfTheClientMakesAnotherAddressBelieved(t *testing.T) {
	const length = 3
	honest := said{helo: "helo.example", rdns: "rdns.example", ident: "joe", cert: "c.example", rcpt: `") ("@b`}
	for n := range pow(len(hostile), length) {
		text := ""
		for range length {
			text += hostile[n%len(hostile)]
			n /= len(hostile)
		}
		c := honest
		c.helo = text
		noForgery(t, c)
		c.helo, c.rdns = honest.helo, text
		noForgery(t, c)
		c.rdns, c.ident, c.cert = honest.rdns, text, text
		noForgery(t, c)
	}
}

func pow(base, exponent int) int {
	n := 1
	for range exponent {
		n *= base
	}
	return n
}

// Two places work together: one opens what the other closes, or brings the name
// that the shape of the other needs.
func TestNoTwoWordsOfTheClientMakeAnotherAddressBelieved(t *testing.T) {
	chosen := []string{
		"[198.51.100.9]", "[198.51.100.9] (helo=x)", "x) ([198.51.100.9]", "x) ([198.51.100.9]) (", "x ([198.51.100.9]) (", "x ([198.51.100.9]) by y (",
		") (198.51.100.9) (", "account x HELO", "account x@y", "using TLS", "EHLO", "x [198.51.100.9]", "HELO x) (y", "authenticated", "a]b", "a b", "a=b",
	}
	texts := chosen
	for _, a := range hostile {
		for _, b := range hostile {
			texts = append(texts, a+b)
		}
	}
	for _, a := range chosen {
		for _, b := range texts {
			noForgery(t, said{helo: a, rdns: b, ident: "joe", cert: b, rcpt: `")"@b`})
			noForgery(t, said{helo: b, rdns: a, ident: a, cert: a, rcpt: `")"@b`})
		}
	}
}

// Whatever a client says, and though its MTA writes it down unchanged, no
// address but its own is believed.
func FuzzParseReceived(f *testing.F) {
	for _, helo := range []string{
		"helo.example", "[198.51.100.9]", "x (y [198.51.100.9])", "[198.51.100.9] (helo=x)", "x (HELO y) (198.51.100.9)",
		"x ([198.51.100.9]) by y (", "x) ([198.51.100.9]", "x) by y (", " [198.51.100.9]", "@198.51.100.9", "x ([198.51.100.9]) by y (\\", "x) (198.51.100.9) by y (",
	} {
		f.Add(helo, "rdns.example", "joe", "c.example", "a@b.example")
		f.Add(helo, "HELO", "a b", ")", "\")\"@b.example")
	}
	f.Fuzz(func(t *testing.T, helo, rdns, ident, cert, rcpt string) {
		c := said{helo: helo, rdns: rdns, ident: ident, cert: cert, rcpt: rcpt}
		if strings.ContainsAny(helo+rdns+ident+cert+rcpt, "\r\n{}") || strings.Contains(helo+rdns+ident+cert+rcpt, "192.0.2.1") || strings.Contains(helo+rdns+ident+cert+rcpt, "2001:db8::1") {
			return // SMTP has no such argument, and nothing would show
		}
		_, _ = parseReceived([]byte(helo))
		noForgery(t, c)
	})
}
