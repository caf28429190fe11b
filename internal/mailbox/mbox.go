package mailbox

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
)

// Quoting is how the writer of an mbox kept lines that begin with "From " from
// being taken for the next message.
type Quoting string

// The ways of quoting. RFC 4155 appendix A leaves it open.
const (
	// MboxRD: ">" stands before "From ", and before those that have it already.
	MboxRD Quoting = "mboxrd"
	// MboxO: ">" stands before "From " only, so that ">From " may have been so.
	MboxO Quoting = "mboxo"
	// MboxCL: nothing is quoted, or the marks are to stay.
	MboxCL Quoting = "mboxcl"
)

var quotings = []string{string(MboxRD), string(MboxO), string(MboxCL)}

// separator is the line in front of a message: "From ", an address, and a date as
// asctime(3) writes it, perhaps with a time zone. Postfix, Dovecot, mutt and
// Thunderbird write it so. A line of a text that begins with "From " has no time and
// year behind it.
var separator = regexp.MustCompile(`^From .*\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b.*\b[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?\b.*\b[0-9]{4}\b`)

// maxSeparator is the longest "From " line, in octets; ours. RFC 5321 section
// 4.5.3.1.3 lets a path have 256.
const maxSeparator = 1024

func isSeparator(line []byte) bool {
	return len(line) <= maxSeparator && bytes.HasPrefix(line, []byte("From ")) && separator.Match(line)
}

// mbox reads the messages of an mbox file; its Read ends at the end of a message.
// The empty line that a writer puts behind each message is no part of it.
type mbox struct {
	r       *bufio.Reader
	quoting Quoting

	out    []byte // what is read and not handed out yet
	blank  []byte // an empty line that may be the one behind the message
	mid    bool   // the next octets go on with a line
	body   bool   // the empty line behind the header has come
	after  bool   // the last line was empty
	inside bool   // a message has begun and not ended
	ahead  bool   // the "From " line of the next message was read
	err    error
}

// next begins the next message; false when there is none.
func (b *mbox) next() bool {
	if !b.ahead {
		line, err := b.r.ReadSlice('\n')
		if !isSeparator(line) || err != nil && err != io.EOF {
			return false
		}
		if err == io.EOF {
			b.err = io.EOF
		}
	}
	b.ahead, b.inside, b.body, b.mid, b.blank, b.after = false, true, false, false, nil, true
	return true
}

func (b *mbox) Read(p []byte) (int, error) {
	for len(b.out) == 0 {
		if !b.inside {
			return 0, io.EOF
		}
		if b.err != nil {
			b.inside = false
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// fill reads a line, or a part of a long one, to out.
func (b *mbox) fill() {
	line, err := b.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		b.err = err
	}
	begins, after := !b.mid, b.after
	b.mid = err == bufio.ErrBufferFull
	if len(line) == 0 {
		return
	}
	empty := begins && (string(line) == "\n" || string(line) == "\r\n")
	b.after = empty
	switch {
	case empty && b.body:
		b.out, b.blank = append(b.out[:0], b.blank...), append([]byte(nil), line...)
		return
	case empty: // the end of the header
		b.body = true
		b.out, b.blank = append(b.out[:0], line...), nil
		return
	case begins && after && isSeparator(line):
		b.ahead, b.inside = true, false
		return
	}
	if begins && b.body {
		line = b.unquoted(line)
	}
	b.out = append(append(b.out[:0], b.blank...), line...)
	b.blank = nil
}

// unquoted takes off the mark that the writer has put before "From ".
func (b *mbox) unquoted(line []byte) []byte {
	if line[0] != '>' || b.quoting == MboxCL {
		return line
	}
	rest := bytes.TrimLeft(line, ">")
	if !bytes.HasPrefix(rest, []byte("From ")) || b.quoting == MboxO && len(line)-len(rest) != 1 {
		return line
	}
	return line[1:]
}
