package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"alignd/config"
	"alignd/internal/terminal"
	"alignd/replay"
)

func unmarshal(raw json.RawMessage, to any) error {
	if len(raw) == 0 {
		return errors.New("no answer")
	}
	return json.Unmarshal(raw, to)
}

// replaySpans are those that What if offers.
var replaySpans = map[string]time.Duration{"1d": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "14d": 14 * 24 * time.Hour, "30d": 30 * 24 * time.Hour, "90d": 90 * 24 * time.Hour}

// whatIf is an editor that is preset with the configuration in force. Nothing is ever
// written: what is right is downloaded, and put in place by hand.
func (a *asked) whatIf() (*page, error) {
	text := a.opt.Backend.Running()
	if entry := a.query.Get("entry"); entry != "" && len(entry) < 20_000 {
		added, err := withEntry(text, entry)
		if err != nil {
			return nil, err
		}
		text = added
	}
	return a.editor(text, nil), nil
}

// withEntry adds the entries of a suggestion below those of the same list.
func withEntry(text, entry string) (string, error) {
	for list := range strings.SplitSeq("exceptions trusted_sealers trusted_relays", " ") {
		head := list + ":\n"
		body, ok := strings.CutPrefix(entry, head)
		if !ok {
			continue
		}
		if at := strings.Index("\n"+text, "\n"+head); at >= 0 {
			at += len(head)
			return text[:at] + body + strings.TrimPrefix(text[at:], ""), nil
		}
		return strings.TrimRight(text, "\n") + "\n\n" + entry, nil
	}
	return "", wrong("This is no entry that was suggested.")
}

func (a *asked) editor(text string, problems *table) *page {
	p := &page{Title: "What if", Command: "alignd replay --config NEW.yaml --since 7d", Blocks: []block{{
		Note: "Change the configuration, and judge past messages again by it. Nothing is written: download the file, put it in place, alignd config check, alignd reload. Secrets are left out; file: may name only files that the running configuration names.",
	}}}
	p.Rows = problemTable(nil)
	if problems != nil {
		p.Blocks = append(p.Blocks, block{Heading: "Faults", Table: problems})
		p.Rows = problems
	}
	p.Data = map[string]any{"config": text, "faults": p.Rows.cells()}
	p.Blocks = append(p.Blocks, block{Form: &form{Action: "/whatif/try", Submit: "Judge again", Post: true, Token: a.formToken,
		Buttons: []link{{"Check", "check"}, {"Download", "download"}},
		Fields: []field{{Name: "text", Label: "Configuration (alignd.yaml)", Value: text, Text: true},
			{Name: "since", Label: "Messages of the last", Value: cmp.Or(a.form.Get("since"), "7d"), Choices: []string{"1d", "7d", "14d", "30d", "90d"}},
			{Name: "by", Label: "Count by", Value: cmp.Or(a.form.Get("by"), "domain"), Choices: []string{"domain", "client", "rule"}},
			{Name: "against", Label: "Beside the result", Any: "nothing", Value: a.form.Get("against"), Choices: a.resultIDs()}}}})
	return p
}

// resultIDs are results that one can be compared with.
func (a *asked) resultIDs() []string {
	all := []string{""}
	a.jobs.mu.Lock()
	defer a.jobs.mu.Unlock()
	for _, j := range a.jobs.list {
		j.mu.Lock()
		if r, ok := j.result.(*replay.Result); ok && r != nil {
			all = append(all, j.ID)
		}
		j.mu.Unlock()
	}
	return all
}

// try checks, downloads or replays what is in the editor.
func (a *asked) try() (*page, error) {
	text := strings.ReplaceAll(a.form.Get("text"), "\r\n", "\n")
	if a.form.Get("do") == "download" {
		return nil, download{"alignd.yaml", text}
	}
	cfg, err := a.opt.Backend.Parse([]byte(text))
	if err != nil {
		return a.editor(text, problemTable(err)), nil
	}
	if a.form.Get("do") == "check" {
		p := a.editor(text, nil)
		p.Blocks = append([]block{{Note: "It is right."}}, p.Blocks...)
		return p, nil
	}
	span, ok := replaySpans[a.form.Get("since")]
	if !ok {
		return nil, wrong("since: choose one of the spans.")
	}
	by := replay.Dimension(a.form.Get("by"))
	against := a.form.Get("against")
	return a.startReplay(cfg, "What if", a.now.Add(-span), by, against)
}

func (a *asked) startReplay(cfg *config.Config, title string, since time.Time, by replay.Dimension, against string) (*page, error) {
	switch by {
	case replay.ByDomain, replay.ByClient, replay.ByRule:
	default:
		return nil, wrong("by: domain, client or rule.")
	}
	j := &job{Kind: "replay", Title: title, Command: "alignd replay --config NEW.yaml --since " + since.UTC().Format(time.RFC3339) + " --by " + string(by),
		show: func(a *asked, result any) *page { return a.replayed(result.(*replay.Result), against) }}
	err := a.start(j, func(ctx context.Context, p Progress) (any, error) {
		return a.opt.Backend.Replay(ctx, cfg, since, by, p)
	})
	if err != nil {
		return nil, err
	}
	return nil, elsewhere{to("/job", "id", j.ID)}
}

// without judges again without one entry.
func (a *asked) without() (*page, error) {
	cfg, err := a.opt.Backend.Without(a.form.Get("id"))
	if err != nil {
		return nil, wrong("%s", err)
	}
	return a.startReplay(cfg, "Without "+terminal.Line(a.form.Get("id")), a.now.AddDate(0, 0, -7), replay.ByDomain, "")
}

// download is an answer that is a file.
type download struct{ name, text string }

func (d download) Error() string { return "a file" }

// problemTable are faults at their lines, as alignd config check tells them.
func problemTable(err error) *table {
	t := &table{Columns: columns("#Line", "#Column", "Fault")}
	var list config.Problems
	if err == nil {
		return t
	}
	if !errors.As(err, &list) {
		t.Rows = [][]cell{{{}, {}, plain(err.Error())}}
		return t
	}
	for i := range list {
		if len(t.Rows) == 100 {
			t.Rows = append(t.Rows, []cell{{}, {}, plain(fmt.Sprintf("and %d more", len(list)-i))})
			break
		}
		x := &list[i]
		t.Rows = append(t.Rows, []cell{number(x.Line), number(x.Column), plain(x.Text)})
	}
	return t
}

// counters are what a replay counts, in the order of the command line.
var counters = []struct {
	name, class string
	of          func(*replay.Counters) uint64
}{
	{"messages", "", func(c *replay.Counters) uint64 { return c.Total }},
	{"unchanged", "none", func(c *replay.Counters) uint64 { return c.Unchanged }},
	{"would refuse", "bad", func(c *replay.Counters) uint64 { return c.WouldRefuse }},
	{"of them pass DMARC", "bad", func(c *replay.Counters) uint64 { return c.RefusePassing }},
	{"would put off", "later", func(c *replay.Counters) uint64 { return c.WouldDefer }},
	{"would let in", "good", func(c *replay.Counters) uint64 { return c.WouldLetIn }},
	{"of them fail DMARC", "mark", func(c *replay.Counters) uint64 { return c.LetInFailing }},
	{"would mark", "mark", func(c *replay.Counters) uint64 { return c.WouldMark }},
	{"would unmark", "good", func(c *replay.Counters) uint64 { return c.WouldUnmark }},
	{"cannot tell", "mark", func(c *replay.Counters) uint64 { return c.CannotTell }},
}

// replayed shows a result, beside another one where that is asked for.
func (a *asked) replayed(r *replay.Result, against string) *page {
	var other *replay.Result
	if j := a.job(against); j != nil && against != a.get("id") {
		j.mu.Lock()
		other, _ = j.result.(*replay.Result)
		j.mu.Unlock()
	}
	p := &page{Data: map[string]any{"first": r.First, "last": r.Last, "counters": r.Counters, "flips": orEmpty(r.Flips), "cannot_tell": orEmpty(r.Unknown), "by": r.By, "groups": r.Groups}}
	var stats []stat
	for _, c := range counters {
		x := stat{Name: c.name, Value: fmt.Sprint(c.of(&r.Counters)), Class: c.class}
		if other != nil {
			x.Note = fmt.Sprintf("beside: %d", c.of(&other.Counters))
		}
		stats = append(stats, x)
	}
	p.Blocks = []block{{Note: fmt.Sprintf("Messages of %s to %s.", dayOrNone(r.First), dayOrNone(r.Last)), Stats: stats}}
	flips := &table{Caption: "What would change", Columns: columns("From", "To", "#Messages", "#Pass", "#Fail"), Empty: "Nothing would change."}
	for i := range r.Flips {
		f := &r.Flips[i]
		flips.Rows = append(flips.Rows, []cell{word(string(f.From)), word(string(f.To)), number(f.Count), number(f.Passing), number(f.Failing)})
	}
	p.Rows = flips
	p.Blocks = append(p.Blocks, block{Heading: "Flips", Table: flips})
	if other != nil {
		beside := &table{Caption: "The other result", Columns: flips.Columns, Empty: "Nothing would change."}
		for i := range other.Flips {
			f := &other.Flips[i]
			beside.Rows = append(beside.Rows, []cell{word(string(f.From)), word(string(f.To)), number(f.Count), number(f.Passing), number(f.Failing)})
		}
		p.Blocks = append(p.Blocks, block{Table: beside})
	}
	for i := range r.Flips {
		f := &r.Flips[i]
		p.Blocks = append(p.Blocks, block{Heading: fmt.Sprintf("%s → %s: samples", f.From, f.To), Table: sampleTable(f.Samples)})
	}
	for i := range r.Unknown {
		u := &r.Unknown[i]
		p.Blocks = append(p.Blocks, block{Heading: terminal.Line(fmt.Sprintf("Cannot tell, %s: %s (%d)", u.Kind, u.What, u.Count)), Table: sampleTable(u.Samples)})
	}
	return a.withGroups(p, r)
}

func (a *asked) withGroups(p *page, r *replay.Result) *page {
	t := &table{Caption: "By " + string(r.By), Columns: columns(string(r.By), "#Refuse", "#Passing", "#Put off", "#Let in", "#Failing", "#Mark", "#Unmark", "#Cannot tell"), Empty: "None.", Live: true}
	for i := range r.Groups {
		if len(t.Rows) == 200 {
			break
		}
		g := &r.Groups[i]
		t.Rows = append(t.Rows, []cell{plain(cmp.Or(g.Value, "-")), number(g.WouldRefuse), number(g.RefusePassing), number(g.WouldDefer), number(g.WouldLetIn), number(g.LetInFailing), number(g.WouldMark), number(g.WouldUnmark), number(g.CannotTell)})
	}
	p.Blocks = append(p.Blocks, block{Heading: "By " + string(r.By), Table: t})
	return p
}

func sampleTable(list []replay.Sample) *table {
	t := &table{Columns: columns("Time", "Author Domain", "Client", "DMARC", "Rule then", "Rule now", "Reason"), Empty: "No sample."}
	for i := range list {
		s := &list[i]
		client := "-"
		if s.Client.IsValid() {
			client = s.Client.String()
		}
		t.Rows = append(t.Rows, []cell{linked(s.Time.UTC().Format(time.DateTime), "/message", "id", cmp.Or(s.Token, s.QueueID)), plain(cmp.Or(s.Domain, "-")), plain(client),
			word(cmp.Or(string(s.DMARC), "-")), plain(s.OldRule), plain(s.Rule), plain(s.Reason)})
	}
	return t
}

// post takes a form of somebody who may look.
func (s *Server) post(auditors bool, make func(*asked) (*page, error)) http.HandlerFunc {
	v := &view{path: "form", auditors: auditors, make: make}
	return s.known(s.show(v, asHTML))
}
