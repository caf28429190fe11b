package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sendmail is what sendmail.cf or sendmail.mc says of milters.
type Sendmail struct {
	File    string
	Filters []SendmailFilter // as defined
	// Input are the names of those in use, in their order.
	Input []string
	// Daemons are the ports with what they say.
	Daemons []SendmailDaemon
	// Macros are the lists of macros, by stage ("connect"); a stage that is
	// not set is absent.
	Macros map[string]string
	// Stale: the .mc file is newer than the .cf made of it.
	Stale string
}

// SendmailFilter is one milter: Xname, S=..., F=..., T=...
type SendmailFilter struct{ Name, Place, Flags, Timeouts string }

// SendmailDaemon is one DaemonPortOptions.
type SendmailDaemon struct {
	Name, Port string
	Options    string // all that it says, without its filters
	// Input replaces the list of filters; nil: not given.
	Input []string
}

// sendmailChecks are those of Sendmail.
var sendmailChecks = []check{
	{id: "sendmail-stale", fine: "sendmail.cf is as new as sendmail.mc", applies: withSendmail, run: sendmailStale},
	{id: "sendmail-not-attached", fine: "alignd is an input filter of Sendmail", applies: withSendmail, run: sendmailAttached},
	{id: "sendmail-order", fine: "alignd is Sendmail's first filter", applies: withSendmail, run: sendmailOrder},
	{id: "sendmail-flags", fine: "mail waits while alignd is away", applies: withSendmail, run: sendmailFlags},
	{id: "sendmail-timeouts", fine: "Sendmail waits long enough", applies: withSendmail, run: sendmailTimeouts},
	{id: "sendmail-submission", fine: "submission does not go through alignd", applies: withSendmail, run: sendmailSubmission},
	{id: "sendmail-macros", fine: "Sendmail's macros are as alignd needs them", applies: withSendmail, run: sendmailMacros},
}

// alignd are the filters that lead to alignd.
func (s *Sendmail) alignd(f *Facts) (all []SendmailFilter) {
	for _, x := range s.Filters {
		if f.reachesSendmail(x.Place) {
			all = append(all, x)
		}
	}
	return all
}

func (f *Facts) reachesSendmail(place string) bool {
	name, unix := unixPath(place)
	return slices.ContainsFunc(f.Alignd.Listen, func(listen string) bool {
		at, ok := unixPath(listen)
		return unix && ok && at == name || !unix && f.sameTCP(place, listen)
	})
}

// used are those of them that are in use.
func (s *Sendmail) used(f *Facts) []SendmailFilter {
	return slices.DeleteFunc(s.alignd(f), func(x SendmailFilter) bool {
		return !slices.Contains(s.Input, x.Name) &&
			!slices.ContainsFunc(s.Daemons, func(d SendmailDaemon) bool { return slices.Contains(d.Input, x.Name) })
	})
}

func sendmailStale(f *Facts) []Finding {
	if f.Sendmail.Stale == "" {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: f.Sendmail.Stale + " is newer than " + f.Sendmail.File,
		Why: "Sendmail reads the .cf file only", Cure: []string{"make -C /etc/mail", "systemctl restart sendmail"}, Where: f.Sendmail.Stale,
	}}
}

// line is the one of sendmail.mc that attaches alignd.
func (f *Facts) line() string { return "in sendmail.mc: " + f.lineOf("alignd") }

// instead is the line that takes the place of the one that defines the filter name:
// Sendmail wants each defined once.
func (f *Facts) instead(name string) string {
	return "instead of the INPUT_MAIL_FILTER or MAIL_FILTER of " + name + ": " + f.lineOf(name)
}

func (f *Facts) lineOf(name string) string {
	place := "inet:8890@127.0.0.1"
	if len(f.Alignd.Listen) > 0 {
		if name, ok := unixPath(f.Alignd.Listen[0]); ok {
			place = "unix:" + name
		} else if host, port, ok := SplitTCP(f.Alignd.Listen[0]); ok {
			if host == "" || host == "*" || host == "0.0.0.0" {
				host = "127.0.0.1"
			}
			place = "inet:" + port + "@" + host
		}
	}
	return "INPUT_MAIL_FILTER(`" + name + "', `S=" + place + ", F=T, T=S:10s;R:30s;E:5m')"
}

// belowFilters: each INPUT_MAIL_FILTER adds its name to the list.
const belowFilters = "below the last INPUT_MAIL_FILTER: "

func sendmailAttached(f *Facts) []Finding {
	s := f.Sendmail
	if len(s.used(f)) > 1 {
		return []Finding{{
			Severity: Warning, What: "alignd is an input filter twice", Why: "each message is judged again, and the second time what the first wrote is deleted as forged",
			Cure: []string{"take " + s.used(f)[1].Name + " out"}, Where: s.File,
		}}
	}
	if len(s.used(f)) == 1 {
		return nil
	}
	finding := Finding{
		Severity: Error, What: "Sendmail does not hand mail to alignd", Why: "it is delivered unjudged, with whatever Authentication-Results its sender wrote",
		Cure: []string{f.line(), "make -C /etc/mail", "systemctl restart sendmail"}, Where: s.File,
	}
	if slices.ContainsFunc(s.Filters, func(x SendmailFilter) bool { return x.Name == "alignd" }) {
		finding.Cure[0] = f.instead("alignd")
	}
	if found := s.alignd(f); len(found) > 0 {
		finding.What = "Sendmail has the filter " + found[0].Name + " and does not use it"
		finding.Cure[0] = belowFilters + "define(`confINPUT_MAIL_FILTERS', `" + strings.Join(append([]string{found[0].Name}, s.Input...), ",") + "')"
	}
	return []Finding{finding}
}

func sendmailOrder(f *Facts) []Finding {
	s := f.Sendmail
	if f.shadow() {
		return nil // see sendmailShadowOrder
	}
	for _, x := range s.used(f) {
		at := slices.Index(s.Input, x.Name)
		if at <= 0 {
			continue
		}
		var before []string
		for _, name := range s.Input[:at] {
			before = append(before, f.describe(s.place(name)))
		}
		order := append([]string{x.Name}, slices.Delete(slices.Clone(s.Input), at, at+1)...)
		return []Finding{{
			Severity: Warning, What: "alignd comes after " + strings.Join(before, ", "),
			Why:  "signatures are to be checked on the message as it came, and filters can read Authentication-Results only behind alignd",
			Cure: []string{belowFilters + "define(`confINPUT_MAIL_FILTERS', `" + strings.Join(order, ",") + "')", "make -C /etc/mail", "systemctl restart sendmail"}, Where: s.File,
		}}
	}
	return nil
}

func (s *Sendmail) place(name string) string {
	for _, x := range s.Filters {
		if x.Name == name {
			return x.Place
		}
	}
	return name
}

func sendmailFlags(f *Facts) (found []Finding) {
	for _, x := range f.Sendmail.used(f) {
		if strings.ContainsAny(x.Flags, "T4") { // 4: 421 and the connection is closed
			continue
		}
		finding := Finding{
			Severity: Warning, What: "the filter " + x.Name + " has no F=T", Why: "while alignd is away mail goes in unjudged",
			Cure: []string{f.instead(x.Name), "make -C /etc/mail", "systemctl restart sendmail"}, Where: f.Sendmail.File,
		}
		if strings.Contains(x.Flags, "R") {
			finding.What = "the filter " + x.Name + " has F=R"
			finding.Why = "while alignd is away, as over a restart, genuine mail is refused for good"
		}
		found = append(found, finding)
	}
	return found
}

// sendmailTimeouts: R holds for each packet, also at the end of a message, where alignd
// tells of progress; E for the whole of it. Without, they are 10 s and 5 min.
func sendmailTimeouts(f *Facts) (found []Finding) {
	for _, x := range f.Sendmail.used(f) {
		times := map[string]time.Duration{"C": 5 * time.Minute, "S": 10 * time.Second, "R": 10 * time.Second, "E": 5 * time.Minute}
		for part := range strings.SplitSeq(x.Timeouts, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), ":")
			if d, ok := span(value, time.Second); ok {
				times[name] = d
			}
		}
		cure := []string{f.instead(x.Name), "make -C /etc/mail", "systemctl restart sendmail"}
		if times["R"] <= 2*progressEvery {
			found = append(found, Finding{
				Severity: Error, What: fmt.Sprintf("Sendmail waits %s for each answer (R)", times["R"]),
				Why: "alignd tells of progress every 3 s; a slow answer of DNS has the message put off", Cure: cure, Where: f.Sendmail.File,
			})
		}
		if times["E"] < f.Alignd.MessageTimeout+10*time.Second {
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("Sendmail waits %s for the end of a message (E)", times["E"]),
				Why: fmt.Sprintf("its checks may take %s (limits.message_timeout)", f.Alignd.MessageTimeout), Cure: cure, Where: f.Sendmail.File,
			})
		}
	}
	return found
}

func sendmailSubmission(f *Facts) (found []Finding) {
	for _, d := range f.Sendmail.Daemons {
		if !d.submission() {
			continue
		}
		for _, x := range f.Sendmail.used(f) {
			if slices.Contains(f.Sendmail.inputOf(d), x.Name) {
				found = append(found, Finding{
					Severity: Warning, What: fmt.Sprintf("port %s, where users hand mail in, goes through alignd", d.Port),
					Why:  "mail of who has logged in is not judged, who hands in without a login is judged like a stranger. If that is wanted: --ignore sendmail-submission",
					Cure: append(f.daemonLines(), "make -C /etc/mail", "systemctl restart sendmail"), Where: f.Sendmail.File,
				})
			}
		}
	}
	return found
}

func (d *SendmailDaemon) submission() bool {
	return slices.Contains([]string{"587", "465", "submission", "smtps", "submissions"}, d.Port)
}

// inputOf are the filters of a port.
func (s *Sendmail) inputOf(d SendmailDaemon) []string {
	if d.Input != nil {
		return d.Input
	}
	return s.Input
}

// daemonLines are all ports, with submission past alignd. All of them: the first
// DAEMON_OPTIONS takes the default port 25 away, and one for 587 beside the default
// MSA keeps Sendmail from starting.
func (f *Facts) daemonLines() []string {
	s := f.Sendmail
	lines := []string{"in sendmail.mc, instead of all DAEMON_OPTIONS:", "FEATURE(`no_default_msa')"}
	for _, d := range s.Daemons {
		options, input := d.Options, d.Input
		if d.submission() {
			input = slices.DeleteFunc(slices.Clone(s.inputOf(d)), func(name string) bool {
				return slices.ContainsFunc(s.alignd(f), func(x SendmailFilter) bool { return x.Name == name })
			})
			if len(input) == 0 {
				input = []string{"YOUR-SIGNER"}
			}
		}
		if len(input) > 0 {
			options += ", InputMailFilters=" + strings.Join(input, ";")
		}
		lines = append(lines, "DAEMON_OPTIONS(`"+options+"')")
	}
	return lines
}

// sendmailMacros: Sendmail from 8.14 on sends what alignd asks for; the lists hold for
// older ones and other filters.
func sendmailMacros(f *Facts) (found []Finding) {
	if len(f.Sendmail.used(f)) == 0 {
		return nil
	}
	for _, w := range []struct{ stage, define, macro, why string }{
		{"connect", "confMILTER_MACROS_CONNECT", "j", "this host's name, which is the authserv-id"},
		{"envfrom", "confMILTER_MACROS_ENVFROM", "{auth_authen}", "who has logged in"},
		{"envfrom", "confMILTER_MACROS_ENVFROM", "{auth_type}", "how somebody has logged in"},
		{"envfrom", "confMILTER_MACROS_ENVFROM", "i", "the queue id"},
	} {
		list, set := f.Sendmail.Macros[w.stage]
		if !set || slices.ContainsFunc(splitList(list), func(m string) bool { return strings.Trim(m, "{}") == strings.Trim(w.macro, "{}") }) {
			continue
		}
		found = append(found, Finding{
			Severity: Note, What: fmt.Sprintf("the macros of %s lack %s: %s", w.stage, w.macro, w.why),
			Why:  "Sendmail from 8.14 on sends what alignd asks for; an older one, and to other filters, only what is listed",
			Cure: []string{"define(`" + w.define + "', `" + list + ", " + w.macro + "')", "make -C /etc/mail", "systemctl restart sendmail"}, Where: f.Sendmail.File,
		})
	}
	return found
}
