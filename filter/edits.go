package filter

import (
	"alignd/authres"
	"alignd/evidence"
	"alignd/filter/milter"
	"alignd/judge"
	"alignd/policy"
)

// respond turns a judgement into what the MTA is told: deletions, then fields
// at the top, then hold or the final reply (RFC 8601 section 5 for the order
// of trust: what is ours and forged goes before ours and true comes).
//
// A verdict that was not reached has no reply, which the MTA is told as a failure.
func respond(j *judge.Judgement, s *judge.Settings) milter.Response {
	v := &j.Verdict
	if !v.Reached() {
		return milter.Response{}
	}
	if v.Delivery == policy.Refuse || v.Delivery == policy.DeliverDefer {
		return milter.Response{Reply: milter.Text(v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)}
	}
	var edits []milter.Edit
	for _, f := range j.Deletions() {
		edits = append(edits, milter.DeleteHeader(f.Name, f.Number))
	}
	edits = insertions(edits, j, s)
	if v.Delivery == policy.DeliverHold {
		edits = append(edits, milter.Quarantine(v.Reason))
	}
	return milter.Response{Edits: edits, Reply: milter.Accept}
}

// insertions are in reverse of the wanted order, as each goes to the top.
func insertions(edits []milter.Edit, j *judge.Judgement, s *judge.Settings) []milter.Edit {
	v := &j.Verdict
	if v.Delivery == policy.DeliverTag {
		edits = append(edits, milter.InsertHeader(0, v.TagName, v.TagValue))
	}
	if s.ReceivedSPF && !v.NotJudged {
		if c := j.Evidence.ReportedSPF(); c != nil {
			edits = append(edits, milter.InsertHeader(0, authres.ReceivedSPFName, receivedSPF(c, j.Evidence)))
		}
	}
	if j.WritesResults() {
		edits = append(edits, milter.InsertHeader(0, authres.FieldName, j.Results.Format()))
	}
	return edits
}

func receivedSPF(c *evidence.SPFCheck, ev *evidence.Message) string {
	return authres.ReceivedSPF(*c, authres.SPFSession{
		Receiver: ev.MTA, ClientIP: ev.Client.IP(), MailFrom: ev.MailFrom, HELO: ev.Client.HELOName(),
	})
}
