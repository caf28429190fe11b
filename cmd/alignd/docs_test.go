package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alignd/config"
)

// pages are what people read before they type.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../docs/decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = string(text)
		}
	}
	if len(all) < 15 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// typed finds calls of alignd in what is set as code: a line by itself, or in
// backquotes.
var typed = regexp.MustCompile("(?m)(?:^(?:    |\\$ )(?:.*[|;&] *)?|`)(?:sudo )?alignd ([a-z][^`\n]*)")

// Each call of alignd in the docs has a command and flags that exist.
func TestCallsInTheDocsCanBeTyped(t *testing.T) {
	seen := 0
	for path, text := range pages(t) {
		for _, m := range typed.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "stopped ") { // the log's own words
				continue
			}
			seen++
			if err := parses(words(m[1])); err != nil {
				t.Errorf("%s: alignd %s: %v", filepath.Base(path), m[1], err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d calls were found", seen)
	}
}

// words cuts a line as a shell would where it is simple, up to a comment, a pipe or
// three blanks, behind which the docs say what it does.
func words(line string) []string {
	line, _, _ = strings.Cut(line, "   ")
	for _, end := range []string{" #", " |", " >", " <", " &&", ";"} {
		line, _, _ = strings.Cut(line, end)
	}
	var list []string
	for word := range strings.FieldsSeq(line) {
		list = append(list, strings.Trim(word, `"',.)`))
	}
	return list
}

// parses finds the command and reads its flags, without running it. What is set in
// brackets or capitals stands for something.
func parses(args []string) error {
	root := command()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	c.SetOut(io.Discard)
	if c == root || !c.Runnable() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return noArgs(c, rest)
	}
	var plain []string
	for _, word := range rest {
		if plain = append(plain, strings.Trim(word, "[]")); strings.HasSuffix(word, "...") {
			plain = plain[:len(plain)-1]
		}
	}
	return c.ParseFlags(plain)
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// Each configuration in the docs is one that alignd takes. One that shows faults is set
// as "yaml faulty".
func TestConfigurationsInTheDocsAreTaken(t *testing.T) {
	seen := 0
	for path, text := range pages(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(text, -1) {
			seen++
			file := filepath.Join(t.TempDir(), "alignd.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(file); err != nil && !strings.Contains(err.Error(), "no such file") {
				t.Errorf("%s: %v\n%s", filepath.Base(path), err, m[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d blocks were found", seen)
	}
}
