package config

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

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
func Load(path string) (*Config, error) { return Input{File: path}.Load() }

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

// Input says which configuration is read.
type Input struct {
	// File is its name. Empty: DefaultFile, or the defaults if that does not exist.
	File string
	// Text is what it holds. Nil: what is in File.
	Text io.Reader
	// Base is the folder of conf.d and of names in the files. Empty: that of File.
	Base string
	// Like is a configuration whose files are the only ones that may be named, each for
	// what it is there; nil: any may. It is for text of people who may not read all that
	// this process may.
	Like *Config
}

// Load reads the file, the files of conf.d and those that they name.
func (in Input) Load() (*Config, error) {
	if in.Base == "" {
		in.Base = filepath.Dir(cmp.Or(in.File, DefaultFile))
	}
	name := in.File
	if in.Text == nil {
		name = FileOf(in.File)
	}
	var data []byte
	var err error
	switch {
	case in.Text != nil:
		data, err = readAll(in.Text, name, maxFile)
	case name != "":
		data, err = readFile(name, maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	k := newChecker(name, in.Base)
	k.like = in.Like
	k.read(name, configurationFile, data)
	k.dropIns(filepath.Join(in.Base, dropInFolder))
	return k.done(time.Now())
}

// Parse reads a configuration from data alone, without conf.d; file is its name, which
// relative names in it are resolved against. now decides what has expired.
func Parse(data []byte, file string, now time.Time) (*Config, error) {
	k := newChecker(file, filepath.Dir(file))
	k.read(file, configurationFile, data)
	return k.done(now)
}

// defaultRoot is what defaults.yaml says. To parse it takes most of the time of a load.
var defaultRoot = sync.OnceValue(func() *yaml.Node {
	root, problems := parseYAML("defaults.yaml", defaultText)
	if len(problems) > 0 {
		panic(problems) // a fault of the binary; its test shows it
	}
	return root
})

// readDefaults is a configuration that nothing was said to.
func readDefaults() *Config {
	cfg := new(Config)
	d := newDecoder("defaults.yaml", map[string]Position{}, map[string]bool{})
	d.root(defaultRoot(), cfg)
	if len(d.problems) > 0 {
		panic(d.problems) // a fault of the binary; its test shows it
	}
	return cfg
}

// defaults are only to be compared with.
var defaults = sync.OnceValue(readDefaults)

// newChecker begins with the defaults.
func newChecker(file, base string) *checker {
	cfg := readDefaults()
	cfg.places, cfg.broken = map[string]Position{}, map[string]bool{}
	return &checker{cfg: cfg, file: file, base: base}
}

// read adds what one file says.
func (k *checker) read(name string, kind fileKind, data []byte) {
	d := newDecoder(name, k.cfg.places, k.cfg.broken)
	d.document(data, k.cfg)
	k.cfg.note(name, kind, d.written)
	k.problems = append(k.problems, d.problems...)
}

// done checks what was read.
func (k *checker) done(now time.Time) (*Config, error) {
	k.includeExceptions()
	k.includeRecipients()
	k.validate(now)
	k.compile()
	if len(k.problems) > 0 {
		k.problems.sort()
		return nil, k.problems
	}
	return k.cfg, nil
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
	return readAll(f, name, limit)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return data, err
}

// Needs are the facts to look up that cost DNS questions of their own: what the
// rules need, and what the options ask for.
func (c *Config) Needs() evidence.Needs {
	n := c.Rules.Needs()
	n.IPRev = n.IPRev || c.IPRev
	return n
}
