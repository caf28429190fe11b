package filter

import (
	"testing"

	"alignd/filter/milter"
	"alignd/header"
	"alignd/record"
)

// noted is a Failures.
type noted struct {
	froms   []string
	written []bool
}

func (n *noted) Note(r *record.Record, h *header.Fields) func(bool) {
	n.froms = append(n.froms, string(r.Outcome.End)+string(h.At(h.Named("From")[0]).Value()))
	return func(written bool) { n.written = append(n.written, written) }
}

// Failure reports hear of what got an answer of ours, with its header section, and
// whether the MTA heard it.
func TestFailuresHearOfAnsweredMessages(t *testing.T) {
	s, k := newSession(t, "192.0.2.1")
	n := &noted{}
	s.(*session).filter.ReportFailures(n)
	for _, end := range []milter.End{milter.Answered, milter.Aborted, milter.OverLimit, milter.Failed, milter.Unsendable} {
		s.Mail(milter.Mail{Address: "ann@a.example"})
		s.Rcpt(milter.Rcpt{Address: "bob@here.test"})
		sendHeader(s)
		var reply milter.Reply
		if end == milter.Answered || end == milter.Unsendable {
			reply = s.EndOfMessage(t.Context()).Reply
		}
		if end == milter.Aborted {
			s.Abort()
		}
		if sent := s.Done(milter.Outcome{End: end, HeaderEnded: true, Reply: reply}); sent != nil {
			sent(false)
		}
	}
	if len(n.froms) != 1 || n.froms[0] != "answered ann@a.example" || len(n.written) != 1 || n.written[0] || len(k.records) != 5 {
		t.Errorf("%q, %v, %d records", n.froms, n.written, len(k.records))
	}
}
