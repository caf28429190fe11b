package doctor

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// milterForm: smtpd takes no mail at all where it cannot read an entry of its list,
// whichever filter that is about.
func milterForm(_ *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		list := slices.Clone(s.milters())
		for i, m := range list {
			right, why := wellFormed(m.Place)
			if right == m.Place {
				continue
			}
			list[i].Text = strings.Replace(m.Text, m.Place, right, 1)
			found = append(found, Finding{
				Severity: Error, What: fmt.Sprintf("%s cannot read %s in smtpd_milters", s.Name, m.Place), Why: why, Where: s.where("smtpd_milters"),
			})
		}
		for i := range found {
			if found[i].Cure == nil {
				found[i].Cure = s.set("smtpd_milters", texts(list))
			}
		}
	}
	return once(found)
}

// wellFormed is a place as Postfix wants it written, and what it does with another form:
// inet:HOST:PORT, unix:PATH or local:PATH (postconf(5), smtpd_milters). What nobody can
// tell the meaning of is left as it is.
func wellFormed(place string) (right, why string) {
	const wants = "Postfix wants inet:HOST:PORT or unix:PATH, and answers 451 to all mail"
	kind, rest, _ := strings.Cut(place, ":")
	switch kind {
	case "unix", "local":
		return place, ""
	case "inet":
		if !strings.Contains(rest, "@") {
			return place, ""
		}
		why = "PORT@HOST is the form of Sendmail: with it Postfix' smtpd does not start, and no mail comes in"
	default:
		why = wants
	}
	if strings.HasPrefix(place, "/") {
		return "unix:" + place, why
	}
	host, port, ok := SplitTCP(place)
	if !ok || host == "" {
		return place, ""
	}
	return "inet:" + net.JoinHostPort(host, port), why
}
