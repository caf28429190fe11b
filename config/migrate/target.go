package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"alignd/config"
)

// pair is one option of ours with its value: a string, bool, int, []string, or
// []entry for a list of entries.
type pair struct {
	path  string
	value any
}

// entry is one entry of a list such as exceptions: its keys in order.
type entry []pair

// entryMap is a section in an entry.
type entryMap []pair

// target is the configuration as far as it is made.
type target struct {
	pairs []written
}

type written struct {
	pair
	from setting
}

// otherwise says that another line has written another value.
type otherwise struct{ written }

func (o otherwise) Error() string {
	return fmt.Sprintf("%s says %s: %s, and that holds", o.from.place(), o.path, scalar(o.value))
}

// place names a line in a text.
func (s setting) place() string {
	if s.line == 0 {
		return s.file
	}
	return fmt.Sprintf("%s in line %d of %s", s.name, s.line, s.file)
}

// set writes options if alignd takes them beside what is written already. The first
// who writes an option has it.
func (t *target) set(from setting, pairs ...pair) error {
	var added []written
	for _, p := range pairs {
		i := slices.IndexFunc(t.pairs, func(w written) bool { return w.path == p.path })
		switch {
		case i < 0:
			added = append(added, written{p, from})
		case scalar(t.pairs[i].value) != scalar(p.value):
			return otherwise{t.pairs[i]}
		}
	}
	trial := target{append(slices.Clone(t.pairs), added...)}
	if err := trial.check(); err != nil {
		return err
	}
	*t = trial
	return nil
}

// check has alignd read what is written so far.
func (t *target) check() error {
	_, err := config.Parse([]byte(t.body(nil)), "alignd.yaml", time.Time{})
	var faults config.Problems
	if errors.As(err, &faults) {
		return errors.New(faults[0].Text)
	}
	return err
}

// has reports whether an option, or something in it, is written.
func (t *target) has(path string) bool {
	return slices.ContainsFunc(t.pairs, func(w written) bool { return w.path == path || strings.HasPrefix(w.path, path+".") })
}

// order are the options of the first level as the defaults have them.
func order() []string {
	var keys []string
	for line := range strings.Lines(string(config.DefaultText())) {
		if key, _, ok := strings.Cut(line, ":"); ok && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// origins are the lines that wrote an option of the first level.
func (t *target) origins(key string) []setting {
	var all []setting
	for _, w := range t.pairs {
		if top(w.path) == key && !slices.Contains(all, w.from) {
			all = append(all, w.from)
		}
	}
	return all
}

// top is the first level of a path.
func top(path string) string {
	key, _, _ := strings.Cut(path, ".")
	return key
}

// body is the YAML, with the comments that above gives for an option of the first
// level.
func (t *target) body(above func(key string, origins []setting) string) string {
	var b strings.Builder
	for _, key := range order() {
		var nested []pair
		for _, w := range t.pairs {
			if top(w.path) == key {
				nested = append(nested, w.pair)
			}
		}
		if len(nested) == 0 {
			continue
		}
		if above != nil {
			b.WriteString("\n" + above(key, t.origins(key)))
		}
		if nested[0].path == key {
			fmt.Fprintf(&b, "%s:%s\n", key, valueText(nested[0].value, ""))
			continue
		}
		fmt.Fprintf(&b, "%s:\n", key)
		section(&b, key, nested, "  ")
	}
	return b.String()
}

// section writes what is below one key.
func section(b *strings.Builder, path string, pairs []pair, indent string) {
	var done []string
	for _, p := range pairs {
		rest := strings.TrimPrefix(p.path, path+".")
		name, _, deeper := strings.Cut(rest, ".")
		if slices.Contains(done, name) {
			continue
		}
		done = append(done, name)
		if !deeper {
			fmt.Fprintf(b, "%s%s:%s\n", indent, name, valueText(p.value, indent))
			continue
		}
		fmt.Fprintf(b, "%s%s:\n", indent, name)
		var below []pair
		for _, q := range pairs {
			if strings.HasPrefix(q.path, path+"."+name+".") {
				below = append(below, q)
			}
		}
		section(b, path+"."+name, below, indent+"  ")
	}
}

// valueText is a value as it follows the colon.
func valueText(v any, indent string) string {
	var b strings.Builder
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			fmt.Fprintf(&b, "\n%s  - %s", indent, scalar(s))
		}
	case []entry:
		for _, e := range v {
			mark := "- "
			for _, p := range e {
				fmt.Fprintf(&b, "\n%s  %s%s:%s", indent, mark, p.path, valueText(p.value, indent+"    "))
				mark = "  "
			}
		}
	case entryMap:
		for _, p := range v {
			fmt.Fprintf(&b, "\n%s  %s:%s", indent, p.path, valueText(p.value, indent+"  "))
		}
	default:
		return " " + scalar(v)
	}
	return b.String()
}

// scalar is a value on one line, quoted where YAML wants it. (Lists are only compared.)
func scalar(v any) string {
	switch text := v.(type) {
	case string: // octets that are no UTF-8 would become base64; so they are a fault to alignd
		v = strings.ToValidUTF8(text, "\ufffd")
	case bool, int:
	default:
		return fmt.Sprint(v)
	}
	text, err := yaml.Marshal(v)
	if err != nil || strings.Count(string(text), "\n") > 1 {
		return fmt.Sprintf("%q", fmt.Sprint(v))
	}
	return strings.TrimSpace(string(text))
}
