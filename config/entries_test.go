package config

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

const everyEntry = `mode: monitor
honor: {reject: quarantine}
not_judged: {networks: [192.0.2.0/24], loopback: false}
own_domains: [{id: ours, domains: [example.net], action: tag}]
domains:
  - {id: bank, author_domains: [bank.example], honor: {none: tag}, rollout: [{stage: tag}, {stage: reject, from: 2027-01-01, stop_if: {failing_share: 5%}}]}
profiles: [{id: staff, recipients: [staff.example], quarantine_as: hold, rollout: [{stage: tag}]}]
trusted_sealers: [{id: list, domains: [lists.example]}, {id: needed, domains: [forward.example]}]
trusted_relays: [{id: mx, peers: [198.51.100.0/24]}]
exceptions:
  - {id: vendor, action: accept, proof: {clients: [192.0.2.1]}, owner: ann, reason: a vendor, expires: 2027-06-01}
  - {id: sealed, action: accept, proof: {sealers: [needed]}, never_expires: true}
rollout: [{stage: monitor}, {stage: quarantine, from: 2026-01-01, percent: 10}]
from: {max_domains: 2}
`

// Whatever decides is an entry with its place, and the rest stands without it.
func TestEachEntryCanBeLeftOut(t *testing.T) {
	cfg, err := Parse([]byte(everyEntry), "alignd.yaml", time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	before := cfg.Hash()
	lines := map[string]int{
		"not_judged.networks 192.0.2.0/24": 3, "own_domains ours": 4, "domains bank": 6, "domains: bank: rollout 1/tag": 6, "domains: bank: rollout 2/reject": 6,
		"profiles staff": 7, "profiles: staff: rollout 1/tag": 7, "trusted_sealers list": 8, "trusted_sealers needed": 8, "trusted_relays mx": 9,
		"exceptions vendor": 11, "exceptions sealed": 12, "rollout 1/monitor": 13, "rollout 2/quarantine": 13, "options mode": 1, "options honor.reject": 2,
		"options not_judged.loopback": 3, "options from.max_domains": 14,
	}
	for _, e := range cfg.Entries() {
		name := e.List + " " + e.ID
		if lines[name] != e.At.Line || e.At.File != "alignd.yaml" {
			t.Errorf("%s stands at %s, want line %d", name, e.At, lines[name])
		}
		delete(lines, name)
		less, ok, err := cfg.Without(e.List, e.ID)
		if e.ID == "needed" { // an exception names it
			if !ok || err == nil {
				t.Errorf("%s: %t, %v", name, ok, err)
			}
			continue
		}
		if err != nil || !ok {
			t.Errorf("without %s: %t, %v", name, ok, err)
			continue
		}
		if less.Hash() == before {
			t.Errorf("%s is there still", name)
		}
		if e.List == "options" {
			continue
		}
		if _, again, _ := less.Without(e.List, e.ID); again {
			t.Errorf("%s is there twice", name)
		}
	}
	for name := range lines {
		t.Errorf("%s is no entry", name)
	}
	if cfg.Hash() != before {
		t.Error("it was changed")
	}
	for _, name := range [][2]string{{"exceptions", "nobody"}, {"options", "web.listen"}, {"options", "pct"}, {"domains: x: rollout", "1/tag"}, {"", ""}} {
		if _, ok, _ := cfg.Without(name[0], name[1]); ok {
			t.Errorf("there is no %q", name)
		}
	}
}

func TestWhatTheAdminNotedStandsInTheEntry(t *testing.T) {
	cfg, err := Parse([]byte(everyEntry), "alignd.yaml", time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range cfg.Entries() {
		if e.ID == "vendor" && (e.Owner != "ann" || e.Reason != "a vendor" || e.Expires.Year() != 2027 || e.Rule != "vendor") {
			t.Errorf("%+v", e)
		}
		if e.ID == "2/reject" && (e.Begins.Year() != 2027 || e.Says != "all mail, with stop_if") {
			t.Errorf("%+v", e)
		}
	}
	names := slices.Collect(cfg.Rules.Names())
	for option, rule := range decidingOptions {
		optionIn(reflect.ValueOf(cfg).Elem(), option) // it panics where there is none
		if rule != "" && !slices.Contains(names, rule) {
			t.Errorf("%s: no verdict names %q", option, rule)
		}
	}
}
