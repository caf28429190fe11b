package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWithAddsEntries(t *testing.T) {
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	base, err := Parse([]byte("exceptions:\n  - {id: one, action: accept, proof: {dkim: [a.example]}, never_expires: true}\ntrusted_sealers:\n  - {id: s, domains: [s.example], clients: [192.0.2.1]}\n"), "a.yaml", now)
	if err != nil {
		t.Fatal(err)
	}
	before := base.Hash()
	for _, c := range []struct{ name, text, fault string }{
		{name: "an exception", text: "exceptions:\n  - {id: two, action: accept, proof: {dkim: [b.example]}, never_expires: true}\n"},
		{name: "one that rests on a sealer of before", text: "exceptions:\n  - {id: two, action: accept, proof: {sealers: [s]}, never_expires: true}\n"},
		{name: "a sealer", text: "trusted_sealers:\n  - {id: two, domains: [b.example]}\n"},
		{name: "an id that is taken", text: "exceptions:\n  - {id: one, action: accept, proof: {dkim: [b.example]}, never_expires: true}\n", fault: "used twice"},
		{name: "no proof", text: "exceptions:\n  - {id: two, action: accept, scope: {author_domains: [b.example]}, never_expires: true}\n", fault: "proof"},
		{name: "what is no YAML", text: "exceptions: [", fault: "entry"},
	} {
		sum, err := base.With([]byte(c.text), now)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Contains(slices.Collect(sum.Rules.Names()), "two") || slices.Contains(slices.Collect(base.Rules.Names()), "two") {
			t.Errorf("%s: the rules are not those of both, or the first ones were changed", c.name)
		}
		if len(base.Warnings) > 0 {
			t.Errorf("%s: %v", c.name, base.Warnings)
		}
	}
	if base.Hash() != before || len(base.Exceptions) != 1 {
		t.Error("the configuration was changed")
	}
}
