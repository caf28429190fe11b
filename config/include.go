package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// named is the path of a file that the configuration names.
func (k *checker) named(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(k.base, name)
}

// readNamed reads a file that the configuration names, if it may name it.
func (k *checker) readNamed(file string, kind fileKind, limit int64) ([]byte, error) {
	if k.like != nil && !slices.ContainsFunc(k.like.Files, func(f File) bool { return f.kind == kind && f.Name == file }) {
		return nil, errors.New("it is none of the files that the running configuration names for this")
	}
	return readFile(file, limit)
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
	file := k.named(e.File)
	data, err := k.readNamed(file, exceptionsFile, maxFile)
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
		file := k.named(p.File)
		data, err := k.readNamed(file, recipientsFile, maxRecipientFile)
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
