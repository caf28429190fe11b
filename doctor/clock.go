package doctor

// clockChecks are about the clock.
var clockChecks = []check{{
	id: "clock", fine: "the clock is synchronised", applies: always,
	run: func(f *Facts) []Finding {
		switch {
		case !f.Clock.Known:
			return []Finding{{Severity: Note, What: "cannot tell whether the clock is synchronised"}}
		case !f.Clock.Synchronised:
			return []Finding{{
				Severity: Warning, What: "the clock is not synchronised, says " + f.Clock.Source,
				Why:  "with a wrong clock signatures seem expired or made in the future (dkim.clock_skew), and entries expire at the wrong time",
				Cure: []string{"apt install systemd-timesyncd && timedatectl set-ntp true   # or chrony"},
			}}
		}
		return nil
	},
}}
