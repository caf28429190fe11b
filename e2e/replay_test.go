package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"alignd/e2e/loadgen"
)

// A replay of a million records on two cores is done in replayMost, and takes
// replayMemory whatever their number.
const (
	replayMost   = 15 * time.Second
	replayMemory = 200 << 20
)

// changes are configurations whose replay is measured.
var changes = []struct {
	name, text string
	args       []string
}{
	{name: "nothing", text: "mode: enforce\n"},
	{name: "reject_mode, by domain", text: "reject_mode: corroborated\n", args: []string{"--by", "domain"}},
	{name: "an entry, by client", args: []string{"--by", "client"},
		text: "exceptions:\n- {id: wave, kind: block, action: tag, scope: {author_domains: [author00000-company.example]}, never_expires: true}\n"},
	{name: "monitor mode", text: "mode: monitor\n"},
	{name: "discovery, all in doubt", text: "discovery: psl\n", args: []string{"--by", "domain"}},
}

// peakOf runs a command and returns its largest resident set, in octets, as it was seen
// every few milliseconds: what the kernel tells at the end is not less than that of this
// process, whose memory the command had until it began.
func peakOf(cmd *exec.Cmd) (peak int64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-time.After(5 * time.Millisecond):
			if u, err := loadgen.Process(cmd.Process.Pid); err == nil {
				peak = max(peak, u.Peak)
			}
		}
	}
}

// replays measures replays of the n records of a journal.
func replays(t *testing.T, program, journal string, n int) {
	for _, c := range changes {
		file := filepath.Join(t.TempDir(), "new.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, append([]string{"replay", "--json", "--journal", journal, "--config", file}, c.args...)...)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		begin := time.Now()
		memory, err := peakOf(cmd)
		if err != nil {
			t.Fatalf("%s: %v: %s", c.name, err, errs.String())
		}
		took := time.Since(begin)
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		var got struct{ Counters map[string]int }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Counters["total"] != n {
			t.Fatalf("%s: %v, %v; want %d messages", c.name, err, got.Counters, n)
		}
		t.Logf("%8.1f ms replay of %s, %.1f µs CPU a record, %d MiB; %d changed, %d cannot be told", ms(took), c.name,
			float64(cpu.Microseconds())/float64(n), memory>>20, got.Counters["changed"], got.Counters["cannot_tell"])
		if most := time.Duration(float64(replayMost) * float64(n) / 1e6); took > most && n >= timesCount {
			t.Errorf("a replay of %s takes %v, want at most %v", c.name, took, most)
		}
		if memory > replayMemory {
			t.Errorf("a replay of %s takes %d MiB, want at most %d", c.name, memory>>20, replayMemory>>20)
		}
	}
}
