package read

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/mail"
	"net/netip"
	"slices"
	"strings"

	"alignd/header"
)

// feedback reads the machine-readable part of a failure report.
func (f *file) feedback(part string, in io.Reader) error {
	buf := bufio.NewReader(in)
	head, _ := buf.Peek(1024)
	_, _ = buf.Discard(blanks(head))
	fields, rest, err := header.Read(buf, header.Limits{Fields: 1000, Bytes: f.limits.Text})
	if err != nil {
		return f.local(part, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(rest, maxText))
	return f.feedbackFields(part, fields)
}

const feedbackType = "feedback-type"

// feedbackFields takes the fields of a failure report, and none of MIME.
func (f *file) feedbackFields(part string, fields *header.Fields) error {
	r := &Failure{Fields: map[string]string{}}
	for i := range fields.Len() {
		fd := fields.At(i)
		if name := strings.ToLower(string(bytes.TrimSpace(fd.Name()))); !strings.HasPrefix(name, "content-") {
			r.put(name, unfold(fd.Value()))
		}
	}
	if len(r.Fields) == 0 {
		f.say(part, "a failure report without fields")
		return nil
	}
	for _, text := range r.check() {
		f.say(part, text)
	}
	return f.failure(r)
}

func (f *file) failure(r *Failure) error {
	f.reports++
	if err := f.sink.Failure(r); err != nil {
		return ownError{err}
	}
	return nil
}

// maxRepeated is how many octets of a field that is repeated are kept, as they are joined
// one by one; ours.
const maxRepeated = 4 << 10

// put adds a field and keeps those that have a key of their own.
func (r *Failure) put(name, value string) {
	if old, ok := r.Fields[name]; ok {
		if len(old)+1+len(value) > maxRepeated {
			return
		}
		r.Fields[name] = old + "\n" + value
		return
	}
	r.Fields[name] = value
	switch name {
	case feedbackType:
		r.FeedbackType = uncommented(value)
	case "auth-failure":
		r.AuthFailure = uncommented(value)
	case "reported-domain":
		r.ReportedDomain = uncommented(value)
	case "source-ip":
		r.SourceIP = uncommented(value)
	case "original-mail-from":
		r.OriginalMailFrom = value
	case "arrival-date", "received-date": // the latter of RFC 5965
		if r.ArrivalDate == "" {
			r.ArrivalDate = value
		}
	case "identity-alignment":
		r.IdentityAlignment = uncommented(value)
	}
}

// The words that RFC 6591 section 3, RFC 9991 section 4 and the registry of MARF reports know.
var (
	authFailures    = []string{"adsp", "bodyhash", "dmarc", "revoked", "signature", "spf"}
	alignments      = []string{"dkim", "spf", "none"}
	deliveryResults = []string{"delivered", "spam", "policy", "reject", "other"}
)

// check maps words that differ in case only, and tells what is unusual or missing.
func (r *Failure) check() (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	word := func(what, value string, known []string) string {
		lower := strings.ToLower(value)
		if !slices.Contains(known, lower) {
			say("%s %.60q is an unknown word", what, value)
			return value
		}
		if lower != value {
			say("%s %.60q is read as %q", what, value, lower)
		}
		return lower
	}
	const authFailure = "auth-failure"
	switch {
	case r.FeedbackType == "":
		say("feedback_type is missing")
	case strings.EqualFold(r.FeedbackType, authFailure):
		r.FeedbackType = word("feedback_type", r.FeedbackType, []string{authFailure})
		if r.AuthFailure == "" {
			say("auth_failure is missing")
		}
	default:
		say("feedback_type %.60q is not auth-failure: it tells of something else", r.FeedbackType)
	}
	if r.AuthFailure != "" {
		r.AuthFailure = word("auth_failure", r.AuthFailure, authFailures)
	}
	if n := strings.Count(r.IdentityAlignment, ",") + 1; n > len(alignments) {
		say("identity_alignment names %d methods", n)
	} else if r.IdentityAlignment != "" {
		methods := strings.Split(r.IdentityAlignment, ",")
		for i, method := range methods {
			name := strings.TrimSpace(method)
			methods[i] = strings.Replace(method, name, word("identity_alignment", name, alignments), 1)
		}
		r.IdentityAlignment = strings.Join(methods, ",")
	}
	if value, ok := r.Fields["delivery-result"]; ok {
		word("delivery-result", value, deliveryResults)
	}
	if r.ReportedDomain == "" {
		say("reported_domain is missing")
	}
	if _, err := netip.ParseAddr(r.SourceIP); r.SourceIP == "" {
		say("source_ip is missing")
	} else if err != nil {
		say("source_ip %.60q is not an address", r.SourceIP)
	}
	if _, err := mail.ParseDate(r.ArrivalDate); r.ArrivalDate != "" && err != nil {
		say("arrival_date %.60q is not a date", r.ArrivalDate)
	}
	return problems
}

// uncommented is a value without comments, which RFC 5965 section 3.5 allows around it.
func uncommented(value string) string {
	var b strings.Builder
	depth := 0
	for _, r := range value {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	if depth > 0 { // it is not closed
		return value
	}
	return strings.TrimSpace(b.String())
}

// startsFeedback reports whether text is the machine-readable part of a failure report
// that is called something else: no mail has such a field.
func startsFeedback(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			return false
		}
		if name, _, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(bytes.TrimSpace(name), []byte(feedbackType)) {
			return true
		}
	}
	return false
}
