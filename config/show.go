package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
)

// Show writes the configuration in force as YAML that can be read back, with the
// origin of each value behind it: default, or file and line. Secrets are not written.
func (c *Config) Show(w io.Writer) error {
	s := shower{out: bufio.NewWriter(w), cfg: c}
	s.section(reflect.ValueOf(c).Elem(), "", "", nil)
	return s.out.Flush()
}

type shower struct {
	out *bufio.Writer
	cfg *Config
}

// section writes the options of a section, or of an entry, whose place is at.
func (s *shower) section(v reflect.Value, path, indent string, at *Place) {
	first := true
	for _, o := range optionsIn(v.Type()) {
		f, below := v.FieldByIndex(o.index), join(path, o.key)
		if at != nil && f.IsZero() && (!at.has(below) || f.Kind() == reflect.Slice) {
			continue // nothing was said of it
		}
		lead := indent
		if at != nil && path == "" && first {
			lead = indent[:len(indent)-2] + "- " // an entry begins
		}
		first = false
		switch {
		case o.secret && !f.IsZero():
			s.line(lead, o.key, secretText(f), s.origin(below, at))
		case isSection(f.Type()):
			s.line(lead, o.key, "", "")
			s.section(f, below, indent+"  ", at)
		case isEntries(f.Type()) && f.Len() > 0:
			s.line(lead, o.key, "", "")
			s.entries(f, below, indent, at)
		case f.Kind() == reflect.Slice:
			s.list(f, below, lead, indent, o.key, at)
		default:
			s.line(lead, o.key, text(f), s.origin(below, at))
		}
	}
}

// entries writes a list of entries; those in an entry have their places in that.
func (s *shower) entries(v reflect.Value, path, indent string, at *Place) {
	for i := range v.Len() {
		entry := v.Index(i)
		if at != nil { // stages of an entry
			fmt.Fprintf(s.out, "%s  - %s%s\n", indent, text(entry), comment(s.origin(item(path, i), at)))
			continue
		}
		s.section(entry, "", indent+"    ", placeOf(entry))
	}
}

// list writes a list of values in one line, or where they come from several places
// each in its own.
func (s *shower) list(v reflect.Value, path, lead, indent, key string, at *Place) {
	if at != nil && path == "recipients" { // those of the profile's file stay there
		for n := range v.Len() {
			if !at.has(item(path, n)) {
				v = v.Slice(0, n)
				break
			}
		}
	}
	origins, several := make([]string, v.Len()), false
	for i := range origins {
		origins[i] = s.origin(item(path, i), at)
		several = several || origins[i] != origins[0]
	}
	if !several {
		origin := s.origin(path, at)
		if len(origins) > 0 {
			origin = origins[0]
		}
		s.line(lead, key, text(v), origin)
		return
	}
	s.line(lead, key, "", "")
	for i, origin := range origins {
		fmt.Fprintf(s.out, "%s  - %s%s\n", indent, text(v.Index(i)), comment(origin))
	}
}

func (s *shower) line(lead, key, value, origin string) {
	if value != "" {
		value = " " + value
	}
	fmt.Fprintf(s.out, "%s%s:%s%s\n", lead, key, value, comment(origin))
}

func comment(origin string) string {
	if origin == "" {
		return ""
	}
	return "  # " + origin
}

// origin is where a value comes from.
func (s *shower) origin(path string, at *Place) string {
	p := s.cfg.places[path]
	if at != nil {
		p = at.of(path)
	}
	if p.Line == 0 {
		return "default"
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
