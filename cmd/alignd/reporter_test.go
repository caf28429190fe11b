package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/resolver"
)

// inbox is an SMTP server that keeps what comes.
type inbox struct {
	mu    sync.Mutex
	mails [][]byte
	from  string // envelope sender of the last one
}

func (b *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &inboxSession{b}, nil }

type inboxSession struct{ *inbox }

func (s *inboxSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = from
	return nil
}
func (s *inboxSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *inboxSession) Reset()                               {}
func (s *inboxSession) Logout() error                        { return nil }
func (s *inboxSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, data)
	return err
}

func (b *inbox) serve(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(b)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

func (b *inbox) wait(t *testing.T) []byte {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b.mu.Lock()
		n := len(b.mails)
		b.mu.Unlock()
		if n > 0 {
			return b.mails[0]
		}
	}
	t.Fatal("no mail came")
	return nil
}

// TestReportsLeave counts, cuts, sends and reads back.
func TestReportsLeave(t *testing.T) {
	box := &inbox{}
	options := fmt.Sprintf("reports: {from: dmarc@here.test, organization: Here, to: [all], relay: 'inet:%s', tls: none}\n", box.serve(t))
	file := reportedBy(t, options)
	call := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if exit := run(append(args, "--config", file), strings.NewReader(""), &out, &errs); exit != 0 {
			t.Fatalf("%q: exit %d: %s", args, exit, &errs)
		}
		return out.String()
	}
	if got := call("report", "status", "--offline"); !strings.Contains(got, "example.com") || !strings.Contains(got, "yes") {
		t.Errorf("status before:\n%s", got)
	}
	if got := call("report", "send", "example.com"); !strings.Contains(got, "1 mail leaves") {
		t.Errorf("send: %s", got)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(os.Stderr, logLevel(cfg), logging.Text)
	defer lines.Close()
	m := mustRemember(t, cfg, log)
	defer m.Close()
	reports, err := startReporter(cfg, m, nil, &resolver.Zone{}, log)
	if err != nil {
		t.Fatal(err)
	}
	mail := box.wait(t)
	reports.Close()
	var shown, errs bytes.Buffer
	if exit := run([]string{"report", "show", "--json", "-"}, bytes.NewReader(mail), &shown, &errs); exit != 0 || !strings.Contains(shown.String(), `"count":2`) || !strings.Contains(shown.String(), `"problems":[]`) {
		t.Errorf("exit %d: %s%s", exit, &shown, &errs)
	}
	if got := call("report", "status", "--json", "--offline"); !strings.Contains(got, `"state":"sent"`) || !strings.Contains(got, `"policy":"p=reject`) {
		t.Errorf("status after: %s", got)
	}
	if got := call("report", "preview", "--json", "example.com"); !strings.Contains(got, `"state":"sent"`) || !strings.Contains(got, `"messages":3`) {
		t.Errorf("preview after: %s", got)
	}
	var text bytes.Buffer
	if exit := run([]string{"report", "preview", "--config", file, "example.com"}, strings.NewReader(""), io.Discard, &text); exit != 0 || !strings.Contains(text.String(), "to reports@example.com is sent") {
		t.Errorf("exit %d: %s", exit, &text)
	}
}

// Rows are those of the report, however long they are; what is not sent is told when
// somebody wants it to leave.
func TestReportStatusCountsRows(t *testing.T) {
	file := reportedBy(t, "reports: {from: dmarc@here.test}\n")
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	got := alignd(t, "", "report", "status", "--json", "--offline", "--config", file)
	if !strings.Contains(got.stdout, `"rows":2,"messages":3,`) {
		t.Errorf("status: %s%s", got.stdout, got.stderr)
	}
	got = alignd(t, "", "report", "send", "--day", yesterday, "--config", file)
	if got.status != exitFailure || !strings.Contains(got.stderr, "1 is counted and not sent, and alignd report status says why") {
		t.Errorf("send: exit %d: %s", got.status, got.stderr)
	}
	for _, command := range []string{"status", "send"} {
		got = alignd(t, "", "report", command, "--config", write(t, "new.yaml", "reports: {from: dmarc@here.test}\njournal: {path: "+t.TempDir()+"/new}\n"))
		if got.status != exitFailure || !strings.Contains(got.stderr, "alignd serve makes it") {
			t.Errorf("%s before the first start: exit %d: %s", command, got.status, got.stderr)
		}
	}
}

// Who has a report leave sees which address gets none, as the daemon's log is not told.
func TestReportSendTellsWhoGetsNone(t *testing.T) {
	file := reportedBy(t, "reports: {from: dmarc@here.test, to: [all]}\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file = write(t, "later.yaml", strings.Replace(string(text), "to: [all]", "to: [all], opt_out: {addresses: [reports@example.com]}", 1))
	got := alignd(t, "", "report", "send", "--config", file, "--day", time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	if got.status != exitFailure || !strings.Contains(got.stderr, `msg="a report does not go to an address" policy_domain=example.com target=reports@example.com`) {
		t.Errorf("exit %d: %s", got.status, got.stderr)
	}
}
