package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/config"
	"alignd/e2e/fakemta"
	"alignd/e2e/mta"
)

// previewing is a daemon with a journal of past mail, in the runtime directory dir.
type previewing struct {
	*serving
	dir, file, journal string
	log                liveLog
}

func startPreviewing(t *testing.T, env ...string) *previewing {
	t.Helper()
	kept, _ := withPast(t)
	cfg, err := readConfig(config.Input{File: kept})
	if err != nil {
		t.Fatal(err)
	}
	p := &previewing{dir: t.TempDir(), journal: fmt.Sprintf("dns: {servers: [\"127.0.0.1:1\"]}\njournal: {store: sqlite, path: %s}\n", cfg.Journal.Path)}
	p.serving = &serving{env: append(env, "RUNTIME_DIRECTORY="+p.dir)}
	p.start(t, p.journal, &p.log)
	p.file = p.cmd.Args[len(p.cmd.Args)-1]
	return p
}

// configure writes what the next reload is to take up.
func (p *previewing) configure(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.file, []byte(p.journal+text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// logs waits for a text in the log.
func (p *previewing) logs(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.log.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not in the log:\n%s", want, p.log.String())
		}
	}
}

func TestAReloadIsPreviewed(t *testing.T) {
	p := startPreviewing(t)
	for _, row := range []struct {
		name   string
		text   string
		status int
		said   string
		logged string
		not    string
	}{
		{name: "what it would have changed is logged, and then it is taken up", text: "preview: 24h\n" + letsVendorIn, said: "alignd: past messages are judged by it first",
			logged: `messages=4 changes=1 would_refuse=0 would_refuse_passing=0 would_let_in=1 would_mark=0 cannot_tell=0 flips="refuse -> deliver: 1, as token0 (bank.example)"`},
		{name: "the same once more needs none", text: "preview: 24h\n" + letsVendorIn, said: "configuration reloaded", not: "preview of"},
		{name: "within the limits", text: "preview: 24h\npreview_limit: [would_refuse>1, cannot_tell>50%]\n" + letsVendorIn, said: "configuration reloaded", logged: "preview of the reload"},
		{name: "outside of them the old configuration stays", text: "preview: 24h\npreview_limit: [would_refuse_passing>0]\n" + blocksVendor, status: 1,
			said: "configuration not reloaded, the old one stays: its preview is outside of preview_limit: would_refuse_passing>0 (it is 1); of 4 messages: deliver -> refuse: 1, as token2 (bank.example)"},
		{name: "without preview", text: blocksVendor, said: "configuration reloaded", not: "preview of"},
		{name: "of no time that has mail", text: "preview: 1s\n" + letsVendorIn, said: "configuration reloaded", logged: "messages=0"},
		{name: "a limit that is none", text: "preview: 24h\npreview_limit: [refused>1]\n", status: 1, said: "alignd.yaml:4:17: preview_limit[0]: \"refused>1\": there is no counter refused"},
		{name: "a limit without preview", text: "preview_limit: [would_refuse>1]\n", status: 1, said: "preview_limit has no effect while preview is 0s"},
	} {
		p.log.Reset()
		p.configure(t, row.text)
		said, status := reloadedBy(t, p.dir)
		if row.logged != "" {
			p.logs(t, row.logged) // lines are written after the answer
		}
		text := p.log.String()
		if status != row.status || !strings.Contains(said, row.said) || !strings.Contains(text, row.logged) || row.not != "" && strings.Contains(said+text, row.not) {
			t.Errorf("%s: status %d, said\n%s\nand logged\n%s", row.name, status, said, text)
		}
	}
	p.terminate(t)
}

func TestASecondSignalSkipsThePreview(t *testing.T) {
	p := startPreviewing(t, slowReplay+"=1m")
	p.configure(t, "preview: 24h\npreview_limit: [would_refuse>0]\n"+blocksVendor)
	p.signal(t, syscall.SIGHUP)
	p.logs(t, "reload waits for its preview")
	client := fakemta.Dial(p.mta, mta.Peer{Addr: netip.MustParseAddr("198.51.100.66")})
	defer client.Close()
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@example.com>"} { // mail goes on
		if r := client.Command(line); r.Code != 250 {
			t.Fatalf("%s: %s", line, r)
		}
	}
	if said, status := reloadedBy(t, p.dir); status != 0 || !strings.Contains(said, "configuration reloaded") {
		t.Errorf("status %d, said %s", status, said)
	}
	p.logs(t, "skipped by a second signal")
	if strings.Contains(p.log.String(), `msg="preview of the reload"`) {
		t.Errorf("it was previewed all the same:\n%s", p.log.String())
	}

	p.configure(t, "preview: 24h\n"+letsVendorIn)
	p.log.Reset()
	p.signal(t, syscall.SIGHUP)
	p.logs(t, "reload waits for its preview")
	client.Close()
	p.terminate(t) // a preview does not keep it
}

func TestAConfigurationThatChangesMeanwhileIsNotTakenForThePreviewedOne(t *testing.T) {
	p := startPreviewing(t, slowReplay+"=500ms")
	for _, limit := range []string{"", "preview_limit: [would_refuse>0]\n"} {
		p.log.Reset()
		p.configure(t, "preview: 24h\n"+limit+letsVendorIn)
		p.signal(t, syscall.SIGHUP)
		p.logs(t, "reload waits for its preview")
		p.configure(t, "preview: 24h\n"+limit+blocksVendor)
		p.logs(t, "was changed meanwhile")
		want := "configuration reloaded"
		if limit != "" {
			want = "the old one stays"
		}
		p.logs(t, want)
	}
	p.terminate(t)
}

func TestTheNewestRecordsAreReplayed(t *testing.T) {
	now := time.Now()
	file, _ := withPast(t)
	vendor := write(t, "vendor.yaml", letsVendorIn)
	until := now.Add(-58*time.Minute - 30*time.Second).UTC().Format(time.RFC3339) // before the third
	got := alignd(t, "", "replay", "--config", vendor, "--journal", file, "--until", until, "--newest", "1")
	if got.status != 0 || !strings.Contains(got.stdout, "1 messages judged again") {
		t.Errorf("--newest of a time that is over: %+v", got)
	}
	for n, want := range map[string]string{"1": "1 messages judged again", "3": "3 messages judged again", "4": "4 messages judged again", "9": "4 messages judged again"} {
		got := alignd(t, "", "replay", "--config", vendor, "--journal", file, "--newest", n)
		if got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("--newest %s: %+v", n, got)
		}
		if has := strings.Contains(got.stdout, "token0"); has != (n == "4" || n == "9") {
			t.Errorf("--newest %s: %s", n, got.stdout)
		}
	}
	if got := alignd(t, "", "replay", "--config", vendor, "--input", filepath.Join(t.TempDir(), "x"), "--newest", "3"); got.status != 1 || !strings.Contains(got.stderr, "--newest reads twice") {
		t.Errorf("%+v", got)
	}
}
