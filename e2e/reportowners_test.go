package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"alignd/report/read"
)

// owners is the relay, at which the reports to all owners of domains arrive.
type owners struct {
	mu sync.Mutex
	// plan are the first answers by address, before 250, to the report that comes first:
	//   "451", "550"  to the final dot, and to RCPT TO
	//   "cut"         the connection ends in the middle of the mail
	//   "hang up"     and after the final dot: the mail was taken, its answer is lost
	//   "kill"        250, and kill has the daemon end before it notes that
	plan   map[string][]string
	badTLS int // handshakes that fail at first
	kill   func()
	first  map[string]string // Message-ID by address
	mails  []ownersMail
	last   time.Time // when somebody connected, or sent mail
}

type ownersMail struct{ to, text string }

func (o *owners) NewSession(c *smtp.Conn) (smtp.Session, error) {
	o.saw()
	return &ownersSession{owners: o, conn: c}, nil
}

func (o *owners) saw() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
}

type ownersSession struct {
	*owners
	conn *smtp.Conn
	to   string
	id   string // Message-ID
}

func (s *ownersSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *ownersSession) Reset()                               {}
func (s *ownersSession) Logout() error                        { return nil }

func (s *ownersSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to, s.id = to, ""
	if s.next("550") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return nil
}

// next takes an answer from the plan if it is the next one.
func (o *ownersSession) next(answer string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	plan := o.plan[o.to]
	if len(plan) == 0 || plan[0] != answer || o.id != o.first[o.to] && o.first[o.to] != "" {
		return false
	}
	o.plan[o.to] = plan[1:]
	return true
}

var messageID = regexp.MustCompile(`(?mi)^Message-ID: .*$`)

func (s *ownersSession) Data(r io.Reader) error {
	if s.next("cut") {
		r.Read(make([]byte, 100))
		s.conn.Conn().Close()
		return errors.New("cut")
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.saw()
	s.id = messageID.FindString(string(text))
	s.mu.Lock()
	if s.first == nil {
		s.first = map[string]string{}
	}
	if s.first[s.to] == "" {
		s.first[s.to] = s.id
	}
	s.mu.Unlock()
	if s.next("451") {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.mu.Lock()
	s.mails = append(s.mails, ownersMail{s.to, string(text)})
	s.mu.Unlock()
	switch {
	case s.next("hang up"):
		s.conn.Conn().Close()
	case s.next("kill"):
		s.kill()
	}
	return nil
}

// serve listens, with STARTTLS and a certificate that nobody knows.
func (o *owners) serve(t *testing.T) (address string) {
	t.Helper()
	certificate := selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(o)
	server.Domain = "relay.here.test"
	server.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.badTLS > 0 {
			o.badTLS--
			return nil, errors.New("no certificate")
		}
		return certificate, nil
	}}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"relay.here.test"}, NotAfter: time.Now().Add(1000 * time.Hour)}
	data, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{data}, PrivateKey: key}
}

func (o *owners) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.mails)
}

// settled waits until nothing was sent for a while.
func (o *owners) settled(idle time.Duration) {
	since := time.Now()
	for {
		o.mu.Lock()
		if o.last.After(since) {
			since = o.last
		}
		o.mu.Unlock()
		if time.Since(since) > idle {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// counted adds up what reports say.
type counted struct {
	t    *testing.T
	ids  map[string]bool
	id   string // of the report that was read last
	rows map[string]int64
	days map[string]bool // domains and days that were reported
	// further counts reports on a domain and day that another one is about.
	further int
}

func (c *counted) Aggregate(head *read.Aggregate, records *read.Records) error {
	again := c.ids[head.ReportID]
	c.id, c.ids[head.ReportID] = head.ReportID, true
	day := head.Domain + " " + head.Begin
	if !again && c.days[day] {
		c.further++
	}
	c.days[day] = true
	for r, err := range records.All() {
		if err != nil {
			return err
		}
		if again { // a further copy, or one for another address
			continue
		}
		row := fmt.Sprintf("%s %s %s dkim=%s spf=%s", r.SourceIP, r.HeaderFrom, r.Disposition, r.DKIM, r.SPF)
		for _, why := range r.Reasons {
			row += " " + why.Type + ": " + why.Comment
		}
		c.rows[row] += *r.Count
	}
	return nil
}
func (c *counted) Failure(*read.Failure) error { return nil }
func (c *counted) Problem(p read.Problem)      { c.t.Errorf("a report: %+v", p) }

// read reads all mails. extra is how many mails to an address were further copies, which must
// be identical.
func (o *owners) read(t *testing.T) (got *counted, extra map[string]int) {
	t.Helper()
	got, extra = &counted{t: t, ids: map[string]bool{}, rows: map[string]int64{}, days: map[string]bool{}}, map[string]int{}
	first := map[string]string{}
	for i, m := range o.mails {
		// A reader of its own: one would pass over a further copy.
		if n, err := read.New(got, read.Limits{}).File(fmt.Sprint(i), strings.NewReader(m.text)); n != 1 || err != nil {
			t.Errorf("mail %d: %d reports, %v", i, n, err)
			continue
		}
		key := got.id + " " + m.to
		if was, again := first[key]; again {
			extra[m.to]++
			if was != m.text {
				t.Errorf("a further copy differs:\n%s\n%s", was, m.text)
			}
		}
		first[key] = m.text
	}
	return got, extra
}
