package policy

import (
	"fmt"
	"slices"
	"strings"
)

// EntryError is one fault of a Spec.
type EntryError struct {
	Source Source
	Entry  string // e.g. `exception "vendor"`; a key where it is no entry
	// Option is the place of the fault by the names that an admin writes, such as
	// "exceptions[3].proof.dkim[0]" or "replies.dmarc.code".
	Option string
	Msg    string // what is wrong, and what is wanted
}

func (e *EntryError) Error() string {
	s := e.Entry + ": " + e.Msg
	if e.Source.File != "" {
		s = e.Source.String() + ": " + s
	}
	return s
}

// Errors are all faults of a Spec, in the order of its fields.
type Errors []*EntryError

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault to errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, err := range e {
		list[i] = err
	}
	return list
}

// entryRef names an entry, or a section of options, in a fault.
type entryRef struct {
	kind, id string
	at       Source
	option   string // the list or section as an admin writes it; empty at the top level
	number   int    // of the entry in its list, from 1; 0 for a section
}

// path is the place of a key of the entry; of the entry itself without one.
func (e *entryRef) path(key string) string {
	path := e.option
	if e.number > 0 {
		path = fmt.Sprintf("%s[%d]", path, e.number-1)
	}
	if path != "" && key != "" {
		path += "."
	}
	return path + key
}

// item is a key that stands for one value of a list.
func item(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

// fault notes what is wrong with a key of an entry; key is empty where it is the
// entry as a whole.
func (c *compiler) fault(e entryRef, key, format string, args ...any) {
	name := e.kind
	if e.id != "" {
		name = fmt.Sprintf("%s %q", e.kind, e.id)
	}
	msg := fmt.Sprintf(format, args...)
	if key != "" {
		msg = key + ": " + msg
	}
	c.errs = append(c.errs, &EntryError{Source: e.at, Entry: name, Option: e.path(key), Msg: msg})
}

// oneOf reports a value that is not in want; def stands for the empty value.
func oneOf[T ~string](c *compiler, e entryRef, key string, value *T, def T, want ...T) {
	if *value == "" {
		*value = def
		return
	}
	if !slices.Contains(want, *value) {
		words := make([]string, len(want))
		for i, w := range want {
			words[i] = string(w)
		}
		c.fault(e, key, "%q is not one of %s", string(*value), strings.Join(words, ", "))
	}
}
