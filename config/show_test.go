package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shownText is what Show writes of a folder with alignd.yaml, which is DIR in it.
func shownText(t *testing.T, dir string) string {
	t.Helper()
	cfg, err := Load(filepath.Join(dir, "alignd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := cfg.Show(&b); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

func TestShowTellsEachValueWithItsOrigin(t *testing.T) {
	dir := folder(t, map[string]string{
		"alignd.yaml": `sampling_secret: 0123456789abcdef
mode: monitor
drain: 90s
honor:
  reject: tag
own_authserv_ids: [a.example]
exceptions:
  - file: vendors.yaml
profiles:
  - {id: board, recipients: ceo@here.test, file: board.txt, pct: ignore,
     rollout: [{stage: tag}, {stage: reject, from: 2027-01-31, percent: 5}]}
`,
		"conf.d/a.yaml": "own_authserv_ids: b.example\n" + entryNamed("a"),
		"vendors.yaml":  "exceptions:\n  - id: vendor\n    action: accept\n    reason: \"ticket: 5\"\n    proof:\n      clients: [2001:db8::/32]\n      dkim: .x.example\n    never_expires: false\n    expires: 2027-06-30T12:00:00Z\n",
		"board.txt":     "cfo@here.test\n",
	})
	text := shownText(t, dir)
	for _, want := range []string{
		"mode: monitor  # DIR/alignd.yaml:2\n",
		"sampling_secret: (set, not shown)  # DIR/alignd.yaml:1\n",
		"drain: 1m30s  # DIR/alignd.yaml:3\n",
		"temperror_for: 4h  # default\n",
		"socket_mode: \"0660\"  # default\n",
		"listen: [inet:127.0.0.1:8890]  # default\n",
		"honor:\n  reject: tag  # DIR/alignd.yaml:5\n  quarantine: quarantine  # default\n",
		"own_authserv_ids:\n  - a.example  # DIR/alignd.yaml:6\n  - b.example  # DIR/conf.d/a.yaml:1\n",
		"domains: []  # default\n",
		`exceptions:
  - id: vendor  # DIR/vendors.yaml:2
    action: accept  # DIR/vendors.yaml:3
    proof:
      clients: [2001:db8::/32]  # DIR/vendors.yaml:6
      dkim: [.x.example]  # DIR/vendors.yaml:7
    reason: "ticket: 5"  # DIR/vendors.yaml:4
    expires: 2027-06-30T12:00:00Z  # DIR/vendors.yaml:9
    never_expires: false  # DIR/vendors.yaml:8
  - id: a  # DIR/conf.d/a.yaml:2
`,
		`profiles:
  - id: board  # DIR/alignd.yaml:10
    recipients: [ceo@here.test]  # DIR/alignd.yaml:10
    file: board.txt  # DIR/alignd.yaml:10
    pct: ignore  # DIR/alignd.yaml:10
    rollout:
      - {stage: tag}  # DIR/alignd.yaml:11
      - {stage: reject, from: 2027-01-31, percent: 5}  # DIR/alignd.yaml:11
`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant in it\n%s", text, want)
		}
	}
	if strings.Contains(text, "0123456789abcdef") {
		t.Error("the secret is shown")
	}
}

// What is shown is a configuration that means the same.
func TestWhatIsShownIsReadBackTheSame(t *testing.T) {
	examples := strings.ReplaceAll(string(DefaultText()), ": []\n#  ", ":\n#  ")
	examples = entryExample.ReplaceAllString(examples, "$1")
	files := map[string]string{"defaults.yaml": "", "examples.yaml": examples}
	for _, pattern := range []string{"../testdata/cases/*/config.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 10 {
			t.Fatalf("%d files of %s, %v", len(paths), pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`\bfile:`).Match(data) {
				files[path] = string(data)
			}
		}
	}
	for name, text := range files {
		dir := folder(t, map[string]string{"alignd.yaml": text, "executives.txt": ""})
		before, err := Load(dir + "/alignd.yaml")
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.ReplaceAll(shownText(t, dir), "DIR", dir)
		if err := os.WriteFile(dir+"/alignd.yaml", []byte(strings.ReplaceAll(shown, "(set, not shown)", `""`)), 0o600); err != nil {
			t.Fatal(err)
		}
		after, err := Load(dir + "/alignd.yaml")
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, shown)
		}
		if before.Hash() != after.Hash() {
			t.Errorf("%s: means something else:\n%s\n%v", name, shown, Diff(before, after))
		}
		if d := Diff(before, after); len(d) > 0 && !strings.Contains(text, "sampling_secret") {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestNoFaultOfYAMLShowsASecret(t *testing.T) {
	for _, text := range []string{
		"sampling_secret:hush\n", "mode: monitor\nsampling_secret:hush\n", "sampling_secret: [hush\n", "sampling_secret: {hush, a: b\n", "sampling_secret: *hush\n",
		"sampling_secret: \"hush\"hush\n", "sampling_secret: hush: hush\n", "sampling_secret: @hush\n", "sampling_secret: !hush hush\n", "sampling_secret: ]hush\n",
		"sampling_secret: [a b: hush]]\n", "sampling_secret: {a: hush}\n", "sampling-secret: hush\n", "sampling_secret: [hush, ]hush]\n", "sampling_secret hush\n",
		"tag: {sampling_secret: hush}\n", "sampling_secret: {,hush}\n", "sampling_secret: \"hush\\q\"\n", "sampling_secret: &hush hush\nsampling_secret: hush\n",
		"journal: {url: 'postgres://a:hush@h/d'}\n", "journal: {url: 'postgres://a:hush@h/d'\n", "journal:\n  url:postgres://a:hush@h/d\n", "journal: {url: ['postgres://a:hush@h/d']}\n",
		"journal: {store: 'postgres://a:hush@h/d'}\n", "journal: {url: 'a://a:hush@%zz/d'}\n", "journal: 'postgres://a:hush@h/d'\n", "journal: {url: 'postgres:///d?password=hush'}\n",
		"journal: {url: 'host=h password=hush'}\n", "journal: {url: 'host=h PASSWORD = hush'}\n", "journal: {password: hush}\n", "journal: {store: postgres, url: 'postgres://h/d?sslpassword=hush'}\n",
	} {
		if _, err := Parse([]byte(text), "x.yaml", testNow); err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "!hush", ""), "hush") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
