package e2e

import (
	"bytes"
	endian "encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/port"
)

// journal stands in for systemd-journald: a datagram socket where alignd, in a mount
// namespace of its own, finds the journal's. It has a /run of its own there, which is
// empty but for that.
type journal struct {
	*net.UnixConn
	dir string
}

func newJournal(t *testing.T) *journal {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the journal's own protocol, which wants root for a mount namespace (make test runs it; it sets ALIGND_E2E=1)")
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Fatalf("no mount namespace: %v: %s", err, out)
	}
	dir, err := os.MkdirTemp("", "j") // short: the address of a socket has 107 octets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &journal{conn, dir}
}

// serve runs alignd beside the journal. The shell line before goes first.
func (j *journal) serve(t *testing.T, before, settings string) (*daemon.Daemon, fakemta.Options) {
	t.Helper()
	script := writeFile(t, "alignd", `#!/bin/sh
`+before+`
exec unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
	{ [ -z "$JOURNAL" ] || mount --bind "$JOURNAL" /run/systemd/journal; } && exec "$@"' sh `+binary(t)+` "$@"
`)
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, script, "inet:"+addr, spoofZone, settings)
	return d, fakemta.Options{Network: "tcp", Address: addr}
}

// entry is the next one; nil when none comes.
func (j *journal) entry(t *testing.T) map[string]string {
	t.Helper()
	var datagram [1 << 16]byte
	j.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := j.Read(datagram[:])
	if err != nil {
		return nil
	}
	return parseEntry(t, datagram[:n])
}

// parseEntry reads the journal's native protocol: KEY=VALUE and LF, or, for values
// with line ends, KEY, LF, the length in 64 bits, the value, LF.
func parseEntry(t *testing.T, b []byte) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			t.Fatalf("no line end after %q", b)
		}
		key, value, ok := strings.Cut(string(line), "=")
		if !ok {
			n := endian.LittleEndian.Uint64(rest)
			value, rest = string(rest[8:8+n]), rest[8+n+1:]
		}
		fields[key] = value
		b = rest
	}
	return fields
}

// TestKeysAreFieldsOfTheJournal: with log_format journald, and with auto where the
// journal reads standard error, journalctl ALIGND_QUEUE_ID=... finds a message.
func TestKeysAreFieldsOfTheJournal(t *testing.T) {
	for _, row := range []struct{ name, before, settings string }{
		{name: "journald", settings: "log_format: journald"},
		{name: "auto, under systemd", before: `export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/$$/fd/2)"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := newJournal(t)
			d, opt := j.serve(t, "export JOURNAL="+j.dir+"\n"+row.before, row.settings)
			s := fakemta.Dial(opt, hostileClient)
			defer s.Close()
			greet(t, s, "host.attacker.example", "x@attacker.example")
			if r := s.Data([]byte("Message-ID: <1@\xff\">\r\n" + spoof)); r.Reply.Code != 550 {
				t.Fatalf("got %s", r.Reply)
			}
			var got map[string]string
			for got = j.entry(t); got != nil && got["ALIGND_MSG"] != "message judged"; got = j.entry(t) {
			}
			for key, want := range map[string]string{
				"SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "alignd", "PRIORITY": "6",
				"ALIGND_AUTHOR_DOMAIN": "example.com", "ALIGND_DMARC": "fail", "ALIGND_DELIVERY": "refuse", "ALIGND_SPF": "pass",
				"ALIGND_SPF_PATH": "attacker.example:1", "ALIGND_MESSAGE_ID": "<1@\xff\">",
			} {
				if got[key] != want {
					t.Errorf("%s: got %q, want %q", key, got[key], want)
				}
			}
			if id := got["ALIGND_QUEUE_ID"]; !strings.HasPrefix(id, "FAKE") || !strings.HasPrefix(got["MESSAGE"], `msg="message judged" queue_id=`+id+" token=") {
				t.Errorf("queue id %q, message %q", id, got["MESSAGE"])
			}
			if log := d.Log(); strings.Contains(log, "msg=") {
				t.Errorf("standard error has it too: %s", log)
			}
		})
	}
}

// TestWithoutAJournalTheLogIsNotLost: log_format journald where there is none.
func TestWithoutAJournalTheLogIsNotLost(t *testing.T) {
	j := newJournal(t)
	d, _ := j.serve(t, "", "log_format: journald")
	waitLog(t, d, 1, "msg=\"the journal cannot be reached, the log goes to standard error\"")
	waitLog(t, d, 1, "msg=\"alignd started\"")
}
