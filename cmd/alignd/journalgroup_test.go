package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alignd/config"
	"alignd/journal"
)

// called runs alignd and returns its status and what it wrote.
func called(args ...string) (exit int, stdout, stderr string) {
	var out, errs bytes.Buffer
	exit = run(args, strings.NewReader(""), &out, &errs)
	return exit, out.String(), errs.String()
}

func TestTheJournalTellsWhatItHolds(t *testing.T) {
	file := remembered(t)
	exit, out, errs := called("journal", "status", "--config", file, "--json")
	var s journalStatus
	if err := json.Unmarshal([]byte(out), &s); exit != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s%s", exit, err, out, errs)
	}
	if s.Store != "sqlite" || s.Records != 2 || s.Octets == 0 || s.Version == 0 || s.Oldest == "" || s.Newest <= s.Oldest ||
		len(s.Parts) == 0 || len(s.Taken) != 1 || s.Daemon == nil || s.Daemon.Written != 2 || !s.Daemon.Stopped || s.Spool == nil || s.Spool.ID != s.Taken[0].Spool || s.Spool.Waiting != 0 || s.Spool.Octets == 0 {
		t.Errorf("got %s", out)
	}
	exit, out, _ = called("journal", "status", "--config", file)
	if exit != 0 || !strings.Contains(out, "0 messages wait for the store") || !strings.Contains(out, "in use") || !strings.Contains(out, "2 records, 0 late, 0 dropped") {
		t.Errorf("exit %d: %s", exit, out)
	}
	part := filepath.Join(filepath.Dir(file), "state", "journal", s.Parts[0].Name)
	if err := errors.Join(os.WriteFile(part, []byte("no database, but some text"), 0o600), os.Remove(part+"-wal")); err != nil {
		t.Fatal(err)
	}
	exit, out, errs = called("journal", "status", "--config", file)
	if exit != exitFailure || !strings.Contains(out, "cannot be read") || !strings.Contains(errs, "cannot be read: 1") {
		t.Errorf("with a damaged file: exit %d: %s%s", exit, out, errs)
	}
}

// While the database is away, what waits for it is told.
func TestTheSpoolIsToldWithoutTheStore(t *testing.T) {
	file := remembered(t)
	away := fmt.Sprintf("journal: {store: postgres, url: 'postgres://nobody@127.0.0.1:1/none', path: %q}\n", filepath.Join(filepath.Dir(file), "state"))
	if err := os.WriteFile(file, []byte(away), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out, errs := called("journal", "status", "--config", file)
	for _, want := range []string{"does not answer", "2 messages, of which the store may have some", "2 records, 0 late, 0 dropped"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if exit != exitFailure || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("exit %d: %s", exit, errs)
	}
	var s journalStatus
	exit, out, _ = called("journal", "status", "--config", file, "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil || exit != exitFailure || s.Error == "" || s.Spool == nil || s.Spool.Waiting != 2 {
		t.Errorf("exit %d, %v: %s", exit, err, out)
	}
}

func TestTheJournalIsExported(t *testing.T) {
	file := remembered(t)
	to := filepath.Join(t.TempDir(), "export")
	for _, c := range []struct {
		name string
		args []string
		exit int
		want string // the tokens
		said string
	}{
		{name: "all", args: []string{"-o", to}, want: "token0 token1", said: "2 messages"},
		{name: "a file that exists", args: []string{"-o", to}, exit: exitFailure, said: "exists"},
		{name: "a time", args: []string{"--since", "90m"}, want: "token1", said: "1 message, "},
		{name: "until", args: []string{"--until", "90m"}, want: "token0"},
		{name: "a wrong time", args: []string{"--since", "soon"}, exit: exitUsage, said: "RFC 3339"},
	} {
		exit, out, errs := called(append([]string{"journal", "export", "--config", file}, c.args...)...)
		if exit != c.exit || !strings.Contains(errs, c.said) {
			t.Errorf("%s: exit %d, want %d: %s", c.name, exit, c.exit, errs)
		}
		if exit != 0 {
			continue
		}
		if c.args[0] == "-o" {
			text, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			out = string(text)
		}
		if got := tokensIn(t, out); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// What judged goes with the records, so that they can be judged again elsewhere.
func TestAnExportHasTheConfigurationThatJudged(t *testing.T) {
	file := remembered(t)
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	exit, out, errs := called("journal", "export", "--config", file)
	if exit != 0 || !strings.Contains(errs, "2 messages, 1 configuration") {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	r, err := journal.NewExportReader(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	if text := r.Configs[cfg.Hash()]; err != io.EOF || !bytes.Equal(text, cfg.Text()) {
		t.Errorf("got %q, %v", text, err)
	}
}

// tokensIn are those of the messages of an export.
func tokensIn(t *testing.T, file string) string {
	t.Helper()
	r, err := journal.NewExportReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return strings.Join(tokens, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		items, err := b.Items()
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			e, err := item.Entry()
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, e.Record.Evidence.Token)
		}
	}
}
