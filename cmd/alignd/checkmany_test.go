package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// inMaildir writes files below a new folder.
func inMaildir(t *testing.T, files map[string]string) string {
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

const fromLine = "From a@example.com Mon Nov  2 10:00:00 2026\n"

func TestCheckTakesManyMessages(t *testing.T) {
	zone := write(t, "zone", plainZone)
	other := "From: bob@other.test\n\nx\n"
	mbox := write(t, "mbox", fromLine+plainMessage+"\n"+fromLine+other+"\n")
	maildir := inMaildir(t, map[string]string{"cur/1": plainMessage, "new/2": other, "tmp/3": "x"})
	args := []string{"check", "--config", write(t, "alignd.yaml", "sampling_secret: x\n"), "--zone", zone, "--ip", "192.0.2.1", "--mail-from", "a@example.com", "--helo", "h.example", "--now", "1700000000", "--authserv-id", "mx.here.test"}
	const table = `delivery  requested  spf       dkim    arc   dmarc      author domain            message
deliver   none       pass      none    none  pass       example.com              ONE
deliver   none       pass      none    none  none       other.test               TWO

2 messages
       2  delivery deliver
       1  dmarc=none
       1  dmarc=pass
       2  spf=pass
`
	one, two := write(t, "one", plainMessage), write(t, "two", other)
	for _, row := range []struct {
		name  string
		files []string
		first string
		last  string
	}{
		{name: "two files", files: []string{one, two}, first: one, last: two},
		{name: "an mbox", files: []string{mbox}, first: mbox + "#1", last: mbox + "#2"},
		{name: "a Maildir", files: []string{maildir}, first: filepath.Join(maildir, "cur/1"), last: filepath.Join(maildir, "new/2")},
	} {
		want := strings.NewReplacer("ONE", row.first, "TWO", row.last).Replace(table)
		if got := alignd(t, "", append(args, row.files...)...); got != (outcome{stdout: want}) {
			t.Errorf("%s: got %+v\nwant %s", row.name, got, want)
		}
		got := alignd(t, "", append(append(args, "--json"), row.files...)...)
		var sources []string
		for line := range strings.Lines(got.stdout) {
			var object struct{ Source string }
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%s: %v: %s", row.name, err, line)
			}
			sources = append(sources, object.Source)
		}
		if !slices.Equal(sources, []string{row.first, row.last}) {
			t.Errorf("%s: got the sources %q", row.name, sources)
		}
	}
}

// What was left out is said of a mailbox too: once, with the number of messages.
func TestCheckCountsWhatWasLeftOut(t *testing.T) {
	got := alignd(t, fromLine+plainMessage+"\n"+fromLine+plainMessage, "check", "--zone", write(t, "zone", plainZone), "--helo", "h.example", "-")
	for _, want := range []string{"       2  note: no --ip\n", "       2  note: no --mail-from\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("want %q in %+v", want, got)
		}
	}
}

// What a record holds does not reach a terminal as it is, in JSON neither.
func TestCheckShowsHostileRecordsSafely(t *testing.T) {
	zone := write(t, "zone", "_dmarc.example.com TXT \"v=DMARC1: p=reject\\027[2J\\194\\155\\226\\128\\174\"\nexample.com TXT \"v=spf1;\\226\\128\\143\\255\"\n")
	for _, format := range []string{"--json", "--json=false"} {
		got := alignd(t, plainMessage, "check", format, "--zone", zone, "--ip", "192.0.2.1", "--mail-from", "a@example.com", "-")
		for _, c := range got.stdout {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Errorf("%s: %U in %s", format, c, got.stdout)
			}
		}
		if !strings.Contains(got.stdout, "v=DMARC1: p=reject") {
			t.Errorf("%+v", got)
		}
	}
}

// An mbox of one message is that message; what --json prints of it is the contract.
func TestCheckOfAnMboxOfOne(t *testing.T) {
	zone := write(t, "zone", plainZone)
	args := []string{"check", "--json", "--config", write(t, "alignd.yaml", "sampling_secret: x\n"), "--zone", zone, "--ip", "192.0.2.1", "--now", "1700000000", "-"}
	want := alignd(t, plainMessage, args...)
	if got := alignd(t, fromLine+plainMessage+"\n", args...); got != want || strings.Contains(got.stdout, `"source"`) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// Lines that the mbox quotes are what was signed and hashed.
func TestCheckTakesTheQuotesOff(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "cases", "01-aligned-dkim-pass")
	signed, err := os.ReadFile(filepath.Join(dir, "message.eml"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"check", "--json", "--zone", filepath.Join(dir, "zone"), "--now", "1764576000", "-"}
	if got := alignd(t, fromLine+string(signed)+"\n"+fromLine+plainMessage, args...); strings.Count(got.stdout, `"dkim":[{"result":"pass"`) != 1 || strings.Count(got.stdout, "\n") != 2 {
		t.Errorf("%+v", got)
	}
}

// What cannot be read is told, and the rest is judged all the same.
func TestCheckTellsWhichFilesItCannotRead(t *testing.T) {
	zone, message := write(t, "zone", plainZone), write(t, "message", plainMessage)
	got := alignd(t, "", "check", "--zone", zone, message+"x", message)
	if got.status != 2 || !strings.Contains(got.stderr, message+"x: ") || !strings.Contains(got.stderr, "files that could not be read: 1") || !strings.Contains(got.stdout, "1 messages") {
		t.Errorf("%+v", got)
	}
}

// A byte order mark is read past and told; UTF-16 cannot be read, and that is told.
func TestCheckTellsOfAByteOrderMark(t *testing.T) {
	zone := write(t, "zone", plainZone)
	for _, row := range []struct{ name, message, note, result string }{
		{name: "UTF-8", message: "\ufeff" + plainMessage, note: "byte order mark (EF BB BF)", result: `"domains":["example.com"]`},
		{name: "UTF-16, little end first", message: "\xff\xfeF\x00r\x00", note: "UTF-16", result: `"domains":[]`},
		{name: "UTF-16, big end first", message: "\xfe\xff\x00F\x00r", note: "UTF-16", result: `"domains":[]`},
		{name: "none", message: plainMessage, result: `"domains":["example.com"]`},
	} {
		args := []string{"check", "--zone", zone, "--ip", "192.0.2.1", "--helo", "h.example", "--mail-from", "", "-"}
		text := alignd(t, row.message, args...)
		object := alignd(t, row.message, append(args, "--json")...)
		for _, got := range []outcome{text, object} {
			if got.status != 0 || !strings.Contains(got.stdout, row.note) || strings.Contains(got.stdout, "byte order mark") != (row.note != "") {
				t.Errorf("%s: %+v", row.name, got)
			}
		}
		if !strings.Contains(object.stdout, row.result) {
			t.Errorf("%s: %s", row.name, object.stdout)
		}
	}
}

// What is left out is said plainly, and nothing is said where nothing is.
func TestCheckTellsWhatWasLeftOut(t *testing.T) {
	zone := write(t, "zone", plainZone)
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{name: "all", args: nil, want: "ip helo mail-from"},
		{name: "the address", args: []string{"--helo", "h", "--mail-from", "a@b.example"}, want: "ip"},
		{name: "nothing, as the null reverse-path was given", args: []string{"--ip", "192.0.2.1", "--helo", "h", "--mail-from", "<>"}, want: ""},
	} {
		text := alignd(t, plainMessage, append([]string{"check", "--zone", zone, "-"}, row.args...)...).stdout
		object := alignd(t, plainMessage, append([]string{"check", "--json", "--zone", zone, "-"}, row.args...)...).stdout
		var got []string
		for _, flag := range []string{"ip", "helo", "mail-from"} {
			if note := fmt.Sprintf("no --%s was given", flag); strings.Contains(text, note) && strings.Contains(object, note) {
				got = append(got, flag)
			}
		}
		if strings.Join(got, " ") != row.want || row.want == "" && strings.Contains(object, `"notes"`) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// Aliases are shown of each question, and of the key's name; look-alikes beside
// the check that they are about.
func TestCheckShowsAliasesAndLookalikes(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "cases", "01-aligned-dkim-pass")
	text, err := os.ReadFile(filepath.Join(dir, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	zone := write(t, "zone", strings.ReplaceAll(string(text), "_domainkey.example.com", "keys.provider.test")+
		"\n_dmarc.example.com TXT \"v=DMARC1: p=reject\"\nexample.com TXT \"v=spf1include:x.test\"\n*._domainkey.example.com CNAME far.provider.test\n")
	key := ""
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, "._domainkey.example.com"); ok {
			key = name
		}
	}
	zone = write(t, "zone", fmt.Sprintf("%s\nfar.provider.test CNAME %s.keys.provider.test\n", readFile(t, zone), key))
	args := []string{"check", "--zone", zone, "--now", "1764576000", "--ip", "192.0.2.1", "--mail-from", "a@example.com", filepath.Join(dir, "message.eml")}
	got := alignd(t, "", args...).stdout
	for _, want := range []string{
		"the key's name is an alias (CNAME) of far.provider.test, an alias of " + key + ".keys.provider.test",
		"TXT          " + key + "._domainkey.example.com (CNAME far.provider.test, CNAME " + key + ".keys.provider.test) NOERROR",
		`looks like a record and is none: _dmarc.example.com "v=DMARC1: p=reject": ":" stands behind v=DMARC1 instead of a semicolon`,
		`looks like a record and is none: example.com "v=spf1include:x.test": no space stands behind v=spf1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	object := alignd(t, "", append(args, "--json")...).stdout
	for _, want := range []string{`"cnames":["far.provider.test","` + key + `.keys.provider.test"]`,
		`"lookalikes":["_dmarc.example.com \"v=DMARC1: p=reject\": `, `"lookalikes":["example.com \"v=spf1include:x.test\": `} {
		if !strings.Contains(object, want) {
			t.Errorf("want %q in\n%s", want, object)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
