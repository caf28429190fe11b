package running

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/record"
)

func configured(t *testing.T, options string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte("journal: {"+options+"}\n"), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What a daemon takes is in the store once it is closed, and it tells so.
func TestWhatIsTakenIsKept(t *testing.T) {
	cfg := configured(t, "path: "+t.TempDir()+", addresses: drop")
	m, err := Open(cfg, "alignd 1.2", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg, "another", nil, slog.New(slog.DiscardHandler)); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("a second daemon: %v", err)
	}
	ev := evidence.Message{Schema: evidence.SchemaVersion, Time: time.Now(), Token: "token0", MailFrom: "ann@bank.example", MailFromDomain: "bank.example", Sample: -1}
	r := &record.Record{Evidence: ev, Verdict: policy.Decide(&ev, cfg.Rules), Outcome: record.Outcome{End: record.EndAnswered}, Basis: record.Basis{Config: cfg.Hash()}}
	m.Sink(record.Sinks{}).Take(r)(true)
	if h := m.Health(cfg); !h.Open || h.Written != 1 || m.Waits() != nil || m.State() == nil || m.Place(cfg) != cfg.Journal.Path {
		t.Errorf("%+v", h)
	}
	m.Close()
	reader, err := place.OpenReader(cfg, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var found []string
	err = reader.Search(t.Context(), journal.Query{}, func(e *journal.Entry) error {
		found = append(found, e.Record.Evidence.Token+" "+e.Record.Evidence.MailFrom)
		return nil
	})
	if len(found) != 1 || strings.Contains(found[0], "ann") || !strings.HasPrefix(found[0], "token0 ") || err != nil {
		t.Errorf("kept is %q, %v", found, err)
	}
	if told := ReadTold(cfg); told == nil || !told.Stopped || told.Written != 1 || told.Loaded != 1 || told.Program != "alignd 1.2" || told.PID != os.Getpid() {
		t.Errorf("told is %+v", told)
	}
	state, err := place.ReadState(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if text, err := state.Config(t.Context(), cfg.Hash()); err != nil || !bytes.Equal(text, cfg.Text()) {
		t.Errorf("the configuration that judged: %q, %v", text, err)
	}
}

// A record that the counts fail on is set aside, and all others are counted, once.
func TestOneRecordDoesNotStopTheCounts(t *testing.T) {
	cfg := configured(t, "path: "+t.TempDir())
	tally := func(e *journal.Entry) []state.Tally {
		if e.Record.Evidence.Token == "token7" {
			panic("no")
		}
		return nil
	}
	m, err := Open(cfg, "alignd", tally, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 20 {
		ev := evidence.Message{Schema: evidence.SchemaVersion, Time: now, Token: fmt.Sprint("token", i), Sample: -1}
		m.Sink(record.Sinks{}).Take(&record.Record{Evidence: ev, Verdict: policy.Decide(&ev, cfg.Rules), Outcome: record.Outcome{End: record.EndAnswered}})(true)
	}
	for start := time.Now(); m.Health(cfg).Aside == 0 || !m.Health(cfg).FailingSince.IsZero(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%+v", m.Health(cfg))
		}
	}
	m.Close()
	if told := ReadTold(cfg); told == nil || told.Aside != 1 || told.Loaded != 20 || journal.SetAside(place.SpoolDir(cfg)) != 1 {
		t.Errorf("told is %+v", told)
	}
	st, err := place.ReadState(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hours, err := st.Hours(t.Context(), now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for _, c := range hours {
		n += c.Messages
	}
	if n != 19 {
		t.Errorf("%d messages are counted, want 19", n)
	}
}

// A daemon that starts does not tell that records of its earlier run wait, before the store
// said which of them it has.
func TestNothingWaitsAtAStart(t *testing.T) {
	cfg := configured(t, "path: "+t.TempDir())
	for run := range 3 {
		m, err := Open(cfg, "alignd", nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if h := m.Health(cfg); !h.Oldest.IsZero() {
			t.Errorf("run %d: one of %s waits", run, h.Oldest)
		}
		ev := evidence.Message{Schema: evidence.SchemaVersion, Time: time.Now(), Token: "token0", Sample: -1}
		m.Sink(record.Sinks{}).Take(&record.Record{Evidence: ev, Verdict: policy.Decide(&ev, cfg.Rules), Outcome: record.Outcome{End: record.EndAnswered}, Basis: record.Basis{Config: cfg.Hash()}})(true)
		m.Close()
	}
}

// Records are kept where nothing can be counted, and a daemon without journal does all
// that one with a journal does.
func TestLessThanAJournal(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "state.db"), 0o700); err != nil { // a folder is no database
		t.Fatal(err)
	}
	cfg := configured(t, "path: "+dir)
	var said bytes.Buffer
	m, err := Open(cfg, "alignd", nil, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if m.State() != nil || !strings.Contains(said.String(), "keeps records and counts nothing") {
		t.Errorf("a state: %s", said.String())
	}
	m.Judges(cfg)
	m.Close()

	var none *Journal
	none.Judges(cfg)
	none.Close()
	if h := none.Health(cfg); h.Open || !h.Configured || none.State() != nil || none.Waits() != nil || none.Place(cfg) != "none" {
		t.Errorf("%+v", h)
	}
}
