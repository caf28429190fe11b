package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// failureChecks are about what the MTA does while alignd is away.
var failureChecks = []check{
	{id: "default-action", fine: "mail waits while alignd is away", applies: withPostfix, run: each(defaultAction)},
}

// attached are the smtpds with alignd, and its entry; those that say the same of a
// setting are one.
func attached(f *Facts, in *Instance) (all []attachment) {
	for _, s := range in.smtpds() {
		if at := s.alignd(f); len(at) > 0 {
			all = append(all, attachment{s, s.milters()[at[0]]})
		}
	}
	return all
}

type attachment struct {
	smtpd
	milter Milter
}

// setting is what holds for alignd of a parameter that an entry can have of its own.
func (a attachment) setting(own, general string) (value, where string) {
	if v := a.milter.Options[own]; v != "" {
		return v, a.where("smtpd_milters")
	}
	return a.get(general), a.where(general)
}

// cure gives a setting to alignd: in its entry, where it has one there or (not alone)
// other milters go by the general one, else in general.
func (a attachment) cure(f *Facts, own, general, value string, alone bool) []string {
	if a.milter.Options[own] == "" && (alone || len(a.milters()) == 1 && !a.othersGoBy(f, general)) {
		return a.set(general, value)
	}
	return a.set("smtpd_milters", texts(f.ideal(a.smtpd)))
}

// once drops findings that only differ in the service.
func once(found []Finding) []Finding {
	var kept []Finding
	for _, f := range found {
		if !slices.ContainsFunc(kept, func(k Finding) bool { return k.What == f.What && k.Where == f.Where }) {
			kept = append(kept, f)
		}
	}
	return kept
}

func defaultAction(f *Facts, in *Instance) (found []Finding) {
	for _, a := range attached(f, in) {
		action, where := a.setting("default_action", "milter_default_action")
		finding := Finding{
			What:  "milter_default_action is " + action,
			Cure:  a.cure(f, "default_action", "milter_default_action", "tempfail", false),
			Where: where,
		}
		switch word, _, _ := strings.Cut(action, " "); word {
		case "tempfail", "shutdown":
			continue
		case "accept":
			finding.Severity, finding.Why = Warning, "while alignd is away mail goes in unjudged, for the rest of the SMTP session also when it is back"
			if f.Alignd.Monitor {
				finding.Severity = Note // nothing is refused anyway
			}
		case "reject":
			finding.Severity, finding.Why = Warning, "while alignd is away, as over a restart, genuine mail is refused for good"
		case "quarantine":
			finding.Severity, finding.Why = Warning, "while alignd is away mail lands in the hold queue, unjudged, until somebody looks"
		default:
			finding.Severity, finding.Why = Warning, "Postfix knows no such action"
		}
		found = append(found, finding)
	}
	return once(found)
}

// protocolChecks are about the milter protocol itself.
var protocolChecks = []check{
	{id: "milter-protocol", fine: "milter_protocol is 6", applies: withPostfix, run: each(milterProtocol)},
	{id: "macros", fine: "the macros are as alignd needs them", applies: withPostfix, run: each(macros)},
}

// milterProtocol: the space after the colon of a field came with version 6, and
// DKIM's simple canonicalization signs it (RFC 6376 section 3.4.1).
func milterProtocol(f *Facts, in *Instance) (found []Finding) {
	for _, a := range attached(f, in) {
		value, where := a.setting("protocol", "milter_protocol")
		if newProtocol(value) {
			continue
		}
		finding := Finding{
			Severity: Error, What: fmt.Sprintf("milter_protocol is %s, below 6", value),
			Why:  "Postfix then keeps to itself whether a space stood after the colon of a header field: genuine DKIM signatures cannot be verified, and mail of p=reject domains is put off and refused",
			Cure: a.cure(f, "protocol", "milter_protocol", "6", true), Where: where,
		}
		if a.milter.Options["protocol"] == "" && !a.own("milter_protocol") {
			finding.Cure = []string{"postconf " + in.flag() + "-X milter_protocol", in.reload()}
		}
		found = append(found, finding)
	}
	return once(found)
}

// wanted are the macros that alignd reads, by the list of main.cf.
var wanted = []struct {
	list   string
	macros []string
	why    string
}{
	{"milter_connect_macros", []string{"j"}, "this host's name, which is the authserv-id"},
	{"milter_mail_macros", []string{"{auth_authen}", "{auth_type}"}, "who has logged in, and how"},
	{"milter_rcpt_macros", []string{"{rcpt_addr}"}, "the recipient as Postfix reads it"},
	{"milter_end_of_data_macros", []string{"i"}, "the queue id"},
}

// missing are the macros that a list lacks; {i} and i are one.
func missing(list string, macros []string) (lacks []string) {
	have := splitList(strings.NewReplacer("{", " ", "}", " ").Replace(list))
	for _, m := range macros {
		if !slices.Contains(have, strings.Trim(m, "{}")) {
			lacks = append(lacks, m)
		}
	}
	return lacks
}

// macros: alignd asks for the macros that it needs, and Postfix from 2.6 on then sends
// these whatever main.cf lists (tried with milter_protocol 2, 3, 4 and 6).
// The client's address is no macro but part of the connect event.
func macros(f *Facts, in *Instance) (found []Finding) {
	if len(attached(f, in)) == 0 {
		return nil
	}
	old := olderThan(in.Param["mail_version"], 2, 6)
	for _, w := range wanted {
		list, known := in.Param[w.list]
		lacks := missing(list, w.macros)
		if !known || len(lacks) == 0 {
			continue
		}
		finding := Finding{
			Severity: Note, What: fmt.Sprintf("%s lacks %s (%s)", w.list, strings.Join(lacks, " "), w.why),
			Why:  "alignd asks for it by itself and gets it; milters that do not ask go without",
			Cure: []string{"postconf " + in.flag() + "-X " + w.list, in.reload()}, Where: in.main(),
		}
		if old {
			finding.Severity, finding.Why = Error, "this Postfix sends milters only what is listed"
		}
		found = append(found, finding)
	}
	return append(found, macroDefaults(in)...)
}

// macroDefaults: a default of auth_authen makes every sender one who has logged in.
func macroDefaults(in *Instance) (found []Finding) {
	for _, pair := range splitList(in.Param["milter_macro_defaults"]) {
		name, _, _ := strings.Cut(strings.Trim(pair, "{} "), "=")
		switch strings.Trim(name, "{} ") {
		case "auth_authen", "auth_type", "auth_author":
			found = append(found, Finding{
				Severity: Error, What: "milter_macro_defaults gives everybody " + pair,
				Why:  "to a milter every client has then logged in, and alignd judges no mail of such",
				Cure: []string{"postconf " + in.flag() + "-X milter_macro_defaults", in.reload()}, Where: in.main(),
			})
		}
	}
	return found
}

// olderThan compares a version of Postfix, "3.7.11" or "3.10-20240101".
func olderThan(version string, want ...int) bool {
	parts := strings.FieldsFunc(version, func(r rune) bool { return r == '.' || r == '-' })
	for i, w := range want {
		if i >= len(parts) {
			return true
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n != w {
			return err == nil && n < w
		}
	}
	return false
}
