package doctor

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ideal is the list of milters as it should be for a service: alignd first (last, where
// it runs beside the others), once, and with nothing in its entry that a check would warn
// of. Every cure that writes smtpd_milters writes this, so that one does not undo another.
func (f *Facts) ideal(s smtpd) []Milter {
	list := s.milters()
	own := Milter{Place: f.place(s.in, s.Chroot)}
	if at := s.alignd(f); len(at) > 0 {
		own = list[at[0]]
	}
	own.Options = f.idealOptions(s, own, !s.othersGoBy(f, "milter_default_action"))
	own.Text = own.Place
	if len(own.Options) > 0 {
		parts := []string{own.Place}
		for _, name := range sortedKeys(own.Options) {
			parts = append(parts, name+"="+own.Options[name])
		}
		own.Text = "{ " + strings.Join(parts, ", ") + " }"
	}
	var others []Milter
	for _, m := range list {
		if !f.reaches(s.in, s.Chroot, m.Place) && !soundsLikeAlignd(m.Place) {
			others = append(others, m)
		}
	}
	if f.shadow() {
		return append(others, own)
	}
	return append([]Milter{own}, others...)
}

// othersGoBy reports whether another filter goes by the same value of a parameter: one
// in the list of the service, or a signer, say, in non_smtpd_milters or at another
// service.
func (s smtpd) othersGoBy(f *Facts, general string) bool {
	others := s.milters()
	if !s.own(general) {
		others = append(others, Milters(s.in.Param["non_smtpd_milters"])...)
		for _, other := range s.in.smtpds() {
			if !other.own(general) {
				others = append(others, other.milters()...)
			}
		}
	}
	return slices.ContainsFunc(others, func(m Milter) bool { return !f.reaches(s.in, s.Chroot, m.Place) })
}

// idealOptions are those of alignd's entry. What is wrong in it goes, as the general
// parameter holds then; default_action comes in where other milters go by the general one.
func (f *Facts) idealOptions(s smtpd, own Milter, alone bool) map[string]string {
	options := maps.Clone(own.Options)
	if options == nil {
		options = map[string]string{}
	}
	if v, has := options["protocol"]; has && !newProtocol(v) {
		delete(options, "protocol")
	}
	for name, verdict := range map[string]func(time.Duration) (Severity, string){
		"connect_timeout": f.judgeConnect, "command_timeout": f.judgeCommand, "content_timeout": f.judgeContent,
	} {
		if d, ok := span(options[name], time.Second); ok {
			if severity, _ := verdict(d); severity != OK {
				delete(options, name)
			}
		}
	}
	if v, has := options["default_action"]; has && !waits(v) {
		options["default_action"] = "tempfail"
	} else if !has && !alone && len(own.Text) > 0 && !waits(s.get("milter_default_action")) {
		options["default_action"] = "tempfail"
	}
	return options
}

// waits reports whether an action has the sender come again.
func waits(action string) bool {
	word, _, _ := strings.Cut(action, " ")
	return slices.Contains([]string{"tempfail", "shutdown"}, word)
}

func newProtocol(value string) bool {
	words := splitList(value)
	if len(words) == 0 {
		return true
	}
	version, err := strconv.Atoi(words[0])
	return err == nil && version >= 6
}
