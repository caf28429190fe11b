package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// shadow reports whether alignd runs beside filters that are there (compare_with): then
// it comes behind them, to see what they wrote.
func (f *Facts) shadow() bool { return len(f.Alignd.CompareWith) > 0 }

// shadowChecks are about alignd beside other filters.
var shadowChecks = []check{
	{id: "shadow-order", fine: "the filters of compare_with come before alignd", run: each(shadowOrder),
		applies: func(f *Facts) bool { return f.shadow() && withPostfix(f) }},
	{id: "sendmail-shadow-order", fine: "the filters of compare_with come before alignd", run: sendmailShadowOrder,
		applies: func(f *Facts) bool { return f.shadow() && withSendmail(f) }},
	{id: "shadow-enforces", fine: "beside other filters alignd only watches", run: shadowEnforces,
		applies: func(f *Facts) bool { return f.shadow() }},
}

const seesNothing = "what those behind it write comes too late: it finds no field of them, or one that came with the message"

// shadowOrder: a filter sees what those before it inserted, and nothing of those behind
// it.
func shadowOrder(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.public() {
		at, list := s.alignd(f), s.milters()
		if len(at) == 0 || at[0] == len(list)-1 && len(list) > 1 {
			continue
		}
		finding := Finding{
			Severity: Warning, What: fmt.Sprintf("for %s no filter comes before alignd, and compare_with is %s", s.Name, strings.Join(f.Alignd.CompareWith, ", ")),
			Why: seesNothing, Where: s.where("smtpd_milters"),
		}
		switch {
		case len(list) == 1:
			finding.Cure = []string{f.inFile("take out compare_with, or put the other filter in front of alignd"), reload}
		case at[0] > 0:
			finding.Severity = Note
			finding.What = fmt.Sprintf("for %s there are filters behind alignd", s.Name)
			finding.Cure = s.set("smtpd_milters", texts(f.ideal(s)))
		default:
			finding.Cure = s.set("smtpd_milters", texts(f.ideal(s)))
		}
		found = append(found, finding)
	}
	return once(found)
}

func sendmailShadowOrder(f *Facts) []Finding {
	s := f.Sendmail
	for _, x := range s.used(f) {
		if at := slices.Index(s.Input, x.Name); at == 0 {
			others := slices.DeleteFunc(slices.Clone(s.Input), func(name string) bool { return name == x.Name })
			return []Finding{{
				Severity: Warning, What: "alignd is Sendmail's first filter, and compare_with is " + strings.Join(f.Alignd.CompareWith, ", "), Why: seesNothing,
				Cure: []string{
					belowFilters + "define(`confINPUT_MAIL_FILTERS', `" + strings.Join(append(others, x.Name), ",") + "')", "make -C /etc/mail", "systemctl restart sendmail",
				},
				Where: s.File,
			}}
		}
	}
	return nil
}

// shadowEnforces: two filters that both refuse are hard to tell apart.
func shadowEnforces(f *Facts) []Finding {
	if f.Alignd.Monitor {
		return nil
	}
	return []Finding{{
		Severity: Note, What: "alignd runs beside other filters (compare_with) and acts on mail, too",
		Why:  "to see what would change, let it watch first; docs/shadow.md tells the way",
		Cure: []string{f.inFile("mode: monitor"), reload}, Where: f.Alignd.File,
	}}
}
