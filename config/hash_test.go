package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"alignd/policy"
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

// What is kept of a configuration compiles again: its text is the same, so the hash is,
// and so is what the rules are made of. Secrets are not in it.
func TestTheTextOfAConfigurationIsReadBack(t *testing.T) {
	files, err := filepath.Glob("../testdata/cases/*/config.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d configurations of cases, %v", len(files), err)
	}
	dir := t.TempDir()
	several := filepath.Join(dir, "alignd.yaml")
	for name, text := range map[string]string{
		"alignd.yaml": "sampling_secret: 0123456789abcdef0123456789abcdef\n" +
			"exceptions: [{file: more.yaml}]\nprofiles: [{id: board, file: board.txt, honor: {reject: quarantine}}]\n" +
			"rollout: [{stage: monitor}, {stage: reject, from: 2026-12-01, percent: 20}]\n",
		"more.yaml":      "exceptions: [{id: a, action: accept, scope: {author_domains: [bücher.example]}, proof: {clients: [192.0.2.0/24]}, reason: r, owner: o, expires: 2027-01-01}]\n",
		"board.txt":      "Ceo@Here.test\n.below.test\n",
		"conf.d/x.yaml":  "trusted_sealers: [{id: s, domains: [sealer.test], clients: [198.51.100.0/24]}]\n",
		"conf.d/zz.yaml": "recipient_delimiter: \"+\"\n",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range append(files, several) {
		cfg, err := Load(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		text := cfg.Text()
		again, err := FromText(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if got := again.Text(); !bytes.Equal(got, text) || again.Hash() != cfg.Hash() {
			t.Errorf("%s: read back as\n%s\nwant\n%s", file, got, text)
		}
		if cfg.SamplingSecret != "" && bytes.Contains(text, []byte(cfg.SamplingSecret)) {
			t.Errorf("%s: the text has the secret", file)
		}
		want, got := cfg.spec(), again.spec()
		blankPlaces(reflect.ValueOf(&want).Elem())
		blankPlaces(reflect.ValueOf(&got).Elem())
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the rules are made of\n%+v\nwant\n%+v", file, got, want)
		}
	}
}

// blankPlaces forgets where entries stand.
func blankPlaces(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[policy.Source]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				blankPlaces(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			blankPlaces(v.Index(i))
		}
	case reflect.Map:
		v.SetZero()
	}
}

func TestATextOfAnotherVersionHasTheDefaultsOfWhatItLacks(t *testing.T) {
	cfg, err := FromText([]byte(`{"Mode":"monitor","OptionOfLater":{"X":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Parse(nil, "test.yaml", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if plain.Mode = "monitor"; !bytes.Equal(cfg.Text(), plain.Text()) {
		t.Errorf("got %s\nwant %s", cfg.Text(), plain.Text())
	}
	for _, bad := range []string{"", "[]", `{"Mode":7}`, `{"Mode":"loud"}`} {
		if _, err := FromText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
