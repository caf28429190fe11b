package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/e2e/cases"
)

// What check --json prints of each message of each case and recipe is, byte for
// byte, what want.json holds. A change of behaviour shows as a change of these
// files, and a change of none shows that there was none.
func TestCheckOfAllCasesPrintsWhatWasStored(t *testing.T) {
	for _, root := range []string{"../../testdata/cases", "../../testdata/recipes"} {
		all, err := cases.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			t.Run(c.Name, func(t *testing.T) {
				t.Chdir(c.Dir)
				for _, e := range c.Envelopes() {
					compareStored(t, filepath.Base(c.WantFile(e.Step.Message, "json")), checkedCase(t, c, &e))
				}
			})
		}
	}
}

// checkedCase runs in the folder of the case, so that no path shows.
func checkedCase(t *testing.T, c *cases.Case, e *cases.Envelope) string {
	t.Helper()
	args := append([]string{"check", "--json", "--now", "1790000000", "--authserv-id", "mx.here.test", "--zone", "zone"}, e.Args()...)
	if c.Config != "" {
		args = append(args, "--config", filepath.Base(c.Config))
	}
	got := alignd(t, "", append(args, e.Step.File)...)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("status %d: %s", got.status, got.stderr)
	}
	return got.stdout
}

// ofThisBuild is what differs with the program and with options that decide
// nothing here: its version, and the hash of the whole configuration.
var ofThisBuild = regexp.MustCompile(`"(program|config)":"[^"]*"`)

// ofThisMachine is what comes of the sampling secret, by default the machine's id.
var ofThisMachine = regexp.MustCompile(`("sample":|"key":")(\d+|[0-9a-f]{64})`)

// stored writes an object with one of its members a line, for readable differences.
// Without its line ends it is what check printed, but for what is of one build
// or machine.
func stored(t *testing.T, printed string, ownSecret bool) string {
	t.Helper()
	printed = ofThisBuild.ReplaceAllString(printed, `"$1":""`)
	if !ownSecret {
		printed = ofThisMachine.ReplaceAllString(printed, "${1}0")
	}
	lines := members(t, []byte(printed))
	if strings.ReplaceAll(lines, "\n", "")+"\n" != printed {
		t.Fatalf("one object on one line was expected: %s", printed)
	}
	return lines
}

func members(t *testing.T, object []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	var out strings.Builder
	open, err := d.Token()
	for ; err == nil && d.More(); open = json.Delim(',') {
		var key json.Token
		var value json.RawMessage
		if key, err = d.Token(); err == nil {
			err = d.Decode(&value)
		}
		fmt.Fprintf(&out, "%v\n%q:%s", open, key, value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String() + "}\n"
}

func compareStored(t *testing.T, file, printed string) {
	t.Helper()
	config, _ := os.ReadFile("config.yaml")
	got := stored(t, printed, bytes.Contains(append([]byte("\n"), config...), []byte("\nsampling_secret:")))
	want, err := os.ReadFile(file)
	switch {
	case err == nil && string(want) == got:
	case *update:
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	case os.IsNotExist(err):
		t.Errorf("%s is not there: go test ./cmd/alignd -run TestCheckOfAllCases -update writes it", file)
	default:
		gone, came := apart(strings.Split(string(want), "\n"), strings.Split(got, "\n"))
		t.Errorf("%s: it was\n%s\nand is\n%s", file, strings.Join(gone, "\n"), strings.Join(came, "\n"))
	}
}

// apart returns the lines of one list that are not in the other.
func apart(want, got []string) (gone, came []string) {
	gone = slices.DeleteFunc(slices.Clone(want), func(l string) bool { return slices.Contains(got, l) })
	came = slices.DeleteFunc(slices.Clone(got), func(l string) bool { return slices.Contains(want, l) })
	return gone, came
}
