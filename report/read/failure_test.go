package read

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

const feedbackFields = "Feedback-Type: auth-failure\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Mail-From: <a@evil.example>\r\n" +
	"Arrival-Date: Fri, 20 Nov 2026 00:00:00 +0000\r\nSource-IP: 192.0.2.1\r\nReported-Domain: example.com\r\nAuth-Failure: dmarc\r\n" +
	"Identity-Alignment: dkim, spf\r\nDelivery-Result: reject\r\n"

const failureMail = "From: d@receiver.example\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nA message failed.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" + feedbackFields +
	"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@evil.example\r\n\r\n--b--\r\n"

// Failure reports are read whatever their parts are called, and what is unusual in their
// fields is told (RFC 6591 section 3, RFC 9991 section 4).
func TestFailureReportsAsTheyCome(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to string // replaced in failureMail
		times    int    // 0 is once
		want     string // a problem; empty: none
		see      func(*Failure) bool
	}{
		{name: "as they should be"},
		{name: "a blank line first", from: "feedback-report\r\n\r\nFeed", to: "feedback-report\r\n\r\n\r\nFeed"},
		{name: "blanks where lines are empty", from: "\r\n\r\n", to: "\r\n \r\n", times: 9},
		{name: "fields in plain text", from: "message/feedback-report", to: "text/plain"},
		{name: "fields in a file", from: "message/feedback-report", to: "application/octet-stream"},
		{name: "no multipart/report", from: "multipart/report; report-type=feedback-report", to: "multipart/mixed"},
		{name: "comments (RFC 5965 section 3.5)", from: "192.0.2.1\r\n", to: "192.0.2.1 (mail.evil.example (really))\r\n",
			see: func(f *Failure) bool {
				return f.SourceIP == "192.0.2.1" && f.Fields["source-ip"] == "192.0.2.1 (mail.evil.example (really))"
			}},
		{name: "a comment without end", from: "192.0.2.1\r\n", to: "192.0.2.1 (mail\r\n", want: "is not an address", see: func(f *Failure) bool { return f.SourceIP == "192.0.2.1 (mail" }},
		{name: "upper case is mapped", from: "dmarc\r\n", to: "DMARC\r\n", want: `auth_failure "DMARC" is read as "dmarc"`},
		{name: "upper case of the type", from: "auth-failure\r\n", to: "Auth-Failure\r\n", want: `feedback_type "Auth-Failure" is read as "auth-failure"`},
		{name: "upper case of methods", from: "dkim, spf", to: "DKIM, spf", want: `identity_alignment "DKIM" is read as "dkim"`},
		{name: "another kind of report", from: "Feedback-Type: auth-failure", to: "Feedback-Type: abuse", want: `feedback_type "abuse" is not auth-failure`,
			see: func(f *Failure) bool { return f.FeedbackType == "abuse" }},
		{name: "no kind", from: "Feedback-Type: auth-failure\r\n", want: "feedback_type is missing", see: func(f *Failure) bool { return f.FeedbackType == "" }},
		{name: "an unknown failure is kept", from: "Auth-Failure: dmarc", to: "Auth-Failure: dkim", want: `auth_failure "dkim" is an unknown word`,
			see: func(f *Failure) bool { return f.AuthFailure == "dkim" }},
		{name: "no failure", from: "Auth-Failure: dmarc\r\n", want: "auth_failure is missing", see: func(f *Failure) bool { return f.AuthFailure == "" }},
		{name: "an unknown method", from: "dkim, spf", to: "dkim, arc", want: `identity_alignment "arc" is an unknown word`,
			see: func(f *Failure) bool { return f.IdentityAlignment == "dkim, arc" }},
		{name: "many methods", from: "dkim, spf", to: "dkim" + strings.Repeat(",", 100), want: "identity_alignment names 101 methods",
			see: func(f *Failure) bool { return strings.HasPrefix(f.IdentityAlignment, "dkim,,") }},
		{name: "an unknown delivery", from: "Result: reject", to: "Result: eaten", want: `delivery-result "eaten" is an unknown word`,
			see: func(f *Failure) bool { return f.Fields["delivery-result"] == "eaten" }},
		{name: "an address in brackets", from: "192.0.2.1", to: "[192.0.2.1]", want: `source_ip "[192.0.2.1]" is not an address`,
			see: func(f *Failure) bool { return f.SourceIP == "[192.0.2.1]" }},
		{name: "no address", from: "Source-IP: 192.0.2.1\r\n", want: "source_ip is missing", see: func(f *Failure) bool { return f.SourceIP == "" }},
		{name: "no domain", from: "Reported-Domain: example.com\r\n", want: "reported_domain is missing", see: func(f *Failure) bool { return f.ReportedDomain == "" }},
		{name: "no date", from: "Fri, 20 Nov 2026 00:00:00 +0000", to: "yesterday", want: `arrival_date "yesterday" is not a date`,
			see: func(f *Failure) bool { return f.ArrivalDate == "yesterday" }},
	} {
		k, n := readAll(t, Limits{}, strings.Replace(failureMail, test.from, test.to, max(test.times, 1)))
		see := test.see
		if see == nil {
			see = func(f *Failure) bool {
				return f.FeedbackType == "auth-failure" && f.AuthFailure == "dmarc" && f.SourceIP == "192.0.2.1" && f.ReportedDomain == "example.com" && f.IdentityAlignment == "dkim, spf"
			}
		}
		if n[0] != 1 || len(k.failures) != 1 || !see(&k.failures[0]) {
			t.Errorf("%s: got %d, %+v", test.name, n[0], k.failures)
		}
		if test.want == "" && len(k.problems) > 0 || test.want != "" && !slices.ContainsFunc(k.problems, func(p string) bool { return strings.Contains(p, test.want) }) {
			t.Errorf("%s: problems %q, want %q", test.name, k.problems, test.want)
		}
	}
	if k, n := readAll(t, Limits{}, feedbackFields); n[0] != 1 || len(k.problems) > 0 {
		t.Errorf("the fields alone: got %d, problems %q", n[0], k.problems)
	}
}

// The message that a failure report is about may be a report: it is not one of ours.
func TestTheReportedMessageIsNoReport(t *testing.T) {
	attached := "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/xml\r\n\r\n" + report9990("r1") + "\r\n--c--\r\n"
	mail := strings.Replace(failureMail, "From: x@evil.example\r\n\r\n", attached, 1)
	for _, kind := range []string{"multipart/report; report-type=feedback-report", "multipart/report", "multipart/mixed"} {
		k, n := readAll(t, Limits{}, strings.Replace(mail, "multipart/report; report-type=feedback-report", kind, 1))
		if n[0] != 1 || len(k.failures) != 1 || len(k.heads) != 0 || len(k.problems) != 0 {
			t.Errorf("%s: got %d reports, %d failures, problems %q", kind, len(k.heads), len(k.failures), k.problems)
		}
	}
}

// Many texts that are no report cost little. With a field that grows by each line of each of
// them, these took 27 GB of memory one after the other.
func TestManyTextsCostLittle(t *testing.T) {
	const parts, most = 100, 256 << 20
	file := "From: a@receiver.example\nContent-Type: multipart/mixed; boundary=b\n\n" +
		strings.Repeat("--b\nContent-Type: text/plain\n\n"+strings.Repeat("a:b\n", maxText/4), parts) + "--b--\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k, n := readAll(t, Limits{}, packed(t, file))
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; n[0] != 0 || len(k.problems) != 1 || got > most {
		t.Errorf("got %d reports, problems %q, %d MiB", n[0], k.problems, got>>20)
	}
}

// What is not read of texts any more does not hide what else a mail holds.
func TestAReportBehindManyTexts(t *testing.T) {
	text := "--b\nContent-Type: text/plain\n\n" + strings.Repeat("a: b\n", maxText/5) + "\n"
	k, n := readAll(t, Limits{}, "From: a@receiver.example\nContent-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat(text, 30)+
		"--b\nContent-Type: text/plain\n\n"+report9990("r1")+"\n--b--\n")
	if n[0] != 1 || len(k.heads) != 1 {
		t.Errorf("got %d reports, problems %q", n[0], k.problems)
	}
}

// A field that is repeated is kept up to a bound.
func TestRepeatedFieldsAreBounded(t *testing.T) {
	k, _ := readAll(t, Limits{}, "Feedback-Type: auth-failure\nAuth-Failure: dmarc\nReported-Domain: example.com\nSource-IP: 192.0.2.1\nX: first\nX: second\n"+
		strings.Repeat("Y: "+strings.Repeat("y", 99)+"\n", 900))
	if f := k.failures[0].Fields; f["x"] != "first\nsecond" || len(f["y"]) > maxRepeated || len(f["y"]) < maxRepeated-100 {
		t.Errorf("got x %q, %d octets of y", f["x"], len(f["y"]))
	}
}

// A report that is plain text has the header of the message behind it. Whoever wrote that
// says nothing of the report.
func TestFailureReportsInPlainText(t *testing.T) {
	const text = "A message claiming to be from you has failed the published DMARC\npolicy for your domain.\n\n  Sender Domain: example.com\n" +
		"  Sender IP Address: 192.0.2.1\n  Received Date: Wed, 20 Feb 2019 08:52:51 +0100\n  DMARC Results: Reject\n\n" +
		"------ This is a copy of the headers that were received before the error\n       was detected.\n\n" +
		"Auth-Failure: bodyhash\nSource-IP: 203.0.113.9\nOriginal-Mail-From: <x@evil.example>\nIdentity-Alignment: none\nFrom: x@evil.example\n"
	const head = "From: d@receiver.example\nContent-Type: text/plain\n\n"
	for _, test := range []struct{ name, file string }{
		{name: "a mail", file: head + text},
		{name: "an empty line in front", file: head + "\n\n" + text},
		{name: "in base64", file: mailWith("text/plain", text)},
		{name: "multipart/report without the fields", file: strings.Replace(mailWith("text/plain", text), "multipart/mixed", "multipart/report", 1)},
		{name: "forwarded", file: forwarded(head + text)},
		{name: "quoted by who forwards it", file: head + "Look at this:\n> " + strings.ReplaceAll(text, "\n", "\n> ")},
	} {
		k, n := readAll(t, Limits{}, test.file)
		if n[0] != 1 || len(k.failures) != 1 || len(k.problems) != 0 {
			t.Errorf("%s: got %d, %+v, problems %q", test.name, n[0], k.failures, k.problems)
			continue
		}
		got := k.failures[0]
		if got.SourceIP != "192.0.2.1" || got.ReportedDomain != "example.com" || got.ArrivalDate != "Wed, 20 Feb 2019 08:52:51 +0100" || got.Fields["dmarc results"] != "Reject" ||
			got.FeedbackType != "auth-failure" || got.AuthFailure != "" || got.OriginalMailFrom != "" || got.IdentityAlignment != "" || got.Fields["from"] != "" {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}
