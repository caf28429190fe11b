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
		{"nothing", nil, nil},
		{"deletions go from the highest index down, before all else",
			[]Edit{InsertHeader(0, "A", "1"), DeleteHeader("X", 1), DeleteHeader("X", 3), DeleteHeader("X", 2)},
			[]string{"m\x00\x00\x00\x03x\x00\x00", "m\x00\x00\x00\x02x\x00\x00", "m\x00\x00\x00\x01x\x00\x00", "i\x00\x00\x00\x00A\x00 1\x00"}},
		{"one field is deleted once, whatever the case of its name",
			[]Edit{DeleteHeader("x-a", 1), DeleteHeader("X-B", 1), DeleteHeader("X-A", 1)},
			[]string{"m\x00\x00\x00\x01x-a\x00\x00", "m\x00\x00\x00\x01x-b\x00\x00"}},
		{"insertions keep their order", []Edit{InsertHeader(0, "A", "1"), InsertHeader(0, "B", "2"), InsertHeader(1, "C", "3")},
			[]string{"i\x00\x00\x00\x00A\x00 1\x00", "i\x00\x00\x00\x00B\x00 2\x00", "i\x00\x00\x00\x01C\x00 3\x00"}},
		{"folded values have LF", []Edit{InsertHeader(0, "A", "1;\r\n\tx\n y\r\n")},
			[]string{"i\x00\x00\x00\x00A\x00 1;\n\tx\n y\x00"}},
		{"a value's own leading blanks do not add up", []Edit{InsertHeader(0, "A", "  1")},
			[]string{"i\x00\x00\x00\x00A\x00 1\x00"}},
		{"a value may be empty", []Edit{InsertHeader(0, "A", "")}, []string{"i\x00\x00\x00\x00A\x00 \x00"}},
		{"a reason is one line of US-ASCII", []Edit{Quarantine("a\r\nb\x00\u00e9")}, []string{"qa??b???\x00"}},
		{"a reason is never empty", []Edit{Quarantine("")}, []string{"qquarantined\x00"}},
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
		{"a deletion that was not granted", DeleteHeader("A", 1), allEdits &^ protocol.OptChangeHeader, "did not grant"},
		{"an insertion that was not granted", InsertHeader(0, "A", ""), allEdits &^ protocol.OptAddHeader, "did not grant"},
		{"a quarantine that was not granted", Quarantine("x"), allEdits &^ protocol.OptQuarantine, "did not grant"},
		{"no kind of edit", Edit{}, allEdits, "unknown edit"},
		{"deletion of index 0, which MTAs take for 1", DeleteHeader("A", 0), allEdits, "index 0"},
		{"a negative index", InsertHeader(-1, "A", ""), allEdits, "index -1"},
		{"an empty name", InsertHeader(0, "", ""), allEdits, "not a field name"},
		{"a name with a colon", InsertHeader(0, "A:", ""), allEdits, "not a field name"},
		{"a name with a line end", DeleteHeader("A\n", 1), allEdits, "not a field name"},
		{"a value with NUL", InsertHeader(0, "A", "x\x00y"), allEdits, "value holds"},
		{"a value with a lone CR", InsertHeader(0, "A", "x\ry"), allEdits, "value holds"},
		{"a value that would start another field", InsertHeader(0, "A", "x\nB: y"), allEdits, "does not start with a blank"},
		{"a frame that Sendmail would not read", InsertHeader(0, "A", strings.Repeat("x", 65535)), allEdits, "limit 65535"},
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
