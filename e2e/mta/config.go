package mta

import (
	"fmt"
	"strings"
)

// mainCf is the whole main.cf of an instance in dir that delivers to the LMTP
// server on sink.
func mainCf(dir, sink string) string {
	var b strings.Builder
	for _, kv := range [][2]string{
		{"compatibility_level", "3.6"},
		{"queue_directory", dir + "/spool"},
		{"data_directory", dir + "/data"},
		{"maillog_file", dir + "/mail.log"},
		{"maillog_file_prefixes", dir},
		{"mail_owner", "postfix"},
		{"setgid_group", "postdrop"},
		{"myhostname", Hostname},

		{"inet_interfaces", "127.0.0.1"},
		{"inet_protocols", "all"}, // else XCLIENT refuses ADDR=IPV6:...
		{"smtpd_peername_lookup", "no"},
		{"smtp_dns_support_level", "disabled"},

		{"mydestination", ""},
		{"alias_maps", ""},
		{"alias_database", ""},
		{"local_recipient_maps", ""},
		{"virtual_mailbox_domains", Domain},
		{"virtual_transport", "lmtp:inet:" + sink},
		{"default_transport", "error:no mail leaves a test"},
		{"relay_transport", "error:no mail leaves a test"},

		{"mynetworks", "127.0.0.0/8"},
		{"smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination"},
		{"smtpd_authorized_xclient_hosts", "127.0.0.0/8"},
		// Else Postfix completes headers of local clients before a milter sees them.
		{"local_header_rewrite_clients", ""},
		{"milter_default_action", "tempfail"},

		{"message_size_limit", "200000000"},
		{"smtpd_error_sleep_time", "0"},
		{"smtpd_soft_error_limit", "1000"},
		{"smtpd_hard_error_limit", "1000"},
		{"smtpd_junk_command_limit", "1000"},
		{"in_flow_delay", "0"},
		// A message is bounced at once rather than tried again: tests wait for neither.
		{"maximal_queue_lifetime", "0"},
		{"bounce_queue_lifetime", "0"},
	} {
		fmt.Fprintf(&b, "%s = %s\n", kv[0], kv[1])
	}
	return b.String()
}

// services are the daemons besides smtpd. Nothing runs in a chroot.
const services = `
pickup     unix  n  -  n  60   1  pickup
cleanup    unix  n  -  n  -    0  cleanup
qmgr       unix  n  -  n  300  1  qmgr
rewrite    unix  -  -  n  -    -  trivial-rewrite
bounce     unix  -  -  n  -    0  bounce
defer      unix  -  -  n  -    0  bounce
trace      unix  -  -  n  -    0  bounce
proxymap   unix  -  -  n  -    -  proxymap
showq      unix  n  -  n  -    -  showq
error      unix  -  -  n  -    -  error
retry      unix  -  -  n  -    -  error
lmtp       unix  -  -  n  -    -  lmtp
flush      unix  n  -  n  1000? 0 flush
anvil      unix  -  -  n  -    1  anvil
postlog    unix-dgram n - n -  1  postlogd
`

// masterCf is the whole master.cf with one smtpd for each line.
func masterCf(lines []Line, ports map[string]int) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "127.0.0.1:%d inet n - n - - smtpd\n", ports[l.Name])
		fmt.Fprintf(&b, "  -o smtpd_milters=%s\n", l.Milter)
		for _, o := range l.Options {
			fmt.Fprintf(&b, "  -o %s\n", o)
		}
	}
	return b.String() + services
}
