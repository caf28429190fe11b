package milter

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	protocol "github.com/emersion/go-milter"
)

const allEdits = protocol.OptAddHeader | protocol.OptChangeHeader | protocol.OptQuarantine

func TestEditsOnTheWire(t *testing.T) {
	tests := []struct {
		name  string
		edits []Edit
		want  []string // frames without length
	}{
		{name: "nothing"},
		{name: "deletions go from the highest index down, before all else",
			edits: []Edit{InsertHeader(0, "A", "1"), DeleteHeader("X", 1), DeleteHeader("X", 3), DeleteHeader("X", 2)},
			want:  []string{"m\x00\x00\x00\x03x\x00\x00", "m\x00\x00\x00\x02x\x00\x00", "m\x00\x00\x00\x01x\x00\x00", "i\x00\x00\x00\x00A\x00 1\x00"}},
		{name: "one field is deleted once, whatever the case of its name",
			edits: []Edit{DeleteHeader("x-a", 1), DeleteHeader("X-B", 1), DeleteHeader("X-A", 1)},
			want:  []string{"m\x00\x00\x00\x01x-a\x00\x00", "m\x00\x00\x00\x01x-b\x00\x00"}},
		{name: "insertions keep their order", edits: []Edit{InsertHeader(0, "A", "1"), InsertHeader(0, "B", "2"), InsertHeader(1, "C", "3")},
			want: []string{"i\x00\x00\x00\x00A\x00 1\x00", "i\x00\x00\x00\x00B\x00 2\x00", "i\x00\x00\x00\x01C\x00 3\x00"}},
		{name: "folded values have LF", edits: []Edit{InsertHeader(0, "A", "1;\r\n\tx\n y\r\n")},
			want: []string{"i\x00\x00\x00\x00A\x00 1;\n\tx\n y\x00"}},
		{name: "a value's own leading blanks do not add up", edits: []Edit{InsertHeader(0, "A", "  1")},
			want: []string{"i\x00\x00\x00\x00A\x00 1\x00"}},
		{name: "a value may be empty", edits: []Edit{InsertHeader(0, "A", "")}, want: []string{"i\x00\x00\x00\x00A\x00 \x00"}},
		{name: "a reason is one line of US-ASCII", edits: []Edit{Quarantine("a\r\nb\x00\u00e9")}, want: []string{"qa??b???\x00"}},
		{name: "a reason is never empty", edits: []Edit{Quarantine("")}, want: []string{"qquarantined\x00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := appendEdits(nil, tt.edits, allEdits, true)
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			for _, frame := range tt.want {
				want = appendFrame(want, frame[0], frame[1:])
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		edit    Edit
		granted protocol.OptAction
		want    string
	}{
		{name: "a deletion that was not granted", edit: DeleteHeader("A", 1), granted: allEdits &^ protocol.OptChangeHeader, want: "did not grant"},
		{name: "an insertion that was not granted", edit: InsertHeader(0, "A", ""), granted: allEdits &^ protocol.OptAddHeader, want: "did not grant"},
		{name: "a quarantine that was not granted", edit: Quarantine("x"), granted: allEdits &^ protocol.OptQuarantine, want: "did not grant"},
		{name: "no kind of edit", edit: Edit{}, granted: allEdits, want: "unknown edit"},
		{name: "deletion of index 0, which MTAs take for 1", edit: DeleteHeader("A", 0), granted: allEdits, want: "index 0"},
		{name: "a negative index", edit: InsertHeader(-1, "A", ""), granted: allEdits, want: "index -1"},
		{name: "an empty name", edit: InsertHeader(0, "", ""), granted: allEdits, want: "not a field name"},
		{name: "a name with a colon", edit: InsertHeader(0, "A:", ""), granted: allEdits, want: "not a field name"},
		{name: "a name with a line end", edit: DeleteHeader("A\n", 1), granted: allEdits, want: "not a field name"},
		{name: "a value with NUL", edit: InsertHeader(0, "A", "x\x00y"), granted: allEdits, want: "value holds"},
		{name: "a value with a lone CR", edit: InsertHeader(0, "A", "x\ry"), granted: allEdits, want: "value holds"},
		{name: "a value that would start another field", edit: InsertHeader(0, "A", "x\nB: y"), granted: allEdits, want: "does not start with a blank"},
		{name: "a frame that Sendmail would not read", edit: InsertHeader(0, "A", strings.Repeat("x", 65535)), granted: allEdits, want: "limit 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edits := []Edit{tt.edit}
			if got, err := appendEdits(nil, edits, tt.granted, true); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want error %q", got, err, tt.want)
			}
		})
	}
}

// judge refuses a message with a longer name to delete.
func TestLongNamesCanBeDeleted(t *testing.T) {
	if _, err := appendEdits(nil, []Edit{DeleteHeader(strings.Repeat("~", 500), 1)}, allEdits, true); err != nil {
		t.Error(err)
	}
}

func TestManyDeletionsAreSortedQuickly(t *testing.T) {
	var edits []Edit
	for i := range 50_000 {
		edits = append(edits, DeleteHeader("A", i%25_000+1))
	}
	got, err := appendEdits(nil, edits, allEdits, true)
	if err != nil {
		t.Fatal(err)
	}
	const frame = 12
	if len(got) != 25_000*frame {
		t.Fatalf("got %d octets, want %d", len(got), 25_000*frame)
	}
	for i := 0; i < len(got); i += frame {
		if index := binary.BigEndian.Uint32(got[i+5:]); int(index) != 25_000-i/frame {
			t.Fatalf("frame %d has index %d", i/frame, index)
		}
	}
}

// FuzzInsertHeader: an insertion that is sent holds one field, and nothing that
// ends it early.
func FuzzInsertHeader(f *testing.F) {
	f.Add("Authentication-Results", "mx;\r\n spf=pass", true)
	f.Add("A", "x\nB: y", false)
	f.Add("A\x00", "\x00", false)
	f.Fuzz(func(t *testing.T, name, value string, space bool) {
		out, err := appendEdits(nil, []Edit{InsertHeader(0, name, value)}, allEdits, space)
		if err != nil {
			return
		}
		parts := strings.Split(string(out[frameHeader+5:]), "\x00")
		if len(parts) != 3 || parts[0] != name || parts[2] != "" {
			t.Fatalf("got %q", out)
		}
		lines := strings.Split(parts[1], "\n")
		if strings.HasPrefix(parts[1], " ") != space && value != "" {
			t.Fatalf("value %q with leading space %v", parts[1], space)
		}
		for _, line := range lines[1:] {
			if line == "" || line[0] != ' ' && line[0] != '\t' || strings.Contains(line, "\r") {
				t.Fatalf("value %q has line %q", parts[1], line)
			}
		}
	})
}
