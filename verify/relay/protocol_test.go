package relay

import "testing"

func TestTheWayAMessageCame(t *testing.T) {
	const from = "from helo.example (rdns.example [192.0.2.1]) "
	for _, row := range []struct {
		name, value string
		want        way
	}{
		{name: "no with clause", value: from + "by gw.example id 1; date", want: unsaid},
		{name: "a with in the date part is none", value: from + "by gw.example; date with mapi", want: unsaid},
		{name: "ESMTP", value: from + "by gw.example (Postfix) with ESMTP id 1; date", want: smtp},
		{name: "with TLS, as Exim writes it", value: from + "by gw.example with esmtps (TLS1.3) tls X (Exim 4.98) id 1; date", want: smtp},
		{name: "with TLS, as Cisco writes it", value: from + "by gw.example with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384; date", want: smtp},
		{name: "with TLS, as MessageLabs writes it", value: from + "by gw.example with AES256-SHA encrypted SMTP; date", want: smtp},
		{name: "Exchange", value: from + "by gw.example (192.0.2.7) with Microsoft SMTP Server (version=TLS1_2) id 15.20 via Frontend Transport; date", want: smtp},
		{name: "Mimecast", value: from + "by gw.example with ESMTP with STARTTLS (version=TLSv1.3) id 1; date", want: smtp},
		{name: "Mimecast with a login", value: from + "by gw.example with ESMTP with both STARTTLS and AUTH (version=TLSv1.3) id 1; date", want: login},
		{name: "a login", value: from + "by gw.example with ESMTPSA id 1; date", want: login},
		{name: "a login in lower case", value: from + "by gw.example with esmtpa (Exim 4.98); date", want: login},
		{name: "an internationalized login", value: from + "by gw.example with UTF8SMTPSA id 1; date", want: login},
		{name: "a login as IceWarp writes it", value: from + "by gw.example (IceWarp 14) with ASMTP (SSL) id 1; date", want: login},
		{name: "the same under TLS", value: from + "by gw.example (IceWarp 14) with ASMTPS id 1; date", want: login},
		{name: "a login as Sendmail writes it", value: "from helo.example (rdns.example [192.0.2.1]) (authenticated bits=0) by gw.example with ESMTP id 1; date", want: login},
		{name: "a login as Courier writes it", value: "from helo.example ([192.0.2.1]) (AUTH: LOGIN joe) by gw.example with esmtp; date", want: login},
		{name: "a login as CommuniGate writes it", value: "from [192.0.2.1] (account joe@a.example HELO helo.example) by gw.example with ESMTP id 1; date", want: login},
		{name: "LMTP", value: from + "by gw.example with LMTP id 1; date", want: lmtp},
		{name: "a mailbox of Exchange", value: from + "by gw.example ([192.0.2.7]) with mapi id 15.20; date", want: other},
		{name: "a web form", value: from + "by gw.example with HTTP; date", want: other},
		{name: "a web form by via", value: from + "by gw.example via HTTP; date", want: other},
		{name: "POP3", value: from + "by gw.example with POP3-SSL getmail6 for <a@b.example>; date", want: mailbox},
		{name: "IMAP", value: from + "by gw.example with IMAP (fetchmail-6.4) for <a@b.example>; date", want: mailbox},
		{name: "a product's name", value: from + "by gw.example with Trustwave SEG (v8) id 1; date", want: unsaid},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, problem := parseReceived([]byte(row.value))
			if h.way != row.want || problem != "" {
				t.Errorf("%q: way %d, problem %q, want %d", row.value, h.way, problem, row.want)
			}
		})
	}
}
