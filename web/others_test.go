package web

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/state"
	"alignd/record"
)

// withOthers is a journal with reports of others about a domain whose mail came here, too:
// from the network of the first record, and from one that never came here.
func withOthers(t *testing.T, own []*record.Record) (b *backend, author, network string) {
	t.Helper()
	b = plant(t, own...)
	author, network = journal.AuthorOf(own[0]), journal.NetworkOf(own[0].Evidence.Client.IP().Unmap()).String()
	st, err := state.OpenFile(t.Context(), filepath.Join(b.dir, "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	for i, reporter := range []string{"one.example", "two.example", hostile[0], hostile[4]} {
		o := &state.Other{Domain: author, Org: reporter, ReportID: fmt.Sprint(i), Start: day.AddDate(0, 0, -i), Until: day.AddDate(0, 0, 1-i), Trust: state.TrustVouched, Reporter: reporter, Stored: time.Now(),
			Rows: []state.OtherRow{
				{Source: "192.0.2.1", Network: network, Author: author, DKIM: true, Disposition: "none", Signers: author, Messages: 7},
				{Source: "198.51.100.2", Network: "198.51.100.0/24", Author: author, Disposition: "reject", Sender: hostile[1], Signers: hostile[2], Messages: 30 + int64(i)}}}
		if err := st.AddOther(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return b, author, network
}

// The reports of others stand by source, worst first, by reporter and by day, beside what
// came here from the same source and on the same days.
func TestReportsOfOthersBesideWhatCameHere(t *testing.T) {
	own := usual(60)
	b, author, network := withOthers(t, own)
	here, from := 0, 0
	for _, r := range own {
		if journal.AuthorOf(r) == author && !r.Evidence.Authenticated() {
			here++
			if journal.NetworkOf(r.Evidence.Client.IP().Unmap()).String() == network {
				from++
			}
		}
	}
	if from == 0 {
		t.Fatal("nothing came here from the network")
	}
	s := serve(t, b, nil)
	rows := func(path string) [][]string {
		t.Helper()
		status, text, _ := s.Get(path)
		list, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if status != 200 || err != nil {
			t.Fatalf("%s: %d %v", path, status, err)
		}
		return list[1:]
	}
	sources := rows("/reports/others.csv")
	if len(sources) != 2 || fmt.Sprint(sources[0][1:9]) != "[198.51.100.0/24 126 0 126 126 0 0 0]" || sources[1][1] != network || sources[1][2] != "28" || sources[1][7] == "0" {
		t.Errorf("by source: %v", sources)
	}
	if list := rows("/reports/others.csv?by=reporter"); len(list) != 4 || !strings.Contains(fmt.Sprint(list), "one.example yes 1 37 7 30") {
		t.Errorf("by reporter: %v", list)
	}
	total := func(list [][]string, column int) (n int) {
		for _, row := range list {
			var x int
			fmt.Sscan(row[column], &x)
			n += x
		}
		return n
	}
	if list := rows("/reports/others.csv?by=day"); len(list) != 30 || total(list, 2) != 154 || total(list, 7) != here || list[1][1] != "1" || list[1][2] != "37" {
		t.Errorf("by day: %v, want %d here", list, here)
	}
	if list := rows(to("/reports/others.csv", "by", "day", "domain", author, "network", network)); total(list, 2) != 28 || total(list, 7) != from {
		t.Errorf("of a network by day: %v, want %d", list, from)
	}
	if list := rows("/reports/others.csv?reporter=two.example"); len(list) != 2 || list[0][2] != "31" {
		t.Errorf("of a reporter: %v", list)
	}
	for _, path := range []string{"/reports/others", "/reports/others?by=day", "/reports/others?by=reporter", "/reports"} {
		status, text, _ := s.Get(path)
		if faults := harmless(text); status != 200 || len(faults) > 0 || !strings.Contains(text, "<svg") && path != "/reports" {
			t.Errorf("%s: %d %v", path, status, faults)
		}
	}
	if _, text, _ := s.Get("/reports/others.json"); !json.Valid([]byte(text)) || !strings.Contains(text, `"author_domain"`) || !strings.Contains(text, `"here"`) {
		t.Errorf("%.300s", text)
	}
	if status, _, _ := s.Get("/reports/others?network=x"); status != 400 {
		t.Errorf("a network that is none: %d", status)
	}
	if _, text, _ := s.Get("/reports/others?domain=nobody.example"); !strings.Contains(text, "Nobody reported in this time") {
		t.Error("without reports")
	}
}

// A page asks the journal about sources for a short time, and tells of which it did not
// ask; JSON asks about all.
func TestAPageDoesNotAskLongAboutSources(t *testing.T) {
	b, author, _ := withOthers(t, usual(60))
	st, err := state.OpenFile(t.Context(), filepath.Join(b.dir, "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	err = st.AddOther(t.Context(), &state.Other{Domain: author, Org: "five.example", ReportID: "5", Start: day, Until: day, Trust: state.TrustVouched, Reporter: "five.example", Stored: time.Now(),
		Rows: []state.OtherRow{{Source: "198.51.101.2", Network: "198.51.101.0/24", Author: author, Messages: 1}}})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	defer func(was time.Duration, atOnce int) { looksSoon, sourcesAtOnce = was, atOnce }(looksSoon, sourcesAtOnce)
	looksSoon, sourcesAtOnce = 0, 1
	s := serve(t, b, nil)
	if _, text, _ := s.Get("/reports/others"); !strings.Contains(text, "where Here is empty") {
		t.Error("the page does not tell that it did not ask")
	}
	if _, text, _ := s.Get("/reports/others.json"); strings.Contains(text, `"unknown":true`) {
		t.Error("JSON did not ask")
	}
}
