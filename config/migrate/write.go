package migrate

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// width is where comments are broken.
const width = 100

// Write writes the configuration, each option with what became of it.
func (r *Result) Write(w io.Writer) error {
	var b strings.Builder
	r.head(&b)
	told := map[int]bool{}
	b.WriteString(r.target.body(func(key string, origins []setting) string {
		var above strings.Builder
		for i, f := range r.Findings {
			if top(f.Key) == key {
				told[i] = true
				above.WriteString(r.comment(f))
			}
		}
		if above.Len() == 0 {
			for _, s := range origins {
				above.WriteString(comment("", r.from(s)))
			}
		}
		return above.String()
	}))
	for _, src := range r.sources {
		var rest strings.Builder
		for i, f := range r.Findings {
			if f.File == src.name && !told[i] {
				told[i] = true
				rest.WriteString(r.comment(f))
			}
		}
		if rest.Len() > 0 {
			fmt.Fprintf(&b, "\n# ---- %s: what writes nothing here\n#\n%s", plain(src.name), rest.String())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) head(b *strings.Builder) {
	var names []string
	for _, src := range r.sources {
		names = append(names, fmt.Sprintf("%s (%s)", plain(src.name), src.filter.name))
	}
	var count [3]int
	refuses := 0
	options := 0
	for _, f := range r.Findings {
		if f.Name == "" {
			continue
		}
		options++
		count[f.Kind]++
		if f.Refuses {
			refuses++
		}
	}
	b.WriteString(comment("", "Made by \"alignd config import\" of "+strings.Join(names, ", ")+"."))
	b.WriteString("#\n")
	b.WriteString(comment("", fmt.Sprintf("%d options: %d taken over, %d changed, %d without counterpart. Nothing is applied yet: read it, "+
		"have it checked with \"alignd config check FILE\", and see docs/migrate.md for the way.", options, count[Taken], count[Changed], count[None])))
	if refuses > 0 {
		b.WriteString(comment("", fmt.Sprintf("%d of them say REFUSES MORE: alignd will refuse or put off mail that was let in.", refuses)))
	}
	b.WriteString("\n# Refuses nothing and marks nothing; the log says what would have been done. To switch, write\n" +
		"# \"mode: enforce\" in place of \"mode: monitor\", then \"alignd config check\" and \"alignd reload\". To\n" +
		"# run beside the filters that are there, add compare_with with the id that they write (docs/shadow.md).\nmode: monitor\n")
}

// comment is what became of one option.
func (r *Result) comment(f Finding) string {
	if f.Name == "" {
		return comment("", f.Why+".")
	}
	place := plain(r.shortName(f.File))
	if f.Line > 0 {
		place += ":" + strconv.Itoa(f.Line)
	}
	what := plain(f.Name)
	switch {
	case f.Line == 0:
		what += " (not written)"
	case f.Value != "":
		what += " " + shortened(plain(f.Value))
	}
	kind := f.Kind.String()
	if f.Refuses {
		kind += ", REFUSES MORE"
	}
	return comment(place+": "+what+": ", kind+": "+strings.TrimSuffix(f.Why, "?")+".")
}

// from is for options that one line writes besides the one where it is told.
func (r *Result) from(s setting) string {
	if s.name == "" {
		return "It belongs to honor: nothing of this was done before."
	}
	return plain(r.shortName(s.file)) + ": it belongs to " + plain(s.name) + ", which is told at another option."
}

// shortName is the last element of a file's name, where no other file has the same.
func (r *Result) shortName(file string) string {
	base := filepath.Base(file)
	for _, f := range r.Findings {
		if f.File != file && filepath.Base(f.File) == base {
			return file
		}
	}
	return base
}

// comment breaks text into lines of a comment, the later ones set in.
func comment(head, text string) string {
	var b strings.Builder
	line := "#"
	for _, word := range strings.Fields(head + text) {
		if len(line)+1+len(word) > width && line != "#" && line != "#  " {
			b.WriteString(line + "\n")
			line = "#"
			if head != "" {
				line = "#  "
			}
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// plain is text of a file as it may stand in a comment: printable, on one line.
func plain(s string) string {
	q := strconv.QuoteToGraphic(strings.ToValidUTF8(s, "?"))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func quoted(s string) string {
	if secretValue(s) {
		return "(not repeated)"
	}
	return `"` + shortened(plain(s)) + `"`
}

// shortened is for values that would fill a page.
func shortened(s string) string {
	const most = 120
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "..."
}
