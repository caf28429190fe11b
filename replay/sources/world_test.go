package sources

import (
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// A world is planted mail: who sent each message is known, and the evidence is what the
// checks would find. Attackers can do what a domain, a network and an account give, and
// what is sent on again; they cannot sign, seal or pass SPF as others.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	base    *config.Config
	spf     map[string]published // of a domain of MAIL FROM
	trust   []string
	records []*record.Record
	by      []string // who sent each
}

// published is an SPF record, and the networks that it comes to.
type published struct {
	record string
	from   []string
}

// watching holds back what would be done, and changes nothing of what is suggested.
const watching = "mode: monitor\n"

const siteConfig = `
own_domains:
  - {id: ours, domains: [own.example, .own.example]}
`

func newWorld(t *testing.T, seed int64, trust ...string) *world {
	text := siteConfig
	if seed%2 == 1 {
		text = watching + text
	}
	cfg, err := config.Parse([]byte(text), "alignd.yaml", today)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, rng: rand.New(rand.NewSource(seed)), base: cfg, trust: trust, spf: map[string]published{
		"own.example":       {"v=spf1 ip4:192.0.2.0/28 ip4:172.16.5.0/28 include:_spf.vendor.example include:esp.example -all", []string{"192.0.2.0/28", "172.16.5.0/28", "198.51.100.0/25", "203.0.113.0/25"}},
		"vendor.example":    {"v=spf1 ip4:198.51.100.0/25 -all", []string{"198.51.100.0/25"}},
		"b.vendor.example":  {"v=spf1 ip4:198.51.100.0/25 -all", []string{"198.51.100.0/25"}},
		"t9.vendor.example": {"v=spf1 ip4:198.51.100.0/25 -all", []string{"198.51.100.0/25"}},
		"esp.example":       {"v=spf1 ip4:203.0.113.0/25 -all", []string{"203.0.113.0/25"}},
		"t1.esp.example":    {"v=spf1 ip4:203.0.113.0/25 -all", []string{"203.0.113.0/25"}},
		"t2.esp.example":    {"v=spf1 ip4:203.0.113.0/25 -all", []string{"203.0.113.0/25"}},
		"club.example":      {"v=spf1 ip4:100.64.1.0/28 -all", []string{"100.64.1.0/28"}},
		"fwd.example":       {"v=spf1 ip4:100.64.2.0/28 -all", []string{"100.64.2.0/28"}},
		"evil.example": {"v=spf1 include:everywhere.evil.example -all", // who owns a domain may list whom he likes
			[]string{"11.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}},
		"letters.example": {"v=spf1 ip4:172.16.5.0/28 -all", []string{"172.16.5.0/28"}},
		"a.test":          {}, "b.test": {}, "c.test": {}, "d.test": {}, "e.test": {}, "f.test": {},
		"bank.example": {"v=spf1 ip4:100.64.9.0/24 -all", []string{"100.64.9.0/24"}},
		"shop.example": {"v=spf1 include:esp.example -all", []string{"203.0.113.0/25"}},
	}}
}

// mail is one message as it comes.
type mail struct {
	day                    int // days ago
	ip, from, sender, list string
	signers                []string // of signatures that pass
	aliased                bool     // the aligned signature's key lies at the vendor
	seals                  []seal   // of a chain that passes, the oldest first
	helo, unconfirmed      string
	modified               bool
	received               evidence.Hop
	names                  []string // of the address, which lead back to it
}

type seal struct{ domain, author, dmarc string }

// sealed is a seal of a domain whose results say this of an author.
func sealed(domain, author, dmarc string) seal {
	return seal{domain: domain, author: author, dmarc: dmarc}
}

func (w *world) send(by string, m mail) {
	ip := netip.MustParseAddr(m.ip)
	ev := evidence.Message{
		Schema: 1, QueueID: fmt.Sprintf("Q%d", len(w.records)), Time: today.AddDate(0, 0, -m.day).Add(time.Duration(w.rng.Intn(3600)) * time.Second),
		Client: evidence.Client{Peer: ip, HELO: m.helo}, MailFrom: "x@" + m.sender, MailFromDomain: m.sender,
		Recipients: []evidence.Recipient{{Address: "bob@here.example"}},
		From:       evidence.From{Fields: 1, Domains: []string{m.from}},
		Looked:     evidence.AllSections,
		ARC:        evidence.ARC{Result: evidence.None},
		Traces:     evidence.Traces{ListID: m.list, List: m.list != "", ARC: len(m.seals) > 0},
	}
	if m.received.By != "" {
		ev.Received = []evidence.Hop{m.received}
	}
	if m.names != nil {
		ev.IPRev = evidence.IPRev{Result: evidence.Pass, Names: m.names}
	}
	if m.unconfirmed != "" {
		ev.IPRev = evidence.IPRev{Result: evidence.Fail, Unconfirmed: []string{m.unconfirmed}}
	}
	p, known := w.spf[m.sender]
	check := &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: m.sender, Result: evidence.None, Record: p.record}
	if known {
		check.Result = evidence.Fail
		for _, n := range p.from {
			if netip.MustParsePrefix(n).Contains(ip) {
				check.Result, check.Mechanism, check.MechanismDomain = evidence.Pass, "ip4:"+n, m.sender
				if !strings.Contains(p.record, check.Mechanism) {
					check.MechanismDomain = "included.example"
				}
			}
		}
	}
	ev.SPF.MailFrom = check
	dm := evidence.DMARC{AuthorDomain: m.from, PolicyDomain: lastTwo(m.from), OrgDomain: lastTwo(m.from), Looked: evidence.SectionOrg, Existence: evidence.Exists,
		Policy: evidence.PolicyReject, PolicyTag: "p", Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}, Result: evidence.Fail, Discovery: evidence.TreeWalk}
	for i, d := range m.signers {
		s := evidence.Signature{Result: evidence.Pass, Domain: d, Selector: "s"}
		if lastTwo(d) == lastTwo(m.from) {
			dm.DKIMAligned, dm.AlignedDKIM = true, append(dm.AlignedDKIM, i)
			if m.aliased {
				s.KeyCNAMEs = []string{"s.own.dkim.vendor.example"}
			}
		}
		ev.DKIM = append(ev.DKIM, s)
	}
	dm.SPFAligned = check.Result == evidence.Pass && lastTwo(m.sender) == lastTwo(m.from)
	if dm.SPFAligned || dm.DKIMAligned {
		dm.Result = evidence.Pass
	}
	ev.DMARC = []evidence.DMARC{dm}
	w.seal(&ev, m)
	r := &record.Record{Evidence: ev}
	r.Verdict = policy.Decide(&r.Evidence, w.base.Rules)
	w.records, w.by = append(w.records, r), append(w.by, by)
}

func (w *world) seal(ev *evidence.Message, m mail) {
	if len(m.seals) == 0 {
		return
	}
	ev.ARC = evidence.ARC{Result: evidence.Pass, Instances: len(m.seals)}
	if m.modified {
		ev.ARC.OldestPass = len(m.seals)
	}
	for i, s := range m.seals {
		ev.ARC.Sets = append(ev.ARC.Sets, evidence.ARCSet{Instance: i + 1, SealDomain: s.domain, MessageDomain: s.domain, SealSelector: "a", SealCV: "pass",
			SealResult: evidence.Pass, MessageResult: evidence.Pass, AAR: &evidence.AuthResults{ServID: "mx." + s.domain, Results: []evidence.MethodResult{
				{Method: "dmarc", Result: s.dmarc, Properties: []evidence.Property{{Type: "header", Name: "from", Value: s.author}}}}}})
	}
}

// survey reads the planted mail as the command does.
func (w *world) survey() *Report {
	sorted := make([]int, len(w.records))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return w.records[a].Evidence.Time.Compare(w.records[b].Evidence.Time) })
	s := New(Options{Own: own, Organization: lastTwo, Now: today, Trust: w.trust, Rules: w.base.Rules, With: func(entry []byte) (*policy.Rules, error) {
		cfg, err := w.base.With(entry, today)
		if err != nil {
			w.t.Errorf("an entry is not valid: %v\n%s", err, entry)
			return nil, err
		}
		for _, warning := range cfg.Warnings {
			w.t.Errorf("an entry is warned of: %s\n%s", warning.Text, entry)
		}
		return cfg.Rules, nil
	}})
	for _, i := range sorted {
		s.Add(w.records[i])
	}
	if s.Prepare() {
		for _, i := range sorted {
			s.Measure(w.records[i])
		}
	}
	return s.Report()
}

// judge pastes all entries and tells whose mail each lets in.
func (w *world) judge(r *Report) (letIn map[string]int) {
	letIn = map[string]int{}
	for _, s := range r.Suggestions {
		cfg, err := w.base.With([]byte(s.Entry), today)
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.HasPrefix(s.Entry, "trusted_relays") {
			w.judgeRelay(s, letIn)
			continue
		}
		n := 0
		for i, r := range w.records {
			before, after := policy.Decide(&r.Evidence, w.base.Rules), policy.Decide(&r.Evidence, cfg.Rules)
			if severity(done(&after)) < severity(done(&before)) {
				n++
				letIn[w.by[i]]++
				if strings.HasPrefix(w.by[i], "attacker") {
					w.t.Errorf("%s is let in by\n%s%s", w.by[i], s.Entry, strings.Join(s.Because, "\n"))
				}
			}
		}
		if n != s.Effect.LetIn || s.Effect.Unproven != 0 {
			w.t.Errorf("the effect is said to be %+v, and %d messages are let in", s.Effect, n)
		}
	}
	return letIn
}

// judgeRelay lets the entry find the client, and SPF be checked for it.
func (w *world) judgeRelay(s *Suggestion, letIn map[string]int) {
	n := 0
	for i, r := range w.records {
		ev := r.Evidence
		if !strings.Contains(s.Entry, `"`+ev.Client.Peer.String()+`"`) || len(ev.Received) == 0 || ev.DMARC[0].DKIMAligned {
			continue
		}
		ev.Client.Original = ev.Received[0].Addr
		dm := ev.DMARC[0]
		dm.SPFAligned, dm.Result = false, evidence.Fail
		for _, network := range w.spf[ev.MailFromDomain].from {
			if netip.MustParsePrefix(network).Contains(ev.Client.Original) && lastTwo(ev.MailFromDomain) == lastTwo(dm.AuthorDomain) {
				dm.SPFAligned, dm.Result = true, evidence.Pass
			}
		}
		ev.DMARC = []evidence.DMARC{dm}
		if after := policy.Decide(&ev, w.base.Rules); severity(done(&after)) < severity(done(&r.Verdict)) {
			n++
			letIn[w.by[i]]++
			if strings.HasPrefix(w.by[i], "attacker") {
				w.t.Errorf("%s is let in by\n%s", w.by[i], s.Entry)
			}
		}
	}
	if n != s.Effect.LetIn {
		w.t.Errorf("the effect is said to be %+v, and %d messages are let in by\n%s", s.Effect, n, s.Entry)
	}
}

// days calls f for each of the last n days, the oldest first, times a day.
func days(n, times int, f func(day int)) {
	for day := n; day > 0; day-- {
		for range times {
			f(day)
		}
	}
}

func (w *world) pick(list ...string) string { return list[w.rng.Intn(len(list))] }

func (w *world) in(network string, hosts int) string {
	a := netip.MustParsePrefix(network).Addr().As4()
	a[3] += byte(1 + w.rng.Intn(hosts))
	return netip.AddrFrom4(a).String()
}

// Honest sources.

// office is the site's own mail, which shows its SPF record.
func (w *world) office() {
	days(20, 1, func(day int) {
		w.send("office", mail{day: day, ip: w.in("192.0.2.0/28", 3), from: "own.example", sender: "own.example", signers: []string{"own.example"}})
	})
}

// vendorBySPF sends some mail with MAIL FROM of the site, from the same addresses.
func (w *world) vendorBySPF(sender string) {
	days(15, 3, func(day int) {
		m := mail{day: day, ip: w.in("198.51.100.0/25", 4), from: "own.example", sender: sender, signers: []string{"vendor.example"}}
		if w.rng.Intn(3) == 0 {
			m.sender = "own.example"
		}
		w.send("vendor", m)
	})
}

// vendorOnOwnAddress is named nowhere in DNS of the site, but its addresses are.
func (w *world) vendorOnOwnAddress() {
	days(15, 3, func(day int) {
		m := mail{day: day, ip: w.in("172.16.5.0/28", 2), from: "own.example", sender: "letters.example", signers: []string{"letters.example"}}
		if w.rng.Intn(3) == 0 {
			m.sender = "own.example"
		}
		w.send("vendor", m)
	})
}

// vendorByDKIM signs some of its mail for the site as the site.
func (w *world) vendorByDKIM() {
	days(15, 3, func(day int) {
		m := mail{day: day, ip: w.in("198.51.100.0/25", 4), from: "own.example", sender: "b.vendor.example", signers: []string{"vendor.example"}}
		if w.rng.Intn(3) == 0 {
			m.signers = []string{"own.example", "vendor.example"}
		}
		w.send("vendor", m)
	})
}

// vendorAlone signs as itself only.
func (w *world) vendorAlone() {
	days(15, 3, func(day int) {
		w.send("vendor", mail{day: day, ip: w.in("198.51.100.0/25", 4), from: "own.example", sender: "b.vendor.example", signers: []string{"vendor.example"}})
	})
}

// tenants of a service that signs for all: one of them is the site.
func (w *world) tenants() {
	days(15, 2, func(day int) {
		w.send("tenant", mail{day: day, ip: w.in("203.0.113.0/25", 9), from: "own.example", sender: w.pick("t1.esp.example", "own.example"), signers: []string{"esp.example"}})
		w.send("tenant", mail{day: day, ip: w.in("203.0.113.0/25", 9), from: "shop.example", sender: "esp.example", signers: []string{"esp.example", "shop.example"}})
	})
}

func (w *world) list(id, signer, sender string) {
	days(15, 3, func(day int) {
		author := w.pick("own.example", "bank.example", "shop.example")
		w.send("list", mail{day: day, ip: w.in("100.64.1.0/28", 2), from: author, sender: sender, signers: []string{signer}, list: id})
		w.send("list", mail{day: day, ip: w.in("100.64.9.0/24", 2), from: "bank.example", sender: "bank.example", signers: []string{"bank.example"}})
	})
}

func (w *world) forwarder() {
	days(15, 3, func(day int) {
		author := w.pick("own.example", "bank.example", "shop.example")
		w.send("forwarder", mail{day: day, ip: w.in("100.64.2.0/28", 2), from: author, sender: "fwd.example", seals: []seal{sealed("fwd.example", author, "pass")}})
	})
}

// gateway brings what others send to the site, forgeries too, and writes who sent it.
func (w *world) gateway() {
	days(15, 3, func(day int) {
		from := func(ip string) evidence.Hop {
			return evidence.Hop{From: "x.example", By: "gw.own.example", Addr: netip.MustParseAddr(ip)}
		}
		m := mail{day: day, ip: "192.0.2.9", names: []string{"gw.own.example"}}
		for _, a := range []string{"a", "b", "c", "d", "e", "f"} {
			m := m
			m.from, m.sender, m.signers, m.received = a+".test", a+".test", []string{a + ".test"}, from("100.64.7.1")
			w.send("gateway", m)
		}
		m.from, m.sender, m.received = "bank.example", "bank.example", from(w.in("100.64.9.0/28", 9)) // not signed: SPF alone says who it is
		w.send("unsigned through the gateway", m)
		m.from, m.sender, m.received = w.pick("bank.example", "shop.example"), w.pick("bank.example", "shop.example", "evil.example"), from(w.evilIP())
		w.send("attacker through the gateway", m)
	})
}

// Attackers. evilIP is one of theirs, often in the network of somebody honest.
func (w *world) evilIP() string {
	return w.pick(w.in("11.1.1.0/24", 200), w.in("198.51.100.128/25", 100), w.in("203.0.113.128/25", 100), w.in("11.9.9.0/24", 2))
}

func (w *world) victim() string { return w.pick("own.example", "bank.example", "shop.example") }

// attackers by name; each tries what the others do not.
var attackers = map[string]func(*world){
	"own domain": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker own domain", mail{day: day, ip: w.in("11.1.1.0/24", 3), from: "own.example", sender: "evil.example", signers: []string{"evil.example"}})
		})
	},
	"same names": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker same names", mail{day: day, ip: w.evilIP(), from: "own.example", sender: "b.vendor.example", helo: "out.vendor.example", unconfirmed: "out.vendor.example", signers: []string{"evil.example"}})
		})
	},
	"sends on": func(w *world) { // genuine mail, with a signature beside it, and then forgeries
		days(20, 4, func(day int) {
			m := mail{day: day, ip: w.in("11.1.1.0/24", 3), from: "own.example", sender: "evil.example", signers: []string{"own.example", "evil.example"}, aliased: w.rng.Intn(2) == 0}
			if w.rng.Intn(2) == 0 {
				m.signers = m.signers[1:]
			}
			w.send("attacker sends on", m)
		})
	},
	"replay": func(w *world) { // what the vendor signed, once more
		days(20, 4, func(day int) {
			w.send("attacker replay", mail{day: day, ip: w.evilIP(), from: "own.example", sender: w.pick("evil.example", "b.vendor.example", "own.example"), signers: []string{"vendor.example"}})
		})
	},
	"tenant": func(w *world) { // a customer of the service that the site uses
		days(20, 4, func(day int) {
			w.send("attacker tenant", mail{day: day, ip: w.in("203.0.113.0/25", 9), from: "own.example", sender: w.pick("t2.esp.example", "esp.example", "evil.example"), signers: []string{"esp.example"}})
		})
	},
	"vendor's other customer": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker vendor's other customer", mail{day: day, ip: w.in("198.51.100.0/25", 4), from: "own.example", sender: "t9.vendor.example", signers: []string{"vendor.example"}})
		})
	},
	"sealer": func(w *world) {
		days(20, 4, func(day int) {
			a := w.victim()
			w.send("attacker sealer", mail{day: day, ip: w.evilIP(), from: a, sender: w.pick("evil.example", "fwd.example"), seals: []seal{sealed("evil.example", a, "pass")}})
		})
	},
	"sealer above": func(w *world) { // claims that the forwarder sealed before
		days(20, 4, func(day int) {
			a := w.victim()
			w.send("attacker sealer above", mail{day: day, ip: w.evilIP(), from: a, sender: "evil.example", seals: []seal{sealed("fwd.example", a, "pass"), sealed("evil.example", a, "pass")}})
		})
	},
	"through the forwarder": func(w *world) {
		days(20, 4, func(day int) {
			a := w.victim()
			w.send("attacker through the forwarder", mail{day: day, ip: w.in("100.64.2.0/28", 2), from: a, sender: "fwd.example", seals: []seal{sealed("fwd.example", a, "fail")}})
		})
	},
	"below a seal through the forwarder": func(w *world) {
		days(20, 4, func(day int) {
			a := w.victim()
			w.send("attacker below a seal through the forwarder", mail{day: day, ip: w.in("100.64.2.0/28", 2), from: a, sender: "fwd.example", seals: []seal{sealed("evil.example", a, "pass"), sealed("fwd.example", a, "fail")}})
		})
	},
	"replay of a seal": func(w *world) {
		days(20, 4, func(day int) {
			a := w.victim()
			w.send("attacker replay of a seal", mail{day: day, ip: w.evilIP(), from: a, sender: w.pick("evil.example", "fwd.example"), seals: []seal{sealed("fwd.example", a, "pass")}})
		})
	},
	"list": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker list", mail{day: day, ip: w.evilIP(), from: w.victim(), sender: w.pick("evil.example", "club.example"), signers: []string{"evil.example"}, list: "members.club.example"})
		})
	},
	"replay of a list": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker replay of a list", mail{day: day, ip: w.evilIP(), from: w.victim(), sender: w.pick("evil.example", "club.example"), signers: []string{"club.example"}, list: "members.club.example"})
		})
	},
	"neighbour": func(w *world) { // a host that the vendor's SPF covers, without its key
		days(20, 4, func(day int) {
			w.send("attacker neighbour", mail{day: day, ip: w.in("198.51.100.0/25", 100), from: "own.example", sender: "b.vendor.example", signers: []string{"evil.example"}})
		})
	},
	"neighbour with SPF": func(w *world) { // what he sends may pass; what fails must not come in
		days(20, 4, func(day int) {
			w.send("attacker neighbour with SPF", mail{day: day, ip: w.in("198.51.100.64/26", 2), from: "own.example", sender: w.pick("own.example", "evil.example"), signers: []string{"evil.example"}})
		})
	},
	"gateway": func(w *world) { // calls itself what the gateway is called
		days(20, 4, func(day int) {
			m := mail{day: day, ip: w.pick("11.9.9.1", "11.9.9.2"), from: "bank.example", sender: "bank.example", helo: "gw.own.example", unconfirmed: "gw.own.example"}
			m.received = evidence.Hop{From: "mail.bank.example", By: "gw.own.example", Addr: netip.MustParseAddr("100.64.9.1")}
			w.send("attacker gateway", m)
		})
	},
	"same host": func(w *world) { // a customer on the host that the site's SPF lists, which signs for all
		days(20, 4, func(day int) {
			w.send("attacker same host", mail{day: day, ip: w.in("172.16.5.0/28", 2), from: "own.example", sender: "evil.example", signers: []string{"letters.example", "evil.example"}})
		})
	},
	"one of many": func(w *world) {
		days(20, 4, func(day int) {
			w.send("attacker one of many", mail{day: day, ip: w.evilIP(), from: "own.example", sender: "evil.example"})
		})
	},
}

func (w *world) all(without ...string) {
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range attackers {
			if !slices.Contains(without, name) && !yield(name) {
				return
			}
		}
	}) {
		attackers[name](w)
	}
}

func TestHonestSourcesGetAnEntryAndAttackersNone(t *testing.T) {
	const other = "vendor's other customer" // who cannot be told from the site itself where the vendor lets him
	for _, c := range []struct {
		name    string
		trust   []string
		honest  func(*world)
		without []string
		want    []string // whose mail is let in
	}{
		{name: "nobody but attackers", honest: (*world).office},
		{name: "a vendor whose mail passes by SPF from the same addresses", honest: func(w *world) { w.vendorBySPF("b.vendor.example") }, without: []string{other}, want: []string{"vendor"}},
		{name: "a vendor on addresses that the site's own SPF record lists", honest: (*world).vendorOnOwnAddress, want: []string{"vendor"}},
		{name: "the same, with MAIL FROM of yet another domain", honest: func(w *world) { w.vendorBySPF("bounces.example") }, without: []string{other}},
		{name: "a vendor that DNS names and whose mail passes by DKIM", honest: func(w *world) { w.office(); w.vendorByDKIM() }, without: []string{other}, want: []string{"vendor"}},
		{name: "a vendor that nobody speaks for", honest: (*world).vendorAlone, without: []string{other}},
		{name: "a vendor that DNS names and none of whose mail passes", honest: func(w *world) { w.office(); w.vendorAlone() }, without: []string{other}},
		{name: "a vendor that DNS named and no longer does", honest: func(w *world) {
			w.office()
			w.vendorByDKIM()
			w.spf["own.example"] = published{record: "v=spf1 ip4:192.0.2.0/28 -all", from: []string{"192.0.2.0/28"}}
			w.send("office", mail{ip: "192.0.2.1", from: "own.example", sender: "own.example"})
		}, without: []string{other, "sends on"}},
		{name: "a vendor that the admin names", trust: []string{"vendor.example"}, honest: (*world).vendorAlone, without: []string{other}, want: []string{"vendor"}},
		{name: "a vendor that the admin names, with other customers", trust: []string{"vendor.example"}, honest: (*world).vendorAlone},
		{name: "a vendor with other customers", honest: func(w *world) { w.office(); w.vendorByDKIM() }},
		{name: "a service for many that DNS names", honest: func(w *world) { w.office(); w.tenants() }},
		{name: "a service for many that the admin names", trust: []string{"esp.example"}, honest: func(w *world) { w.office(); w.tenants() }},
		{name: "a list that the admin names", trust: []string{"members.club.example"}, honest: func(w *world) { w.list("members.club.example", "club.example", "club.example") }, want: []string{"list"}},
		{name: "a list that nobody speaks for", honest: func(w *world) { w.list("members.club.example", "club.example", "club.example") }},
		{name: "a forwarder that the admin names", trust: []string{"fwd.example"}, honest: (*world).forwarder, want: []string{"forwarder"}},
		{name: "a forwarder that nobody speaks for", honest: (*world).forwarder},
		{name: "a gateway of the site that the admin names", trust: []string{"gw.own.example"}, honest: (*world).gateway, want: []string{"unsigned through the gateway"}},
		{name: "a gateway that nobody names", honest: (*world).gateway},
		{name: "a name of the site without such a gateway", trust: []string{"gw.own.example"}, honest: (*world).office},
		{name: "all of them", trust: []string{"fwd.example", "members.club.example"}, honest: func(w *world) {
			w.office()
			w.vendorByDKIM()
			w.tenants()
			w.forwarder()
			w.list("members.club.example", "club.example", "club.example")
		}, without: []string{other}, want: []string{"forwarder", "list", "vendor"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range int64(4) {
				w := newWorld(t, seed, c.trust...)
				c.honest(w)
				w.all(c.without...)
				r := w.survey()
				letIn := w.judge(r)
				for _, who := range c.want {
					total, got := 0, letIn[who]
					for i := range w.by {
						if w.by[i] == who && severity(done(&w.records[i].Verdict)) > 0 {
							total++
						}
					}
					if got < total*2/3 || got == 0 {
						t.Errorf("%d of %d failing messages of %s are let in", got, total, who)
					}
				}
				if len(c.want) == 0 && len(r.Suggestions) > 0 {
					t.Errorf("suggested is %s", r.Suggestions[0].Entry)
				}
				for _, p := range r.Sources {
					if p.Fail > 0 && len(p.Suggestions) == 0 && p.NotSuggested == "" {
						t.Errorf("%s from %s: no word on why nothing is suggested", p.Author, p.Infrastructure)
					}
				}
			}
		})
	}
}

// invent sends what an attacker may come upon: any mixture of what is his and of what he
// got from others.
func (w *world) invent() {
	all := []string{"own.example", "vendor.example", "b.vendor.example", "esp.example", "t1.esp.example", "t2.esp.example", "club.example", "fwd.example", "evil.example", "bank.example", "shop.example", "news.evil.example"}
	captured := [][]string{nil, {"vendor.example"}, {"own.example", "vendor.example"}, {"own.example"}, {"club.example"}, {"esp.example"}, {"bank.example"}, {"evil.example"}}
	var m mail
	again := func() { // another habit
		m = mail{ip: w.evilIP(), from: w.victim(), sender: w.pick(all...), helo: w.pick(all...), unconfirmed: w.pick(append(all, "")...), list: w.pick("", "members.club.example", "evil.example")}
		m.signers = slices.Clone(captured[w.rng.Intn(len(captured))])
		if w.rng.Intn(2) == 0 {
			m.signers = append(m.signers, w.pick("evil.example", "news.evil.example", "vendor-example.evil.example"))
		}
		if w.rng.Intn(3) == 0 {
			m.seals = append(m.seals, sealed(w.pick("fwd.example", "evil.example"), w.victim(), w.pick("pass", "fail")))
		}
		if w.rng.Intn(4) == 0 {
			m.seals = append(m.seals, sealed("evil.example", m.from, "pass"))
		}
		switch w.rng.Intn(8) {
		case 0: // as a customer of the service
			m.ip, m.sender, m.signers, m.seals = w.in("203.0.113.0/25", 9), w.pick("t2.esp.example", "esp.example", "evil.example"), []string{"esp.example"}, nil
		case 1: // on a host beside the vendor's
			m.ip, m.signers, m.seals = w.in("198.51.100.64/26", 9), []string{"evil.example"}, nil
		case 2: // through the forwarder, which tells the truth
			m.ip, m.sender, m.signers, m.seals = w.in("100.64.2.0/28", 2), "fwd.example", nil, []seal{sealed("fwd.example", m.from, "fail")}
		}
	}
	again()
	days(1+w.rng.Intn(25), 1+w.rng.Intn(5), func(day int) {
		if w.rng.Intn(6) == 0 {
			again()
		}
		m := m
		m.day = day
		w.send("attacker", m)
	})
}

// inventedWorlds is how many are looked at; more were by hand.
const inventedWorlds = 60

func TestNoInventedAttackerIsLetIn(t *testing.T) {
	suggested := 0
	for seed := range int64(inventedWorlds) {
		rng := rand.New(rand.NewSource(seed))
		var trust []string
		for _, d := range []string{"vendor.example", "club.example", "members.club.example", "fwd.example", "esp.example", "gw.own.example"} {
			if rng.Intn(2) == 0 {
				trust = append(trust, d)
			}
		}
		w := newWorld(t, seed, trust...)
		if slices.Contains(trust, "esp.example") { // who names a service that nobody else is seen to use has no sign of its customers
			w.tenants()
		}
		for _, honest := range []func(){w.office, w.gateway, func() { w.vendorBySPF(w.pick("b.vendor.example", "vendor.example")) }, w.vendorByDKIM, w.vendorAlone, w.vendorOnOwnAddress, w.tenants, w.forwarder,
			func() { w.list("members.club.example", "club.example", "club.example") }} {
			if rng.Intn(2) == 0 {
				honest()
			}
		}
		for _, name := range []string{"own domain", "sends on", "replay", "sealer", "replay of a seal", "list", "replay of a list", "neighbour", "neighbour with SPF", "gateway", "same host", "tenant"} {
			if rng.Intn(4) == 0 {
				attackers[name](w)
			}
		}
		for range 1 + rng.Intn(4) {
			w.invent()
		}
		r := w.survey()
		w.judge(r)
		if suggested += len(r.Suggestions); t.Failed() {
			t.Fatalf("in world %d, with %v trusted", seed, trust)
		}
	}
	if suggested < inventedWorlds/10 {
		t.Errorf("only %d suggestions", suggested)
	}
}
