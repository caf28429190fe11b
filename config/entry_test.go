package config

import (
	"testing"
	"time"
)

const newEntry = "exceptions:\n  - id: new\n    action: accept\n    scope:\n      author_domains: [\"a.example\"]\n    proof: {clients: [192.0.2.0/24]}\n    reason: why\n    never_expires: true\n"

// An entry is put into whatever list there is, and the file says that entry more.
func TestAnEntryIsAdded(t *testing.T) {
	const one = "{id: one, action: accept, scope: {author_domains: [b.example]}, proof: {clients: [192.0.2.9]}, reason: ä, never_expires: true}"
	for _, row := range []struct {
		name, text string
		entries    int // before
	}{
		{name: "an empty file"},
		{name: "comments only", text: "# alignd\n"},
		{name: "no list", text: "mode: monitor"},
		{name: "a list", text: "exceptions:\n  - " + one + "\nmode: monitor\n", entries: 1},
		{name: "a list that is not indented", text: "mode: monitor\nexceptions:\n- " + one + "\n", entries: 1},
		{name: "far indented, with comments", text: "exceptions: # vendors\n\n      # the first\n      - " + one + "\n", entries: 1},
		{name: "no line end", text: "exceptions:\n  - " + one, entries: 1},
		{name: "brackets", text: "exceptions: [" + one + "]\nmode: monitor\n", entries: 1},
		{name: "brackets over lines", text: "exceptions: [\n  " + one + ",\n  ]\n", entries: 1},
		{name: "empty brackets", text: "exceptions: []\n"},
		{name: "nothing", text: "exceptions:\nmode: monitor\n"},
		{name: "nothing at the end", text: "mode: monitor\nexceptions: # none"},
		{name: "carriage returns", text: "mode: monitor\r\nexceptions:\r\n  - " + one + "\r\n", entries: 1},
	} {
		got, err := WithEntry(row.text, newEntry)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		cfg, err := Parse([]byte(got), "test.yaml", time.Now())
		if err != nil || len(cfg.Exceptions) != row.entries+1 || cfg.Exceptions[0].ID != "new" {
			t.Errorf("%s: %v\n%s", row.name, err, got)
		}
	}
	for _, text := range []string{"exceptions: {id: a}\n", "exceptions: [\n", "- a\n"} {
		if got, err := WithEntry(text, newEntry); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, entry := range []string{"", "mode: monitor\n", "exceptions:\n  - {id: a}\n  - {id: b}\n", "exceptions: [{id: a}]\n", "exceptions: &a\n  - b\n", newEntry + "mode: monitor\n"} {
		if got, err := WithEntry("", entry); err == nil {
			t.Errorf("entry %q: %s", entry, got)
		}
	}
}
