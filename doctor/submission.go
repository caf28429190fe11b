package doctor

import (
	"fmt"
	"slices"
)

// submissionChecks are about the ports where users hand mail in.
var submissionChecks = []check{
	{id: "submission", fine: "submission does not go through alignd", applies: withPostfix, run: each(submission)},
}

func submission(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		at := s.alignd(f)
		if !s.submission() || len(at) == 0 {
			continue
		}
		var keep []Milter
		for i, m := range s.milters() {
			if !slices.Contains(at, i) {
				keep = append(keep, m)
			}
		}
		why := "mail of who has logged in is not judged, but loses forged fields, gains auth=pass, and waits while alignd is away; " +
			"who hands in without a login, as from mynetworks, is judged like a stranger. If that is wanted: --ignore submission"
		severity := Warning
		if !f.Alignd.Authenticated {
			severity = Error
			why = "not_judged.authenticated is off: the mail of your own users is judged by the address they are at, and refused"
		}
		found = append(found, Finding{
			Severity: severity, What: fmt.Sprintf("%s, where users hand mail in, goes through alignd", s.Name), Why: why,
			Cure: s.setHere("smtpd_milters", texts(keep)), Where: s.label(),
		})
	}
	return found
}
