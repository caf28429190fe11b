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
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/filled"
	"alignd/internal/made"
)

// Bounds of a page that reads by index: of the server's time, and in octets.
const (
	pageTime = 200 * time.Millisecond
	pageSize = 300 << 10
)

// Pages are made in time over many records, as questions are answered: see
// TestQuestionsAreAnsweredInTime.
func TestQuestionsOfPagesAreAnsweredInTime(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: pages over a journal of many records (make test runs it; it sets ALIGND_E2E=1)")
	}
	n, err := strconv.Atoi(os.Getenv("ALIGND_RECORDS"))
	if err != nil {
		n = 20_000
	}
	path := os.Getenv("ALIGND_JOURNAL")
	if path == "" {
		path = t.TempDir()
	}
	if have, _ := filepath.Glob(filepath.Join(path, "journal", "*.db")); len(have) == 0 {
		if _, err := filled.Journal(t.Context(), path, n, 10.5); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "state.db")); err != nil {
		began := time.Now()
		if err := filled.State(t.Context(), path, n, 10.5); err != nil {
			t.Fatal(err)
		}
		t.Logf("counted in %v", time.Since(began))
	}
	get := pagesOf(t, path)
	author := made.DomainOf(0)
	for _, page := range []string{
		"/today", "/today?span=30d", "/today?span=90d", "/messages", "/messages?domain=" + author, "/messages?domain=" + made.DomainOf(7000), "/messages?client=198.18.1.0%2F24",
		"/messages?dmarc=fail&delivery=refuse", "/messages?rule=no-such-rule&since=1d", "/messages?queue-id=4Q000000AB1", "/message?id=4Q000000AB1", "/senders", "/senders?domain=" + author,
		"/sender?domain=" + author + "&source=esp0-provider.example", "/rules", "/rule?id=partner", "/reports", "/whatif", "/health",
	} {
		best, size := time.Hour, 0
		for range 4 {
			began := time.Now()
			status, text := get(page)
			took := time.Since(began)
			if best, size = min(best, took), len(text); status != http.StatusOK {
				t.Fatalf("%s: %d %.500s", page, status, text)
			}
		}
		t.Logf("%8.1f ms %4d KiB %s", ms(best), size>>10, page)
		if (best > pageTime || size > pageSize) && n >= 1_000_000 {
			t.Errorf("%s takes %v and %d octets, want at most %v and %d", page, best, size, pageTime, pageSize)
		}
	}
}

// pagesOf serves the pages of a journal at a unix socket, whose rights are the login.
func pagesOf(t *testing.T, path string) (get func(page string) (int, []byte)) {
	t.Helper()
	dir := t.TempDir()
	socket, config := filepath.Join(dir, "web"), filepath.Join(dir, "alignd.yaml")
	text := "journal: {store: sqlite, path: " + path + "}\nsocket_mode: \"0600\"\nweb: {listen: \"unix:" + socket + "\", users_file: \"\", role: auditor}\n" +
		"own_domains: [{id: ours, domains: [" + made.DomainOf(1) + "], action: tag}]\nexceptions: [{id: partner, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command(binary(t), "web", "--config", config)
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("alignd web: %v\n%.2000s", err, said.String())
		}
	})
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
	return func(page string) (int, []byte) {
		resp, err := client.Get("http://localhost" + page)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, slices.Clone(text)
	}
}
