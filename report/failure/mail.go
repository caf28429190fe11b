package failure

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Envelope is who sends a report's mail to whom.
type Envelope struct {
	ID        string // of the report: one word
	Domain    string // ours, that of From
	From      string // address
	Name      string // beside the address
	To        string // address
	Contact   string // how to reach a person
	UserAgent string // product/version
	Date      time.Time
	// Incidents is how many messages the report stands for.
	Incidents int64
}

// WriteMail writes the mail of r, unsigned: text for people, the report, and the redacted
// header section (RFC 5965 section 2). Equal values give equal octets.
func WriteMail(w io.Writer, r *Report, env Envelope) error {
	var h mail.Header
	h.SetDate(env.Date)
	h.SetAddressList("From", []*mail.Address{{Name: env.Name, Address: env.From}})
	h.SetAddressList("To", []*mail.Address{{Address: env.To}})
	h.SetSubject("DMARC failure report on " + clean(r.Author))
	h.SetMessageID(env.ID + "@" + env.Domain)
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834: nobody is to answer
	h.SetContentType("multipart/report", map[string]string{"report-type": "feedback-report", "boundary": "report-" + env.ID})
	mw, err := message.CreateWriter(w, h.Header)
	if err != nil {
		return err
	}
	parts := []struct {
		kind string
		args map[string]string
		text string
	}{
		{"text/plain", map[string]string{"charset": "us-ascii"}, r.words(&env)},
		{"message/feedback-report", nil, r.feedback(&env)},
		{"text/rfc822-headers", map[string]string{"charset": "us-ascii"}, lines(r.Header)},
	}
	for _, p := range parts {
		var ph message.Header
		ph.SetContentType(p.kind, p.args)
		pw, err := mw.CreatePart(ph)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(pw, p.text); err != nil {
			return err
		}
		if err := pw.Close(); err != nil {
			return err
		}
	}
	return mw.Close()
}

// feedback is the part for programs.
func (r *Report) feedback(env *Envelope) string {
	fields := []Field{{"Feedback-Type", "auth-failure"}, {"User-Agent", env.UserAgent}, {"Version", "1"}}
	fields = append(fields, r.Fields...)
	if env.Incidents > 1 { // absent means one (RFC 5965 section 3.2)
		fields = append(fields, Field{"Incidents", fmt.Sprint(env.Incidents)})
	}
	return lines(fields)
}

// words are for people.
func (r *Report) words(env *Envelope) string {
	contact := ""
	if env.Contact != "" {
		contact = "Questions: " + clean(env.Contact) + "\r\n"
	}
	messages := "1 message"
	if env.Incidents > 1 {
		messages = fmt.Sprintf("%d messages", env.Incidents)
	}
	return fmt.Sprintf("This is a DMARC failure report (RFC 9991) on mail with the author domain\r\n%s, which reached us at %s and did not pass every check.\r\n"+
		"It stands for %s of this kind (same network, same failure). Our log has this one as %s.\r\n"+
		"What stands before \"@\" is a keyed hash, the same for the same mailbox. Subject, body,\r\nnames and recipients are not told.\r\n"+
		"It was made by a program. Who gets such mail is what the DMARC record of\r\n%s says in ruf=.\r\n%s",
		clean(r.Author), r.At.Format(time.RFC1123Z), messages, clean(r.Token), clean(r.Domain), contact)
}

// Bounds of what is written; ours. RFC 5322 section 2.1.1 allows lines of 998 octets.
const (
	maxLine  = 76
	maxWord  = 900
	maxField = 6000
)

// lines is the one writer of fields: whatever a value holds, it stays within its field.
func lines(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ":")
		length := len(f.Name) + 1
		value := clean(f.Value)
		for word := range strings.FieldsSeq(value[:min(len(value), maxField)]) {
			word = word[:min(len(word), maxWord)]
			if length+1+len(word) > maxLine && length > len(f.Name)+1 {
				b.WriteString("\r\n")
				length = 0
			}
			b.WriteString(" " + word)
			length += 1 + len(word)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

// clean is a text in printable US-ASCII. All else, line ends and NUL too, is a space or
// "?": nothing from outside begins a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}
