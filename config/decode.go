package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
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
	broken   map[string]bool     // paths that have a fault and are in no entry
	aliases  int
	written  int // keys of the document with a value
}

func newDecoder(file string, places map[string]Position, broken map[string]bool) *decoder {
	return &decoder{file: file, places: places, broken: broken, paths: map[string]string{}}
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
	text := fmt.Sprintf(format, args...)
	if len(text) > maxProblemText {
		text = strings.ToValidUTF8(text[:maxProblemText], "") + "..."
	}
	if len(d.problems) == maxProblems {
		text = fmt.Sprintf("more than %d faults in one file, the rest of it was not looked at", maxProblems)
	}
	if !d.over() {
		d.problems = append(d.problems, Problem{Position: d.pos(n), Text: text})
	}
}

// Bounds of faults; ours. A file of another kind that was named by mistake has one in each
// line, and who sends a text to be tried may send any.
const (
	maxProblems    = 1000 // of one file
	maxProblemText = 2000 // octets of one
	maxListen      = 100  // places to listen at
)

// over reports whether enough was told of a file.
func (d *decoder) over() bool { return len(d.problems) > maxProblems }

// fault notes what is wrong with the value of an option.
func (d *decoder) fault(n *yaml.Node, key, format string, args ...any) {
	d.problem(n, "%s: %s", orFile(key), fmt.Sprintf(format, args...))
	d.brokenAt(key)
}

// brokenAt notes that an option has not the value that is written, so that nothing
// is said later of the one that it has.
func (d *decoder) brokenAt(key string) {
	if d.entry == nil {
		d.broken[key] = true
		return
	}
	d.entry.broken = append(d.entry.broken, strings.TrimSuffix(strings.TrimPrefix(key+".", d.path), "."))
}

// document decodes a whole file. An empty file changes nothing.
func (d *decoder) document(data []byte, into any) {
	root, problems := parseYAML(d.file, data)
	d.problems = append(d.problems, problems...)
	d.root(root, into)
}

// root decodes a whole document; it changes no node.
func (d *decoder) root(n *yaml.Node, into any) {
	if n != nil {
		d.written = written(n)
		d.value(n, reflect.ValueOf(into).Elem(), "", "")
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

// value decodes n into v. tag is the struct tag of the field that v is or is an
// item of: oneof lists the words allowed, is names a check, min and max bound
// a number.
func (d *decoder) value(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if n.Kind == yaml.AliasNode {
		if d.aliases++; d.aliases > maxAliases {
			d.fault(n, key, "more than %d aliases are followed in one file", maxAliases)
			return
		}
		n = n.Alias
	}
	at, twice := d.elsewhere(key)
	d.note(key, n)
	switch {
	case n.Tag == lostTag:
		defer d.enter(n, v, key)()
		d.brokenAt(key)
		if v.Kind() == reflect.Slice {
			v.SetZero() // another file may add to it, and not to the default
		}
	case n.Kind == yaml.ScalarNode && !isKnownTag(n.Tag):
		d.fault(n, key, "a value that begins with ! wants quotes")
	case twice && v.Kind() != reflect.Slice && !isSection(v.Type()):
		d.fault(n, key, "is set at %s already; one of the two has to go", at)
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
		if _, ok := d.elsewhere(key); !ok {
			d.places[key] = d.pos(n)
		}
	default:
		path, ok := d.paths[key[len(d.path):]]
		if !ok {
			path = strings.Clone(key[len(d.path):])
			d.paths[path] = path
		}
		d.entry.keys = append(d.entry.keys, writtenKey{path, int32(n.Line), int32(n.Column)})
	}
}

// elsewhere is where another file has an option that is in no entry of a list.
func (d *decoder) elsewhere(key string) (at Position, ok bool) {
	if d.entry == nil {
		at, ok = d.places[key]
	}
	return at, ok && at.File != d.file
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

// isKnownTag reports whether a tag is one that YAML gives by itself.
func isKnownTag(tag string) bool { return tag == "" || strings.HasPrefix(tag, "!!") }

// isSection reports whether a value of the type is keys and values.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(textType)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// text hands a scalar to a type that parses itself; its error says what is allowed.
func (d *decoder) text(n *yaml.Node, into encoding.TextUnmarshaler, key string, tag reflect.StructTag) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fault(n, key, "want a single value, not %s", kindName(n))
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(n, key, "%v", err)
		return
	}
	if m, ok := into.(measure); ok {
		if err := m.within(tag.Get("min"), tag.Get("max")); err != nil {
			d.fault(n, key, "%v", err)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, key string) {
	if isNull(n) {
		return // "section:" with all its keys commented out
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, key, "want keys and values, not %s", kindName(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]int{} // the line
	for i := 0; i+1 < len(n.Content) && !d.over(); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		name := k.Value
		if _, ok := fields[name]; !ok {
			if name = d.unknown(k, v.Type(), key); name == "" || hasKey(n, name) {
				continue
			}
		} else if line := seen[name]; line > 0 {
			d.problem(k, "key %q stands twice%s, first in line %d", name, within(key), line)
			continue
		}
		seen[name] = k.Line
		path := join(key, name)
		if val.Kind != yaml.ScalarNode && val.Style&yaml.FlowStyle == 0 {
			d.note(path, k)
		}
		d.colonInFront(n, val)
		d.value(val, v.FieldByIndex(fields[name].Index), path, fields[name].Tag)
	}
}

// unknown tells of a key that is none, and returns the one that is meant, as far as
// that can be said: its value is looked at, too, and nothing is said of its absence.
func (d *decoder) unknown(k *yaml.Node, typ reflect.Type, key string) (meant string) {
	allowed := keysOf(fieldsOf(typ))
	var guess []string
	place := ""
	if meant = Nearest(k.Value, allowed); meant != "" {
		guess = []string{meant}
	} else {
		guess = elsewhere(typ, k.Value)
		for _, path := range guess {
			d.brokenAt(join(key, path))
		}
		if len(guess) == 0 && key != "" {
			guess = elsewhere(reflect.TypeFor[Config](), k.Value)
			if len(guess) > 0 && !strings.Contains(guess[0], ".") {
				place = " at the top level"
			}
		}
	}
	asked := alternatives(guess, place)
	if asked == "" {
		asked = ";"
	}
	d.problem(k, "unknown key %q%s%s allowed: %s", k.Value, within(key), asked, strings.Join(allowed, ", "))
	return meant
}

func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// colonInFront refuses a value of a list or section in brackets that begins with a
// colon, as an IPv6 address may: what it means hangs on who reads it.
func (d *decoder) colonInFront(in, n *yaml.Node) {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	if in.Style&yaml.FlowStyle != 0 && n.Kind == yaml.ScalarNode && n.Style&quoted == 0 && strings.HasPrefix(n.Value, ":") {
		d.problem(n, "a value that begins with a colon wants quotes: %q", n.Value)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	_, grows := d.elsewhere(key)
	if isNull(n) && grows {
		return
	}
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind == yaml.ScalarNode && !isSection(v.Type().Elem()) {
		n = &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Column: n.Column, Content: []*yaml.Node{n}} // one item needs no brackets
	}
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.MappingNode {
			hint = "; an entry has a dash and a blank in front"
		}
		d.fault(n, key, "want a list, not %s%s", kindName(n), hint)
		return
	}
	first := 0
	if grows { // by what this file says
		first = v.Len()
	}
	s := reflect.MakeSlice(v.Type(), first+len(n.Content), first+len(n.Content))
	reflect.Copy(s, v.Slice(0, first))
	v.Set(s)
	for i, item := range n.Content {
		if d.over() {
			v.SetLen(first + i)
			break
		}
		d.colonInFront(n, item)
		d.value(item, v.Index(first+i), fmt.Sprintf("%s[%d]", key, first+i), tag)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string, tag reflect.StructTag) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fault(n, key, "want a single value, not %s", kindName(n))
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
			err = noBool(n.Value)
			break
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
		d.fault(n, key, "%v", err)
	}
}

// checkedText applies the tags oneof and is to a value.
func checkedText(s string, tag reflect.StructTag) (string, error) {
	if words := strings.Fields(tag.Get("oneof")); len(words) > 0 && !slices.Contains(words, s) {
		return "", notAllowed(s, words)
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
