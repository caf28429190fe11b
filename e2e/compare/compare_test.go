package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What a filter added is told from what came with the message.
func TestResultsAreThoseThatWereAdded(t *testing.T) {
	before := "Authentication-Results: other.test; spf=fail\r\nFrom: a@example.com\r\n\r\nAuthentication-Results: body; spf=none\r\n"
	after := "Authentication-Results: mx.here.test;\r\n\tdkim=pass header.d=b.example;\r\n\tdkim=fail header.d=a.example; dkim=pass\r\n" +
		"authentication-results: mx.here.test; dmarc=fail (p=reject) header.from=example.com\r\n" + before
	got := resultsOf(added([]byte(before), []byte(after)))
	if got.words["dkim"] != "fail, 2 pass" || got.words["dmarc"] != "fail" || got.words["spf"] != "" {
		t.Errorf("%q", got.words)
	}
}

func TestCellsShowWhatDiffers(t *testing.T) {
	ours := result{words: map[string]string{"spf": "pass", "dkim": "fail", "arc": "none", "dmarc": "fail"}, done: refused}
	theirs := result{words: map[string]string{"spf": "pass", "dkim": "policy", "dmarc": "fail"}, done: held}
	if got, want := cell(theirs, ours), "pass / **policy** / - / fail: **held**"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := cell(ours, ours), "pass / fail / none / fail: refused"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The page around the table stays, and the table goes between the marks alone.
func TestTableIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("above\n"+begins+"\nold\n"+ends+"\nbelow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceTable(file, "new\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if want := "above\n" + begins + "\n\nnew\n\n" + ends + "\nbelow\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceTable(file, "new\n"); err == nil {
		t.Error("a page without marks was taken")
	}
}
