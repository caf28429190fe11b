package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"alignd/e2e/daemon"
	"alignd/e2e/instrument"
	"alignd/e2e/mta"
	"alignd/report/read"
)

// owners is where reports arrive. Its first answers are those of plan.
type owners struct {
	mu    sync.Mutex
	plan  []string // "451", "hang up" after the final dot
	mails []string
}

func (o *owners) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &ownersSession{owners: o, conn: c}, nil
}

type ownersSession struct {
	*owners
	conn *smtp.Conn
}

func (s *ownersSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *ownersSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *ownersSession) Reset()                               {}
func (s *ownersSession) Logout() error                        { return nil }
func (s *ownersSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := ""
	if len(s.plan) > 0 {
		answer, s.plan = s.plan[0], s.plan[1:]
	}
	if answer == "451" {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.mails = append(s.mails, string(data))
	if answer == "hang up" {
		s.conn.Conn().Close()
	}
	return nil
}

func (o *owners) serve(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(o)
	server.Domain = "relay.here.test"
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// counted adds up what reports say.
type counted struct {
	reports map[string]bool // ids
	rows    map[string]int64
	t       *testing.T
}

func (c *counted) Aggregate(head *read.Aggregate, records *read.Records) error {
	again := c.reports[head.ReportID]
	c.reports[head.ReportID] = true
	for r, err := range records.All() {
		if err != nil {
			return err
		}
		if !again { // a further copy is identical
			c.rows[fmt.Sprintf("%s %s dkim=%s spf=%s", r.HeaderFrom, r.Disposition, r.DKIM, r.SPF)] += *r.Count
		}
	}
	return nil
}
func (c *counted) Failure(*read.Failure) error { return nil }
func (c *counted) Problem(p read.Problem) {
	if !strings.Contains(p.Problem, "was read already") { // a further copy
		c.t.Errorf("a report: %+v", p)
	}
}

// TestFaultReports has two days of mixed mail go by and counts what the owners of its
// domains are told, while the relay fails and alignd is killed.
func TestFaultReports(t *testing.T) {
	binary, _, board := faulty(t)
	p := realMTA(t)
	const zone = `
_dmarc.good.example TXT "v=DMARC1; p=reject; rua=mailto:r@good.example"
_dmarc.news.good.example TXT "v=DMARC1; p=none; rua=mailto:n@good.example"
_dmarc.victim.example TXT "v=DMARC1; p=reject; rua=mailto:r@victim.example"
_dmarc.oneday.example TXT "v=DMARC1; p=reject; rua=mailto:r@oneday.example"
_dmarc.silent.example TXT "v=DMARC1; p=reject"
good.example TXT "v=spf1 ip4:198.51.100.66 -all"
news.good.example TXT "v=spf1 ip4:198.51.100.66 -all"
oneday.example TXT "v=spf1 ip4:198.51.100.66 -all"
silent.example TXT "v=spf1 ip4:198.51.100.66 -all"
attacker.example TXT "v=spf1 ip4:198.51.100.66 -all"
`
	relay := &owners{plan: []string{"451", "hang up", "451"}}
	state := filepath.Join(t.TempDir(), "state")
	d := &daemon.Daemon{Binary: binary, Listen: behind(""), Env: []string{instrument.BoardVariable + "=" + board.Name},
		Config: writeFile(t, "alignd.yaml", fmt.Sprintf("journal: {path: %s}\nreports: {from: dmarc@here.test, relay: 'inet:%s', tls: none}\ndns: {servers: [%q]}\n",
			state, relay.serve(t), serveText(t, zone).Addr()))}
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
	at := func(after time.Duration) { board.SetClock(time.Until(noon.Add(after))) }
	at(0)
	startDaemon(t, d)
	want := map[string]int64{}
	mail := func(n int, mailFrom, author string, code int, row string) {
		t.Helper()
		for i := range n {
			text := fmt.Sprintf("From: a@%s\nTo: bob@here.test\nSubject: %d\nDate: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <%d@%s>\n\nx\n", author, i, time.Now().UnixNano(), author)
			if reply := sendFrom(t, p, mailFrom, text); reply.Code != code {
				t.Fatalf("%s from %s: %s", author, mailFrom, reply)
			}
		}
		if row != "" {
			want[row] += int64(n)
		}
	}
	for day := range 2 {
		mail(5+day, "x@good.example", "good.example", 250, "good.example pass dkim=fail spf=pass")
		mail(3, "x@attacker.example", "good.example", 550, "good.example reject dkim=fail spf=fail")
		mail(2, "x@attacker.example", "shop.good.example", 550, "shop.good.example reject dkim=fail spf=fail")
		mail(2, "x@news.good.example", "news.good.example", 250, "news.good.example none dkim=fail spf=pass")
		mail(1, "x@attacker.example", "news.good.example", 250, "news.good.example none dkim=fail spf=fail")
		mail(4, "x@attacker.example", "victim.example", 550, "")
		mail(1, "x@silent.example", "silent.example", 250, "")
		if day == 0 {
			mail(2, "x@oneday.example", "oneday.example", 250, "")
		}
		if err := d.Stop(); err != nil { // what is gathered is written
			t.Fatal(err)
		}
		at(time.Duration(day+1) * 24 * time.Hour)
		startAgain(t, d)
	}
	// The clock stands at noon of the third day. Each start looks at once; a try that
	// failed is made again a quarter of an hour later, or an hour.
	kills := 0
	for hour := 0; hour < 10 && relay.count() < 5; hour++ {
		time.Sleep(2 * time.Second)
		if err := d.Kill(); err != nil {
			t.Fatal(err)
		}
		kills++
		at(time.Duration(48+hour+1)*time.Hour + 10*time.Minute)
		startAgain(t, d)
	}
	time.Sleep(2 * time.Second)
	got := counted{reports: map[string]bool{}, rows: map[string]int64{}, t: t}
	reader := read.New(&got, read.Limits{})
	for i, m := range relay.mails {
		if n, err := reader.File(fmt.Sprint(i), strings.NewReader(m)); (n != 1 && n != 0) || err != nil {
			t.Errorf("mail %d: %d reports, %v", i, n, err)
		}
	}
	var rows []string
	for row, n := range want {
		if got.rows[row] != n {
			t.Errorf("%s: %d reported, %d sent", row, got.rows[row], n)
		}
		rows = append(rows, row)
	}
	for r, n := range got.rows {
		if want[r] == 0 {
			t.Errorf("also reported: %s (%d)", r, n)
		}
	}
	slices.Sort(rows)
	t.Logf("%d mails with %d reports, %d kills, rows:\n%s", len(relay.mails), len(got.reports), kills, strings.Join(rows, "\n"))
	row(t, "aggregate reports: relay puts off and hangs up, kill -9 in between", fmt.Sprintf("two days of mail, %d kills", kills),
		fmt.Sprintf("%d reports in %d mails, each count as sent; forged victims and one-day domains got none", len(got.reports), len(relay.mails)))
}

func (o *owners) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.mails)
}

// startAgain starts a daemon that startDaemon stops at the end.
func startAgain(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
}

// sendFrom sends a message in a session of its own.
func sendFrom(t *testing.T, p *mta.Postfix, mailFrom, message string) mta.Reply {
	t.Helper()
	c, err := mta.Dial(p.Addr(""), mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return transaction(t, c, mailFrom, strings.NewReader(message))
}
