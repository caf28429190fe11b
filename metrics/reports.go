package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reports is how our DMARC reports are doing. Standing and what is as old as it are of
// all hosts that share a state.
type Reports struct {
	Enabled  bool
	Standing map[string]int64 // of a report to one address, by reportStates
	// Unsent is when the oldest day was over of which a report has not left that
	// somebody is to get; zero without one.
	Unsent     time.Time
	WaitForDNS int
	Suppressed int64 // addresses

	Tries                      map[string]uint64 // mails of this process, by reportTries
	Bounces                    uint64            // notifications that this process took
	DroppedRows, DroppedOthers uint64            // messages
	DroppedFailures            uint64            // messages that are in no failure report
}

// The closed sets of labels.
var (
	reportStates = []string{"waiting", "put_off", "sending", "sent", "bounced", "suppressed", "given_up", "unknown"}
	reportTries  = []string{"sent", "put_off", "refused", "lost"}
)

var (
	descReportsOn      = describe("alignd_reports_enabled", "1 where aggregate reports are sent (reports.from).")
	descReportsAt      = describe("alignd_reports", "Aggregate reports, each to each address, by where they stand; those that are over are kept for reports.keep_sent.", "state")
	descReportsUnsent  = describe("alignd_reports_oldest_unsent_seconds", "Time since the end of the oldest day of which an aggregate report has not left that somebody is to get; 0 without one.")
	descReportsDNS     = describe("alignd_reports_waiting_for_dns", "Aggregate reports that are not cut, as DNS does not say who may get them.")
	descReportsNone    = describe("alignd_reports_suppressed_addresses", "Addresses that get no reports for a while, as they refused one or one came back.")
	descReportTries    = describe("alignd_report_tries_total", "Mails with a report that were offered to the relay, by what became of them.", "result")
	descReportBounces  = describe("alignd_report_bounces_total", "Notifications about a report that came through the milter, delays included.")
	descReportsDropped = describe("alignd_report_messages_dropped_total", "Messages that are in no report, as a day had too many rows, or one organization too many reports, or in no failure report, as limits were reached.", "bound")

	reportDescriptors = []*prometheus.Desc{descReportsOn, descReportsAt, descReportsUnsent, descReportsDNS, descReportsNone, descReportTries,
		descReportBounces, descReportsDropped}
)

// reports tells of r. All are there where no reports are sent, too.
func (s *state) reports(counter, gauge emit) {
	r := s.src.Reports()
	gauge(descReportsOn, truth(r.Enabled))
	for _, name := range reportStates {
		gauge(descReportsAt, float64(r.Standing[name]), name)
	}
	gauge(descReportsUnsent, age(s.now(), r.Unsent))
	gauge(descReportsDNS, float64(r.WaitForDNS))
	gauge(descReportsNone, float64(r.Suppressed))
	for _, name := range reportTries {
		counter(descReportTries, float64(r.Tries[name]), name)
	}
	counter(descReportBounces, float64(r.Bounces))
	counter(descReportsDropped, float64(r.DroppedRows), "rows")
	counter(descReportsDropped, float64(r.DroppedOthers), "reports")
	counter(descReportsDropped, float64(r.DroppedFailures), "failures")
}
