package web

import "net/http"

// firstPage is where who names no page begins.
const firstPage = "/today"

// largeForms are those in which an auditor may send more, in octets; ours: a configuration
// has room in that of What if.
var largeForms = map[string]int64{"/whatif/try": 4 << 20}

// pages are all of them, in the order of the navigation. A page is added here.
func (s *Server) pages() []*view {
	return []*view{
		{path: firstPage, title: "Today", nav: true, make: (*asked).today},
		{path: "/messages", title: "Messages", nav: true, make: (*asked).messages, hidden: []string{"mail-from"}},
		{path: "/message", title: "Message", make: (*asked).message},
		{path: "/message/again", title: "Judged again", make: (*asked).again},
		{path: "/senders", title: "Senders", nav: true, make: (*asked).senders},
		{path: "/sender", title: "Sender", make: (*asked).sender},
		{path: "/rules", title: "Rules", nav: true, make: (*asked).rules},
		{path: "/rule", title: "Rule", make: (*asked).rule},
		{path: "/reports", title: "Reports", nav: true, make: (*asked).reports},
		{path: "/reports/others", title: "Reports of others", make: (*asked).reportsOfOthers},
		{path: "/report", title: "Report", make: (*asked).report},
		{path: "/whatif", title: "What if", nav: true, make: (*asked).whatIf, auditors: true},
		{path: "/domain", title: "Domain", nav: true, make: (*asked).domainPage},
		{path: "/health", title: "Health", nav: true, make: (*asked).health},
		{path: "/health/journal", title: "Parts of the journal", make: (*asked).journalParts},
		{path: "/health/metrics", title: "Metrics", make: (*asked).metrics},
		{path: "/job", title: "Job", make: (*asked).jobPage},
		{path: "/jobs", title: "Jobs", make: (*asked).jobList},
	}
}

// forms are what is sent by POST.
func (s *Server) forms() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/whatif/try":     s.post(true, (*asked).try),
		"/rule/without":   s.post(false, (*asked).without),
		"/sender/measure": s.post(false, (*asked).measure),
		"/job/cancel":     s.post(false, (*asked).cancelJob),
	}
}
