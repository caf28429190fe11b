package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"alignd/internal/terminal"
	"alignd/journal"
	"alignd/lint"
	"alignd/resolver"
)

// Bounds of what a page asks DNS, so that the pages are no resolver for others and multiply
// nothing; ours. The command line has its own.
const (
	// maxPageQuestions is how many questions one page asks.
	maxPageQuestions = 150
	// pageDNSTime is how long they may take together; what is not answered then is told so.
	pageDNSTime = 8 * time.Second
	// asksEach and asksAll are names that a person, and all of them, may look up in asksTime.
	asksEach, asksAll = 10, 30
	asksTime          = time.Minute
	// asksAtOnce is how many names are looked up at the same time.
	asksAtOnce = 2
	// publishedAge is for how long what was found is shown again, to CSV and JSON too.
	publishedAge = time.Minute
	keptNames    = 32
)

// published is what a domain publishes.
type published struct {
	At    time.Time   `json:"at"`
	DMARC *lint.DMARC `json:"dmarc,omitempty"`
	SPF   *lint.SPF   `json:"spf,omitempty"`
	DKIM  *lint.DKIM  `json:"dkim,omitempty"`
	name  string
	// spent: the page's questions were not enough.
	spent bool
}

// asks bounds look-ups. The zero value is ready.
type asks struct {
	mu    sync.Mutex
	times []askedAt // of the last asksTime, oldest first
	under int
	kept  []*published // newest last
}

type askedAt struct {
	who string
	at  time.Time
}

// known is what was found of a name a moment ago; nil if nothing was. begin reports whether
// a person may ask now.
func (x *asks) known(name string, now time.Time) *published {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.kept {
		if p.name == name && now.Sub(p.At).Abs() < publishedAge {
			return p
		}
	}
	return nil
}

func (x *asks) begin(who string, now time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.times = slices.DeleteFunc(x.times, func(t askedAt) bool { return now.Sub(t.at).Abs() >= asksTime })
	own := 0
	for _, t := range x.times {
		if t.who == who {
			own++
		}
	}
	switch {
	case own >= asksEach || len(x.times) >= asksAll:
		return said{http.StatusTooManyRequests, fmt.Sprintf("Too many names were looked up: %d a minute each, %d by all. Try again in a minute, or use the command line.", asksEach, asksAll)}
	case x.under >= asksAtOnce:
		return said{http.StatusServiceUnavailable, "Other names are being looked up. Try again in a moment."}
	}
	x.times, x.under = append(x.times, askedAt{who, now}), x.under+1
	return nil
}

func (x *asks) end(found *published) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.under--
	if found == nil {
		return
	}
	x.kept = slices.DeleteFunc(x.kept, func(p *published) bool { return p.name == found.name })
	if x.kept = append(x.kept, found); len(x.kept) > keptNames {
		x.kept = x.kept[1:]
	}
}

// published asks DNS about a name.
func (a *asked) published(name string) (found *published, err error) {
	if x := a.asks.known(name, a.now); x != nil {
		return x, nil
	}
	if err := a.asks.begin(a.person.Name, a.now); err != nil {
		return nil, err
	}
	defer func() { a.asks.end(found) }()
	dns, err := a.opt.Backend.DNS()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(a.ctx, min(pageDNSTime, a.opt.Timeout*4/5))
	defer cancel()
	few := &fewQuestions{of: dns, left: maxPageQuestions}
	x := &published{At: a.now, name: name}
	if before, after, key := strings.Cut(name, "._domainkey."); key && before != "" && after != "" {
		x.DKIM = lint.CheckDKIM(ctx, few, name)
	} else {
		x.DMARC, x.SPF = lint.CheckDMARC(ctx, few, name, a.cfg.PSLGuard), lint.CheckSPF(ctx, few, name)
	}
	if err := a.ctx.Err(); err != nil { // who asked is gone: what was not answered says nothing
		return nil, err
	}
	x.spent = few.left < 0
	return x, nil
}

// fewQuestions answers some, and no more.
type fewQuestions struct {
	of   resolver.Lookuper
	left int
}

// Lookup implements resolver.Lookuper.
func (f *fewQuestions) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if f.left--; f.left < 0 {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrBudget, Why: "not asked: the page's bound of questions is reached"}
	}
	return f.of.Lookup(ctx, name, qtype)
}

// table is all of it, flat: what the CSV has.
func (x *published) table() *table {
	t := &table{Columns: columns("About", "What", "At", "Text", "#Lookups", "Rule", "Its words"), Empty: "Nothing was asked."}
	add := func(about, what, at, text string, lookups int, rule, words string) {
		if len(t.Rows) < rowsOfFile {
			n := cell{}
			if lookups >= 0 {
				n = number(lookups)
			}
			t.Rows = append(t.Rows, []cell{plain(about), plain(what), plain(at), plain(text), n, plain(rule), plain(words)})
		}
	}
	findings := func(about string, list []lint.Finding) {
		for i := range list {
			f := &list[i]
			add(about, string(f.Level), f.At, f.Text, -1, f.Section, f.Words)
		}
	}
	if d := x.DMARC; d != nil {
		add("DMARC", "record", d.PolicyDomain, orNone(d.Record), -1, "", "")
		add("DMARC", "policy", d.Domain, orNone(d.Policy), -1, "", "")
		for i := range d.Walk {
			w := &d.Walk[i]
			add("DMARC", "asked", w.Name, cmp.Or(w.Record, w.Outcome), -1, "", "")
		}
		for i := range d.Reports {
			r := &d.Reports[i]
			add("DMARC", r.Tag, r.URI, "takes reports: "+r.Allowed, -1, "", "")
		}
		findings("DMARC", d.Findings)
	}
	if s := x.SPF; s != nil {
		add("SPF", "record", s.Domain, orNone(s.Record), s.Lookups, "", "")
		if s.Tree != nil {
			s.Tree.Each(func(n *lint.SPFNode, term *lint.SPFTerm) {
				add("SPF", "term", n.Domain, strings.TrimSuffix(term.Term+" – "+term.Remark, " – "), term.Lookups, "", "")
			})
		}
		findings("SPF", s.Findings)
	}
	if k := x.DKIM; k != nil {
		for i := range k.Keys {
			add("DKIM", "key", k.Name, k.Keys[i].Record, -1, "", "")
		}
		findings("DKIM", k.Findings)
	}
	return t
}

// selectors lead to the keys of signatures that mail of a domain had lately.
func (a *asked) selectors(name string) []link {
	const most, read = 12, 200
	var list []link
	r, err := a.opt.Backend.Reader(a.skipped)
	if err != nil {
		return nil
	}
	defer r.Close()
	seen := map[string]bool{}
	_ = r.Search(a.ctx, journal.Query{Domain: name, Since: a.now.AddDate(0, 0, -30), Limit: read}, func(e *journal.Entry) error {
		for i := range e.Record.Evidence.DKIM {
			s := &e.Record.Evidence.DKIM[i]
			key := s.Selector + "._domainkey." + s.Domain
			if own := s.Domain == name || strings.HasSuffix(s.Domain, "."+name) || strings.HasSuffix(name, "."+s.Domain); !own || s.Selector == "" || seen[key] || len(key) > 253 {
				continue
			}
			if seen[key] = true; len(list) < most {
				list = append(list, link{terminal.Line(key), to("/domain", "name", key)})
			}
		}
		return nil
	})
	return list
}
