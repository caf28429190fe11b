package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

const from = "From a@b.example Mon Nov  2 10:00:00 2026\n"

// read gives each message as NAME|MARK|TEXT.
func read(t *testing.T, quoting Quoting, stdin io.Reader, names ...string) (got []string) {
	t.Helper()
	r := Reader{Stdin: stdin, Quoting: quoting,
		Message: func(m *Message) error {
			text, err := io.ReadAll(m)
			got = append(got, fmt.Sprintf("%s|%s|%s", filepath.Base(m.Name()), m.Mark, text))
			if err != nil {
				got = append(got, "error "+err.Error())
			}
			return nil
		},
		Unreadable: func(file string, err error) error {
			got = append(got, "unreadable "+filepath.Base(file))
			return nil
		}}
	for _, name := range names {
		if err := r.Read(name); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestMessagesOfAFile(t *testing.T) {
	for _, row := range []struct {
		name, text string
		quoting    Quoting
		want       []string
	}{
		{name: "one message", text: "A: b\n\nFrom here\n", want: []string{"-||A: b\n\nFrom here\n"}},
		{name: "nothing", text: "", want: []string{"-||"}},
		{name: "a byte order mark", text: "\ufeffA: b\n", want: []string{"-|UTF-8|A: b\n"}},
		{name: "a byte order mark before an mbox", text: "\ufeff" + from + "A: b\n", want: []string{"-#1|UTF-8|A: b\n"}},
		{name: "UTF-16 cannot be read", text: "\xff\xfeA\x00", want: []string{"-|UTF-16|\xff\xfeA\x00"}},
		{name: "a From line without date is the header reader's", text: "From here\nA: b\n", want: []string{"-||From here\nA: b\n"}},
		{name: "a field From", text: "From: a@b.example\n\n", want: []string{"-||From: a@b.example\n\n"}},
		{name: "an mbox of one", text: from + "A: b\n\nx\n\n", want: []string{"-#1||A: b\n\nx\n"}},
		{name: "without the last empty line", text: from + "A: b\n\nx", want: []string{"-#1||A: b\n\nx"}},
		{name: "two messages", text: from + "A: b\n\nx\n\n\n" + from + "C: d\n\ny\n\n", want: []string{"-#1||A: b\n\nx\n\n", "-#2||C: d\n\ny\n"}},
		{name: "CRLF", text: strings.ReplaceAll(from+"A: b\n\nx\n\n"+from+"C: d\n\ny\n", "\n", "\r\n"), want: []string{"-#1||A: b\r\n\r\nx\r\n", "-#2||C: d\r\n\r\ny\r\n"}},
		{name: "a header without body", text: from + "A: b\n\n" + from + "C: d\n", want: []string{"-#1||A: b\n\n", "-#2||C: d\n"}},
		{name: "a From line that no empty line precedes is text", text: from + "A: b\n\nx\n" + from, want: []string{"-#1||A: b\n\nx\n" + from}},
		{name: "a sentence is no From line", text: from + "A: b\n\nx\n\nFrom here on it was 10:00\n", want: []string{"-#1||A: b\n\nx\n\nFrom here on it was 10:00\n"}},
		{name: "mboxrd", quoting: MboxRD, text: from + "A: b\n\n>From x\n>>From y\n>x\n", want: []string{"-#1||A: b\n\nFrom x\n>From y\n>x\n"}},
		{name: "mboxo", quoting: MboxO, text: from + "A: b\n\n>From x\n>>From y\n", want: []string{"-#1||A: b\n\nFrom x\n>>From y\n"}},
		{name: "mboxcl", quoting: MboxCL, text: from + "A: b\n\n>From x\n", want: []string{"-#1||A: b\n\n>From x\n"}},
		{name: "a field is not quoted", quoting: MboxRD, text: from + ">From x\nA: b\n\n", want: []string{"-#1||>From x\nA: b\n\n"}},
		{name: "messages without text", text: from + "\n" + from + "\n\n", want: []string{"-#1||\n", "-#2||\n"}},
		{name: "a time zone", text: "From - Mon Nov 02 10:00:00 2026 +0000\nA: b\n", want: []string{"-#1||A: b\n"}},
	} {
		for kind, in := range map[string]io.Reader{"whole": strings.NewReader(row.text), "octet by octet": iotest.OneByteReader(strings.NewReader(row.text))} {
			if got := read(t, row.quoting, in, "-"); strings.Join(got, "\x00") != strings.Join(row.want, "\x00") {
				t.Errorf("%s, %s:\n got %q\nwant %q", row.name, kind, got, row.want)
			}
		}
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"maildir/cur/2:2,S": "A: 2\n", "maildir/cur/1:2,": "A: 1\n", "maildir/new/0": "A: 0\n", "maildir/tmp/9": "A: 9\n",
		"maildir/cur/.hidden": "", "maildir/dovecot.index": "x", "plain/b.eml": "A: b\n", "plain/a.eml": "A: a\n", "plain/sub/c.eml": "A: c\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ name, folder, want string }{
		{name: "a Maildir", folder: "maildir", want: "1:2,||A: 1\n2:2,S||A: 2\n0||A: 0\n"},
		{name: "a folder of files", folder: "plain", want: "a.eml||A: a\nb.eml||A: b\n"},
		{name: "a folder that does not exist", folder: "none", want: "unreadable none"},
	} {
		if got := strings.Join(read(t, "", nil, filepath.Join(dir, row.folder)), ""); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// What was read before a disk failed is handed out, and the failure told.
func TestReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, row := range []struct{ name, text, want string }{
		{name: "at once", text: "", want: "unreadable -"},
		{name: "in a message", text: "A: b\n", want: "-||A: b\n error broken unreadable -"},
		{name: "in an mbox", text: from + "A: b\n", want: "-#1||A: b\n error broken unreadable -"},
	} {
		in := io.MultiReader(strings.NewReader(row.text), iotest.ErrReader(broken))
		if got := strings.Join(read(t, "", in, "-"), " "); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// A mailbox larger than the memory is read with the memory of some lines.
func TestAnMboxIsStreamed(t *testing.T) {
	const size = 1 << 30
	messages := 0
	allocated := testing.AllocsPerRun(1, func() {
		messages = 0
		text := from + "A: b\n\n" + strings.Repeat("x", 3*lineBuffer) + "\n\n"
		in := &repeated{text: text, left: size / len(text) * len(text)}
		r := Reader{Stdin: in, Message: func(m *Message) error {
			messages++
			_, err := io.Copy(io.Discard, m)
			return err
		}}
		if err := r.Read("-"); err != nil {
			t.Fatal(err)
		}
	})
	if want := size / (len(from) + 7 + 3*lineBuffer + 2); messages < want-1 || messages > want+1 {
		t.Errorf("got %d messages, want %d", messages, want)
	}
	if perMessage := allocated / float64(messages); perMessage > 50 {
		t.Errorf("%.0f allocations a message", perMessage)
	}
}

// repeated is a text over and over.
type repeated struct {
	text     string
	at, left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(copy(p, r.text[r.at:]), r.left)
	r.at, r.left = (r.at+n)%len(r.text), r.left-n
	return n, nil
}

// What is written as mboxrd is read back.
func FuzzMboxRD(f *testing.F) {
	f.Add("x\n", "From y\n>From z\n\n")
	f.Add("From a Mon Nov  2 10:00:00 2026", "\n\n\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		var box strings.Builder
		want := ""
		for i, body := range []string{one, two} {
			body = strings.ReplaceAll(body, "\r", "") + "\n"
			want += fmt.Sprintf("-#%d||A: b\n\n%s", i+1, body)
			box.WriteString(from + "A: b\n\n")
			for line := range strings.Lines(body) {
				if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
					line = ">" + line
				}
				box.WriteString(line)
			}
			box.WriteString("\n")
		}
		if got := strings.Join(read(t, MboxRD, strings.NewReader(box.String()), "-"), ""); got != want {
			t.Fatalf("%q:\n got %q\nwant %q", box.String(), got, want)
		}
	})
}
