package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
)

//go:embed defaults.yaml
var defaultText []byte

// DefaultText is the whole default configuration with the description of each
// option.
func DefaultText() []byte { return slices.Clone(defaultText) }

// Load reads a configuration. An empty path means DefaultFile, or the defaults
// if that does not exist: not even as a link to nowhere. The error is Problems, or
// says why the file cannot be read.
func Load(path string) (*Config, error) {
	if path = FileOf(path); path == "" {
		return Parse(nil, "", time.Now())
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(data, path, time.Now())
}

// FileOf is the file that Load reads for path; empty when there is none.
func FileOf(path string) string {
	if path != "" {
		return path
	}
	if _, err := os.Lstat(DefaultFile); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return DefaultFile
}

// Parse reads a configuration from data; file is its name, which relative
// names in it are resolved against. now decides what has expired.
func Parse(data []byte, file string, now time.Time) (*Config, error) {
	cfg := new(Config)
	base := newDecoder("defaults.yaml")
	base.document(defaultText, cfg)
	if len(base.problems) > 0 {
		return nil, base.problems // a fault of the binary; its test shows it
	}
	d := newDecoder(file)
	d.document(data, cfg)
	cfg.note(file, configurationFile, d.written)
	d.includeExceptions(cfg)
	d.includeRecipients(cfg)
	if len(d.problems) == 0 {
		d.validate(cfg, now)
	}
	if len(d.problems) == 0 {
		d.compile(cfg)
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return cfg, nil
}

// includeExceptions puts the entries of each named file in the place of the
// entry that names it.
func (d *decoder) includeExceptions(cfg *Config) {
	if !slices.ContainsFunc(cfg.Exceptions, func(e Exception) bool { return e.File != "" }) {
		return
	}
	lists := make([]*[]Exception, len(cfg.Exceptions))
	total := 0
	for i := range cfg.Exceptions {
		lists[i] = d.exceptionFile(cfg, &cfg.Exceptions[i])
		total += len(*lists[i])
	}
	all := make([]Exception, 0, total) // at its full size: places go by address
	for _, list := range lists {
		for i := range *list {
			e := &(*list)[i]
			all = append(all, *e)
			d.move(e, &all[len(all)-1])
		}
	}
	cfg.Exceptions = all
}

// exceptionFile returns the entry itself, or the entries of the file it names.
func (d *decoder) exceptionFile(cfg *Config, e *Exception) *[]Exception {
	if e.File == "" {
		list := []Exception{*e}
		d.move(e, &list[0])
		return &list
	}
	at := d.at[&e.File]
	if !reflect.DeepEqual(*e, Exception{File: e.File}) {
		d.problems = append(d.problems, Problem{at, "file: an entry that names a file holds nothing else"})
	}
	file := besides(d.file, e.File)
	data, err := readFile(file, maxFile)
	if err != nil {
		d.problems = append(d.problems, Problem{at, "file: " + err.Error()})
		return new([]Exception)
	}
	holder := new(struct {
		Exceptions []Exception `yaml:"exceptions"`
	})
	sub := &decoder{file: file, at: d.at, keys: d.keys, sources: d.sources}
	sub.document(data, holder)
	cfg.note(file, exceptionsFile, sub.written)
	for i := range holder.Exceptions {
		if inner := &holder.Exceptions[i]; inner.File != "" {
			sub.problems = append(sub.problems, Problem{d.at[&inner.File], "file: a file of exceptions cannot name another file"})
		}
	}
	d.problems = append(d.problems, sub.problems...)
	return &holder.Exceptions
}

// move notes the places of an entry and its fields under its new address.
func (d *decoder) move(from, to *Exception) {
	for _, pair := range [][2]any{
		{from, to}, {&from.Expires, &to.Expires}, {&from.Action, &to.Action}, {&from.Kind, &to.Kind}, {&from.ID, &to.ID},
	} {
		if at, ok := d.at[pair[0]]; ok {
			d.at[pair[1]] = at
		}
	}
}

// includeRecipients adds the addresses of each profile's file.
func (d *decoder) includeRecipients(cfg *Config) {
	for i := range cfg.Profiles {
		p := &cfg.Profiles[i]
		if p.File == "" {
			continue
		}
		file := besides(d.file, p.File)
		data, err := readFile(file, maxRecipientFile)
		if err != nil {
			d.problems = append(d.problems, Problem{d.at[&p.File], "file: " + err.Error()})
			continue
		}
		recipients, problems := recipientList(file, data)
		cfg.note(file, recipientsFile, len(recipients))
		p.Recipients = append(p.Recipients, recipients...)
		d.problems = append(d.problems, problems...)
	}
}

// maxListProblems is how many faults of one list are told; ours. A file of
// another kind that was named by mistake has one in each line.
const maxListProblems = 20

// recipientList reads address patterns, one a line; empty lines and lines that
// begin with "#" do not count.
func recipientList(file string, data []byte) (recipients []string, problems Problems) {
	n := 0
	for text := range bytes.Lines(data) {
		n++
		line := strings.TrimSpace(string(text))
		if line == "" || line[0] == '#' {
			continue
		}
		if len(problems) == maxListProblems {
			return recipients, append(problems, Problem{
				Position{file, n, 1}, fmt.Sprintf("more than %d faults in one file, the rest of it was not looked at", maxListProblems),
			})
		}
		pattern, err := recipientPattern(line)
		if err != nil {
			problems = append(problems, Problem{Position{file, n, 1}, err.Error()})
			continue
		}
		recipients = append(recipients, pattern)
	}
	return recipients, problems
}

// maxRecipientLine is the longest pattern in octets: 64 for a local part, 255
// for a domain (RFC 5321 section 4.5.3.1), and some more.
const maxRecipientLine = 400

func recipientPattern(line string) (string, error) {
	if len(line) > maxRecipientLine {
		return "", fmt.Errorf("a line of %d octets is no address", len(line))
	}
	return addressPattern(line)
}

// Limits of files in octets; ours.
const (
	maxFile          = 256 << 20 // 100,000 exceptions take about 20 MB
	maxRecipientFile = 16 << 20  // half a million addresses
)

// readFile reads a whole file of at most limit octets.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return data, err
}

// besides resolves name against the folder of file.
func besides(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// Needs are the facts to look up that cost DNS questions of their own: what the
// rules need, and what the options ask for.
func (c *Config) Needs() evidence.Needs {
	n := c.Rules.Needs()
	n.IPRev = n.IPRev || c.IPRev
	return n
}
