package migrate

import (
	"strings"
)

// openDMARC is opendmarc 1.4.2, as in Debian 12.
var openDMARC filter

func init() {
	openDMARC = filter{name: "opendmarc", file: "opendmarc.conf", finish: finishOpenDMARC, options: []option{
		{name: "AuthservID", do: authservID},
		{name: "AuthservIDWithJobID", do: jobID},
		none("AutoRestart", byUnit),
		none("AutoRestartCount", byUnit),
		none("AutoRestartRate", byUnit),
		none("Background", byUnit),
		none("BaseDirectory", "relative names in this file were read below it; alignd needs none"),
		none("ChangeRootDirectory", byUnit),
		none("CopyFailuresTo", "alignd adds no recipients; \"alignd log --disposition\" lists what failed, and quarantine_as: hold keeps it in the MTA's queue"),
		{name: "DNSTimeout", kind: Changed, key: "dns", why: dnsWhy},
		{name: "DomainWhitelist", do: domainWhitelist},
		{name: "DomainWhitelistFile", do: sealersFrom("opendmarc")},
		none("DomainWhitelistSize", "alignd's lists have no size"),
		none("EnableCoredumps", byUnit),
		{name: "FailureReports", do: failureReports},
		none("FailureReportsBcc", "alignd sends no copies of its reports; it keeps what was sent for reports.keep_sent"),
		none("FailureReportsOnNone", "the domain's record alone says for which messages it wants a failure report (fo, RFC 9991)"),
		changed("FailureReportsSentBy", "reports", "all reports of alignd come from reports.from, whose domain needs MX, SPF and DKIM"),
		changed("HistoryFile", "journal", "alignd keeps a record of each message in its journal, below /var/lib/alignd, and makes aggregate reports of it by itself once reports.from is set; opendmarc-import and opendmarc-reports are not needed then"),
		{name: "HoldQuarantinedMessages", do: booleanOnly},
		{name: "IgnoreAuthenticatedClients", do: authenticatedClients, unset: func(*importer) note {
			return note{kind: Changed, key: "not_judged.authenticated", why: "opendmarc judged authenticated clients too; alignd does not. not_judged.authenticated: false keeps the old way"}
		}},
		{name: "IgnoreHosts", do: ignoreHosts},
		{name: "IgnoreMailFrom", do: ignoreMailFrom},
		{name: "IgnoreMailTo", do: ignoreMailTo},
		none("Include", "its file was read in its place"),
		none("MilterDebug", byLog),
		none("PidFile", byUnit),
		{name: "PublicSuffixList", do: publicSuffixList, unset: func(*importer) note {
			return note{kind: Changed, key: "discovery", refuses: true, why: "opendmarc then looked for a record at the Author Domain alone; alignd also goes by that of the Organizational Domain, which may ask to reject mail of domains below it (RFC 9989 section 4.10)"}
		}},
		changed("RecordAllMessages", "journal", "the journal has a record of every message, whatever its domain publishes"),
		{name: "RejectFailures", do: booleanOnly},
		{name: "RejectMultiValueFrom", do: booleanOnly},
		{name: "RejectString", do: rejectString},
		changed("ReportCommand", "reports", "reports go to reports.relay, by default the MTA of this host over SMTP; sendmail:/usr/sbin/sendmail is a program"),
		{name: "RequiredHeaders", do: booleanOnly},
		changed("Socket", "listen", ownPlace),
		{name: "SoftwareHeader", do: onlyTrue(noSoftware)},
		{name: "SPFIgnoreResults", do: spfResults},
		{name: "SPFSelfValidate", do: spfResults},
		changed("Syslog", "log_format", byLog),
		changed("SyslogFacility", "log_format", byLog),
		none("TestDNSData", onlyTests),
		none("TrustedAuthservIDs", verifiesAll),
		none("UMask", "socket_mode and socket_group are for a unix socket of alignd, which is a place of its own"),
		none("UserID", byUnit),
	}}
}

// booleanOnly only says when the value is none; finishOpenDMARC does the rest.
func booleanOnly(in *importer, s setting) note {
	if _, ok := boolean(s.value); !ok {
		return in.noBoolean(s)
	}
	return later
}

func authenticatedClients(in *importer, s setting) note {
	on, ok := boolean(s.value)
	if !ok {
		return in.noBoolean(s)
	}
	why := "their forged results are deleted, and auth=pass is written"
	if !on {
		why = "their mail is judged like that of others. Better leave submission to a port of its own, without alignd, or set true"
	}
	return in.take(s, note{kind: Taken, key: "not_judged.authenticated", why: why}, pair{"not_judged.authenticated", on})
}

// failureReports are not switched on by an import: they disclose more than the rest.
func failureReports(in *importer, s setting) note {
	switch on, ok := boolean(s.value); {
	case !ok:
		return in.noBoolean(s)
	case on:
		return note{kind: Changed, key: "reports", why: "not switched on by itself: once reports.from is set, reports.failure.to: [deserving] sends them to the ruf of domains whose mail passes here, and to nobody else; read docs/privacy.md before"}
	}
	return note{kind: Taken, key: "reports", why: "alignd sends none either (reports.failure.to is empty)"}
}

func spfResults(in *importer, s setting) note {
	if _, ok := boolean(s.value); !ok {
		return in.noBoolean(s)
	}
	return note{kind: Changed, why: "alignd always checks SPF itself, and believes no field that is in the message"}
}

// ignoreHosts is a file, and never a list.
func ignoreHosts(in *importer, s setting) note {
	if !strings.Contains(s.value, ":") {
		s.value = "file:" + s.value
	}
	return in.exempt("opendmarc", s)
}

// ignoreMailFrom are Author Domains: whoever writes one of them was let in. opendmarc
// compares whole names, so a pattern never held, and as one of ours it would let in
// more.
func ignoreMailFrom(in *importer, s setting) note {
	names, more := in.domains(s, listOf(s.value))
	if len(names) == 0 {
		return note{kind: None, key: "domains", why: more}
	}
	why := "mail from these domains is let in whatever DMARC says, and unlike before the result is written. Anybody can write such a From: an exception with a proof (docs/policy.md) is safer"
	if more != "" {
		why += "; " + more
	}
	return in.takeList(s, note{kind: Changed, key: "domains", why: why}, list{entries: names, lets: true, pairs: func(names []string) []pair {
		return []pair{{"domains", []entry{{{"id", "opendmarc-IgnoreMailFrom"}, {"author_domains", names},
			{"honor", entryMap{{"reject", "accept"}, {"quarantine", "accept"}}}}}}}
	}})
}

func ignoreMailTo(in *importer, s setting) note {
	return in.takeList(s, note{kind: Taken, key: "reports.addresses", why: "mail to these addresses is counted in no report"},
		list{entries: listOf(s.value), pairs: func(all []string) []pair { return []pair{{"reports.addresses", all}} }})
}

func publicSuffixList(in *importer, s setting) note {
	return in.take(s, note{kind: Taken, key: "discovery", why: "the Organizational Domain is found by a Public Suffix List, which alignd carries; that file is not read. RFC 9989 finds it by the DNS Tree Walk: the log tells where that gives another one (compare_discovery), and without these two lines it holds"},
		pair{"discovery", "psl"}, pair{"compare_discovery", true})
}

func rejectString(in *importer, s setting) note {
	text := strings.ReplaceAll(s.value, "%s", "{domain}")
	return in.take(s, note{kind: Taken, key: "replies.dmarc", why: "the reply to the client, still 550, with 5.7.26 in front (RFC 7372) where opendmarc wrote 5.7.1"},
		pair{"replies.dmarc.text", text})
}

// domainWhitelist are domains whose ARC seals were believed.
func domainWhitelist(in *importer, s setting) note {
	return in.sealers(s, listOf(s.value))
}

// finishOpenDMARC writes what several options say together: what is done with mail
// that fails.
func finishOpenDMARC(in *importer) {
	in.failures()
	in.brokenFrom()
}

// failures are RejectFailures and HoldQuarantinedMessages. Without the first opendmarc
// lets everything in.
func (in *importer) failures() {
	const reject, hold = "RejectFailures", "HoldQuarantinedMessages"
	refusing := in.is("opendmarc", reject)
	holding := refusing && in.is("opendmarc", hold)
	s := in.of("opendmarc", reject)
	switch {
	case refusing:
		in.amend(s, in.take(s, note{kind: Taken, key: "honor", refuses: true, why: "what fails is refused where the domain's policy is reject. Where it cannot be told yet, as DNS failed, alignd answers 451 where opendmarc refused for good; np of the policy, which opendmarc does not know, may refuse mail from names that do not exist (RFC 9989 section 4.7)"},
			pair{"honor.reject", "reject"}, pair{"temperror.unresolved", "tempfail"}, pair{"temperror.policy_unknown", "accept"}))
	default:
		in.amend(s, in.take(s, note{kind: Taken, key: "honor", why: "opendmarc only writes results and lets everything in, so does this configuration. To do as the senders' policies say, take out honor, from and temperror below"},
			pair{"honor.reject", "accept"}, pair{"honor.quarantine", "accept"},
			pair{"temperror.unresolved", "accept"}, pair{"temperror.policy_unknown", "accept"}))
		if s, ok := in.last("opendmarc", hold); ok {
			in.amend(s, note{kind: Changed, key: "honor", why: "without RejectFailures it has no effect, and nothing is held"})
		}
		return
	}
	s = in.of("opendmarc", hold)
	if holding {
		in.amend(s, in.take(s, note{kind: Taken, key: "quarantine_as", why: "what fails p=quarantine goes to the MTA's hold queue"},
			pair{"honor.quarantine", "quarantine"}, pair{"quarantine_as", "hold"}))
		return
	}
	in.amend(s, in.take(s, note{kind: Taken, key: "honor", why: "what fails p=quarantine is let in, with its result; honor.quarantine: quarantine marks it with X-Alignd-Disposition, for Sieve"},
		pair{"honor.quarantine", "accept"}))
}

// noDMARC is for files without opendmarc.conf: what they configure refuses nothing by
// DMARC.
func (in *importer) noDMARC() {
	if in.has("opendmarc") {
		return
	}
	s := setting{file: in.out.sources[0].name}
	n := in.take(s, note{key: "honor", why: "There is no opendmarc.conf among the files, so nothing was refused by DMARC, nor for a From that is missing, repeated or broken, and so it stays. To do as the senders' policies say, take out honor, from and temperror"},
		pair{"honor.reject", "accept"}, pair{"honor.quarantine", "accept"}, pair{"temperror.policy_unknown", "accept"}, pair{"from.missing", "accept"},
		pair{"from.several", "accept"}, pair{"from.too_many", "accept"}, pair{"from.empty", "accept"}, pair{"from.unparsable", "accept"})
	in.found(in.out.sources[0].filter, s, n)
	if !in.has("opendkim") && !in.has("policyd-spf") { // these have options for it
		in.take(s, note{}, pair{"temperror.unresolved", "accept"})
	}
}

// brokenFrom are RequiredHeaders and RejectMultiValueFrom.
func (in *importer) brokenFrom() {
	const required, multi = "RequiredHeaders", "RejectMultiValueFrom"
	refusing := in.is("opendmarc", "RejectFailures")
	s := in.of("opendmarc", required)
	switch {
	case in.is("opendmarc", required):
		in.amend(s, in.take(s, note{kind: Changed, key: "from", why: "a message without From, with several, or with one that cannot be read is refused; other fields (Date, To, Subject, Message-ID, ...) are not counted"},
			pair{"from.missing", "reject"}, pair{"from.several", "reject"}, pair{"from.empty", "reject"}, pair{"from.unparsable", "reject"}))
	case refusing:
		in.amend(s, note{kind: Changed, key: "from", refuses: true, why: "opendmarc lets a message in whose From is missing, repeated or unreadable; alignd refuses the first two, as else they would go round every policy (RFC 9989 section 11.5), and judges every domain in the last. from: {missing: accept, several: accept, unparsable: accept} keeps the old way"})
	default:
		in.amend(s, in.take(s, note{kind: Taken, key: "from", why: "a From that is missing, repeated or broken is let in"},
			pair{"from.missing", "accept"}, pair{"from.several", "accept"}, pair{"from.empty", "accept"}, pair{"from.unparsable", "accept"}))
	}
	s = in.of("opendmarc", multi)
	switch {
	case in.is("opendmarc", multi):
		in.amend(s, in.take(s, note{kind: Taken, key: "from", why: "a From with addresses of several domains is refused"},
			pair{"from.max_domains", 1}, pair{"from.too_many", "reject"}))
	case refusing:
		in.amend(s, note{kind: Changed, key: "from", refuses: true, why: "opendmarc lets a From with several domains in unjudged; alignd judges each of them, and the strictest failing policy counts"})
	default:
		in.amend(s, in.take(s, note{kind: Taken, key: "from", why: "a From with several domains is let in"}, pair{"from.too_many", "accept"}))
	}
}

// of is the line that holds for an option, or what stands for its absence.
func (in *importer) of(filter, name string) setting {
	if s, ok := in.last(filter, name); ok {
		return s
	}
	return setting{file: in.firstOf(filterNamed(filter)), name: name}
}

// amend says what became of an option once all are known.
func (in *importer) amend(s setting, n note) {
	for i := range in.out.Findings {
		f := &in.out.Findings[i]
		if f.File == s.file && f.Line == s.line && strings.EqualFold(f.Name, s.name) {
			if f.Kind != None { // a fault that was told stays
				f.Kind, f.Key, f.Why, f.Refuses = n.kind, n.key, n.why, n.refuses
			}
			return
		}
	}
	in.found(in.filterOf(s.file), s, n)
}

func (in *importer) filterOf(file string) *filter {
	for _, src := range in.out.sources {
		if src.name == file {
			return src.filter
		}
	}
	return in.out.sources[0].filter
}
