package state

import (
	"context"
	"errors"
	"testing"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
)

func TestFailureReportsAreHeldCutAndForgotten(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		hold := func(kind byte, domain string, n int64) bool {
			t.Helper()
			f := Failure{Kind: [32]byte{kind}, Domain: domain, Opened: noon, Due: noon.Add(time.Hour), Incidents: n, Data: []byte("secret")}
			held, err := s.HoldFailure(ctx, &f, 2)
			if err != nil {
				t.Fatal(err)
			}
			return held
		}
		if !hold(1, "a.example", 1) || !hold(2, "a.example", 1) || hold(3, "a.example", 1) || !hold(4, "b.example", 1) {
			t.Error("two kinds of a domain are held, and those of others")
		}
		if !hold(1, "a.example", 2) { // of another host
			t.Error("a kind that is held stands for more messages")
		}
		if ok, err := s.AddFailures(ctx, [32]byte{1}, 4); !ok || err != nil {
			t.Error(ok, err)
		}
		if ok, err := s.AddFailures(ctx, [32]byte{9}, 4); ok || err != nil {
			t.Error("messages were added to nothing", err)
		}
		if list, err := s.Failures(ctx, noon.Add(time.Hour)); err != nil || len(list) != 0 {
			t.Error("due too soon", list, err)
		}
		list, err := s.Failures(ctx, noon.Add(time.Hour+time.Second))
		if err != nil || len(list) != 3 || list[0].Incidents != 7 || list[0].Domain != "a.example" || string(list[0].Data) != "secret" || !list[0].Opened.Equal(noon) {
			t.Fatalf("%+v, %v", list, err)
		}
		day := noon.Truncate(24 * time.Hour)
		part := &Part{ID: FailurePrefix + "1", Domain: "a.example", Day: day, Made: noon, About: []byte("{}"), Data: []byte("secret"),
			Targets: []Target{{Address: "f@a.example", Next: noon}, {Address: "g@a.example", Next: noon}}}
		old := list[0]
		old.Incidents--
		if err := s.CutFailure(ctx, &old, part); !errors.Is(err, ErrUnknown) {
			t.Errorf("cut although more was counted: %v", err)
		}
		if err := s.CutFailure(ctx, &list[0], part); err != nil {
			t.Fatal(err)
		}
		if err := s.CutFailure(ctx, &list[0], part); !errors.Is(err, ErrUnknown) {
			t.Errorf("cut twice: %v", err)
		}
		if err := s.CutFailure(ctx, &list[1], nil); err != nil {
			t.Fatal(err)
		}
		if one, all, err := s.FailureMails(ctx, "f@a.example", day); one != 1 || all != 2 || err != nil {
			t.Errorf("%d, %d mails, %v", one, all, err)
		}
		if one, all, err := s.FailureMails(ctx, "f@a.example", day.Add(24*time.Hour)); one != 0 || all != 0 || err != nil {
			t.Errorf("the next day: %d, %d mails, %v", one, all, err)
		}
		// What it tells is there until the last target has it.
		for i, state := range []Progress{Sent, GivenUp} {
			items, err := s.Due(ctx, noon, 10)
			if err != nil || len(items) != 2-i {
				t.Fatal(items, err)
			}
			if err := s.ForgetFailures(ctx, noon); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Part(ctx, part.ID); err != nil || string(p.Data) != "secret" {
				t.Errorf("%+v, %v", p, err)
			}
			items[0].State = state
			if err := s.SetItem(ctx, Waiting, &items[0]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.ForgetFailures(ctx, noon); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Part(ctx, part.ID); err != nil || len(p.Data) != 0 || p.Domain != "a.example" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// A domain that wants failure reports only deserves them by its passes, too.
func TestPassesAloneAreKept(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		s.reports.of = func(e *journal.Entry) []Tally {
			return []Tally{{OnlyPassed: true, Domain: "a.example", Day: e.Record.Evidence.Time.Truncate(24 * time.Hour)}}
		}
		for i, at := range []time.Time{noon, noon.Add(time.Hour), noon.Add(24 * time.Hour)} {
			take(t, s, spool.ID{1}, mail{at: at, author: "a.example"}.raw(i+1))
		}
		if err := s.flush(ctx); err != nil {
			t.Fatal(err)
		}
		for days, want := range map[int]bool{2: true, 3: false} {
			if who, err := s.Deserving(ctx, noon.Add(-24*time.Hour), days); err != nil || who["a.example"] != want {
				t.Errorf("%d days: %v, %v", days, who, err)
			}
		}
	})
}
