package record

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"alignd/evidence"
	"alignd/policy"
)

// jsonWriter writes one JSON value, and notes which strings of it it had to escape.
type jsonWriter struct {
	out []byte
	// path is the JSON Pointer (RFC 6901) of what is being written; no key needs an escape.
	path    []byte
	escaped []string
}

// object is a JSON object being written, or an array.
type object struct {
	w    *jsonWriter
	path int // length of its own path
	n    int // members so far
}

func (w *jsonWriter) open(bracket byte) object {
	w.out = append(w.out, bracket)
	return object{w: w, path: len(w.path)}
}

// member starts the next member or entry, which name is the path of.
func (o *object) member(name string) {
	if o.n > 0 {
		o.w.out = append(o.w.out, ',')
	}
	o.n++
	o.w.path = append(append(o.w.path[:o.path], '/'), name...)
}

func (o *object) key(name string) {
	o.member(name)
	o.w.out = append(append(append(o.w.out, '"'), name...), '"', ':')
}

func (o *object) end(bracket byte) {
	o.w.out = append(o.w.out, bracket)
	o.w.path = o.w.path[:o.path]
}

// object is a member that is an object.
func (o *object) object(name string, fill func(*object)) {
	o.key(name)
	in := o.w.open('{')
	fill(&in)
	in.end('}')
}

// list is a member that is an array of n objects.
func (o *object) list(name string, n int, fill func(*object, int)) {
	o.key(name)
	list := o.w.open('[')
	for i := range n {
		list.member(strconv.Itoa(i))
		in := o.w.open('{')
		fill(&in, i)
		in.end('}')
	}
	list.end(']')
}

func (o *object) text(name, s string) {
	o.key(name)
	o.w.text(s)
}

func (o *object) value(name string, v reflect.Value) {
	o.key(name)
	o.w.value(v)
}

// shownField is a field of a struct as it is shown.
type shownField struct {
	index     int
	name, key string
	absent    bool // when it is zero
}

// shapes are the fields of each struct, in the order in which they are shown. It is
// not changed after the start.
var shapes = shapesOf(reflect.TypeFor[Record](), reflect.TypeFor[Question]())

func shapesOf(types ...reflect.Type) map[reflect.Type][]shownField {
	all := map[reflect.Type][]shownField{}
	for len(types) > 0 {
		t := types[0]
		types = types[1:]
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			types = append(types, t.Elem())
		case reflect.Struct:
			if _, done := all[t]; done || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[netip.Addr]() {
				continue
			}
			all[t] = shapeOf(t)
			for _, f := range all[t] {
				types = append(types, t.Field(f.index).Type)
			}
		}
	}
	return all
}

func shapeOf(t reflect.Type) []shownField {
	var ahead, others []shownField
	for i := range t.NumField() {
		name := t.Field(i).Name
		key, ok := renamed[t][name]
		if !ok {
			key = snake(name)
		}
		if t.Field(i).Type == reflect.TypeFor[time.Duration]() {
			key += "_ms"
		}
		f := shownField{i, name, key, slices.Contains(absent[t], name)}
		if slices.Contains(first[t], name) {
			ahead = append(ahead, f)
		} else {
			others = append(others, f)
		}
	}
	slices.SortFunc(ahead, func(a, b shownField) int { return slices.Index(first[t], a.name) - slices.Index(first[t], b.name) })
	return append(ahead, others...)
}

// rest shows the fields of a struct that are not among shown, by their names.
func (o *object) rest(v reflect.Value, shown ...string) {
	for _, f := range shapes[v.Type()] {
		if field := v.Field(f.index); !slices.Contains(shown, f.name) && !(f.absent && field.IsZero()) {
			o.value(f.key, field)
		}
	}
}

func (w *jsonWriter) value(v reflect.Value) {
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			w.text("")
			return
		}
		w.text(x.UTC().Format(time.RFC3339Nano))
		return
	case time.Duration:
		w.out = strconv.AppendFloat(w.out, milliseconds(x), 'f', -1, 64)
		return
	case netip.Addr:
		if !x.IsValid() {
			w.text("")
			return
		}
		w.text(x.String())
		return
	case policy.Reply:
		w.text(x.String())
		return
	case evidence.Sections:
		w.value(reflect.ValueOf(x.Names()))
		return
	}
	w.plain(v)
}

// plain writes what its kind tells all about.
func (w *jsonWriter) plain(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		w.out = strconv.AppendBool(w.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.out = strconv.AppendInt(w.out, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.out = strconv.AppendUint(w.out, v.Uint(), 10)
	case reflect.String:
		w.text(v.String())
	case reflect.Array:
		w.octets(v)
	case reflect.Slice:
		list := w.open('[')
		for i := range v.Len() {
			list.member(strconv.Itoa(i))
			w.value(v.Index(i))
		}
		list.end(']')
	case reflect.Pointer:
		if v.IsNil() {
			w.out = append(w.out, "null"...)
			return
		}
		w.value(v.Elem())
	default:
		o := w.open('{')
		o.rest(v)
		o.end('}')
	}
}

// octets are shown in hexadecimal; "" when there are none but zeros.
func (w *jsonWriter) octets(v reflect.Value) {
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	if v.IsZero() {
		b = nil
	}
	w.text(hex.EncodeToString(b))
}

// text writes a string. JSON holds UTF-8 only and a mail any octet, so in text that
// is not UTF-8 an octet that is none becomes \xNN, and a backslash two. The path of
// such text is noted, so nothing is lost; other text is written as it is.
func (w *jsonWriter) text(s string) {
	const digits = "0123456789abcdef"
	escape := !utf8.ValidString(s)
	if escape {
		w.escaped = append(w.escaped, string(w.path))
	}
	out := append(w.out, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch c := s[i]; {
		case r == utf8.RuneError && n == 1:
			out = append(out, '\\', '\\', 'x', digits[c>>4], digits[c&15])
		case c == '\\' && escape:
			out = append(out, `\\\\`...)
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case r >= 0x7f && !strconv.IsPrint(r): // a terminal may obey it, JavaScript take it for the end of a line
			for _, unit := range utf16.AppendRune(nil, r) {
				out = append(out, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
			}
		default:
			out = append(out, s[i:i+n]...)
		}
		i += n
	}
	w.out = append(out, '"')
}

// snake is a Go name in snake_case: MailFromDomain, QueueID, DKIMSkipped.
func snake(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := rune(name[i])
		if unicode.IsUpper(c) && i > 0 {
			nextLower := i+1 < len(name) && unicode.IsLower(rune(name[i+1]))
			if unicode.IsLower(rune(name[i-1])) || nextLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
