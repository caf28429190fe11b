package facts

import (
	"os"
	"regexp"
	"strings"

	"alignd/doctor"
)

const defaultSendmail = "/etc/mail/sendmail.cf"

func (g *gatherer) sendmail() {
	file := g.Sendmail
	if file == "" {
		if len(g.facts.Postfix) > 0 || len(g.Postfix) > 0 || !g.exists(defaultSendmail) {
			return
		}
		file = g.Root + defaultSendmail
	}
	text, err := os.ReadFile(file)
	if err != nil {
		g.problem("sendmail: %v", err)
		return
	}
	var s *doctor.Sendmail
	if strings.HasSuffix(file, ".mc") {
		s = sendmailMC(string(text))
	} else {
		s = sendmailCF(string(text))
		s.Stale = newer(file)
	}
	s.File = file
	g.facts.Sendmail = s
}

// newer is the .mc file beside a .cf, if it was changed later.
func newer(cf string) string {
	mc := strings.TrimSuffix(cf, ".cf") + ".mc"
	made, err := os.Stat(cf)
	if err != nil {
		return ""
	}
	source, err := os.Stat(mc)
	if err != nil || !source.ModTime().After(made.ModTime()) {
		return ""
	}
	return mc
}

// sendmailCF reads "XNAME, S=..., F=..., T=..." and the options of milters.
func sendmailCF(text string) *doctor.Sendmail {
	s := &doctor.Sendmail{Macros: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "X"); ok {
			name, equates, _ := strings.Cut(rest, ",")
			s.Filters = append(s.Filters, filterOf(strings.TrimSpace(name), equates))
			continue
		}
		option, ok := strings.CutPrefix(line, "O ")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		stage, isMacros := strings.CutPrefix(name, "Milter.macros.")
		switch {
		case isMacros:
			s.Macros[stage] = value
		case name == "InputMailFilters":
			s.Input = append(s.Input, list(value)...)
		case name == "DaemonPortOptions":
			s.Daemons = append(s.Daemons, daemonOf(value))
		}
	}
	return s
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' })
}

func filterOf(name, equates string) doctor.SendmailFilter {
	f := doctor.SendmailFilter{Name: name}
	for part := range strings.SplitSeq(equates, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.TrimSpace(key) {
		case "S":
			f.Place = strings.TrimSpace(value)
		case "F":
			f.Flags = strings.TrimSpace(value)
		case "T":
			f.Timeouts = strings.TrimSpace(value)
		}
	}
	return f
}

// daemonOf reads Name=MSA, Port=587, InputMailFilters=a;b.
func daemonOf(value string) doctor.SendmailDaemon {
	d := doctor.SendmailDaemon{}
	var options []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); !strings.HasPrefix(part, "I") {
			options = append(options, part)
		}
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch value = strings.TrimSpace(value); key {
		case "Name", "N":
			d.Name = value
		case "Port", "P":
			d.Port = value
		case "InputMailFilters", "I":
			d.Input = append([]string{}, list(value)...)
		}
	}
	d.Options = strings.Join(options, ", ")
	return d
}

// call is a macro call of m4 with its arguments in the quotes that sendmail.mc uses.
var call = regexp.MustCompile("(?m)^[ \t]*(INPUT_MAIL_FILTER|MAIL_FILTER|DAEMON_OPTIONS|define|FEATURE)\\(([^\n]*(?:\n[ \t]+[^\n]*)*)\\)")
var quoted = regexp.MustCompile("`([^']*)'")

// sendmailMC reads the macro calls about milters; what m4 conditionals leave out it
// does not know.
func sendmailMC(text string) *doctor.Sendmail {
	s := &doctor.Sendmail{Macros: map[string]string{}}
	var plain strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "dnl") && !strings.HasPrefix(line, "#") {
			plain.WriteString(line)
		}
	}
	msa := true // Sendmail has port 587 by itself, unless no_default_msa
	for _, m := range call.FindAllStringSubmatch(plain.String(), -1) {
		var args []string
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			args = append(args, q[1])
		}
		if len(args) == 0 {
			args = []string{strings.TrimSpace(m[2])}
		}
		args = append(args, "")
		switch {
		case m[1] == "INPUT_MAIL_FILTER":
			s.Filters = append(s.Filters, filterOf(args[0], args[1]))
			s.Input = append(s.Input, args[0])
		case m[1] == "MAIL_FILTER":
			s.Filters = append(s.Filters, filterOf(args[0], args[1]))
		case m[1] == "DAEMON_OPTIONS":
			s.Daemons = append(s.Daemons, daemonOf(args[0]))
		case m[1] == "FEATURE" && args[0] == "no_default_msa":
			msa = false
		case m[1] == "define" && args[0] == "confINPUT_MAIL_FILTERS":
			s.Input = list(args[1])
		case m[1] == "define" && strings.HasPrefix(args[0], "confMILTER_MACROS_"):
			s.Macros[strings.ToLower(strings.TrimPrefix(args[0], "confMILTER_MACROS_"))] = args[1]
		}
	}
	if len(s.Daemons) == 0 { // the default, which a DAEMON_OPTIONS takes away
		s.Daemons = append(s.Daemons, daemonOf("Name=MTA"))
	}
	if msa {
		s.Daemons = append(s.Daemons, daemonOf("Name=MSA, Port=587, M=E"))
	}
	return s
}
