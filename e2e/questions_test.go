package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"alignd/e2e/filled"
	"alignd/internal/made"
	"alignd/internal/pgtest"
	keep "alignd/journal"
	"alignd/journal/postgres"
)

// question is what a person asks a journal.
type question struct {
	name string
	args []string
	most time.Duration
}

// quick are questions that a person waits for; slow is for what reads every row.
const (
	quick = 100 * time.Millisecond
	slow  = 2 * time.Second
)

// Questions are answered in time: by a process of its own, with the files in the page
// cache, from each store. ALIGND_RECORDS says of how many records, and ALIGND_JOURNAL and
// ALIGND_DATABASE where they are kept for the next run. Of few records nothing is measured.
func TestQuestionsAreAnsweredInTime(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: questions to a journal of many records (make test runs it; it sets ALIGND_E2E=1)")
	}
	n, days := manyRecords()
	for _, store := range []struct {
		name string
		fill func(t *testing.T, n int, days float64) (yaml string)
	}{{"SQLite", filledSQLite}, {"PostgreSQL", filledPostgres}} {
		t.Run(store.name, func(t *testing.T) {
			journal := store.fill(t, n, days)
			config := filepath.Join(t.TempDir(), "alignd.yaml")
			if err := os.WriteFile(config, []byte("journal: "+journal+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			alignd := asker{t: t, program: binary(t), config: config, times: 5}
			if n < timesCount {
				alignd.times = 1
			}
			t.Logf("%8.1f ms alignd --version, for comparison", ms(alignd.best([]string{"--version"})))
			for _, q := range questions(alignd) {
				took := alignd.best(append(q.args, "--config", config))
				t.Logf("%8.1f ms %-40s alignd %s", ms(took), q.name, strings.Join(q.args, " "))
				if took > q.most && n >= timesCount {
					t.Errorf("%s takes %v, want at most %v", q.name, took, q.most)
				}
			}
			pagesInTime(t, journal, n)
			if store.name == "SQLite" {
				replays(t, alignd.program, config, n)
			}
		})
	}
}

// timesCount: from so many records on times count; ours.
const timesCount = 1_000_000

// manyRecords are how many, and the days that they are spread over, of which the last one
// is half over or so.
func manyRecords() (n int, days float64) {
	if n, err := strconv.Atoi(os.Getenv("ALIGND_RECORDS")); err == nil {
		return n, 90.5
	}
	return 10_000, 10.5
}

func filledSQLite(t *testing.T, n int, days float64) (yaml string) {
	path := os.Getenv("ALIGND_JOURNAL")
	if path == "" {
		path = t.TempDir()
	}
	if have, _ := filepath.Glob(filepath.Join(path, "journal", "*.db")); len(have) == 0 {
		cost, err := filled.SQLite(t.Context(), path, n, days)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d records taken in %v, of it %v in the store, which is %.1f µs each; sealed in %v",
			n, cost.All, cost.Taking, float64(cost.Taking.Microseconds())/float64(n), cost.Sealing)
	}
	return "{store: sqlite, path: " + path + ", keep: 100d}"
}

func filledPostgres(t *testing.T, n int, days float64) (yaml string) {
	url := os.Getenv("ALIGND_DATABASE")
	if url == "" {
		url = pgtest.Start(t, "shared_buffers=1GB").Database(t)
	}
	r := postgres.NewReader(postgres.Access{URL: url})
	defer r.Close()
	have := 0
	if err := r.Search(t.Context(), keep.Query{Limit: 1}, func(*keep.Entry) error { have++; return nil }); err != nil {
		t.Fatal(err)
	}
	if have == 0 {
		cost, err := filled.Postgres(t.Context(), url, n, days)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d records taken in %v, of it %v in the store, which is %.1f µs each; vacuumed in %v",
			n, cost.All, cost.Taking, float64(cost.Taking.Microseconds())/float64(n), cost.Sealing)
	}
	return "{store: postgres, path: " + t.TempDir() + ", url: \"" + url + "\", keep: 100d}"
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type asker struct {
	t               *testing.T
	program, config string
	times           int
}

// best is the shortest time of some runs, the first of which warms up.
func (a asker) best(args []string) time.Duration {
	a.t.Helper()
	best := time.Hour
	for range a.times {
		begin := time.Now()
		a.run(args)
		best = min(best, time.Since(begin))
	}
	return best
}

func (a asker) run(args []string) []byte {
	a.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(a.t.Context(), a.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && !strings.Contains(errs.String(), "has no message with") {
		a.t.Fatalf("alignd %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	return out.Bytes()
}

// told is a message as log --json tells of it.
type told struct {
	Token     string `json:"token"`
	QueueID   string `json:"queue_id"`
	MessageID string `json:"message_id"`
	MailFrom  string `json:"mail_from"`
	Client    struct {
		Peer string `json:"peer"`
	} `json:"client"`
}

func (a asker) one(args ...string) (m told) {
	a.t.Helper()
	out := a.run(append([]string{"log", "--json", "--limit", "1", "--config", a.config}, args...))
	if err := json.Unmarshal(out, &m); err != nil {
		a.t.Fatalf("alignd log %v: %v: %.300s", args, err, out)
	}
	return m
}

func questions(a asker) (list []question) {
	ask := func(most time.Duration, name string, args ...string) {
		list = append(list, question{name: name, args: args, most: most})
	}
	today, old := a.one("--until", "5h"), a.one("--until", "6d")
	ask(quick, "token, of today", "explain", today.Token)
	ask(quick, "queue id, of today", "explain", today.QueueID)
	ask(quick, "Message-ID, of today", "explain", today.MessageID)
	ask(quick, "token, six days old", "explain", old.Token)
	ask(quick, "queue id, six days old", "explain", old.QueueID)
	ask(quick, "Message-ID, six days old", "explain", old.MessageID)
	ask(quick, "an id that is not there", "explain", "4QNOTTHERE")
	ask(quick, "domain that writes most", "log", "--domain", made.DomainOf(0))
	ask(quick, "domain that writes some", "log", "--domain", made.DomainOf(700))
	ask(quick, "domain that writes little", "log", "--domain", made.DomainOf(19_000))
	ask(quick, "domain that writes nothing", "log", "--domain", "nobody.example")
	ask(quick, "address of a provider", "log", "--client", "192.0.1.77")
	ask(quick, "address of a small sender", "log", "--client", "10.0.74.57")
	ask(quick, "address that sends nothing", "log", "--client", "172.16.1.1")
	ask(quick, "network of a provider", "log", "--client", "192.0.1.0/24")
	ask(quick, "network of small senders", "log", "--client", "10.0.74.0/24")
	ask(quick, "address of MAIL FROM", "log", "--mail-from", old.MailFrom)
	ask(quick, "the newest", "log")
	ask(quick, "overview", "stats")
	for _, by := range []string{"domain", "client", "result", "rule", "day"} {
		ask(quick, "counts over 90 days", "stats", "--by", by, "--since", "90d")
	}
	ask(slow, "large network", "log", "--client", "10.0.0.0/8")
	ask(slow, "large network without mail", "log", "--client", "172.16.0.0/12")
	ask(slow, "disposition", "log", "--disposition", "reject")
	ask(slow, "disposition that nothing has", "log", "--disposition", "tempfail")
	ask(slow, "rule that nothing hit", "log", "--rule", "none")
	ask(slow, "what was held back, nothing", "log", "--would", "hold")
	ask(slow, "domain and disposition, nothing", "log", "--domain", made.DomainOf(0), "--disposition", "tempfail")
	ask(slow, "a week ago", "log", "--since", "8d", "--until", "7d")
	return list
}
