package failure

import (
	"bytes"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
	"alignd/record"
	"alignd/report/read"
)

// forged is a message that failed, for which a report is due.
func forged(change func(*record.Record)) *record.Record {
	r := &record.Record{
		Evidence: evidence.Message{
			Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Token: "abc123", MTA: "mx.here.test",
			Client:   evidence.Client{Peer: netip.MustParseAddr("192.0.2.66"), Port: 4711, HELO: "h.attacker.example"},
			MailFrom: "carol=here.test@shop.example", MailFromDomain: "shop.example",
			Recipients: []evidence.Recipient{{Address: "victoria@here.test"}},
			From:       evidence.From{Fields: 1, Domains: []string{"shop.example"}},
			MessageID:  "<walter.1@shop.example>",
			SPF: evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "shop.example", Result: evidence.Fail,
				Record: `v=spf1 ip4:198.51.100.0/24 exp=x"y\z -all`}},
			DKIM: []evidence.Signature{{Result: evidence.Fail, FailedOn: evidence.FailedBody, Reason: "the body was changed", Domain: "shop.example",
				Selector: "s1", Identity: "peggy@shop.example", Algorithm: "rsa-sha256", B: "abcdefghijkl"}},
			Received: []evidence.Hop{{From: "pc.shop.example", Addr: netip.MustParseAddr("203.0.113.5"), By: "out.shop.example", Time: time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC)}},
			DMARC: []evidence.DMARC{{AuthorDomain: "shop.example", PolicyDomain: "shop.example", OrgDomain: "shop.example", Result: evidence.Fail,
				Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100, FailureOpts: "0", RUF: []string{"mailto:f@shop.example"}}}},
		},
		Verdict: policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Step: policy.StepPolicy, Evaluation: 1},
		Outcome: record.Outcome{End: record.EndAnswered, AuthservID: "mx.here.test"},
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestDue(t *testing.T) {
	fo := func(options string, then ...func(*record.Record)) func(*record.Record) {
		return func(r *record.Record) {
			r.Evidence.DMARC[0].Published.FailureOpts = options
			for _, f := range then {
				f(r)
			}
		}
	}
	passed := func(spf, dkim bool) func(*record.Record) {
		return func(r *record.Record) {
			dm := &r.Evidence.DMARC[0]
			dm.Result, dm.SPFAligned, dm.DKIMAligned = evidence.Pass, spf, dkim
			if spf {
				r.Evidence.SPF.MailFrom.Result = evidence.Pass
			}
			if dkim {
				r.Evidence.DKIM[0].Result, r.Evidence.DKIM[0].FailedOn = evidence.Pass, ""
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*record.Record)
		want   Type
	}{
		// RFC 9989 section 4.7: fo
		{name: "fo=0: nothing is aligned", change: fo("0"), want: DMARC},
		{name: "without fo it is 0", change: fo(""), want: DMARC},
		{name: "fo=0: one is aligned", change: fo("0", passed(true, false)), want: NotDue},
		{name: "fo=1: one is not aligned, although DMARC passes", change: fo("1", passed(true, false)), want: DMARC},
		{name: "fo=1: SPF is not aligned", change: fo("1", passed(false, true)), want: DMARC},
		{name: "fo=1: all are aligned", change: fo("1", passed(true, true)), want: NotDue},
		{name: "fo=1: what is missing is our DNS", change: fo("1", passed(true, false), func(r *record.Record) { r.Evidence.DKIM[0].Result = evidence.TempError }), want: NotDue},
		{name: "fo=d: the body was changed", change: fo("d"), want: BodyHash},
		{name: "fo=d: also where DMARC passes", change: fo("d", passed(true, false)), want: BodyHash},
		{name: "fo=d: a key is revoked", change: fo("d", func(r *record.Record) {
			r.Evidence.DKIM[0].Result, r.Evidence.DKIM[0].FailedOn, r.Evidence.DKIM[0].Reason = evidence.PermError, evidence.FailedKey, "key is revoked"
		}), want: Revoked},
		{name: "fo=d: a signed field was changed", change: fo("d", func(r *record.Record) { r.Evidence.DKIM[0].FailedOn = evidence.FailedHeader }), want: Signature},
		{name: "fo=d: a signature that is not aligned", change: fo("d", func(r *record.Record) { r.Evidence.DKIM[0].Domain = "other.example" }), want: BodyHash},
		{name: "fo=d: no signature", change: fo("d", func(r *record.Record) { r.Evidence.DKIM = nil }), want: NotDue},
		{name: "fo=s: SPF fails", change: fo("s"), want: SPF},
		{name: "fo=s: SPF passes", change: fo("s", passed(true, false)), want: NotDue},
		{name: "fo=s: not aligned", change: fo("s", func(r *record.Record) { r.Evidence.SPF.MailFrom.Domain = "other.example" }), want: SPF},
		{name: "fo=0:d:s: DMARC says all", change: fo("0:d:s"), want: DMARC},
		{name: "fo=d:s: DKIM before SPF", change: fo("d:s"), want: BodyHash},
		{name: "p=none", change: func(r *record.Record) { r.Evidence.DMARC[0].Published.P = evidence.PolicyNone }, want: DMARC},

		// RFC 9991 section 2
		{name: "no ruf", change: func(r *record.Record) { r.Evidence.DMARC[0].Published.RUF = nil }},
		{name: "psd=y", change: func(r *record.Record) { r.Evidence.DMARC[0].Published.PSD = "y" }},
		{name: "temperror", change: func(r *record.Record) { r.Evidence.DMARC[0].Result = evidence.TempError }},
		{name: "permerror", change: func(r *record.Record) { r.Evidence.DMARC[0].Result = evidence.PermError }},
		{name: "no policy", change: func(r *record.Record) { r.Evidence.DMARC[0].Result = evidence.None }},
		{name: "authenticated", change: func(r *record.Record) { r.Evidence.AuthType = "PLAIN" }},
		{name: "authenticated, by name", change: func(r *record.Record) { r.Evidence.AuthUser = "bob" }},
		{name: "not judged", change: func(r *record.Record) { r.Verdict.NotJudged = true }},
		{name: "put off", change: func(r *record.Record) { r.Verdict.Disposition = policy.DispositionTempfail }},
		{name: "given up by the MTA", change: func(r *record.Record) { r.Outcome.End = record.EndAborted }},
		{name: "over a limit", change: func(r *record.Record) { r.Outcome.End = record.EndLimit }},
		{name: "null reverse-path", change: func(r *record.Record) { r.Evidence.MailFrom = "" }},
		{name: "an exception decided", change: func(r *record.Record) { r.Verdict.Step = policy.StepException }},
		{name: "the client is not known", change: func(r *record.Record) { r.Evidence.Client.Unknown = true }},
		{name: "several Author Domains", change: func(r *record.Record) {
			r.Evidence.From.Domains = append(r.Evidence.From.Domains, "b.example")
			r.Evidence.DMARC = append(r.Evidence.DMARC, r.Evidence.DMARC[0])
		}},
		{name: "several From fields", change: func(r *record.Record) { r.Evidence.From.Problem = evidence.FromSeveral }},
	} {
		if got := Due(forged(test.change)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func fields(lines ...string) *header.Fields {
	var h header.Fields
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		h.Add([]byte(name), []byte(value))
	}
	return &h
}

func TestNoReportIsAboutAReport(t *testing.T) {
	for line, want := range map[string]bool{
		"Auto-Submitted: auto-generated":                                        true,
		"auto-submitted:auto-replied (vacation)":                                true,
		"Auto-Submitted: no":                                                    false,
		"Auto-Submitted: (x) No ; a=b":                                          false,
		"Content-Type: multipart/report; report-type=feedback-report":           true,
		"Content-Type: (c) Multipart/Report;\r\n report-type=x":                 true,
		"Content-Type: message/feedback-report":                                 true,
		"Content-Type: message/delivery-status":                                 true,
		"Content-Type: multipart/mixed":                                         false,
		"Subject: Report Domain: a.example Submitter: b.example":                true,
		"Subject: the report":                                                   false,
		"Content-Type : multipart/report; report-type=disposition-notification": true,
	} {
		if got := IsReport(fields("From: a@shop.example", line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// secrets are what no report may have of hostile below, in the octets of the mail.
var secrets = []string{"alice", "Alice", "bob", "carol", "victoria", "walter", "peggy", "mallory", "trent", "judy", "secret", "Secret", "News", "list-1", "quoted", "c2VjcmV0", "oscar"}

func hostile() *header.Fields {
	return fields(
		"Received: from pc (alice@pc [192.0.2.1]) by x for <bob@here.test>; Mon, 1 Dec 2025 09:00:00 +0100",
		"Return-Path: <carol@shop.example>",
		"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1; i=peggy@shop.example;\r\n\th=From:To:Subject; bh=AAAA=; z=From:alice@shop.example|Subject:secret; x-y=secret;\r\n b="+strings.Repeat("Q", 342),
		"From: \"Alice Secret (mallory@shop.example)\" <alice@shop.example>",
		"Sender: =?utf-8?q?Alice?= <judy@shop.example>",
		"Reply-To: \"quoted bob\"@shop.example",
		"To: bob@here.test, Bob Secret <bob+news@here.test>, undisclosed: ;",
		"Cc: <trent@xn--nxasmq6b.example>, victoria (secret)\r\n @here.test",
		"Subject: secret News",
		"Date: Mon, 1 Dec 2025 09:00:00 +0100 (oscar)",
		"Message-ID: <walter.1@shop.example>",
		"List-Id: News <list-1.shop.example>",
		"X-Originating-User: bob",
		"Content-Type: application/pdf; name=\"secret.pdf\"",
		"In-Reply-To: <walter.0@here.test>",
	)
}

// seen is a read.Sink.
type seen struct {
	list     []*read.Failure
	problems []read.Problem
}

func (s *seen) Aggregate(*read.Aggregate, *read.Records) error { return nil }
func (s *seen) Failure(f *read.Failure) error                  { s.list = append(s.list, f); return nil }
func (s *seen) Problem(p read.Problem)                         { s.problems = append(s.problems, p) }

// written is the mail of a report, and what the reader makes of it.
func written(t *testing.T, r *Report, incidents int64) (mail string, f *read.Failure) {
	t.Helper()
	var b bytes.Buffer
	err := WriteMail(&b, r, Envelope{ID: "failure00ff", Domain: "here.test", From: "dmarc@here.test", Name: "Here", To: "f@shop.example",
		UserAgent: "alignd/1", Date: r.At, Incidents: incidents})
	if err != nil {
		t.Fatal(err)
	}
	s := &seen{}
	if n, err := read.New(s, read.Limits{}).File("mail", bytes.NewReader(b.Bytes())); n != 1 || err != nil || len(s.list) != 1 || len(s.problems) > 0 {
		t.Fatalf("%d reports, %v, %+v\n%s", n, err, s.problems, b.String())
	}
	return b.String(), s.list[0]
}

var key = []byte("0123456789abcdef")

func TestAReportTellsWhatFailed(t *testing.T) {
	r := forged(nil)
	mail, f := written(t, Make(r, hostile(), DMARC, key), 101)
	red := Redactor{Key: key, About: "shop.example"}
	for name, want := range map[string]string{
		"feedback-type": "auth-failure", "version": "1", "user-agent": "alignd/1", "auth-failure": "dmarc", "identity-alignment": "dkim, spf",
		"reported-domain": "shop.example", "source-ip": "192.0.2.66", "source-port": "4711", "arrival-date": "Fri, 20 Nov 2026 12:00:00 +0000",
		"delivery-result": "reject", "incidents": "101", "reporting-mta": "dns; mx.here.test",
		"dkim-domain": "shop.example", "dkim-selector": "s1", "dkim-identity": red.address("peggy@shop.example"),
		"original-mail-from": red.address("carol=here.test@shop.example"), "original-rcpt-to": "", "original-envelope-id": "",
		"spf-dns": `txt : shop.example : "v=spf1 ip4:198.51.100.0/24 exp=x\"y\\z -all"`,
	} {
		if f.Fields[name] != want {
			t.Errorf("%s: %q, want %q", name, f.Fields[name], want)
		}
	}
	results := f.Fields["authentication-results"]
	for _, want := range []string{"mx.here.test; spf=fail", "dkim=fail", "header.d=shop.example", "header.i=@shop.example", "dmarc=fail", "header.from=shop.example"} {
		if !strings.Contains(results, want) {
			t.Errorf("Authentication-Results: %s has no %s", results, want)
		}
	}
	for _, want := range []string{
		"\r\nContent-Type: multipart/report;", "report-type=feedback-report", "\r\nAuto-Submitted: auto-generated\r\n", "\r\nContent-Type: text/rfc822-headers",
		"\r\nReceived: from pc.shop.example ([203.0.113.5]) by out.shop.example; Fri, 20\r\n Nov 2026 11:00:00 +0000\r\n",
		"\r\nDKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1;", "h=From:To:Subject;",
		"\r\nDate: Mon, 01 Dec 2025 09:00:00 +0100\r\n", "\r\nContent-Type: application/pdf\r\n", "\r\nMessage-ID: <" + red.address("walter.1@shop.example") + ">\r\n",
		red.address("bob@here.test"), red.address("bob+news@here.test"), red.address("trent@xn--nxasmq6b.example"), "@here.test>",
	} {
		if !strings.Contains(mail, want) {
			t.Errorf("the mail has no %q:\n%s", want, mail)
		}
	}
	for _, s := range secrets {
		if strings.Contains(mail, s) {
			t.Errorf("the mail has %q:\n%s", s, mail)
		}
	}
	if t.Failed() {
		return
	}
	if _, f := written(t, Make(r, hostile(), DMARC, key), 1); f.Fields["incidents"] != "" {
		t.Errorf("one message: Incidents: %s", f.Fields["incidents"])
	}
	t.Logf("\n%s", mail)
}

// One mailbox has one hash in what a Policy Domain gets, and another one elsewhere.
func TestHashesAreKeyed(t *testing.T) {
	a, b := Redactor{Key: key, About: "a.example"}, Redactor{Key: key, About: "b.example"}
	other := Redactor{Key: []byte("another"), About: "a.example"}
	one := a.address("Bob@Here.Test")
	if one != a.address("bob@here.test") || one == b.address("bob@here.test") || one == other.address("bob@here.test") || one == a.address("bob@there.test") {
		t.Error(one, a.address("bob@here.test"), b.address("bob@here.test"), other.address("bob@here.test"))
	}
}

func TestTypesAndIdentityAlignment(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(*record.Record)
		t         Type
		alignment string
		fields    map[string]string
	}{
		{name: "SPF is aligned", t: DMARC, alignment: "dkim", change: func(r *record.Record) { r.Evidence.DMARC[0].SPFAligned = true }},
		{name: "DKIM is aligned", t: SPF, alignment: "spf", change: func(r *record.Record) { r.Evidence.DMARC[0].DKIMAligned = true }},
		{name: "all are", t: BodyHash, alignment: "none", change: func(r *record.Record) { r.Evidence.DMARC[0].SPFAligned, r.Evidence.DMARC[0].DKIMAligned = true, true }},
		{name: "a signature of another domain is no failure of an aligned identifier", t: DMARC, alignment: "dkim, spf", fields: map[string]string{"dkim-domain": ""},
			change: func(r *record.Record) { r.Evidence.DKIM[0].Domain = "other.example" }},
		{name: "it is told where the report is about it", t: BodyHash, alignment: "dkim, spf", fields: map[string]string{"dkim-domain": "other.example"},
			change: func(r *record.Record) { r.Evidence.DKIM[0].Domain = "other.example" }},
		{name: "SPF of another domain", t: DMARC, alignment: "dkim, spf", fields: map[string]string{"spf-dns": ""},
			change: func(r *record.Record) { r.Evidence.SPF.MailFrom.Domain = "other.example" }},
		{name: "delivered", t: DMARC, alignment: "dkim, spf", fields: map[string]string{"delivery-result": "delivered"},
			change: func(r *record.Record) { r.Verdict.Delivery = policy.Deliver }},
		{name: "which folder is not told", t: DMARC, alignment: "dkim, spf", fields: map[string]string{"delivery-result": "policy"},
			change: func(r *record.Record) { r.Verdict.Delivery = policy.DeliverTag }},
		{name: "behind a relay the port is not known", t: DMARC, alignment: "dkim, spf", fields: map[string]string{"source-ip": "2001:db8::5", "source-port": ""},
			change: func(r *record.Record) { r.Evidence.Client.Original = netip.MustParseAddr("2001:db8::5") }},
	} {
		_, f := written(t, Make(forged(test.change), hostile(), test.t, key), 1)
		if f.AuthFailure != string(test.t) || f.IdentityAlignment != test.alignment {
			t.Errorf("%s: Auth-Failure %q, Identity-Alignment %q", test.name, f.AuthFailure, f.IdentityAlignment)
		}
		for name, want := range test.fields {
			if f.Fields[name] != want {
				t.Errorf("%s: %s: %q, want %q", test.name, name, f.Fields[name], want)
			}
		}
	}
}

// Whatever a message holds, the report stays a report with the same fields, in lines of
// US-ASCII that are short.
func TestHostileValuesStayInTheirFields(t *testing.T) {
	_, plain := written(t, Make(forged(nil), hostile(), DMARC, key), 1)
	for _, evil := range []string{
		"x\r\nIncidents: 9999\r\n", "x\nAuth-Failure: spf", "x\r\n\r\n--report-failure00ff\r\nContent-Type: text/html\r\n\r\n<b>", "\x00\x01\x7f", "\xff\xfe\xc3\x28", "b\u00fccher.example",
		strings.Repeat("a", 100000), strings.Repeat("<a@b.example>,", 20000), "\"", "\\", "(((((", "=?utf-8?q?=0d=0aX:y?=", "\r", ";;;;=", "a@b\r\nc.example",
	} {
		r := forged(func(r *record.Record) {
			ev := &r.Evidence
			ev.MailFrom, ev.MessageID, ev.MTA, ev.Client.HELO = evil+"@shop.example", evil, evil, evil
			ev.Received[0].From, ev.Received[0].By = evil, evil
			ev.DKIM[0].Domain, ev.DKIM[0].Selector, ev.DKIM[0].Identity, ev.DKIM[0].Reason = "shop.example", evil, evil, evil
			ev.SPF.MailFrom.Record, ev.SPF.MailFrom.Reason, ev.SPF.MailFrom.Explanation = "v=spf1 "+evil, evil, evil
		})
		h := fields("From:"+evil, "To:"+evil, "Subject:"+evil, "Date:"+evil, "Message-ID:"+evil, "Content-Type:"+evil, "DKIM-Signature: d="+evil+"; s="+evil+"; i="+evil, evil+": x")
		mail, f := written(t, Make(r, h, DMARC, key), 1)
		for name := range f.Fields {
			if _, known := plain.Fields[name]; !known {
				t.Errorf("%.40q: a field %q appears", evil, name)
			}
		}
		if f.AuthFailure != "dmarc" || f.ReportedDomain != "shop.example" || f.Fields["incidents"] != "" || strings.Count(mail, "\r\n--report-failure00ff") != 4 {
			t.Errorf("%.40q: %+v", evil, f)
		}
		checkLines(t, mail)
	}
}

// Each field takes a time that grows with its length at most.
func TestHostileFieldsCostLittle(t *testing.T) {
	r := forged(nil)
	for name, value := range map[string]string{
		"quotes":    strings.Repeat(`\"@`, 30000),
		"at signs":  strings.Repeat(`@`, 100000),
		"addresses": strings.Repeat(`a@b `, 30000),
		"one word":  strings.Repeat(`a`, 100000) + "@" + strings.Repeat("b", 100000),
		"dots":      strings.Repeat("a@"+strings.Repeat("b.", 100), 400),
		"tags":      strings.Repeat("b=;", 30000),
	} {
		h := fields("From:"+value, "To:"+value, "Cc:"+value, "Sender:"+value, "Reply-To:"+value, "DKIM-Signature:"+value, "Date:"+value, "Content-Type:"+value)
		began := time.Now()
		Make(r, h, DMARC, key)
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("%s: %v", name, took)
		}
	}
	var h header.Fields
	for range 10000 {
		h.Add([]byte("Content-Type"), []byte(strings.Repeat("(", 500)))
	}
	began := time.Now()
	if !IsReport(&h) || time.Since(began) > 50*time.Millisecond {
		t.Errorf("10,000 fields: %v", time.Since(began))
	}
}

func checkLines(t *testing.T, mail string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(mail, "\r\n"), "\r\n") {
		if len(line) > 998 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
			t.Errorf("a line: %.200q", line)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	var h header.Fields
	for range 10000 {
		h.Add([]byte("Received"), []byte(" from a by b; Mon, 1 Dec 2025 09:00:00 +0100"))
		h.Add([]byte("DKIM-Signature"), []byte(" v=1; d=shop.example; s=s; b="+strings.Repeat("x", 500)))
		h.Add([]byte("From"), []byte(strings.Repeat(" <a@shop.example>,", 10)))
	}
	r := forged(func(r *record.Record) {
		for range 1000 {
			r.Evidence.DKIM = append(r.Evidence.DKIM, r.Evidence.DKIM[0])
			r.Evidence.Received = append(r.Evidence.Received, r.Evidence.Received[0])
		}
		r.Evidence.SPF.MailFrom.Record = "v=spf1 " + strings.Repeat("include:x.example ", 5000)
	})
	began := time.Now()
	rep := Make(r, &h, DMARC, key)
	took := time.Since(began)
	mail, _ := written(t, rep, 1)
	if len(mail) > 40<<10 || took > time.Second {
		t.Errorf("%d octets in %v", len(mail), took)
	}
	t.Logf("30,000 fields, 1,001 signatures: %d octets of mail in %v", len(mail), took)
	checkLines(t, mail)
}

// Python's parser is an independent reader.
func TestPythonReadsIt(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import email").Run(); err != nil {
		t.Skip("left out: Python reads a failure report (needs python3; make test installs it)")
	}
	mail, f := written(t, Make(forged(nil), hostile(), DMARC, key), 7)
	cmd := exec.Command("/usr/bin/python3", "-c", `
import sys, email, email.policy
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
assert not m.defects, m.defects
assert m.get_content_type() == "multipart/report" and m["content-type"].params["report-type"] == "feedback-report"
p = list(m.iter_parts())
assert [x.get_content_type() for x in p] == ["text/plain", "message/feedback-report", "text/rfc822-headers"], p
r = email.message_from_string(p[1].get_payload() if isinstance(p[1].get_payload(), str) else p[1].get_payload()[0].as_string())
h = email.message_from_string(p[2].get_payload())
print(r["Auth-Failure"], r["Incidents"], r["Reported-Domain"], h["From"].count("@shop.example"), len(h.get_all("DKIM-Signature")), h["Subject"])
`)
	cmd.Stdin = strings.NewReader(mail)
	out, err := cmd.CombinedOutput()
	if want := "dmarc 7 shop.example 2 1 None"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v, %q, want %q; our reader: %+v", err, out, want, f)
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"a@b.example", `"x y"@b.example`, "<a@b.example>, c@d.example", "@@@", "\"\"@", "a@b.example@c.example"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r := Redactor{Key: key, About: "x.example"}
		for _, a := range r.addresses(value) {
			local, host, ok := strings.Cut(a, "@")
			if !ok || len(local) != 16 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz234567") != "" || strings.ContainsAny(host, "@<> \r\n") {
				t.Errorf("%q: %q", value, a)
			}
		}
	})
}
