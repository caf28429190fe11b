// Package migrate reads the configuration of other filters and writes one of
// alignd that means the same, with a comment for each of their options: taken
// over, changed, or without counterpart and why.
//
// The filters are opendmarc, opendkim (its verifying side), OpenARC and
// policyd-spf. Each has one file here with one table of its options, and a test
// holds the tables against their manuals. What an option means there is taken from
// these manuals and from what Debian's packages were seen to do.
//
// What is written begins with mode: monitor, so it refuses nothing until somebody
// writes mode: enforce there, and it loads without fault: a value that alignd would not
// take is told in a comment instead. Text of the files is quoted where it stands in
// comments, and secrets are left out.
package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Kind is what became of an option.
type Kind int

// The kinds, as the comments call them.
const (
	Taken   Kind = iota // alignd has it, and it is written as it was
	Changed             // alignd does it in another way, which the comment tells
	None                // no counterpart; the comment tells why
)

func (k Kind) String() string {
	return [...]string{"taken over", "changed", "without counterpart"}[k]
}

// File is one file of another filter.
type File struct {
	Name string
	Text []byte
	// Type is its filter; empty: as its content tells.
	Type string
}

// Finding is what became of one option.
type Finding struct {
	File  string
	Line  int // 0: it is not written, and the default of that filter holds
	Type  string
	Name  string
	Value string
	Kind  Kind
	Key   string // the option of ours that it is about; may be empty
	Why   string
	// Refuses: alignd refuses or puts off mail that the other filter let in.
	Refuses bool
}

// Warning is what is wrong in a file that was read.
type Warning struct {
	File string
	Line int
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// Result is a configuration and how it came about.
type Result struct {
	Findings []Finding
	Warnings []Warning
	sources  []source
	target   target
}

// ErrType says that the content of a file does not tell whose it is.
var ErrType = errors.New("whose file this is cannot be told")

// Import reads files. Other files that they name are read from disk. The error says
// which file cannot be read, or wraps ErrType.
func Import(files []File) (*Result, error) {
	in := &importer{read: readFile}
	for _, f := range files {
		if err := in.file(f); err != nil {
			return nil, err
		}
	}
	for _, f := range filters {
		if in.has(f.name) {
			in.options(f)
		}
	}
	for _, f := range filters {
		if in.has(f.name) && f.finish != nil {
			f.finish(in)
		}
	}
	in.noDMARC()
	in.networks()
	in.vouchers()
	in.refusesNothing()
	slices.SortStableFunc(in.out.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(in.position(a.File), in.position(b.File)), cmp.Compare(a.Line, b.Line))
	})
	return &in.out, nil
}

// refusesNothing takes the mark from findings where nothing is refused by DMARC or SPF.
func (in *importer) refusesNothing() {
	if in.refusesByDMARC() || in.refusesBySPF() {
		return
	}
	for i := range in.out.Findings {
		if f := &in.out.Findings[i]; top(f.Key) != "limits" {
			f.Refuses = false
		}
	}
}

// Bounds; all are ours, and above what any site was seen to have.
const (
	maxFile    = 16 << 20 // octets of a file
	maxLines   = 10_000   // that say something, in all files with what they include
	maxEntries = 50_000   // of one list
)

// readFile reads a file that another one names. A pipe or a device might never end.
func readFile(name string) ([]byte, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, name)
}

// ReadAll reads a file within the bound that is put on each.
func ReadAll(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
	case len(text) > maxFile:
		err = fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	case bytes.IndexByte(text, 0) >= 0:
		err = fmt.Errorf("%s is no text, as it has octets of zero", name)
	}
	return text, err
}

// importer is one import on its way.
type importer struct {
	out    Result
	lines  int
	read   func(name string) ([]byte, error)
	lists  []hostList
	sealer *sealerList
}

// source is one file, of one filter, with its settings in order.
type source struct {
	name     string
	filter   *filter
	settings []setting
	base     string // of relative names in it
}

// setting is one line.
type setting struct {
	file        string
	line        int
	name, value string
}

// filter is what is known of one other filter.
type filter struct {
	name    string // "opendmarc"
	file    string // "opendmarc.conf"
	equals  bool   // name = value instead of name value
	options []option
	// finish judges several options together.
	finish func(in *importer)
}

// option is one option of a filter.
type option struct {
	name string
	kind Kind
	key  string
	why  string
	// do takes the value over, and says what became of it where that is not what stands
	// here. It is called once for each option that is written.
	do func(in *importer, s setting) note
	// unset is for an option that is not written, where its default differs from ours.
	unset func(in *importer) note
	// secret values are never repeated.
	secret bool
}

// note says what became of an option; the zero note: what the table says.
type note struct {
	kind    Kind
	key     string
	why     string
	refuses bool
}

// later is what a row returns where several options decide together: the filter's finish
// function amends it.
var later = note{why: "."}

// filters are in the order of who decides where two of them differ.
var filters = []*filter{&openDMARC, &policydSPF, &openDKIM, &openARC}

// Types are the names of all filters.
func Types() []string {
	var names []string
	for _, f := range filters {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

func filterNamed(name string) *filter {
	for _, f := range filters {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (f *filter) option(name string) *option {
	for i := range f.options {
		if o := &f.options[i]; o.name == name || !f.equals && strings.EqualFold(o.name, name) {
			return o
		}
	}
	return nil
}

func (in *importer) has(filter string) bool {
	return slices.ContainsFunc(in.out.sources, func(s source) bool { return s.filter.name == filter })
}

func (in *importer) position(file string) int {
	return slices.IndexFunc(in.out.sources, func(s source) bool { return s.name == file })
}

// last is what a filter's files say of an option; the last line holds.
func (in *importer) last(filter, name string) (setting, bool) {
	var found setting
	ok := false
	for _, src := range in.out.sources {
		for _, s := range src.settings {
			if src.filter.name == filter && strings.EqualFold(s.name, name) {
				found, ok = s, true
			}
		}
	}
	return found, ok
}

// is reports whether a boolean option is written as true.
func (in *importer) is(filter, name string) bool {
	s, ok := in.last(filter, name)
	on, valid := boolean(s.value)
	return ok && valid && on
}

// options goes through what the files of a filter say, and what they leave out.
func (in *importer) options(f *filter) {
	seen := map[*option]bool{}
	for _, src := range in.out.sources {
		if src.filter != f {
			continue
		}
		for _, s := range src.settings {
			in.setting(f, s, seen)
		}
	}
	for i := range f.options {
		if o := &f.options[i]; o.unset != nil && !seen[o] {
			in.found(f, setting{file: in.firstOf(f), name: o.name}, o.unset(in))
		}
	}
}

func (in *importer) firstOf(f *filter) string {
	i := slices.IndexFunc(in.out.sources, func(s source) bool { return s.filter == f })
	return in.out.sources[i].name
}

// setting deals with one line.
func (in *importer) setting(f *filter, s setting, seen map[*option]bool) {
	o := f.option(s.name)
	if f.holdsSecret(o, s) {
		defer func(from int) {
			for i := from; i < len(in.out.Findings); i++ {
				in.out.Findings[i].Value = "..."
			}
		}(len(in.out.Findings))
	}
	if o == nil {
		why := "is no option that the manual of " + f.name + " has"
		if meant := f.meant(s.name); meant != "" {
			why += "; did you mean " + meant + "?"
		}
		in.warn(s, "%s %s", quoted(s.name), why)
		in.found(f, s, note{kind: None, why: "it " + why})
		return
	}
	seen[o] = true
	if last, _ := in.last(f.name, s.name); last != s {
		in.found(f, s, note{kind: None, why: fmt.Sprintf("%s:%d says it again, and that holds", last.file, last.line)})
		return
	}
	n := note{kind: o.kind, key: o.key, why: o.why}
	if o.do != nil {
		if own := o.do(in, s); own.why != "" {
			n = own
		}
	}
	in.found(f, s, n)
}

func (in *importer) found(f *filter, s setting, n note) {
	in.out.Findings = append(in.out.Findings, Finding{File: s.file, Line: s.line, Type: f.name, Name: s.name, Value: s.value, Kind: n.kind, Key: n.key, Why: n.why, Refuses: n.refuses})
}

func (in *importer) warn(s setting, format string, args ...any) {
	in.out.Warnings = append(in.out.Warnings, Warning{File: s.file, Line: s.line, Text: fmt.Sprintf(format, args...)})
}

// take writes options of ours. Where alignd would not take them, or another file has
// said otherwise, nothing is written and the note says so.
func (in *importer) take(s setting, n note, pairs ...pair) note {
	err := in.out.target.set(s, pairs...)
	if err == nil {
		return n
	}
	in.warn(s, "%s: %v", s.name, err)
	if other := (otherwise{}); errors.As(err, &other) {
		return note{kind: Changed, key: pairs[0].path, why: "it is not written, as " + err.Error()}
	}
	return note{kind: None, key: pairs[0].path, why: "it is not taken over: " + err.Error()}
}
