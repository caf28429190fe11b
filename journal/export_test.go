package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/journal/spool"
	"alignd/record"
)

func exported(t testing.TB, n int) []byte {
	t.Helper()
	return exportedBy(t, n, n+1)
}

// exportedBy makes a new block after each per entries, if not before.
func exportedBy(t testing.TB, n, per int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewExportWriter(&out, ExportHeader{ID: strings.Repeat("0f", 16), Created: time.Unix(1790000000, 0).UTC(), Addresses: "keep"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := &record.Record{Evidence: evidence.Message{Token: fmt.Sprintf("token%d", i), Time: time.Unix(1790000000+int64(i), 0)}}
		e := &Raw{Entry: Entry{Number: spool.Number(i + 1), Answer: AnswerLost, Record: r}, Encoded: record.Append(nil, r)}
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
		if (i+1)%per == 0 {
			if err := w.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readExport returns the tokens, and what ended the reading.
func readExport(file []byte) (tokens []string, blocks int, err error) {
	r, err := NewExportReader(bytes.NewReader(file))
	if err != nil {
		return nil, 0, err
	}
	for {
		b, err := r.Next()
		if err == io.EOF && int(r.Entries()) != len(tokens) {
			return tokens, blocks, fmt.Errorf("the export says that it has %d entries", r.Entries())
		}
		if err != nil {
			return tokens, blocks, err
		}
		items, err := b.Items()
		if err != nil {
			return tokens, blocks, err
		}
		blocks++
		for _, i := range items {
			e, err := i.Entry()
			if err != nil {
				return tokens, blocks, err
			}
			tokens = append(tokens, e.Record.Evidence.Token)
		}
	}
}

func TestAnExportIsReadBack(t *testing.T) {
	for _, n := range []int{0, 1, 30_000} {
		file := exported(t, n)
		tokens, blocks, err := readExport(file)
		if err != io.EOF || len(tokens) != n || n > 1 && (tokens[n-1] != fmt.Sprintf("token%d", n-1) || blocks < 2) {
			t.Errorf("%d entries: got %d in %d blocks, %v", n, len(tokens), blocks, err)
		}
	}
}

// A file that was cut anywhere is never taken for a whole one.
func TestAnExportThatIsCutIsFound(t *testing.T) {
	file := exported(t, 3)
	for n := range file {
		_, _, err := readExport(file[:n])
		if !errors.Is(err, ErrBrokenExport) && !errors.Is(err, ErrNoExport) {
			t.Fatalf("cut after %d of %d octets: %v", n, len(file), err)
		}
	}
	if _, _, err := readExport(append(bytes.Clone(file), 'x')); !errors.Is(err, ErrBrokenExport) {
		t.Errorf("with an octet behind its end: %v", err)
	}
}

func TestWhatIsNoExportIsSaid(t *testing.T) {
	for _, row := range []struct {
		name, file string
		want       error
	}{
		{name: "nothing", file: "", want: ErrNoExport},
		{name: "a text", file: "mode: monitor\nhonor:\n  reject: tag\n", want: ErrNoExport},
		{name: "a later form", file: "alignd-journal 2\n{}\n", want: ErrLaterExport},
		{name: "a header that is none", file: "alignd-journal 1\nx\n", want: ErrBrokenExport},
		{name: "a length that lies", file: "alignd-journal 1\n{}\n\x03\xff\xff\xff", want: ErrBrokenExport},
		{name: "a length that is too large", file: "alignd-journal 1\n{}\n\xff\xff\xff\xff", want: ErrBrokenExport},
		{name: "a block that is none", file: "alignd-journal 1\n{}\n\x00\x00\x00\x01x", want: ErrDamagedBlock},
	} {
		if _, _, err := readExport([]byte(row.file)); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
}

func FuzzExport(f *testing.F) {
	f.Add(exported(f, 2))
	f.Add([]byte(exportMagic + "{}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := readExport(file); err == nil {
			t.Error("reading never ended")
		}
	})
}
