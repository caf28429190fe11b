package header

import (
	"bytes"
	"strings"
	"testing"

	"alignd/evidence"
)

func TestTraceMarks(t *testing.T) {
	tests := []struct {
		name, fields string
		want         evidence.Traces
	}{
		{name: "a plain message has none", fields: "Received: a\nFrom: b\nReceived: c\nReceived-SPF: pass", want: evidence.Traces{Received: 2}},
		{name: "List-Id", fields: "List-Id: A list <Foo.Example.COM>", want: evidence.Traces{List: true, ListID: "foo.example.com"}},
		{name: "List-Unsubscribe", fields: "list-unsubscribe: <mailto:a@b.example>", want: evidence.Traces{List: true}},
		{name: "List-Post", fields: "LIST-POST: <mailto:a@b.example>", want: evidence.Traces{List: true}},
		{name: "Precedence list", fields: "Precedence: List", want: evidence.Traces{List: true}},
		{name: "Precedence bulk", fields: "Precedence:bulk", want: evidence.Traces{List: true}},
		{name: "Precedence junk", fields: "Precedence: junk", want: evidence.Traces{}},
		{name: "resent", fields: "Resent-From: a@b.example", want: evidence.Traces{Resent: true}},
		{name: "forwarded", fields: "X-Forwarded-To: a@b.example", want: evidence.Traces{Forwarded: true}},
		{name: "ARC", fields: "ARC-Seal: i=1", want: evidence.Traces{ARC: true}},
		{name: "another field that starts alike", fields: "ARC-Foo: i=1\nX-Forwarded-: a\nResent-: b", want: evidence.Traces{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := new(Fields)
			for line := range strings.SplitSeq(tt.fields, "\n") {
				name, value, _ := strings.Cut(line, ":")
				h.Add([]byte(name), []byte(value))
			}
			if got := TraceMarks(h); got != tt.want {
				t.Errorf("%q: got %+v, want %+v", tt.fields, got, tt.want)
			}
		})
	}
}

// RFC 2919 section 2.
func TestListID(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{name: "a description and an identifier", value: ` "List <x> of" <list-id.Example>`, want: "list-id.example"},
		{name: "without brackets", value: " Foo.example.com ", want: "foo.example.com"},
		{name: "a description only", value: " some list"},
		{name: "an open bracket", value: " a <b"},
		{name: "an empty one", value: " a <>"},
		{name: "space inside", value: " <a b>"},
		{name: "outside text that is not US-ASCII", value: " <a\xff>"},
		{name: "a line break inside", value: " <a\r\n b>"},
		{name: "above 255 octets", value: " <" + strings.Repeat("a", 256) + ">"},
		{name: "folded before it", value: " a\r\n <b.example>", want: "b.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := new(Fields)
			h.Add([]byte("List-ID"), []byte(tt.value))
			if got := topListID(h); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}

// FuzzListID: whatever a List-Id holds, what is kept of it is short, printable,
// in lower case and part of the field.
func FuzzListID(f *testing.F) {
	for _, s := range []string{` "List <x> of" <list-id.Example>`, " Foo.example.com ", " a <b", " <>", " <a\r\n b>", " <\xff>", " \t<b > <c>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		h := new(Fields)
		h.Add([]byte("List-Id"), value)
		got := topListID(h)
		bad := func(r rune) bool { return r <= ' ' || r > '~' || 'A' <= r && r <= 'Z' }
		if len(got) > maxListID || strings.ContainsFunc(got, bad) || !bytes.Contains(bytes.ToLower(value), []byte(got)) {
			t.Fatalf("%q: got %q", value, got)
		}
	})
}
