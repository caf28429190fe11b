package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"alignd/internal/made"
)

// Bounds of a page that reads by index: of the server's time, and in octets.
const (
	pageTime = 200 * time.Millisecond
	pageSize = 300 << 10
	// pageFirst is for a process that was just started: it reads meanwhile who sends as whom.
	pageFirst = time.Second
	// Those of SQLite hold with room.
	pageTimeSQLite  = 150 * time.Millisecond
	pageFirstSQLite = 750 * time.Millisecond
)

// askedPages are pages by what they ask for.
var askedPages = []string{
	"/today", "/today?span=30d", "/today?span=90d",
	"/messages", "/messages?domain=" + made.DomainOf(0), "/messages?domain=" + made.DomainOf(7000), "/messages?domain=nobody.example",
	"/messages?client=198.18.1.0%2F24", "/messages?client=192.0.1.77", "/messages?mail-from=" + made.DomainOf(10), "/messages?dmarc=fail&delivery=refuse",
	"/messages?rule=no-such-rule&since=1d", "/messages?queue-id=4Q000000AB1", "/message?id=4Q000000AB1", "/message/again?id=4Q000000AB1",
	"/senders", "/senders?days=90", "/senders?domain=" + made.DomainOf(0), "/sender?domain=" + made.DomainOf(0) + "&source=esp0-provider.example",
	"/rules", "/rule?id=partner", "/reports", "/reports/others", "/reports/others?by=day", "/reports/others?by=reporter", "/whatif", "/health",
}

// pagesInTime asks for each page, as what it is written as. first is the shortest time of
// processes that were asked for nothing else, as somebody sees it who looks first.
func pagesInTime(t *testing.T, journal string, n int) {
	t.Helper()
	most, mostFirst := pageTime, pageFirst
	if strings.HasPrefix(journal, "{store: sqlite") {
		most, mostFirst = pageTimeSQLite, pageFirstSQLite
	}
	rounds := 3
	if n < timesCount {
		rounds = 1
	}
	for _, page := range askedPages {
		first, later, size := time.Hour, time.Hour, 0
		for range rounds {
			get, end := pagesOf(t, journal)
			for i := range 3 {
				began := time.Now()
				status, text := get(page)
				took := time.Since(began)
				if size = len(text); status != http.StatusOK {
					t.Fatalf("%s: %d %.500s", page, status, text)
				}
				if i == 0 {
					first = min(first, took)
				} else {
					later = min(later, took)
				}
			}
			end()
		}
		t.Logf("%8.1f ms, first %8.1f ms, %4d KiB %s", ms(later), ms(first), size>>10, page)
		if (later > most || first > mostFirst || size > pageSize) && n >= timesCount {
			t.Errorf("%s takes %v, at first %v, and %d octets, want at most %v, %v and %d", page, later, first, size, most, mostFirst, pageSize)
		}
	}
}

// pagesOf serves the pages of a journal at a unix socket, whose rights are the login.
func pagesOf(t *testing.T, journal string) (get func(page string) (int, []byte), end func()) {
	t.Helper()
	dir := t.TempDir()
	socket, config := filepath.Join(dir, "web"), filepath.Join(dir, "alignd.yaml")
	text := "journal: " + journal + "\nsocket_mode: \"0600\"\nweb: {listen: \"unix:" + socket + "\", users_file: \"\", role: auditor}\n" +
		"own_domains: [{id: ours, domains: [" + made.DomainOf(1) + "], action: tag}]\nexceptions: [{id: partner, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}]\n" +
		"reports: {from: dmarc@mx.example.net, organization: Example}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command(binary(t), "web", "--config", config)
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("alignd web: %v\n%.2000s", err, said.String())
		}
	})
	t.Cleanup(end)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("no pages: %v", err)
		}
	}
	get = func(page string) (int, []byte) {
		resp, err := client.Get("http://localhost" + page)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text
	}
	return get, end
}
