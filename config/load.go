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
	base := newDecoder("defaults.yaml", map[string]Position{}, map[string]bool{})
	base.document(defaultText, cfg)
	if len(base.problems) > 0 {
		return nil, base.problems // a fault of the binary; its test shows it
	}
	cfg.places, cfg.broken = map[string]Position{}, map[string]bool{}
	d := newDecoder(file, cfg.places, cfg.broken)
	d.document(data, cfg)
	cfg.note(file, configurationFile, d.written)
	k := &checker{cfg: cfg, file: file, problems: d.problems}
	k.includeExceptions()
	k.includeRecipients()
	k.validate(now)
	k.compile()
	if len(k.problems) > 0 {
		k.problems.sort()
		return nil, k.problems
	}
	return cfg, nil
}

// includeExceptions puts the entries of each named file in the place of the
// entry that names it.
func (k *checker) includeExceptions() {
	if !slices.ContainsFunc(k.cfg.Exceptions, func(e Exception) bool { return e.File != "" }) {
		return
	}
	var all []Exception
	for i := range k.cfg.Exceptions {
		if e := &k.cfg.Exceptions[i]; e.File == "" {
			all = append(all, *e)
		} else {
			all = append(all, k.exceptionFile(e)...)
		}
	}
	k.cfg.Exceptions = all
}

// exceptionFile returns the entries of the file that an entry names.
func (k *checker) exceptionFile(e *Exception) []Exception {
	at := e.At.of("file")
	if !reflect.DeepEqual(*e, Exception{At: e.At, File: e.File}) {
		k.problems = append(k.problems, Problem{Position: at, Text: "file: an entry that names a file holds nothing else"})
	}
	file := besides(k.file, e.File)
	data, err := readFile(file, maxFile)
	if err != nil {
		k.problems = append(k.problems, Problem{Position: at, Text: "file: " + err.Error()})
		return nil
	}
	holder := new(struct {
		Exceptions []Exception `yaml:"exceptions"`
	})
	d := newDecoder(file, map[string]Position{}, map[string]bool{})
	d.document(data, holder)
	k.cfg.note(file, exceptionsFile, d.written)
	for i := range holder.Exceptions {
		if inner := &holder.Exceptions[i]; inner.File != "" {
			d.problems = append(d.problems, Problem{Position: inner.At.of("file"), Text: "file: a file of exceptions cannot name another file"})
		}
	}
	k.problems = append(k.problems, d.problems...)
	return holder.Exceptions
}

// includeRecipients adds the addresses of each profile's file.
func (k *checker) includeRecipients() {
	cfg := k.cfg
	for i := range cfg.Profiles {
		p := &cfg.Profiles[i]
		if p.File == "" {
			continue
		}
		file := besides(k.file, p.File)
		data, err := readFile(file, maxRecipientFile)
		if err != nil {
			k.fault(item("profiles", i)+".file", "file: %v", err)
			continue
		}
		recipients, problems := recipientList(file, data)
		cfg.note(file, recipientsFile, len(recipients))
		p.Recipients = append(p.Recipients, recipients...)
		k.problems = append(k.problems, problems...)
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
				Position: Position{file, n, 1}, Text: fmt.Sprintf("more than %d faults in one file, the rest of it was not looked at", maxListProblems),
			})
		}
		pattern, err := recipientPattern(line)
		if err != nil {
			problems = append(problems, Problem{Position: Position{file, n, 1}, Text: err.Error()})
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
