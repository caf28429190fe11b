package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/report/ours"
	"alignd/resolver"
)

// dsn is a notification that came back to an envelope sender.
func dsn(to, action string) string {
	return fmt.Sprintf("Return-Path: <>\nDelivered-To: %s\nFrom: mailer-daemon@example.com\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"+
		"Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; reports@example.com\nAction: %s\nStatus: 5.1.1\n\n--b--\n", to, action)
}

// left has a report leave, and returns the configuration, the envelope sender, and what
// takes notifications of the milter.
func left(t *testing.T) (file, sender string, r *ours.Reporter) {
	t.Helper()
	box := &inbox{}
	file = reportedBy(t, fmt.Sprintf("reports: {from: dmarc@here.test, bounces: dmarc-bounces@here.test, to: [all], relay: 'inet:%s', tls: none}\n", box.serve(t)))
	if got := alignd(t, "", "report", "send", "--config", file, "example.com"); got.status != 0 {
		t.Fatal(got.stderr)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(os.Stderr, logLevel(cfg), logging.Text)
	t.Cleanup(func() { lines.Close() })
	m := openMemory(cfg, log)
	t.Cleanup(m.Close)
	if r, err = startReporter(cfg, m, nil, &resolver.Zone{}, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	box.wait(t)
	box.mu.Lock()
	defer box.mu.Unlock()
	return file, box.from, r
}

// suppressed are the addresses that get none, and how often that happened.
func suppressedNow(t *testing.T, file string) string {
	t.Helper()
	var s reportStatus
	got := alignd(t, "", "report", "status", "--json", "--offline", "--config", file)
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
		t.Fatal(err, got.stderr)
	}
	text := ""
	for _, x := range s.Suppressed {
		text += fmt.Sprintf("%s %d ", x.Target, x.Times)
	}
	for _, o := range s.Outbox {
		text += o.State
	}
	return text
}

func TestNotificationsOfTheMilterAreTaken(t *testing.T) {
	file, sender, r := left(t)
	if r.Expects("dmarc-bounces+000000000000000000000000@here.test") || !r.Expects(sender) {
		t.Error("the token is not looked at")
	}
	r.Take(sender, []byte("Subject: out of office\n\nhello\n"))
	r.Take(sender, []byte(dsn(sender, "delivered")))
	for range 3 { // copies
		r.Take(sender, []byte(dsn(sender, "failed")))
	}
	want := "reports@example.com 1 bounced"
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && suppressedNow(t, file) != want; {
		time.Sleep(50 * time.Millisecond)
	}
	if got := suppressedNow(t, file); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, row := range []struct {
		address string
		status  int
	}{{"nobody@example.com", 1}, {"reports@example.com", 0}, {"reports@example.com", 1}} {
		if got := alignd(t, "", "report", "release", "--config", file, row.address); got.status != row.status {
			t.Errorf("release %s: %d %s", row.address, got.status, got.stderr)
		}
	}
	if got := suppressedNow(t, file); got != "bounced" {
		t.Errorf("released: %q", got)
	}
}

// Each mail of a Maildir is read once, and moved when what it says is stored. Links and
// what is no file stay.
func TestNotificationsOfAMaildirAreTaken(t *testing.T) {
	file, sender, _ := left(t)
	box := t.TempDir()
	for _, name := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(box, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("outside", dsn(sender, "failed"))
	if err := os.Symlink(filepath.Join(box, "outside"), filepath.Join(box, "new/0link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(box, "new/0fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(box, "new/0folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	put("new/.hidden", dsn(sender, "failed"))
	put("new/1", "Subject: hello\n\nA person writes.\n")
	put("cur/9:2,", dsn(sender, "failed"))
	read := func() string {
		t.Helper()
		got := alignd(t, "", "report", "bounce", "--config", file, box)
		if got.status != 0 {
			t.Fatalf("status %d: %s", got.status, got.stderr)
		}
		return got.stdout
	}
	if got := read(); !strings.Contains(got, "left alone") || suppressedNow(t, file) != "sent" {
		t.Errorf("%s, %s", got, suppressedNow(t, file))
	}
	put("new/2", dsn(sender, "failed"))
	put("new/3", dsn(strings.Replace(sender, "+", "+0", 1), "failed"))
	if got := read(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "no reports to reports@example.com for a while") {
		t.Errorf("%s", got)
	}
	if got := read(); got != "" {
		t.Errorf("read again: %s", got)
	}
	all, _ := filepath.Glob(filepath.Join(box, "*/*"))
	for i := range all {
		all[i], _ = filepath.Rel(box, all[i])
	}
	if got, want := strings.Join(all, " "), "cur/1:2, cur/2:2,S cur/3:2, cur/9:2, new/.hidden new/0fifo new/0folder new/0link"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
	if got, want := suppressedNow(t, file), "reports@example.com 1 bounced"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file that cannot be moved, as one of its name is there, keeps none of the others.
func TestAFileThatStaysKeepsNoOther(t *testing.T) {
	file, sender, _ := left(t)
	box := t.TempDir()
	for name, text := range map[string]string{"new/1": "Subject: hello\n\nA person writes.\n", "cur/1:2,": "x", "new/2": dsn(sender, "failed")} {
		if err := os.MkdirAll(filepath.Join(box, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(box, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := alignd(t, "", "report", "bounce", "--config", file, box)
	if got.status != 1 || !strings.Contains(got.stderr, "that stay as they are: 1; the first: ") || !strings.Contains(got.stderr, "cur/1:2, is there already") {
		t.Errorf("%+v", got)
	}
	if got, want := suppressedNow(t, file), "reports@example.com 1 bounced"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A Maildir that somebody made a link of leads nowhere else.
func TestAMaildirDoesNotLeadOutside(t *testing.T) {
	file := reportedBy(t, "reports: {from: dmarc@here.test, bounces: dmarc-bounces@here.test}\n")
	outside, box := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "passwd")
	if err := os.WriteFile(secret, []byte("Subject: x\n\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(box, "cur"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(box, "new")); err != nil {
		t.Fatal(err)
	}
	if got := alignd(t, "", "report", "bounce", "--config", file, box); got.status != 1 {
		t.Errorf("status %d: %s", got.status, got.stdout)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

func TestBounceIsUsedWell(t *testing.T) {
	file := reportedBy(t, "reports: {from: dmarc@here.test, bounces: dmarc-bounces@here.test}\n")
	off := write(t, "off.yaml", "journal: {store: none}\n")
	for _, row := range []struct {
		name   string
		args   []string
		status int
	}{
		{name: "no Maildir", args: []string{"--config", file, t.TempDir()}, status: 1},
		{name: "recipients of a Maildir", args: []string{"--config", file, "--recipient", "a@b.example", t.TempDir()}, status: 2},
		{name: "no reports", args: []string{"--config", off}, status: exitTempfail},
		{name: "nothing", args: []string{"--config", file}},
	} {
		var out, errs bytes.Buffer
		if got := run(append([]string{"report", "bounce"}, row.args...), strings.NewReader(""), &out, &errs); got != row.status {
			t.Errorf("%s: status %d, want %d: %s%s", row.name, got, row.status, &out, &errs)
		}
	}
}

// An MTA sends back what its pipe refuses for good, and the notification would be lost.
func TestABounceThatCannotBeStoredIsTriedAgain(t *testing.T) {
	file := write(t, "alignd.yaml", "journal: {store: postgres, url: 'postgres://nobody@127.0.0.1:1/none', path: "+t.TempDir()+"}\n"+
		"reports: {from: dmarc@here.test, organization: Here, bounces: back@here.test}\n")
	for _, c := range []struct {
		name, file string
		want       int
	}{
		{name: "the database is away", file: file, want: exitTempfail},
		{name: "no configuration", file: file + ".absent", want: exitTempfail},
	} {
		if exit, _, errs := called("report", "bounce", "--config", c.file); exit != c.want || errs == "" {
			t.Errorf("%s: exit %d, want %d: %s", c.name, exit, c.want, errs)
		}
	}
}

// What hosts share has no file on any of them: the commands that write ask the database.
func TestCommandsOfReportsWriteToTheSharedState(t *testing.T) {
	for _, store := range []string{"postgres", "sqlite"} {
		file := write(t, "alignd.yaml", "journal: {store: "+store+", url: 'postgres://nobody@127.0.0.1:1/none', path: "+t.TempDir()+"}\n"+
			"reports: {from: dmarc@here.test, organization: Here, bounces: back@here.test}\n")
		for _, command := range []string{"send", "bounce", "release back@a.example"} {
			exit, _, errs := called(append([]string{"report"}, append(strings.Fields(command), "--config", file)...)...)
			if exit == 0 || strings.Contains(errs, "state.db") || !strings.Contains(errs, "127.0.0.1") {
				t.Errorf("journal.store: %s, report %s: %d, %s", store, command, exit, errs)
			}
		}
	}
}
