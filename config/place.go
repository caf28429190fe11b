package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"alignd/policy"
)

// Position is a place in a configuration file. Line and Column count from 1;
// the zero Position stands for a default.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// source is the position as records and the log tell it.
func (p Position) source() policy.Source { return policy.Source{File: p.File, Line: p.Line} }

// Place is where an entry of a list stands, and what is written in it.
type Place struct {
	Position
	keys   []writtenKey
	broken []string // paths of what has a fault; "" for all of it
}

// writtenKey is one thing that is written in an entry: its path below the entry,
// such as "proof.dkim" or "proof.dkim[0]", and its place.
type writtenKey struct {
	path         string
	line, column int32
}

// of is the place of a key, or else of what is around it, or of the entry.
func (p *Place) of(path string) Position {
	for ; path != ""; path = around(path) {
		for i := range p.keys {
			if k := &p.keys[i]; k.path == path {
				return Position{p.File, int(k.line), int(k.column)}
			}
		}
	}
	return p.Position
}

// has reports whether a key is written in the entry, or something in it.
func (p *Place) has(path string) bool {
	return slices.ContainsFunc(p.keys, func(k writtenKey) bool { return k.path == path || isIn(k.path, path) })
}

// around is the path of what a thing stands in: "a.b[0]", "a.b", "a", "".
func around(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// where is the place of an option by its path, such as "dns.timeout" or
// "exceptions[3].expires", or else of what is around it; the zero Position when
// none of it is written down.
func (c *Config) where(option string) Position {
	if at, rest := c.entry(option); at != nil {
		return at.of(rest)
	}
	for ; option != ""; option = around(option) {
		if at, ok := c.places[option]; ok {
			return at
		}
	}
	return Position{}
}

// written reports whether an option that is in no entry of a list is written down.
func (c *Config) written(option string) bool {
	_, ok := c.places[option]
	return ok
}

// placeType is what an entry has in its field At.
var placeType = reflect.TypeFor[Place]()

// entry is the place of the entry that an option is in, and the path in it; nil
// when it is in none.
func (c *Config) entry(option string) (at *Place, rest string) {
	list, rest, ok := strings.Cut(option, "[")
	field, known := fieldsOf(reflect.TypeFor[Config]())[list]
	if !ok || !known {
		return nil, ""
	}
	number, rest, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	entries := reflect.ValueOf(c).Elem().FieldByIndex(field.Index)
	if err != nil || i >= entries.Len() {
		return nil, ""
	}
	return placeOf(entries.Index(i)), strings.TrimPrefix(rest, ".")
}

// placeOf is the Place of an entry; nil for what is none.
func placeOf(v reflect.Value) *Place {
	if v.Kind() != reflect.Struct || !v.CanAddr() {
		return nil
	}
	if f := v.FieldByName("At"); f.IsValid() && f.Type() == placeType {
		return f.Addr().Interface().(*Place)
	}
	return nil
}

// Problem is one fault of a configuration, with its place.
type Problem struct {
	Position
	Text string
}

func (p Problem) Error() string { return p.Position.String() + ": " + p.Text }

// Problems are all faults found in one go, in the order of the files.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// ListenWritten reports whether the file says where to listen.
func (c *Config) ListenWritten() bool { return c.written("listen") }

// sort puts them in the order of their places; files stay in the order in which they
// were met.
func (ps Problems) sort() {
	number := map[string]int{}
	for _, p := range ps {
		if _, ok := number[p.File]; !ok {
			number[p.File] = len(number)
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(number[a.File], number[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
