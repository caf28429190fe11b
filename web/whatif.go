package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/config"
	"alignd/internal/terminal"
)

func unmarshal(raw json.RawMessage, to any) error {
	if len(raw) == 0 {
		return errors.New("no answer")
	}
	return json.Unmarshal(raw, to)
}

// spans and bounds that What if offers.
var (
	spanWords   = []string{"1d", "7d", "14d", "30d", "90d"}
	newestWords = []string{"1000000", "100000", ""}
)

// whatIf is an editor that is preset with the configuration in force, or with that of an
// earlier result. Nothing is ever written: what is right is downloaded, and put in place
// by hand.
func (a *asked) whatIf() (*page, error) {
	text := a.opt.Backend.Running()
	if j := a.job(a.get("job")); j != nil && j.text != "" {
		text = j.text
	}
	if entry := a.query.Get("entry"); entry != "" && len(entry) < 20_000 {
		added, err := config.WithEntry(text, entry)
		if err != nil {
			return nil, wrong("The entry cannot be added: %s.", err)
		}
		text = added
	}
	return a.editor(text, nil), nil
}

// editor shows a text, with what is wrong with it.
func (a *asked) editor(text string, problems config.Problems) *page {
	p := &page{Title: "What if", Command: "alignd config check NEW.yaml; alignd replay --config NEW.yaml --since 7d --newest 1000000 --by domain,client,rule", Blocks: []block{{
		Note:  "Change the configuration, and judge past messages again by it. Nothing is written: download the file, put it in place, alignd config check, alignd reload. Secrets are left out; file: may name only files that the running configuration names.",
		Links: []link{{"Results and jobs", "/jobs"}},
	}}}
	p.Rows = problemTable(nil, "", "")
	if problems != nil {
		t := problemTable(problems, a.opt.Backend.File(), text)
		p.Blocks = append(p.Blocks, block{ID: "faults", Heading: "Faults", Alert: "This configuration is not taken.", Table: t})
		p.Rows = t
	}
	var results []string
	for _, j := range slices.Backward(a.jobsSeen()) {
		if j.replayed() != nil {
			results = append(results, strconv.Itoa(j.Number))
		}
	}
	p.Data = map[string]any{"config": text, "faults": p.Rows.cells()}
	p.Blocks = append(p.Blocks, block{Form: &form{Action: "/whatif/try", Submit: "Judge again", Post: true, Token: a.formToken,
		Buttons: []link{{"Check", "check"}, {"Download", "download"}},
		Fields: []field{{Name: "text", Label: "Configuration (alignd.yaml)", Value: text, Text: true, Numbers: lineNumbers(text, problems, a.opt.Backend.File())},
			{Name: "since", Label: "Messages of the last", Value: cmp.Or(a.form.Get("since"), "7d"), Choices: spanWords},
			{Name: "newest", Label: "The newest, at most", Any: "all", Value: a.newestWanted(), Choices: newestWords},
			{Name: "against", Label: "Beside the result of job", Any: "none", Value: a.form.Get("against"), Choices: append([]string{""}, results...)}}}})
	return p
}

func (a *asked) newestWanted() string {
	if a.form.Has("newest") {
		return a.form.Get("newest")
	}
	return newestWords[0]
}

// moreLines have a number where nothing stands yet.
const moreLines = 40

// maxLines is how long a configuration may be in the editor: numbers of millions of lines
// take longer than a page may. Ours.
const maxLines = 20_000

// lineNumbers are those of a text and some more, with marks where there is a fault.
func lineNumbers(text string, problems config.Problems, file string) template.HTML {
	faulty := map[int]bool{}
	for i := range problems {
		if problems[i].File == file {
			faulty[problems[i].Line] = true
		}
	}
	var b strings.Builder
	for n := 1; n <= strings.Count(text, "\n")+1+moreLines; n++ {
		if faulty[n] {
			fmt.Fprintf(&b, "<b id=\"line-%d\">✗ %d</b>\n", n, n)
		} else {
			b.WriteString(strconv.Itoa(n) + "\n")
		}
	}
	return template.HTML(b.String()) //nolint:gosec // numbers only
}

// try checks, downloads or replays what is in the editor.
func (a *asked) try() (*page, error) {
	text := strings.ReplaceAll(a.form.Get("text"), "\r\n", "\n")
	if a.form.Get("do") == "download" {
		return nil, download{"alignd.yaml", text}
	}
	if n := strings.Count(text, "\n"); n > maxLines {
		return nil, wrong("This has %d lines, and the editor takes %d. alignd replay --config NEW.yaml takes more.", n, maxLines)
	}
	_, err := a.opt.Backend.Parse([]byte(text))
	if problems := (config.Problems{}); errors.As(err, &problems) {
		return a.editor(text, problems), nil
	} else if err != nil {
		return nil, wrong("%s", err)
	}
	if a.form.Get("do") == "check" {
		p := a.editor(text, nil)
		p.Blocks = append([]block{{Note: "It is right."}}, p.Blocks...)
		return p, nil
	}
	since, ok := replaySpans[a.form.Get("since")]
	if !ok {
		return nil, wrong("since: choose one of the spans.")
	}
	ask := &ReplayAsk{Text: &text, Since: a.now.Add(-since)}
	if word := a.newestWanted(); word != "" {
		if ask.Newest, err = strconv.Atoi(word); err != nil || !slices.Contains(newestWords, word) {
			return nil, wrong("newest: choose one of the numbers.")
		}
	}
	against := ""
	for _, j := range a.jobsSeen() {
		if strconv.Itoa(j.Number) == a.form.Get("against") && j.replayed() != nil {
			against = j.ID
		}
	}
	return a.startReplay(&job{Title: "What if", auditors: true, text: text}, ask, against)
}

// replaySpans are those of spanWords.
var replaySpans = map[string]time.Duration{"1d": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "14d": 14 * 24 * time.Hour, "30d": 30 * 24 * time.Hour, "90d": 90 * 24 * time.Hour}

func (a *asked) startReplay(j *job, ask *ReplayAsk, against string) (*page, error) {
	ask.Since = ask.Since.UTC().Truncate(time.Second)
	j.Command = "alignd replay --config NEW.yaml --since " + ask.Since.Format(time.RFC3339) + " --by domain,client,rule"
	if ask.Text == nil {
		j.Command = strings.Replace(j.Command, "--config NEW.yaml", "--config WITHOUT.yaml --against "+a.opt.Backend.File(), 1)
	}
	if ask.Newest > 0 {
		j.Command += fmt.Sprintf(" --newest %d", ask.Newest)
	}
	j.show = func(a *asked, result any) *page { return a.replayed(j, result.(*Replayed)) }
	err := a.start(j, func(ctx context.Context, p Progress) (any, error) { return a.opt.Backend.Replay(ctx, ask, p) })
	if err != nil {
		return nil, err
	}
	return nil, redirect{to("/job", "id", j.ID, "against", against)}
}

// without judges again without one entry.
func (a *asked) without() (*page, error) {
	e := EntryName{a.form.Get("list"), a.form.Get("id")}
	if _, err := a.opt.Backend.Without(e); err != nil {
		why := Told(err)
		if a.person.Auditor() {
			why = err.Error()
		}
		return nil, said{http.StatusUnprocessableEntity, "The configuration cannot do without it: " + why}
	}
	return a.startReplay(&job{Title: terminal.Line("Without " + e.List + ": " + e.ID)}, &ReplayAsk{Without: e, Since: a.now.AddDate(0, 0, -7), Newest: 1_000_000}, "")
}

// download is an answer that is a file.
type download struct{ name, text string }

func (d download) Error() string { return "a file" }

// maxFaults is how many faults are listed; ours.
const maxFaults = 100

// problemTable are faults at their lines, as alignd config check tells them, with what
// stands there in the text that was sent. Of other files nothing is told but the line: who
// sends a text may not be one who may read them.
func problemTable(list config.Problems, file, text string) *table {
	t := &table{Columns: columns("#Line", "#Column", "Fault", "What stands there")}
	lines := strings.Split(text, "\n")
	for i := range list {
		x := &list[i]
		switch {
		case len(t.Rows) == maxFaults:
			t.Rows = append(t.Rows, []cell{{}, {}, plain(fmt.Sprintf("and %d more", len(list)-i)), {}})
			return t
		case x.File != file:
			t.Rows = append(t.Rows, []cell{{}, {}, plain(fmt.Sprintf("%s:%d: a fault in this file; alignd config check tells it", x.File, x.Line)), {}})
		case x.Line < 1 || x.Line > len(lines):
			t.Rows = append(t.Rows, []cell{{}, {}, plain(x.Text), {}})
		default:
			t.Rows = append(t.Rows, []cell{{Text: strconv.Itoa(x.Line), Href: "#line-" + strconv.Itoa(x.Line)}, number(x.Column), plain(x.Text), plain(shortened(lines[x.Line-1]))})
		}
	}
	return t
}

// shortened is a line as a table has it.
func shortened(line string) string {
	const most = 160
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// post takes a form of somebody who may look.
func (s *Server) post(auditors bool, make func(*asked) (*page, error)) http.HandlerFunc {
	v := &view{path: "form", auditors: auditors, make: make}
	return s.show(v, asHTML)
}
