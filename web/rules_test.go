package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/journal/state"
)

const decidingConfig = testConfig + `
mode: monitor
honor: {none: tag}
not_judged: {networks: [198.51.100.0/24]}
domains: [{id: bank, author_domains: [author00005-company.example], rollout: [{stage: tag}, {stage: reject, from: 2099-01-01}]}]
profiles: [{id: staff, recipients: [staff.example], quarantine_as: hold}]
trusted_sealers: [{id: lists, domains: [lists.example]}]
trusted_relays: [{id: mx, peers: [203.0.113.0/24]}]
rollout: [{stage: quarantine}]
`

// Whatever decides stands among the rules with file and line, and there is a page of each
// that tells what would happen without it.
func TestAllThatDecidesIsARule(t *testing.T) {
	b := plant(t, usual(60)...)
	cfg, err := config.Parse([]byte(decidingConfig), "alignd.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.cfg = cfg
	s := serve(t, b, nil)
	_, text, _ := s.Get("/rules")
	for _, name := range []string{"not_judged.networks: 198.51.100.0/24", "own_domains: ours", "domains: bank", "domains: bank: rollout: 1/tag", "profiles: staff", "trusted_sealers: lists",
		"trusted_relays: mx", "exceptions: vendor", "exceptions: partner", "rollout: 1/quarantine", "options: mode", "options: honor.none", "not yet", "expired", "alignd.yaml:", `class="line"`, "no verdict names it"} {
		if !strings.Contains(text, name) {
			t.Errorf("no %q", name)
		}
	}
	for _, e := range cfg.Entries() {
		at := to("/rule", "list", e.List, "id", e.ID)
		if status, text, _ := s.Get(at); status != http.StatusOK || !strings.Contains(text, "What would happen without it") {
			t.Errorf("%s: %d", at, status)
		}
	}
	for _, e := range []EntryName{{List: "options", ID: "mode"}, {List: "trusted_relays", ID: "mx"}, {List: "domains: bank: rollout", ID: "1/tag"}} {
		status, text, h := s.Post(to("/rule", "list", e.List, "id", e.ID), "/rule/without", url.Values{"list": {e.List}, "id": {e.ID}})
		if text = s.whenDone(status, text, h); !strings.Contains(text, "Without "+e.List+": "+e.ID) || !strings.Contains(text, "unchanged") {
			t.Errorf("%v: %.300s", e, text)
		}
	}
	if status, _, _ := s.Post("/rule?id=partner", "/rule/without", url.Values{"list": {"exceptions"}, "id": {"nobody"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("an entry that is not there: %d", status)
	}
	if _, text, _ := s.Get("/rules.csv?list=exceptions"); strings.Count(text, "\n") != 3 {
		t.Errorf("a filter by list: %s", text)
	}
}

// unkept is a configuration without a journal.
type unkept struct{ *backend }

func (unkept) State(context.Context) (*state.State, error) {
	return nil, errors.New("no journal is kept: the configuration says journal.store: none")
}

// Without a journal, or with one that is empty, the entries are there, and it is said why
// nobody knows what they decided.
func TestRulesWithoutAJournal(t *testing.T) {
	b := plant(t)
	for name, of := range map[string]struct {
		backend Backend
		want    string
	}{"none": {unkept{b}, "no journal is kept"}, "empty": {b, "no message was counted yet"}} {
		s := serve(t, of.backend, nil)
		for _, at := range []string{"/rules", "/rule?id=partner", "/rules.json"} {
			if status, text, _ := s.Get(at); status != http.StatusOK || !strings.Contains(text, of.want) || !strings.Contains(text, "partner") {
				t.Errorf("%s, %s: %d %.400s", name, at, status, text)
			}
		}
		if _, text, _ := s.Get("/rules"); strings.Contains(text, "decided nothing</span>") {
			t.Errorf("%s: it says that entries decided nothing", name)
		}
	}
}
