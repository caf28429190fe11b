// Package verify runs one message through all the checks, fed as a stream, and
// gives the evidence.
//
// SPF starts at MAIL FROM, DKIM keys, ARC keys and the DMARC records are asked
// at the end of the header while the body is still coming, and the body is
// hashed as it comes and never held. Behind a trusted relay the client is
// known only after the header, so SPF and iprev start there.
//
// A check whose DNS answers are known already runs in the caller's goroutine,
// any other one in its own.
//
// Nothing here fails a message: what DNS or the sender did wrong is evidence.
// A panic in one of the checks is raised in the caller's goroutine, at the
// latest in Finish, as the caller answers for the message.
package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/internal/owned"
	"alignd/resolver"
	"alignd/verify/arc"
	"alignd/verify/dkim"
	"alignd/verify/dmarc"
	"alignd/verify/iprev"
	"alignd/verify/relay"
	"alignd/verify/spf"
)

// Options say how to verify. They are read only once a Message has begun.
type Options struct {
	DKIM dkim.Options
	SPF  spf.Limits
	// IgnoreWideSPF: a pass that matches about everybody (SPFCheck.Wide) is no
	// identifier for DMARC. The result stays in the evidence.
	IgnoreWideSPF bool
	DMARC         dmarc.Options
	// Needs are the facts that cost questions of their own and that a rule looks
	// at; no others are asked for. Those of DMARC.Needs are not read.
	Needs evidence.Needs
	// Relays are trusted to tell the original client; nil for none.
	Relays *relay.Options
	// MaxFromDomains limits the Author Domains evaluated of one message.
	// Zero means header.MaxAuthorDomains.
	MaxFromDomains int
	// Timeout is the time from end of body to the evidence; zero means 20 s,
	// what RFC 7208 section 4.6.4 wants SPF to be given at least.
	Timeout time.Duration
	// Budget limits the DNS questions of one message.
	Budget resolver.BudgetOptions
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// defaultTimeout is ours: below the 30 s that Postfix waits for a command and
// not below the 20 s of RFC 7208 section 4.6.4.
const defaultTimeout = 20 * time.Second

// Message is one message on its way through the checks. It is used by one
// goroutine; calls come in the order of the milter events.
type Message struct {
	opt    *Options
	parent context.Context
	ctx    context.Context // ends before parent when time is up
	cancel context.CancelFunc
	env    Envelope
	budget *resolver.Budget
	work   owned.Group

	fields header.Fields
	body   dkim.Body
	size   int64
	ended  bool // the header has ended
	whole  bool // Finish came to its end, so the memory is in order

	ev   evidence.Message
	dkim *dkim.Verification
	arc  *arc.Validation
	// dmarc has one evaluation for each Author Domain.
	dmarc []*dmarc.Evaluation
}

var pool = sync.Pool{New: func() any { return new(Message) }}

// Begin starts verification at MAIL FROM. The caller must call Release.
func Begin(ctx context.Context, lk resolver.Lookuper, opt *Options, env Envelope) *Message {
	m := pool.Get().(*Message)
	m.opt, m.parent, m.env = opt, ctx, env
	m.ctx, m.cancel = context.WithCancel(ctx)
	m.budget = m.newBudget(lk)
	m.ev = env.Evidence(m.now())
	if !env.Unchecked && !m.behindRelay() {
		m.startClientChecks()
	}
	return m
}

func (m *Message) now() time.Time {
	if m.opt.Now != nil {
		return m.opt.Now()
	}
	return time.Now()
}

func (m *Message) behindRelay() bool {
	return m.opt.Relays.Trusts(m.ev.Client.Peer)
}

// startClientChecks starts what needs the client's address: both SPF
// identities (RFC 7208 section 2.3 recommends HELO too) and iprev.
func (m *Message) startClientChecks() {
	client := m.ev.Client
	check := spf.Check{
		IP: client.IP(), HELO: client.HELOName(), MailFrom: m.ev.MailFrom,
		Receiver: m.env.MTA, Now: m.ev.Time, Limits: m.opt.SPF,
	}
	if check.MailFrom == "" { // RFC 7208 section 2.4: postmaster@HELO
		m.spf(check, spf.MailFrom, m.ownOfSPF(), &m.ev.SPF.HELO)
	} else {
		m.spf(check, spf.MailFrom, m.ownOfSPF(), &m.ev.SPF.MailFrom)
		m.spf(check, spf.HELO, ownOfHELO, &m.ev.SPF.HELO)
	}
	if m.opt.Needs.IPRev {
		m.work.Go(func() { m.ev.IPRev = iprev.Check(m.ctx, m.budget, client.IP()) })
	}
}

type spfCheck func(context.Context, resolver.Lookuper, spf.Check) evidence.SPFCheck

// spf checks one identity, on the side if it has to wait for answers.
func (m *Message) spf(check spf.Check, identity spfCheck, own resolver.Own, out **evidence.SPFCheck) {
	lane := m.budget.Lane(own)
	ready := resolver.NewReady(lane)
	limit := check.Limits.Timeout
	check.Limits.Timeout = -1 // it does not wait
	res := identity(m.ctx, ready, check)
	if ready.Complete() {
		lane.Done()
		*out = &res
		return
	}
	check.Limits.Timeout = limit
	m.spfAside(lane, check, identity, out)
}

func (m *Message) spfAside(lane *resolver.Lane, check spf.Check, identity spfCheck, out **evidence.SPFCheck) {
	m.work.Go(func() {
		defer lane.Done()
		res := identity(m.ctx, lane, check)
		*out = &res
	})
}

// Header adds a field; value is what follows the colon, as received.
func (m *Message) Header(name, value []byte) { m.fields.Add(name, value) }

// Fields is the header as received so far.
func (m *Message) Fields() *header.Fields { return &m.fields }

// Checked reports whether the message is checked; see Envelope.Unchecked.
func (m *Message) Checked() bool { return !m.env.Unchecked }

// BodyHash is the SHA-256 of the body, of a canonical form where a signature asked
// for one. Header and body alone decide which, so it is the same on each try. It is
// for after Finish.
func (m *Message) BodyHash() [sha256.Size]byte { return m.body.Sum() }

// EndOfHeader starts the checks that need the header. It does not wait.
func (m *Message) EndOfHeader() {
	m.ended = true
	m.ev.From = header.AuthorDomains(&m.fields, m.maxFromDomains())
	m.ev.Traces = header.TraceMarks(&m.fields)
	m.ev.MessageID = header.MessageID(&m.fields)
	m.ev.Received = relay.Chain(&m.fields, evidence.MaxHops)
	m.ev.Looked |= evidence.SectionFrom | evidence.SectionTraces | evidence.SectionReceived
	if m.env.Unchecked {
		return
	}
	if m.behindRelay() {
		m.ev.Client = m.opt.Relays.Find(m.ev.Client, m.ev.Received)
		m.startClientChecks()
	}
	policies := m.opt.DMARC
	policies.Needs = m.opt.Needs
	for _, d := range m.ev.From.Domains {
		// What a sender adds, other Author Domains too, cannot use this share up.
		m.dmarc = append(m.dmarc, dmarc.Start(m.ctx, m.budget.Reserve(), d, policies))
	}
	opt := m.opt.DKIM
	opt.AuthorDomains = m.ev.From.Domains
	opt.Now = m.ev.Time
	opt.LeadingSpaceLost = m.env.LeadingSpaceLost
	keys, chain := m.budget.Lane(m.ownOfKeys()), m.budget.Lane(ownOfChain)
	m.budget.Unhold()
	m.dkim = dkim.Start(m.ctx, &m.fields, &m.body, keys, opt)
	m.arc = arc.Start(m.ctx, &m.fields, &m.body, chain, opt)
}

// HeaderUnread stands for EndOfHeader, and for all of Header, where the header
// section is too large to be read: what needs it is not checked.
func (m *Message) HeaderUnread() {
	m.ended = true
	m.ev.From = evidence.From{Problem: evidence.FromUnread, Detail: "the header section is over the limit and was not read"}
}

func (m *Message) maxFromDomains() int {
	if m.opt.MaxFromDomains > 0 {
		return m.opt.MaxFromDomains
	}
	return header.MaxAuthorDomains
}

// Body takes the next octets of the body, CRLF line ends as on the wire.
func (m *Message) Body(p []byte) {
	if m.size += int64(len(p)); !m.env.Unchecked {
		m.body.Write(p)
	}
}

// Finish waits for the checks and returns the evidence, which stays valid
// after Release. Look-ups that are not answered within Options.Timeout, or
// before ctx ends, are temporary errors.
func (m *Message) Finish(ctx context.Context) *evidence.Message {
	if !m.ended {
		m.EndOfHeader()
	}
	timeout := m.opt.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	timer := time.AfterFunc(timeout, m.cancel)
	defer timer.Stop()
	if ctx != m.parent {
		defer context.AfterFunc(ctx, m.cancel)()
	}

	if m.dkim != nil { // the header was read
		m.ev.DKIM, m.ev.DKIMSkipped = m.dkim.Finish(m.ctx)
		m.ev.ARC = m.arc.Finish(m.ctx)
		m.ev.Looked |= evidence.SectionDKIM
	}
	m.work.Wait()
	ids := dmarc.Identifiers{SPF: m.ev.ReportedSPF(), DKIM: m.ev.DKIM}
	if m.opt.IgnoreWideSPF && ids.SPF != nil && ids.SPF.Wide {
		ids.SPF = nil
	}
	for i, d := range m.dmarc {
		ids.Authors = m.ev.From.Behind(m.ev.From.Domains[i])
		m.ev.DMARC = append(m.ev.DMARC, d.Finish(m.ctx, ids))
	}
	if m.dkim != nil {
		m.ev.Looked |= evidence.SectionDMARC
	}
	m.end()
	ev := m.ev
	m.whole = true
	return &ev
}

// end completes the evidence with what is counted.
func (m *Message) end() {
	if n := m.budget.Refused(); n > 0 {
		m.ev.Problems = append(m.ev.Problems, fmt.Sprintf(evidence.BudgetSpent+", questions refused: %d", n))
	}
	for _, f := range m.budget.Failures(evidence.MaxFailed) {
		m.ev.Failed = append(m.ev.Failed, evidence.FailedQuestion(f))
	}
	m.measure(&m.ev)
}

// measure notes size and time of the message so far. A CRLF ends each field, and the
// header.
func (m *Message) measure(ev *evidence.Message) {
	ev.Size = m.size + int64(m.fields.Size()) + 2*int64(m.fields.Len()+1)
	ev.Elapsed = m.now().Sub(ev.Time)
}

// Cancel ends the checks early; their questions are temporary errors. GiveUp or
// Release has to follow.
func (m *Message) Cancel() { m.cancel() }

// GiveUp ends the checks of a message that is not to be judged any more and returns
// what is known of it by then. Sections whose check did not come to its end are not
// looked at.
func (m *Message) GiveUp() *evidence.Message {
	m.cancel()
	m.work.Settle()
	ev := m.ev
	ev.SPF, ev.IPRev = evidence.SPF{}, evidence.IPRev{}
	m.measure(&ev)
	return &ev
}

// Questions lists the DNS questions asked so far, each with its time if Options.Budget is
// Timed.
func (m *Message) Questions() []resolver.Question { return m.budget.Questions() }

// Release ends all work for the message and keeps its memory for another one.
func (m *Message) Release() {
	m.cancel()
	m.work.Settle()
	if m.dkim != nil {
		m.dkim.Close()
	}
	if m.arc != nil {
		m.arc.Close()
	}
	for _, d := range m.dmarc {
		d.Abandon()
	}
	if !m.whole { // aborted, or a check panicked: leave it to the collector
		return
	}
	clear(m.dmarc)
	m.fields.Reset()
	m.body.Reset()
	*m = Message{fields: m.fields, body: m.body, dmarc: m.dmarc[:0]}
	pool.Put(m)
}

// ClientIP parses an address for an Envelope, also in the form of an address
// literal (RFC 5321 section 4.1.3); IPv4-mapped addresses become IPv4, as RFC 7208
// section 5 wants them treated.
func ClientIP(s string) (netip.Addr, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "["), "]")
	if len(bare) > 5 && strings.EqualFold(bare[:5], "IPv6:") {
		bare = bare[5:]
	}
	ip, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.Addr{}, err
	}
	return ip.Unmap().WithZone(""), nil
}
