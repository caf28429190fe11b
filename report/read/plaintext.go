package read

import (
	"bytes"
	"strings"
)

// textNames are the names that text-only failure reports use, as some large
// mailbox providers send them, and those of RFC 6591.
var textNames = map[string]string{
	"sender ip address": "source-ip", "ip address": "source-ip", "source ip": "source-ip", "source-ip": "source-ip",
	"sender domain": "reported-domain", "reported domain": "reported-domain", "reported-domain": "reported-domain", "header from domain": "reported-domain",
	"received date": "arrival-date", "arrival date": "arrival-date", "arrival-date": "arrival-date",
	"sender email": "original-mail-from", "mail from": "original-mail-from", "envelope from": "original-mail-from",
	"original-mail-from": "original-mail-from", "auth-failure": "auth-failure", "feedback-type": "feedback-type",
	"identity-alignment": "identity-alignment",
}

// plainText takes the text of a mail that held no report for a failure report, if
// it names a source and a domain.
func (f *file) plainText() {
	switch {
	case f.reports > 0 || !f.hasText:
	case f.text == nil:
		f.say(f.textPart, "a mail without a report")
	default:
		_ = f.failure(f.text)
	}
}

// textReport is the failure report that a text is, or nil. It ends at the empty line
// behind the source and the domain: the header of the message follows, which whoever
// wrote that could fill with anything.
func textReport(text []byte) *Failure {
	r := &Failure{Fields: map[string]string{}}
	for line := range bytes.Lines(text) {
		line = bytes.TrimLeft(bytes.TrimSpace(line), "> \t") // as people quote what they forward
		if len(line) == 0 && r.SourceIP != "" && r.ReportedDomain != "" {
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" || len(name) > 60 || value == "" {
			continue
		}
		if known, ok := textNames[name]; ok {
			name = known
		}
		r.put(name, value)
	}
	if r.SourceIP == "" || r.ReportedDomain == "" {
		return nil
	}
	if r.FeedbackType == "" {
		r.FeedbackType = "auth-failure"
	}
	return r
}
