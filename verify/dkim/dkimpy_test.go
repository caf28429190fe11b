package dkim_test

import (
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

// Messages signed by dkimpy; each also broken in one octet of header or body.
func TestMessagesSignedByDkimpy(t *testing.T) {
	heads := []string{
		"From: a@example.org\r\nTo: b@example.net\r\nSubject: hello\r\n",
		"Received: from x\r\n\tby y;\r\n\t date\r\nfROM: a@example.org (c)\r\nSUBJECT:\r\n\thello \t  there  \r\nTo:b@example.net\r\nX-Empty:\r\nSubject: hello\r\n",
		"From: =?utf-8?q?=C3=A4?= <a@example.org>\r\nSubject: 8-bit \xc3\xa4 " + strings.Repeat("long ", 180) + "\r\n",
	}
	texts := []string{
		"", "\r\n", "\r\n\r\n\r\n", "x", "x\r\n", "x\r\n\r\n", " x\ty  z \r\n", "x \r\n \r\n\t\r\n", "\r\n\r\nx\r\n", " \t \r\n",
		".\r\n..\r\n", "8-bit \xe4\xf6\xfc \xff\r\n", strings.Repeat("a long line ", 400) + "\r\n", strings.Repeat("line \r\n", 1000),
		"From here\r\n-- \r\nsig\r\n", "=3D=20\r\n",
	}
	ed := testsign.Ed25519('p')
	names := [][]string{{"from", "subject"}, {"from", "from", "subject", "to", "x-absent", "subject", "subject"}}
	var jobs []testsign.Job
	var records []string
	for i, head := range heads {
		for j, text := range texts {
			for c := range 4 {
				key := rsaKey
				if (i+j+c)%3 == 0 {
					key = ed
				}
				canon := []string{"simple", "relaxed"}
				jobs = append(jobs, testsign.Job{
					Message: []byte(head + "\r\n" + text), Key: key.Private(), Algorithm: key.Algorithm(),
					Header: canon[c/2], Body: canon[c%2], Names: names[(i+j)%2], Length: (i+j+c)%5 == 0,
				})
				records = append(records, key.Record())
			}
		}
	}
	// Some sign one of two Subject fields.
	opt := dkim.Options{Now: time.Now(), AcceptPartlySigned: true}
	for i, msg := range testsign.Dkimpy(t, jobs) {
		zone := testsign.DNS{"sel._domainkey.example.org": {records[i]}}
		sigs, _ := verify(t, msg, zone, opt, 11)
		if len(sigs) != 1 || sigs[0].Result != evidence.Pass {
			t.Errorf("%+v\n%q\ngot %+v", jobs[i], msg, sigs)
		}
		at := strings.LastIndex(msg, "hello")
		if at < 0 {
			at = strings.LastIndex(msg, "8-bit")
		}
		for _, broken := range []string{msg[:at] + "X" + msg[at+1:], msg + "!"} {
			sigs, _ := verify(t, broken, zone, opt, 0)
			if want := evidence.Fail; sigs[0].Result != want && !(sigs[0].Length >= 0 && sigs[0].Result == evidence.Policy) {
				t.Errorf("%q\ngot %+v", broken, sigs)
			}
		}
	}
	t.Logf("%d messages, %d broken ones", len(jobs), 2*len(jobs))
}
