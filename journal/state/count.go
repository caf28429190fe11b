package state

import (
	"net/netip"
	"time"

	"golang.org/x/net/publicsuffix"

	"alignd/evidence"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// Dimension is what messages are counted by. The numbers are stored.
type Dimension uint8

// The dimensions.
const (
	Total    Dimension = iota // one value, with empty text
	ByDomain                  // Author Domains; empty where there is none
	ByClient                  // networks of clients; empty where the client is unknown
	ByResult                  // "dmarc=pass", "spf=fail" and so on, and "delivery=refuse"
	ByRule                    // ids of rules; empty where the sender's policy decided
	ByPair                    // Author Domain, infrastructure of the client
	dimensions
)

func (d Dimension) String() string {
	return [...]string{"total", "domain", "client", "result", "rule", "pair", ""}[min(d, dimensions)]
}

// hour is what is gathered of an hour.
type hour struct {
	sums   [dimensions]*summary
	stored [dimensions]bool // the database has a row of it
}

const hourSeconds = 3600

func (s *State) hourAt(start int64) *hour {
	h := s.live[start]
	if h == nil {
		h = &hour{}
		for d := range h.sums {
			h.sums[d] = newSummary()
		}
		s.live[start] = h
	}
	return h
}

// floor is the begin of the span that a time is in, all in seconds.
func floor(at, span int64) int64 {
	rest := at % span
	if rest < 0 {
		rest += span
	}
	return at - rest
}

// count adds a record to its hour.
func (s *State) count(e *journal.Entry) {
	ev, v := &e.Record.Evidence, &e.Record.Verdict
	h := s.hourAt(floor(ev.Time.Unix(), hourSeconds))
	t := tallyOf(e)
	author, network := journal.AuthorOf(e.Record), s.namer.network(ev.Client.IP())
	h.sums[Total].add(Key{}, &t)
	h.sums[ByDomain].add(Key{Text: author}, &t)
	h.sums[ByClient].add(Key{Text: network}, &t)
	h.sums[ByRule].add(Key{Text: v.Rule}, &t)
	for _, word := range resultsOf(e.Record) {
		if word != "" {
			h.sums[ByResult].add(Key{Text: word}, &t)
		}
	}
	if author != "" && network != "" && !ev.Authenticated() {
		h.sums[ByPair].add(Key{author, s.namer.infrastructure(&ev.IPRev, network)}, &t)
	}
	s.note(e.Record.Basis.Config, ev.Time)
}

// noteEvery is how often the database is told that a configuration still judges.
const noteEvery = 24 * time.Hour

// note remembers that a configuration judged.
func (s *State) note(hash [32]byte, at time.Time) {
	if hash == [32]byte{} || at.Sub(s.seen[hash]) < noteEvery {
		return
	}
	if at.After(s.fresh[hash]) {
		s.fresh[hash] = at
	}
}

// words are the values of a method in the dimension Result, made once.
type words map[evidence.Result]string

func wordsOf(method string) words {
	w := words{}
	for _, r := range journal.Results {
		w[r] = method + "=" + string(r)
	}
	return w
}

var (
	dmarcWords = wordsOf("dmarc")
	spfWords   = wordsOf("spf")
	dkimWords  = wordsOf("dkim")
	arcWords   = wordsOf("arc")

	deliveryWords = func() map[policy.Delivery]string {
		w := map[policy.Delivery]string{}
		for _, d := range journal.Deliveries {
			w[d] = "delivery=" + string(d)
		}
		return w
	}()
)

// resultsOf are the results of a message as the log has them, of DKIM the best one, and
// how the MTA was told.
func resultsOf(r *record.Record) (list [5]string) {
	ev := &r.Evidence
	list[0] = dmarcWords[policy.ResultOf(ev, &r.Verdict)]
	if check := ev.ReportedSPF(); check != nil {
		list[1] = spfWords[check.Result]
	}
	if passesDKIM(ev) {
		list[2] = dkimWords[evidence.Pass]
	} else if len(ev.DKIM) > 0 {
		list[2] = dkimWords[ev.DKIM[0].Result]
	}
	list[3] = arcWords[ev.ARC.Result]
	list[4] = deliveryWords[r.Verdict.Delivery]
	return list
}

// namer spells networks and infrastructures, and remembers the last ones. Its zero value
// is ready.
type namer struct {
	networks map[netip.Prefix]string
	orgs     map[string]string
}

// maxNames bounds what a namer remembers.
const maxNames = 20_000

func (n *namer) network(ip netip.Addr) string {
	p := journal.NetworkOf(ip.Unmap())
	if !p.IsValid() {
		return ""
	}
	text, known := n.networks[p]
	if !known {
		if n.networks == nil || len(n.networks) >= maxNames {
			n.networks = map[netip.Prefix]string{}
		}
		text = p.String()
		n.networks[p] = text
	}
	return text
}

// infrastructure is what a client belongs to: the Organizational Domain of its name,
// where evidence has a name that leads back to the address (RFC 8601 section 3), else its
// network. Of several the first in order, so that it is the same each time.
//
// The domain is the one below a public suffix, of both sections of the list: a name of
// somebody's machine at a provider is not the provider's. Evidence has Organizational
// Domains of other names only, and a client is to have one infrastructure whatever its
// message says.
func (n *namer) infrastructure(rev *evidence.IPRev, network string) string {
	best := ""
	for _, name := range rev.Names {
		if org := n.org(name); org != "" && (best == "" || org < best) {
			best = org
		}
	}
	if best == "" {
		return network
	}
	return best
}

func (n *namer) org(name string) string {
	org, known := n.orgs[name]
	if !known {
		if n.orgs == nil || len(n.orgs) >= maxNames {
			n.orgs = map[string]string{}
		}
		org, _ = publicsuffix.EffectiveTLDPlusOne(name) // of a suffix itself: none
		n.orgs[name] = org
	}
	return org
}
