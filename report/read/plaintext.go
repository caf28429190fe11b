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
	if f.reports > 0 || f.text == nil {
		return
	}
	r := &Failure{Fields: map[string]string{}}
	for line := range bytes.Lines(f.text) {
		name, value, ok := strings.Cut(string(bytes.TrimSpace(line)), ":")
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
		f.say(f.textPart, "a mail without a report")
		return
	}
	if r.FeedbackType == "" {
		r.FeedbackType = "auth-failure"
	}
	_ = f.failure(r)
}
