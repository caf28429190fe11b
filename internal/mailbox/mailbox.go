// Package mailbox hands out, one after the other, the messages that people keep in
// files: a message a file, mbox files (RFC 4155) and Maildir folders. Nothing is
// held but a line, so a mailbox may be larger than the memory.
//
// What a file is is told by its content: one that begins with a "From " line that
// has a date is an mbox. A byte order mark in front is read past and told.
package mailbox

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Message is one message. Its Reader is valid until the function that got it
// returns.
type Message struct {
	File string
	// Number is the place in an mbox file, from 1; 0 in a file that is no mbox.
	Number int
	// Mark is the byte order mark in front of the file: "UTF-8", or "UTF-16", which
	// is not read past, as nothing behind it can be read; else empty.
	Mark string
	io.Reader
}

// Name is the file, and the place in it where it may hold several messages.
func (m *Message) Name() string {
	if m.Number == 0 {
		return m.File
	}
	return fmt.Sprintf("%s#%d", m.File, m.Number)
}

// Reader hands out messages.
type Reader struct {
	// Stdin is read for the name "-".
	Stdin io.Reader
	// Quoting is how lines of an mbox that begin with "From " were quoted.
	Quoting Quoting
	// Message gets each message; its error ends all.
	Message func(*Message) error
	// Unreadable gets a file that cannot be read, and its error ends all.
	Unreadable func(file string, err error) error
}

// Read hands out the messages of a file, of standard input ("-"), or of the files
// in a folder. Its error is that of Message or Unreadable.
func (r *Reader) Read(name string) error {
	if name == "-" {
		return r.stream(name, r.Stdin)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return r.Unreadable(name, err)
	case info.IsDir():
		return r.folder(name)
	}
	return r.file(name)
}

func (r *Reader) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return r.Unreadable(name, err)
	}
	defer f.Close()
	return r.stream(name, f)
}

// folder reads a Maildir, new messages after those seen, or the files that a
// folder holds, by name. Folders in it, hidden files and what is no file are left
// out.
func (r *Reader) folder(name string) error {
	folders := []string{name}
	if isDir(filepath.Join(name, "cur")) && isDir(filepath.Join(name, "new")) {
		folders = []string{filepath.Join(name, "cur"), filepath.Join(name, "new")}
	}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			if err = r.Unreadable(folder, err); err != nil {
				return err
			}
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if strings.HasPrefix(e.Name(), ".") || !isFile(path) {
				continue
			}
			if err := r.file(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular() // what cannot be looked at is told when it is opened
}

// marks are what some editors write in front of a text. No MTA does.
var marks = []struct {
	octets, name string
	past         bool
}{
	{"\xef\xbb\xbf", "UTF-8", true},
	{"\xff\xfe", "UTF-16", false},
	{"\xfe\xff", "UTF-16", false},
}

// lineBuffer is the longest line that can be a "From " line; ours.
const lineBuffer = 64 << 10

func (r *Reader) stream(name string, in io.Reader) error {
	watch := &watched{r: in}
	b := bufio.NewReaderSize(watch, lineBuffer)
	mark := ""
	for _, m := range marks {
		if head, _ := b.Peek(len(m.octets)); string(head) == m.octets {
			if mark = m.name; m.past {
				_, _ = b.Discard(len(m.octets)) // it was read already
			}
			break
		}
	}
	messages := r.single
	if first, _ := b.Peek(lineBuffer); isSeparator(firstLine(first)) {
		messages = r.mbox
	}
	if watch.err != nil && b.Buffered() == 0 {
		return r.Unreadable(name, watch.err)
	}
	if err := messages(name, mark, b); err != nil {
		return err
	}
	if watch.err != nil {
		return r.Unreadable(name, watch.err)
	}
	return nil
}

func firstLine(text []byte) []byte {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return text[:end+1]
	}
	return text
}

func (r *Reader) single(name, mark string, b *bufio.Reader) error {
	return r.Message(&Message{File: name, Mark: mark, Reader: b})
}

func (r *Reader) mbox(name, mark string, b *bufio.Reader) error {
	box := mbox{r: b, quoting: r.Quoting}
	for number := 1; box.next(); number++ {
		err := r.Message(&Message{File: name, Number: number, Mark: mark, Reader: &box})
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, &box); err != nil {
			return nil // stream tells
		}
		mark = ""
	}
	return nil
}

// watched keeps the error that reading ended with, but for the end of the file.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// Quotings are the names of the ways of quoting.
func Quotings() []string { return slices.Clone(quotings) }
