package milter

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	protocol "github.com/emersion/go-milter"
)

// Response is what a Session answers at end of message. Edits are carried out
// only when Reply lets the message pass.
type Response struct {
	Edits []Edit
	Reply Reply
}

// op is the kind of an Edit.
type op int

// Kinds of edits. The zero value is none of them.
const (
	opDelete op = iota + 1
	opInsert
	opQuarantine
)

// Edit is one change of the message. Deletions are sent first, whatever their
// place; insertions are sent in the order given, so that of two at index 0 the
// later one stands above.
type Edit struct {
	op op
	// name of the field, compared without regard to case.
	name string
	// index of a deletion counts the fields of this name as the Session was
	// shown them, from 1. Index of an insertion: 0 is above the MTA's own
	// Received field, 1 right below it.
	index int
	// value of an insertion without the space after the colon; LF or CRLF
	// before each continuation line. The reason of a quarantine.
	value string
}

// DeleteHeader takes away the index-th field called name, counted from 1.
func DeleteHeader(name string, index int) Edit {
	return Edit{op: opDelete, name: name, index: index}
}

// InsertHeader puts a field in front of the one that stands at index.
func InsertHeader(index int, name, value string) Edit {
	return Edit{op: opInsert, name: name, index: index, value: value}
}

// Quarantine holds the message in the MTA's queue. Postfix drops the reason.
func Quarantine(reason string) Edit {
	return Edit{op: opQuarantine, value: reason}
}

// needs maps each kind to the action that the MTA must have granted.
var needs = map[op]protocol.OptAction{
	opDelete:     protocol.OptChangeHeader,
	opInsert:     protocol.OptAddHeader,
	opQuarantine: protocol.OptQuarantine,
}

// appendEdits appends the frames of all edits, or returns an error when one of
// them cannot be sent.
func appendEdits(dst []byte, edits []Edit, granted protocol.OptAction, leadingSpace bool) ([]byte, error) {
	for _, e := range edits {
		if err := e.check(granted); err != nil {
			return nil, err
		}
	}
	for _, e := range deletions(edits) {
		dst = appendHeaderEdit(dst, protocol.ActChangeHeader, e, "")
	}
	for _, e := range edits {
		start := len(dst)
		switch e.op {
		case opInsert:
			value, err := wireValue(e.value, leadingSpace)
			if err != nil {
				return nil, fmt.Errorf("inserting %s: %w", e.name, err)
			}
			dst = appendHeaderEdit(dst, protocol.ActInsertHeader, e, value)
		case opQuarantine:
			dst = appendFrame(dst, byte(protocol.ActQuarantine), plainReason(e.value)+"\x00")
		}
		if n := len(dst) - start - frameHeader; n > maxSentFrame {
			return nil, fmt.Errorf("inserting %s: %d octets, limit %d", e.name, n, maxSentFrame)
		}
	}
	return dst, nil
}

func (e Edit) check(granted protocol.OptAction) error {
	need, known := needs[e.op]
	switch {
	case !known:
		return fmt.Errorf("unknown edit %d", e.op)
	case granted&need == 0:
		return fmt.Errorf("edit of %q needs action %#x, which the MTA did not grant", e.name, uint32(need))
	case e.op == opQuarantine:
		return nil
	case !validName(e.name):
		return fmt.Errorf("%q is not a field name", e.name)
	case e.index < 0 || e.op == opDelete && e.index == 0 || uint64(e.index) > math.MaxUint32:
		return fmt.Errorf("edit of %s has index %d", e.name, e.index)
	}
	return nil
}

// validName checks a field name (RFC 5322 section 2.2).
func validName(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' || name[i] == ':' {
			return false
		}
	}
	return name != "" && len(name) < maxReplyLine
}

// deletions returns the deletions from the highest index down, each one once:
// Postfix counts what is left, so a lower one first would shift the others.
func deletions(edits []Edit) []Edit {
	var list []Edit
	for _, e := range edits {
		if e.op == opDelete {
			e.name = strings.ToLower(e.name)
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(b.index, a.index), cmp.Compare(a.name, b.name))
	})
	return slices.Compact(list)
}

func appendHeaderEdit(dst []byte, code protocol.ModifyActCode, e Edit, value string) []byte {
	dst, start := openFrame(dst, byte(code))
	n := uint32(e.index)
	dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return closeFrame(appendString(appendString(dst, e.name), value), start)
}

// wireValue turns a value into what MTAs take: lines divided by LF, and a space
// in front if and only if leading spaces were granted; else they add their own.
func wireValue(value string, leadingSpace bool) (string, error) {
	value = strings.ReplaceAll(value, "\r\n", "\n")
	value = strings.TrimRight(value, "\n")
	for i := range len(value) {
		switch value[i] {
		case 0, '\r':
			return "", fmt.Errorf("value holds %q", value[i])
		case '\n':
			if next := value[i+1]; next != ' ' && next != '\t' {
				return "", errors.New("value has a line that does not start with a blank")
			}
		}
	}
	value = strings.TrimLeft(value, " \t")
	if leadingSpace {
		return " " + value, nil
	}
	return value, nil
}

// plainReason makes a text one line of printable US-ASCII: it ends up in the
// MTA's queue file.
func plainReason(text string) string {
	if text == "" {
		return "quarantined"
	}
	plain := []byte(text[:min(len(text), maxReplyLine)])
	for i, c := range plain {
		if c < ' ' || c > '~' {
			plain[i] = '?'
		}
	}
	return string(plain)
}
