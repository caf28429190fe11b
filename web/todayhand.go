package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"alignd/config"
	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/journal/state"
)

// soon is how long before its end an entry is told of; ours.
const soon = 14 * 24 * time.Hour

// overdue is how long a report may be due before nobody seems to send it; ours.
const overdue = 3 * time.Hour

// hand is what needs one.
func (a *asked) hand(st *state.State, o *overview) (block, error) {
	t := &table{Columns: columns("What", "Where"), Empty: "Nothing needs a hand."}
	add := func(sign, what, where, href string) {
		class, mark := meaning(sign)
		t.Rows = append(t.Rows, []cell{{Text: terminal.Line(what), Class: class, Sign: mark}, {Text: terminal.Line(where), Href: href}})
	}
	for e := range a.cfg.Rules.Entries() {
		switch left := e.Expires.Sub(a.now); {
		case e.Expires.IsZero() || left > soon:
		case left <= 0:
			add("fail", "expired "+e.Expires.Format(time.DateOnly)+": "+e.List+" "+e.ID, e.Source.String(), "/rules")
		default:
			add("warning", fmt.Sprintf("expires in %d days: %s %s", int(left.Hours())/24, e.List, e.ID), e.Source.String(), "/rules")
		}
	}
	if n := len(o.Unused.Entries); n > 0 {
		add("warning", fmt.Sprintf("%d entries decided nothing in %d messages", n, o.Unused.Messages), "since "+o.Unused.Since, "/rules?show=unused")
	}
	for i := range o.Shadowed {
		x := &o.Shadowed[i]
		add("warning", x.name()+" can decide nothing: "+x.By.name()+" takes its mail", fmt.Sprintf("%s:%d", x.File, x.Line), "/rules")
	}
	standing, err := st.Standing(a.ctx, a.now)
	if err != nil {
		return block{}, err
	}
	for _, x := range []struct {
		n        int64
		sign, as string
	}{{standing.PutOff, "temperror", "were put off, and are tried again"}, {standing.Items[state.GivenUp], "fail", "were given up"},
		{standing.Items[state.Unknown], "warning", "were perhaps sent: the answer was not heard"}} {
		if x.n > 0 {
			add(x.sign, fmt.Sprintf("reports: %d %s", x.n, x.as), "outbox", "/reports")
		}
	}
	due, err := st.Due(a.ctx, a.now.Add(-overdue), 1)
	if err != nil {
		return block{}, err
	}
	if len(due) > 0 {
		add("fail", "reports are due since "+due[0].Next.UTC().Format(time.DateTime)+" and nobody sends them", "outbox", "/reports")
	}
	if err := a.troubles(st, add); err != nil {
		return block{}, err
	}
	names, samples := a.undecided()
	for _, name := range names {
		add("warning", "a rule needs the "+name+", which was not known", "one of the last messages", to("/message", "id", samples[name]))
	}
	return block{ID: "hand", Heading: "What needs a hand", Table: t}, nil
}

// troubles are DNS that fails, and counts that are behind.
func (a *asked) troubles(st *state.State, add func(sign, what, where, href string)) error {
	since := a.now.Add(-time.Hour).Truncate(time.Hour)
	t, err := st.Count(a.ctx, state.Question{By: state.ByResult, Since: since})
	if err != nil {
		return err
	}
	all := map[string]uint64{}
	for i := range t.Rows {
		all[t.Rows[i].Text] = t.Rows[i].Messages
	}
	for _, check := range []string{"dmarc", "spf", "dkim"} {
		var sum uint64
		for text, n := range all {
			if strings.HasPrefix(text, check+"=") {
				sum += n
			}
		}
		if n := all[check+"=temperror"]; n > 10 && n*20 > sum {
			add("temperror", fmt.Sprintf("DNS fails: %s=temperror in %d of %d messages", check, n, sum), "since "+since.Format("15:04"), to("/messages", "since", "2h", check, "temperror"))
		}
	}
	for _, what := range a.opt.Backend.Behind(a.ctx) {
		add("temperror", "the journal: "+what, "journal", "/health")
	}
	if through, err := st.Through(a.ctx, a.now.Add(-48*time.Hour)); err == nil && !through.IsZero() && a.now.Sub(through) > 10*time.Minute {
		add("temperror", "the counts are behind: a host told nothing since "+through.UTC().Format(time.DateTime), "journal", "/health")
	}
	return nil
}

// lastMessages is of how many messages it is told what was undecidable; ours.
const lastMessages = 300

// undecided are the facts that rules needed and that were not known, each with a message.
func (a *asked) undecided() (names []string, samples map[string]string) {
	samples = map[string]string{}
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil, nil
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(a.ctx, time.Second)
	defer cancel()
	_ = r.Search(ctx, journal.Query{Since: a.now.Add(-24 * time.Hour), Limit: lastMessages}, func(e *journal.Entry) error {
		for _, f := range e.Record.Verdict.Undecidable {
			if name := string(f); samples[name] == "" {
				names, samples[name] = append(names, name), cmp.Or(e.Record.Evidence.Token, e.Record.Evidence.QueueID, e.Record.Evidence.MessageID, "-")
			}
		}
		return nil
	})
	slices.Sort(names)
	return names, samples
}

// newDays is for how long a source is new; ours.
const newDays = 7

// newSources are pairs of own domains that were first seen in the last days.
func (a *asked) newSources() (block, error) {
	b := block{ID: "new", Heading: "New sources of own domains", Note: fmt.Sprintf("First seen in the last %d days.", newDays)}
	b.Table = &table{Columns: columns("Author Domain", "Sent from", "#Messages", "#Pass", "#Fail", "First seen"), Empty: "None."}
	book, err := a.book(a.ctx)
	if err != nil {
		return b, err
	}
	single := 0
	for _, p := range book.Senders(state.SenderQuery{Days: newDays, Own: a.opt.Backend.Own(a.cfg), OwnOnly: true}).List {
		switch {
		case !p.New:
		case p.Kind == state.SenderOnce:
			single++
		case len(b.Table.Rows) < 12:
			b.Table.Rows = append(b.Table.Rows, []cell{linked(p.Author, "/senders", "domain", p.Author), linked(p.Infrastructure, "/sender", "domain", p.Author, "source", p.Infrastructure),
				number(p.Messages), number(p.Pass), number(p.Fail), plain(p.First.UTC().Format(time.DateTime))})
		}
	}
	if single > 0 {
		b.Note += fmt.Sprintf(" Besides, %d sent a few messages each, none of which passed.", single)
		b.Links = []link{{"Those that sent a few messages", to("/senders", "days", "7", "kind", string(state.SenderOnce))}}
	}
	return b, nil
}

// lookedAt are how long ago another configuration is looked for; ours.
var lookedAt = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 48 * time.Hour, 4 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour}

// lastChange finds the configuration that judged last, the one before, and since about
// when the last one does: by single messages, halving the time between two. Where none before
// is found, when is how far back it is known to be the last one.
func (a *asked) lastChange() (now, before [32]byte, when time.Time) {
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return now, before, when
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	at := func(t time.Time) (hash [32]byte) {
		_ = r.Search(ctx, journal.Query{Until: t, Since: t.Add(-72 * time.Hour), Limit: 1}, func(e *journal.Entry) error {
			hash = e.Record.Basis.Config
			return nil
		})
		return hash
	}
	none := [32]byte{}
	same, other := a.now, time.Time{}
	if now = at(a.now.Add(time.Minute)); now == none {
		return now, before, when
	}
	for _, back := range lookedAt {
		t := a.now.Add(-back)
		hash := at(t)
		if hash == none {
			break
		}
		if hash != now {
			before, other = hash, t
			break
		}
		same = t
	}
	if before == none {
		return now, before, same
	}
	for same.Sub(other) > 10*time.Minute {
		middle := other.Add(same.Sub(other) / 2)
		if hash := at(middle); hash == now {
			same = middle
		} else {
			other = middle
			if hash != none {
				before = hash
			}
		}
	}
	return now, before, same
}

// changed is what differs between the configuration that judges now and the one before,
// or the file.
func (a *asked) changed(st *state.State) block {
	b := block{ID: "changed", Heading: "What changed with the last reload", Note: "No change in 30 days."}
	now, before, when := a.lastChange()
	kept := func(hash [32]byte) *config.Config {
		text, err := st.Config(a.ctx, hash)
		if err != nil {
			return nil
		}
		cfg, err := config.FromText(text)
		if err != nil {
			return nil
		}
		return cfg
	}
	running := kept(now)
	if running != nil && now != a.cfg.Hash() {
		b.Alert = "The file differs from the configuration that judges: alignd reload takes it up."
		b.Note = ""
		b.Points = changes(running, a.cfg)
		return b
	}
	none := [32]byte{}
	switch old := kept(before); {
	case now == none:
		b.Note = "No message of the last days says."
	case before == none && when.After(a.now.Add(-lookedAt[len(lookedAt)-1])):
		b.Note = "No change is known: since about " + when.UTC().Format(time.DateTime) + " messages tell of none, and of the time before they do not tell."
	case before == none:
	case old == nil || running == nil:
		b.Note = fmt.Sprintf("Mail is judged by another configuration since about %s; what differs is not known, as one of the two was not kept.", when.UTC().Format(time.DateTime))
	default:
		b.Note = "Mail is judged by this configuration since about " + when.UTC().Format(time.DateTime) + "; a start of the daemon since then does not count."
		b.Points = changes(old, running)
	}
	return b
}

func changes(old, now *config.Config) (list []string) {
	for _, c := range config.Diff(old, now) {
		if len(list) == 30 {
			return append(list, "and more: alignd config diff has all")
		}
		list = append(list, terminal.Line(c.String()))
	}
	return list
}
