package config

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// decoder fills Go values from YAML nodes strictly: unknown and duplicate
// keys, wrong types and values that a field's type refuses are Problems.
// It notes where all that is written stands: in the entry of a list that it is in,
// or else in the Config.
type decoder struct {
	file     string
	problems Problems
	places   map[string]Position // of what is in no entry
	entry    *Place              // the one that is being decoded
	path     string              // its path, with a dot
	paths    map[string]string   // paths in entries, each stored once
	aliases  int
	written  int // keys of the document with a value
}

func newDecoder(file string, places map[string]Position) *decoder {
	return &decoder{file: file, places: places, paths: map[string]string{}}
}

// maxAliases ends files whose aliases multiply or contain themselves. The
// number is ours.
const maxAliases = 10_000

var (
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
	prefixType = reflect.TypeFor[netip.Prefix]()
)

// prefix is a netip.Prefix that is read as network does.
type prefix netip.Prefix

// UnmarshalText reads an address or a prefix.
func (p *prefix) UnmarshalText(text []byte) error {
	n, err := network(string(text))
	*p = prefix(n)
	return err
}

func (d *decoder) pos(n *yaml.Node) Position {
	return Position{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) problem(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.pos(n), fmt.Sprintf(format, args...)})
}

// document decodes a whole file. An empty file changes nothing.
func (d *decoder) document(data []byte, into any) {
	var doc, next yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(data))
	if err := in.Decode(&doc); err != nil {
		if err != io.EOF {
			d.problems = append(d.problems, syntaxProblem(d.file, err))
		}
		return
	}
	if len(doc.Content) > 0 {
		d.written = written(doc.Content[0])
		d.value(doc.Content[0], reflect.ValueOf(into).Elem(), "", "")
	}
	switch err := in.Decode(&next); {
	case err == io.EOF:
	case err != nil:
		d.problems = append(d.problems, syntaxProblem(d.file, err))
	default:
		d.problem(&next, "a second YAML document; one file is one document, without --- between its parts")
	}
}

// written is how many keys of a document have a value; a list that is written out
// as empty is one.
func written(n *yaml.Node) int {
	if n.Kind != yaml.MappingNode {
		return 0
	}
	count := 0
	for i := 1; i < len(n.Content); i += 2 {
		if !isNull(n.Content[i]) {
			count++
		}
	}
	return count
}

// syntaxProblem takes the line out of the library's error, which has no column.
func syntaxProblem(file string, err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{Position{File: file, Line: 1, Column: 1}, "not YAML: " + text}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if num, why, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(num); err == nil {
				p.Line, p.Text = line, "not YAML: "+why
			}
		}
	}
	return p
}

// value decodes n into v. tag is the struct tag of the field that v is or is an
// item of: oneof lists the words allowed, is names a check, min and max bound
// a number.
func (d *decoder) value(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if n.Kind == yaml.AliasNode {
		if d.aliases++; d.aliases > maxAliases {
			d.problem(n, "%s: more than %d aliases are followed in one file", key, maxAliases)
			return
		}
		n = n.Alias
	}
	d.note(key, n)
	switch {
	case v.Type() == prefixType:
		d.text(n, (*prefix)(v.Addr().Interface().(*netip.Prefix)), key, tag)
	case v.CanAddr() && v.Addr().Type().Implements(textType):
		d.text(n, v.Addr().Interface().(encoding.TextUnmarshaler), key, tag)
	case v.Kind() == reflect.Struct:
		defer d.enter(n, v, key)()
		d.mapping(n, v, key)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, key, tag)
	default:
		d.scalar(n, v, key, tag)
	}
}

// note remembers where a thing stands. A list or section in block style begins at its
// key, which mapping notes.
func (d *decoder) note(key string, n *yaml.Node) {
	block := n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle == 0
	switch {
	case key == "" || block && !strings.HasSuffix(key, "]"):
	case d.entry == nil:
		d.places[key] = d.pos(n)
	default:
		path, ok := d.paths[key[len(d.path):]]
		if !ok {
			path = strings.Clone(key[len(d.path):])
			d.paths[path] = path
		}
		d.entry.keys = append(d.entry.keys, writtenKey{path, int32(n.Line), int32(n.Column)})
	}
}

// enter begins an entry of a list, and returns what ends it. An entry in another one
// only gets its place: what is written in it is written in that one.
func (d *decoder) enter(n *yaml.Node, v reflect.Value, key string) (leave func()) {
	place := placeOf(v)
	if place != nil {
		place.Position = d.pos(n)
	}
	if place == nil || d.entry != nil {
		return func() {}
	}
	d.entry, d.path = place, key+"."
	return func() { d.entry, d.path = nil, "" }
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// text hands a scalar to a type that parses itself; its error says what is allowed.
func (d *decoder) text(n *yaml.Node, into encoding.TextUnmarshaler, key string, tag reflect.StructTag) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.problem(n, "%s: want a single value, not %s", key, kindName(n))
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		d.problem(n, "%s: %v", key, err)
		return
	}
	if m, ok := into.(measure); ok {
		if err := m.within(tag.Get("min"), tag.Get("max")); err != nil {
			d.problem(n, "%s: %v", key, err)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, key string) {
	if isNull(n) {
		return // "section:" with all its keys commented out
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "%s: want keys and values, not %s", orFile(key), kindName(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		at, ok := fields[k.Value]
		switch {
		case !ok:
			d.problem(k, "unknown key %q%s; allowed: %s", k.Value, within(key), strings.Join(keysOf(fields), ", "))
		case seen[k.Value]:
			d.problem(k, "key %q stands twice%s", k.Value, within(key))
		default:
			seen[k.Value] = true
			path := join(key, k.Value)
			if val.Kind != yaml.ScalarNode && val.Style&yaml.FlowStyle == 0 {
				d.note(path, k)
			}
			d.value(val, v.FieldByIndex(at.Index), path, at.Tag)
		}
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String {
		n = &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Column: n.Column, Content: []*yaml.Node{n}} // one item needs no brackets
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n, "%s: want a list, not %s", key, kindName(n))
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	v.Set(s)
	for i, item := range n.Content {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", key, i), tag)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.problem(n, "%s: want a single value, not %s", key, kindName(n))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		var s string
		if s, err = checkedText(n.Value, tag); err == nil {
			v.SetString(s)
		}
	case reflect.Bool:
		if n.Tag != "!!bool" {
			err = fmt.Errorf("%q is neither true nor false", n.Value)
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		var i int64
		if i, err = strconv.ParseInt(n.Value, 10, 32); err != nil || n.Tag != "!!int" {
			err = fmt.Errorf("%q is not a whole number", n.Value)
		} else if err = between(int(i), tag); err == nil {
			v.SetInt(i)
		}
	default:
		panic("config: field of unsupported type " + v.Type().String())
	}
	if err != nil {
		d.problem(n, "%s: %v", key, err)
	}
}

// checkedText applies the tags oneof and is to a value.
func checkedText(s string, tag reflect.StructTag) (string, error) {
	if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, s) {
		return "", fmt.Errorf("%q is not allowed; allowed: %s", s, strings.Join(words, ", "))
	}
	if check := checks[tag.Get("is")]; check != nil {
		return check(s)
	}
	return s, nil
}

func between(i int, tag reflect.StructTag) error {
	low, errLow := strconv.Atoi(tag.Get("min"))
	high, errHigh := strconv.Atoi(tag.Get("max"))
	if errLow == nil && i < low || errHigh == nil && i > high {
		return fmt.Errorf("%d is out of range; allowed: %d to %d", i, low, high)
	}
	return nil
}

// fieldsCache holds what fieldsOf found, as a list may have 100,000 entries.
var fieldsCache sync.Map // reflect.Type -> map[string]reflect.StructField

// fieldsOf maps the YAML keys of a struct type to its fields; the fields of an
// embedded struct count as the struct's own. The map must not be changed.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	if known, ok := fieldsCache.Load(t); ok {
		return known.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = f
		}
	}
	fieldsCache.Store(t, fields)
	return fields
}

func keysOf(fields map[string]reflect.StructField) []string {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func kindName(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(n.Value)
	}
}

func join(key, sub string) string {
	if key == "" {
		return sub
	}
	return key + "." + sub
}

func within(key string) string {
	if key == "" {
		return ""
	}
	return " in " + key
}

func orFile(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}
