package judge

import (
	"bytes"
	"slices"
	"strings"

	"alignd/authres"
	"alignd/header"
)

// carriers are the fields with a line inside that many readers show as a field of its own
// (header.Fields.Hidden), one that would be deleted if it were one. They are deleted
// whole: a milter knows no part of a field, and no honest message has such a line (RFC
// 5322 section 2.2). The last one first.
type carriers struct {
	results []Field // Authentication-Results or Received-SPF
	tag     []Field // our disposition field
}

func (c *carriers) any() bool { return len(c.results)+len(c.tag) > 0 }

// carriersIn looks at the fields of a whole header.
func (m *Marks) carriersIn(fields *header.Fields) carriers {
	var results, tag []int
	last := -1
	fields.Hidden(func(at int, name, value []byte) {
		switch {
		case m.claims(name, value):
			results, last = append(results, at), at
		case equalFold(name, m.s.TagName):
			tag, last = append(tag, at), at
		}
	})
	if last < 0 {
		return carriers{}
	}
	numbers := make([]Field, last+1)
	count := map[string]int{}
	for i := range numbers {
		name := string(bytes.TrimRight(fields.At(i).Name(), " \t"))
		lower := strings.ToLower(name)
		count[lower]++
		numbers[i] = Field{name, count[lower]}
	}
	pick := func(at []int) (list []Field) {
		for _, i := range slices.Backward(slices.Compact(at)) {
			list = append(list, numbers[i])
		}
		return list
	}
	return carriers{results: pick(results), tag: pick(tag)}
}

// claims reports whether a hidden field would be deleted for what it says. None is of
// a filter in front.
func (m *Marks) claims(name, value []byte) bool {
	switch s := m.s; {
	case s.Strip == StripNone:
		return false
	case equalFold(name, authres.FieldName):
		return s.Strip == StripAll || m.own.Claims(value)
	default:
		return s.ReceivedSPF && equalFold(name, authres.ReceivedSPFName)
	}
}
