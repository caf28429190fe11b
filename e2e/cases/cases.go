// Package cases reads the folders of testdata/cases and says whether what came
// out is what they want. testdata/cases/README.md is the manual of the format;
// the tests of package e2e run each case through the engine and through a real
// Postfix.
//
// Everything here reads files that belong to the tree, so a mistake in one is
// an error that names file and line, and nothing is repaired.
package cases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Case is one folder.
type Case struct {
	Dir   string // the folder
	Name  string // its last element: "07-null-sender"
	Title string // first line of README: what is shown, as a statement
	Steps []Step
	// Zone is the file of DNS records. Config is the file of settings; empty
	// when the case has none.
	Zone, Config string
	Log          []string // patterns for the daemon's log; a leading "!" forbids
}

// Load reads every folder below root, in the order of their names.
func Load(root string) ([]*Case, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var all []*Case
	var problems []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := Read(filepath.Join(root, e.Name()))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, errors.Join(problems...)
}

// Read reads one folder. Messages and wanted results are read when they are
// asked for.
func Read(dir string) (*Case, error) {
	c := &Case{Dir: dir, Name: filepath.Base(dir), Zone: filepath.Join(dir, "zone")}
	readme, err := os.ReadFile(c.path("README"))
	if err != nil {
		return nil, err
	}
	c.Title, _, _ = strings.Cut(string(readme), "\n")
	if strings.TrimSpace(c.Title) == "" {
		return nil, fmt.Errorf("%s: the first line must say what the case shows", c.path("README"))
	}
	session, err := os.ReadFile(c.path("session"))
	if err != nil {
		return nil, err
	}
	if c.Steps, err = parseSession(string(session)); err != nil {
		return nil, fmt.Errorf("%s:%w", c.path("session"), err)
	}
	if _, err := os.Stat(c.Zone); err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.path("config.yaml")); err == nil {
		c.Config = c.path("config.yaml")
	}
	c.Log, err = c.lines("want.log")
	return c, err
}

// Message is the message that a data step sends, with the file's line ends.
func (c *Case) Message(s Step) ([]byte, error) { return os.ReadFile(c.path(s.File)) }

// MTA is the extra smtpd parameter that the case asks for; empty for none.
func (c *Case) MTA() string {
	if len(c.Steps) > 0 && c.Steps[0].Verb == "mta" {
		return c.Steps[0].Text
	}
	return ""
}

// WantFile is the file that holds what is wanted of message n (1 is the first
// data step), "headers", "verdict" or "json".
func (c *Case) WantFile(n int, kind string) string {
	if n == 1 {
		return c.path("want." + kind)
	}
	return c.path(fmt.Sprintf("want.%d.%s", n, kind))
}

// WantVerdict returns the "key=pattern" lines for message n; none when the
// case does not speak about it.
func (c *Case) WantVerdict(n int) ([]string, error) {
	return c.lines(filepath.Base(c.WantFile(n, "verdict")))
}

// WantHeaders returns the "+ field" and "- field" lines for message n, and
// whether the file exists.
func (c *Case) WantHeaders(n int) ([]string, bool, error) {
	name := filepath.Base(c.WantFile(n, "headers"))
	if _, err := os.Stat(c.path(name)); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	lines, err := c.lines(name)
	return lines, true, err
}

func (c *Case) path(name string) string { return filepath.Join(c.Dir, name) }

// lines reads a file of lines without comments and empty ones; a file that
// does not exist has none.
func (c *Case) lines(name string) ([]string, error) {
	text, err := os.ReadFile(c.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		out = append(out, line)
	}
	return out, nil
}
