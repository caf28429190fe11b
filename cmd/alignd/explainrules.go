package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"alignd/config"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// rules tells of each rule that was considered why it matched or not, and what would have
// to be different. told says that they are other rules than those that judged; it is
// empty where they are not.
func (e *explainer) rules(rules *policy.Rules, told string) {
	if e.v.Step == policy.StepLimit || e.v.Step == policy.StepInternal || !e.v.Reached() {
		return // no rule was asked
	}
	e.section("Rules")
	if told != "" {
		e.line("note", "%s", told)
	}
	list := policy.Consider(e.ev, rules)
	if len(list) == 0 {
		e.line("", "there are none but the options that handle each policy")
	}
	for i := range list {
		e.considered(&list[i])
	}
	e.ways(policy.Ways(e.ev, rules))
}

func (e *explainer) considered(x *policy.Considered) {
	var b strings.Builder
	switch {
	case x.Count == 1:
		b.WriteString("one")
	case x.Count > 1:
		fmt.Fprintf(&b, "%d", x.Count)
	default:
		b.WriteString(x.ID)
		if x.At.File != "" {
			fmt.Fprintf(&b, " (%s:%d)", x.At.File, x.At.Line)
		}
	}
	fate := string(x.Fate)
	if plural, differs := severalFates[x.Fate]; differs && x.Count > 1 {
		fate = plural
	}
	b.WriteString(" " + fate)
	if x.Author != "" && len(e.ev.DMARC) > 1 {
		b.WriteString(" for " + x.Author)
	}
	why := make([]string, 0, 1+len(x.Unmet))
	if x.Why != "" {
		why = append(why, x.Why)
	}
	for i := range x.Unmet {
		why = append(why, unmetText(&x.Unmet[i]))
	}
	b.WriteString(": " + strings.Join(why, "; "))
	e.line(kindWords[x.Kind], "%s", b.String())
}

// severalFates are the fates of several rules, where the verb differs.
var severalFates = map[policy.Fate]string{policy.Unmatched: "do not match", policy.Held: "hold"}

// kindWords fit the column of names.
var kindWords = map[policy.RuleKind]string{
	policy.KindNetwork: "not judged", policy.KindException: "exception", policy.KindSealer: "sealer", policy.KindDomain: "domain",
	policy.KindProfile: "profile", policy.KindStage: "rollout", policy.KindSignal: "signal", policy.KindOwn: "own domains",
}

func unmetText(u *policy.Unmet) string {
	text := u.Key + " wants " + strings.Join(u.Wanted, " or ")
	switch {
	case len(u.Facts) > 0:
		return text + ", and the " + string(u.Facts[0]) + " is not known"
	case len(u.Had) > 0:
		return text + ", and it is " + strings.Join(u.Had, ", ")
	}
	return text + ", and " + u.None
}

// ways tells what would have to be different, each line by itself.
func (e *explainer) ways(list []policy.Way) {
	title := ""
	for i := range list {
		w := &list[i]
		next := "It would have been treated milder, if one of these were so"
		if w.Passes {
			next = w.Author + " would have passed DMARC, if one of these were so"
		}
		if next != title {
			title = next
			e.section(printable(title))
		}
		fmt.Fprintf(e.w, "  - %s\n", printable(w.Text))
	}
}

// storyteller tells of past messages, with the rules that judged each, where they are to
// be had.
type storyteller struct {
	cfg   *config.Config
	now   *policy.Rules              // in force
	kept  map[[32]byte]*policy.Rules // nil where they are not to be had
	about map[[32]byte]string        // why they are not
}

func newStoryteller(cfg *config.Config) *storyteller {
	now := rulesForKept(cfg, cfg)
	return &storyteller{cfg: cfg, now: now, kept: map[[32]byte]*policy.Rules{cfg.Hash(): now}, about: map[[32]byte]string{}}
}

// list tells the story of each entry.
func (s *storyteller) list(out io.Writer, list []*journal.Entry) error {
	for i, e := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		rules, told := s.rulesOf(context.Background(), e.Record)
		if err := explainRecord(out, e, rules, told); err != nil {
			return err
		}
	}
	return nil
}

// rulesOf are the rules that judged a record, or those in force and what to say of that.
func (s *storyteller) rulesOf(ctx context.Context, r *record.Record) (*policy.Rules, string) {
	hash := r.Basis.Config
	rules, known := s.kept[hash]
	if !known {
		var err error
		if rules, err = s.read(ctx, hash); err != nil {
			s.about[hash] = err.Error()
		}
		s.kept[hash] = rules
	}
	if rules != nil {
		return rules, ""
	}
	now := policy.Decide(&r.Evidence, s.now)
	told := fmt.Sprintf("the configuration that judged it is not to be had (%s); these are the rules now in force", s.about[hash])
	if v := &r.Verdict; now.Delivery != v.Delivery || now.Step != v.Step || now.Rule != v.Rule {
		told += ", by which it would be: " + string(now.Delivery) + ", decided by " + string(now.Step)
		if now.Rule != "" {
			told += ", rule " + now.Rule
		}
	}
	return s.now, told
}

// read is the configuration of a hash, as it was kept beside the journal.
func (s *storyteller) read(ctx context.Context, hash [32]byte) (*policy.Rules, error) {
	kept, err := readState(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	defer kept.Close()
	text, err := kept.Config(ctx, hash)
	if err != nil {
		return nil, err
	}
	cfg, err := config.FromText(text)
	if err != nil {
		return nil, err
	}
	return rulesForKept(s.cfg, cfg), nil
}
