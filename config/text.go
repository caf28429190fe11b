package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// option is one key of a section or entry, as it is written and read back.
type option struct {
	key    string
	index  []int // of the field
	secret bool
}

// optionsIn lists the options of a struct in the order of its fields.
func optionsIn(typ reflect.Type) []option {
	var all []option
	for _, f := range reflect.VisibleFields(typ) {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			all = append(all, option{key: key, index: f.Index, secret: f.Tag.Get("secret") != ""})
		}
	}
	return all
}

// isEntries reports whether a value of the type is a list of entries, which have keys.
func isEntries(t reflect.Type) bool { return t.Kind() == reflect.Slice && isSection(t.Elem()) }

// What stands in the place of secrets.
const (
	secretSet   = "(set, not shown)"
	secretUnset = "(not set)"
)

func secretText(v reflect.Value) string {
	if v.IsZero() {
		return secretUnset
	}
	return secretSet
}

// text writes a value as YAML in one line that is read back as the same.
func text(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		return "[" + strings.Join(texts(v), ", ") + "]"
	}
	switch x := v.Interface().(type) {
	case netip.Prefix:
		return quoted(networkName(x))
	case Duration:
		return durationText(x.Duration)
	case Time:
		if x.IsZero() {
			return `""`
		}
		if x.Equal(x.Truncate(24 * time.Hour)) {
			return x.Format(time.DateOnly)
		}
		return x.Format(time.RFC3339)
	case FileMode:
		return fmt.Sprintf("%q", fmt.Sprintf("%04o", uint32(x)))
	case Size:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Struct:
		return sectionText(v)
	}
	return quoted(v.String())
}

// texts writes each value of a list.
func texts(v reflect.Value) []string {
	all := make([]string, v.Len())
	for i := range all {
		all[i] = text(v.Index(i))
	}
	return all
}

// sectionText writes what is set in a section or entry in one line.
func sectionText(v reflect.Value) string {
	var all []string
	for _, o := range optionsIn(v.Type()) {
		if f := v.FieldByIndex(o.index); !f.IsZero() {
			all = append(all, o.key+": "+text(f))
		}
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// durationText is a time span without the units that are nothing: 4h, not 4h0m0s. Whole
// days, but one, are days.
func durationText(d time.Duration) string {
	if d > day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// plain are words that mean themselves without quotes, in brackets too.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./@:+=-]*$`)

// quoted is a text with quotes where it needs them.
func quoted(s string) string {
	words := []string{"null", "true", "false", "yes", "no", "on", "off"}
	if plain.MatchString(s) && !strings.HasSuffix(s, ":") && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}
