package others

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/journal/state"
	"alignd/report/read"
)

var noon = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// collector keeps reports about own.example and what is below.
var collector = Collector{
	Own:  func(d string) bool { return d == "own.example" || domain.IsBelow(d, "own.example") },
	From: "dmarc@own.example", Organization: func(d string) string { return d }, Keep: 400 * 24 * time.Hour, Now: func() time.Time { return noon },
}

func count(n int64) *int64 { return &n }

func collect(t *testing.T, head read.Aggregate, p Proof, rows ...read.Record) (*state.Other, error) {
	t.Helper()
	var records read.Records
	defer records.Close()
	for i := range rows {
		if err := records.Add(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return collector.Collect(&head, &records, p)
}

func headOf(change func(*read.Aggregate)) read.Aggregate {
	h := read.Aggregate{OrgName: "Receiver", Email: "d@receiver.example", ReportID: "1", Domain: "own.example", Begin: "2026-11-09T00:00:00Z", End: "2026-11-09T23:59:59Z"}
	if change != nil {
		change(&h)
	}
	return h
}

func TestWhichReportsAreKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*read.Aggregate)
		want   string // of the error; empty: it is kept
		see    func(*state.Other) bool
	}{
		{name: "one of ours"},
		{name: "another spelling", change: func(h *read.Aggregate) { h.Domain = "OWN.example." }, see: func(o *state.Other) bool { return o.Domain == "own.example" }},
		{name: "one below", change: func(h *read.Aggregate) { h.Domain = "news.own.example" }},
		{name: "another domain", change: func(h *read.Aggregate) { h.Domain = "notown.example" }, want: "no domain of ours"},
		{name: "no domain", change: func(h *read.Aggregate) { h.Domain = "" }, want: "names no domain"},
		{name: "a domain with controls", change: func(h *read.Aggregate) { h.Domain = "own.example\x1b[2J" }, want: "names no domain"},
		{name: "our own report", change: func(h *read.Aggregate) { h.Email = "DMARC@own.example" }, want: "our own report"},
		{name: "no time", change: func(h *read.Aggregate) { h.Begin = "" }, want: "of which time"},
		{name: "no end", change: func(h *read.Aggregate) { h.End = "" }, see: func(o *state.Other) bool { return o.Until.Equal(o.Start) }},
		{name: "an end before the begin", change: func(h *read.Aggregate) { h.End = "2026-11-08T00:00:00Z" }, see: func(o *state.Other) bool { return o.Until.Equal(o.Start) }},
		{name: "an end in another century", change: func(h *read.Aggregate) { h.End = "9999-11-08T00:00:00Z" }, see: func(o *state.Other) bool { return o.Until.Equal(o.Start) }},
		{name: "the future", change: func(h *read.Aggregate) { h.Begin = "2026-11-13T00:00:00Z" }, want: "in the future"},
		{name: "long ago", change: func(h *read.Aggregate) { h.Begin = "2024-11-13T00:00:00Z" }, want: "longer ago"},
		{name: "names with controls, and long", change: func(h *read.Aggregate) { h.OrgName = "a\x00\x1b\u202e\xff" + strings.Repeat("ü", 500) },
			see: func(o *state.Other) bool {
				return len(o.Org) <= maxText && strings.HasPrefix(o.Org, "a????") && o.Reporter == o.Org
			}},
	} {
		o, err := collect(t, headOf(c.change), Proof{Trust: state.TrustUnknown})
		switch {
		case c.want != "":
			if !errors.Is(err, ErrNotKept) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil || c.see != nil && !c.see(o):
			t.Errorf("%s: %+v, %v", c.name, o, err)
		}
	}
}

func TestWhatIsKeptOfARow(t *testing.T) {
	row := read.Record{SourceIP: "192.0.2.1", Count: count(1), DKIM: "pass", SPF: "fail", Disposition: "none", HeaderFrom: "own.example"}
	for _, c := range []struct {
		name   string
		change func(*read.Record)
		see    func(*state.OtherRow) bool
	}{
		{name: "as it is", see: func(r *state.OtherRow) bool {
			return *r == state.OtherRow{Source: "192.0.2.1", Network: "192.0.2.0/24", Author: "own.example", DKIM: true, Disposition: "none", Messages: 1}
		}},
		{name: "IPv6 in brackets", change: func(r *read.Record) { r.SourceIP = "[2001:DB8:0::1]" }, see: func(r *state.OtherRow) bool { return r.Source == "2001:db8::1" && r.Network == "2001:db8::/48" }},
		{name: "with a tag", change: func(r *read.Record) { r.SourceIP = "IPv6:2001:db8::1" }, see: func(r *state.OtherRow) bool { return r.Source == "2001:db8::1" }},
		{name: "IPv4 in IPv6", change: func(r *read.Record) { r.SourceIP = "::ffff:192.0.2.1" }, see: func(r *state.OtherRow) bool { return r.Source == "192.0.2.1" }},
		{name: "zeros in front", change: func(r *read.Record) { r.SourceIP = "192.000.002.001" }, see: func(r *state.OtherRow) bool { return r.Source == "192.0.2.1" }},
		{name: "a network of one", change: func(r *read.Record) { r.SourceIP = "192.0.2.1/32" }, see: func(r *state.OtherRow) bool { return r.Source == "192.0.2.1" }},
		{name: "no address", change: func(r *read.Record) { r.SourceIP = "unknown" }, see: func(r *state.OtherRow) bool { return r.Source == "" && r.Network == "" }},
		{name: "no From", change: func(r *read.Record) { r.HeaderFrom = "" }, see: func(r *state.OtherRow) bool { return r.Author == "own.example" }},
		{name: "a From below", change: func(r *read.Record) { r.HeaderFrom = "a.OWN.example" }, see: func(r *state.OtherRow) bool { return r.Author == "a.own.example" }},
		{name: "a From of another", change: func(r *read.Record) { r.HeaderFrom = "bank.example" }, see: func(r *state.OtherRow) bool { return r.Author == "own.example" }},
		{name: "a From with controls", change: func(r *read.Record) { r.HeaderFrom = "a\x1b.own.example" }, see: func(r *state.OtherRow) bool { return r.Author == "own.example" }},
		{name: "an unknown disposition", change: func(r *read.Record) { r.Disposition = "burnt" }, see: func(r *state.OtherRow) bool { return r.Disposition == "" }},
		{name: "more messages than there are", change: func(r *read.Record) { r.Count = count(1 << 62) }, see: func(r *state.OtherRow) bool { return r.Messages == state.MaxOtherMessages }},
		{name: "signers that passed", change: func(r *read.Record) {
			r.AuthResults.DKIM = []read.DKIMResult{{Domain: "c.example", Result: "pass"}, {Domain: "x.example", Result: "fail"}, {Domain: "A.example", Result: "pass"}, {Domain: "a.example", Result: "pass"}, {Domain: "x y", Result: "pass"}}
			r.AuthResults.SPF = []read.SPFResult{{Domain: "h.example", Result: "none"}, {Domain: "s.example", Result: "pass"}}
		}, see: func(r *state.OtherRow) bool { return r.Signers == "a.example c.example" && r.Sender == "s.example" }},
	} {
		r := row
		if c.change != nil {
			c.change(&r)
		}
		o, err := collect(t, headOf(nil), Proof{}, r)
		if err != nil || len(o.Rows) != 1 || !c.see(&o.Rows[0]) {
			t.Errorf("%s: %+v, %v", c.name, o, err)
		}
	}
	for _, n := range []*int64{nil, count(0)} {
		if o, err := collect(t, headOf(nil), Proof{}, read.Record{SourceIP: "192.0.2.1", Count: n}); err != nil || len(o.Rows) != 0 {
			t.Errorf("%v: %+v, %v", n, o, err)
		}
	}
}

// A report with very many rows leaves a bounded number, the largest, and the sum is right.
func TestAHugeReportIsKeptInShort(t *testing.T) {
	const many = 60_000
	var records read.Records
	defer records.Close()
	for i := range many {
		r := read.Record{SourceIP: fmt.Sprintf("2001:db8:%x:%x::1", i>>8, i&255), Count: count(1), HeaderFrom: "own.example"}
		if i == 5 || i == many-5 { // early or late
			r.Count = count(1000)
		}
		if err := records.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
	head := headOf(nil)
	o, err := collector.Collect(&head, &records, Proof{})
	if err != nil || len(o.Rows) != maxRows+1 || o.Rows[0].Messages != 1000 || o.Rows[1].Messages != 1000 || o.Beyond != many-maxRows {
		t.Fatalf("%d rows, %d beyond, %v", len(o.Rows), o.Beyond, err)
	}
	sum := int64(0)
	for _, r := range o.Rows {
		sum += r.Messages
	}
	if sum != many+2*999 {
		t.Errorf("%d messages", sum)
	}
}

func TestWhoSentIt(t *testing.T) {
	const ours = "Authentication-Results: mx.here.test; spf=pass smtp.mailfrom=r.example; dmarc=pass header.from=R.example\r\n"
	const id = "Message-ID: <1@r.example>\r\n"
	passed := []evidence.DMARC{{AuthorDomain: "r.example", Result: evidence.Pass}}
	for _, c := range []struct {
		name, mail string
		seen       []Seen
		err        error
		want       state.Trust
		sender     string
	}{
		{name: "it passed", mail: ours + id, seen: []Seen{{AuthservID: "MX.here.test", Authors: passed}}, want: state.TrustPass, sender: "r.example"},
		{name: "fields of later hops above ours", mail: "Authentication-Results: inner.test; none\r\nReceived: x\r\n" + ours + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustPass, sender: "r.example"},
		{name: "the journal does not know it", mail: ours + id, want: state.TrustUnknown},
		{name: "there is no journal", mail: ours + id, err: ErrNoJournal, want: state.TrustUnknown},
		{name: "no field of ours", mail: id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "a field of another id", mail: ours + id, seen: []Seen{{AuthservID: "mx.other.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "our field says fail, one below it pass", mail: strings.ReplaceAll(ours, "dmarc=pass", "dmarc=fail") + ours + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "our field is about another domain", mail: strings.ReplaceAll(ours, "R.example", "evil.example") + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "two results", mail: strings.Replace(ours, "\r\n", "; dmarc=fail header.from=x.example\r\n", 1) + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "several Author Domains", mail: ours + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: append(passed, evidence.DMARC{AuthorDomain: "x.example", Result: evidence.Pass})}}, want: state.TrustUnknown},
		{name: "it failed", mail: ours + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: []evidence.DMARC{{AuthorDomain: "r.example", Result: evidence.Fail}}}}, want: state.TrustFail},
		{name: "two of that id, one passed, and this is not it", mail: strings.ReplaceAll(ours, "dmarc=pass", "dmarc=fail") + id,
			seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}, {AuthservID: "mx.here.test", Authors: []evidence.DMARC{{AuthorDomain: "r.example", Result: evidence.Fail}}}}, want: state.TrustFail},
		{name: "not judged", mail: ours + id, seen: []Seen{{}}, want: state.TrustUnknown},
		{name: "no Message-ID", mail: ours, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "two Message-IDs", mail: ours + id + id, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "no mail", mail: "<feedback>", seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
		{name: "a field in the body", mail: id + "\r\n" + ours, seen: []Seen{{AuthservID: "mx.here.test", Authors: passed}}, want: state.TrustUnknown},
	} {
		claim := ClaimOf([]byte(c.mail + "\r\n"))
		p, err := claim.Prove(func(string) ([]Seen, error) { return c.seen, c.err })
		if err != nil || p.Trust != c.want || p.Sender != c.sender || p.Why == "" {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	claim := ClaimOf([]byte(ours + id + "\r\n"))
	if _, err := claim.Prove(func(string) ([]Seen, error) { return nil, errors.New("away") }); err == nil {
		t.Error("a journal that is away is no proof")
	}
}
