package filter

import (
	"bytes"
	"strings"

	"alignd/authres"
	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/policy"
)

// marks remembers which incoming fields are to be deleted, while the header
// comes by. A field is named to the MTA by its name and its number among the
// fields of that name, from 1, in this message.
type marks struct {
	own authres.Own
	ar  numbered // Authentication-Results
	tag numbered // our disposition field
	spf numbered // Received-SPF
}

// numbered counts the fields of one name and keeps the numbers to delete.
type numbered struct {
	count  int
	delete []int
}

const fieldName = "Authentication-Results"

// note looks at one field. White space before the colon (RFC 5322 section 4.5)
// is no part of the name: the MTA that deletes the field does not count it so.
func (m *marks) note(name, value []byte, s *Settings) {
	name = bytes.TrimRight(name, " \t")
	switch {
	case equalFold(name, fieldName):
		m.ar.count++
		if s.Strip == StripAll || s.Strip != StripNone && m.own.Claims(value) {
			m.ar.delete = append(m.ar.delete, m.ar.count)
		}
	case equalFold(name, authres.ReceivedSPFName):
		// Where we write the field, one that came with the message would be read
		// for it, whatever receiver it claims (RFC 7208 section 9.1).
		m.spf.count++
		if s.ReceivedSPF && s.Strip != StripNone {
			m.spf.delete = append(m.spf.delete, m.spf.count)
		}
	case equalFold(name, s.TagName):
		m.tag.count++
		m.tag.delete = append(m.tag.delete, m.tag.count)
	}
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

// respond turns a judgement into what the MTA is told: deletions, then fields
// at the top, then hold or the final reply (RFC 8601 section 5 for the order
// of trust: what is ours and forged goes before ours and true comes).
func respond(j *Judgement, msg *message) milter.Response {
	v := &j.Verdict
	if v.Delivery == policy.Refuse || v.Delivery == policy.DeliverDefer {
		return milter.Response{Reply: milter.Text(v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)}
	}
	var edits []milter.Edit
	if !keepsResults(j) {
		edits = deletions(edits, fieldName, msg.marks.ar)
		edits = deletions(edits, authres.ReceivedSPFName, msg.marks.spf)
	}
	edits = deletions(edits, msg.settings.TagName, msg.marks.tag)
	edits = insertions(edits, j, msg.settings)
	if v.Delivery == policy.DeliverHold {
		edits = append(edits, milter.Quarantine(v.Reason))
	}
	return milter.Response{Edits: edits, Reply: milter.Accept}
}

func deletions(edits []milter.Edit, name string, n numbered) []milter.Edit {
	for i := len(n.delete) - 1; i >= 0; i-- {
		edits = append(edits, milter.DeleteHeader(name, n.delete[i]))
	}
	return edits
}

// insertions are in reverse of the wanted order, as each goes to the top.
func insertions(edits []milter.Edit, j *Judgement, s *Settings) []milter.Edit {
	v := &j.Verdict
	if v.Delivery == policy.DeliverTag {
		edits = append(edits, milter.InsertHeader(0, v.TagName, v.TagValue))
	}
	if s.ReceivedSPF && !v.NotJudged {
		if c := j.Evidence.ReportedSPF(); c != nil {
			edits = append(edits, milter.InsertHeader(0, "Received-SPF", receivedSPF(c, j.Evidence)))
		}
	}
	if writesResults(j) {
		edits = append(edits, milter.InsertHeader(0, fieldName, j.Results.Format()))
	}
	return edits
}

// keepsResults: mail of listed networks keeps its Authentication-Results; a hop
// of the same site has written it. An authenticated client is no such hop, and
// what a trusted relay brings may hold anybody's fields.
func keepsResults(j *Judgement) bool {
	return !writesResults(j) && j.Evidence.Client.Relay == ""
}

// writesResults: mail that is not judged gets no Authentication-Results, but for
// auth=pass.
func writesResults(j *Judgement) bool {
	return !j.Verdict.NotJudged || j.Evidence.Authenticated()
}

func receivedSPF(c *evidence.SPFCheck, ev *evidence.Message) string {
	return authres.ReceivedSPF(*c, authres.SPFSession{
		Receiver: ev.MTA, ClientIP: ev.Client.IP(), MailFrom: ev.MailFrom, HELO: ev.Client.HELOName(),
	})
}
