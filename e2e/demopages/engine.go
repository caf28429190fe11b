package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
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
)

// engine judges the mail of the world.
type engine struct {
	world      *world
	dns        published
	begin, end time.Time
	n          int
	settings   [2]*judge.Settings // before and after the reload
	volume     []float64          // how much mail came until the end of each hour
}

// reloadDay is the day of the world on which the second configuration came.
const reloadDay = days - 3

func newEngine(configs [2]*config.Config, n int, end time.Time) (*engine, error) {
	w := newWorld()
	dns, err := publish(w)
	if err != nil {
		return nil, err
	}
	e := &engine{world: w, dns: dns, begin: end.AddDate(0, 0, -days), end: end, n: n}
	for i, cfg := range configs {
		e.settings[i] = settings(cfg, "mx.example.net")
	}
	var sum float64
	for h := range days * 24 {
		sum += e.busy(h)
		e.volume = append(e.volume, sum)
	}
	return e, nil
}

// settings judge as the daemon would by cfg, where it has the defaults of verification.
func settings(cfg *config.Config, host string) *judge.Settings {
	opt := verify.Options{DMARC: dmarc.Options{Discovery: evidence.TreeWalk, PSLGuard: true}, Needs: cfg.Needs(), MaxFromDomains: cfg.From.MaxDomains,
		Budget: resolver.BudgetOptions{MaxQueries: cfg.DNS.MaxQueries}}
	return &judge.Settings{Rules: cfg.Rules, Verify: opt, AuthservID: host, Strip: judge.Strip(cfg.Strip), TagName: cfg.Tag.Name, SamplingSecret: []byte("demo"),
		Basis: record.Basis{Program: "alignd demo", Config: cfg.Hash(), Options: record.Options{Discovery: evidence.TreeWalk, PSLGuard: true,
			MaxSignatures: cfg.DKIM.MaxSignatures, MaxFromDomains: cfg.From.MaxDomains, MinLengthPercent: cfg.DKIM.MinLengthPercent, ClockSkew: cfg.DKIM.ClockSkew.Duration,
			SPFTimeout: cfg.SPF.Timeout.Duration, SPFVoids: cfg.SPF.MaxVoidLookups, MaxQueries: cfg.DNS.MaxQueries, Timeout: cfg.Limits.MessageTimeout.Duration, LeadingSpace: true, Needs: cfg.Needs()}}}
}

// busy is how much mail comes in an hour: less at night and at weekends, more while
// somebody forges.
func (e *engine) busy(hour int) float64 {
	t := e.begin.Add(time.Duration(hour) * time.Hour)
	much := 1 - 0.5*math.Cos(2*math.Pi*(float64(t.Hour())-1)/24)
	if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
		much *= 0.5
	}
	if c := e.world.active(hour); c != nil {
		much += c.more
	}
	return much
}

// at is when message i comes, and in which hour of the world's.
func (e *engine) at(i int) (time.Time, int) {
	want := e.volume[len(e.volume)-1] * (float64(i) + 0.5) / float64(e.n)
	hour, _ := slices.BinarySearch(e.volume, want)
	hour = min(hour, len(e.volume)-1)
	before := 0.0
	if hour > 0 {
		before = e.volume[hour-1]
	}
	part := (want - before) / (e.volume[hour] - before)
	return e.begin.Add(time.Duration(hour)*time.Hour + time.Duration(part*float64(time.Hour))), hour
}

// fails: DNS of somebody does, on a day in the past and now.
func fails(hour int) bool {
	return hour >= days*24-4 || hour >= 12*24+9 && hour < 12*24+14
}

func (e *engine) zone(hour int) *resolver.Zone {
	if fails(hour) {
		return e.dns.failing
	}
	return e.dns.usual
}

func (e *engine) batch(from, to int) (list []journal.Raw) {
	for i := from; i < to; i++ {
		now, hour := e.at(i)
		list = append(list, raw(i+1, e.message(i, now, hour)))
	}
	return list
}

func raw(number int, r *record.Record) journal.Raw {
	return journal.Raw{Entry: journal.Entry{Number: spool.Number(number), Record: r}, Encoded: record.Append(nil, r)}
}

// message is number i, which comes in an hour of the world's.
func (e *engine) message(i int, now time.Time, hour int) *record.Record {
	r := rand.New(rand.NewPCG(7, uint64(i)))
	s := e.settings[0]
	if hour >= reloadDay*24 {
		s = e.settings[1]
	}
	m := &mail{rand: r, to: fmt.Sprintf("team%02d@example.net", r.IntN(40))}
	if c := e.world.active(hour); c != nil && r.Float64() < c.more/e.busy(hour) {
		e.world.forged(m, c.as, c.how, c.from, c.subject)
	} else {
		e.world.pick(r, hour/24).make(e.world, m)
	}
	return e.judge(s, e.zone(hour), m, i, now)
}

// judge writes a message, sends it on its way and judges it.
func (e *engine) judge(s *judge.Settings, zone *resolver.Zone, m *mail, i int, now time.Time) *record.Record {
	opt := s.Verify
	opt.Now = func() time.Time { return now }
	ctx := context.Background()
	v := verify.Begin(ctx, zone, &opt, verify.Envelope{MTA: s.AuthservID, Token: token(m.rand), MailFrom: m.from,
		Client: evidence.Client{Peer: netip.MustParseAddr(m.client), PeerName: m.host, HELO: m.helo, Port: uint16(20000 + m.rand.IntN(40000))}})
	defer v.Release()
	v.Recipient(m.to)
	v.QueueID(fmt.Sprintf("4D%08X", i))
	fields, body := e.world.written(m, i, now)
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
		AuthservID: s.AuthservID, Deleted: j.Deleted(), Receiving: time.Duration(m.rand.IntN(900)) * time.Millisecond, Checking: time.Duration(1+m.rand.IntN(60)) * time.Millisecond}}
}

// written is the message as it arrives.
func (w *world) written(m *mail, i int, now time.Time) (*header.Fields, []byte) {
	sent := now.Add(-3 * time.Second)
	head := []string{"From: <" + m.author + ">", "To: <" + m.to + ">", "Subject: " + m.subject, "Date: " + sent.Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <%d.%x@%s>", i, m.rand.Uint32(), domainOf(m.author))}
	body := fmt.Sprintf("Hello,\r\n\r\nthis is message %d.\r\n", i)
	var lines []string
	for _, s := range m.signers {
		lines = append(lines, s.sign(head, body, sent))
	}
	if m.copied {
		body = "Hello,\r\n\r\nplease log in here.\r\n"
	}
	if m.changed {
		name, _, _ := strings.Cut(m.list, ".")
		head[2] = "Subject: [" + name + "] " + m.subject
		body += "\r\n_____\r\nTo leave the list, write to " + name + "-leave@" + domainOf(m.from) + "\r\n"
	}
	if m.sealer != nil {
		author := domainOf(m.author)
		found := fmt.Sprintf("dmarc=pass header.from=%s; spf=pass smtp.mailfrom=%s", author, author)
		if len(m.signers) > 0 {
			found += fmt.Sprintf("; dkim=pass header.d=%s header.s=%s", author, selector)
		}
		lines = append(m.sealer.seal(found, head, body, now.Add(-time.Second)), lines...)
	}
	fields := new(header.Fields)
	if m.list != "" {
		fields.Add([]byte("List-Id"), []byte(" <"+m.list+">"))
	}
	for _, line := range slices.Concat(m.fields, lines, head) {
		name, value, _ := strings.Cut(line, ":")
		fields.Add([]byte(name), []byte(value))
	}
	return fields, []byte(body)
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
