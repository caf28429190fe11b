package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"alignd/internal/terminal"
	"alignd/replay"
)

// replayed is what a job judged again; nil where it did not, or not yet.
func (j *job) replayed() *Replayed {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, _ := j.result.(*Replayed)
	return r
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
func (a *asked) replayed(j *job, r *Replayed) *page {
	p := &page{Data: r}
	var other *Replayed
	beside := a.job(a.get("against"))
	if beside != nil && beside != j {
		other = beside.replayed()
	}
	p.Rows = &table{Columns: resultColumns}
	p.Rows.Rows = resultRows(j, r)
	if other == nil {
		p.Blocks = append([]block{resultHead(r)}, resultChanges(r)...)
		p.Blocks = append(p.Blocks, samples(r)...)
	} else {
		p.Rows.Rows = append(p.Rows.Rows, resultRows(beside, other)...)
		p.Data = compared{r, other}
		p.Blocks = []block{
			{Beside: [][]block{
				append([]block{{Heading: j.title(), Links: []link{{"Alone, with samples", to("/job", "id", j.ID)}}}, resultHead(r)}, resultChanges(r)...),
				append([]block{{Heading: beside.title(), Links: []link{{"Alone, with samples", to("/job", "id", beside.ID)}}}, resultHead(other)}, resultChanges(other)...),
			}},
		}
		p.Blocks = append([]block{differences(j, beside, r, other)}, p.Blocks...)
	}
	p.Blocks = append(p.Blocks, a.resultLinks(j, other)...)
	all := *p.Rows
	all.Rows = all.Rows[:min(len(all.Rows), groupRows)]
	p.Blocks = append(p.Blocks, block{Heading: "As the CSV has it", Behind: &all})
	return p
}

// compared is the JSON of two results: that of the first, with the other one.
type compared struct {
	*Replayed
	Against *Replayed `json:"against"`
}

// resultHead tells of what a result is, and the numbers.
func resultHead(r *Replayed) block {
	b := block{Note: spanText(r)}
	for _, c := range counters {
		b.Stats = append(b.Stats, stat{Name: c.name, Value: fmt.Sprint(c.of(&r.Counters)), Class: c.class})
	}
	for _, n := range r.Counters.Notes() {
		b.Points = append(b.Points, fmt.Sprintf("%d %s.", n.Count, n.Text))
	}
	if n := int(r.Counters.Unreadable) + r.UnreadFiles; n > 0 {
		b.Alert = terminal.Line(fmt.Sprintf("Not all of the journal could be read (%d records, blocks or files), so the numbers are not whole. %s", n, r.Problem))
	}
	return b
}

// spanText tells which messages were judged, and which were not.
func spanText(r *Replayed) string {
	text := "No message of the span that was asked for is in the journal"
	if !r.First.IsZero() {
		text = fmt.Sprintf("Messages of %s to %s", timeOrNone(r.First), timeOrNone(r.Last))
	}
	text += fmt.Sprintf("; asked for were those since %s.", timeOrNone(r.Since))
	if r.Journal.Records > 0 {
		text += fmt.Sprintf(" The journal holds %d messages.", r.Journal.Records)
	}
	if oldest := r.Journal.Oldest; !oldest.IsZero() && r.Since.Before(oldest.Truncate(time.Minute)) {
		text += fmt.Sprintf(" It begins later, at %s.", timeOrNone(oldest))
	}
	if r.Older > 0 {
		text += fmt.Sprintf(" %d older ones were left out, as no more than the newest were asked for.", r.Older)
	}
	return text
}

// resultChanges are the tables of a result.
func resultChanges(r *Replayed) []block {
	flips := &table{Caption: "From what the MTA was told, by the configuration of then, to what would have been", Columns: columns("From", "To", "#Messages", "#Pass", "#Fail"), Empty: "Nothing would change."}
	if r.AgainstRunning {
		flips.Caption = "From what the running configuration would do to what it would do without the entry"
	}
	for i := range r.Flips {
		f := &r.Flips[i]
		flips.Rows = append(flips.Rows, []cell{word(string(f.From)), word(string(f.To)), number(f.Count), number(f.Passing), number(f.Failing)})
	}
	list := []block{{Heading: "Flips", Table: flips}}
	for _, g := range r.groupings() {
		list = append(list, block{Heading: "By " + dimensionText(g.By), Table: groupTable(&g)})
	}
	return list
}

func dimensionText(d replay.Dimension) string {
	switch d {
	case replay.ByDomain:
		return "Author Domain"
	case replay.ByClient:
		return "network of the client"
	}
	return "rule: what decided -> what would"
}

// groupRows is how many groups a page shows of each dimension; ours.
const groupRows = 50

func groupTable(g *replay.Grouping) *table {
	t := &table{Columns: columns(string(g.By), "#Refuse", "#Passing", "#Put off", "#Let in", "#Failing", "#Mark", "#Unmark", "#Cannot tell"), Empty: "None.", Live: len(g.Groups) > 10}
	for i := range g.Groups {
		if i == groupRows {
			t.Caption = fmt.Sprintf("%d of %d, those of most messages; CSV and JSON have more", groupRows, len(g.Groups))
			break
		}
		x := &g.Groups[i]
		t.Rows = append(t.Rows, []cell{groupCell(g.By, x.Value), number(x.WouldRefuse), number(x.RefusePassing), number(x.WouldDefer), number(x.WouldLetIn), number(x.LetInFailing),
			number(x.WouldMark), number(x.WouldUnmark), number(x.CannotTell)})
	}
	return t
}

func groupCell(by replay.Dimension, value string) cell {
	switch {
	case value == "" || value == replay.Others:
		return plain(cmp.Or(value, "-"))
	case by == replay.ByDomain:
		return linked(value, "/messages", "domain", value)
	case by == replay.ByClient:
		return linked(value, "/messages", "client", value)
	}
	return plain(value)
}

func samples(r *Replayed) (list []block) {
	for i := range r.Flips {
		f := &r.Flips[i]
		list = append(list, block{Heading: fmt.Sprintf("%s → %s: samples", f.From, f.To), Table: sampleTable(f.Samples)})
	}
	for i := range r.Unknown {
		u := &r.Unknown[i]
		list = append(list, block{Heading: terminal.Line(fmt.Sprintf("Cannot tell, %s: %s (%d)", u.Kind, u.What, u.Count)), Table: sampleTable(u.Samples)})
	}
	return list
}

func sampleTable(list []replay.Sample) *table {
	t := &table{Columns: columns("Time", "Author Domain", "Client", "DMARC", "Rule then", "Rule now", "Reason"), Empty: "No sample."}
	for i := range list {
		s := &list[i]
		client, reason := "-", s.Reason
		if s.Client.IsValid() {
			client = s.Client.String()
		}
		if s.ByState {
			reason += " (depends on earlier tries)"
		}
		if s.BySample {
			reason += " (depends on the sample)"
		}
		t.Rows = append(t.Rows, []cell{linked(s.Time.UTC().Format(time.DateTime), "/message", "id", cmp.Or(s.Token, s.QueueID)), plain(cmp.Or(s.Domain, "-")), plain(client),
			word(cmp.Or(string(s.DMARC), "-")), plain(s.OldRule), plain(s.Rule), plain(reason)})
	}
	return t
}

// differences are what two results do not share: numbers, flips, and groups.
func differences(j, beside *job, r, other *Replayed) block {
	t := &table{Caption: "What is not the same", Columns: columns("Number", "#Job "+strconv.Itoa(j.Number), "#Job "+strconv.Itoa(beside.Number), "#Difference"), Empty: "Both results are the same."}
	add := func(c cell, x, y uint64) {
		if x != y {
			t.Rows = append(t.Rows, []cell{c, number(x), number(y), {Text: fmt.Sprintf("%+d", int64(x)-int64(y))}})
		}
	}
	for _, c := range counters {
		add(plain(c.name), c.of(&r.Counters), c.of(&other.Counters))
	}
	type way struct{ from, to string }
	counts := map[way][2]uint64{}
	var ways []way
	for i, of := range []*Replayed{r, other} {
		for k := range of.Flips {
			f := &of.Flips[k]
			w := way{string(f.From), string(f.To)}
			n, known := counts[w]
			if !known {
				ways = append(ways, w)
			}
			n[i] = f.Count
			counts[w] = n
		}
	}
	for _, w := range ways {
		add(plain(w.from+" → "+w.to), counts[w][0], counts[w][1])
	}
	for _, d := range groupDifferences(r, other) {
		add(groupCell(d.by, d.value), d.x, d.y)
	}
	return block{Heading: "Differences", Table: t}
}

// groupDifference is what changes for a group in two results.
type groupDifference struct {
	by    replay.Dimension
	value string
	x, y  uint64
}

// groupDifferences are those of domains and networks with the greatest difference.
func groupDifferences(r, other *Replayed) (list []groupDifference) {
	at := map[groupDifference]int{}
	for i, of := range []*Replayed{r, other} {
		for _, g := range of.groupings() {
			if g.By == replay.ByRule {
				continue
			}
			for k := range g.Groups {
				key := groupDifference{by: g.By, value: g.Groups[k].Value}
				n, known := at[key]
				if !known {
					n = len(list)
					at[key] = n
					list = append(list, key)
				}
				*[]*uint64{&list[n].x, &list[n].y}[i] = g.Groups[k].Changed
			}
		}
	}
	apart := func(d *groupDifference) uint64 { return max(d.x, d.y) - min(d.x, d.y) }
	slices.SortStableFunc(list, func(a, b groupDifference) int { return cmp.Compare(apart(&b), apart(&a)) })
	return list[:min(len(list), 20)]
}

// resultLinks lead on: to the editor, and to two results side by side.
func (a *asked) resultLinks(j *job, other *Replayed) []block {
	b := block{Heading: "Side by side", Note: "Another result beside this one."}
	if other != nil {
		b.Note = "Another result beside the first."
	}
	for _, x := range slices.Backward(a.jobsSeen()) {
		if x != j && x.replayed() != nil && len(b.Links) < 10 {
			b.Links = append(b.Links, link{terminal.Line(x.title()), to("/job", "id", j.ID, "against", x.ID)})
		}
	}
	if len(b.Links) == 0 {
		b.Note = "Judge again by another configuration, and its result can stand beside this one."
	}
	if a.person.Auditor() && j.text != "" {
		b.Links = append(b.Links, link{"Change it further", to("/whatif", "job", j.ID)})
	}
	b.Links = append(b.Links, link{"All results", "/jobs"})
	return []block{b}
}

// resultColumns are those of the CSV of a result: what is counted, and the counts.
var resultColumns = columns("Result", "Of", "Value", "#Messages", "#Refuse", "#Passing", "#Put off", "#Let in", "#Failing", "#Mark", "#Unmark", "#Cannot tell")

func resultRows(j *job, r *Replayed) (rows [][]cell) {
	add := func(of, value string, c *replay.Counters) {
		rows = append(rows, []cell{plain(j.title()), plain(of), plain(value), number(c.Total), number(c.WouldRefuse), number(c.RefusePassing), number(c.WouldDefer), number(c.WouldLetIn),
			number(c.LetInFailing), number(c.WouldMark), number(c.WouldUnmark), number(c.CannotTell)})
	}
	add("all", "", &r.Counters)
	for i := range r.Flips {
		f := &r.Flips[i]
		rows = append(rows, []cell{plain(j.title()), plain("flip"), plain(string(f.From) + " -> " + string(f.To)), number(f.Count), {}, number(f.Passing), {}, {}, number(f.Failing), {}, {}, {}})
	}
	for _, g := range r.groupings() {
		for i := range g.Groups {
			add(string(g.By), g.Groups[i].Value, &g.Groups[i].Counters)
		}
	}
	return rows
}
