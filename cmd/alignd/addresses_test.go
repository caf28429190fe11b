package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alignd/config"
	"alignd/internal/logging"
	"alignd/journal"
	"alignd/journal/privacy"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
)

// keptWith is a configuration whose journal has the messages of past, kept with an
// option.
func keptWith(t *testing.T, addresses string) (file, state string) {
	t.Helper()
	m := openJournal(t, "profiles: [{id: board, recipients: [ceo@here.test], honor: {reject: quarantine}}]\njournal: {path: DIR, addresses: "+addresses+"}\n")
	for _, r := range past(t, m.cfg) {
		m.sink.Take(r)(true)
	}
	m.close()
	return m.file, m.dir
}

// encodedIn is the encoding of all records of an export, and its configurations.
func encodedIn(t *testing.T, file string) []byte {
	t.Helper()
	r, err := journal.NewExportReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for {
		b, err := r.Next()
		if err != nil {
			break
		}
		items, err := b.Items()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			all = append(all, i.Encoded()...)
		}
	}
	for _, text := range r.Configs {
		all = append(all, text...)
	}
	return all
}

const letsBobIn = "exceptions:\n- {id: bobs, action: accept, scope: {recipients: [Bob@here.test]}, proof: {clients: [192.0.2.0/24]}, never_expires: true}\n"

// An entry by address does to the past what it does to mail, also where the journal or
// an export has pseudonyms; without what it needs it says so.
func TestReplayByAddressesThatAreNotKept(t *testing.T) {
	bob, other := write(t, "bob.yaml", letsBobIn), write(t, "other.yaml", strings.Replace(letsBobIn, "Bob@", "eve@", 1))
	domain := write(t, "domain.yaml", strings.Replace(letsBobIn, "Bob@", "", 1))
	key := filepath.Join(t.TempDir(), "key")
	in, unchanged, unknown := []string{"would let in  1"}, []string{"unchanged  4"}, []string{"cannot tell  1", "not kept: local parts of addresses: 1"}
	for _, row := range []struct {
		name, kept string
		export     []string // nil replays the journal
		args       []string
		bob, other []string
		lost       bool // the journal's key
	}{
		{name: "kept", kept: "keep", bob: in, other: unchanged},
		{name: "hashed", kept: "hash", bob: in, other: unchanged},
		{name: "hashed, and the key is gone", kept: "hash", bob: unknown, other: unknown, lost: true},
		{name: "dropped", kept: "drop", bob: unknown, other: unknown},
		{name: "exported", kept: "keep", export: []string{}, bob: in, other: unchanged},
		{name: "exported with pseudonyms", kept: "keep", export: []string{"--addresses", "hash"}, bob: in, other: unchanged},
		{name: "exported with pseudonyms, the key apart", kept: "keep", export: []string{"--addresses", "hash", "--key-file", key}, args: []string{"--key-file", key}, bob: in, other: unchanged},
		{name: "exported with pseudonyms, the key not there", kept: "keep", export: []string{"--addresses", "hash", "--key-file", key}, bob: unknown, other: unknown},
		{name: "exported without", kept: "keep", export: []string{"--addresses", "drop"}, bob: unknown, other: unknown},
		{name: "hashed and exported", kept: "hash", export: []string{"--addresses", "hash"}, bob: unknown, other: unknown},
		{name: "hashed and exported without", kept: "hash", export: []string{"--addresses", "drop"}, bob: unknown, other: unknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			file, state := keptWith(t, row.kept)
			args := append([]string{"replay", "--journal", file}, row.args...)
			if row.export != nil {
				_, out, errs := called(append([]string{"journal", "export", "--config", file}, row.export...)...)
				if hides := len(row.export) > 0; bytes.Contains(bytes.ToLower(encodedIn(t, out)), []byte("bob")) == (hides || row.kept != "keep") || errs == "" {
					t.Errorf("bob is in the export, or is not: %s", errs)
				} else if hides && bytes.Contains(encodedIn(t, out), []byte("ceo@")) {
					t.Error("the export's configuration has an address")
				}
				args = append([]string{"replay", "--input", write(t, "export", out)}, row.args...)
			}
			if row.lost {
				if err := os.Remove(filepath.Join(state, "addresses.key")); err != nil {
					t.Fatal(err)
				}
			}
			for config, want := range map[string][]string{bob: row.bob, other: row.other, domain: in} {
				exit, out, errs := called(append(args, "--config", config)...)
				for _, w := range want {
					if exit != 0 || !strings.Contains(out, w) {
						t.Errorf("%s: exit %d, %q is missing in\n%s%s", filepath.Base(config), exit, w, out, errs)
					}
				}
			}
		})
	}
}

// With hash and drop no local part is on disk, but in the configuration that is kept.
func TestWhatIsHashedIsNotOnDisk(t *testing.T) {
	for _, addresses := range []string{"keep", "hash", "drop"} {
		file, state := keptWith(t, addresses)
		if found := bytes.Contains(filesBelow(t, filepath.Join(state, "spool")), []byte("bob@here.test")); found != (addresses == "keep") {
			t.Errorf("%s: bob is in the spool: %v", addresses, found)
		}
		_, out, _ := called("log", "--config", file, "--json")
		if found := regexp.MustCompile(`\bbob\b`).MatchString(out); found != (addresses == "keep") || strings.Count(out, "\n") != 4 {
			t.Errorf("%s: bob is in the store: %v", addresses, found)
		}
		info, err := os.Stat(filepath.Join(state, "addresses.key"))
		if addresses == "hash" && (err != nil || info.Mode() != 0o640) || addresses != "hash" && err == nil {
			t.Errorf("%s: the key: %v, %v", addresses, info, err)
		}
	}
}

// A message is found by its Message-ID, though that names the sender, and by the sender.
func TestMessagesAreFoundByAddressesThatAreHashed(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "alignd.yaml", fmt.Sprintf("journal: {path: %q, addresses: hash}\n", dir))
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logging.New(os.Stderr, logLevel(cfg), logging.Text)
	defer lines.Close()
	m := mustRemember(t, cfg, log)
	r := past(t, cfg)[0]
	r.Evidence.MailFrom, r.Evidence.MessageID = "alice@bank.example", "<alice-17@bank.example>"
	m.Sink(record.Sinks{}).Take(r)(true)
	m.Close()
	if exit, out, errs := called("explain", "--config", file, "alice-17@bank.example"); exit != 0 || !strings.Contains(out, "token0") || strings.Contains(out, "alice") {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
	export := filepath.Join(t.TempDir(), "export")
	if exit, _, errs := called("journal", "export", "--config", file, "--addresses", "keep", "--output", export); exit != 0 {
		t.Error(errs)
	}
	for _, from := range [][]string{{"--journal", file}, {"--input", export, "--key-file", filepath.Join(dir, "addresses.key")}} {
		args := append([]string{"replay", "--config", file, "--explain", "alice-17@bank.example"}, from...)
		if exit, out, errs := called(args...); exit != 0 || !strings.Contains(out, "token0") {
			t.Errorf("%q: exit %d: %s%s", from, exit, out, errs)
		}
	}
	if exit, out, errs := called("log", "--config", file, "--json", "--mail-from", "Alice@bank.example"); exit != 0 || !strings.Contains(out, "token0") {
		t.Errorf("by its sender: exit %d: %s%s", exit, out, errs)
	}
	_, pseudonym, _ := called("journal", "pseudonym", "--config", file, "bob@here.test")
	if exit, out, errs := called("log", "--config", file, "--json"); exit != 0 || len(pseudonym) < 10 || !strings.Contains(out, strings.TrimSpace(pseudonym)) {
		t.Errorf("exit %d: %q is missing in %s%s", exit, pseudonym, out, errs)
	}
}

func filesBelow(t *testing.T, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// explain shows the rules that list addresses as they were, though the record has
// pseudonyms.
func TestExplainFindsTheProfileOfAHashedRecipient(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "alignd.yaml", fmt.Sprintf("profiles: [{id: board, recipients: [bob@here.test], honor: {reject: quarantine}}]\njournal: {path: %q, addresses: hash}\n", dir))
	cfg, m := remembering(t, file)
	r := past(t, cfg)[0]
	m.Sink(record.Sinks{}).Take(r)(true)
	m.Close()
	kept := ((&judge.Privacy{How: record.AddressesHashed, Pseudonyms: mustKnow(t, cfg)}).Record(r))
	v := policy.Decide(&kept.Evidence, privacy.Rules(cfg, cfg))
	exit, out, errs := called("explain", "--config", file, "token0")
	if exit != 0 || v.Rule != "board" || r.Verdict.Rule != "board" || !strings.Contains(out, "board") || strings.Contains(out, "profile board does not") {
		t.Errorf("exit %d, by %q: %s%s", exit, v.Rule, out, errs)
	}
}

func mustKnow(t *testing.T, cfg *config.Config) *judge.Pseudonyms {
	t.Helper()
	p, err := privacy.Pseudonyms(cfg)
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	return p
}
