package doctor

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// siteChecks are about what there is to look at.
var siteChecks = []check{
	{
		id: "unreadable", fine: "everything could be read", applies: always,
		run: func(f *Facts) (found []Finding) {
			for _, p := range f.Problems {
				found = append(found, Finding{Severity: Warning, What: p, Why: "what depends on it was not looked at"})
			}
			return found
		},
	},
	{
		id: "configuration", fine: "alignd's configuration can be read", applies: always,
		run: func(f *Facts) []Finding {
			if f.Alignd.Fault == "" {
				return nil
			}
			return []Finding{{
				Severity: Error, What: "alignd's configuration cannot be used: " + f.Alignd.Fault,
				Why:   "alignd does not start with it, and a reload keeps the old one; all below is judged by the defaults",
				Cure:  []string{"alignd config check " + f.Alignd.File},
				Where: f.Alignd.File,
			}}
		},
	},
	{
		id: "no-mta", fine: "an MTA is here", applies: always,
		run: func(f *Facts) []Finding {
			if len(f.Postfix) > 0 || f.Sendmail != nil {
				return nil
			}
			return []Finding{{
				Severity: Error, What: "neither Postfix nor Sendmail was found",
				Why:  "without an MTA nothing hands mail to alignd",
				Cure: []string{"alignd doctor --postfix DIR", "alignd doctor --sendmail FILE"},
			}}
		},
	},
	{
		id: "postconf-warning", fine: "postconf itself warns of nothing", applies: withPostfix,
		run: each(func(_ *Facts, in *Instance) (found []Finding) {
			for _, w := range in.Warnings {
				severity := Note
				if strings.Contains(w, "milt") {
					severity = Warning // smtpd_miltres = ...
				}
				found = append(found, Finding{
					Severity: severity, What: "postconf says: " + w,
					Why: "Postfix passes over a parameter that it does not know, so a misspelt one has no effect", Where: in.Dir,
				})
			}
			return found
		}),
	},
}

// each makes a check of all instances out of one for an instance.
func each(one func(*Facts, *Instance) []Finding) func(*Facts) []Finding {
	return func(f *Facts) (found []Finding) {
		for i := range f.Postfix {
			found = append(found, one(f, &f.Postfix[i])...)
		}
		return found
	}
}

// attachChecks are about whether mail reaches alignd, and how often.
var attachChecks = []check{
	{id: "not-attached", fine: "alignd is a milter of every port for outside mail", applies: withPostfix, run: notAttached},
	{id: "milter-form", fine: "Postfix can read its lists of milters", applies: withPostfix, run: each(milterForm)},
	{id: "attached-twice", fine: "no message meets alignd twice", applies: withPostfix, run: each(attachedTwice)},
	{id: "milter-maps", fine: "smtpd_milter_maps takes no client out", applies: withPostfix, run: each(milterMaps)},
	{id: "non-smtpd-milters", fine: "alignd is not in non_smtpd_milters", applies: withPostfix, run: each(nonSMTPD)},
}

// notAttached: with several instances one for outside mail is enough, but every
// port of that one must have alignd.
func notAttached(f *Facts) (found []Finding) {
	ports := 0
	for i := range f.Postfix {
		in := &f.Postfix[i]
		for _, s := range in.public() {
			ports++
			if len(s.alignd(f)) > 0 || s.get("smtpd_proxy_filter") != "" || len(f.misplaced(s)) > 0 {
				continue // the proxy and the wrong path are checks of their own
			}
			found = append(found, f.unattached(s))
		}
	}
	if ports == 0 {
		found = append(found, Finding{
			Severity: Note, What: "no port of this Postfix takes mail from outside",
			Why: "alignd is for mail that comes by SMTP; only the ports for submission and loopback were found", Where: f.Postfix[0].master(),
		})
	}
	return found
}

func (f *Facts) unattached(s smtpd) Finding {
	finding := Finding{
		Severity: Error, What: fmt.Sprintf("mail that comes in by %s is not handed to alignd", s.Name),
		Why: "it is delivered unjudged, with whatever Authentication-Results its sender wrote", Where: s.where("smtpd_milters"),
	}
	if slices.Contains(splitList(s.get("receive_override_options")), "no_milters") {
		finding.Why = "receive_override_options = no_milters takes all milters away"
		finding.Where = s.where("receive_override_options")
		var rest []string
		for _, o := range splitList(s.get("receive_override_options")) {
			if o != "no_milters" {
				rest = append(rest, o)
			}
		}
		finding.Cure = s.set("receive_override_options", strings.Join(rest, ","))
		return finding
	}
	if wrong := f.meant(s); wrong != "" {
		finding.Why = fmt.Sprintf("%s is not where alignd listens (%s)", wrong, strings.Join(f.Alignd.Listen, ", "))
	}
	finding.Cure = s.set("smtpd_milters", strings.TrimSpace(texts(f.ideal(s)[:1])+" "+f.rest(s)))
	return finding
}

// rest is the list of milters without alignd, with $names as they are written.
func (f *Facts) rest(s smtpd) string {
	var keep []string
	for _, m := range Milters(s.raw("smtpd_milters")) {
		if !soundsLikeAlignd(m.Place) {
			keep = append(keep, m.Text)
		}
	}
	return strings.Join(keep, " ")
}

// raw is a parameter as it is written where it holds for the service.
func (s smtpd) raw(name string) string {
	if v, own := s.Options[name]; own {
		return v
	}
	return s.in.Raw[name]
}

// set are the commands that give a parameter a value where the service has it from.
func (s smtpd) set(name, value string) []string {
	if s.own(name) {
		return []string{s.in.postconfP(s.Service, name+"="+value), s.in.reload()}
	}
	return []string{s.in.postconf(strings.TrimSpace(name + " = " + value)), s.in.reload()}
}

// setHere gives the service a value of its own.
func (s smtpd) setHere(name, value string) []string {
	return []string{s.in.postconfP(s.Service, name+"="+value), s.in.reload()}
}

// meant is an entry that was surely written for alignd, and misses it.
func (f *Facts) meant(s smtpd) string {
	for _, m := range s.milters() {
		if soundsLikeAlignd(m.Place) && !f.reaches(s.in, s.Chroot, m.Place) {
			return m.Place
		}
	}
	return ""
}

func soundsLikeAlignd(place string) bool {
	name, ok := unixPath(place)
	if ok {
		return strings.Contains(name, "alignd")
	}
	host, port, _ := SplitTCP(place)
	return port == "8890" || strings.HasPrefix(host, "alignd")
}

func attachedTwice(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		if at := s.alignd(f); len(at) > 1 {
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("%s has alignd %d times in smtpd_milters", s.Name, len(at)),
				Why:  "each message is judged again, and the second time what the first wrote is deleted as forged",
				Cure: s.set("smtpd_milters", texts(f.ideal(s))), Where: s.where("smtpd_milters"),
			})
		}
	}
	return append(once(found), handedBackTwice(f, in)...)
}

// handedBackTwice: mail that a filter behind the queue hands back meets alignd again.
// Behind a proxy before the queue that is as it should be.
func handedBackTwice(f *Facts, in *Instance) (found []Finding) {
	front := slices.ContainsFunc(in.public(), func(s smtpd) bool { return s.get("content_filter") != "" && len(s.alignd(f)) > 0 })
	proxied := slices.ContainsFunc(in.public(), func(s smtpd) bool { return s.get("smtpd_proxy_filter") != "" })
	if !front || proxied {
		return nil
	}
	for _, s := range in.inner() {
		at := s.alignd(f)
		if len(at) == 0 {
			continue
		}
		var keep []Milter
		for i, m := range s.milters() {
			if !slices.Contains(at, i) {
				keep = append(keep, m)
			}
		}
		severity, why := Note, "loopback clients are not judged, so the second visit does nothing but cost"
		if !f.Alignd.Loopback || f.relayed() {
			severity, why = Warning, "mail is judged there again, after a filter has changed it"
		}
		found = append(found, Finding{
			Severity: severity, What: fmt.Sprintf("mail that a content filter hands back by %s meets alignd a second time", s.Name),
			Why: why, Cure: s.setHere("smtpd_milters", texts(keep)), Where: s.label(),
		})
	}
	return found
}

// relayed reports whether loopback is a trusted relay.
func (f *Facts) relayed() bool {
	return slices.ContainsFunc(f.Alignd.Relays, func(r Relay) bool {
		return slices.ContainsFunc(r.Peers, func(p netip.Prefix) bool { return p.Addr().Unmap().IsLoopback() })
	})
}

func milterMaps(_ *Facts, in *Instance) (found []Finding) {
	for _, s := range in.public() {
		if maps := s.get("smtpd_milter_maps"); maps != "" {
			found = append(found, Finding{
				Severity: Note, What: fmt.Sprintf("for %s smtpd_milter_maps chooses the milters by the client's address: %s", s.Name, maps),
				Why: "a client that it lists has other milters, or none (DISABLE); the map was not looked into", Where: s.where("smtpd_milter_maps"),
			})
		}
	}
	return found
}

// nonSMTPD: mail of pickup and qmqpd has no SMTP client.
func nonSMTPD(f *Facts, in *Instance) []Finding {
	chroot := slices.ContainsFunc(in.Services, func(s Service) bool { return s.Command == "cleanup" && s.Chroot })
	list := Milters(in.Param["non_smtpd_milters"])
	var keep []Milter
	for _, m := range list {
		if !f.reaches(in, chroot, m.Place) {
			keep = append(keep, m)
		}
	}
	if len(keep) == len(list) {
		return nil
	}
	why := "it is for mail made on this host, which shows alignd the client 127.0.0.1: it is not judged, and costs"
	if !f.Alignd.Loopback || f.relayed() {
		why = "it is for mail made on this host; alignd judges it as if it came from outside, and may refuse it"
	}
	cure := "non_smtpd_milters = " + texts(keep)
	if strings.Contains(in.Raw["non_smtpd_milters"], "$smtpd_milters") {
		why += ". It follows smtpd_milters here"
	}
	return []Finding{{
		Severity: Warning, What: "alignd is in non_smtpd_milters", Why: why,
		Cure: []string{in.postconf(strings.TrimSpace(cure)), in.reload()}, Where: path.Join(in.Dir, "main.cf"),
	}}
}
