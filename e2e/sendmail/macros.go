package sendmail

import (
	"net"
	"strconv"
	"strings"
)

// macros is the m4 source of an instance in dir: mail is taken on port, goes
// through the milter, if there is one, and on to the sink. F=T defers mail while
// the milter is away; the timeouts are Sendmail's defaults. delivery is when mail
// goes on, as option DeliveryMode has it.
func macros(dir, port, milter, sinkPort, delivery string) string {
	text := `divert(0)dnl
OSTYPE(linux)dnl
define(¢MAIL_SETTINGS_DIR', ¢DIR/')dnl
define(¢QUEUE_DIR', ¢DIR/queue')dnl
define(¢confPID_FILE', ¢DIR/pid')dnl
define(¢STATUS_FILE', ¢DIR/statistics')dnl
define(¢HELP_FILE', ¢DIR/help')dnl
define(¢confCW_FILE', ¢-o DIR/names')dnl
define(¢ALIAS_FILE', ¢')dnl
define(¢confSERVICE_SWITCH_FILE', ¢DIR/service')dnl
define(¢confDOMAIN_NAME', ¢HOSTNAME')dnl
define(¢confDEF_USER_ID', ¢root:root')dnl
define(¢confTO_IDENT', ¢0')dnl
define(¢confREFUSE_LA', ¢1000')dnl
define(¢confQUEUE_LA', ¢1000')dnl
define(¢confDELIVERY_MODE', ¢DELIVERY')dnl
define(¢confDONT_BLAME_SENDMAIL', ¢GroupWritableDirPathSafe,TrustStickyBit')dnl
FEATURE(¢nouucp', ¢reject')dnl
FEATURE(¢nocanonify')dnl
FEATURE(¢accept_unresolvable_domains')dnl
FEATURE(¢accept_unqualified_senders')dnl
FEATURE(¢promiscuous_relay')dnl
FEATURE(¢no_default_msa')dnl
define(¢SMART_HOST', ¢relay:[127.0.0.1]')dnl
define(¢RELAY_MAILER_ARGS', ¢TCP $h SINKPORT')dnl
DAEMON_OPTIONS(¢Name=MTA, Addr=127.0.0.1, Port=SMTPPORT, Family=inet, InputMailFilters=FILTERS')dnl
MAILFILTERSMAILER(¢smtp')dnl
`
	names, filters := milterMacros(milter)
	return strings.NewReplacer("¢", "`", "DIR/", dir+"/", "HOSTNAME", Hostname,
		"SINKPORT", sinkPort, "SMTPPORT", port, "DELIVERY", delivery, "MAILFILTERS", filters, "FILTERS", names).Replace(text)
}

// milterMacros declares the milters, divided by commas, and gives their names in their
// order; the last one is alignd.
func milterMacros(milters string) (names, macros string) {
	if milters == "" {
		return "", ""
	}
	var all []string
	list := strings.Split(milters, ",")
	for i, place := range list {
		name := "alignd"
		if i < len(list)-1 {
			name = "front" + strconv.Itoa(i)
		}
		if host, ok := strings.CutPrefix(place, "inet:"); ok {
			address, port, _ := net.SplitHostPort(host)
			place = "inet:" + port + "@" + address
		}
		all = append(all, name)
		macros += "MAIL_FILTER(`" + name + "', `S=" + place + ", F=T')dnl\n"
	}
	return strings.Join(all, ";"), macros
}
