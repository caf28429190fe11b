// Package storetest is what each store of the journal is tested with, so that all do the
// same.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

// Place is where a store keeps what it has: a folder, a database.
type Place interface {
	// Open opens the store. Zero options are defaults.
	Open(t *testing.T, keep time.Duration, maxSize int64) journal.Store
	// Reader reads the place, while a store of it is open or not.
	Reader(t *testing.T) journal.Reader
}

// Noon is the time of most messages here.
var Noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// message is the record of message i.
func message(i int, at time.Time) *record.Record {
	domain := fmt.Sprintf("d%d.example", i%10)
	r := &record.Record{
		Evidence: evidence.Message{
			Time: at, QueueID: fmt.Sprintf("Q%d", i%50), Token: fmt.Sprintf("t%d", i), MessageID: fmt.Sprintf("<m%d@example.com>", i),
			MailFrom: "bounce@list.example", MailFromDomain: "list.example",
			Client: evidence.Client{Peer: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})},
			From:   evidence.From{Fields: 1, Domains: []string{domain}},
			DMARC:  []evidence.DMARC{{AuthorDomain: domain, Result: evidence.Pass}},
		},
		Verdict: policy.Verdict{Delivery: []policy.Delivery{policy.Deliver, policy.Refuse}[i%2], Disposition: []policy.Disposition{policy.DispositionAccept, policy.DispositionReject}[i%2], Rule: fmt.Sprintf("rule%d", i%3)},
		Outcome: record.Outcome{End: record.EndAnswered},
	}
	if i%7 == 0 {
		r.Evidence.DMARC[0].Result, r.Verdict.Evaluation = evidence.Fail, 1
		r.Evidence.SPF.MailFrom = &evidence.SPFCheck{Result: evidence.SoftFail}
		r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Fail}, {Result: evidence.Pass}}
		r.Evidence.ARC.Result = evidence.Fail
	}
	if i%25 == 0 {
		r.Verdict.Monitor.Delivery = policy.Refuse
	}
	return r
}

// Raw is a record on its way into a store.
func Raw(n spool.Number, r *record.Record) journal.Raw {
	return journal.Raw{Entry: journal.Entry{Number: n, Record: r}, Encoded: record.Append(nil, r)}
}

// Batch are messages number from and on, n of them, a second apart.
func Batch(from, n int, at time.Time) (list []journal.Raw) {
	for i := range n {
		list = append(list, Raw(spool.Number(from+i), message(from+i, at.Add(time.Duration(i)*time.Second))))
	}
	return list
}

// Take has s take a batch.
func Take(t *testing.T, s journal.Store, from spool.ID, list []journal.Raw) {
	t.Helper()
	if err := s.Take(t.Context(), from, list); err != nil {
		t.Fatal(err)
	}
}

// Tokens are those of the entries that q finds, in their order.
func Tokens(t *testing.T, p Place, q journal.Query) (list []string) {
	t.Helper()
	r := p.Reader(t)
	defer r.Close()
	err := r.Search(t.Context(), q, func(e *journal.Entry) error {
		list = append(list, e.Record.Evidence.Token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Run runs all tests, each at a place of its own.
func Run(t *testing.T, fresh func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Place)
	}{
		{"searches find by each filter", searches},
		{"each record is kept once", once},
		{"clients are found by networks of any size", networks},
		{"a survey tells what there is", surveys},
		{"what comes late is found in its day", late},
		{"a batch of many days and sizes is taken whole", big},
		{"a scan hands over each record, in one order", scans},
		{"what the MTA heard is kept", answers},
		{"octets of all kinds are kept", octets},
		{"a place without a journal answers with nothing", nothing},
		{"errors of the caller end a search and come back", ends},
		{"what is older than keep goes", age},
		{"the oldest goes for the size, the newest stays", size},
		{"a clock that is a year ahead removes nothing at once", clock},
		{"the first record of a run does not vouch for its clock", vouches},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

func searches(t *testing.T, p Place) {
	s, id := p.Open(t, 0, 0), spool.ID{1}
	Take(t, s, id, Batch(1, 40, Noon))
	Take(t, s, id, Batch(41, 60, Noon.Add(time.Hour)))
	Take(t, s, id, Batch(101, 5, Noon.AddDate(0, 0, 1)))
	for _, c := range []struct {
		name string
		q    journal.Query
		want []string
	}{
		{name: "the newest", q: journal.Query{Limit: 3}, want: []string{"t105", "t104", "t103"}},
		{name: "a limit that a day does not fill", q: journal.Query{Limit: 7}, want: []string{"t105", "t104", "t103", "t102", "t101", "t100", "t99"}},
		{name: "a token", q: journal.Query{Token: "t7"}, want: []string{"t7"}},
		{name: "a queue id, used twice", q: journal.Query{QueueID: "Q3"}, want: []string{"t103", "t53", "t3"}},
		{name: "a queue id, and no more than asked for", q: journal.Query{QueueID: "Q3", Limit: 2}, want: []string{"t103", "t53"}},
		{name: "a Message-ID without brackets", q: journal.Query{MessageID: "m42@example.com"}, want: []string{"t42"}},
		{name: "a domain", q: journal.Query{Domain: "d4.example", Limit: 2}, want: []string{"t104", "t94"}},
		{name: "a domain and a disposition that it does not have", q: journal.Query{Domain: "d4.example", Disposition: policy.DispositionReject}},
		{name: "a domain that wrote nothing", q: journal.Query{Domain: "d4.example.com"}},
		{name: "a client", q: journal.Query{Client: netip.MustParsePrefix("192.0.2.9/32")}, want: []string{"t9"}},
		{name: "a client of another network", q: journal.Query{Client: netip.MustParsePrefix("198.51.100.9/32")}},
		{name: "half a network", q: journal.Query{Client: netip.MustParsePrefix("192.0.2.64/26"), Limit: 1}, want: []string{"t105"}},
		{name: "a network", q: journal.Query{Client: netip.MustParsePrefix("192.0.0.0/16"), Limit: 1}, want: []string{"t105"}},
		{name: "a rule and a disposition", q: journal.Query{Rule: "rule1", Disposition: policy.DispositionReject, Limit: 2}, want: []string{"t103", "t97"}},
		{name: "what monitor mode held back", q: journal.Query{Would: policy.Refuse}, want: []string{"t100", "t75", "t50", "t25"}},
		{name: "a result of DMARC", q: journal.Query{DMARC: evidence.Fail, Limit: 2}, want: []string{"t105", "t98"}},
		{name: "results of all checks", q: journal.Query{DMARC: evidence.Fail, SPF: evidence.SoftFail, DKIM: evidence.Pass, ARC: evidence.Fail, Limit: 1}, want: []string{"t105"}},
		{name: "a result of a signature that is not the best", q: journal.Query{DKIM: evidence.Fail}},
		{name: "how the MTA was told", q: journal.Query{Delivery: policy.Refuse, DMARC: evidence.Fail, Limit: 2}, want: []string{"t105", "t91"}},
		{name: "a word that is no result", q: journal.Query{DMARC: "perhaps"}},
		{name: "an id of any kind", q: journal.Query{ID: "Q3"}, want: []string{"t103", "t53", "t3"}},
		{name: "an id that is a token", q: journal.Query{ID: "t8"}, want: []string{"t8"}},
		{name: "an id that is a Message-ID", q: journal.Query{ID: "<m9@example.com>"}, want: []string{"t9"}},
		{name: "a domain of MAIL FROM", q: journal.Query{MailFrom: "list.example", Limit: 1}, want: []string{"t105"}},
		{name: "a sender", q: journal.Query{MailFrom: "BOUNCE@list.example", Limit: 1}, want: []string{"t105"}},
		{name: "another sender", q: journal.Query{MailFrom: "bouncer@list.example"}},
		{name: "a time", q: journal.Query{Since: Noon.Add(time.Hour + 10*time.Second), Until: Noon.Add(time.Hour + 12*time.Second)}, want: []string{"t52", "t51"}},
		{name: "a time within a second", q: journal.Query{Since: Noon.Add(time.Microsecond), Until: Noon.Add(time.Second + time.Microsecond)}, want: []string{"t2"}},
		{name: "a time without mail", q: journal.Query{Since: Noon.AddDate(0, 0, 5)}},
	} {
		if got := Tokens(t, p, c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func networks(t *testing.T, p Place) {
	var list []journal.Raw
	for i, ip := range []string{"192.0.2.1", "192.0.2.200", "192.0.3.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "2001:db8:0:0:1::1", "2001:db8:0:1::1", "fe80::1%eth0"} {
		r := message(i+1, Noon.Add(time.Duration(i)*time.Second))
		r.Evidence.Client.Peer = netip.MustParseAddr(ip)
		list = append(list, Raw(spool.Number(i+1), r))
	}
	r := message(11, Noon.Add(time.Minute))
	r.Evidence.Client = evidence.Client{}
	Take(t, p.Open(t, 0, 0), spool.ID{1}, append(list, Raw(11, r)))
	for network, want := range map[string][]string{
		"192.0.2.1/32": {"t1"}, "192.0.2.0/24": {"t2", "t1"}, "192.0.2.0/23": {"t3", "t2", "t1"}, "0.0.0.0/0": {"t5", "t4", "t3", "t2", "t1"},
		"2001:db8::/48": {"t8", "t7", "t6"}, "2001:db8::/64": {"t7", "t6"}, "2001:db8::/80": {"t6"}, "2001:db8::1/128": {"t6"},
	} {
		if got := Tokens(t, p, journal.Query{Client: netip.MustParsePrefix(network)}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: got %v, want %v", network, got, want)
		}
	}
}

func surveys(t *testing.T, p Place) {
	s := p.Open(t, 0, 0)
	Take(t, s, spool.ID{1}, Batch(1, 40, Noon))
	Take(t, s, spool.ID{2}, Batch(1, 5, Noon.AddDate(0, 0, 1)))
	r := p.Reader(t)
	defer r.Close()
	got, err := r.(journal.Surveyor).Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Records() != 45 || got.Octets() <= 0 || got.Taken(spool.ID{1}) != 40 || got.Taken(spool.ID{2}) != 5 || got.Taken(spool.ID{3}) != 0 ||
		!got.Oldest.Equal(Noon) || !got.Newest.Equal(Noon.AddDate(0, 0, 1).Add(4*time.Second)) || got.Version < 2 || got.Parts[0].Day != "2026-11-27" {
		t.Errorf("got %+v", got)
	}
}

// A batch comes again where the loader could not know that it was taken.
func once(t *testing.T, p Place) {
	id, other := spool.ID{1}, spool.ID{2}
	all := append(Batch(1, 30, Noon), Batch(31, 30, Noon.AddDate(0, 0, 1))...)
	s := p.Open(t, 0, 0)
	for _, end := range []int{5, 5, 20, 33, 60, 40, 60} {
		Take(t, s, id, all[:end])
		if end == 20 || end == 60 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = p.Open(t, 0, 0)
		}
	}
	rebuilt := Batch(1, 1, Noon.AddDate(0, 0, 1).Add(time.Hour))
	rebuilt[0] = Raw(1, message(99, Noon.AddDate(0, 0, 1).Add(time.Hour)))
	Take(t, s, other, rebuilt) // a rebuilt host starts anew
	got := Tokens(t, p, journal.Query{})
	if len(got) != 61 || got[0] != "t99" || got[1] != "t60" || got[60] != "t1" {
		t.Errorf("%d entries: %v", len(got), got)
	}
}

func late(t *testing.T, p Place) {
	s, id := p.Open(t, 0, 0), spool.ID{1}
	Take(t, s, id, Batch(1, 3, Noon))
	Take(t, s, id, Batch(4, 2, Noon.AddDate(0, 0, -2)))
	Take(t, s, id, Batch(6, 1, Noon))
	if got := Tokens(t, p, journal.Query{Until: Noon.AddDate(0, 0, -1)}); !slices.Equal(got, []string{"t5", "t4"}) {
		t.Errorf("got %v", got)
	}
	if got := Tokens(t, p, journal.Query{}); len(got) != 6 || got[5] != "t4" {
		t.Errorf("got %v", got)
	}
}

func big(t *testing.T, p Place) {
	var list []journal.Raw
	for i := 1; i <= 3000; i++ {
		r := message(i, Noon.Add(time.Duration(i)*2*time.Minute)) // over five days
		if i%500 == 0 {
			r.Evidence.MailArgs = []string{strings.Repeat("x", 300_000)}
		}
		list = append(list, Raw(spool.Number(i), r))
	}
	Take(t, p.Open(t, 0, 0), spool.ID{1}, list)
	got := Tokens(t, p, journal.Query{})
	for i, token := range got {
		if token != fmt.Sprintf("t%d", 3000-i) {
			t.Fatalf("entry %d is %s", i, token)
		}
	}
	if len(got) != 3000 || len(Tokens(t, p, journal.Query{Domain: "d7.example"})) != 300 {
		t.Errorf("%d entries", len(got))
	}
}

func scans(t *testing.T, p Place) {
	s, id := p.Open(t, 0, 0), spool.ID{1}
	for i := range 100 {
		Take(t, s, id, Batch(1+10*i, 10, Noon.AddDate(0, 0, i/40)))
	}
	scan := func(since, until time.Time) (tokens []string) {
		r := p.Reader(t)
		defer r.Close()
		err := r.Scan(t.Context(), since, until, func(b journal.Block) error {
			items, err := b.Items()
			for _, i := range items {
				e, err := i.Entry()
				if err != nil {
					return err
				}
				tokens = append(tokens, e.Record.Evidence.Token)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	all := scan(time.Time{}, time.Time{})
	seen := map[string]bool{}
	for _, token := range all {
		seen[token] = true
	}
	if len(all) != 1000 || len(seen) != 1000 || all[0] != "t1" || all[999] != "t1000" {
		t.Errorf("%d records, %d different, the first is %s", len(all), len(seen), all[0])
	}
	if again := scan(time.Time{}, time.Time{}); !slices.Equal(all, again) {
		t.Error("another order")
	}
	day := scan(Noon.AddDate(0, 0, 1), Noon.AddDate(0, 0, 1).Add(time.Hour))
	if len(day) < 400 || !slices.Contains(day, "t401") || slices.Contains(day, "t1000") {
		t.Errorf("of one day %d records", len(day))
	}
	r := p.Reader(t)
	defer r.Close()
	broken := errors.New("broken")
	if err := r.Scan(t.Context(), time.Time{}, time.Time{}, func(journal.Block) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := r.Scan(t.Context(), time.Time{}, time.Time{}, func(journal.Block) error { return journal.ErrEnough }); err != nil {
		t.Errorf("got %v", err)
	}
}

func answers(t *testing.T, p Place) {
	list := Batch(1, 3, Noon)
	list[1].Answer, list[2].Answer = journal.AnswerLost, journal.AnswerUnknown
	Take(t, p.Open(t, 0, 0), spool.ID{1}, list)
	r := p.Reader(t)
	defer r.Close()
	var got []string
	err := r.Search(t.Context(), journal.Query{}, func(e *journal.Entry) error {
		got = append(got, fmt.Sprint(e.Number, " ", e.Answer))
		return nil
	})
	if want := []string{"3 unknown", "2 lost", "1 written"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for answer, want := range map[string]string{"written": "[t1]", "lost": "[t2]", "unknown": "[t3]", "perhaps": "[]"} {
		if got := fmt.Sprint(Tokens(t, p, journal.Query{Answer: answer})); got != want {
			t.Errorf("answer %s: got %s, want %s", answer, got, want)
		}
	}
}

// A client says what it likes, and no store may stumble over it.
func octets(t *testing.T, p Place) {
	hostile := []string{"\x00", "\xff\xfe", "'); DROP TABLE records; --", "a\nb", "\u202e", strings.Repeat("long.", 40), "\\x00", "%s$1?"}
	var list []journal.Raw
	for i, text := range hostile {
		r := message(i+1, Noon.Add(time.Duration(i)*time.Second))
		r.Evidence.MailFromDomain, r.Evidence.MailFrom, r.Evidence.MessageID, r.Evidence.QueueID = text, text, text, text
		r.Evidence.DMARC, r.Evidence.From.Domains = nil, []string{text}
		r.Verdict.Rule = text
		list = append(list, Raw(spool.Number(i+1), r))
	}
	Take(t, p.Open(t, 0, 0), spool.ID{1}, list)
	for i, text := range hostile {
		token := []string{fmt.Sprintf("t%d", i+1)}
		for _, q := range []journal.Query{{QueueID: text}, {MessageID: text}, {Rule: text}, {Token: token[0]}} {
			if got := Tokens(t, p, q); !slices.Equal(got, token) {
				t.Errorf("%.20q: %+.60v finds %v", text, q, got)
			}
		}
	}
}

func nothing(t *testing.T, p Place) {
	if got := Tokens(t, p, journal.Query{}); got != nil {
		t.Errorf("got %v", got)
	}
	s := p.Open(t, 0, 0)
	if err := s.Tidy(t.Context(), Noon); err != nil {
		t.Error(err)
	}
	Take(t, s, spool.ID{1}, nil)
	if got := Tokens(t, p, journal.Query{Token: "t1"}); got != nil {
		t.Errorf("got %v", got)
	}
}

func ends(t *testing.T, p Place) {
	Take(t, p.Open(t, 0, 0), spool.ID{1}, Batch(1, 20, Noon))
	r := p.Reader(t)
	defer r.Close()
	broken := errors.New("broken")
	for _, c := range []struct{ say, want error }{{broken, broken}, {journal.ErrEnough, nil}} {
		n := 0
		err := r.Search(t.Context(), journal.Query{}, func(*journal.Entry) error {
			if n++; n == 3 {
				return c.say
			}
			return nil
		})
		if !errors.Is(err, c.want) || n != 3 {
			t.Errorf("%v: got %v after %d", c.say, err, n)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Search(gone, journal.Query{}, func(*journal.Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := Tokens(t, p, journal.Query{Limit: 1}); len(got) != 1 {
		t.Errorf("afterwards: %v", got)
	}
}
