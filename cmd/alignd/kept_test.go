package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/journal/running"
	"alignd/record"
)

// keptJournal is a configuration with a journal that is open to be written.
type keptJournal struct {
	*running.Journal
	file, dir string // the configuration, and the folder of the journal
	cfg       *config.Config
	sink      record.Sink
	shut      func()
}

// openJournal makes one of options, in which DIR stands for the folder.
func openJournal(t *testing.T, options string) *keptJournal {
	t.Helper()
	dir := t.TempDir()
	k := &keptJournal{file: filepath.Join(dir, "alignd.yaml"), dir: filepath.Join(dir, "state")}
	err := os.WriteFile(k.file, []byte(strings.ReplaceAll(options, "DIR", strconv.Quote(k.dir))), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if k.cfg, err = readConfig(config.Input{File: k.file}); err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(os.Stderr, logLevel(k.cfg), logging.Text)
	k.shut = func() { lines.Close() }
	if k.Journal = openMemory(k.cfg, log); k.Journal == nil {
		t.Fatal("no journal")
	}
	k.sink = k.Sink(record.Sinks{})
	return k
}

// close has the store take all there is.
func (k *keptJournal) close() {
	k.Journal.Close()
	k.shut()
}
