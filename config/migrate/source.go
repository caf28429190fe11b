package migrate

import (
	"fmt"
	"path/filepath"
	"strings"

	"alignd/config"
)

// maxIncludes is how deep files may include others: what opendkim and OpenARC allow.
const maxIncludes = 5

// file reads one file that was named, and those that it includes.
func (in *importer) file(f File) error {
	filter := filterNamed(f.Type)
	if filter == nil {
		var err error
		if filter, err = detect(f); err != nil {
			return err
		}
	}
	src := source{name: f.Name, filter: filter, base: filepath.Dir(f.Name)}
	in.readLines(&src, f.Name, f.Text, 0)
	if in.lines > maxLines {
		return fmt.Errorf("%s: more than %d lines, with what it includes: that is no configuration", f.Name, maxLines)
	}
	for _, s := range src.settings {
		if strings.EqualFold(s.name, "BaseDirectory") && s.value != "" {
			src.base = s.value
		}
	}
	in.out.sources = append(in.out.sources, src)
	return nil
}

// readLines adds the settings of a file to src.
func (in *importer) readLines(src *source, name string, text []byte, depth int) {
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		s, ok := src.filter.parse(line)
		if s.name != "" {
			in.lines++
		}
		if in.lines > maxLines {
			return
		}
		if s.file, s.line = name, i+1; !ok {
			if s.name != "" {
				in.warn(s, "%s has no value", named(s.name))
			}
			continue
		}
		src.settings = append(src.settings, s)
		if !strings.EqualFold(s.name, "Include") || src.filter.option("Include") == nil {
			continue
		}
		switch text, err := in.read(under(src.base, s.value)); {
		case err != nil:
			in.warn(s, "Include: %v", err)
		case depth == maxIncludes:
			in.warn(s, "Include: nested deeper than %d files", maxIncludes)
		default:
			in.readLines(src, under(src.base, s.value), text, depth+1)
		}
	}
}

// named quotes what may be the name of an option; other text may be a secret of a file
// that is none of a filter.
func named(name string) string {
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") != "" {
		return "what stands there"
	}
	return quoted(name)
}

// under is a name as it is meant in a folder.
func under(base, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(base, name)
}

// parse reads one line; ok is false for one that sets nothing. A name alone is
// returned with ok false.
func (f *filter) parse(line string) (s setting, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimSpace(line)
	if f.equals {
		name, value, found := strings.Cut(line, "=")
		s.name, s.value = strings.TrimSpace(name), strings.TrimSpace(value)
		return s, found && s.name != ""
	}
	if at := strings.IndexAny(line, " \t"); at > 0 {
		s.name, s.value = line[:at], strings.TrimSpace(line[at:])
		return s, true
	}
	s.name = line
	return s, false
}

// detect tells a file's filter by the options in it, and by its name where they
// belong to several filters alike.
func detect(f File) (*filter, error) {
	var best []*filter
	var names []string
	most := 0
	for _, kind := range filters {
		n := 0
		for line := range strings.Lines(string(f.Text)) {
			if s, ok := kind.parse(line); ok && kind.option(s.name) != nil {
				n++
			}
		}
		switch {
		case n > most:
			best, most = []*filter{kind}, n
		case n == most:
			best = append(best, kind)
		}
	}
	if len(best) == 1 {
		return best[0], nil
	}
	for _, kind := range best {
		if strings.HasPrefix(filepath.Base(f.Name), kind.name) || filepath.Base(f.Name) == kind.file {
			return kind, nil
		}
	}
	if other := Unread(f.Name); other != "" {
		return nil, fmt.Errorf("%s: %w: the configuration of %s is not read; docs/migrate.md has its options beside ours", f.Name, ErrType, other)
	}
	for _, kind := range best {
		names = append(names, kind.name)
	}
	return nil, fmt.Errorf("%s: %w: its options and its name fit %d filters; say --type %s", f.Name, ErrType, len(best), strings.Join(names, " or "))
}

// Unread is the filter that a name of a file, or of a filter, speaks of and whose
// configuration is not read, as a table in docs/migrate.md says more of it; empty for none.
func Unread(name string) string {
	for _, other := range []string{"rspamd", "authentication_milter"} {
		if strings.Contains(name, other) {
			return other
		}
	}
	return ""
}

// boolean reads a boolean of opendkim and its kin: only the first octet counts.
func boolean(s string) (on, ok bool) {
	if s == "" {
		return false, false
	}
	return strings.ContainsRune("TtYy1", rune(s[0])), strings.ContainsRune("TtYy1FfNn0", rune(s[0]))
}

// onlyTrue is for a boolean whose true has no counterpart and whose false needs none.
func onlyTrue(why string) func(*importer, setting) note {
	return func(in *importer, s setting) note {
		switch on, ok := boolean(s.value); {
		case !ok:
			return in.noBoolean(s)
		case on:
			return note{kind: None, why: why}
		}
		return note{kind: Taken, why: "alignd does not do it either"}
	}
}

func (in *importer) noBoolean(s setting) note {
	in.warn(s, "%s: %s is neither true nor false", s.name, quoted(s.value))
	return note{kind: None, why: "its value is neither true nor false"}
}

// listOf cuts a list at commas and blanks.
func listOf(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// holdsSecret is for a line whose value is not repeated, also where its name is a slip.
func (f *filter) holdsSecret(o *option, s setting) bool {
	if o == nil {
		if meant := f.meant(s.name); meant != "" {
			o = f.option(meant)
		}
	}
	name := strings.ToLower(s.name)
	return o != nil && o.secret || strings.Contains(name, "passw") || strings.Contains(name, "secret") || secretValue(s.value)
}

// secretValue is for values that hold a password: a data source with a login.
func secretValue(s string) bool {
	s = strings.ToLower(s)
	if strings.Contains(s, "dsn:") || strings.HasPrefix(s, "erlang:") {
		return true
	}
	return strings.Contains(s, "://") && strings.Contains(s, "@")
}

// meant asks for the option that a name is a slip of.
func (f *filter) meant(name string) string {
	var known []string
	for _, o := range f.options {
		known = append(known, strings.ToLower(o.name))
	}
	near := config.Nearest(strings.ToLower(name), known)
	for _, o := range f.options {
		if near != "" && strings.ToLower(o.name) == near {
			return o.name
		}
	}
	return ""
}
