package sqlite

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

func TestFilterPassesWhatItHoldsAndLittleElse(t *testing.T) {
	var w made.World
	const blocks = 50
	passed := 0
	for b := range blocks {
		f := newFilter(liveItems)
		var all []journal.Columns
		for i := range liveItems {
			c := journal.ColumnsOf(&journal.Entry{Record: w.Record(b*liveItems + i)})
			f.addColumns(&c)
			all = append(all, c)
		}
		for _, c := range all {
			for _, key := range []int64{int64(c.Queue), int64(c.Token), int64(c.MessageID), int64(c.Author), int64(c.MailFrom), c.Client, networkOf(c.Client)} {
				if !f.has(key) {
					t.Fatalf("block %d lacks a key of %+v", b, c)
				}
			}
		}
		for i := range 100 {
			if f.has(int64(journal.KeyOf(journal.ColumnToken, fmt.Sprint("other", i)))) || f.has(int64(1)<<33+int64(i)) {
				passed++
			}
		}
	}
	if share := float64(passed) / (blocks * 200); share > 0.02 {
		t.Errorf("%.1f %% of other keys pass, want at most 2", 100*share)
	}
}

func TestFiltersOfNetworks(t *testing.T) {
	for _, row := range []struct {
		client, network string
		want            bool
	}{
		{client: "192.0.2.7", network: "192.0.2.7/32", want: true},
		{client: "192.0.2.7", network: "192.0.2.0/24", want: true},
		{client: "192.0.2.7", network: "192.0.2.0/29", want: true},
		{client: "192.0.2.7", network: "192.0.3.0/24"},
		{client: "255.255.255.255", network: "255.255.255.0/24", want: true},
		{client: "2001:db8:1:2::3", network: "2001:db8:1:2::3/128", want: true},
		{client: "2001:db8:1:2::3", network: "2001:db8:1:2::/64", want: true},
		{client: "2001:db8:1:2::3", network: "2001:db8:1::/48", want: true},
		{client: "2001:db8:1:2::3", network: "2001:db8:1::/56", want: true},
		{client: "2001:db8:1:2::3", network: "2001:db8:2::/48"},
		{client: "fe80::1", network: "fe80::/48", want: true},
	} {
		f := newFilter(1)
		f.addColumns(&journal.Columns{Client: journal.NumberOf(netip.MustParseAddr(row.client))})
		lists := wanted(&journal.Query{Client: netip.MustParsePrefix(row.network)})
		if len(lists) == 0 || f.passes(lists) != row.want {
			t.Errorf("%s in %s: %t of %v, want %t", row.client, row.network, f.passes(lists), lists, row.want)
		}
	}
}

// What is found does not depend on where it lies: in a file in use, whose filters are
// read a few at once, or in a sealed one with its indexes.
func TestSearchFindsAllThatMatches(t *testing.T) {
	defer func(n int) { filtersAtOnce = n }(filtersAtOnce)
	filtersAtOnce = 3
	dir := t.TempDir()
	s := openStore(t, dir, 0)
	w := made.World{Domains: 300, Step: 30 * time.Second}
	var all []journal.Raw
	for i := range 900 {
		r := w.Record(i)
		r.Verdict.Monitor.Delivery = journal.Deliveries[i%5]
		if i%200 == 3 {
			r.Verdict.Rule = "rare"
		}
		all = append(all, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	for at, n := 0, 1; at < len(all); at, n = at+n, n%150+7 { // batches of any size
		take(t, s, spool.ID{1}, all[at:min(at+n, len(all))])
	}
	ev := &all[434].Record.Evidence
	queries := []journal.Query{{}, {ID: ev.Token}, {ID: ev.QueueID}, {ID: journal.BareID(ev.MessageID)}, {ID: "nothing"}, {Rule: "rare"},
		{Would: policy.Refuse}, {Disposition: policy.DispositionQuarantine}, {MailFrom: ev.MailFrom}, {MailFrom: ev.MailFromDomain},
		{Domain: ev.From.Domains[0], Would: policy.DeliverHold}, {Since: ev.Time}, {Until: ev.Time, Rule: "rare"},
		{Limit: 1}, {Until: ev.Time, Limit: 1}, {Would: policy.Refuse, Limit: firstRows - 1}, {Disposition: policy.DispositionQuarantine, Until: ev.Time, Limit: 2}, {Rule: "rare", Limit: 3}}
	for i := range 6 {
		queries = append(queries, journal.Query{Domain: made.DomainOf(i * 15)})
	}
	for _, bits := range []int{0, 8, 20, 23, 24, 25, 31, 32} {
		queries = append(queries, journal.Query{Client: network(ev, bits)})
	}
	check := func(where string) {
		t.Helper()
		for _, q := range queries {
			var want []string
			for _, e := range slices.Backward(all) {
				if q.Matches(&e.Entry) && (q.Limit == 0 || len(want) < q.Limit) {
					want = append(want, e.Record.Evidence.Token)
				}
			}
			if got := tokens(t, dir, q); !slices.Equal(got, want) {
				t.Errorf("%s, %+v: %d found, want %d", where, q, len(got), len(want))
			}
		}
	}
	check("in use")
	s.Close()
	s = openStore(t, dir, 0)
	seal(t, s, noon.AddDate(0, 0, 3))
	check("sealed")
}
