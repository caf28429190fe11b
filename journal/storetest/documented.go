package storetest

import (
	"time"

	"alignd/evidence"
	"alignd/internal/made"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
)

// Documented is what docs/journal.md asks its queries of: a day of 2,000 messages, and the
// first hundred of the next. Until six o'clock alignd ran in monitor mode, at three DNS
// failed for some, and mail that lists changed is let through by a rule.
func Documented() (list []journal.Raw) {
	begin := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	w := made.World{Domains: 12, Begin: begin, Step: 24 * time.Hour / 2000}
	for i := range 2100 {
		r := w.Record(i)
		ev, v := &r.Evidence, &r.Verdict
		if hour := ev.Time.Hour(); hour == 3 && i%5 == 0 {
			ev.SPF.MailFrom.Result, ev.DMARC[0].Result = evidence.TempError, evidence.TempError
			v.Disposition, v.Delivery = policy.DispositionTempfail, policy.DeliverDefer
		}
		if ev.ARC.Result == evidence.Pass && ev.DMARC[0].Result == evidence.Fail {
			v.Rule, v.Disposition, v.Delivery = "lists", policy.DispositionAccept, policy.Deliver
		}
		if ev.Time.Before(begin.Add(6 * time.Hour)) {
			v.Monitor.Delivery = v.Delivery
			v.Disposition, v.Delivery = policy.DispositionAccept, policy.Deliver
		}
		e := Raw(spool.Number(i+1), r)
		if i%700 == 699 {
			e.Answer = journal.AnswerLost
		}
		list = append(list, e)
	}
	return list
}
