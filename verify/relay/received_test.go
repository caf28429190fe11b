package relay

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestParseReceived(t *testing.T) {
	const d = "; Thu, 1 Jan 2026 00:00:00 +0000"
	tests := []struct {
		name, value string
		ip, helo    string
		problem     string
		queued      bool
	}{
		{name: "Postfix", value: " from helo.example (rdns.example [192.0.2.1])\r\n\tby gw.example (Postfix) with ESMTP id ABC\r\n\tfor <x@y.example>" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Postfix with TLS and certificate comments", value: " from helo.example (rdns.example [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\r\n\t(Client CN \"c.example\", Issuer \"CA (2026)\" (not verified))\r\n\t(Authenticated sender: EXAMPLE\\joe)\r\n\tby gw.example (Postfix) with ESMTPSA id ABC" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Postfix, IPv6 and unknown name", value: "from helo.example (unknown [IPv6:2001:db8::1]) by gw.example (Postfix)" + d, ip: "2001:db8::1", helo: "helo.example"},
		{name: "Postfix, HELO is an address literal", value: "from [10.0.0.1] (unknown [192.0.2.1]) by gw.example (Postfix)" + d, ip: "192.0.2.1", helo: "[10.0.0.1]"},
		{name: "Postfix, HELO is a bare address", value: "from 10.0.0.1 (unknown [192.0.2.1]) by gw.example (Postfix)" + d, ip: "192.0.2.1", helo: "10.0.0.1"},
		{name: "HELO is the word by", value: "from by (unknown [192.0.2.1]) by gw.example" + d, ip: "192.0.2.1", helo: "by"},
		{name: "Sendmail", value: "from helo.example (rdns.example [192.0.2.1]) by gw.example (8.18.1/8.18.1) with ESMTPS id x (version=TLSv1.3 cipher=A bits=256 verify=NO)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Sendmail, name may be forged", value: "from helo.example (rdns.example [192.0.2.1] (may be forged)) by gw.example (8.18.1/8.18.1)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Sendmail, with ident", value: "from helo.example (IDENT:joe@rdns.example [192.0.2.1]) by gw.example (8.12)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Sendmail, address only", value: "from helo.example ([192.0.2.1]) by gw.example (8.18.1)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Exchange", value: " from helo.example (192.0.2.1) by ex.example\r\n (198.51.100.7) with Microsoft SMTP Server (version=TLS1_2,\r\n cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.1.1.1; Thu, 1 Jan 2026\r\n 00:00:00 +0000", ip: "192.0.2.1", helo: "helo.example"},
		{name: "Exchange Online, IPv6", value: "from A.prod.example (2001:db8:408:70::25) by B.prod.example (2001:db8:1::2) with Microsoft SMTP Server id 15.20 via Frontend Transport" + d, ip: "2001:db8:408:70::25", helo: "A.prod.example"},
		{name: "Exchange by MAPI, with a zone", value: "from A.example ([fe80::1:2%4]) by A.example ([fe80::1:2%4]) with mapi id 15.20" + d, ip: "fe80::1:2", helo: "A.example"},
		{name: "Exim", value: "from rdns.example ([192.0.2.1] helo=helo.example)\r\n\tby gw.example with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.98)\r\n\t(envelope-from <a@b.example>)\r\n\tid 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Exim, HELO equals the name", value: "from rdns.example ([192.0.2.1]) by gw.example with esmtp (Exim 4.98)" + d, ip: "192.0.2.1", helo: "rdns.example"},
		{name: "Exim, no name", value: "from [192.0.2.1] (helo=helo.example) by gw.example with esmtp (Exim 4.98)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Exim, no name, with port and ident", value: "from [2001:db8::1] (port=4321 helo=helo.example ident=joe) by gw.example with esmtp (Exim 4.98)" + d, ip: "2001:db8::1", helo: "helo.example"},
		{name: "Exim with port in brackets, HELO is a literal", value: "from rdns.example ([192.0.2.1]:4321 helo=[10.0.0.1]) by gw.example with esmtp (Exim 4.98)" + d, ip: "192.0.2.1", helo: "[10.0.0.1]"},
		{name: "Exim, no name, HELO is a literal", value: "from [192.0.2.1] (helo=[10.0.0.1]) by gw.example with esmtp (Exim 4.98)" + d, ip: "192.0.2.1", helo: "[10.0.0.1]"},
		{name: "Gmail", value: "from helo.example (rdns.example. [192.0.2.1])\r\n        by mx.google.com with ESMTPS id abc.1.2026\r\n        for <x@y.example>\r\n        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        Thu, 01 Jan 2026 00:00:00 -0800 (PST)", ip: "192.0.2.1", helo: "helo.example"},
		{name: "qmail", value: "from unknown (HELO helo.example) (192.0.2.1)\n  by gw.example with SMTP" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "qmail, HELO equals the name", value: "from rdns.example (192.0.2.1) by gw.example with SMTP" + d, ip: "192.0.2.1", helo: "rdns.example"},
		{name: "qmail, with login", value: "from unknown (HELO helo.example) (joe@b.example@192.0.2.1) by gw.example with ESMTPA" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "qmail, HELO is a literal", value: "from unknown (HELO [10.0.0.1]) (192.0.2.1) by gw.example with SMTP" + d, ip: "192.0.2.1", helo: "[10.0.0.1]"},
		{name: "qmail, passing it on", value: "(qmail 12345 invoked from network); 1 Jan 2026 00:00:00 -0000", queued: true},
		{name: "Cisco", value: "from rdns.example (HELO helo.example) ([192.0.2.1])\r\n  by esa.example with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "James", value: "from 192.0.2.1 (EHLO helo.example) ([192.0.2.1]) by gw.example (JAMES SMTP Server ) with ESMTP ID 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "CommuniGate", value: "from [192.0.2.1] (HELO helo.example) by gw.example (CommuniGate Pro SMTP 6) with ESMTP id 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Yahoo", value: "from 192.0.2.1 (EHLO helo.example) by 198.51.100.1 with SMTPs" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Courier, IPv4-mapped", value: "from helo.example (rdns.example [::ffff:192.0.2.1]) (AUTH: LOGIN joe) by gw.example with ESMTP" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "amavis", value: "from gw.example ([127.0.0.1])\r\n by localhost (gw.example [127.0.0.1]) (amavisd-new, port 10024)\r\n with ESMTP id 1" + d, ip: "127.0.0.1", helo: "gw.example"},
		{name: "keywords in another case", value: "FROM helo.example (rdns.example [192.0.2.1]) BY gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "no blank before the comment", value: "from helo.example([192.0.2.1])by gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},

		{name: "submitted by Sendmail's command", value: "(from joe@localhost) by gw.example (8.18.1/8.18.1/Submit) id 1" + d, problem: submitted},
		{name: "submitted by qmail's command", value: "(qmail 12345 invoked by uid 1000); 1 Jan 2026 00:00:00 -0000", problem: submitted},
		{name: "submitted by Postfix's command", value: "by gw.example (Postfix, from userid 1000) id 1" + d, problem: noFrom},
		{name: "submitted by Exim's command", value: "from joe by gw.example with local (Exim 4.98)" + d, problem: noAddress},
		{name: "handed on inside Gmail", value: "by 2001:db8:a05:7208::1 with SMTP id abc" + d, problem: noFrom},
		{name: "no address", value: "from helo.example (unknown [unknown]) by gw.example" + d, problem: noAddress},
		{name: "only HELO", value: "from helo.example by gw.example" + d, problem: noAddress},
		{name: "literal alone may be HELO or the client", value: "from [192.0.2.1] by gw.example" + d, problem: noAddress},
		{name: "unspecified address", value: "from helo.example ([0.0.0.0]) by gw.example" + d, problem: noAddress},
		{name: "address with leading zeros", value: "from helo.example ([192.000.002.001]) by gw.example" + d, problem: noAddress},
		{name: "no by clause", value: "from helo.example ([192.0.2.1])" + d, problem: noBy},
		{name: "empty", value: " ", problem: noFrom},
		{name: "from alone", value: "from", problem: noFrom},
		{name: "comment without end", value: "from helo.example ([192.0.2.1] by gw.example" + d, problem: unbalanced},
		{name: "closing parenthesis alone", value: "from helo.example) ([192.0.2.1]) by gw.example" + d, problem: unbalanced},
		{name: "NUL", value: "from helo\x00.example ([192.0.2.1]) by gw.example" + d, problem: badCharacter},
		{name: "escaped parenthesis", value: "from helo.example (a\\) [192.0.2.1]) by gw.example" + d, problem: badCharacter},
		{name: "above the limit", value: "from helo.example ([192.0.2.1]) by gw.example" + strings.Repeat(" ", maxReceived), problem: tooLong},
		{name: "HELO above the limit", value: "from " + strings.Repeat("a", maxHELO+1) + " ([192.0.2.1]) by gw.example" + d, problem: tooLong},

		// HELO chosen to look like the MTA's own words, written unchanged.
		{name: "HELO brings an address comment", value: "from x (y [198.51.100.9]) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO brings an Exim comment", value: "from [198.51.100.9] (helo=x) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO brings a HELO comment", value: "from x (HELO y) (198.51.100.9) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO brings a whole field", value: "from x ([198.51.100.9]) by y with SMTP id 1; date (rdns.example [192.0.2.1]) by gw.example" + d, problem: noBy},
		{name: "HELO opens a comment that a recipient closes", value: "from x ([198.51.100.9]) by y ( (rdns.example [192.0.2.1]) by gw.example (Postfix) for <\")\"@gw.example>" + d, problem: ambiguous},
		{name: "HELO with blanks", value: "from x [198.51.100.9] (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends Exim's comment", value: "from [192.0.2.1] (helo=x) ([198.51.100.9]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends Yahoo's comment", value: "from 192.0.2.1 (EHLO x) ([198.51.100.9]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends qmail's comment", value: "from unknown (HELO x) (198.51.100.9) (192.0.2.1) by gw.example" + d, problem: ambiguous},
		{name: "a client whose reverse name is HELO", value: "from [198.51.100.9] (HELO [192.0.2.1] (may be forged)) by gw.example" + d, problem: ambiguous},
		{name: "HELO with a blank and an address, in Exim's comment", value: "from [192.0.2.1] (helo= [198.51.100.9]) by gw.example" + d, problem: noAddress},
		{name: "HELO with an at sign and an address, in Exim's comment", value: "from [192.0.2.1] (helo=@198.51.100.9) by gw.example" + d, ip: "192.0.2.1", helo: "@198.51.100.9"},
		{name: "ident with an address", value: "from x (IDENT:[198.51.100.9]@rdns.example [192.0.2.1]) by gw.example" + d, problem: noAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, problem := parseReceived([]byte(tt.value))
			ip := ""
			if h.ip.IsValid() {
				ip = h.ip.String()
			}
			if ip != tt.ip || h.helo != tt.helo || problem != tt.problem || h.queued != tt.queued {
				t.Errorf("parseReceived(%.300q)\n got %q, HELO %q, queued %v, problem %q\nwant %q, HELO %q, queued %v, problem %q",
					tt.value, ip, h.helo, h.queued, problem, tt.ip, tt.helo, tt.queued, tt.problem)
			}
		})
	}
}

func TestParseReceivedTimeIsLinear(t *testing.T) {
	for _, unit := range []string{"(", "()", "( by ", "a ", "([1.1.1.1])", "(a=b ", "by "} {
		value := []byte("from x " + strings.Repeat(unit, (maxReceived-10)/len(unit)))
		best := time.Hour // of several runs, as machines are busy
		for range 10 {
			start := time.Now()
			_, _ = parseReceived(value)
			best = min(best, time.Since(start))
		}
		if best > 100*time.Millisecond {
			t.Errorf("%d octets of %q took %v", len(value), unit, best)
		}
	}
}

// shapes are the from clauses of MTAs that write HELO as the client sent it.
var shapes = []string{
	"from HELO (rdns.example [192.0.2.1]) by gw.example (Postfix) with ESMTP id 1 for <RCPT>; date",
	"from HELO (rdns.example [192.0.2.1] (may be forged)) by gw.example (8.18) with SMTP; date",
	"from HELO ([192.0.2.1]) by gw.example with ESMTP; date",
	"from HELO (192.0.2.1) by gw.example (198.51.100.7) with Microsoft SMTP Server id 1; date",
	"from rdns.example ([192.0.2.1] helo=HELO) by gw.example with esmtp (Exim 4) for RCPT; date",
	"from [192.0.2.1] (helo=HELO) by gw.example with esmtp (Exim 4) for RCPT; date",
	"from unknown (HELO HELO) (192.0.2.1) by gw.example with SMTP; date",
	"from 192.0.2.1 (EHLO HELO) by gw.example with SMTPs; date",
	"from [192.0.2.1] (HELO HELO) by gw.example (X) with ESMTP id 1 for <RCPT>; date",
}

// forgery puts what a client said into a shape.
func forgery(shape, helo, rcpt string) string {
	value := strings.Replace(shape, "RCPT", rcpt, 1)
	if i := strings.LastIndex(shape[:strings.Index(shape, " by ")], "HELO"); i >= 0 {
		return value[:i] + helo + value[i+len("HELO"):]
	}
	return strings.Replace(value, "helo=HELO", "helo="+helo, 1)
}

var own = netip.MustParseAddr("192.0.2.1")

// All short sequences of what has a meaning to the reader.
func TestNoHELOMakesAnotherAddressBelieved(t *testing.T) {
	words := []string{"x", " ", "(", ")", "[198.51.100.9]", "198.51.100.9", " by ", "HELO ", "helo=", "@", "(may be forged)", " for <"}
	const length = 4
	for n := range pow(len(words), length) {
		helo := ""
		for range length {
			helo += words[n%len(words)]
			n /= len(words)
		}
		for _, rcpt := range []string{"a@b", `")"@b`, `") ("@b`} {
			for _, shape := range shapes {
				value := forgery(shape, helo, rcpt)
				if h, problem := parseReceived([]byte(value)); problem == "" && h.ip != own {
					t.Fatalf("%q: %v is believed", value, h.ip)
				}
			}
		}
	}
}

func pow(base, exponent int) int {
	n := 1
	for range exponent {
		n *= base
	}
	return n
}

// Whatever a client says in HELO and RCPT, and though its MTA writes it down
// unchanged, no address but its own is believed.
func FuzzParseReceived(f *testing.F) {
	for _, helo := range []string{
		"helo.example", "[198.51.100.9]", "x (y [198.51.100.9])", "[198.51.100.9] (helo=x)", "x (HELO y) (198.51.100.9)",
		"x ([198.51.100.9]) by y (", "x) ([198.51.100.9]", "x) by y (", " [198.51.100.9]", "@198.51.100.9", "x ([198.51.100.9]) by y (\\", "x) (198.51.100.9) by y (",
	} {
		f.Add(helo, "a@b.example")
		f.Add(helo, "\")\"@b.example")
	}
	f.Fuzz(func(t *testing.T, helo, rcpt string) {
		if strings.ContainsAny(helo+rcpt, "\r\n") { // SMTP has no such argument
			return
		}
		_, _ = parseReceived([]byte(helo))
		for _, shape := range shapes {
			value := forgery(shape, helo, rcpt)
			if h, problem := parseReceived([]byte(value)); problem == "" && h.ip != own {
				t.Fatalf("%q: %v is believed", value, h.ip)
			}
		}
	})
}
