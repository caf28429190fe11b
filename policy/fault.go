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
	Msg    string // what is wrong, and what is wanted
}

func (e *EntryError) Error() string {
	s := e.Entry + ": " + e.Msg
	if e.Source.File != "" {
		s = fmt.Sprintf("%s:%d: %s", e.Source.File, e.Source.Line, s)
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

// entryRef names an entry in a fault.
type entryRef struct {
	kind, id string
	at       Source
}

func (c *compiler) fault(e entryRef, format string, args ...any) {
	name := e.kind
	if e.id != "" {
		name = fmt.Sprintf("%s %q", e.kind, e.id)
	}
	c.errs = append(c.errs, &EntryError{Source: e.at, Entry: name, Msg: fmt.Sprintf(format, args...)})
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
		c.fault(e, "%s: %q is not one of %s", key, string(*value), strings.Join(words, ", "))
	}
}
