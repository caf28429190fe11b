package e2e

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"alignd/authres"
	"alignd/e2e/cases"
	"alignd/e2e/mta"
	"alignd/evidence"
	"alignd/internal/readers"
)

// delivered collects the Authentication-Results fields of ours as they came out
// of the MTA, unfolded.
type delivered struct {
	mu     sync.Mutex
	values []string
}

func (d *delivered) add(message []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range cases.Values(message, authres.FieldName) {
		if r, err := authres.Parse([]byte(v)); err == nil && r.ServID == mta.Hostname {
			d.values = append(d.values, unfolded(v))
		}
	}
}

// blindness is what a reader is known not to see.
type blindness struct {
	exception string
	// hide takes from r what the reader does not see in the field raw, where later
	// are the results behind r. A result without method is not seen at all.
	hide func(raw string, r *evidence.MethodResult, later []evidence.MethodResult)
}

var blind = map[string]blindness{
	"Python authres": {
		exception: "a quoted value is passed over when another property follows it",
		hide: func(raw string, r *evidence.MethodResult, _ []evidence.MethodResult) {
			r.Properties = slices.DeleteFunc(r.Properties, func(p evidence.Property) bool { return quotedBefore(raw, p) })
		},
	},
	"npm mailauth": {
		exception: "of several results of one method it keeps the last, but for dkim",
		hide: func(_ string, r *evidence.MethodResult, later []evidence.MethodResult) {
			same := func(l evidence.MethodResult) bool { return l.Method == r.Method }
			if r.Method != "dkim" && slices.ContainsFunc(later, same) {
				r.Method = ""
			}
		},
	},
}

// quotedBefore reports whether a property of this name and value stands in
// quotes in front of another one.
func quotedBefore(raw string, p evidence.Property) bool {
	for _, at := range quotedProperty.FindAllStringSubmatchIndex(raw, -1) {
		name, value, rest := raw[at[2]:at[3]], raw[at[4]:at[5]], strings.TrimSpace(raw[at[1]:])
		if name == p.Type+"."+p.Name && value == p.Value && rest != "" && rest[0] != ';' {
			return true
		}
	}
	return false
}

var quotedProperty = regexp.MustCompile(`([a-z]+\.[a-z-]+)="([^"]*)"`)

// unfolded is what a reader is handed (RFC 5322 section 2.2.3).
func unfolded(s string) string { return strings.ReplaceAll(s, "\r\n", "") }

// compare has readers that are not ours read the fields: each must show our id,
// and the results, reasons and properties that ours shows.
func (d *delivered) compare(t *testing.T) {
	t.Helper()
	for _, p := range readers.AuthRes() {
		s, err := p.Start()
		if errors.Is(err, readers.ErrMissing) && os.Getenv("ALIGND_E2E") == "" {
			t.Logf("left out: %v", err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		answers, err := s.Ask(d.values)
		if err != nil {
			t.Fatal(err)
		}
		results, hidden, pairs := 0, 0, 0
		for i, v := range d.values {
			if strings.Contains(v, `\`) {
				pairs++
				continue
			}
			want, hides := shownBy(p.Name, v)
			if got := sorted(answers[i][p.Name]); !slices.Equal(got, want) {
				t.Errorf("%s reads\n%s\nas\n%s\nwant\n%s", p.Name, v, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			results, hidden = results+len(want)-1, hidden+hides
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		t.Logf("%s read %d fields with %d results", p.Name, len(d.values)-pairs, results)
		if pairs > 0 {
			t.Logf("%s, %d fields not compared: it does not undo the quoted-pairs of a quoted string", p.Name, pairs)
		}
		if hidden > 0 {
			t.Logf("%s, %d times: %s", p.Name, hidden, blind[p.Name].exception)
		}
	}
}

// shownBy is what a reader must show of a field: the id, and a line for each
// result. It counts the results of which the reader does not see all.
func shownBy(reader, raw string) (lines []string, hidden int) {
	ours, err := authres.Parse([]byte(raw))
	if err != nil {
		return nil, 0
	}
	lines = []string{ours.ServID}
	for i, r := range ours.Results {
		properties := len(r.Properties)
		if hide := blind[reader].hide; hide != nil {
			hide(raw, &r, ours.Results[i+1:])
		}
		if r.Method == "" || len(r.Properties) < properties {
			hidden++
		}
		if r.Method != "" {
			lines = append(lines, resultLine(r))
		}
	}
	return sorted(lines), hidden
}

func resultLine(r evidence.MethodResult) string {
	words := []string{r.Method + "=" + r.Result}
	if r.Reason != "" {
		words = append(words, "reason="+r.Reason)
	}
	for _, p := range r.Properties {
		words = append(words, p.Type+"."+p.Name+"="+p.Value)
	}
	return strings.Join(words, "\t")
}

// sorted orders results, and the words within each, as no order is promised
// (RFC 8601 section 2.2).
func sorted(lines []string) []string {
	for i, l := range lines {
		words := strings.Split(l, "\t")
		slices.Sort(words[1:])
		lines[i] = strings.Join(words, "\t")
	}
	slices.Sort(lines)
	return lines
}

// TestReadersOfOddValues gives them fields with values that a sender chooses.
func TestReadersOfOddValues(t *testing.T) {
	var d delivered
	for _, value := range []string{
		"b.example", "@b.example", "@x_y.b.example", "@srv", "@a-.b.example", "x@y", "a.b+c@b.example", "a b@b.example", "a@b@c", "a;b", "a,b",
		"2001:db8::1", "ab/+cd12", "dmarc=pass", "(a", "a)", "x) ; dmarc=pass (", "it's", "a\r\nb: c", "\u00fc@b\u00fccher.example", "a/b", "<a@b.example>", "a=b",
		strings.Repeat("a", 300), strings.Repeat("a b ", 90), `a"b`, `a\b`, `x"; dmarc=pass; y="`,
	} {
		h := authres.Header{ServID: mta.Hostname, Results: []authres.Result{
			{Method: "spf", Value: "fail", Comment: value, Reason: value, Props: []evidence.Property{{Type: "smtp", Name: "helo", Value: value}}},
			{Method: "dkim", Value: "neutral", Reason: value, Props: []evidence.Property{
				{Type: "header", Name: "d", Value: "b.example"}, {Type: "header", Name: "i", Value: value},
				{Type: "header", Name: "s", Value: value}, {Type: "header", Name: "b", Value: value},
			}},
			{Method: "dmarc", Value: "fail", Props: []evidence.Property{{Type: "header", Name: "from", Value: "b.example"}}},
		}}
		d.values = append(d.values, unfolded(strings.ReplaceAll(h.Format(), "\n", "\r\n")))
	}
	d.compare(t)
}
