package sources

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Options say what is surveyed.
type Options struct {
	// Domain is the only Author Domain to look at; empty: all.
	Domain string
	// Own reports whether an Author Domain is one of the site's.
	Own func(author string) bool
	// Organization finds Organizational Domains.
	Organization Organization
	// Trust are domains whose signatures and seals the admin trusts.
	Trust []string
	// Before reports whether a pair was seen before Since; nil where that is not known.
	Before func(author, infrastructure string) bool
	// Rules are those in force, With gives them with an entry added, and Taken tells ids
	// of entries. Without With nothing is suggested.
	Rules *policy.Rules
	With  func(entry []byte) (*policy.Rules, error)
	Taken func(id string) bool
	// Since is from when on records are read, Now the time of the survey.
	Since, Now time.Time
}

// Bounds of what is kept; ours. A pair takes a kilobyte or two.
const (
	maxOwnPairs = 5000
	maxPairs    = 20000
	maxVoices   = 3000
	// newFor is how long a source is new.
	newFor = 7 * 24 * time.Hour
)

// Survey gathers who sends. It is not safe for concurrent use.
type Survey struct {
	opt    Options
	own    table[pairKey, Source]
	others table[pairKey, Source]
	rest   Rest
	// What suggestions rest on.
	ownWords   table[string, words]
	words      table[string, words]
	classes    table[classKey, class]
	gateways   table[netip.Addr, gateway]
	candidates []*candidate
	ids        map[string]bool
	first      time.Time // of the records
	last       time.Time
	count      int
}

type pairKey struct{ author, infrastructure string }

// Source is one Author Domain as one infrastructure sends it.
type Source struct {
	Author         string // Author Domain
	Own            bool
	Infrastructure string
	Messages       int
	// Pass and Fail are results of DMARC; the rest of Messages is neither.
	Pass, Fail int
	// What became of the failing ones; in monitor mode and behind a rollout, what would have.
	Refused, Deferred, Held, Tagged int
	First, Last                     time.Time
	// New: it was first seen in the last week, and records go back further.
	New bool
	// LastAction is what was done with the last message.
	LastAction policy.Delivery
	// Signers are SDIDs of signatures that pass, Senders domains of MAIL FROM that pass SPF,
	// Sealers the newest ones of chains that pass, Lists what List-Id says, which proves
	// nothing. The most frequent first.
	Signers, Senders, Sealers, Lists []Count
	// Suggestions are entries that let failing mail of it in. Without any, NotSuggested
	// says why where something was done to failing mail.
	Suggestions  []*Suggestion
	NotSuggested string

	days                             daySet
	acted                            int // failing ones that the rules in force would not deliver
	signers, senders, sealers, lists tally
}

// Rest is what had no room of its own.
type Rest struct{ Pairs, Messages, Pass, Fail int }

// New begins a survey.
func New(opt Options) *Survey {
	opt.Organization = remembered(opt.Organization)
	s := &Survey{opt: opt, ids: map[string]bool{}}
	weight := func(p *Source) int { return p.Messages }
	s.own = table[pairKey, Source]{max: maxOwnPairs, weight: weight, gone: s.drop}
	s.others = table[pairKey, Source]{max: maxPairs, weight: weight, gone: s.drop}
	heard := func(w *words) int { return w.messages }
	s.ownWords = table[string, words]{max: maxVoices, weight: heard}
	s.words = table[string, words]{max: maxVoices, weight: heard}
	s.classes = table[classKey, class]{max: maxClasses, weight: func(c *class) int { return c.messages }}
	s.gateways = table[netip.Addr, gateway]{max: maxGateways, weight: func(g *gateway) int { return g.messages }}
	return s
}

func (s *Survey) drop(p *Source) {
	s.rest.Pairs++
	s.rest.Messages += p.Messages
	s.rest.Pass += p.Pass
	s.rest.Fail += p.Fail
}

// Add takes a record. They may come in any order; that of time is what stays when
// memory is short.
func (s *Survey) Add(r *record.Record) {
	ev := &r.Evidence
	if ev.Time.Before(s.opt.Since) || len(ev.DMARC) == 0 || r.Verdict.NotJudged {
		return
	}
	s.count++
	s.first, s.last = earlier(s.first, ev.Time), later(s.last, ev.Time)
	if s.opt.With != nil {
		s.relayed(ev)
	}
	var verdict *policy.Verdict
	for i := range ev.DMARC {
		dm := &ev.DMARC[i]
		if dm.AuthorDomain == "" || s.opt.Domain != "" && dm.AuthorDomain != s.opt.Domain || slices.Contains(ev.From.Partial, dm.AuthorDomain) {
			continue
		}
		from := Infrastructure(ev, s.opt.Organization)
		p := s.pair(dm.AuthorDomain, from)
		p.add(r, dm)
		if s.opt.With == nil {
			continue
		}
		s.voice(dm.AuthorDomain, p.Own).hear(ev, dm, s.opt.Organization)
		if dm.Result == evidence.Fail && s.acts(ev, &verdict) {
			p.acted++
			s.sort(ev, dm, p.Own, from)
		}
	}
}

// acts reports whether the rules in force, which may not be those that judged, do
// something to a message. verdict is made once.
func (s *Survey) acts(ev *evidence.Message, verdict **policy.Verdict) bool {
	if *verdict == nil {
		v := policy.Decide(ev, s.opt.Rules)
		*verdict = &v
	}
	return severity(done(*verdict)) > severity(policy.Deliver)
}

func (s *Survey) voice(author string, own bool) *words {
	in := &s.words
	if own {
		in = &s.ownWords
	}
	w, isNew := in.at(author)
	if isNew {
		*w = newWords()
	}
	return w
}

func (s *Survey) pair(author, infrastructure string) *Source {
	in, own := &s.others, s.opt.Own(author)
	if own {
		in = &s.own
	}
	p, isNew := in.at(pairKey{author, infrastructure})
	if isNew {
		p.Author, p.Infrastructure, p.Own = author, infrastructure, own
	}
	return p
}

func (p *Source) add(r *record.Record, dm *evidence.DMARC) {
	ev := &r.Evidence
	p.Messages++
	switch {
	case passes(ev, dm):
		p.Pass++
	case dm.Result == evidence.Fail:
		p.Fail++
		p.failed(done(&r.Verdict))
	}
	if !ev.Time.Before(p.Last) {
		p.LastAction = done(&r.Verdict)
	}
	p.First, p.Last = earlier(p.First, ev.Time), later(p.Last, ev.Time)
	p.days.add(ev.Time)
	for i := range ev.DKIM {
		if ev.DKIM[i].Result == evidence.Pass && firstOf(ev.DKIM, i) {
			p.signers.add(ev.DKIM[i].Domain)
		}
	}
	if c := ev.SPF.MailFrom; c != nil && c.Result == evidence.Pass {
		p.senders.add(c.Domain)
	}
	p.sealers.add(newestSealer(&ev.ARC))
	p.lists.add(strings.ToLower(ev.Traces.ListID))
}

// firstOf: no signature above that passes has the same SDID.
func firstOf(list []evidence.Signature, i int) bool {
	return !slices.ContainsFunc(list[:i], func(s evidence.Signature) bool {
		return s.Result == evidence.Pass && s.Domain == list[i].Domain
	})
}

func (p *Source) failed(d policy.Delivery) {
	switch d {
	case policy.Refuse:
		p.Refused++
	case policy.DeliverDefer:
		p.Deferred++
	case policy.DeliverHold:
		p.Held++
	case policy.DeliverTag:
		p.Tagged++
	}
}

// passes reports whether an Author Domain passes, and the From leaves no other author
// to a reader.
func passes(ev *evidence.Message, dm *evidence.DMARC) bool {
	return dm.Result == evidence.Pass && (ev.From.Problem == evidence.FromOK || ev.From.Sole)
}

// done is what was done with a message, or would have been without monitor mode or the
// rollout that held it back.
func done(v *policy.Verdict) policy.Delivery { return cmp.Or(v.Monitor.Delivery, v.Delivery) }

// newestSealer is d= of the newest seal of a chain that passes.
func newestSealer(arc *evidence.ARC) string {
	if n := len(arc.Sets); arc.Result == evidence.Pass && n > 0 && n == arc.Instances {
		return arc.Sets[n-1].SealDomain
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// daySet counts days in UTC. It knows the last 64 days that it was told of apart, so
// their number is right for records in about the order of time.
type daySet struct {
	newest int64
	bits   uint64
	more   int
}

func (d *daySet) add(t time.Time) {
	day := t.Unix() / 86400
	if d.bits == 0 {
		d.newest = day
	}
	if day > d.newest {
		ahead := min(day-d.newest, 64)
		for i := 64 - ahead; i < 64; i++ {
			if d.bits&(1<<i) != 0 {
				d.more++
			}
		}
		d.bits <<= uint(ahead)
		d.newest = day
	}
	if back := d.newest - day; back < 64 {
		d.bits |= 1 << uint(back)
	}
}

func (d *daySet) count() int {
	n := d.more
	for b := d.bits; b != 0; b &= b - 1 {
		n++
	}
	return n
}
