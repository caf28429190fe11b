package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/instrument"
	"alignd/e2e/mta"
	"alignd/report/read"
)

const failureZone = `
_dmarc.shop.example TXT "v=DMARC1; p=reject; ruf=mailto:f@shop.example"
_dmarc.psd.example TXT "v=DMARC1; p=reject; psd=y; ruf=mailto:f@psd.example"
_dmarc.bomb.example TXT "v=DMARC1; p=reject; ruf=mailto:victim@other.example"
_dmarc.agreed.example TXT "v=DMARC1; p=reject; ruf=mailto:f@other.example,mailto:dmarc@here.test"
agreed.example._report._dmarc.other.example TXT "v=DMARC1"
_dmarc.silent.example TXT "v=DMARC1; p=reject"
_dmarc.strict.example TXT "v=DMARC1; p=none; fo=1; ruf=mailto:f@strict.example"
strict.example TXT "v=spf1 ip4:198.51.100.66 -all"
attacker.example TXT "v=spf1 ip4:198.51.100.66 -all"
`

// failures reads failure reports.
type failures struct {
	t    *testing.T
	list []*read.Failure
}

func (f *failures) Aggregate(*read.Aggregate, *read.Records) error {
	f.t.Error("an aggregate report")
	return nil
}
func (f *failures) Failure(r *read.Failure) error { f.list = append(f.list, r); return nil }
func (f *failures) Problem(p read.Problem)        { f.t.Errorf("a report: %+v", p) }

// TestFaultFailureReports has forged mail of many kinds come through a real Postfix, with
// kill -9 before the reports leave, and looks at what the owners of its domains are told.
func TestFaultFailureReports(t *testing.T) {
	binary, _, board := faulty(t)
	p := realMTA(t)
	relay := &owners{}
	d := &daemon.Daemon{Binary: binary, Listen: behind(""), Env: []string{instrument.BoardVariable + "=" + board.Name},
		Config: writeFile(t, "alignd.yaml", fmt.Sprintf(`journal: {path: %s}
reports: {from: dmarc@here.test, relay: 'inet:%s', tls: none, failure: {to: [all], every: 1h}}
dns: {servers: [%q]}
`, filepath.Join(t.TempDir(), "state"), relay.serve(t), serveText(t, failureZone).Addr()))}
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
	at := func(after time.Duration) { board.SetClock(time.Until(begin.Add(after))) }
	at(0)
	startDaemon(t, d)
	send := func(mailFrom, author string, peer mta.Peer, fields ...string) {
		t.Helper()
		c, err := mta.Dial(p.Addr(""), peer)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		text := fmt.Sprintf("From: \"Secret Name\" <alice@%s>\nTo: Bob Secret <bob@here.test>\nSubject: secret\nX-Secret: secret\nDate: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <walter@%s>\n%s\n\nsecret body\n",
			author, author, strings.Join(append(fields, "X-Last: x"), "\n"))
		transaction(t, c, mailFrom, strings.NewReader(text))
	}
	peer := mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")}
	for range 21 {
		send("bob=here.test@attacker.example", "shop.example", peer)
	}
	send("x@attacker.example", "shop.example", peer, "Content-Type: multipart/report; report-type=delivery-status; boundary=x")
	send("x@attacker.example", "shop.example", peer, "Auto-Submitted: auto-replied")
	send("", "shop.example", peer)
	send("x@attacker.example", "shop.example", mta.Peer{Addr: peer.Addr, User: "bob"})
	send("x@attacker.example", "psd.example", peer)
	send("x@attacker.example", "bomb.example", peer)
	send("x@attacker.example", "silent.example", peer)
	send("x@attacker.example", "agreed.example", peer, "X-Evil: \x01\xff", "Reply-To: x\xff\xfe@y\x02.example")
	send("x@strict.example", "strict.example", peer) // it passes by SPF alone
	time.Sleep(6 * time.Second)                      // what was counted is written
	preview, err := exec.Command(binary, "report", "preview", "--config", d.Config, "--failure", "shop.example").CombinedOutput()
	if err != nil || !strings.Contains(string(preview), "Incidents: 21") {
		t.Errorf("preview: %v\n%s", err, preview)
	}
	if status, err := exec.Command(binary, "report", "status", "--config", d.Config).CombinedOutput(); err != nil || !strings.Contains(string(status), "FAILURES OF") {
		t.Errorf("status: %v\n%s", err, status)
	}
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	if relay.count() != 0 {
		t.Errorf("%d mails left before their time", relay.count())
	}
	at(62 * time.Minute)
	startAgain(t, d)
	for end := time.Now().Add(15 * time.Second); relay.count() < 3 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	time.Sleep(time.Second)
	got := &failures{t: t}
	reader := read.New(got, read.Limits{})
	relay.mu.Lock()
	defer relay.mu.Unlock()
	for i, m := range relay.mails {
		if n, err := reader.File(fmt.Sprint(i), strings.NewReader(m.text)); n != 1 || err != nil {
			t.Errorf("mail %d: %d reports, %v", i, n, err)
		}
		for _, secret := range []string{"secret", "Secret", "alice@", "bob", "walter", "attacker-name"} {
			if strings.Contains(m.text, secret) {
				t.Errorf("a report has %q:\n%s", secret, m.text)
			}
		}
	}
	var told []string
	for _, f := range got.list {
		told = append(told, fmt.Sprintf("%s incidents=%s alignment=%s delivery=%s", f.ReportedDomain, f.Fields["incidents"], f.IdentityAlignment, f.Fields["delivery-result"]))
	}
	slices.Sort(told)
	want := []string{
		"agreed.example incidents= alignment=dkim, spf delivery=reject",
		"shop.example incidents=21 alignment=dkim, spf delivery=reject",
		"strict.example incidents= alignment=dkim delivery=delivered",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if !t.Failed() {
		t.Logf("\n%s", relay.mails[0].text)
	}
	row(t, "failure reports: forged mail of many kinds, kill -9 before they leave", "30 messages", fmt.Sprintf("%d reports, redacted, one for 21 messages; none about notifications, logins, psd=y or to who did not agree", len(relay.mails)))
}
