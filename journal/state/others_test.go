package state

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"alignd/journal/spool"
)

// reported is a report of receiver.example about our domain on the day before noon.
func reported(change func(*Other)) *Other {
	day := noon.Truncate(24*time.Hour).AddDate(0, 0, -1)
	o := &Other{Domain: "own.example", Org: "Receiver", Email: "d@receiver.example", ReportID: "1", Version: "1.0", Start: day, Until: day.Add(24*time.Hour - time.Second),
		Trust: TrustPass, Sender: "receiver.example", Reporter: "receiver.example", Stored: noon, Rows: []OtherRow{
			{Source: "192.0.2.1", Network: "192.0.2.0/24", Author: "own.example", DKIM: true, Disposition: "none", Signers: "own.example", Messages: 7},
			{Source: "192.0.2.2", Network: "192.0.2.0/24", Author: "own.example", Disposition: "reject", Sender: "vendor.example", Messages: 3},
			{Source: "2001:db8::1", Network: "2001:db8::/48", Author: "news.own.example", SPF: true, Disposition: "quarantine", Messages: 2},
		}}
	if change != nil {
		change(o)
	}
	return o
}

func elsewhere(t *testing.T, s *State, q ElsewhereQuery) *Elsewhere {
	t.Helper()
	e, err := s.Elsewhere(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReportsOfOthersAreKept(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		if err := s.AddOther(ctx, reported(nil)); err != nil {
			t.Fatal(err)
		}
		if err := s.AddOther(ctx, reported(nil)); !errors.Is(err, ErrStored) {
			t.Errorf("twice: %v", err)
		}
		e := elsewhere(t, open(), ElsewhereQuery{})
		if e.Reports != 1 || e.Messages != 12 || e.Pass != 9 || e.DKIM != 7 || e.SPF != 2 || e.Rejected != 3 || e.Quarantined != 2 || len(e.Sources) != 2 {
			t.Fatalf("%+v", e)
		}
		x := e.Sources[0]
		if x.Network != "192.0.2.0/24" || x.Author != "own.example" || x.Count != 2 || x.Messages != 10 || x.Pass != 7 || fmt.Sprint(x.Reporters, x.Signers, x.Senders) != "[receiver.example] [own.example] [vendor.example]" {
			t.Errorf("%+v", x)
		}
		if e.Reporters[0].Name != "receiver.example" || !e.Reporters[0].Proven || !e.Reporters[0].Last.Equal(reported(nil).Until) {
			t.Errorf("%+v", e.Reporters)
		}
		if e := elsewhere(t, s, ElsewhereQuery{Author: "news.own.example"}); e.Messages != 2 || e.Reports != 1 {
			t.Errorf("an Author Domain: %+v", e)
		}
		if e := elsewhere(t, s, ElsewhereQuery{Since: noon}); e.Messages != 0 || e.Reports != 0 {
			t.Errorf("later: %+v", e)
		}
	})
}

// What nobody can prove is left out of sums, whatever it says of itself, and keeps no true
// report out.
func TestForgedReportsDoNotCount(t *testing.T) {
	forged := func(o *Other) {
		o.Trust, o.Sender, o.Reporter, o.Rows[0].Messages = TrustUnknown, "", o.Org, 1_000_000
	}
	own := func(o *Other) {
		o.Sender, o.Reporter = "evil.example", "evil.example"
	}
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		for _, step := range []struct {
			name     string
			change   func(*Other)
			want     error
			messages int64
			left     int64
			all      int64
		}{
			{name: "a forged one comes first", change: forged, messages: 0, left: 1, all: 1_000_005},
			{name: "and once more", change: forged, want: ErrStored, messages: 0, left: 1, all: 1_000_005},
			{name: "of a forger's own domain, with the names of another", change: own, messages: 12, all: 12},
			{name: "the true one", messages: 24, all: 24},
			{name: "a forged one after it", change: forged, want: ErrStored, messages: 24, all: 24},
			{name: "the same as a file", change: func(o *Other) { o.Trust, o.Sender = TrustVouched, "" }, want: ErrStored, messages: 24, all: 24},
			{name: "another report, without proof", change: func(o *Other) { forged(o); o.ReportID = "2"; o.Rows = o.Rows[1:2] }, messages: 24, left: 1, all: 27},
			{name: "another report, whose mail failed", change: func(o *Other) { forged(o); o.Trust = TrustFail; o.ReportID = "3"; o.Rows = o.Rows[1:2] }, messages: 24, left: 2, all: 30},
			{name: "without an id", change: func(o *Other) { o.ReportID = ""; o.Rows = o.Rows[1:2] }, messages: 27, left: 2, all: 33},
			{name: "without an id, other rows", change: func(o *Other) { o.ReportID = ""; o.Rows = o.Rows[2:] }, messages: 29, left: 2, all: 35},
			{name: "without an id, the same", change: func(o *Other) { o.ReportID = ""; o.Rows = o.Rows[2:] }, want: ErrStored, messages: 29, left: 2, all: 35},
		} {
			if err := s.AddOther(ctx, reported(step.change)); !errors.Is(err, step.want) {
				t.Errorf("%s: %v, want %v", step.name, err, step.want)
			}
			e, all := elsewhere(t, s, ElsewhereQuery{}), elsewhere(t, s, ElsewhereQuery{Unproven: true})
			if e.Messages != step.messages || e.LeftOut.Reports != step.left || all.Messages != step.all || all.LeftOut.Reports != 0 {
				t.Errorf("%s: %d messages, %d reports left out, %d with all; want %d, %d, %d", step.name, e.Messages, e.LeftOut.Reports, all.Messages, step.messages, step.left, step.all)
			}
		}
	})
}

// A flood takes a bounded room, and none of that of others.
func TestReportsOfOthersAreBounded(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		many := func(trust Trust, sender, id string) *Other {
			return reported(func(o *Other) {
				o.Trust, o.Sender, o.ReportID = trust, sender, id
			})
		}
		day := noon.Truncate(24 * time.Hour).Unix()
		fill := func(id byte, trust Trust, sender string, reports, lines int) {
			t.Helper()
			for i := range reports {
				_, err := s.exec(ctx, s.db, "INSERT INTO state_others VALUES (?, ?, 'x.example', '', '', '', '', ?, ?, ?, ?, '', ?, ?, 0, 0)",
					[]byte{id, byte(i), byte(i >> 8)}, []byte{id, byte(i), byte(i >> 8)}, day, day, string(trust), sender, day, lines)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		fill(1, TrustUnknown, "", othersUnproven, 1)
		if err := s.AddOther(ctx, many(TrustFail, "", "a")); !errors.Is(err, ErrFull) {
			t.Errorf("without proof: %v", err)
		}
		fill(2, TrustPass, "evil.example", othersOfSender, 1)
		if err := s.AddOther(ctx, many(TrustPass, "evil.example", "b")); !errors.Is(err, ErrFull) {
			t.Errorf("of one sender: %v", err)
		}
		if err := s.AddOther(ctx, many(TrustPass, "receiver.example", "c")); err != nil {
			t.Errorf("of another: %v", err)
		}
		if err := s.AddOther(ctx, many(TrustVouched, "", "d")); err != nil {
			t.Errorf("vouched for: %v", err)
		}
		fill(3, TrustPass, "large.example", 1, linesOfSender)
		if err := s.AddOther(ctx, many(TrustPass, "large.example", "e")); err != nil {
			t.Errorf("too many lines: %v", err)
		}
		var lines, beyond int64
		if err := s.rows(ctx, s.db, scanInto(&lines), "SELECT lines FROM state_others WHERE report = 'e'"); err != nil || lines != 1 {
			t.Errorf("%d lines, %v", lines, err)
		}
		if err := s.rows(ctx, s.db, scanInto(&beyond), "SELECT beyond FROM state_others WHERE report = 'e'"); err != nil || beyond != 3 {
			t.Errorf("%d rows added up, %v", beyond, err)
		}
		later := many(TrustPass, "evil.example", "f")
		later.Stored = noon.AddDate(0, 0, 1)
		if err := s.AddOther(ctx, later); err != nil {
			t.Errorf("the day after: %v", err)
		}
	})
}

func TestOldReportsOfOthersGo(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		s := open()
		old := reported(func(o *Other) { o.ReportID = "old"; o.Start = o.Start.AddDate(0, 0, -10); o.Until = o.Start })
		for _, o := range []*Other{old, reported(nil)} {
			if err := s.AddOther(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		s.others = 5 * 24 * time.Hour
		s.started = time.Now().Add(-2 * time.Hour)
		if err := s.forget(ctx, noon); err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := s.rows(ctx, s.db, scanInto(&rows), "SELECT count(*) FROM state_other_rows"); err != nil || rows != 3 {
			t.Errorf("%d rows, %v", rows, err)
		}
		if e := elsewhere(t, s, ElsewhereQuery{}); e.Reports != 1 || e.Messages != 12 {
			t.Errorf("%+v", e)
		}
	})
}

// Two importers at a time store a report once.
func TestAReportIsStoredOnce(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx := context.Background()
		first := open()
		if err := first.ready(ctx); err != nil {
			t.Fatal(err)
		}
		const many = 4
		results := make(chan error, many)
		for range many {
			s := open()
			go func() { results <- s.AddOther(ctx, reported(nil)) }()
		}
		stored := 0
		for range many {
			switch err := <-results; {
			case err == nil:
				stored++
			case !errors.Is(err, ErrStored):
				t.Error(err)
			}
		}
		if stored != 1 {
			t.Errorf("stored %d times", stored)
		}
	})
}

// They stand by the day that they are about, and those of one reporter or network alone.
func TestReportsOfOthersByDay(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s := open()
		for i := range 3 {
			o := reported(func(o *Other) {
				o.ReportID, o.Start, o.Stored = fmt.Sprint(i), o.Start.AddDate(0, 0, -i/2), noon
				if i == 2 {
					o.Sender, o.Reporter = "two.example", "two.example"
				}
			})
			if err := s.AddOther(context.Background(), o); err != nil {
				t.Fatal(err)
			}
		}
		day := reported(nil).Start
		days := elsewhere(t, s, ElsewhereQuery{}).Days
		want := OtherCounts{Messages: 12, Pass: 9, DKIM: 7, SPF: 2, Quarantined: 2, Rejected: 3}
		if len(days) != 2 || !days[0].Day.Equal(day.AddDate(0, 0, -1)) || days[0].Reports != 1 || days[0].OtherCounts != want || days[1].Reports != 2 || days[1].Messages != 24 {
			t.Errorf("%+v", days)
		}
		if e := elsewhere(t, s, ElsewhereQuery{Reporter: "two.example"}); e.Reports != 1 || e.Messages != 12 || e.Reporters[0].Pass != 9 || len(e.Days) != 1 {
			t.Errorf("of a reporter: %+v", e)
		}
		if e := elsewhere(t, s, ElsewhereQuery{Network: "2001:db8::/48"}); e.Messages != 6 || len(e.Sources) != 1 || len(e.Days) != 2 {
			t.Errorf("of a network: %+v", e)
		}
	})
}

func TestDaysOfDomains(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		s := open()
		take(t, s, spool.ID{1}, mail{at: noon, author: "a.example"}.raw(1), mail{at: noon, author: "b.example"}.raw(2), mail{at: noon.AddDate(0, 0, -1), author: "a.example"}.raw(3), mail{at: noon, author: "c.example"}.raw(4))
		if err := s.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		day := noon.Truncate(24 * time.Hour)
		days, err := s.DomainDays(t.Context(), day.AddDate(0, 0, -3), map[string]bool{"a.example": true, "b.example": true})
		if err != nil || len(days) != 2 && len(days) != 3 || days[day].Messages != 2 || days[day.AddDate(0, 0, -1)].Messages != 1 {
			t.Errorf("%+v, %v", days, err)
		}
		if all, err := s.Days(t.Context(), day.AddDate(0, 0, -3)); err != nil || all[day].Messages != 3 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
