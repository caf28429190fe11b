package facts

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/config"
	"alignd/doctor"
)

var update = flag.Bool("update", false, "write the want files of doctor/testdata anew")

// needPostconf leaves a test out, aloud, where Postfix is not installed; make test
// installs it.
func needPostconf(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(program("postconf")); err == nil {
		return
	}
	if os.Getenv("ALIGND_E2E") != "" {
		t.Fatal("no postconf, and make test installs Postfix")
	}
	t.Skip("left out: configurations as a real postconf reads them (make test installs Postfix)")
}

// ofTheMachine are the checks whose findings tell of the machine that the tests run on.
var ofTheMachine = []string{"resolver-silent", "resolver-remote", "resolver-public", "resolver-dnssec", "clock", "unit-missing"}

// TestPostfix reads each directory of testdata/postfix with a real postconf. Its file
// want says what is found: all of it, so that a good configuration draws no false
// alarm and a bad one no more than it deserves.
func TestPostfix(t *testing.T) {
	needPostconf(t)
	dirs, err := filepath.Glob("../testdata/postfix/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			r := examine(t, dir)
			if strings.HasPrefix(filepath.Base(dir), "good-") && r.Status() != 0 {
				t.Errorf("exit status %d of a good configuration", r.Status())
			}
			whole, err := filepath.Abs("../testdata/postfix")
			if err != nil {
				t.Fatal(err)
			}
			got, name := strings.ReplaceAll(told(r), whole, "../testdata/postfix"), filepath.Join(dir, "want")
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func examine(t *testing.T, dir string) doctor.Report {
	t.Helper()
	file := filepath.Join(dir, "alignd.yaml")
	if _, err := os.Stat(file); err != nil {
		file = os.DevNull
	}
	found := Collect(t.Context(), Options{
		Root: t.TempDir(), Postfix: []string{dir}, Unit: "../../systemd/alignd.service", Offline: true,
	}, configured(file))
	// Not those of the machine.
	found.Host = doctor.Host{Name: "mx.here.test"}
	found.Unit.UserKnown, found.Unit.UserGroups = true, []string{"alignd"}
	return doctor.Examine(&found, ofTheMachine)
}

// told is a report in which each finding is one paragraph.
func told(r doctor.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Severity == doctor.OK {
			continue
		}
		fmt.Fprintf(&b, "%s %s\n  %s\n", f.Severity, f.ID, f.What)
		if f.Where != "" {
			fmt.Fprintf(&b, "  in %s\n", f.Where)
		}
		for _, c := range f.Cure {
			fmt.Fprintf(&b, "  > %s\n", c)
		}
	}
	fmt.Fprintf(&b, "exit status %d\n", r.Status())
	return b.String()
}

// TestCuresCure runs the commands that are told for main.cf and master.cf, and looks
// again: what a cure of postconf is about is gone then. postconf waits until a file is
// some seconds old before it edits it, so all directories are cured at a time.
func TestCuresCure(t *testing.T) {
	needPostconf(t)
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: running the cures, which takes half a minute (make test runs it; it sets ALIGND_E2E=1)")
	}
	dirs, err := filepath.Glob("../testdata/postfix/*")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, dir := range dirs {
		work := filepath.Join(t.TempDir(), filepath.Base(dir))
		if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { curing(t, work) })
	}
	all.Wait()
}

// curing cures until nothing is left that commands can cure.
func curing(t *testing.T, work string) {
	for range 4 { // a cure may bring the next fault to light
		before := examine(t, work)
		cured := false
		for _, f := range before.Findings {
			cured = cure(t, work, f) || cured
		}
		if !cured {
			return
		}
		after := examine(t, work)
		for _, f := range before.Findings {
			if curable(f) && strings.Contains(f.Cure[0], work) && slices.ContainsFunc(after.Findings, func(a doctor.Finding) bool { return a.ID == f.ID && a.What == f.What }) {
				t.Errorf("%s: still there after %q: %s %s", filepath.Base(work), f.Cure, f.ID, f.What)
			}
		}
	}
	t.Errorf("%s: it does not come to an end", filepath.Base(work))
}

// curable: all that is to be done is done by postconf, and a reload.
func curable(f doctor.Finding) bool {
	return f.Severity != doctor.OK && len(f.Cure) > 0 && !slices.ContainsFunc(f.Cure, func(c string) bool {
		return !strings.HasPrefix(c, "postconf -") && !strings.HasPrefix(c, "postfix -")
	})
}

// cure never touches the fixtures, which an instance in them may name.
func cure(t *testing.T, work string, f doctor.Finding) bool {
	t.Helper()
	if !curable(f) || !strings.Contains(f.Cure[0], work) {
		return false
	}
	for _, c := range f.Cure {
		if strings.HasPrefix(c, "postfix -") {
			continue // it does not run
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", c).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", c, err, out)
		}
	}
	return true
}

// configured is as in cmd/alignd, which this room must not import.
func configured(file string) doctor.Alignd {
	cfg, err := config.Load(file)
	fault := ""
	if err != nil {
		fault = err.Error()
		if cfg, err = config.Parse(nil, "", time.Now()); err != nil {
			return doctor.Alignd{File: file, Fault: fault}
		}
	}
	a := doctor.Alignd{
		File: cmp.Or(config.FileOf(file), config.DefaultFile), Fault: fault,
		Listen: cfg.Listen, ListenWritten: cfg.ListenWritten(), SocketGroup: cfg.SocketGroup, Drain: cfg.Drain.Duration, MessageTimeout: cfg.Limits.MessageTimeout.Duration,
		Monitor:    cfg.Mode == "monitor",
		AuthservID: cfg.AuthservID, NameOnly: cfg.AuthservIDCovers == "name", OwnAuthservIDs: cfg.OwnAuthservIDs,
		Authenticated: cfg.NotJudged.Authenticated, Loopback: cfg.NotJudged.Loopback, Networks: cfg.NotJudged.Networks,
		DNSServers: cfg.DNS.Servers,
	}
	for _, r := range cfg.TrustedRelays {
		a.Relays = append(a.Relays, doctor.Relay{ID: r.ID, Peers: r.Peers, HasBy: len(r.By) > 0})
	}
	return a
}
