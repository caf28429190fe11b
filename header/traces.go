package header

import (
	"bytes"
	"strings"

	"alignd/evidence"
)

// maxListID is the longest List-Id that is kept. RFC 2919 section 3: 255
// octets.
const maxListID = 255

// TraceMarks collects the marks of lists and forwarders. Anyone can write
// them, so they corroborate and never prove (RFC 9989 section 7.4).
func TraceMarks(h *Fields) evidence.Traces {
	var t evidence.Traces
	for i := range h.Len() {
		f := h.At(i)
		name := f.Name()
		if len(name) == 0 {
			continue
		}
		switch name[0] | 0x20 {
		case 'a':
			t.ARC = t.ARC || isARC(f)
		case 'l':
			t.List = t.List || f.Is("List-Id") || f.Is("List-Post") || f.Is("List-Unsubscribe")
		case 'p':
			t.List = t.List || f.Is("Precedence") && isListPrecedence(f.Value())
		case 'r':
			t.Resent = t.Resent || hasPrefix(name, "Resent-")
			if f.Is("Received") {
				t.Received++
			}
		case 'x':
			t.Forwarded = t.Forwarded || hasPrefix(name, "X-Forwarded-")
		}
	}
	t.ListID = topListID(h)
	return t
}

func isARC(f Field) bool {
	return f.Is("ARC-Seal") || f.Is("ARC-Message-Signature") || f.Is("ARC-Authentication-Results")
}

func isListPrecedence(value []byte) bool {
	word := bytes.TrimSpace(value)
	return bytes.EqualFold(word, []byte("list")) || bytes.EqualFold(word, []byte("bulk"))
}

func hasPrefix(name []byte, prefix string) bool {
	return len(name) > len(prefix) && bytes.EqualFold(name[:len(prefix)], []byte(prefix))
}

// topListID returns the identifier of the topmost List-Id field that has one (RFC
// 2919 section 2): what stands in the last angle brackets, or the whole value
// where a list leaves them out; in lower case. It is empty when there is none,
// or when it is too long or holds anything but printable US-ASCII.
func topListID(h *Fields) string {
	for i := range h.Len() {
		if f := h.At(i); f.Is("List-Id") {
			if id := listID(f.Value()); id != "" {
				return id
			}
		}
	}
	return ""
}

func listID(value []byte) string {
	if open := bytes.LastIndexByte(value, '<'); open >= 0 {
		value = value[open+1:]
		end := bytes.IndexByte(value, '>')
		if end < 0 {
			return ""
		}
		value = value[:end]
	}
	value = bytes.TrimSpace(value)
	if len(value) > maxListID {
		return ""
	}
	for _, c := range value {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return strings.ToLower(string(value))
}

// maxMessageID is how much of a Message-ID is kept, in octets; ours. RFC 5322
// section 2.1.1 has lines of at most 998.
const maxMessageID = 998

// MessageID is the value of the topmost Message-ID field, unfolded and trimmed; empty
// without one.
func MessageID(h *Fields) string {
	for i := range h.Len() {
		if f := h.At(i); f.Is("Message-ID") {
			id := bytes.TrimSpace(bytes.ReplaceAll(bytes.ReplaceAll(f.Value(), []byte("\r"), nil), []byte("\n"), nil))
			return string(id[:min(len(id), maxMessageID)])
		}
	}
	return ""
}
