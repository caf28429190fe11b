package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is a new directory with files; what has no text is a directory.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const entryOf = "exceptions: [{id: ID, action: reject, scope: {author_domains: [a.example]}, never_expires: true}]\n"

func entryNamed(id string) string { return strings.Replace(entryOf, "ID", id, 1) }

func ids(cfg *Config) string {
	var all []string
	for _, e := range cfg.Exceptions {
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}

func TestFilesOfConfDAreReadInTheOrderOfTheirNames(t *testing.T) {
	dir := folder(t, map[string]string{
		"alignd.yaml":            "mode: monitor\n" + entryNamed("main"),
		"conf.d/20-b.yaml":       entryNamed("b"),
		"conf.d/10-a.yaml":       entryNamed("a") + "honor: {reject: tag}\nlisten: [inet:127.0.0.1:1]\nown_authserv_ids: b.example\n",
		"conf.d/3-c.yaml":        "own_authserv_ids: [c.example]\nhonor: {quarantine: accept}\ndns:\n",
		"conf.d/.hidden.yaml":    "mdoe: x\n",
		"conf.d/10-a.yaml~":      "mdoe: x\n",
		"conf.d/#10-a.yaml#":     "mdoe: x\n",
		"conf.d/#10-a.yaml":      "mdoe: x\n",
		"conf.d/.10-a.yaml.swp":  "mdoe: x\n",
		"conf.d/a.yaml.bak":      "mdoe: x\n",
		"conf.d/a.yaml.dpkg-old": "mdoe: x\n",
		"conf.d/README":          "mdoe: x\n",
	})
	cfg, err := Load(filepath.Join(dir, "alignd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(cfg); got != "main a b" {
		t.Errorf("exceptions are %q, want those of the file first, then those of conf.d by name", got)
	}
	if got := strings.Join(cfg.OwnAuthservIDs, " "); got != "b.example c.example" {
		t.Errorf("own_authserv_ids is %q", got)
	}
	if got := strings.Join(cfg.Listen, " "); got != "inet:127.0.0.1:1" {
		t.Errorf("listen is %q; a default is no list to grow", got)
	}
	if cfg.Mode != "monitor" || cfg.Honor.Reject != "tag" || cfg.Honor.Quarantine != "accept" || cfg.Honor.None != "accept" {
		t.Errorf("mode %s, honor %+v: sections come together", cfg.Mode, cfg.Honor)
	}
	if at := cfg.Exceptions[2].At.Position; at.File != filepath.Join(dir, "conf.d/20-b.yaml") || at.Line != 1 || at.Column != 14 {
		t.Errorf("the last entry is at %v", at)
	}
	if len(cfg.Warnings) > 0 || len(cfg.Files) != 4 {
		t.Errorf("warnings %v, files %v", cfg.Warnings, cfg.Files)
	}
	alone, err := Load(folder(t, map[string]string{"alignd.yaml": "mode: monitor\n" + entryNamed("main")}) + "/alignd.yaml")
	if err != nil || alone.Hash() == cfg.Hash() {
		t.Errorf("the hash is the same without conf.d (%v)", err)
	}
}

func TestFaultsOfConfD(t *testing.T) {
	for _, row := range []struct {
		name  string
		files map[string]string
		want  []string // DIR is the folder
	}{
		{
			name:  "an option has one place",
			files: map[string]string{"alignd.yaml": "mode: monitor\ndns:\n  attempts: 2\n", "conf.d/a.yaml": "dns: {attempts: 2}\n", "conf.d/b.yaml": "# mine\nmode: monitor\n"},
			want: []string{
				"DIR/conf.d/a.yaml:1:17: dns.attempts: is set at DIR/alignd.yaml:3:13 already; one of the two has to go",
				"DIR/conf.d/b.yaml:2:7: mode: is set at DIR/alignd.yaml:1:7 already; one of the two has to go",
			},
		}, {
			name:  "also between two files of conf.d",
			files: map[string]string{"alignd.yaml": "", "conf.d/a.yaml": "mode: monitor\n", "conf.d/b.yaml": "mode: monitor\n"},
			want:  []string{"DIR/conf.d/b.yaml:1:7: mode: is set at DIR/conf.d/a.yaml:1:7 already; one of the two has to go"},
		}, {
			name:  "an id has one place",
			files: map[string]string{"alignd.yaml": entryNamed("a"), "conf.d/a.yaml": entryNamed("a")},
			want:  []string{`DIR/conf.d/a.yaml:1:19: exception "a": id: is used twice`},
		}, {
			name:  "all of all files are told, in their order",
			files: map[string]string{"alignd.yaml": "mdoe: enforce\nlisten: [\n", "conf.d/a.yaml": "log_level: [\n", "conf.d/b.yaml": "strip: x\nlisten: 8890\n"},
			want: []string{
				"DIR/alignd.yaml:1:1: unknown key \"mdoe\", did you mean \"mode\"? allowed: ", "DIR/alignd.yaml:2:9: not YAML: this [ is not closed",
				"DIR/conf.d/a.yaml:1:12: not YAML: this [ is not closed", "DIR/conf.d/b.yaml:1:8: strip: ", "DIR/conf.d/b.yaml:2:9: listen[0]: ",
			},
		}, {
			name:  "a directory",
			files: map[string]string{"alignd.yaml": "", "conf.d/a.yaml/b.yaml": ""},
			want:  []string{"DIR/conf.d/a.yaml: cannot be read: it is no regular file"},
		}, {
			name:  "conf.d that is a file",
			files: map[string]string{"alignd.yaml": "", "conf.d": "mode: monitor\n"},
			want:  []string{"DIR/conf.d: cannot be read: not a directory"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := folder(t, row.files)
			_, err := Load(filepath.Join(dir, "alignd.yaml"))
			if err == nil {
				t.Fatal("no fault")
			}
			got := strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
			for i, want := range row.want {
				if len(got) != len(row.want) || !strings.HasPrefix(got[i], want) {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
				}
			}
		})
	}
}

func TestWhatCannotBeReadInConfDIsAFault(t *testing.T) {
	dir := folder(t, map[string]string{"alignd.yaml": "", "conf.d/a.yaml": "mode: monitor\n"})
	main := filepath.Join(dir, "alignd.yaml")
	link := filepath.Join(dir, "conf.d/b.yaml")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(main); err == nil || err.Error() != link+": cannot be read: no such file or directory" {
		t.Errorf("a link to nowhere: %v", err)
	}
}

func TestANameThatIsNotReadIsWarnedOf(t *testing.T) {
	dir := folder(t, map[string]string{"alignd.yaml": "", "conf.d/a.yml": "mdoe: x\n", "conf.d/B.YAML": "mdoe: x\n", "conf.d/.c.yml": ""})
	cfg, err := Load(filepath.Join(dir, "alignd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := "DIR/conf.d/B.YAML: is not read; a file of conf.d has a name that ends in .yaml\nDIR/conf.d/a.yml: is not read; a file of conf.d has a name that ends in .yaml"
	if got := strings.ReplaceAll(cfg.Warnings.Error(), dir, "DIR"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNamesAreThoseOfTheBaseFolder(t *testing.T) {
	dir := folder(t, map[string]string{"conf.d/a.yaml": "profiles: [{id: p, file: lists/board.txt, pct: ignore}]\n", "lists/board.txt": "ceo@here.test\n", "vendors.yaml": entryNamed("vendor")})
	text := "exceptions:\n  - file: vendors.yaml\n"
	cfg, err := Input{File: "<stdin>", Text: strings.NewReader(text), Base: dir}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if ids(cfg) != "vendor" || len(cfg.Profiles) != 1 || cfg.Profiles[0].Recipients[0] != "ceo@here.test" {
		t.Errorf("exceptions %q, profiles %+v", ids(cfg), cfg.Profiles)
	}
	elsewhere := folder(t, map[string]string{"new.yaml": text})
	if _, err := (Input{File: elsewhere + "/new.yaml"}).Load(); err == nil || !strings.HasPrefix(err.Error(), elsewhere+"/new.yaml:2:11: file: open "+elsewhere+"/vendors.yaml") {
		t.Errorf("without a base folder: %v", err)
	}
	if cfg, err := (Input{File: elsewhere + "/new.yaml", Base: dir}).Load(); err != nil || ids(cfg) != "vendor" || len(cfg.Profiles) != 1 {
		t.Errorf("with one: %v", err)
	}
}

func TestAFileOfConfDThatLostItsTextIsToldAtAReload(t *testing.T) {
	dir := folder(t, map[string]string{"alignd.yaml": "mode: monitor\n", "conf.d/a.yaml": entryNamed("a")})
	main := filepath.Join(dir, "alignd.yaml")
	before, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf.d/a.yaml"), []byte("# \n"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Emptied(before).Error(); !strings.Contains(got, "conf.d/a.yaml:1:1: the file is empty or holds comments only") {
		t.Errorf("got %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "conf.d/a.yaml")); err != nil {
		t.Fatal(err)
	}
	if after, err = Load(main); err != nil || len(after.Emptied(before)) > 0 {
		t.Errorf("a file that was taken away is meant so: %v", err)
	}
}
