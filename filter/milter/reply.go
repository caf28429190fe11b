package milter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	protocol "github.com/emersion/go-milter"
)

// Limits of a reply text.
const (
	// maxReplyLine is the longest line of a reply in octets, its code and CRLF
	// included. RFC 5321 section 4.5.3.1.5.
	maxReplyLine = 512
	// maxReplyLines is how many lines libmilter allows in one reply.
	maxReplyLines = 32
)

// Reply is what the MTA tells the SMTP client about a message. The zero value is
// no reply; a Session that returns it has failed. Replies can be compared.
type Reply struct {
	action   protocol.ActionCode
	code     int
	enhanced string
	text     string
}

// Accept lets the message pass, with its edits. A further filter of the MTA is
// asked all the same.
var Accept = Reply{action: protocol.ActAccept}

// Text refuses the message with a 5xx code or defers it with a 4xx code.
// enhanced is an enhanced status code of the same class (RFC 3463), or empty.
// text is US-ASCII; LF or CRLF divides lines. CheckReply tells whether an MTA
// will take it.
func Text(code int, enhanced, text string) Reply {
	return Reply{action: protocol.ActReplyCode, code: code, enhanced: enhanced, text: text}
}

// Delivers reports whether the message passes: only then edits have a meaning.
func (r Reply) Delivers() bool { return r.action == protocol.ActAccept }

// Parts are those of a reply that refuses or defers; ok is false for another one.
func (r Reply) Parts() (code int, enhanced, text string, ok bool) {
	return r.code, r.enhanced, r.text, r.action == protocol.ActReplyCode
}

// String is the reply for logs: "accept", or "550 5.7.1 text" with lines divided
// by " / ".
func (r Reply) String() string {
	switch r.action {
	case protocol.ActAccept:
		return "accept"
	case protocol.ActReplyCode:
		var lines []string
		for i, line := range r.lines() {
			if i == 0 {
				line = r.prefix(" ") + line
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, " / ")
	}
	return "none"
}

// CheckReply reports why an MTA would not pass on r as it is. Postfix drops a
// filter for the rest of the session when code and enhanced code are of two
// classes, and strays from text that is not plain US-ASCII.
func CheckReply(r Reply) error {
	switch r.action {
	case protocol.ActAccept:
		return nil
	case protocol.ActReplyCode:
	default:
		return errors.New("reply is empty")
	}
	// RFC 5321 section 4.2: the first digit is 2 to 5, the second 0 to 5.
	class := r.code / 100
	if class != 4 && class != 5 || r.code%100/10 > 5 {
		return fmt.Errorf("reply code %d is neither 4xx nor 5xx", r.code)
	}
	if r.enhanced != "" && !validEnhanced(r.enhanced, class) {
		return fmt.Errorf("enhanced status code %q is not of the form %d.x.y", r.enhanced, class)
	}
	return r.checkText()
}

func (r Reply) checkText() error {
	lines := r.lines()
	if len(lines) > maxReplyLines {
		return fmt.Errorf("reply has %d lines, limit %d", len(lines), maxReplyLines)
	}
	for _, line := range lines {
		if n := len(r.prefix(" ")) + len(line) + len("\r\n"); n > maxReplyLine {
			return fmt.Errorf("reply line has %d octets, limit %d", n, maxReplyLine)
		}
		for i := range len(line) {
			if line[i] < ' ' || line[i] > '~' {
				return fmt.Errorf("reply text %q holds %q, which is not printable US-ASCII", line, line[i])
			}
		}
	}
	return nil
}

// validEnhanced checks the form of RFC 3463 section 2: class.subject.detail,
// the last two of one to three digits without leading zeros.
func validEnhanced(text string, class int) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(class) {
		return false
	}
	for _, part := range parts[1:] {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || n > 999 || strconv.FormatUint(n, 10) != part {
			return false
		}
	}
	return true
}

func (r Reply) lines() []string {
	return strings.Split(strings.ReplaceAll(r.text, "\r\n", "\n"), "\n")
}

// prefix is what each line starts with; sep stands after the code.
func (r Reply) prefix(sep string) string {
	if r.enhanced == "" {
		return strconv.Itoa(r.code) + sep
	}
	return strconv.Itoa(r.code) + sep + r.enhanced + " "
}

// append appends the frame of a valid reply. A percent sign is doubled, as both
// MTAs expand the text.
func (r Reply) append(dst []byte) []byte {
	if r.action != protocol.ActReplyCode {
		return appendFrame(dst, byte(r.action), "")
	}
	dst, start := openFrame(dst, byte(protocol.ActReplyCode))
	lines := r.lines()
	for i, line := range lines {
		if i < len(lines)-1 {
			dst = append(dst, r.prefix("-")...)
		} else {
			dst = append(dst, r.prefix(" ")...)
		}
		dst = append(dst, strings.ReplaceAll(line, "%", "%%")...)
		if i < len(lines)-1 {
			dst = append(dst, "\r\n"...)
		}
	}
	return closeFrame(append(dst, 0), start)
}
