package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Text writes the report for a person: the worst first, what is fine only with all,
// and a summary at the end.
func (r *Report) Text(w io.Writer, all bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Severity == OK {
			if all {
				fmt.Fprintf(&b, "%-8s%s [%s]\n", "ok", f.What, f.ID)
			}
			continue
		}
		fmt.Fprintf(&b, "%-8s%s [%s]\n", strings.ToUpper(string(f.Severity)), f.What, f.ID)
		if f.Why != "" {
			fmt.Fprintf(&b, "    why:   %s\n", f.Why)
		}
		if f.Where != "" {
			fmt.Fprintf(&b, "    where: %s\n", f.Where)
		}
		for i, c := range f.Cure {
			label := "      "
			if i == 0 {
				label = "cure: "
			}
			fmt.Fprintf(&b, "    %s %s\n", label, c)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, r.Summary)
	_, err := io.WriteString(w, Visible(b.String()))
	return err
}

// String is the last line: "2 errors, 1 warning, no note; 30 checks found nothing".
func (s Summary) String() string {
	text := fmt.Sprintf("%s, %s, %s; %s found nothing", count(s.Errors, "error"), count(s.Warnings, "warning"), count(s.Notes, "note"), count(s.OK, "check"))
	if s.Ignored > 0 {
		text += fmt.Sprintf("; %s ignored", count(s.Ignored, "finding"))
	}
	return text
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Visible keeps control characters of files away from the terminal.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, text)
}

// JSON writes one object: findings, worst first, and summary.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
