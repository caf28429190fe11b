package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
	keep "alignd/journal"
	"alignd/journal/sqlite"
	"alignd/journal/state"
)

// TestFaultJournalKills kills alignd again and again under load: each message that was
// answered is in the journal, once; of those that were not, some may be.
func TestFaultJournalKills(t *testing.T) {
	t.Parallel()
	kills := many(10, 200)
	dir := t.TempDir()
	d := journaling(t, dir)
	answered, sent := map[string]bool{}, 0
	for range kills {
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		more, tried := sendUntilKilled(t, d, 100*time.Millisecond)
		for id := range more {
			answered[id] = true
		}
		sent += tried
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	found, unknown := kept(t, filepath.Join(dir, "state", "journal"))
	lost, doubled, others := 0, 0, 0
	for id := range answered {
		if found[id] == 0 {
			lost++
		}
	}
	for id, n := range found {
		if n > 1 {
			doubled++
		}
		if !answered[id] {
			others++
		}
	}
	t.Logf("%d kills: %d messages sent, %d answered, %d of them lost, %d records doubled, %d records without an answer that was heard, %d of them marked as unknown",
		kills, sent, len(answered), lost, doubled, others, unknown)
	row(t, "journal: kill -9 under load", fmt.Sprintf("%d kills, %d messages, %d answered", kills, sent, len(answered)),
		fmt.Sprintf("%d lost, %d doubled, %d more in the journal, %d of which unanswered or unknown", lost, doubled, others, unknown))
	sameCounts(t, filepath.Join(dir, "state", "state.db"), found)
	if lost > 0 || doubled > 0 || len(answered) < kills {
		t.Error("each answered message belongs into the journal once")
	}
}

// sameCounts compares what is counted with the records that there are.
func sameCounts(t *testing.T, file string, found map[string]int) {
	t.Helper()
	records := uint64(0)
	for _, n := range found {
		records += uint64(n)
	}
	s, err := state.ReadFile(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, by := range []state.Dimension{state.Total, state.ByDomain, state.ByClient, state.ByRule} {
		table, err := s.Count(context.Background(), state.Question{By: by})
		if err != nil {
			t.Fatal(err)
		}
		counted := table.Other.Messages
		for i := range table.Rows {
			counted += table.Rows[i].Messages
		}
		if counted != records {
			t.Errorf("counted by %s: %d messages, want those of %d records", by, counted, records)
		}
		if by == state.Total {
			row(t, "journal: counts after kill -9 under load", fmt.Sprintf("%d records", records), fmt.Sprintf("%d counted", counted))
		}
	}
}

// journaling is a daemon that keeps a journal below dir.
func journaling(t *testing.T, dir string) *daemon.Daemon {
	t.Helper()
	binary, err := daemon.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "alignd.yaml")
	text := fmt.Sprintf("not_judged: {networks: [192.0.2.0/24]}\njournal: {store: sqlite, path: %s}\n", filepath.Join(dir, "state"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon.Daemon{Binary: binary, Config: config, Listen: "inet:" + p}
	return d
}

// sendUntilKilled sends small messages on several connections, kills the daemon after a
// while, and returns the Message-IDs whose answer was heard.
func sendUntilKilled(t *testing.T, d *daemon.Daemon, after time.Duration) (answered map[string]bool, sent int) {
	t.Helper()
	answered = map[string]bool{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			network, address := daemon.Split(d.Listen)
			c, err := loadgen.Dial(network, address)
			if err != nil {
				return
			}
			defer c.Close()
			for {
				mu.Lock()
				sent++
				serial++
				id := fmt.Sprintf("<%d@sender.example>", serial)
				mu.Unlock()
				m := &loadgen.Message{From: "a@sender.example", Body: []byte("x\r\n"), Fields: []loadgen.Field{
					{Name: "From", Value: " a@sender.example"}, {Name: "Message-ID", Value: " " + id},
				}}
				if _, _, err := c.Send(m); err != nil {
					return
				}
				mu.Lock()
				answered[id] = true
				mu.Unlock()
			}
		})
	}
	time.Sleep(after)
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	senders.Wait()
	return answered, sent
}

// serial numbers the messages of sendUntilKilled, whose mutex guards it.
var serial int

// kept counts the records of each Message-ID.
func kept(t *testing.T, dir string) (found map[string]int, unknown int) {
	t.Helper()
	found = map[string]int{}
	r := sqlite.NewReader(dir)
	r.Skipped = func(err error) { t.Error(err) }
	err := r.Search(context.Background(), keep.Query{}, func(e *keep.Entry) error {
		found[e.Record.Evidence.MessageID]++
		if e.Answer != keep.AnswerWritten {
			unknown++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, unknown
}
