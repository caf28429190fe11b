package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/header"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
	"alignd/verify"
	"alignd/verify/dmarc"
	"alignd/web"
)

// engine judges the mail of the world.
type engine struct {
	world      *world
	zone       *resolver.Zone
	begin, end time.Time
	n          int
	settings   [2]*judge.Settings
}

func addUser(path, name string) error { return web.SetPassword(path, name, password) }

// settings judge as the daemon would by cfg, where it has the defaults of verification.
func settings(cfg *config.Config) *judge.Settings {
	opt := verify.Options{DMARC: dmarc.Options{Discovery: evidence.TreeWalk, PSLGuard: true}, Needs: cfg.Needs(), MaxFromDomains: cfg.From.MaxDomains,
		Budget: resolver.BudgetOptions{MaxQueries: cfg.DNS.MaxQueries}}
	return &judge.Settings{Rules: cfg.Rules, Verify: opt, AuthservID: "mx.example.net", Strip: judge.Strip(cfg.Strip), TagName: cfg.Tag.Name, SamplingSecret: []byte("demo"),
		Basis: record.Basis{Program: "alignd demo", Config: cfg.Hash(), Options: record.Options{Discovery: evidence.TreeWalk, PSLGuard: true,
			MaxSignatures: cfg.DKIM.MaxSignatures, MaxFromDomains: cfg.From.MaxDomains, MinLengthPercent: cfg.DKIM.MinLengthPercent, ClockSkew: cfg.DKIM.ClockSkew.Duration,
			SPFTimeout: cfg.SPF.Timeout.Duration, SPFVoids: cfg.SPF.MaxVoidLookups, MaxQueries: cfg.DNS.MaxQueries, Timeout: cfg.Limits.MessageTimeout.Duration, LeadingSpace: true, Needs: cfg.Needs()}}}
}

// at is when message i comes: at night a third of what comes at noon.
func (e *engine) at(i int) time.Time {
	t := e.begin.Add(time.Duration(float64(e.end.Sub(e.begin)) * float64(i) / float64(e.n)))
	const day = 24 * time.Hour
	part := float64(t.Sub(t.Truncate(day))) / float64(day)
	moved := part + 0.5/(2*math.Pi)*math.Sin(2*math.Pi*part)
	if t = t.Truncate(day).Add(time.Duration(moved * float64(day))); t.After(e.end) {
		return e.end.Add(-time.Duration(e.n-i) * time.Millisecond)
	}
	return t
}

func (e *engine) batch(from, to int) (list []journal.Raw) {
	for i := from; i < to; i++ {
		r := e.message(i)
		list = append(list, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	return list
}

// message is written, sent on its way and judged.
func (e *engine) message(i int) *record.Record {
	r := rand.New(rand.NewPCG(7, uint64(i)))
	now := e.at(i)
	day := int(now.Sub(e.begin).Hours() / 24)
	s := e.settings[0]
	if day >= days-3 {
		s = e.settings[1]
	}
	m := &mail{rand: r, to: fmt.Sprintf("user%02d@example.net", r.IntN(40))}
	e.world.pick(r, day).make(e.world, m)
	opt := s.Verify
	opt.Now = func() time.Time { return now }
	ctx := context.Background()
	v := verify.Begin(ctx, e.zone, &opt, verify.Envelope{MTA: "mx.example.net", Token: token(r), MailFrom: m.from,
		Client: evidence.Client{Peer: netip.MustParseAddr(m.client), PeerName: m.host, HELO: m.host, Port: uint16(20000 + r.IntN(40000))}})
	defer v.Release()
	v.Recipient(m.to)
	v.QueueID(fmt.Sprintf("4D%08X", i))
	fields, body := m.written(i, now)
	for k := range fields.Len() {
		f := fields.At(k)
		v.Header(f.Name(), f.Value())
	}
	v.EndOfHeader()
	v.Body(body)
	ev := v.Finish(ctx)
	j := s.Judge(ev, v, s.MarksOf(ev.MTA, v.Fields()), nil)
	return &record.Record{Evidence: *j.Evidence, Verdict: j.Verdict, Basis: s.Basis, Outcome: record.Outcome{
		End: record.EndAnswered, Reply: j.Verdict.Reply, Delivered: j.Verdict.Delivery != policy.Refuse && j.Verdict.Delivery != policy.DeliverDefer,
		AuthservID: "mx.example.net", Deleted: j.Deleted(), Receiving: time.Duration(r.IntN(900)) * time.Millisecond, Checking: time.Duration(1+r.IntN(60)) * time.Millisecond}}
}

// written is the message as it arrives.
func (m *mail) written(i int, now time.Time) (*header.Fields, []byte) {
	head := []string{"From: <" + m.author + ">", "To: <" + m.to + ">", "Subject: " + m.subject, "Date: " + now.Add(-3*time.Second).Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <%d.%x@%s>", i, m.rand.Uint32(), m.host)}
	body := fmt.Sprintf("Hello,\r\n\r\nthis is message %d.\r\n", i)
	var signatures []string
	for _, s := range m.signers {
		signatures = append(signatures, s.sign(head, body, now.Add(-3*time.Second)))
	}
	if m.broken {
		body += "\r\n-- \r\nTo leave the list, write to talk-leave@lists.example\r\n"
	}
	fields := new(header.Fields)
	if m.list != "" {
		fields.Add([]byte("List-Id"), []byte(" <"+m.list+">"))
	}
	for _, line := range append(signatures, head...) {
		name, value, _ := strings.Cut(line, ":")
		fields.Add([]byte(name), []byte(value))
	}
	return fields, []byte(body)
}

// sign is a DKIM signature of its time (RFC 6376, RFC 8463). The fields and the body that
// the demo writes are in the relaxed form already, but for case and the blank behind names.
func (s *sender) sign(head []string, body string, at time.Time) string {
	sum := sha256.Sum256([]byte(body))
	value := fmt.Sprintf("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%s; s=s2026; t=%d; h=from:to:subject:date:message-id; bh=%s; b=",
		s.domain, at.Unix(), base64.StdEncoding.EncodeToString(sum[:]))
	var signed strings.Builder
	for _, line := range head {
		name, v, _ := strings.Cut(line, ": ")
		signed.WriteString(strings.ToLower(name) + ":" + v + "\r\n")
	}
	signed.WriteString("dkim-signature:" + value)
	hash := sha256.Sum256([]byte(signed.String()))
	return "DKIM-Signature: " + value + base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, hash[:]))
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
