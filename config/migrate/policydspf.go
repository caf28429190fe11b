package migrate

import (
	"cmp"
	"fmt"
	"strings"
)

// policydSPF is policyd-spf of spf-engine 3.0.4, as in Debian 12
// (postfix-policyd-spf-python), and its milter, which reads the same file.
var policydSPF filter

func init() {
	policydSPF = filter{name: "policyd-spf", file: "policyd-spf.conf", equals: true, finish: finishPolicydSPF, options: []option{
		none("debugLevel", byLog),
		{name: "TestOnly", do: testOnly},
		{name: "defaultSeedOnly", do: testOnly},
		{name: "HELO_reject", do: func(*importer, setting) note { return later }},
		none("HELO_pass_restriction", "alignd returns no names of restriction classes; Postfix can go by the result in Authentication-Results only after the queue"),
		{name: "Mail_From_reject", do: func(*importer, setting) note { return later }},
		none("Mail_From_pass_restriction", "alignd returns no names of restriction classes; Postfix can go by the result in Authentication-Results only after the queue"),
		{name: "No_Mail", do: spfEquals("False", "alignd does not tell records of domains that send no mail from others: with spf_fail: reject every fail of SPF counts, where the Author Domain publishes no DMARC record", true)},
		none("Reject_Not_Pass_Domains", "alignd refuses no neutral or softfail; own_domains refuses mail that uses your own domains, and where others publish a DMARC record that decides"),
		{name: "PermError_reject", do: spfEquals("False", "a permanent error of SPF authenticates nobody and refuses nothing by itself", false)},
		{name: "TempError_Defer", do: func(*importer, setting) note { return later }},
		none("Prospective", "alignd checks mail that comes in, not what would become of mail that goes out; \"alignd check --ip\" does so for one message"),
		{name: "skip_addresses", do: skipAddresses},
		{name: "Whitelist", do: skipAddresses},
		none("HELO_Whitelist", "a HELO name is what the client chooses; list the addresses of these hosts in an exception (docs/policy.md), or in trusted_relays where they are relays of yours"),
		none("Domain_Whitelist", "it let in what comes from hosts in the SPF record of another domain; alignd has no such rule. A forwarder that seals with ARC belongs in trusted_sealers, others in an exception with proof: clients"),
		{name: "Domain_Whitelist_PTR", do: whitelistPTR},
		{name: "SPF_Enhanced_Status_Codes", do: spfEquals("Yes", "alignd always writes 5.7.23 (RFC 7372); replies.spf.enhanced says otherwise", false)},
		{name: "Header_Type", do: headerType, unset: func(in *importer) note {
			s := setting{file: in.firstOf(&policydSPF), name: "Header_Type"}
			return in.take(s, note{kind: Taken, key: "received_spf", why: "Received-SPF is written, besides Authentication-Results. Nothing that reads the message needs both: take it out where nobody asks for it"}, pair{"received_spf", true})
		}},
		none("Hide_Receiver", "alignd writes no recipient into the header"),
		{name: "Authserv_Id", do: authservID},
		{name: "Lookup_Time", do: lookupTime},
		none("Whitelist_Lookup_Time", "limits.message_timeout bounds all that is asked for a message"),
		{name: "Void_Limit", do: func(in *importer, s setting) note {
			return in.takeNumber(s, note{kind: Taken, key: "spf.max_void_lookups", why: "RFC 7208 section 4.6.4"}, "spf.max_void_lookups", "")
		}},
		none("Mock", "milters see all fields that alignd adds, in order"),
		none("QueueID", "each line of alignd's log has the queue id"),
		none("Reason_Message", "replies.spf.text is alignd's, and may hold {domain}, {reason} and {token}"),
		none("Per_User", "options for single recipients are entries of profiles, which have honor, reject_mode and others, but not SPF's"),
		changed("Socket", "listen", ownPlace),
		none("PidFile", byUnit),
		none("UserID", byUnit),
		none("UMask", "socket_mode and socket_group are for a unix socket of alignd, which is a place of its own"),
		{name: "InternalHosts", do: skipAddresses},
		none("IntHosts", "it is no option to be written, but what the program makes of InternalHosts"),
		none("MacroList", "alignd knows authenticated clients by the macro {auth_authen}, and not_judged.networks by address"),
	}}
}

// spfEquals is for an option that changes nothing while it has its default.
func spfEquals(def, why string, refuses bool) func(*importer, setting) note {
	return func(_ *importer, s setting) note {
		if strings.EqualFold(s.value, def) {
			return note{kind: Taken, why: "alignd does so too"}
		}
		return note{kind: None, key: "spf_fail", why: why, refuses: refuses}
	}
}

// testOnly is 0 for a run that refuses nothing.
func testOnly(_ *importer, s setting) note {
	if s.value == "0" {
		return note{kind: Taken, why: "it refuses nothing and only writes results, and so does what is written here"}
	}
	return note{kind: Taken, why: "it does what the options say, and so does alignd once it says mode: enforce"}
}

// tempErrorDefer is judged once it is known what opendmarc.conf says.
func (in *importer) tempErrorDefer() {
	s := in.of("policyd-spf", "TempError_Defer")
	switch {
	case strings.EqualFold(s.value, "True"):
		in.amend(s, note{kind: Changed, key: "temperror", why: "a temporary error of SPF puts a message off only where it decides over an enforcing DMARC policy, and temperror.unresolved is tempfail"})
	case in.refusesByDMARC():
		in.amend(s, note{kind: Changed, key: "temperror", why: "a temporary error of SPF puts nothing off by itself; where it decides over an enforcing DMARC policy the message gets 451, as opendmarc did it"})
	default:
		in.amend(s, in.take(s, note{kind: Taken, key: "temperror", why: "a temporary error puts nothing off"}, pair{"temperror.unresolved", "accept"}))
	}
}

// testing reports whether policyd-spf refuses nothing.
func (in *importer) testing() bool {
	for _, name := range []string{"TestOnly", "defaultSeedOnly"} {
		if s, ok := in.last("policyd-spf", name); ok && s.value == "0" {
			return true
		}
	}
	return false
}

func headerType(in *importer, s setting) note {
	switch {
	case strings.EqualFold(s.value, "AR"):
		return note{kind: Taken, key: "received_spf", why: "alignd writes Authentication-Results"}
	case strings.EqualFold(s.value, "None"):
		return note{kind: Changed, key: "received_spf", why: "alignd writes Authentication-Results in any case"}
	}
	return in.take(s, note{kind: Taken, key: "received_spf", why: "Received-SPF is written, besides Authentication-Results"}, pair{"received_spf", true})
}

func lookupTime(in *importer, s setting) note {
	return in.takeNumber(s, note{kind: Taken, key: "spf.timeout", why: "for one check, and limits.message_timeout (20s) for all checks of a message"}, "spf.timeout", "s")
}

// number takes over a number, with the unit that ours has.
func (in *importer) takeNumber(s setting, n note, path, unit string) note {
	var v int
	if _, err := fmt.Sscanf(s.value, "%d", &v); err != nil || fmt.Sprint(v) != s.value {
		in.warn(s, "%s: %s is no number", s.name, quoted(s.value))
		return note{kind: None, key: path, why: "its value is no number"}
	}
	if unit == "" {
		return in.take(s, n, pair{path, v})
	}
	return in.take(s, n, pair{path, fmt.Sprint(v) + unit})
}

// skipAddresses are clients whose SPF is not checked.
func skipAddresses(in *importer, s setting) note {
	items, why := in.dataset("policyd-spf", s)
	if why != "" {
		return note{kind: None, why: why, refuses: true}
	}
	list := hostList{filter: "policyd-spf", setting: s, hosts: in.hostsOf(items)}
	in.lists = append(in.lists, list)
	return later
}

// whitelistPTR are domains of reverse names, with all names below them.
func whitelistPTR(in *importer, s setting) note {
	list := hostList{filter: "policyd-spf", setting: s}
	var more string
	if list.names, more = in.domains(s, listOf(s.value)); len(list.names) == 0 {
		return note{kind: None, key: "spf_fail", why: cmp.Or(more, "it names no domain")}
	}
	in.lists = append(in.lists, list)
	return later
}

// finishPolicydSPF writes what is done when SPF says fail.
func finishPolicydSPF(in *importer) {
	const mailFrom, helo = "Mail_From_reject", "HELO_reject"
	s := in.of("policyd-spf", mailFrom)
	value := s.value
	if s.line == 0 {
		value = "Fail"
	}
	const where = "where the Author Domain publishes no DMARC record; where it does, that decides, and SPF fail alone refuses nothing (RFC 9989 section 7.1)"
	switch kind := strings.ToLower(value); {
	case kind == "false" || kind == "no_check":
		in.amend(s, note{kind: Taken, key: "spf_fail", why: "SPF alone refuses nothing (spf_fail: accept, the default)"})
	case kind != "fail" && kind != "softfail" && kind != "spf_not_pass":
		in.warn(s, "%s: %s is none of Fail, Softfail, SPF_Not_Pass, False, No_Check", s.name, quoted(value))
		in.amend(s, note{kind: None, key: "spf_fail", why: "its value is none that the manual has"})
	case in.testing():
		in.amend(s, note{kind: Changed, key: "spf_fail", why: "TestOnly = 0 kept it from refusing anything, so nothing is written; spf_fail: reject would refuse fail " + where})
	case kind == "fail":
		in.amend(s, in.take(s, note{kind: Changed, key: "spf_fail", why: "fail is refused " + where}, pair{"spf_fail", "reject"}))
	default:
		in.amend(s, in.take(s, note{kind: Changed, key: "spf_fail", why: "fail is refused " + where + ". softfail, neutral and permerror are not refused, as RFC 7208 section 8 asks"}, pair{"spf_fail", "reject"}))
	}
	in.tempErrorDefer()
	s = in.of("policyd-spf", helo)
	why := "HELO is what SPF checks where the reverse-path is null, and spf_fail holds for it; a HELO name beside a MAIL FROM refuses nothing"
	if strings.EqualFold(s.value, "False") || strings.EqualFold(s.value, "No_Check") {
		in.amend(s, note{kind: Changed, key: "spf_fail", refuses: in.target().has("spf_fail"), why: why})
		return
	}
	in.amend(s, note{kind: Changed, key: "spf_fail", why: why})
}
