package journal

import (
	"context"
	"crypto/sha256"
	"time"

	"alignd/journal/spool"
	"alignd/record"
)

// Exporting says what an export is made of.
type Exporting struct {
	From         Reader
	Since, Until time.Time // exact; zero times are no bounds
	// Config gives the text of a configuration by its hash; nil where it is not kept.
	// A nil Config knows none.
	Config func(hash [sha256.Size]byte) ([]byte, error)
	// Change makes a record what is exported of it, ChangeConfig a configuration; nil
	// leaves them as they are. A nil text is not exported.
	Change       func(*record.Record) *record.Record
	ChangeConfig func(text []byte) ([]byte, error)
}

// Exported tells what was written.
type Exported struct {
	Entries  uint64
	Damaged  uint64 // blocks and records that cannot be read; they are not in it
	Configs  int    // configurations
	Nameless uint64 // entries that say nothing of their configuration
	Unkept   uint64 // entries whose configuration is not kept
}

// Export writes the entries of a store. Numbers are given anew, from 1.
func Export(ctx context.Context, from Exporting, w *ExportWriter) (done Exported, err error) {
	x := exporting{Exporting: from, w: w, kept: map[[sha256.Size]byte]bool{}}
	err = from.From.Scan(ctx, from.Since, from.Until, func(b Block) error {
		items, err := b.Items()
		if err != nil {
			x.done.Damaged++
			return nil
		}
		for _, item := range items {
			if err := x.item(item); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = w.Close()
	}
	return x.done, err
}

type exporting struct {
	Exporting
	w    *ExportWriter
	kept map[[sha256.Size]byte]bool // what Config said of each hash
	done Exported
}

func (x *exporting) item(item Item) error {
	e, err := item.Entry()
	if err != nil {
		x.done.Damaged++
		return nil
	}
	at := e.Record.Evidence.Time
	if !x.Since.IsZero() && at.Before(x.Since) || !x.Until.IsZero() && !at.Before(x.Until) {
		return nil
	}
	if err := x.config(e.Record.Basis.Config); err != nil {
		return err
	}
	encoded := item.Encoded()
	if x.Change != nil {
		if changed := x.Change(e.Record); changed != e.Record {
			e.Record, encoded = changed, record.Append(nil, changed)
		}
	}
	x.done.Entries++
	e.Number = spool.Number(x.done.Entries)
	return x.w.Add(&Raw{Entry: *e, Encoded: encoded})
}

// config writes a configuration before the first record that names it.
func (x *exporting) config(hash [sha256.Size]byte) error {
	if hash == ([sha256.Size]byte{}) {
		x.done.Nameless++
		return nil
	}
	kept, known := x.kept[hash]
	if !known {
		text, err := x.text(hash)
		if err != nil {
			return err
		}
		if kept = text != nil; kept {
			if err := x.w.Config(hash, text); err != nil {
				return err
			}
			x.done.Configs++
		}
		x.kept[hash] = kept
	}
	if !kept {
		x.done.Unkept++
	}
	return nil
}

// text is a configuration as it is exported; nil where it was not kept.
func (x *exporting) text(hash [sha256.Size]byte) ([]byte, error) {
	if x.Config == nil {
		return nil, nil
	}
	text, err := x.Config(hash)
	if err != nil || text == nil || x.ChangeConfig == nil {
		return text, err
	}
	return x.ChangeConfig(text)
}
