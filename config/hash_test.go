package config

import (
	"testing"
	"time"
)

func TestTheHashTellsConfigurationsApartAndNoSecret(t *testing.T) {
	hash := func(text string) [32]byte {
		t.Helper()
		cfg, err := Parse([]byte(text), "test.yaml", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Hash()
	}
	empty := hash("")
	for _, row := range []struct {
		name, text string
		same       bool
	}{
		{name: "comments", text: "# nothing\n", same: true},
		{name: "a default written down", text: "mode: enforce\n", same: true},
		{name: "a secret", text: "sampling_secret: 0123456789abcdef0123456789abcdef\n", same: true},
		{name: "metrics that are off", text: "metrics: {listen: []}\n", same: true},
		{name: "metrics", text: "metrics: {listen: inet:127.0.0.1:9890}\n"},
		{name: "an option", text: "mode: monitor\n"},
		{name: "a network", text: "not_judged: {networks: [192.0.2.0/24]}\n"},
		{name: "an entry", text: "own_domains: [{domains: [here.test], action: reject}]\n"},
	} {
		if same := hash(row.text) == empty; same != row.same {
			t.Errorf("%s: same as the defaults %v, want %v", row.name, same, row.same)
		}
	}
}
