package doctor

import (
	"fmt"
	"time"
)

// progressEvery is how often alignd tells the MTA that a verdict is being worked on.
const progressEvery = 3 * time.Second

// timeoutChecks compare how long the MTA waits with what alignd takes.
var timeoutChecks = []check{
	{
		id: "connect-timeout", fine: "milter_connect_timeout leaves time to connect", applies: withPostfix,
		run: timeout("connect_timeout", "milter_connect_timeout", "30s", (*Facts).judgeConnect),
	},
	{
		id: "command-timeout", fine: "milter_command_timeout is longer than a restart", applies: withPostfix,
		run: timeout("command_timeout", "milter_command_timeout", "30s", (*Facts).judgeCommand),
	},
	{
		id: "content-timeout", fine: "milter_content_timeout is longer than all checks of a message", applies: withPostfix,
		run: timeout("content_timeout", "milter_content_timeout", "300s", (*Facts).judgeContent),
	},
}

// timeout is a check of one timeout, as it holds for alignd.
func timeout(own, general, value string, verdict func(*Facts, time.Duration) (Severity, string)) func(*Facts) []Finding {
	return each(func(f *Facts, in *Instance) (found []Finding) {
		for _, a := range attached(f, in) {
			text, where := a.setting(own, general)
			d, ok := span(text, time.Second)
			if !ok {
				continue
			}
			severity, why := verdict(f, d)
			if severity == OK {
				continue
			}
			finding := Finding{
				Severity: severity, What: fmt.Sprintf("%s is %s", general, text), Why: why,
				Cure: a.cure(f, own, general, value, true), Where: where,
			}
			if general == "milter_command_timeout" && f.Alignd.Drain >= 30*time.Second && d >= 30*time.Second {
				finding.Cure, finding.Where = []string{"drain: 20s", reload}, f.Alignd.File
			}
			found = append(found, finding)
		}
		return once(found)
	})
}

// judgeConnect: below the five minutes in which a client waits for the greeting
// (RFC 5321 section 4.5.3.2.1).
func (f *Facts) judgeConnect(d time.Duration) (Severity, string) {
	switch {
	case d < 5*time.Second:
		return Warning, "a busy moment counts as alignd being away"
	case d >= 5*time.Minute:
		return Warning, "when alignd's host is down, clients give up before they are greeted (RFC 5321 section 4.5.3.2.1: 5 minutes)"
	}
	return OK, ""
}

// judgeCommand: over a restart a new connection waits in the socket, at most for the
// drain, and the answer to the first packet has this time.
func (f *Facts) judgeCommand(d time.Duration) (Severity, string) {
	switch {
	case d < 5*time.Second:
		return Error, "a busy moment counts as alignd being away"
	case d <= f.Alignd.Drain:
		return Warning, fmt.Sprintf("sessions that begin while alignd restarts (drain: %s) are given up", f.Alignd.Drain)
	}
	return OK, ""
}

// judgeContent: Postfix waits that long for each packet, and alignd tells of progress,
// so what is below limits.message_timeout only leaves no reserve.
func (f *Facts) judgeContent(d time.Duration) (Severity, string) {
	switch {
	case d <= 2*progressEvery:
		return Error, fmt.Sprintf("alignd tells of progress every %s; a slow answer of DNS has the message put off", progressEvery)
	case d < f.Alignd.MessageTimeout+10*time.Second:
		return Warning, fmt.Sprintf("the checks of a message may take %s (limits.message_timeout), and little is left beside", f.Alignd.MessageTimeout)
	case d > 10*time.Minute:
		return Note, "the client waits 10 minutes after the final dot (RFC 5321 section 4.5.3.2.6) and then sends the message again"
	}
	return OK, ""
}
