package judge

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"alignd/authres"
	"alignd/header"
)

// Marks remembers which incoming fields are to be deleted, while the header
// comes by.
type Marks struct {
	own      authres.Own
	s        *Settings
	scratch  *Scratch
	results  numbered // Authentication-Results
	tag      numbered // our disposition field
	spf      numbered // Received-SPF
	front    incumbents
	carriers carriers
}

// numbered counts the fields of one name and keeps the numbers to delete. An MTA
// knows a field by its name and its number among the fields of that name, from 1, in
// this message.
type numbered struct {
	count   int
	deleted []int
}

// NewMarks is for a message that came through an MTA named mta. c is its connection's.
func (s *Settings) NewMarks(mta string, c *Scratch) *Marks {
	return &Marks{own: c.own.of(s, mta), s: s, scratch: c, front: incumbentsOf(s.CompareWith)}
}

// MarksOf are the marks of a whole header.
func (s *Settings) MarksOf(mta string, fields *header.Fields) *Marks {
	m := s.NewMarks(mta, new(Scratch))
	for i := range fields.Len() {
		f := fields.At(i)
		m.Note(f.Name(), f.Value())
	}
	return m
}

// Note looks at one field. White space before the colon (RFC 5322 section 4.5)
// is no part of the name: the MTA that deletes the field does not count it so.
func (m *Marks) Note(name, value []byte) {
	name = bytes.TrimRight(name, " \t")
	s := m.s
	switch {
	case equalFold(name, authres.FieldName):
		m.results.count++
		if m.front.wrote(value) {
			return // users' filters read it
		}
		if s.Strip == StripAll || s.Strip != StripNone && m.own.Claims(value) {
			m.results.delete()
		}
	case equalFold(name, authres.ReceivedSPFName):
		// Where we write the field, one that came with the message would be read
		// for it, whatever receiver it claims (RFC 7208 section 9.1).
		m.spf.count++
		if s.ReceivedSPF && s.Strip != StripNone {
			m.spf.delete()
		}
	case equalFold(name, s.TagName):
		m.tag.count++
		m.tag.delete()
	case equalFold(name, "Received"):
		m.front.received()
	}
}

// delete marks the field that was just counted.
func (n *numbered) delete() { n.deleted = append(n.deleted, n.count) }

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

// Field names an incoming field, as numbered counts it.
type Field struct {
	Name   string
	Number int
}

// Deletions are the fields that go when the message is delivered, those of a name
// together, the last one first.
func (j *Judgement) Deletions() []Field {
	if j.marks == nil {
		return nil
	}
	var list []Field
	add := func(name string, n numbered) {
		for _, number := range slices.Backward(n.deleted) {
			list = append(list, Field{name, number})
		}
	}
	if !j.keepsResults() {
		add(authres.FieldName, j.marks.results)
		add(authres.ReceivedSPFName, j.marks.spf)
	}
	add(j.marks.s.TagName, j.marks.tag)
	return j.addCarriers(list)
}

// addCarriers puts the fields that hide others in their places.
func (j *Judgement) addCarriers(list []Field) []Field {
	more := j.marks.carriers.tag
	if !j.keepsResults() {
		more = slices.Concat(j.marks.carriers.results, more)
	}
	if len(more) == 0 {
		return list
	}
	list = append(list, more...)
	slices.SortStableFunc(list, func(a, b Field) int {
		return cmp.Or(compareFold(a.Name, b.Name), cmp.Compare(b.Number, a.Number))
	})
	return slices.CompactFunc(list, func(a, b Field) bool { return a.Number == b.Number && compareFold(a.Name, b.Name) == 0 })
}

func compareFold(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }

// Deleted is how many Deletions there are.
func (j *Judgement) Deleted() int {
	switch m := j.marks; {
	case m == nil:
		return 0
	case m.carriers.any():
		return len(j.Deletions())
	}
	n := len(j.marks.tag.deleted)
	if !j.keepsResults() {
		n += len(j.marks.results.deleted) + len(j.marks.spf.deleted)
	}
	return n
}
