package aggregate

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Envelope is who sends a report's mail to whom.
type Envelope struct {
	// Domain is ours: that of From, the submitter in the subject, and in the file's name.
	Domain string
	From   string // address
	Name   string // beside the address
	To     string // address
	Date   time.Time
}

// WriteMail writes the mail of p, unsigned (RFC 9990 section 3.5.2). Equal values give
// equal octets.
func WriteMail(w io.Writer, p *Part, env Envelope) error {
	var h mail.Header
	h.SetDate(env.Date)
	h.SetAddressList("From", []*mail.Address{{Name: env.Name, Address: env.From}})
	h.SetAddressList("To", []*mail.Address{{Address: env.To}})
	h.SetSubject(p.Report.Subject(env.Domain))
	h.SetMessageID(p.Report.ID + "@" + env.Domain)
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834: nobody is to answer
	h.SetContentType("multipart/mixed", map[string]string{"boundary": "report-" + p.Report.ID})
	mw, err := message.CreateWriter(w, h.Header)
	if err != nil {
		return err
	}
	var text message.Header
	text.SetContentType("text/plain", map[string]string{"charset": "us-ascii"})
	if err := writePart(mw, text, strings.NewReader(p.words())); err != nil {
		return err
	}
	var file mail.AttachmentHeader
	file.SetContentType("application/gzip", nil)
	file.SetFilename(p.Report.FileName(env.Domain) + ".gz")
	file.Set("Content-Transfer-Encoding", "base64")
	if err := writePart(mw, file.Header, bytes.NewReader(p.GZIP)); err != nil {
		return err
	}
	return mw.Close()
}

func writePart(mw *message.Writer, h message.Header, in io.Reader) error {
	w, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	return w.Close()
}

// words are for people.
func (p *Part) words() string {
	r := p.Report
	return fmt.Sprintf("This is a DMARC aggregate report (RFC 9990) on %s for %s (UTC).\r\n%d messages are in it.\r\nIt was made by a program. Who gets such mail is what the domain's DMARC record says in rua=.\r\n",
		text(r.Scope.Domain, maxDomain), r.Begin().Format(time.DateOnly), p.Messages)
}
