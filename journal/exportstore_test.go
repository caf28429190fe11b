package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/journal/spool"
	"alignd/record"
)

// blocks is a Reader of blocks in memory.
type blocks []Block

func (b blocks) Search(context.Context, Query, func(*Entry) error) error { return nil }
func (b blocks) Close() error                                            { return nil }
func (b blocks) Scan(_ context.Context, _, _ time.Time, each func(Block) error) error {
	for _, block := range b {
		if err := each(block); err != nil {
			return err
		}
	}
	return nil
}

// stored has a block for each ten of n made records; each third names no
// configuration, others one of two.
func stored(n int, texts ...string) (list blocks) {
	w := made.World{Step: time.Minute}
	var items []byte
	for i := range n {
		r := w.Record(i)
		r.Basis.Config = [sha256.Size]byte{}
		if i%3 > 0 {
			r.Basis.Config = sha256.Sum256([]byte(texts[i%3-1]))
		}
		items = AppendItem(items, &Raw{Entry: Entry{Number: spool.Number(1000 + i), Answer: AnswerLost, Record: r}, Encoded: record.Append(nil, r)})
		if i%10 == 9 {
			list, items = append(list, Pack(nil, items)), nil
		}
	}
	return list
}

func TestAnExportHasItsTimeAndTheConfigurationsThatItsRecordsName(t *testing.T) {
	w := made.World{Step: time.Minute}
	from := stored(60, "one", "two")
	from = append(from, Block("no block"))
	var out bytes.Buffer
	x, err := NewExportWriter(&out, ExportHeader{ID: "0123"})
	if err != nil {
		t.Fatal(err)
	}
	done, err := Export(t.Context(), Exporting{
		From: from, Since: w.Record(13).Evidence.Time, Until: w.Record(44).Evidence.Time,
		Config: func(hash [sha256.Size]byte) ([]byte, error) {
			if hash == sha256.Sum256([]byte("one")) {
				return []byte("one"), nil
			}
			return nil, nil
		},
	}, x)
	want := Exported{Entries: 31, Damaged: 1, Configs: 1, Nameless: 10, Unkept: 10}
	if err != nil || done != want {
		t.Fatalf("got %+v, %v, want %+v", done, err, want)
	}
	r, err := NewExportReader(&out)
	if err != nil || r.Header.ID != "0123" {
		t.Fatal(r, err)
	}
	at := 13
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		items, err := b.Items()
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			e, err := item.Entry()
			if err != nil || e.Number != spool.Number(at-12) || e.Answer != AnswerLost || e.Record.Evidence.Token != w.Record(at).Evidence.Token {
				t.Fatalf("entry %d: %+v, %v", at, e, err)
			}
			at++
		}
	}
	if at != 44 || r.Entries() != 31 || len(r.Configs) != 1 || string(r.Configs[sha256.Sum256([]byte("one"))]) != "one" {
		t.Errorf("%d entries, %d told, configurations %q", at-13, r.Entries(), r.Configs)
	}
}

func TestAConfigurationInAnExportIsWhatItsHashSays(t *testing.T) {
	a := sha256.Sum256([]byte("a"))
	for _, text := range []string{"a", "changed"} {
		var out bytes.Buffer
		x, err := NewExportWriter(&out, ExportHeader{})
		if err == nil {
			err = errors.Join(x.Config(a, []byte(text)), x.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewExportReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); err != io.EOF || string(r.Configs[a]) != text {
			t.Errorf("got %q, %v", r.Configs, err)
		}
		file := out.Bytes()
		at := bytes.Index(file, a[:])
		file[at] ^= 1 // another hash
		_, _, err = readExport(file)
		if broken := errors.Is(err, ErrBrokenExport); broken != (text == "a") {
			t.Errorf("%s: under another hash: %v", text, err)
		}
	}
}
