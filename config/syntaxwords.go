package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// characters finds what is no text: octets that are not UTF-8, as of a file in
// ISO 8859-1, and control characters. It returns the text with others in their
// place, so that the rest can be read.
func (s *source) characters(data []byte) []byte {
	if isUTF16(data) {
		return data // the library converts it
	}
	clean := true
	for _, b := range data {
		clean = clean && (b < utf8.RuneSelf && (b >= ' ' && b != 0x7f || b == '\n' || b == '\t'))
	}
	if clean {
		return data
	}
	var out bytes.Buffer
	line, column, told := 1, 1, 0
	tell := func(format string, args ...any) { // once a line
		if told != line {
			s.problem(line, column, format, args...)
			told = line
		}
	}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		bad := r == utf8.RuneError && size == 1
		switch {
		case bad && data[0] >= 0xa0:
			tell("not UTF-8: the octet 0x%02X (%c, if the file is in ISO 8859-1); save the file as UTF-8", data[0], rune(data[0]))
			r = rune(data[0])
		case bad:
			tell("not UTF-8: the octet 0x%02X; save the file as UTF-8", data[0])
			r = 'x'
		case !isYAMLChar(r) && !(r == '\ufeff' && line == 1 && column == 1):
			tell("the character %U cannot stand in YAML", r)
			data = data[size:]
			continue
		}
		if r == '\r' && !bytes.HasPrefix(data[size:], []byte("\n")) {
			r = '\n' // as old Macs end lines
		}
		if len(s.problems) == maxSyntaxProblems {
			s.problem(line, column, "more than %d such faults, further ones are not told", maxSyntaxProblems)
		}
		if len(s.problems) > maxSyntaxProblems {
			s.problems = s.problems[:maxSyntaxProblems+1]
		}
		out.WriteRune(r)
		data = data[size:]
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
	return out.Bytes()
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff"))
}

// isYAMLChar is c-printable of YAML 1.2 section 5.1 as the library has it.
func isYAMLChar(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == '\r':
		return true
	case r == 0x2028, r == 0x2029: // ends of lines for YAML, and for no editor
		return false
	case r == 0xfeff, r == 0xfffe, r == 0xffff:
		return false
	}
	return r >= ' ' && r <= '~' || r >= 0xa0
}

// explain tells where and why a part is not YAML.
func (s *source) explain(err error, part lineRange) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		s.problem(1, 1, "not YAML: %v", err)
		return
	}
	line, column := max(e.Mark.Line, 1), max(e.Mark.Column, 1)
	if e.ContextMark.Line > 0 && s.isContext(e) {
		line, column = e.ContextMark.Line, e.ContextMark.Column
	}
	if tab := s.tab(line); tab > 0 {
		column = tab
	}
	text := ""
	if l, c := s.openBracket(part); line > part.before && l > 0 {
		line, column, text = l, c, fmt.Sprintf("this %c is not closed", s.char(l, c))
	} else {
		text = s.words(e, line, column)
	}
	if e.Message == noKeyHere && !strings.Contains(s.head(line, column), ": ") {
		column = s.indent(line) + 1
	}
	if odd := s.oddSpace(line); odd != 0 {
		text += fmt.Sprintf("; the line holds %U, which looks like a blank and is none", odd)
	}
	s.problem(line, column, "not YAML: %s", text)
}

// noKeyHere is what the library says of a colon with a blank where no key can stand.
const noKeyHere = "mapping values are not allowed in this context"

// openBracket is the place of the last bracket of a part: the one that is still open
// when the text ends there.
func (s *source) openBracket(part lineRange) (line, column int) {
	for line = min(part.before, len(s.lines)); line > part.from; line-- {
		text := s.line(line)
		if at := strings.LastIndexAny(text, "[{"); at >= 0 {
			return line, utf8.RuneCountInString(text[:at]) + 1
		}
	}
	return 0, 0
}

// isContext reports whether the fault is where the thing began that is not ended
// or not whole.
func (s *source) isContext(e *yaml.LoadError) bool {
	switch {
	case e.ContextMsg == "while scanning a quoted scalar" && e.Message == "found unexpected end of stream",
		e.ContextMsg == "while scanning a simple key":
		return true
	case strings.HasPrefix(e.ContextMsg, "while parsing a flow "):
		// The bracket is not closed where the fault is in what comes after it.
		return e.Mark.Line > e.ContextMark.Line && s.indent(e.Mark.Line) <= s.indent(e.ContextMark.Line)
	}
	return false
}

// words say what is wrong, in words that help for what is common.
func (s *source) words(e *yaml.LoadError, line, column int) string {
	at, rest := s.char(line, column), s.tail(line, column)
	switch msg := e.Message; {
	case s.tab(line) > 0:
		return "a tab cannot indent; use blanks"
	case e.ContextMsg == "while scanning a quoted scalar" && msg == "found unexpected end of stream":
		return "this quote is not closed"
	case msg == "found unknown escape character":
		return `in double quotes a backslash begins an escape such as \n; use single quotes, or write \\`
	case msg == "found character that cannot start any token":
		return fmt.Sprintf("a value that begins with %c wants quotes", at)
	case strings.HasPrefix(e.ContextMsg, "while scanning an alias"), strings.HasPrefix(msg, "unknown anchor"):
		return "a value that begins with * wants quotes (without them it is an alias, and there is no such anchor)"
	case strings.HasPrefix(e.ContextMsg, "while scanning an anchor"):
		return "a value that begins with & wants quotes"
	case e.ContextMsg == "while scanning a simple key":
		return "a key is followed by a colon and a blank"
	case msg == noKeyHere:
		if strings.Contains(s.head(line, column), ": ") {
			return "a value that holds a colon and a blank wants quotes"
		}
		return "no key can stand here: the line before has no colon with a blank behind it, or this one is indented too far"
	case s.isContext(e):
		return fmt.Sprintf("this %c is not closed", at)
	case strings.HasPrefix(e.ContextMsg, "while parsing a flow "):
		if at == ':' {
			return "a value that holds a colon and a blank wants quotes"
		}
		return fmt.Sprintf("a comma or the closing bracket is wanted here, not %s", s.shown(line, rest))
	case msg == "did not find expected key" && (at == ']' || at == '}'):
		return fmt.Sprintf("this %c closes nothing", at)
	case msg == "did not find expected key" && strings.ContainsAny(strings.TrimSpace(s.head(line, column)), `"'`):
		return "nothing can follow the closing quote; a quote inside is written twice ('it''s') or as \\\""
	case msg == "did not find expected key", msg == "did not find expected <document start>":
		return "the line is indented like none of those above it"
	case msg == "did not find expected '-' indicator":
		return "an entry of the list is wanted, which begins with a dash and a blank at the indentation of the others"
	case msg == "did not find expected node content":
		if rest == "" {
			return "the bracket before is not closed"
		}
		return fmt.Sprintf("a value is wanted here, not %s; what begins with such a character wants quotes", s.shown(line, rest))
	default:
		return strings.TrimSpace(msg)
	}
}

// isAnchorElsewhere reports whether a part cannot be read only because what it
// refers to stands in another part.
func (s *source) isAnchorElsewhere(err error) bool {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return false
	}
	name, ok := strings.CutPrefix(e.Message, "unknown anchor '")
	if !ok {
		return false
	}
	name, _, _ = strings.Cut(name, "'")
	for _, line := range s.lines {
		if strings.Contains(line, "&"+name) {
			return true
		}
	}
	return false
}

func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return strings.TrimRight(s.lines[n-1], "\r")
}

func (s *source) indent(n int) int {
	return len(s.line(n)) - len(strings.TrimLeft(s.line(n), " "))
}

// tab is the column of a tab in the indentation of a line; 0 for none.
func (s *source) tab(n int) int {
	line := s.line(n)
	blank := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	return strings.IndexByte(blank, '\t') + 1
}

// head is a line up to a column, tail the rest of it; columns count characters.
func (s *source) head(line, column int) string {
	r := []rune(s.line(line))
	return string(r[:min(max(column-1, 0), len(r))])
}

func (s *source) tail(line, column int) string {
	r := []rune(s.line(line))
	return string(r[min(max(column-1, 0), len(r)):])
}

func (s *source) char(line, column int) rune {
	r, _ := utf8.DecodeRuneInString(s.tail(line, column))
	return r
}

// oddSpace is a character of a line that looks like a blank, or like nothing, and
// that YAML takes for a letter; 0 for none.
func (s *source) oddSpace(n int) rune {
	for _, r := range s.line(n) {
		if r > '~' && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)) {
			return r
		}
	}
	return 0
}

// shown is a text from a line of the file for a message; not from one with a secret.
func (s *source) shown(line int, text string) string {
	if mayHoldPassword(s.line(line) + "\n" + text) {
		return "what stands here"
	}
	return strconv.Quote(clip(text))
}

// clip is the beginning of a text for a message.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
