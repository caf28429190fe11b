package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/internal/pgtest"
	"alignd/journal/running"
	"alignd/record"
)

// emptyJournal is a configuration of a journal that nothing is in yet.
func emptyJournal(t *testing.T, options string) (file, state string) {
	t.Helper()
	dir := t.TempDir()
	file, state = filepath.Join(dir, "alignd.yaml"), filepath.Join(dir, "state")
	if err := os.WriteFile(file, fmt.Appendf(nil, "journal: {path: %q, %s}\n", state, options), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, state
}

// remembering opens the journal of a configuration as the daemon does.
func remembering(t *testing.T, file string) (*config.Config, *running.Journal) {
	t.Helper()
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(io.Discard, logLevel(cfg), logging.Text)
	t.Cleanup(func() { lines.Close() })
	return cfg, mustRemember(t, cfg, log)
}

// mustRemember opens the journal, for which a disk that is nearly full has no room.
func mustRemember(t *testing.T, cfg *config.Config, log *slog.Logger) *running.Journal {
	t.Helper()
	m, err := tryMemory(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func statusOf(t *testing.T, file string) (s journalStatus) {
	t.Helper()
	exit, out, errs := called("journal", "status", "--config", file, "--json")
	if err := json.Unmarshal([]byte(out), &s); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s%s", exit, err, out, errs)
	}
	return s
}

// What one store has goes into the other by an export, once however often it is
// imported, and tests itself there.
func TestAnExportGoesFromOneStoreIntoTheOther(t *testing.T) {
	cluster := pgtest.Start(t)
	if err := cluster.Exec("postgres", "CREATE DATABASE one"); err != nil {
		t.Fatal(err)
	}
	lite, _ := emptyJournal(t, "store: sqlite")
	big, _ := emptyJournal(t, fmt.Sprintf("store: postgres, url: %q", cluster.URL("one")))
	back, _ := emptyJournal(t, "store: sqlite")
	cfg, m := remembering(t, lite)
	for _, r := range past(t, cfg) {
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	m.Close()
	export := func(file string) (path string) {
		t.Helper()
		path = filepath.Join(t.TempDir(), "export")
		if exit, _, errs := called("journal", "export", "--config", file, "-o", path); exit != 0 || !strings.Contains(errs, "4 messages, 1 configuration") {
			t.Fatalf("exit %d: %s", exit, errs)
		}
		return path
	}
	path := export(lite)
	monitors := write(t, "monitors.yaml", "mode: monitor\n")
	exit, replayed, errs := called("replay", "--config", monitors, "--journal", lite, "--json")
	if exit != 0 || !strings.Contains(replayed, "bank.example") {
		t.Fatalf("exit %d: %s%s", exit, replayed, errs)
	}
	for _, into := range []string{big, back} {
		for range 3 {
			if exit, _, errs := called("journal", "import", "--config", into, path); exit != 0 || !strings.Contains(errs, "4 messages are in the journal") {
				t.Fatalf("exit %d: %s", exit, errs)
			}
		}
		if s := statusOf(t, into); s.Records != 4 || s.Octets == 0 || s.Oldest == "" || len(s.Taken) != 1 || s.Spool != nil {
			t.Errorf("%+v", s)
		}
		if exit, out, errs := called("journal", "self-test", "--config", into); exit != 0 || !strings.Contains(out, "4 messages judged again under what judged them, 0 differ") {
			t.Errorf("exit %d: %s%s", exit, out, errs)
		}
		if exit, out, _ := called("log", "--config", into, "--json"); exit != 0 || strings.Count(out, "\n") != 4 {
			t.Errorf("exit %d: %s", exit, out)
		}
		if exit, out, errs := called("replay", "--config", monitors, "--journal", into, "--json"); exit != 0 || out != replayed {
			t.Errorf("exit %d: %s%swant %s", exit, out, errs, replayed)
		}
		path = export(into)
	}
	for _, from := range []string{lite, big} { // where it is, from elsewhere
		exit, _, errs := called("journal", "import", "--config", from, path)
		if exit != exitFailure || !strings.Contains(errs, "not from this export") || statusOf(t, from).Records != 4 {
			t.Errorf("exit %d: %s", exit, errs)
		}
	}
	exit, _, errs = called("journal", "backup", "--config", big, filepath.Join(t.TempDir(), "backup"))
	if exit != exitFailure || !strings.Contains(errs, "pg_dump --format=custom") {
		t.Errorf("exit %d: %s", exit, errs)
	}
}

// A journal comes along into PostgreSQL as docs/fleet.md has it: each message once, and what
// comes meanwhile.
func TestAJournalComesAlongIntoPostgreSQL(t *testing.T) {
	before, state := emptyJournal(t, "store: sqlite")
	cfg, m := remembering(t, before)
	for _, r := range past(t, cfg) {
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	m.Close()
	if s := statusOf(t, before); s.Records != 4 || s.Spool.Waiting != 0 {
		t.Fatalf("%+v", s)
	}
	if err := os.RemoveAll(filepath.Join(state, "spool")); err != nil {
		t.Fatal(err)
	}
	after := write(t, "after.yaml", fmt.Sprintf("journal: {path: %q, store: postgres, url: %q}\n", state, pgtest.Database(t)))
	cfg, m = remembering(t, after)
	for i, r := range past(t, cfg) {
		r.Evidence.Token = fmt.Sprintf("later%d", i)
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	path := filepath.Join(t.TempDir(), "before.export")
	if exit, _, errs := called("journal", "export", "--config", before, "-o", path); exit != 0 || !strings.Contains(errs, "4 messages, 1 configuration") {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	for range 2 {
		if exit, _, errs := called("journal", "import", "--config", after, path); exit != 0 || !strings.Contains(errs, "4 messages are in the journal") {
			t.Fatalf("exit %d: %s", exit, errs)
		}
	}
	m.Close()
	exit, out, errs := called("log", "--config", after, "--json")
	if exit != 0 || strings.Count(out, `"token":"token`) != 4 || strings.Count(out, `"token":"later`) != 4 {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
	if exit, out, errs := called("stats", "--config", after, "--by", "domain", "--since", "30d", "--json"); exit != 0 || !strings.Contains(out, `"messages":6`) {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
}

func TestAnImportThatCannotBeIsSaid(t *testing.T) {
	lite, state := emptyJournal(t, "keep: 1h")
	none, _ := emptyJournal(t, "store: none")
	cfg, m := remembering(t, lite)
	for _, r := range past(t, cfg) {
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	_, file, _ := called("journal", "export", "--config", lite)
	_ = state
	other, _ := emptyJournal(t, "keep: 1h")
	exported := write(t, "export", file)
	for _, row := range []struct {
		name, config, file string
		exit               int
		said               string
	}{
		{name: "the daemon runs", config: lite, file: exported, exit: exitFailure, said: "stop it for the import"},
		{name: "no journal", config: none, file: exported, exit: exitFailure, said: "no journal is kept"},
		{name: "no file", config: other, file: exported + ".absent", exit: exitUsage, said: "no such file"},
		{name: "no export", config: other, file: lite, exit: exitUsage, said: "no export of a journal"},
		{name: "a part of one", config: other, file: write(t, "part", file[:len(file)-9]), exit: exitFailure, said: "ends too early"},
		{name: "without id", config: other, file: write(t, "unnamed", "alignd-journal 1\n{}\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), exit: exitFailure, said: "has no id"},
	} {
		exit, _, errs := called("journal", "import", "--config", row.config, row.file)
		if exit != row.exit || !strings.Contains(errs, row.said) {
			t.Errorf("%s: exit %d, want %d: %s", row.name, exit, row.exit, errs)
		}
	}
	m.Close()
	_, file, _ = called("journal", "export", "--config", lite)
	short := write(t, "short", file[:len(file)-1]+"\x09")
	for _, args := range [][]string{{"journal", "import", "--config", other}, {"replay", "--config", lite, "--input"}} {
		if exit, _, errs := called(append(args, short)...); exit != exitFailure || !strings.Contains(errs, "it has 4 messages, and its end says 9") {
			t.Errorf("%q with another number of messages at its end: exit %d: %s", args, exit, errs)
		}
	}
	exit, _, errs := called("journal", "import", "--config", other, write(t, "old", file))
	if exit != 0 || !strings.Contains(errs, "older than journal.keep (1h0m0s), so they go again when alignd runs: ") {
		t.Errorf("old records: exit %d: %s", exit, errs)
	}
}

// What comes in by an export was reported by the host that judged it: it is counted, and
// in no report.
func TestImportedMessagesAreNotReportedAgain(t *testing.T) {
	const reports = "reports: {from: dmarc@here.test, organization: Here, to: [all]}\n"
	from := reportedBy(t, reports)
	status := func(file string) string {
		t.Helper()
		exit, out, errs := called("report", "status", "--config", file)
		if exit != 0 {
			t.Fatalf("exit %d: %s", exit, errs)
		}
		return out
	}
	if out := status(from); !strings.Contains(out, "example.com") {
		t.Fatalf("who judged them does not report: %s", out)
	}
	_, export, _ := called("journal", "export", "--config", from)
	into, dir := emptyJournal(t, "store: sqlite")
	if err := os.WriteFile(into, fmt.Appendf(nil, "journal: {path: %q}\n%s", dir, reports), 0o600); err != nil {
		t.Fatal(err)
	}
	if exit, _, errs := called("journal", "import", "--config", into, write(t, "export", export)); exit != 0 || !strings.Contains(errs, "6 messages are in the journal") {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	_, m := remembering(t, into) // the daemon changes nothing of it
	m.Close()
	if out := status(into); strings.Contains(out, "example.com") {
		t.Errorf("reported again: %s", out)
	}
	if exit, out, errs := called("stats", "--config", into, "--since", "2d", "--by", "domain"); exit != 0 || !strings.Contains(out, "6     0     0") {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
}

// A backup of a journal that is written is restored: what it has is found, judged again
// without a difference, and goes on.
func TestABackupIsRestored(t *testing.T) {
	file, state := emptyJournal(t, "addresses: hash")
	cfg, m := remembering(t, file)
	for _, r := range past(t, cfg) {
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	m.Close()
	_, m = remembering(t, file) // it runs while the backup is made
	defer m.Close()
	to := filepath.Join(t.TempDir(), "backup")
	exit, _, errs := called("journal", "backup", "--config", file, to)
	if exit != 0 || !strings.Contains(errs, "1 files of records") {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	if exit, _, errs := called("journal", "backup", "--config", file, to); exit != exitFailure || !strings.Contains(errs, "is not empty") {
		t.Errorf("into the same folder: exit %d: %s", exit, errs)
	}
	restored, there := emptyJournal(t, "addresses: hash")
	if out, err := exec.Command("cp", "-a", to, there).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cfg, again := remembering(t, restored)
	for i, r := range past(t, cfg) {
		r.Evidence.Token = fmt.Sprintf("later%d", i)
		again.Sink(record.Sinks{}).Take(r)(true)
	}
	again.Close()
	exit, out, errs := called("log", "--config", restored, "--json")
	if exit != 0 || strings.Count(out, `"token":"token`) != 4 || strings.Count(out, `"token":"later`) != 4 || strings.Contains(out, "bob@") {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
	if exit, out, errs := called("journal", "self-test", "--config", restored); exit != 0 || !strings.Contains(out, "8 messages judged again under what judged them, 0 differ") {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
	key := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "addresses.key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if key(state) != key(there) {
		t.Error("the key is another one")
	}
	for _, path := range []string{to, filepath.Join(to, "state.db"), filepath.Join(to, "journal"), filepath.Join(to, "addresses.key")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o027 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}
