package state

import (
	"context"
	"testing"
	"time"

	"alignd/journal/spool"
)

// What the daemon of each host tells is there once, as told last, and goes when it tells
// nothing for long.
func TestWhatDaemonsTell(t *testing.T) {
	stores(t, func(t *testing.T, open func() *State) {
		ctx, s := context.Background(), open()
		for _, x := range []Told{{Spool: spool.ID{1}, At: noon, Data: []byte("old")}, {Spool: spool.ID{2}, At: noon.Add(time.Minute), Data: []byte("other")}, {Spool: spool.ID{1}, At: noon.Add(2 * time.Minute), Data: []byte("new")}} {
			if err := s.Tell(ctx, &x); err != nil {
				t.Fatal(err)
			}
		}
		list, err := open().Daemons(ctx)
		if err != nil || len(list) != 2 || string(list[0].Data) != "new" || list[0].Spool != (spool.ID{1}) || !list[0].At.Equal(noon.Add(2*time.Minute)) || string(list[1].Data) != "other" {
			t.Errorf("%v, %v", list, err)
		}
		if err := s.Tell(ctx, &Told{Spool: spool.ID{3}, At: noon, Data: make([]byte, maxTold+1)}); err == nil {
			t.Error("too much was taken")
		}
		if err := s.Tell(ctx, &Told{Spool: spool.ID{1}, At: noon.Add(keepTold + 90*time.Second), Data: []byte("newest")}); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Daemons(ctx); err != nil || len(list) != 1 || string(list[0].Data) != "newest" {
			t.Errorf("%v, %v", list, err)
		}
	})
}
