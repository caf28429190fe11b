package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one option that two configurations set differently.
type Change struct {
	// Option is its path; entries of lists go by their id: "exceptions[vendor].expires".
	Option string
	// Old and New are the values as YAML, cut where they are long. "absent" is an entry
	// that is not there. Of a secret they only tell whether it is set.
	Old, New string
	// Secret: the values are not told.
	Secret bool
}

func (c Change) String() string {
	if c.Secret && c.Old == c.New {
		return c.Option + ": changed"
	}
	return c.Option + ": " + c.Old + " -> " + c.New
}

const absent = "absent"

// Diff is what differs in effect between two configurations: comments, order of
// options, files and defaults that are written down do not count.
func Diff(old, new *Config) []Change {
	var d differ
	d.sections(reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem(), "")
	return d.changes
}

type differ struct{ changes []Change }

func (d *differ) change(option, old, new string) {
	d.changes = append(d.changes, Change{Option: option, Old: cut(old), New: cut(new)})
}

func (d *differ) sections(old, new reflect.Value, path string) {
	for _, o := range optionsIn(old.Type()) {
		a, b, below := old.FieldByIndex(o.index), new.FieldByIndex(o.index), join(path, o.key)
		switch {
		case o.secret:
			if !a.Equal(b) {
				d.changes = append(d.changes, Change{Option: below, Old: secretText(a), New: secretText(b), Secret: true})
			}
		case isSection(a.Type()):
			d.sections(a, b, below)
		case isEntries(a.Type()):
			d.entries(a, b, below)
		case a.Kind() == reflect.Slice:
			d.lists(a, b, below)
		default:
			if x, y := text(a), text(b); x != y {
				d.change(below, x, y)
			}
		}
	}
}

// lists compares lists of values. Of long ones only what is in one of them is told.
func (d *differ) lists(old, new reflect.Value, path string) {
	const whole = 8 // values that are told
	if old.Len() == new.Len() && (old.Len() == 0 || reflect.DeepEqual(old.Interface(), new.Interface())) {
		return
	}
	a, b := texts(old), texts(new)
	if len(a) <= whole && len(b) <= whole {
		d.change(path, "["+strings.Join(a, ", ")+"]", "["+strings.Join(b, ", ")+"]")
		return
	}
	onlyA, onlyB := without(a, b), without(b, a)
	if len(onlyA)+len(onlyB) == 0 {
		d.change(path, fmt.Sprintf("%d values", len(a)), fmt.Sprintf("%d values, in another order or number", len(b)))
		return
	}
	d.change(path, only(a, onlyA), only(b, onlyB))
}

// only tells the length of a list, and what of it the other one has not.
func only(list, values []string) string {
	if len(values) == 0 {
		return fmt.Sprintf("%d values", len(list))
	}
	return fmt.Sprintf("%d values, only here [%s]", len(list), strings.Join(values, ", "))
}

// without are the values of list that are not in other.
func without(list, other []string) []string {
	in := map[string]bool{}
	for _, s := range other {
		in[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return in[s] })
}

// entries compares lists of entries by their names. What comes in another order is
// told, too: of exceptions the first that matches decides.
func (d *differ) entries(old, new reflect.Value, path string) {
	names, now := entryNames(old), entryNames(new)
	in := map[string]int{}
	for i, name := range now {
		in[name] = i
	}
	var kept []string
	for i, name := range names {
		below := fmt.Sprintf("%s[%s]", path, name)
		if at, ok := in[name]; ok {
			d.sections(old.Index(i), new.Index(at), below)
			delete(in, name)
			kept = append(kept, name)
		} else {
			d.change(below, sectionText(old.Index(i)), absent)
		}
	}
	var rest []string
	for i, name := range now {
		if _, added := in[name]; added {
			d.change(fmt.Sprintf("%s[%s]", path, name), absent, sectionText(new.Index(i)))
		} else {
			rest = append(rest, name)
		}
	}
	if !slices.Equal(kept, rest) {
		d.change(path, "in the order "+strings.Join(kept, ", "), strings.Join(rest, ", "))
	}
}

// entryNames are the ids of entries; of one without, the first value that it lists,
// else its number.
func entryNames(list reflect.Value) []string {
	names := make([]string, list.Len())
	seen := map[string]int{}
	for i := range names {
		entry := list.Index(i)
		name := fmt.Sprint(i + 1)
		if id := entry.FieldByName("ID"); id.IsValid() {
			name = id.String()
			for f := 0; name == "" && f < entry.NumField(); f++ {
				if values, ok := entry.Field(f).Interface().([]string); ok && len(values) > 0 {
					name = values[0]
				}
			}
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, seen[name])
		}
		names[i] = name
	}
	return names
}

// cut bounds a value in a line of the log.
func cut(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}
