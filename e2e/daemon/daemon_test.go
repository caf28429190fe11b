package daemon

import (
	"io"
	"testing"
)

func TestJudgedReadsTheLogLine(t *testing.T) {
	var d Daemon
	io.WriteString(&d.log, `level=INFO msg="alignd started" version=1
time=2026-01-02T03:04:05Z level=INFO msg="message judged" queue_id=4F2 spf=pass dkim="pass(a.example) fail(b.example)" reason="say \"no\" = yes" checking_ms=1.5
panic: not a log line
`)
	all := d.Judged()
	if len(all) != 1 {
		t.Fatalf("%d lines", len(all))
	}
	for key, want := range map[string]string{
		"queue_id": "4F2", "spf": "pass", "dkim": "pass(a.example) fail(b.example)", "reason": `say "no" = yes`, "checking_ms": "1.5",
	} {
		if got := all[0][key]; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestSplitKnowsBothKindsOfSocket(t *testing.T) {
	for listen, want := range map[string][2]string{
		"inet:127.0.0.1:8890": {"tcp", "127.0.0.1:8890"},
		"unix:/run/x.sock":    {"unix", "/run/x.sock"},
	} {
		network, address := Split(listen)
		if got := [2]string{network, address}; got != want {
			t.Errorf("%s: got %q, want %q", listen, got, want)
		}
	}
}
