package main

import (
	"slices"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/record"
	"alignd/replay"
)

// minutes is a batch of records, each of so many minutes after a time.
type minutes []int

var newestBegin = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

func (m minutes) Records(found func([]byte)) error {
	for _, n := range m {
		found(record.Append(nil, &record.Record{Evidence: evidence.Message{Schema: evidence.SchemaVersion, Time: newestBegin.Add(time.Duration(n) * time.Minute)}}))
	}
	return nil
}

// The newest are those of the time that is asked for. A store hands over whole days, and
// what else is in these neither takes a place nor was left out.
func TestTheNewestAreThoseOfATime(t *testing.T) {
	at := func(minute int) time.Time { return newestBegin.Add(time.Duration(minute) * time.Minute) }
	day := []minutes{{0, 1, 2, 3}, {4, 5, 7, 6}, {8, 9}}
	for _, row := range []struct {
		name  string
		most  int
		of    timeSpan
		want  []int
		older int
	}{
		{name: "of all", most: 3, want: []int{6, 8, 9}, older: 7},
		{name: "of all, which are fewer", most: 99, want: []int{0, 1, 2, 3, 4, 5, 7, 6, 8, 9}},
		{name: "until a time within the day", most: 2, of: timeSpan{until: at(4)}, want: []int{2, 3}, older: 2},
		{name: "since a time within the day", most: 9, of: timeSpan{since: at(5)}, want: []int{5, 7, 6, 8, 9}},
		{name: "since a time, and more of it than is wanted", most: 3, of: timeSpan{since: at(5)}, want: []int{6, 8, 9}, older: 2},
		{name: "between two times", most: 1, of: timeSpan{since: at(2), until: at(7)}, want: []int{6}, older: 4},
		{name: "of no message", most: 1, of: timeSpan{since: at(20)}, want: nil},
	} {
		older := -1
		var got []int
		feed := newest(func(add func(replay.Batch)) error {
			for _, b := range day {
				add(b)
			}
			return nil
		}, row.most, row.of, func(n int) { older = n })
		err := feed(func(b replay.Batch) {
			if err := b.Records(func(encoded []byte) {
				r, err := record.Decode(encoded)
				if err != nil {
					t.Fatal(err)
				}
				if row.of.has(encoded) { // as a replay passes over the others
					got = append(got, int(r.Evidence.Time.Sub(newestBegin)/time.Minute))
				}
			}); err != nil {
				t.Fatal(err)
			}
		})
		if err != nil || !slices.Equal(got, row.want) || older != row.older {
			t.Errorf("%s: %v, %d older, %v; want %v and %d", row.name, got, older, err, row.want, row.older)
		}
	}
}
