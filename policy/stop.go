package policy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
)

// StopIf says what stops a stage of a rollout: then the stage before it holds, and no
// later one begins, until the entry is changed or an admin resumes it. Decide knows it
// from Message.Stopped; who counts is outside of this package.
type StopIf struct {
	// FailingShare is the greatest share of failing mail, from 0 to 1. Failing mail counts
	// where its infrastructure has passed steadily for its Author Domain of late. 0: none.
	FailingShare float64
	// LeastMessages is how many messages make a share.
	LeastMessages int
	// PassingRefused is the greatest number of messages of one Author Domain that pass
	// DMARC by SPF and are refused all the same. Negative: none.
	PassingRefused int
	// Over is the time that is looked at, in whole hours.
	Over time.Duration
}

// Watch is a stage that may be stopped.
type Watch struct {
	ID    string // in Message.Stopped
	Stage Stage
	Entry string // id of the domain rule; empty for the general rollout
	// Before is the stage that holds while this one is stopped.
	Before StageName
	// Fingerprint changes with the entry.
	Fingerprint [32]byte

	rules *Rules
	rule  int // of Rules.domains; -1 for the general rollout
}

// Watches are the stages with StopIf, in the order of the rules.
func (r *Rules) Watches() []Watch {
	var list []Watch
	add := func(h *Handling, rule int, entry string, about any) {
		before := StageMonitor
		for _, g := range h.Rollout {
			if g.StopIf != nil {
				list = append(list, Watch{ID: g.ID, Stage: g, Entry: entry, Before: before, Fingerprint: fingerprint(about, h.Rollout), rules: r, rule: rule})
			}
			before = g.Name
		}
	}
	add(&r.handling, -1, "", nil)
	for i := range r.domains {
		add(&r.domains[i].Handling, i, r.domains[i].ID, r.domains[i].AuthorDomains)
	}
	return list
}

// fingerprint is of what an entry says of a rollout, wherever it stands.
func fingerprint(about any, stages []Stage) [32]byte {
	plain := slices.Clone(stages)
	for i := range plain {
		plain[i].Source = Source{}
	}
	text, err := json.Marshal([]any{about, plain})
	if err != nil {
		panic("policy: a rollout that cannot be written as JSON: " + err.Error())
	}
	return sha256.Sum256(text)
}

// Covers reports whether the rollout is about mail of an Author Domain. Where only DNS could
// tell whether an "org:" entry is for it, it is.
func (w *Watch) Covers(author string) bool {
	of := -1
	for p := range strictAuthorKeys(author, "") {
		i, ok := w.rules.domainIndex[p]
		if !ok || p.kind == anyDomain && of >= 0 {
			continue
		}
		if of = int(i); p.kind != anyDomain {
			break
		}
	}
	if of >= 0 && w.rules.domains[of].Handling.Rollout == nil {
		of = -1
	}
	return of == w.rule
}

// Tally is what was counted of mail of one Author Domain from one infrastructure.
type Tally struct {
	Author, Infrastructure string
	Pass, Fail             uint64
	PassRefused            uint64 // those of Pass that pass by SPF, and were refused
	// Known: the infrastructure has passed steadily for the Author Domain of late.
	Known bool
}

// Exceeded says in words why the stage is to be stopped, by what was counted of the time
// Over; empty where it is not.
func (w *Watch) Exceeded(tallies iter.Seq[Tally]) string {
	s := w.Stage.StopIf
	var pass, fail uint64
	worst := Tally{}
	refused := map[string]uint64{}
	for t := range tallies {
		if !w.Covers(t.Author) {
			continue
		}
		pass += t.Pass
		refused[t.Author] += t.PassRefused
		if t.Known {
			if fail += t.Fail; t.Fail > worst.Fail {
				worst = t
			}
		}
	}
	if all := pass + fail; s.FailingShare > 0 && all >= uint64(max(s.LeastMessages, 1)) && float64(fail) > s.FailingShare*float64(all) {
		return fmt.Sprintf("%d of %d messages fail (%.3g %%) within %s, more than %.3g %%; of senders that passed steadily within 30 days, most from %s as %s (%d)",
			fail, all, 100*float64(fail)/float64(all), hours(s.Over), 100*s.FailingShare, clean(worst.Infrastructure, 100), clean(worst.Author, 100), worst.Fail)
	}
	if s.PassingRefused < 0 {
		return ""
	}
	most := ""
	for author, n := range refused {
		if m := refused[most]; n > m || n == m && n > 0 && author < most {
			most = author
		}
	}
	if n := refused[most]; n > uint64(s.PassingRefused) {
		return fmt.Sprintf("%d messages of %s that pass DMARC by SPF were refused within %s, more than %d", n, clean(most, 100), hours(s.Over), s.PassingRefused)
	}
	return ""
}

func hours(d time.Duration) string { return fmt.Sprintf("%d h", int(d.Hours())) }

// stopIf checks what stops a stage.
func (c *compiler) stopIf(e entryRef, key string, g *Stage) {
	s := g.StopIf
	if s == nil {
		return
	}
	switch {
	case g.ID == "":
		c.fault(e, key+".stop_if", "the stage has no id")
	case g.Name == StageMonitor:
		c.fault(e, key+".stop_if", "a stage that does nothing cannot be stopped")
	case !(s.FailingShare >= 0 && s.FailingShare < 1): // nor is NaN
		c.fault(e, key+".stop_if.failing_share", "is not between 0 and 100 %%")
	case s.FailingShare == 0 && s.PassingRefused < 0:
		c.fault(e, key+".stop_if", "says nothing; set failing_share, passing_refused or both")
	case s.Over < time.Hour || s.Over > 30*24*time.Hour || s.Over%time.Hour != 0:
		c.fault(e, key+".stop_if.over", "%v is no number of whole hours from 1h to 720h, by which is counted", s.Over)
	}
}

// isStopped reports whether the stage is stopped for a message.
func (g *Stage) isStopped(stopped []string) bool {
	return g.StopIf != nil && slices.Contains(stopped, g.ID)
}
