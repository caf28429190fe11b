package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// kind is what another mail filter does, as far as its place next to alignd matters.
type kind int

const (
	unknown  kind = iota
	signer        // signs what leaves, and mostly also verifies what comes
	verifier      // does what alignd does
	scanner       // looks at the content, and may change it
)

// program is a milter that is known by name.
type program struct {
	name string
	kind kind
	// ports are those that its packages and how-tos use.
	ports []string
	// words stand in the names of its sockets.
	words []string
	// units are its services, where they are not called as it is.
	units []string
}

// programs are the milters seen beside alignd. The more exact words come first.
var programs = []program{
	{name: "opendkim", kind: signer, ports: []string{"8891", "12301", "12345"}, words: []string{"opendkim"}},
	{name: "dkimpy-milter", kind: signer, ports: []string{"8892"}, words: []string{"dkimpy"}},
	{name: "opendmarc", kind: verifier, ports: []string{"8893", "54321"}, words: []string{"opendmarc"}},
	{name: "openarc", kind: signer, ports: []string{"8894"}, words: []string{"openarc"}},
	{name: "pyspf-milter", kind: verifier, words: []string{"pyspf", "spf-milter", "smf-spf"}, units: []string{"pyspf-milter", "smf-spf"}},
	{name: "rspamd", kind: scanner, ports: []string{"11332", "9900"}, words: []string{"rspamd", "rmilter"}},
	{name: "clamav-milter", kind: scanner, ports: []string{"7357", "6666"}, words: []string{"clamav", "clmilter"}},
	{name: "spamass-milter", kind: scanner, words: []string{"spamass"}},
	{name: "amavisd-milter", kind: scanner, ports: []string{"8898"}, words: []string{"amavis"}, units: []string{"amavisd-milter", "amavis"}},
	{name: "milter-greylist", kind: scanner, words: []string{"greylist"}, units: []string{"milter-greylist"}},
	{name: "MIMEDefang", kind: scanner, words: []string{"mimedefang", "mailmunge"}, units: []string{"mimedefang"}},
	{name: "milter-regex", kind: scanner, words: []string{"milter-regex"}},
	{name: "dk-filter", kind: signer, words: []string{"dk-filter", "dkim-filter", "dkim"}},
}

// identify says which program is behind a milter's place.
func identify(place string) (program, bool) {
	name := strings.ToLower(place)
	for _, p := range programs {
		if slices.ContainsFunc(p.words, func(w string) bool { return strings.Contains(name, w) }) {
			return p, true
		}
	}
	if _, port, ok := SplitTCP(place); ok {
		for _, p := range programs {
			if slices.Contains(p.ports, port) {
				return p, true
			}
		}
	}
	return program{name: "a milter that is not known here"}, false
}

// describe names a milter by program, place, and whether systemd runs it.
func (f *Facts) describe(place string) string {
	p, known := identify(place)
	if !known {
		return place
	}
	for _, unit := range append(p.units, p.name) {
		if slices.Contains(f.Services, strings.ToLower(unit)) {
			return fmt.Sprintf("%s (%s, service %s)", p.name, place, strings.ToLower(unit))
		}
	}
	return fmt.Sprintf("%s (%s)", p.name, place)
}

// orderChecks are about the milters beside alignd.
var orderChecks = []check{
	{id: "order", fine: "alignd is the first milter", applies: withPostfix, run: each(order)},
	{id: "opendkim-verifies", fine: "no opendkim behind alignd takes its results away", applies: withPostfix, run: each(opendkimVerifies)},
	{id: "second-verifier", fine: "nothing else does alignd's work", applies: withPostfix, run: each(secondVerifier)},
	{id: "other-milters", fine: "no other milters", applies: withPostfix, run: each(otherMilters)},
}

// order: each milter sees the edits of those before it.
func order(f *Facts, in *Instance) (found []Finding) {
	if f.shadow() {
		return nil // see shadowOrder
	}
	for _, s := range in.smtpds() {
		at, list := s.alignd(f), s.milters()
		if len(at) == 0 || at[0] == 0 || s.submission() {
			continue
		}
		severity := Note
		var before []string
		for _, m := range list[:at[0]] {
			if p, known := identify(m.Place); known && p.name != "milter-greylist" {
				severity = Warning
			}
			before = append(before, f.describe(m.Place))
		}
		found = append(found, Finding{
			Severity: severity, What: fmt.Sprintf("for %s alignd comes after %s", s.Name, strings.Join(before, ", ")),
			Why: "milters run from left to right, each on what those before it made of the message: signatures are to be checked on the " +
				"message as it came, and filters can read Authentication-Results only behind alignd",
			Cure: s.set("smtpd_milters", texts(f.ideal(s))), Where: s.where("smtpd_milters"),
		})
	}
	return once(found)
}

// behind are the milters after alignd on ports for outside mail.
func behind(f *Facts, in *Instance) (list []Milter, at smtpd) {
	for _, s := range in.public() {
		if n := s.alignd(f); len(n) > 0 {
			return s.milters()[n[0]+1:], s
		}
	}
	return nil, smtpd{}
}

// opendkimVerifies: opendkim in mode v deletes Authentication-Results of its own
// authserv-id, the MTA's name by default, that tell of DKIM (opendkim.conf(5),
// KeepAuthResults; tried with 2.11 behind alignd: the field was gone).
func opendkimVerifies(f *Facts, in *Instance) []Finding {
	list, _ := behind(f, in)
	for _, m := range list {
		if p, _ := identify(m.Place); p.name != "opendkim" {
			continue
		}
		mode, known := f.OpenDKIM["mode"]
		if known && !strings.Contains(mode, "v") || yes(f.OpenDKIM["keepauthresults"]) {
			return nil
		}
		finding := Finding{
			Severity: Error, What: f.describe(m.Place) + " verifies, too, behind alignd, and deletes what alignd wrote",
			Why:   "it takes Authentication-Results that tell of DKIM under this host's name for forged (KeepAuthResults in opendkim.conf)",
			Cure:  []string{"Mode s", "systemctl restart opendkim"},
			Where: "/etc/opendkim.conf",
		}
		if f.OpenDKIM == nil {
			finding.Severity = Warning
			finding.What = f.describe(m.Place) + " may verify, too, behind alignd, and then deletes what alignd wrote"
		}
		return []Finding{finding}
	}
	return nil
}

func yes(value string) bool {
	return value != "" && strings.ContainsAny(value[:1], "tTyY1")
}

// secondVerifier: SPF and DMARC are alignd's work.
func secondVerifier(f *Facts, in *Instance) (found []Finding) {
	list, port := behind(f, in)
	for _, m := range list {
		p, _ := identify(m.Place)
		if p.kind != verifier {
			continue
		}
		var keep []Milter
		for _, other := range port.milters() {
			if other.Place != m.Place {
				keep = append(keep, other)
			}
		}
		found = append(found, Finding{
			Severity: Note, What: f.describe(m.Place) + " does what alignd does",
			Why:  "it judges by its own rules, knows no exception of yours, and asks DNS once more",
			Cure: port.set("smtpd_milters", texts(keep)), Where: port.where("smtpd_milters"),
		})
	}
	return append(found, spfPolicy(in)...)
}

// spfPolicy sees SPF in a policy server of the restrictions.
func spfPolicy(in *Instance) (found []Finding) {
	for _, name := range []string{"smtpd_recipient_restrictions", "smtpd_relay_restrictions", "smtpd_sender_restrictions",
		"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions"} {
		words := splitList(in.Param[name])
		for i, w := range words {
			if w != "check_policy_service" || i+1 == len(words) || !strings.Contains(strings.ToLower(words[i+1]), "spf") {
				continue
			}
			rest := slices.Delete(slices.Clone(words), i, i+2)
			found = append(found, Finding{
				Severity: Note, What: fmt.Sprintf("%s asks a policy server for SPF (%s)", name, words[i+1]),
				Why: "alignd checks SPF and knows of trusted relays and exceptions; what the policy server refuses, alignd never sees, " +
					"and DMARC would have let mail in that DKIM proves",
				Cure: []string{in.postconf(name + " = " + strings.Join(rest, ", ")), in.reload()}, Where: in.main(),
			})
		}
	}
	return found
}

// otherMilters names what else is there, for whoever reads the report of a host
// that is not his.
func otherMilters(f *Facts, in *Instance) []Finding {
	seen := map[string][]string{}
	var places []string
	note := func(service string, chroot bool, list []Milter) {
		for _, m := range list {
			if f.reaches(in, chroot, m.Place) || soundsLikeAlignd(m.Place) {
				continue
			}
			if seen[m.Place] == nil {
				places = append(places, m.Place)
			}
			if !slices.Contains(seen[m.Place], service) {
				seen[m.Place] = append(seen[m.Place], service)
			}
		}
	}
	for _, s := range in.smtpds() {
		note(s.Name, s.Chroot, s.milters())
	}
	note("non_smtpd_milters", false, Milters(in.Param["non_smtpd_milters"]))
	if len(places) == 0 {
		return nil
	}
	var told []string
	for _, place := range places {
		told = append(told, f.describe(place)+" at "+strings.Join(seen[place], ", "))
	}
	return []Finding{{Severity: Note, What: "further milters: " + strings.Join(told, "; "), Where: path.Join(in.Dir, "main.cf")}}
}

// ServiceNames are the services that systemd is asked for.
func ServiceNames() (all []string) {
	for _, p := range programs {
		if p.units != nil {
			all = append(all, p.units...)
			continue
		}
		all = append(all, p.name)
	}
	return all
}
