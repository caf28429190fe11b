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
		{"a plain message has none", "Received: a\nFrom: b\nReceived: c\nReceived-SPF: pass", evidence.Traces{Received: 2}},
		{"List-Id", "List-Id: A list <Foo.Example.COM>", evidence.Traces{List: true, ListID: "foo.example.com"}},
		{"List-Unsubscribe", "list-unsubscribe: <mailto:a@b.example>", evidence.Traces{List: true}},
		{"List-Post", "LIST-POST: <mailto:a@b.example>", evidence.Traces{List: true}},
		{"Precedence list", "Precedence: List", evidence.Traces{List: true}},
		{"Precedence bulk", "Precedence:bulk", evidence.Traces{List: true}},
		{"Precedence junk", "Precedence: junk", evidence.Traces{}},
		{"resent", "Resent-From: a@b.example", evidence.Traces{Resent: true}},
		{"forwarded", "X-Forwarded-To: a@b.example", evidence.Traces{Forwarded: true}},
		{"ARC", "ARC-Seal: i=1", evidence.Traces{ARC: true}},
		{"another field that starts alike", "ARC-Foo: i=1\nX-Forwarded-: a\nResent-: b", evidence.Traces{}},
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
		{"a description and an identifier", ` "List <x> of" <list-id.Example>`, "list-id.example"},
		{"without brackets", " Foo.example.com ", "foo.example.com"},
		{"a description only", " some list", ""},
		{"an open bracket", " a <b", ""},
		{"an empty one", " a <>", ""},
		{"space inside", " <a b>", ""},
		{"outside text that is not US-ASCII", " <a\xff>", ""},
		{"a line break inside", " <a\r\n b>", ""},
		{"above 255 octets", " <" + strings.Repeat("a", 256) + ">", ""},
		{"folded before it", " a\r\n <b.example>", "b.example"},
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
