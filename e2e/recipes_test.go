package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cookbooks are the pages that show recipes.
var cookbooks = []string{"../docs/policy.md", "../docs/gateways.md"}

// fence is a code block of the cookbook.
type fence struct {
	page string
	line int // of the opening fence, from 1
	lang string
	text string
	file string // the file below testdata that was linked last before it; "" when none was since the last block
}

var testdataLink = regexp.MustCompile(`\]\(\.\./(testdata/[^)]+)\)`)

func fences(t *testing.T) []fence {
	t.Helper()
	var all []fence
	for _, page := range cookbooks {
		all = append(all, fencesOf(t, page)...)
	}
	return all
}

func fencesOf(t *testing.T, cookbook string) []fence {
	t.Helper()
	var all []fence
	var open *fence
	file := ""
	n := 0
	for line := range strings.Lines(string(readFile(t, cookbook))) {
		n++
		switch {
		case open == nil && strings.HasPrefix(line, "```"):
			open = &fence{page: cookbook, line: n, lang: strings.TrimSpace(line[3:]), file: file}
			file = ""
		case open != nil && strings.HasPrefix(line, "```"):
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line
		default:
			if m := testdataLink.FindStringSubmatch(line); m != nil {
				file = m[1]
			}
		}
	}
	if open != nil || len(all) == 0 {
		t.Fatalf("%s: a code block is not closed, or there is none", cookbook)
	}
	return all
}

// TestCookbookShowsTheTestedFiles compares each block of the cookbook with the
// file that it is taken from, and looks for recipes that it does not show.
func TestCookbookShowsTheTestedFiles(t *testing.T) {
	shown := map[string]bool{}
	for _, f := range fences(t) {
		if f.lang == "console" {
			continue
		}
		if f.file == "" {
			t.Errorf("%s:%d: no link to the file in front of the block", f.page, f.line)
			continue
		}
		shown[f.file] = true
		if want := string(readFile(t, "../"+f.file)); f.text != want {
			t.Errorf("%s:%d: got\n%s\n%s has\n%s", f.page, f.line, f.text, f.file, want)
		}
	}
	for _, pattern := range []string{"*.yaml", "*.txt"} {
		files, err := filepath.Glob("../testdata/recipes/*/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if name := strings.TrimPrefix(filepath.ToSlash(file), "../"); !shown[name] {
				t.Errorf("%v: %s is not shown", cookbooks, name)
			}
		}
	}
}

// TestCookbookQuotesTheExplanation runs the commands of the cookbook; after
// "..." it quotes the output from there on.
func TestCookbookQuotesTheExplanation(t *testing.T) {
	for _, f := range fences(t) {
		if f.lang != "console" {
			continue
		}
		command, want, ok := strings.Cut(f.text, "\n...\n")
		command = strings.ReplaceAll(command, "\\\n", " ")
		args := strings.Fields(strings.TrimPrefix(command, "$ alignd "))
		if !ok || !strings.HasPrefix(command, "$ alignd ") {
			t.Errorf("%s:%d: want \"$ alignd ...\" and the quotation after \"...\"", f.page, f.line)
			continue
		}
		cmd := exec.Command(binary(t), args...)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if !strings.Contains(string(out), "\n"+want) {
			t.Errorf("%s:%d: quotes\n%s\ngot\n%s", f.page, f.line, want, out)
		}
	}
}

var anyLink = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)

func TestCookbookLinksLeadSomewhere(t *testing.T) {
	for _, page := range cookbooks {
		text := string(readFile(t, page))
		for _, m := range anyLink.FindAllStringSubmatch(text, -1) {
			if m[1] != "" {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
			if m[2] != "" && m[1] == "" && !anchors(text)[m[2]] {
				t.Errorf("%s: no heading #%s", page, m[2])
			}
		}
	}
}

// anchors are the names that the headings of a page get.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
			all[strings.NewReplacer(",", "", "?", "").Replace(name)] = true
		}
	}
	return all
}

// TestRolloutByItsDates moves the clock through the recipe of a phased reject.
func TestRolloutByItsDates(t *testing.T) {
	const dir = "../testdata/recipes/phased-reject/"
	day := func(s string) string {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(at.Unix(), 10)
	}
	for _, row := range []struct{ name, day, message, stage, delivery string }{
		{name: "the first stage has no date", day: "2025-02-28", message: "in.eml", stage: "monitor", delivery: "deliver"},
		{name: "a stage begins with its day", day: "2025-03-01", message: "in.eml", stage: "tag", delivery: "tag"},
		{name: "a share of the mail goes ahead", day: "2025-06-01", message: "in.eml", stage: "quarantine", delivery: "tag"},
		{name: "the rest stays behind", day: "2025-06-01", message: "out.eml", stage: "tag", delivery: "tag"},
		{name: "then all of it", day: "2098-07-01", message: "out.eml", stage: "quarantine", delivery: "tag"},
		{name: "a share is refused", day: "2098-09-01", message: "in.eml", stage: "reject", delivery: "refuse"},
		{name: "the rest stays at the stage before", day: "2098-09-01", message: "out.eml", stage: "quarantine", delivery: "tag"},
		{name: "at the end all is refused", day: "2099-01-01", message: "out.eml", stage: "reject", delivery: "refuse"},
		{name: "a domain with its own rollout", day: "2025-01-01", message: "bank.eml", stage: "reject", delivery: "refuse"},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, err := exec.Command(binary(t), "check", "--json", "--config", dir+"config.yaml", "--zone", dir+"zone",
				"--ip", "198.51.100.66", "--mail-from", "offer@attacker.example", "--now", day(row.day), dir+row.message).Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Disposition struct{ Stage, Delivery string }
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if d := got.Disposition; d.Stage != row.stage || d.Delivery != row.delivery {
				t.Errorf("got stage %s and %s, want %s and %s", d.Stage, d.Delivery, row.stage, row.delivery)
			}
		})
	}
}
