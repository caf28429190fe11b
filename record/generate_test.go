package record

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
)

// generator fills records with values of every kind, extreme ones too.
type generator struct {
	rng *rand.Rand
	// maxString and maxList bound strings and lists; filled leaves nothing zero.
	maxString, maxList int
	filled             bool
}

func newGenerator(seed uint64) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, 12)), maxString: 40, maxList: 3}
}

func (g *generator) record() *Record {
	r := new(Record)
	g.fill(reflect.ValueOf(r).Elem())
	for i := range r.Evidence.DMARC { // indexes are the one thing that Decode compares
		for k := range r.Evidence.DMARC[i].AlignedDKIM {
			if n := len(r.Evidence.DKIM); n > 0 {
				r.Evidence.DMARC[i].AlignedDKIM[k] = g.rng.IntN(n)
			} else {
				r.Evidence.DMARC[i].AlignedDKIM = nil
				break
			}
		}
	}
	return r
}

func (g *generator) fill(v reflect.Value) {
	if !g.filled && v.Kind() != reflect.Struct && g.rng.IntN(4) == 0 {
		return // zero
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = g.time()
		return
	case *netip.Addr:
		*x = g.addr()
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.filled || g.rng.IntN(2) == 0)
	case reflect.String:
		v.SetString(g.string())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(g.int() >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(g.int())>>(64-v.Type().Bits()) | 1)
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i))
		}
	case reflect.Slice:
		n := g.rng.IntN(g.maxList + 1)
		if g.filled {
			n = g.maxList
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			g.fill(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i))
		}
	default:
		panic("no generator for " + v.Type().String())
	}
}

// string holds any octet: mail does.
func (g *generator) string() string {
	if g.maxString <= 40 && g.rng.IntN(8) == 0 {
		return []string{"j\xf6rg@", "\x00", "\xff\xfe", "\\xf6", "\"\\\n", "\u2028é"}[g.rng.IntN(6)]
	}
	n := 1 + g.rng.IntN(g.maxString)
	if g.filled {
		n = g.maxString
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	return string(b)
}

func (g *generator) int() int64 {
	switch g.rng.IntN(4) {
	case 0:
		return []int64{-1, 1, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxInt64, math.MinInt64}[g.rng.IntN(11)]
	case 1:
		return g.rng.Int64N(100) + 1
	}
	return int64(g.rng.Uint64())>>g.rng.IntN(63) | 1
}

func (g *generator) time() time.Time {
	zone := []*time.Location{time.UTC, time.Local, time.FixedZone("x", 3600*g.rng.IntN(24))}[g.rng.IntN(3)]
	switch g.rng.IntN(4) {
	case 0:
		return time.Now().Add(time.Duration(g.rng.Int32())).In(zone) // with a monotonic clock
	case 1:
		return time.Unix(999_999_999_999, 0).In(zone) // t= of a signature: the year 33658
	case 2:
		return time.Unix(-g.rng.Int64N(1<<40), g.rng.Int64N(1e9)).In(zone)
	}
	return time.Unix(g.rng.Int64N(1<<32), 0).In(zone)
}

func (g *generator) addr() netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	switch g.rng.IntN(4) {
	case 0:
		return netip.AddrFrom16(b)
	case 1:
		return netip.AddrFrom16(b).WithZone(g.string())
	case 2:
		return netip.MustParseAddr("::ffff:192.0.2.1")
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// ordinary is a record as most are: one message of a bank through its provider,
// with two signatures, accepted.
func ordinary() *Record {
	at := time.Date(2026, 7, 1, 9, 30, 0, 123456000, time.UTC)
	client := netip.MustParseAddr("192.0.2.32")
	spf := &evidence.SPFCheck{
		Identity: evidence.MailFromIdentity, Domain: "bounces.provider.example", Result: evidence.Pass,
		Mechanism: "ip4:192.0.2.0/24", MechanismDomain: "bounces.provider.example",
		Record: "v=spf1 ip4:192.0.2.0/24 include:_spf.provider.example -all", Lookups: 1,
		Path: []evidence.SPFTerm{{Domain: "bounces.provider.example", Number: 1, Term: "ip4:192.0.2.0/24"}},
	}
	signature := func(domain, selector, b string, hash byte) evidence.Signature {
		return evidence.Signature{
			Result: evidence.Pass, Domain: domain, Selector: selector, Identity: "@" + domain, Algorithm: "rsa-sha256",
			B: b, HeaderCanon: "relaxed", BodyCanon: "relaxed",
			SignedHeaders: []string{"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to",
				"list-unsubscribe", "list-unsubscribe-post"},
			Signed: at.Truncate(time.Second).Add(-4 * time.Second), Length: -1, KeyBits: 2048, KeyHash: hashOf(hash),
		}
	}
	hop := func(from, by string, back time.Duration) evidence.Hop {
		return evidence.Hop{From: from, Addr: client, By: by, With: "ESMTPS", Time: at.Truncate(time.Second).Add(-back)}
	}
	return &Record{
		Evidence: evidence.Message{
			Schema: evidence.SchemaVersion, Token: "01k2ab3cd4ef5", QueueID: "4bXQ0n5kZzQ", Time: at, MTA: "mx.example.net",
			Client: evidence.Client{Peer: client, PeerName: "mta00.provider.example", Port: 40122, HELO: "mta00.provider.example"},
			Looked: 0xfff, MailFrom: "bounce+9f3c@bounces.provider.example", MailFromDomain: "bounces.provider.example",
			MailArgs: []string{"SIZE=74531", "BODY=8BITMIME"}, Recipients: []evidence.Recipient{{Address: "anna@example.net"}},
			From: evidence.From{Fields: 1, Domains: []string{"bank.example"}},
			SPF:  evidence.SPF{MailFrom: spf, HELO: &evidence.SPFCheck{Identity: evidence.HELOIdentity, Domain: "mta00.provider.example", Result: evidence.None}},
			DKIM: []evidence.Signature{
				signature("provider.example", "p2026", "kPz4Zbq0Rk1WbQXm", 1), signature("bank.example", "s1", "AbC9d2Ff7Gh+1JkL", 2),
			},
			ARC: evidence.ARC{Result: evidence.None},
			DMARC: []evidence.DMARC{{
				AuthorDomain: "bank.example", Result: evidence.Pass, Discovery: evidence.TreeWalk, PolicyDomain: "bank.example",
				OrgDomain: "bank.example", Looked: evidence.SectionOrg,
				Compared: []evidence.Organization{{Domain: "provider.example", OrgDomain: "provider.example"}}, TTL: time.Hour,
				Published: evidence.DMARCRecord{
					Text: "v=DMARC1; p=reject; rua=mailto:dmarc@bank.example", P: evidence.PolicyReject, Pct: 100, PSD: "u",
					FailureOpts: "0", RUA: []string{"mailto:dmarc@bank.example"},
				},
				Policy: evidence.PolicyReject, PolicyTag: "p", DKIMAligned: true, AlignedDKIM: []int{1},
			}},
			Received: []evidence.Hop{
				hop("app1.bank.example", "mta00.provider.example", 2*time.Second), hop("localhost", "app1.bank.example", 3*time.Second),
			},
			Traces: evidence.Traces{Received: 2}, MessageID: "<7d1f0e2c9b@bank.example>", Key: hashOf(3), Sample: 42, Size: 74531,
			Elapsed: 412 * time.Millisecond,
		},
		Verdict: policy.Verdict{
			Disposition: policy.DispositionAccept, Delivery: policy.Deliver, Requested: policy.RequestedNone, Step: policy.StepPolicy,
			Reason: "DMARC passes for bank.example.", Evaluation: 1,
		},
		Outcome: Outcome{
			End: EndAnswered, Delivered: true, AuthservID: "mx.example.net",
			Receiving: 398 * time.Millisecond, Checking: 14 * time.Millisecond,
		},
		Basis: Basis{
			Program: "alignd 0.4.0", Config: hashOf(4),
			Options: Options{
				Discovery: evidence.TreeWalk, PSLGuard: true, MaxSignatures: 10, MaxFromDomains: 5, ClockSkew: 5 * time.Minute,
				SPFTimeout: 20 * time.Second, SPFVoids: 2, MaxQueries: 100, Timeout: 20 * time.Second, LeadingSpace: true,
			},
		},
	}
}

func hashOf(b byte) (h [32]byte) {
	for i := range h {
		h[i] = b + byte(i)*7
	}
	return h
}

func TestTheGeneratorLeavesNothingZeroWhenItFills(t *testing.T) {
	g := newGenerator(1)
	g.filled, g.maxList = true, 1
	walkValues(reflect.ValueOf(g.record()).Elem(), "Record", func(path string, v reflect.Value) {
		if v.IsZero() && v.Kind() != reflect.Int { // an index may be 0
			t.Errorf("%s is zero", path)
		}
	})
}

// walkValues visits every value that is no struct, slice or pointer.
func walkValues(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[netip.Addr]():
		visit(path, v)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			walkValues(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walkValues(v.Index(i), path+"[]", visit)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		walkValues(v.Elem(), path, visit)
	default:
		visit(path, v)
	}
}
