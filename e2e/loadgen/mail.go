package loadgen

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	mrand "math/rand/v2"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// Field is a header field; Value is what follows the colon, lines divided by LF.
type Field struct{ Name, Value string }

// Message is one message with CRLF line ends.
type Message struct {
	From   string // reverse-path
	Fields []Field
	Body   []byte
}

// Mail makes messages, and the zone that answers for them.
type Mail struct {
	key    *rsa.PrivateKey
	random *mrand.Rand
}

// domains is how many Author Domains there are.
const domains = 50

// NewMail returns a maker of mail. Sizes and kinds follow from the seed; the
// key is a new one.
func NewMail(seed uint64) (*Mail, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &Mail{key: key, random: mrand.New(mrand.NewPCG(seed, 0))}, nil
}

// Zone is the zone file for all mail.
func (m *Mail) Zone() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&m.key.PublicKey)
	if err != nil {
		return "", err
	}
	p := base64.StdEncoding.EncodeToString(der)
	key := fmt.Sprintf(`TXT "v=DKIM1; p=%s" "%s"`, p[:200], p[200:])
	var b strings.Builder
	fmt.Fprintf(&b, "provider.example TXT \"v=spf1 ip4:%s -all\"\nmail.provider.example TXT \"v=spf1 ip4:%s -all\"\n", Client, Client)
	fmt.Fprintf(&b, "s._domainkey.provider.example %s\n", key)
	for i := range domains {
		d := authorDomain(i)
		fmt.Fprintf(&b, "%s TXT \"v=spf1 include:provider.example -all\"\n_dmarc.%s TXT \"v=DMARC1; p=reject\"\ns._domainkey.%s %s\n", d, d, d, key)
	}
	return b.String(), nil
}

func authorDomain(i int) string { return fmt.Sprintf("author%d.example", i) }

// Mix is n messages as they come to a site: 70 % of 3 to 30 KB, 25 % up to
// 100 KB, 4 % of 500 KB, 1 % of 3 MB; 15 % without a signature, 25 % with a
// second one by their provider.
func (m *Mail) Mix(n int) ([]*Message, error) {
	list := make([]*Message, n)
	for i := range list {
		author := authorDomain(m.random.IntN(domains))
		signers := []string{author, "provider.example"}
		switch p := m.random.IntN(100); {
		case p < 15:
			signers = nil
		case p < 75:
			signers = signers[:1]
		}
		var err error
		if list[i], err = m.Message(author, m.size(), signers...); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (m *Mail) size() int {
	switch p := m.random.IntN(100); {
	case p < 70:
		return 3_000 + m.random.IntN(27_000)
	case p < 95:
		return 30_000 + m.random.IntN(70_000)
	case p < 99:
		return 500_000
	}
	return 3_000_000
}

// Message is one message with a body of about size octets, signed
// relaxed/relaxed by each of the domains.
func (m *Mail) Message(author string, size int, signers ...string) (*Message, error) {
	text := []byte(fmt.Sprintf("Received: from a by b; Mon, 1 Dec 2025 09:00:00 +0100\r\nFrom: Alice <a@%s>\r\nTo: b@here.example\r\nSubject: message %d\r\n"+
		"Date: Mon, 1 Dec 2025 09:00:00 +0100\r\nMessage-ID: <%d@%s>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n%s",
		author, m.random.Uint32(), m.random.Uint64(), author, m.body(size)))
	for _, d := range signers {
		var out bytes.Buffer
		err := dkim.Sign(&out, bytes.NewReader(text), &dkim.SignOptions{
			Domain: d, Selector: "s", Signer: m.key,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"},
		})
		if err != nil {
			return nil, fmt.Errorf("signing as %s: %w", d, err)
		}
		text = out.Bytes()
	}
	return split(text, "a@"+author), nil
}

// body is text and HTML, and above 40 KB mostly an attachment in base64.
func (m *Mail) body(size int) string {
	const row = "<tr>\r\n  <td class=\"x\" width=600>Some words of text that go on for a while, as in a letter.</td>\r\n</tr>\r\n"
	var b strings.Builder
	for b.Len() < min(size, 40_000) {
		b.WriteString(row)
	}
	line := make([]byte, 57)
	for b.Len() < size {
		for i := range line {
			line[i] = byte(m.random.Uint32())
		}
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return b.String()
}

// split parts a message into the fields as the MTA sends them, and the body.
func split(text []byte, from string) *Message {
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	msg := &Message{From: from, Body: body}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if line[0] == ' ' || line[0] == '\t' {
			msg.Fields[len(msg.Fields)-1].Value += "\n" + line
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		msg.Fields = append(msg.Fields, Field{name, value})
	}
	return msg
}
