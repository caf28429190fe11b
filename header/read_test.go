package header

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name   string
		file   string
		fields []string
		body   string
	}{
		{name: "CRLF stays", file: "A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n", fields: []string{"A: 1", "B: 2"}, body: "x\r\ny\r\n"},
		{name: "LF becomes CRLF in header and body", file: "A: 1\n 2\n\nx\ny\n", fields: []string{"A: 1\r\n 2"}, body: "x\r\ny\r\n"},
		{name: "bare CR is kept", file: "A: 1\r2\r\n\r\nx\ry\r\r\n", fields: []string{"A: 1\r2"}, body: "x\ry\r\r\n"},
		{name: "a bare CR before a fold is kept", file: "A: 1\r\r\n 2\r\n\r\nx", fields: []string{"A: 1\r\r\n 2"}, body: "x"},
		{name: "a line that is no field opens the body", file: "A: 1\nno field\nB: 2\n", fields: []string{"A: 1"}, body: "no field\r\nB: 2\r\n"},
		{name: "a first line that continues nothing opens the body", file: " x\nA: 1\n", body: " x\r\nA: 1\r\n"},
		{name: "an mbox line is dropped", file: "From joe Fri Jul 11\nA: 1\n\nx", fields: []string{"A: 1"}, body: "x"},
		{name: "a field From with white space before its colon is no mbox line (RFC 5322 4.5)", file: "From : a@b.example\nA: 1\n\nx",
			fields: []string{"From : a@b.example", "A: 1"}, body: "x"},
		{name: "white space before the colon belongs to the field (RFC 5322 4.5)", file: "A \t: 1\n\n", fields: []string{"A \t: 1"}},
		{name: "a line of white space continues a field", file: "A: 1\n \n\nx", fields: []string{"A: 1\r\n "}, body: "x"},
		{name: "no body", file: "A: 1\n", fields: []string{"A: 1"}},
		{name: "no final line end", file: "A: 1", fields: []string{"A: 1"}},
		{name: "nothing at all", file: ""},
		{name: "only a body", file: "\nx\n", body: "x\r\n"},
		{name: "a long line", file: "A: " + strings.Repeat("x", 10_000) + "\n\n" + strings.Repeat("y", 50_000), fields: []string{"A: " + strings.Repeat("x", 10_000)}, body: strings.Repeat("y", 50_000)},
		{name: "a long line that is no field", file: strings.Repeat("x", 10_000) + "\ny\n", body: strings.Repeat("x", 10_000) + "\r\ny\r\n"},
		{name: "NUL and 8-bit octets are kept", file: "A: \x00\xff\n\n\x00\xff\n", fields: []string{"A: \x00\xff"}, body: "\x00\xff\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.file), iotest.OneByteReader(strings.NewReader(tt.file))} {
				h, body, err := Read(bufio.NewReaderSize(r, 16), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				var fields []string
				for i := range h.Len() {
					fields = append(fields, string(h.At(i).Raw))
				}
				rest, err := io.ReadAll(iotest.OneByteReader(body))
				if err != nil || !reflect.DeepEqual(fields, tt.fields) || string(rest) != tt.body {
					t.Errorf("file %.80q: got %.80q, body %.80q, %v; want %.80q, body %.80q", tt.file, fields, rest, err, tt.fields, tt.body)
				}
			}
		})
	}
}

func TestReadLimits(t *testing.T) {
	for _, file := range []string{strings.Repeat("A: 1\n", 11), "A: " + strings.Repeat("x", 1000)} {
		if _, _, err := Read(bufio.NewReader(strings.NewReader(file)), Limits{Fields: 10, Bytes: 500}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d octets: got %v", len(file), err)
		}
	}
	broken := errors.New("disk on fire")
	if _, _, err := Read(bufio.NewReader(iotest.ErrReader(broken)), Limits{}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

func TestIndex(t *testing.T) {
	var h Fields
	for round := range 2 {
		for i := range 3000 {
			h.Add(fmt.Appendf(nil, "X-%d", i%1000), []byte(" v"))
		}
		h.Add([]byte("x-7 "), nil)
		if got, want := h.Named("X-7"), []int{7, 1007, 2007, 3000}; !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: got %v, want %v", round, got, want)
		}
		if got := h.Named("X-1000"); got != nil {
			t.Errorf("a name that is not there has fields %v", got)
		}
		if h.Names() != 1000 || h.NameID([]byte("x-999")) < 0 || h.NameID([]byte("X-999")) >= 0 {
			t.Errorf("round %d: %d names", round, h.Names())
		}
		for i := range h.Len() {
			if !h.At(i).Is(strings.TrimSpace(string(h.At(i).Name()))) {
				t.Fatalf("field %d is not itself", i)
			}
		}
		h.Reset()
	}
	if h.Named("X-7") != nil || h.Names() != 0 {
		t.Error("Reset left names behind")
	}
}

// FuzzRead: the parts put together again are the file with CRLF line ends.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"A: 1\nB: 2\n\nbody\n", "A: 1\r\n b\r\r\n\r\n", "no header", "\n\n", "A:\n x\nno", ">From x\n: y\n", "A: 1\n\r", "0:\r\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		h, body, err := Read(bufio.NewReader(strings.NewReader(file)), Limits{})
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for i := range h.Len() {
			got.Write(h.At(i).Raw)
			got.WriteString("\r\n")
		}
		if strings.HasPrefix(file, "From ") || strings.HasPrefix(file, ">From ") {
			_, file, _ = strings.Cut(file, "\n")
		}
		want := strings.ReplaceAll(strings.ReplaceAll(file, "\r\n", "\n"), "\n", "\r\n")
		for _, sep := range []string{"", "\r\n"} {
			whole := got.String() + sep + string(rest)
			if whole == want || whole == want+"\r\n" { // a header that ends without line end

				return
			}
		}
		t.Fatalf("%q: got header %q and body %q", file, got.String(), rest)
	})
}
