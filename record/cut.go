package record

import (
	"reflect"
	"slices"

	"alignd/evidence"
)

// part is what is cut in one piece.
type part struct {
	// sections are marked in Cut, and no longer looked at in what is kept.
	sections evidence.Sections
	// room is how many octets the part may always take: it is not cut before.
	room int
	// fields are what the part consists of: pointers into r, which are set to
	// zero, the form of what was not looked at.
	fields func(r *Record) []any
}

// parts are ordered by need, the least needed first. All rooms together are less
// than half of a record; the rest is for what belongs to no part.
var parts = []part{
	{evidence.SectionQuestions, 1 << 10, func(r *Record) []any { return []any{&r.Evidence.Failed, &r.Evidence.Problems} }},
	{evidence.SectionTexts, 2 << 10, texts},
	{evidence.SectionSigned, 2 << 10, signedHeaders},
	{evidence.SectionWords, 2 << 10, words},
	{evidence.SectionReceived, 2 << 10, func(r *Record) []any { return []any{&r.Evidence.Received} }},
	{evidence.SectionIPRev, 1 << 10, func(r *Record) []any { return []any{&r.Evidence.IPRev} }},
	{evidence.SectionARC, 4 << 10, func(r *Record) []any { return []any{&r.Evidence.ARC} }},
	{evidence.SectionTraces, 1 << 10, func(r *Record) []any { return []any{&r.Evidence.Traces} }},
	{evidence.SectionRecipients, 2 << 10, func(r *Record) []any { return []any{&r.Evidence.Recipients} }},
	{evidence.SectionDKIM, 4 << 10, signatures},
	{evidence.SectionSPF | evidence.SectionHELO, 2 << 10, func(r *Record) []any { return []any{&r.Evidence.SPF} }},
	{evidence.SectionDMARC, 4 << 10, func(r *Record) []any { return []any{&r.Evidence.DMARC} }},
	{evidence.SectionFrom, 2 << 10, func(r *Record) []any { return []any{&r.Evidence.From} }},
}

// texts are read by people and reports, and by no rule.
func texts(r *Record) []any {
	ev := &r.Evidence
	list := []any{&ev.MessageID, &ev.From.Detail, &ev.IPRev.Unconfirmed, &ev.IPRev.Reason, &ev.Incumbents}
	for _, c := range []*evidence.SPFCheck{ev.SPF.MailFrom, ev.SPF.HELO} {
		if c != nil {
			list = append(list, &c.Explanation, &c.Reason, &c.Record, &c.Path)
		}
	}
	for i := range ev.DMARC {
		p := &ev.DMARC[i].Published
		list = append(list, &p.Text, &p.FailureOpts, &p.RUA, &p.RUF, &p.OtherRUA, &p.Errors)
	}
	return list
}

func signedHeaders(r *Record) []any {
	var list []any
	for i := range r.Evidence.DKIM {
		s := &r.Evidence.DKIM[i]
		list = append(list, &s.SignedHeaders, &s.KeyCNAMEs)
	}
	return list
}

// signatures goes with the indexes that point to them.
func signatures(r *Record) []any {
	list := []any{&r.Evidence.DKIM}
	for i := range r.Evidence.DMARC {
		list = append(list, &r.Evidence.DMARC[i].AlignedDKIM)
	}
	return list
}

// words are those of the verdict and the outcome.
func words(r *Record) []any {
	v := &r.Verdict
	return []any{&v.Reason, &v.OverrideComment, &v.Recipient, &v.Signals, &v.Authors, &v.TagValue, &r.Outcome.Problem}
}

// cut is r without as many parts as it takes to fit: the longest goes first, but
// one that is needed more only when it is half as long again. What was cut is in
// Cut, and no longer among what was looked at, so a rule that needs it is
// undecidable. r and what it points to are not changed.
func cut(r *Record) *Record {
	c := writable(r)
	left := slices.Clone(parts)
	for !fits(c) {
		longest, most := -1, 0
		for i, p := range left {
			if n := p.size(c); n > p.room && n > most+most/2 {
				longest, most = i, n
			}
		}
		if longest < 0 {
			return bare(c)
		}
		left[longest].cut(c)
		left = slices.Delete(left, longest, longest+1)
	}
	return c
}

func fits(r *Record) bool {
	_, ok := encode(nil, r)
	return ok
}

func (p part) size(r *Record) int {
	n := 0
	for _, f := range p.fields(r) {
		n += size(f)
	}
	return n
}

func (p part) cut(r *Record) {
	for _, f := range p.fields(r) {
		reflect.ValueOf(f).Elem().SetZero()
	}
	r.Cut |= p.sections
	r.Evidence.Looked &^= p.sections
}

// writable is a copy of r in which parts can be set to zero.
func writable(r *Record) *Record {
	c := *r
	ev := &c.Evidence
	ev.DKIM = slices.Clone(ev.DKIM)
	ev.DMARC = slices.Clone(ev.DMARC)
	ev.SPF = evidence.SPF{MailFrom: clone(ev.SPF.MailFrom), HELO: clone(ev.SPF.HELO)}
	return &c
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// bare is the last resort, for a record that is too long even without its parts:
// an envelope of which no MTA has heard, say. It keeps what names the message and
// what became of it, and of that the beginning; nothing in it can be judged again.
func bare(r *Record) *Record {
	ev := &r.Evidence
	b := *r
	b.Evidence = evidence.Message{
		Schema: ev.Schema, Token: ev.Token, QueueID: ev.QueueID, Time: ev.Time, MTA: ev.MTA, Key: ev.Key,
		Sample: -1, Size: ev.Size, Elapsed: ev.Elapsed,
	}
	b.Cut = evidence.AllSections
	clip(reflect.ValueOf(&b).Elem())
	return &b
}

// clip shortens strings to 100 octets and lists to none.
func clip(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String()[:min(v.Len(), 100)])
	case reflect.Slice, reflect.Pointer:
		v.SetZero()
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clip(v.Field(i))
			}
		}
	}
}

// shortB is how many characters of a b= are kept at least.
const shortB = 16

// withShortSignatures is r with b= cut to 16 characters, or as many as tell a
// signature from the others of the message: header.b needs those (RFC 6008
// section 3), and copies of one signature stay the same. r is not changed.
func withShortSignatures(r *Record) *Record {
	sigs := r.Evidence.DKIM
	if !slices.ContainsFunc(sigs, func(s evidence.Signature) bool { return len(s.B) > shortB }) {
		return r
	}
	c := *r
	c.Evidence.DKIM = slices.Clone(sigs)
	for i := range sigs {
		c.Evidence.DKIM[i].B = evidence.ShortB(sigs, i, shortB)
	}
	return &c
}
