package relay

import (
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

		{name: "Stalwart, with the AS number", value: "from helo.example (rdns.example [192.0.2.1] (AS64496 EXAMPLE-NET, NO))\r\n\t(using TLSv1.3 with cipher TLS13_AES_256_GCM_SHA384)\r\n\tby gw.example (Stalwart SMTP) with ESMTPS id 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Momentum", value: "from [192.0.2.1] ([192.0.2.1:40112] helo=helo.example)\r\n\tby gw.example (envelope-from <x@a.example>)\r\n\t(ecelerity 4.4.0 r(:)) with ESMTPS (cipher=AES) id 11/22" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Momentum, no name", value: "from ([192.0.2.1:40112] helo=helo.example) by gw.example (ecelerity 2.1 r(10620)) with ESMTP id 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Momentum, IPv6 with a port", value: "from ([2001:db8::1:40112] helo=helo.example) by gw.example (ecelerity 4.4) with ESMTP id 1" + d, ip: "2001:db8::1", helo: "helo.example"},
		{name: "CommuniGate, verified", value: "from helo.example ([192.0.2.1] verified) by gw.example (CommuniGate Pro SMTP 6.3) with ESMTPS id 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "IIS, unverified", value: "from helo.example ([192.0.2.1] unverified) by gw.example with Microsoft SMTPSVC(10.0)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "IIS, RDNS failed", value: "from 0 ([192.0.2.1] RDNS failed) by gw.example with Microsoft SMTPSVC(10.0)" + d, ip: "192.0.2.1", helo: "0"},
		{name: "ZoneMTA", value: "from helo.example ([192.0.2.1] rdns.example)\r\n by gw.example (ZoneMTA) with ESMTPS id 1.001" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MailEnable, no HELO", value: "from ([192.0.2.1]) by gw.example with MailEnable ESMTP" + d, ip: "192.0.2.1"},
		{name: "McAfee, no HELO", value: "from (192.0.2.1) by gw.example via smtp id 1" + d, ip: "192.0.2.1"},
		{name: "qmail, empty HELO", value: "from rdns.example (HELO ) (192.0.2.1) by gw.example with SMTP" + d, ip: "192.0.2.1"},
		{name: "qmail-ldap", value: "from unknown (HELO [192.0.2.1]) ([192.0.2.1]) (envelope-sender <a@b.example>) by gw.example (qmail-ldap-1.03) with SMTP" + d, ip: "192.0.2.1", helo: "[192.0.2.1]"},
		{name: "qmail with TLS", value: "from unknown (HELO helo.example) (192.0.2.1) by gw.example with (DHE-RSA-AES256-SHA encrypted) SMTP" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MessageLabs", value: "from unknown (HELO helo.example) (192.0.2.1)\r\n  by server-9.gw.example with ECDHE-RSA-AES256-GCM-SHA384 encrypted SMTP" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MessageLabs, between its hosts", value: "from [192.0.2.1] (using TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384 (256 bits)) by server-9.gw.example id 1/2" + d, ip: "192.0.2.1", helo: "[192.0.2.1]"},
		{name: "old GMX", value: "from rdns.example (EHLO helo.example) [192.0.2.1] by mx0.gw.example (mx019) with SMTP" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MXLogic", value: "from unknown [192.0.2.1] (EHLO helo.example)\r\n\tby p01.gw.example(mxl_mta-7.2.4-1) over TLS secured channel\r\n\twith ESMTP id 1 (envelope-from <x@a.example>)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MXLogic, no HELO", value: "from rdns.example [192.0.2.1] by p01.gw.example(mxl_mta-6.8.0-0) with SMTP id 1" + d, ip: "192.0.2.1", helo: "rdns.example"},
		{name: "XMail, with the port", value: "from helo.example (192.0.2.1:23198) by gw.example with [XMail 1.27 ESMTP Server] id <S72E> for <a@b.example> from <x@a.example>" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "MailMarshal", value: "from helo.example (Not Verified[192.0.2.1]) by gw.example with MailMarshal (v6,7,2,8378)\r\n\tid <B4c44b2720000>" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Trustwave SEG, IPv6", value: "from helo.example (Not Verified[2001:db8::1]) by gw.example with Trustwave SEG (v8,2,6,11305) id <1>" + d, ip: "2001:db8::1", helo: "helo.example"},
		{name: "Mimecast", value: "from helo.example (rdns.example\r\n [192.0.2.1]) by relay.gw.example with ESMTP with STARTTLS\r\n (version=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384) id us-mta-607-1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Barracuda, no with clause", value: "from helo.example (rdns.example [192.0.2.1]) by mx-inbound1.gw.example (version=TLSv1.2 cipher=X bits=256 verify=NO)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Hornetsecurity", value: "from helo.example ([192.0.2.1]) by mx-gate1.gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "OpenSMTPD without RDNS", value: "from helo.example (<unknown> [192.0.2.1])\r\n\tby gw.example (OpenSMTPD) with ESMTPS id 1 (TLSv1.3:X:256:NO)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Haraka without RDNS", value: "from helo.example ( [192.0.2.1])\r\n\tby gw.example (Haraka/3.0.0) with ESMTPS id 1" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Sendmail, ident without RDNS", value: "from helo.example (IDENT:joe@[192.0.2.1]) by gw.example (8.12)" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "the reverse name is the address", value: "from helo.example (192.0.2.1 [192.0.2.1]) by gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "the reverse name begins with an address", value: "from helo.example (192.0.2.9.pool.example [192.0.2.1]) by gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "the address twice", value: "from helo.example (rdns.example [192.0.2.1]) ([192.0.2.1]) by gw.example" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "fetchmail", value: "from pop.example [192.0.2.1]\r\n\tby gw.example with POP3 (fetchmail-6.4.38)\r\n\tfor <u@localhost> (single-drop)" + d, ip: "192.0.2.1", helo: "pop.example"},
		{name: "getmail", value: "from pop.example (192.0.2.1) by gw.example with POP3-SSL getmail6 for <u@here.test>" + d, ip: "192.0.2.1", helo: "pop.example"},

		{name: "InterMail, reverse name and address in one word", value: "from helo.example (rdns.example[192.0.2.1]) by gw.example (rwcrmhc53) with SMTP id <1>" + d, ip: "192.0.2.1", helo: "helo.example"},
		{name: "Exim, no name, HELO is the client's literal", value: "from [192.0.2.1] by gw.example with esmtp (Exim 4.98) (envelope-from <a@b.example>) id 1" + d, ip: "192.0.2.1", helo: "[192.0.2.1]"},
		{name: "the same with TLS", value: "from [192.0.2.1] by gw.example with esmtps (TLS1.3) tls X (Exim 4.98) id 1" + d, ip: "192.0.2.1", helo: "[192.0.2.1]"},
		{name: "a recipient that names Exim", value: "from [198.51.100.9] by gw.example with SMTP id 1 for <\"(Exim 4)\"@gw.example>" + d, problem: noAddress},

		{name: "submitted by Sendmail's command", value: "(from joe@localhost) by gw.example (8.18.1/8.18.1/Submit) id 1" + d, problem: submitted},
		{name: "submitted by qmail's command", value: "(qmail 12345 invoked by uid 1000); 1 Jan 2026 00:00:00 -0000", problem: submitted},
		{name: "submitted by Exim's command", value: "from joe by gw.example with local (Exim 4.98)" + d, problem: noAddress},
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
		{name: "the true comment has a number for the reverse name", value: "from x (y [198.51.100.9]) (9.9.9.9 [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "the same alone", value: "from x (9.9.9.9 [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has a bracket in the ident name", value: "from x ([198.51.100.9]) (a]b@rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has a blank in the ident name", value: "from x ([198.51.100.9]) (a b@rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has an equals sign in the ident name", value: "from x ([198.51.100.9]) (a=b@192.0.2.1) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has a further word", value: "from x ([198.51.100.9]) (rdns.example [192.0.2.1] checked) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has the address in an odd spelling", value: "from x ([198.51.100.9]) (rdns.example [192.000.002.001]) by gw.example" + d, problem: ambiguous},
		{name: "HELO opens a comment that the name of a certificate closes", value: "from x ([198.51.100.9]) ( (rdns.example [192.0.2.1]) (using TLSv1.3 with cipher X) (Client CN \"a)\", Issuer \"b\" (not verified)) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has no address", value: "from x ([198.51.100.9]) (unknown [unknown]) by gw.example" + d, problem: ambiguous},
		{name: "the true comment has the address as one number", value: "from x ([198.51.100.9]) (rdns.example [3221225985]) by gw.example" + d, problem: ambiguous},
		{name: "ident in front of a reverse name and address in one word", value: "from x (a@b[192.0.2.1]) by gw.example" + d, problem: unknownShape},
		{name: "HELO brings an address outside of comments", value: "from x [198.51.100.9] (y) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "an address in the name of a certificate", value: "from x (rdns.example [192.0.2.1]) (Client CN \"198.51.100.9\") by gw.example" + d, problem: ambiguous},
		{name: "HELO brings an Exim comment", value: "from [198.51.100.9] (helo=x) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO brings a HELO comment", value: "from x (HELO y) (198.51.100.9) (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO brings a whole field", value: "from x ([198.51.100.9]) by y with SMTP id 1; date (rdns.example [192.0.2.1]) by gw.example" + d, problem: noBy},
		{name: "HELO opens a comment that a recipient closes", value: "from x ([198.51.100.9]) by y ( (rdns.example [192.0.2.1]) by gw.example (Postfix) for <\")\"@gw.example>" + d, problem: ambiguous},
		{name: "HELO with blanks", value: "from x [198.51.100.9] (rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends Exim's comment", value: "from [192.0.2.1] (helo=x) ([198.51.100.9]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends Yahoo's comment", value: "from 192.0.2.1 (EHLO x) ([198.51.100.9]) by gw.example" + d, problem: ambiguous},
		{name: "HELO ends qmail's comment", value: "from unknown (HELO x) (198.51.100.9) (192.0.2.1) by gw.example" + d, problem: ambiguous},
		{name: "a client whose reverse name is HELO", value: "from [198.51.100.9] (HELO [192.0.2.1] (may be forged)) by gw.example" + d, problem: ambiguous},
		{name: "HELO with a blank and an address, in Exim's comment", value: "from [192.0.2.1] (helo= [198.51.100.9]) by gw.example" + d, problem: unknownShape},
		{name: "HELO with an at sign and an address, in Exim's comment", value: "from [192.0.2.1] (helo=@198.51.100.9) by gw.example" + d, problem: unknownShape},
		{name: "ident with an address", value: "from x (IDENT:[198.51.100.9]@rdns.example [192.0.2.1]) by gw.example" + d, problem: ambiguous},
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
