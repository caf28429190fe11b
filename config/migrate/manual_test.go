package migrate

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// manual says where the options of a filter are described.
type manual struct {
	filter string
	pages  []string         // below /usr/share/man; none where Debian 12 has no package
	names  []*regexp.Regexp // what an option looks like in them
	conf   string           // Debian's own configuration
}

var roff = regexp.MustCompile(`(?m)^\.I ((?:On-|VBR-)?[A-Z][A-Za-z0-9-]+) \([A-Za-z]`)

var manuals = []manual{
	{filter: "opendmarc", pages: []string{"man5/opendmarc.conf.5.gz"}, names: []*regexp.Regexp{roff}, conf: "etc/opendmarc.conf"},
	{filter: "opendkim", pages: []string{"man5/opendkim.conf.5.gz"}, names: []*regexp.Regexp{roff}, conf: "etc/opendkim.conf"},
	{filter: "policyd-spf", pages: []string{"man5/policyd-spf.conf.5.gz", "man5/policyd-spf.peruser.5.gz"}, conf: "etc/postfix-policyd-spf-python/policyd-spf.conf",
		names: []*regexp.Regexp{roff, regexp.MustCompile(`(?m)^"?([A-Za-z]+(?:_[A-Za-z]+)*) = `)}},
	{filter: "openarc"},
}

// unpacked is where the files of Debian's packages may be: of those that e2e/install
// unpacks, or of installed ones.
func unpacked(file string) ([]byte, bool) {
	for _, root := range []string{"../../build/filters", "/"} {
		if text, err := os.ReadFile(filepath.Join(root, file)); err == nil {
			return text, true
		}
	}
	return nil, false
}

// names are those of the list that is kept beside the table.
func (m manual) kept(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", m.filter+".options"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// written are the options in the manual pages themselves.
func (m manual) written(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, page := range m.pages {
		packed, ok := unpacked(filepath.Join("usr/share/man", page))
		if !ok {
			t.Skipf("left out: the options in the manual of %s (make test unpacks it)", m.filter)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range m.names {
			for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
				names = append(names, found[1])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEachOptionOfTheManualsIsAccountedFor(t *testing.T) {
	for _, m := range manuals {
		f := filterNamed(m.filter)
		for _, name := range m.kept(t) {
			if f.option(name) == nil {
				t.Errorf("%s: nothing is said of %s", m.filter, name)
			}
		}
		for _, o := range f.options {
			if o.do == nil && o.why == "" {
				t.Errorf("%s: %s has no reason", m.filter, o.name)
			}
		}
		t.Run(m.filter, func(t *testing.T) {
			if m.pages == nil {
				t.Logf("Debian 12 has no package; the list of %d names is that of the public manuals", len(m.kept(t)))
				return
			}
			written, kept := m.written(t), m.kept(t)
			slices.Sort(kept)
			for _, name := range written {
				if !slices.Contains(kept, name) && name != "Per_User" && f.option(name) == nil {
					t.Errorf("the manual has %s, and nothing is said of it", name)
				}
			}
			for _, name := range kept {
				if !slices.Contains(written, name) && name != "Per_User" {
					t.Errorf("the manual does not have %s any more", name)
				}
			}
			if len(written) < 30 {
				t.Errorf("only %d options were found", len(written))
			}
		})
	}
}

// No name is twice in a table, as only the first would count.
func TestTablesNameEachOptionOnce(t *testing.T) {
	for _, f := range filters {
		seen := map[string]bool{}
		for _, o := range f.options {
			if name := strings.ToLower(o.name); seen[name] {
				t.Errorf("%s: %s is there twice", f.name, o.name)
			} else {
				seen[name] = true
			}
		}
	}
}

// Debian's own files, as they are installed.
func TestDebiansFiles(t *testing.T) {
	var all []File
	for _, m := range manuals {
		if m.conf == "" {
			continue
		}
		text, ok := unpacked(m.conf)
		if !ok {
			t.Skipf("left out: Debian's %s (make test unpacks it)", m.conf)
		}
		f := File{Name: filepath.Base(m.conf), Text: text}
		result := imported(t, f)
		if result.sources[0].filter.name != m.filter {
			t.Errorf("%s was taken for a file of %s", m.conf, result.sources[0].filter.name)
		}
		all = append(all, f)
	}
	result := imported(t, all...)
	if len(result.Warnings) > 0 {
		t.Errorf("warnings: %v", result.Warnings)
	}
	cfg := loaded(t, result)
	// opendmarc of Debian refuses nothing, and policyd-spf what SPF says fail to.
	if got, want := string(cfg.Honor.Reject)+" "+string(cfg.SPFFail)+" "+string(cfg.Mode), "accept reject monitor"; got != want {
		t.Errorf("honor.reject, spf_fail and mode are %s, want %s", got, want)
	}
	for _, f := range result.Findings {
		if f.Name != "" && f.Line == 0 && f.Why == "" || f.Why == "." {
			t.Errorf("%s: %s: nothing is said", f.File, f.Name)
		}
	}
}
