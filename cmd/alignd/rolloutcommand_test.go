package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/header"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/policy"
	"alignd/rollout"
)

const stopping = `domains:
  - id: bank
    author_domains: [bank.example]
    rollout: [{stage: quarantine}, {stage: reject, stop_if: {failing_share: 10%, over: 6h}}]
`

// rollingOut is a site that rolls out.
type rollingOut struct {
	t     *testing.T
	file  string
	cfg   *config.Config
	state *state.State
}

func rollOut(t *testing.T) *rollingOut {
	t.Helper()
	dir := t.TempDir()
	s := &rollingOut{t: t, file: filepath.Join(dir, "alignd.yaml")}
	err := os.WriteFile(s.file, fmt.Appendf(nil, "journal: {store: sqlite, path: %q}\n%s", filepath.Join(dir, "state"), stopping), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if s.cfg, err = readConfig(config.Input{File: s.file}); err != nil {
		t.Fatal(err)
	}
	if s.state, err = openState(s.cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.state.Close() })
	return s
}

// stop is what a watch does that finds the bound exceeded.
func (s *rollingOut) stop() {
	s.t.Helper()
	x := s.cfg.Rules.Watches()[0]
	if err := s.state.SetStop(s.t.Context(), state.Stop{ID: x.ID, At: time.Now().UTC(), Reason: "too many fail", Fingerprint: x.Fingerprint[:]}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *rollingOut) command(exit int, has string, args ...string) {
	s.t.Helper()
	got := alignd(s.t, "", append(append([]string{"rollout"}, args...), "--config", s.file)...)
	if text := got.stdout + got.stderr; got.status != exit || !strings.Contains(text, has) {
		s.t.Errorf("%v: status %d, want %d, and %q in\n%s", args, got.status, exit, has, text)
	}
}

func TestStoppedRolloutsAreShownAndGoOn(t *testing.T) {
	s := rollOut(t)
	s.command(0, "bank/reject: has begun", "status")
	s.stop()
	s.command(1, "bank/reject: stopped since", "status")
	s.command(1, "alignd rollout resume bank/reject has it go on", "status")
	s.command(1, "no stage", "resume", "other/reject")
	s.command(0, "bank/reject goes on", "resume", "bank/reject")
	s.command(1, "no stage", "resume", "bank/reject")
	s.command(0, "bank/reject: has begun", "status")
}

// TestRolloutsWithoutAJournalTellTheCure: there is none yet, or none is wanted.
func TestRolloutsWithoutAJournalTellTheCure(t *testing.T) {
	s := rollOut(t)
	s.state.Close()
	if err := os.RemoveAll(s.cfg.Journal.Path); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"status"}, {"resume", "bank/reject"}} {
		s.command(1, "alignd serve makes it", args...)
	}
	if _, err := os.Stat(s.cfg.Journal.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a command made a journal: %v", err)
	}
}

// unchecked is a message without content.
type unchecked struct{}

func (unchecked) Fields() *header.Fields      { return &header.Fields{} }
func (unchecked) BodyHash() [sha256.Size]byte { return [sha256.Size]byte{} }
func (unchecked) Checked() bool               { return false }

// TestMessagesAreJudgedByWhatIsStopped: the daemon's settings hand it to each message as
// evidence.
func TestMessagesAreJudgedByWhatIsStopped(t *testing.T) {
	s := rollOut(t)
	d := daemon{rollout: rollout.New(s.state, place.StopsFile(s.cfg), slog.New(slog.DiscardHandler))}
	d.rollout.Use(s.cfg.Rules)
	settings := d.settings(s.cfg)
	message := func() *evidence.Message {
		return &evidence.Message{Time: time.Now(), Sample: -1, Looked: evidence.AllSections, From: evidence.From{Domains: []string{"bank.example"}}, Client: evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")},
			DMARC: []evidence.DMARC{{AuthorDomain: "bank.example", PolicyDomain: "bank.example", Result: evidence.Fail, Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}}}}
	}
	before := settings.Judge(message(), unchecked{}, settings.MarksOf("mx.here.test", &header.Fields{}), nil)
	s.stop()
	d.rollout.Use(s.cfg.Rules)
	after := settings.Judge(message(), unchecked{}, settings.MarksOf("mx.here.test", &header.Fields{}), nil)
	if before.Verdict.Delivery != policy.Refuse || after.Verdict.Delivery != policy.DeliverTag || after.Verdict.Monitor.Delivery != policy.Refuse {
		t.Errorf("before %+v\nafter %+v", before.Verdict, after.Verdict)
	}
	if len(before.Evidence.Stopped) != 0 || strings.Join(after.Evidence.Stopped, " ") != "bank/reject" {
		t.Errorf("evidence has %v, then %v", before.Evidence.Stopped, after.Evidence.Stopped)
	}
}
