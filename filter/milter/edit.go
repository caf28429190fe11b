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

// Op is the kind of an Edit.
type Op int

// Kinds of edits. The zero value is none of them.
const (
	OpDelete Op = iota + 1
	OpInsert
	OpQuarantine
)

// Edit is one change of the message. Deletions are sent first, whatever their
// place; insertions are sent in the order given, so that of two at index 0 the
// later one stands above.
type Edit struct {
	Op Op
	// Name of the field, compared without regard to case.
	Name string
	// Index of a deletion counts the fields of this name as the Session was
	// shown them, from 1. Index of an insertion: 0 is above the MTA's own
	// Received field, 1 right below it.
	Index int
	// Value of an insertion without the space after the colon; LF or CRLF
	// before each continuation line. The reason of a quarantine.
	Value string
}

// DeleteHeader takes away the index-th field called name, counted from 1.
func DeleteHeader(name string, index int) Edit {
	return Edit{Op: OpDelete, Name: name, Index: index}
}

// InsertHeader puts a field in front of the one that stands at index.
func InsertHeader(index int, name, value string) Edit {
	return Edit{Op: OpInsert, Name: name, Index: index, Value: value}
}

// Quarantine holds the message in the MTA's queue. Postfix drops the reason.
func Quarantine(reason string) Edit {
	return Edit{Op: OpQuarantine, Value: reason}
}

// needs maps each kind to the action that the MTA must have granted.
var needs = map[Op]protocol.OptAction{
	OpDelete:     protocol.OptChangeHeader,
	OpInsert:     protocol.OptAddHeader,
	OpQuarantine: protocol.OptQuarantine,
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
		switch e.Op {
		case OpInsert:
			value, err := wireValue(e.Value, leadingSpace)
			if err != nil {
				return nil, fmt.Errorf("inserting %s: %w", e.Name, err)
			}
			dst = appendHeaderEdit(dst, protocol.ActInsertHeader, e, value)
		case OpQuarantine:
			dst = appendFrame(dst, byte(protocol.ActQuarantine), plainReason(e.Value)+"\x00")
		}
		if n := len(dst) - start - frameHeader; n > maxSentFrame {
			return nil, fmt.Errorf("inserting %s: %d octets, limit %d", e.Name, n, maxSentFrame)
		}
	}
	return dst, nil
}

func (e Edit) check(granted protocol.OptAction) error {
	need, known := needs[e.Op]
	switch {
	case !known:
		return fmt.Errorf("unknown edit %d", e.Op)
	case granted&need == 0:
		return fmt.Errorf("edit of %q needs action %#x, which the MTA did not grant", e.Name, uint32(need))
	case e.Op == OpQuarantine:
		return nil
	case !validName(e.Name):
		return fmt.Errorf("%q is not a field name", e.Name)
	case e.Index < 0 || e.Op == OpDelete && e.Index == 0 || uint64(e.Index) > math.MaxUint32:
		return fmt.Errorf("edit of %s has index %d", e.Name, e.Index)
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
		if e.Op == OpDelete {
			e.Name = strings.ToLower(e.Name)
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(b.Index, a.Index), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(list)
}

func appendHeaderEdit(dst []byte, code protocol.ModifyActCode, e Edit, value string) []byte {
	dst, start := openFrame(dst, byte(code))
	n := uint32(e.Index)
	dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return closeFrame(appendString(appendString(dst, e.Name), value), start)
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
