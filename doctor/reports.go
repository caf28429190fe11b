package doctor

// ReportFact is how one of the things is in DNS that our DMARC reports need.
type ReportFact struct {
	Check string // "mx", "spf", "key" or "dmarc"
	Name  string // in DNS
	// Wrong: reports suffer; Unknown: it is not known. Else it is right.
	Wrong, Unknown bool
	Say            string
}

// reportChecks are about reports.from, whose mail has to pass DMARC itself.
var reportChecks = []check{
	reportCheck("mx", "mail to the addresses of our reports arrives"),
	reportCheck("spf", "the envelope senders of our reports have an aligned SPF record"),
	reportCheck("key", "the keys that sign our reports are published"),
	reportCheck("dmarc", "the domain that our reports come from has a DMARC record"),
}

func reportCheck(name, fine string) check {
	about := func(f *Facts) (list []ReportFact) {
		for _, x := range f.Alignd.Reports {
			if x.Check == name {
				list = append(list, x)
			}
		}
		return list
	}
	return check{
		id: "reports-" + name, fine: fine,
		applies: func(f *Facts) bool { return len(about(f)) > 0 },
		run: func(f *Facts) (found []Finding) {
			for _, x := range about(f) {
				switch {
				case x.Wrong:
					found = append(found, Finding{Severity: Warning, What: x.Name + ": " + x.Say, Why: "DMARC reports have to pass DMARC themselves, else they are thrown away",
						Cure: []string{"alignd report dns   # prints the records"}, Where: f.Alignd.File})
				case x.Unknown:
					found = append(found, Finding{Severity: Note, What: "cannot tell whether DMARC reports pass DMARC: " + x.Name + ": " + x.Say})
				}
			}
			return found
		},
	}
}
