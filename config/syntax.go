package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// What a file says as YAML, and all that is no YAML in it. The library stops at the
// first fault. Then each option of the file is read by itself, each entry of a list
// that cannot be read, and each option of a section: what is left is checked like
// any other file, and each part that cannot be read tells its own fault, which
// is in the part where the slip is.

// lostTag marks a node in the place of what could not be read.
const lostTag = "!lost"

// maxSyntaxProblems is how many faults of YAML one file may have; ours. A file of
// another kind that was named by mistake has one in each line.
const maxSyntaxProblems = 20

// source is the text of one file while it is read.
type source struct {
	file     string
	lines    []string // without LF, as far as characters go what the file holds
	problems Problems
}

// parseYAML reads the one document of a file: nil for an empty one, and as far as it
// can be read when there are problems.
func parseYAML(file string, data []byte) (root *yaml.Node, problems Problems) {
	s := &source{file: file}
	data = s.characters(data)
	root, second, err := load(data)
	switch {
	case err != nil:
		s.lines = strings.Split(string(data), "\n")
		root = s.recover(err)
	case second != nil:
		s.problem(second.Line, second.Column, "a second YAML document; one file is one document, without --- between its parts")
	}
	return root, s.problems
}

// load reads a document, and the beginning of one behind it.
func load(data []byte) (root, second *yaml.Node, err error) {
	defer func() {
		if root != nil && len(root.Content) > 0 {
			root = root.Content[0]
		}
	}()
	in, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		panic(err) // no option can be wrong
	}
	for _, to := range []**yaml.Node{&root, &second} {
		doc := new(yaml.Node)
		if err := in.Load(doc); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return root, nil, err
		}
		*to = doc
	}
	return root, second, nil
}

func (s *source) problem(line, column int, format string, args ...any) {
	s.problems = append(s.problems, Problem{Position: Position{s.file, line, column}, Text: fmt.Sprintf(format, args...)})
}

// recover reads what can be read of a file that is not YAML as a whole, for the
// reason err.
func (s *source) recover(err error) *yaml.Node {
	before := len(s.problems)
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	s.split(root, nil, 0, len(s.lines))
	if len(s.problems) == before { // each part is YAML, the whole is not
		s.explain(err, lineRange{0, len(s.lines)})
	}
	if s.full() {
		return nil // what is not known may be what the rest hangs on
	}
	return root
}

// split reads the parts of lines from to before one after the other; above are the
// lines of what they stand in.
func (s *source) split(into *yaml.Node, above []int, from, before int) {
	for _, part := range s.partsOf(above, from, before) {
		if len(s.problems) == maxSyntaxProblems {
			s.problem(part.from+1, 1, "more than %d faults of YAML in one file, the rest of it was not looked at", maxSyntaxProblems)
		}
		if s.full() {
			return
		}
		s.part(into, above, part)
	}
}

// full reports whether the rest of the file is not to be looked at.
func (s *source) full() bool { return len(s.problems) > maxSyntaxProblems }

// lineRange is a part of a file, lines counted from 0; it ends before a line.
type lineRange struct{ from, before int }

// part reads one part into a mapping or list, or what can be read of it.
func (s *source) part(into *yaml.Node, above []int, part lineRange) {
	root, second, err := s.loadPart(above, part)
	if err == nil && second == nil {
		switch {
		case root == nil: // comments
		case root.Kind == yaml.MappingNode:
			merge(into, root)
		case len(above) == 0 && root.Kind == yaml.ScalarNode && root.Tag != "!!null":
			s.problem(root.Line, root.Column, "not YAML: a key, a colon and a blank are wanted here, not %s", s.shown(root.Line, root.Value))
		}
		return
	}
	if err == nil {
		s.problem(second.Line, second.Column, "a second YAML document; one file is one document, without --- between its parts")
		return
	}
	header := part.from
	inner := lineRange{header + 1, part.before}
	if len(above) < 2 && keyLine.MatchString(s.lines[header]) && len(s.partsOf(append(above, header), inner.from, inner.before)) > 1 {
		if root, _, err := s.loadPart(above, lineRange{header, header + 1}); err == nil && root != nil {
			merge(into, root)
			s.split(into, append(above[:len(above):len(above)], header), inner.from, inner.before)
			return
		}
	}
	short := s.trimmed(part) // a quote that is not closed may end in a comment
	if _, _, again := s.loadPart(above, short); again != nil {
		err = again
	}
	if !s.isAnchorElsewhere(err) && !s.locate(part) {
		s.explain(err, short)
	}
	s.lose(into, above, part)
}

// locate explains the faults of a part that cannot be read by the lines that are faulty
// by themselves: what follows an open bracket or quote is not to blame. It reports
// whether there are any.
func (s *source) locate(part lineRange) (found bool) {
	keys := s.keysIn(part)
	if len(keys) < 2 {
		return false
	}
	for _, key := range keys {
		if _, _, err := s.loadPart(nil, key); err != nil && !s.isAnchorElsewhere(err) {
			if found = true; !s.locate(key) {
				s.explain(err, key)
			}
		}
	}
	return found
}

// keysIn are the first line of an entry or section, and each key below it.
func (s *source) keysIn(part lineRange) []lineRange {
	part = s.trimmed(part)
	line := s.lines[part.from]
	indent := -1
	if item, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "-"); ok {
		indent = len(line) - len(strings.TrimLeft(item, " "))
	}
	keys := []lineRange{part}
	for i := part.from + 1; i < part.before; i++ {
		if line := s.lines[i]; keyLine.MatchString(line) {
			at := len(line) - len(strings.TrimLeft(line, " "))
			if indent < 0 {
				indent = at
			}
			if at == indent {
				keys[len(keys)-1].before = i
				keys = append(keys, lineRange{i, part.before})
			}
		}
	}
	for i := range keys {
		keys[i] = s.trimmed(keys[i])
	}
	return keys
}

// trimmed is a part without empty lines and comments at its end.
func (s *source) trimmed(part lineRange) lineRange {
	for ; part.before > part.from+1; part.before-- {
		if rest := strings.TrimLeft(s.lines[part.before-1], " \r"); rest != "" && rest[0] != '#' {
			break
		}
	}
	return part
}

// lose puts a mark where what could not be read would stand.
func (s *source) lose(into *yaml.Node, above []int, part lineRange) {
	line := s.lines[part.from]
	first := len(line) - len(strings.TrimLeft(line, " "))
	lost := &yaml.Node{Kind: yaml.ScalarNode, Tag: lostTag, Line: part.from + 1, Column: first + 1}
	var root *yaml.Node
	key := keyLine.FindStringSubmatch(line)
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "-"):
		root = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: lost.Line, Column: lost.Column, Content: []*yaml.Node{lost}}
	case key != nil:
		name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Trim(key[1], `"'`), Line: lost.Line, Column: lost.Column}
		root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: lost.Line, Column: lost.Column, Content: []*yaml.Node{name, lost}}
	default:
		return
	}
	for i := len(above) - 1; i >= 0; i-- {
		header := keyLine.FindStringSubmatch(s.lines[above[i]])
		name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Trim(header[1], `"'`), Line: above[i] + 1}
		root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{name, root}}
	}
	if root.Kind == yaml.MappingNode {
		merge(into, root)
	}
}

// keyLine is a line that begins an option.
var keyLine = regexp.MustCompile(`^ *("[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_.-]*) *:(?:[ \t\r]|$)`)

// partsOf are the parts of lines: each begins with a key or a dash at the
// indentation of the first one.
func (s *source) partsOf(above []int, from, before int) []lineRange {
	var parts []lineRange
	indent := -1
	if len(above) == 0 {
		indent = 0
		parts = append(parts, lineRange{from, before}) // what stands in front of the first key
	}
	for i := from; i < before; i++ {
		line := s.lines[i]
		rest := strings.TrimLeft(line, " ")
		if rest == "" || rest[0] == '#' || rest[0] == '\r' {
			continue
		}
		begins := keyLine.MatchString(line) || len(above) > 0 && (rest == "-" || strings.HasPrefix(rest, "- "))
		if indent < 0 {
			if !begins {
				return nil
			}
			indent = len(line) - len(rest)
		}
		if begins && len(line)-len(rest) == indent {
			if n := len(parts); n > 0 {
				parts[n-1].before = i
			}
			parts = append(parts, lineRange{i, before})
		}
	}
	if len(parts) > 0 && parts[0].from == parts[0].before {
		parts = parts[1:]
	}
	return parts
}

// loadPart reads a part with the lines that it stands in. Places are those of the
// file.
func (s *source) loadPart(above []int, part lineRange) (root, second *yaml.Node, err error) {
	var text strings.Builder
	var number []int // of the file, for each line of text
	add := func(line int) {
		text.WriteString(s.lines[line])
		text.WriteByte('\n')
		number = append(number, line+1)
	}
	for _, header := range above {
		add(header)
	}
	for line := part.from; line < part.before; line++ {
		add(line)
	}
	number = append(number, part.before+1, part.before+1) // what is wrong at the end
	root, second, err = load([]byte(text.String()))
	renumber(root, number)
	renumber(second, number)
	var e *yaml.LoadError
	if errors.As(err, &e) {
		moved := *e
		for _, mark := range []*yaml.Mark{&moved.Mark, &moved.ContextMark} {
			if mark.Line > 0 {
				mark.Line = number[min(mark.Line, len(number))-1]
			}
		}
		err = &moved
	}
	return root, second, err
}

// renumber gives nodes the lines of the file; an alias is met with what it stands for.
func renumber(n *yaml.Node, number []int) {
	if n == nil {
		return
	}
	if n.Line > 0 {
		n.Line = number[min(n.Line, len(number))-1]
	}
	for _, below := range n.Content {
		renumber(below, number)
	}
}

// merge adds what stands in a part to what was read before. A key of the same line
// is what both stand in.
func merge(into, from *yaml.Node) {
	if into.Kind == yaml.SequenceNode {
		into.Content = append(into.Content, from.Content...)
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, val := from.Content[i], from.Content[i+1]
		if old := sameKey(into, key); old == nil {
			into.Content = append(into.Content, key, val)
		} else if isNull(old) { // "key:" alone
			*old = *val
		} else if old.Kind == val.Kind && old.Kind != yaml.ScalarNode {
			merge(old, val)
		}
	}
}

// sameKey is the value of the key that stands in the line of key.
func sameKey(in, key *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Line == key.Line && in.Content[i].Value == key.Value {
			return in.Content[i+1]
		}
	}
	return nil
}
