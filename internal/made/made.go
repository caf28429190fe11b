// Package made makes records like those of real mail, as many as are asked for and the
// same each time: for tests and measurements of what keeps and reads them. A record
// holds what the checks find of a plain message, and the verdict that policy gives it.
package made

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// World is where messages come from. Its records are the same for the same fields. It
// is safe for concurrent use.
type World struct {
	// Seed makes another world of the same kind.
	Seed uint64
	// Domains is how many Author Domains write; 0 is 20,000. A few write much, most little.
	Domains int
	// Begin is the time of message 0; zero is noon of 27 November 2026, UTC.
	Begin time.Time
	// Step is the time from one message to the next; 0 is 10 ms.
	Step time.Duration
	// Rules judge; nil are policy's defaults.
	Rules *policy.Rules
}

// kind is what a message is like. The shares are those of the mail that
// docs/performance.md measures with.
type kind int

const (
	plain       kind = iota // signed by the author, sent by its own server or a provider
	providers               // signed by the author and the provider, envelope at the provider
	twice                   // signed by the author with two algorithms
	unsigned                // SPF only
	forged                  // neither
	forgedOther             // signed by another domain
	listed                  // through a list that changed nothing, sealed
	listedBroke             // through a list that changed it, sealed
)

var shares = []struct {
	kind  kind
	share float64
}{
	{plain, 0.45}, {providers, 0.20}, {twice, 0.07}, {unsigned, 0.08}, {forged, 0.05}, {forgedOther, 0.05},
	{listed, 0.06}, {listedBroke, 0.04},
}

// making is one message while it is made.
type making struct {
	world  *World
	rand   *rand.Rand
	kind   kind
	author int // number of the Author Domain, 0 writes most
	domain string
	record *record.Record
}

var defaultRules = policy.Defaults()

// Record is that of message i, from 0.
func (w *World) Record(i int) *record.Record {
	m := making{world: w, rand: rand.New(rand.NewPCG(w.Seed, uint64(i)))}
	at := m.rand.Float64()
	for _, s := range shares {
		if m.kind = s.kind; at < s.share {
			break
		}
		at -= s.share
	}
	domains := w.Domains
	if domains == 0 {
		domains = 20_000
	}
	// As 1/rank, about: the first of 20,000 writes 7 % of the mail.
	m.author = int(math.Pow(float64(domains+1), m.rand.Float64())) - 1
	m.domain = DomainOf(m.author)
	m.record = &record.Record{}
	m.envelope(i)
	m.header()
	m.dmarc()
	m.judge()
	return m.record
}

// DomainOf is an Author Domain by its number, 0 being the one that writes most.
func DomainOf(author int) string { return fmt.Sprintf("author%05d-company.example", author) }

func (m *making) begin(i int) time.Time {
	begin, step := m.world.Begin, m.world.Step
	if begin.IsZero() {
		begin = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	}
	if step == 0 {
		step = 10 * time.Millisecond
	}
	return begin.Add(time.Duration(i) * step)
}

// envelope is what the client says before the content.
func (m *making) envelope(i int) {
	ev := &m.record.Evidence
	ip, host := m.client()
	ev.Schema = evidence.SchemaVersion
	ev.Token = token(m.rand)
	ev.QueueID = fmt.Sprintf("4Q%09X", i)
	ev.Time = m.begin(i)
	ev.MTA = "mx.example.net"
	ev.Client = evidence.Client{Peer: ip, PeerName: host, Port: uint16(1024 + m.rand.IntN(60000)), HELO: host}
	ev.Looked = evidence.SectionFrom | evidence.SectionTraces | evidence.SectionReceived | evidence.SectionDKIM | evidence.SectionDMARC
	size := int64(3000 * math.Exp(3*m.rand.Float64()))
	ev.Size, ev.MailArgs = size, []string{fmt.Sprintf("SIZE=%d", size)}
	ev.MailFromDomain = m.domain
	switch m.kind {
	case providers:
		ev.MailFromDomain = fmt.Sprintf("esp%d-provider.example", m.author%5)
	case listed, listedBroke:
		ev.MailFromDomain = fmt.Sprintf("list%d-project.example", m.author%8)
	}
	ev.MailFrom = fmt.Sprintf("sender%d@%s", m.rand.IntN(40), ev.MailFromDomain)
	ev.Recipients = []evidence.Recipient{{Address: fmt.Sprintf("user%d@mx.example.net", m.rand.IntN(500))}}
	result := evidence.Pass
	if m.kind == forged || m.kind == forgedOther {
		result = []evidence.Result{evidence.Fail, evidence.SoftFail}[m.rand.IntN(2)]
	}
	ev.SPF = evidence.SPF{
		MailFrom: &evidence.SPFCheck{
			Identity: evidence.MailFromIdentity, Domain: ev.MailFromDomain, Result: result,
			Mechanism: "ip4:" + ip.String(), MechanismDomain: ev.MailFromDomain,
			Record:  "v=spf1 ip4:" + ip.String() + " include:_spf." + ev.MailFromDomain + " ~all",
			Path:    []evidence.SPFTerm{{Domain: ev.MailFromDomain, Number: 1, Term: "ip4:" + ip.String()}},
			Lookups: 1,
		},
		HELO: &evidence.SPFCheck{Identity: evidence.HELOIdentity, Domain: host, Result: evidence.None, Reason: "no SPF record"},
	}
}

// client is the host that hands the message over. Providers have a /24 each and much of
// the mail; authors have a server each; who forges has some hundred.
func (m *making) client() (netip.Addr, string) {
	switch m.kind {
	case forged, forgedOther:
		n := m.rand.IntN(300)
		return netip.AddrFrom4([4]byte{198, 18, byte(n >> 4), byte(n)}), fmt.Sprintf("host%d.attacker%d.example", n, n%12)
	case listed, listedBroke:
		n := m.author % 8
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), fmt.Sprintf("mail.list%d-project.example", n)
	}
	if m.author%3 != 0 && m.kind != providers {
		return netip.AddrFrom4([4]byte{10, byte(m.author >> 16), byte(m.author >> 8), byte(m.author)}), "mail." + m.domain
	}
	n := m.rand.IntN(200)
	return netip.AddrFrom4([4]byte{192, 0, byte(m.author % 5), byte(n)}), fmt.Sprintf("mta%02d.esp%d-provider.example", n, m.author%5)
}

// header is what the content shows.
func (m *making) header() {
	ev := &m.record.Evidence
	ev.From = evidence.From{Fields: 1, Domains: []string{m.domain}}
	ev.Traces = evidence.Traces{List: m.kind == listed || m.kind == listedBroke, ARC: m.kind == listed || m.kind == listedBroke, Received: 1}
	ev.Received = []evidence.Hop{{
		From: fmt.Sprintf("app%x.internal.%s", m.rand.IntN(256), m.domain),
		Addr: netip.AddrFrom4([4]byte{10, 200, byte(m.rand.Uint32()), byte(m.rand.Uint32())}),
		By:   ev.Client.PeerName, With: "smtp", Time: ev.Time.Truncate(time.Second).Add(-2 * time.Second),
	}}
	ev.MessageID = fmt.Sprintf("<%08x.%012x@%s>", m.rand.Uint32(), m.rand.Uint64()>>16, m.domain)
	for i := range 4 {
		binary.LittleEndian.PutUint64(ev.Key[8*i:], m.rand.Uint64())
	}
	ev.Sample = m.rand.IntN(100)
	ev.Elapsed = time.Duration(80_000 + m.rand.IntN(100_000))
	ev.ARC.Result = evidence.None
	switch m.kind {
	case plain, listed:
		ev.DKIM = []evidence.Signature{m.signature(m.domain, "rsa-sha256")}
	case providers:
		ev.DKIM = []evidence.Signature{m.signature(ev.MailFromDomain, "rsa-sha256"), m.signature(m.domain, "rsa-sha256")}
	case twice:
		ev.DKIM = []evidence.Signature{m.signature(m.domain, "rsa-sha256"), m.signature(m.domain, "ed25519-sha256")}
	case forgedOther:
		ev.DKIM = []evidence.Signature{m.signature(fmt.Sprintf("attacker%d.example", m.rand.IntN(12)), "rsa-sha256")}
	case listedBroke:
		s := m.signature(m.domain, "rsa-sha256")
		s.Result, s.Reason, s.FailedOn = evidence.Fail, "the signature does not match the signed header fields", evidence.FailedHeader
		ev.DKIM = []evidence.Signature{s}
	}
	if m.kind == listed || m.kind == listedBroke {
		m.seals()
	}
}

func (m *making) signature(domain, algorithm string) evidence.Signature {
	s := evidence.Signature{
		Result: evidence.Pass, Domain: domain, Selector: "s2026", Identity: "@" + domain, Algorithm: algorithm,
		HeaderCanon: "relaxed", BodyCanon: "relaxed",
		SignedHeaders: []string{"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to", "list-unsubscribe", "list-unsubscribe-post"},
		Signed:        m.record.Evidence.Time.Truncate(time.Second).Add(-5 * time.Second), Length: -1, KeyBits: 2048,
	}
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], m.rand.Uint64())
	binary.LittleEndian.PutUint32(b[8:], m.rand.Uint32())
	s.B = base64.StdEncoding.EncodeToString(b[:])
	key := rand.New(rand.NewPCG(uint64(len(algorithm)), hash(domain)))
	for i := range 4 {
		binary.LittleEndian.PutUint64(s.KeyHash[8*i:], key.Uint64())
	}
	return s
}

// seals are two ARC Sets.
func (m *making) seals() {
	arc := &m.record.Evidence.ARC
	arc.Result, arc.Instances = evidence.Pass, 2
	for i := range 2 {
		by := fmt.Sprintf("list%d-project.example", m.author%8)
		cv := "pass"
		if i == 0 {
			by, cv = "relay."+m.domain, "none"
		}
		arc.Sets = append(arc.Sets, evidence.ARCSet{
			Instance: i + 1, SealDomain: by, SealSelector: "arc", SealCV: cv, SealResult: evidence.Pass,
			MessageDomain: by, MessageSelector: "arc", MessageResult: evidence.Pass,
			AAR: &evidence.AuthResults{ServID: "mx." + by, Results: []evidence.MethodResult{
				{Method: "spf", Result: "pass", Properties: []evidence.Property{{Type: "smtp", Name: "mailfrom", Value: m.domain}}},
				{Method: "dkim", Result: "pass", Properties: []evidence.Property{{Type: "header", Name: "d", Value: m.domain}}},
				{Method: "dmarc", Result: "pass", Properties: []evidence.Property{{Type: "header", Name: "from", Value: m.domain}}},
			}},
		})
	}
}

// dmarc is what follows for the Author Domain.
func (m *making) dmarc() {
	ev := &m.record.Evidence
	policies := []evidence.DMARCPolicy{evidence.PolicyNone, evidence.PolicyQuarantine, evidence.PolicyReject}
	p := policies[m.author%3]
	d := evidence.DMARC{
		AuthorDomain: m.domain, Result: evidence.Fail, Discovery: evidence.TreeWalk, PolicyDomain: m.domain,
		TTL: time.Hour, Existence: evidence.Exists, Looked: evidence.SectionExistence,
		Published: evidence.DMARCRecord{
			Text: fmt.Sprintf("v=DMARC1; p=%s; rua=mailto:dmarc@%s; adkim=r; aspf=r", p, m.domain),
			P:    p, Pct: 100, PSD: "u", FailureOpts: "0", RUA: []string{"mailto:dmarc@" + m.domain},
		},
		Policy: p, PolicyTag: "p",
	}
	d.SPFAligned = ev.SPF.MailFrom.Result == evidence.Pass && ev.MailFromDomain == m.domain
	for i := range ev.DKIM {
		if ev.DKIM[i].Result == evidence.Pass && ev.DKIM[i].Domain == m.domain {
			d.DKIMAligned, d.AlignedDKIM = true, append(d.AlignedDKIM, i)
		}
	}
	if d.SPFAligned || d.DKIMAligned {
		d.Result = evidence.Pass
	}
	ev.DMARC = []evidence.DMARC{d}
}

// judge is the verdict and what became of it.
func (m *making) judge() {
	r, rules := m.record, m.world.Rules
	if rules == nil {
		rules = defaultRules
	}
	r.Verdict = policy.Decide(&r.Evidence, rules)
	r.Outcome = record.Outcome{
		End: record.EndAnswered, AuthservID: "mx.example.net", Reply: r.Verdict.Reply, Delivered: r.Verdict.Disposition != policy.DispositionReject,
		Receiving: time.Duration(50_000 + m.rand.IntN(200_000)), Checking: time.Duration(10_000 + m.rand.IntN(40_000)),
	}
	r.Basis = record.Basis{Program: "alignd 0.1.0", Options: record.Options{
		Discovery: evidence.TreeWalk, PSLGuard: true, MaxSignatures: 10, MaxFromDomains: 4, MinLengthPercent: 50, ClockSkew: 5 * time.Minute,
		SPFTimeout: 20 * time.Second, SPFVoids: 2, MaxQueries: 150, Timeout: 20 * time.Second, LeadingSpace: true,
	}}
	r.Basis.Config[0] = 1
}

// token is sixteen characters, as alignd names a message with.
func token(r *rand.Rand) string {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [16]byte
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b[:])
}

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
