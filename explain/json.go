package explain

import (
	"cmp"

	"alignd/journal"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
)

// JSON is the object that alignd check --json prints, of a record.
func JSON(r *record.Record) []byte {
	h := judge.Results(r)
	return record.JSON(r, record.Rendering{AuthenticationResults: h.Unfolded()})
}

// EntryJSON is JSON of a record of the journal. Its key "answer" is there where the MTA did
// not hear the reply, or nobody knows.
func EntryJSON(e *journal.Entry) []byte {
	h := judge.Results(e.Record)
	with := record.Rendering{AuthenticationResults: h.Unfolded()}
	if e.Answer != journal.AnswerWritten {
		with.Answer = e.Answer.String()
	}
	return record.JSON(e.Record, with)
}

// Delivery is what was done, and what was held back.
func Delivery(v *policy.Verdict) string {
	if would := v.Monitor.Delivery; would != "" && would != v.Delivery {
		return string(v.Delivery) + " (" + string(would) + ")"
	}
	return string(v.Delivery)
}

// Client is the address of the client that was checked; "-" where it is unknown.
func Client(r *record.Record) string {
	if ip := r.Evidence.Client.IP(); ip.IsValid() {
		return ip.String()
	}
	return "-"
}

// DMARC is the result of DMARC as it is told; "-" for mail that was not looked at.
func DMARC(r *record.Record) string {
	return cmp.Or(string(policy.ResultOf(&r.Evidence, &r.Verdict)), "-")
}

// VerdictRows are the parts of a verdict that are set side by side with those of another:
// name and text.
func VerdictRows(v *policy.Verdict) [][2]string {
	return [][2]string{
		{"disposition", string(v.Disposition)}, {"delivery", string(v.Delivery)}, {"requested", string(v.Requested)},
		{"decided by", string(v.Step)}, {"rule", v.Rule}, {"at", v.Place()}, {"override", string(v.Override)},
		{"stage", string(v.Stage)}, {"held back", string(v.Monitor.Delivery)}, {"recipient", v.Recipient},
		{"signals", Joined(v.Signals)}, {"sealer", v.TrustedSealer}, {"reply", v.Reply.String()}, {"not known", Joined(v.Undecidable)},
	}
}
