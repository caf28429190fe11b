package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"alignd/journal/spool"
)

// ErrUnnamedExport: an export without id would come in twice.
var ErrUnnamedExport = errors.New("the export has no id, so what a store has of it could not be told")

// ErrOverlap: the first entry of an export came into the journal another way.
var ErrOverlap = errors.New("the journal has the first message of this export already, and not from this export")

// Imported tells what an import handed to a store.
type Imported struct {
	Entries uint64 // of the export, those that the store has already too
	Damaged uint64 // that cannot be read; they are left out
	Old     uint64 // that began before Importing.Oldest
}

// Importing says what is imported, and where to.
type Importing struct {
	From   *ExportReader
	Stores []Store
	Oldest time.Time // what is older is counted; zero for nothing
	// Has reports whether the journal has an entry another way; it is asked of the first
	// one, and an import that would double it is ErrOverlap. It may be nil.
	Has func(*Entry) (bool, error)
}

// Import hands the entries of an export to stores. The export's id stands for that of a
// spool, and the place of an entry for its number, so a store that has taken some of an
// export, or all, takes no entry twice.
func Import(ctx context.Context, in Importing) (done Imported, err error) {
	id, err := hex.DecodeString(in.From.Header.ID)
	if err != nil || len(id) != len(spool.ID{}) {
		return done, ErrUnnamedExport
	}
	x := importing{Importing: in, id: spool.ID(id)}
	for {
		b, err := in.From.Next()
		if err == io.EOF {
			return x.done, x.flush(ctx)
		}
		if err != nil {
			return x.done, err
		}
		if err := x.block(ctx, b); err != nil {
			return x.done, err
		}
	}
}

type importing struct {
	Importing
	id     spool.ID
	batch  []Raw
	number spool.Number
	done   Imported
}

func (x *importing) block(ctx context.Context, b Block) error {
	items, err := b.Items()
	if err != nil {
		return err // what follows would have other numbers another time
	}
	for _, item := range items {
		x.number++
		if n := item.Number(); n != x.number { // under other numbers the whole export would not come in after this one
			return fmt.Errorf("%w: in place of message %d stands %d", ErrBrokenExport, x.number, n)
		}
		e, err := item.Entry()
		if err != nil {
			x.done.Damaged++
			continue
		}
		if x.done.Entries == 0 && x.Has != nil {
			if has, err := x.Has(e); err != nil || has {
				return errors.Join(err, ErrOverlap)
			}
		}
		if e.Record.Evidence.Time.Before(x.Oldest) {
			x.done.Old++
		}
		x.done.Entries++
		e.Number = x.number
		x.batch = append(x.batch, Raw{Entry: *e, Encoded: item.Encoded()})
		if len(x.batch) == maxBatch {
			if err := x.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *importing) flush(ctx context.Context) error {
	if len(x.batch) == 0 {
		return nil
	}
	for _, s := range x.Stores {
		if err := s.Take(ctx, x.id, x.batch); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	x.batch = x.batch[:0]
	return nil
}
