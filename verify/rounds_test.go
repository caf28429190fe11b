package verify

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
	"alignd/verify/internal/testsign"
)

var signKey = testsign.RSA(2048)

// roundsZone has a domain of each kind of dependence between questions.
var roundsZone = `
example.com               TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com        TXT "v=DMARC1; p=reject"
s._domainkey.example.com  TXT ` + keyText + `
news.example.com          TXT "v=spf1 ip4:192.0.2.1 -all"
mail.example.com          TXT "v=spf1 ip4:192.0.2.1 -all"

flat.example              TXT "v=spf1 include:a.flat.example include:b.flat.example include:c.flat.example -all"
a.flat.example            TXT "v=spf1 ip4:198.51.100.1 -all"
b.flat.example            TXT "v=spf1 ip4:198.51.100.2 -all"
c.flat.example            TXT "v=spf1 ip4:192.0.2.1 -all"

deep.example              TXT "v=spf1 include:a.deep.example -all"
a.deep.example            TXT "v=spf1 include:b.deep.example -all"
b.deep.example            TXT "v=spf1 mx -all"
b.deep.example            MX 10 mx.deep.example
mx.deep.example           A 192.0.2.1
_dmarc.deep.example       TXT "v=DMARC1; p=none"

provider.example              TXT "v=spf1 ip4:192.0.2.1 -all"
s._domainkey.provider.example TXT ` + keyText + `
`

var keyText = func() string {
	r := signKey.Record()
	return `"` + r[:200] + `" "` + r[200:] + `"`
}()

// letter is a message of author, signed by the domains.
func letter(author string, signers ...string) string {
	return signed("From: a@"+author+"\r\nTo: b@here.example\r\nSubject: hello\r\n"+
		"Date: Mon, 01 Dec 2025 09:00:00 +0100\r\nMessage-ID: <1@"+author+">\r\n\r\nHello,\r\n\r\nyours\r\n", signers...)
}

func signed(msg string, domains ...string) string {
	for _, d := range domains {
		msg = testsign.DKIM(msg, signKey, "v=1; a=rsa-sha256; c=relaxed/relaxed; d="+d+"; s=s;\r\n h=from:to:subject:date:message-id; bh=$bh;\r\n b=$b")
	}
	return msg
}

// sealed adds n ARC Sets of a provider.
func sealed(msg string, n int) string {
	for i := range n {
		msg = testsign.Seal(msg, signKey, testsign.Set{Instance: i + 1, Domain: "provider.example", Selector: "s"})
	}
	return msg
}

// feed gives m a whole message, with what happens before its body.
func feed(m *Message, msg string, beforeBody func()) {
	fields, body := testsign.Split(msg)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		m.Header([]byte(name), []byte(value))
	}
	m.EndOfHeader()
	beforeBody()
	for rest := []byte(body); len(rest) > 0; {
		n := min(len(rest), 65535) // a milter's chunk
		m.Body(rest[:n])
		rest = rest[n:]
	}
}

// roundTrip is what an answer takes.
const roundTrip = 10 * time.Millisecond

// far is a Lookuper at the other end of a long line.
type far struct{ resolver.Lookuper }

func (f far) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	time.Sleep(roundTrip)
	return f.Lookuper.Lookup(ctx, name, qtype)
}

// With a virtual clock the time of a message is its round trips and nothing
// else. They are as many as the longest chain of questions of which each needs
// the answer to the one before.
func TestRoundTripsAreTheLongestChainOfDependentQuestions(t *testing.T) {
	for _, c := range []struct {
		name, mailFrom, msg string
		rounds              int
	}{
		{name: "SPF, key and policy are asked side by side", mailFrom: "x@example.com", msg: letter("example.com", "example.com"), rounds: 1},
		{name: "two signatures take no longer than one", mailFrom: "x@example.com",
			msg: letter("example.com", "example.com", "provider.example"), rounds: 1},
		{name: "nor does an ARC chain", mailFrom: "x@example.com", msg: sealed(letter("example.com", "example.com"), 2), rounds: 1},
		{name: "the DNS Tree Walk: _dmarc.news.example.com, _dmarc.example.com, _dmarc.com (RFC 9989 section 4.10)",
			mailFrom: "x@example.com", msg: letter("news.example.com", "example.com"), rounds: 3},
		{name: "an aligned identifier has a walk of its own, known only when SPF has passed: _dmarc.mail, behind the SPF record",
			mailFrom: "x@mail.example.com", msg: letter("example.com"), rounds: 2},
		{name: "includes in a row: each is asked only if the one before did not match", mailFrom: "x@flat.example",
			msg: letter("example.com", "example.com"), rounds: 4},
		{name: "nested includes, then MX, then its address", mailFrom: "x@deep.example", msg: letter("deep.example"), rounds: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				m := Begin(t.Context(), far{z}, &Options{}, envelope(c.mailFrom))
				defer m.Release()
				feed(m, c.msg, func() {})
				ev := m.Finish(t.Context())
				if took := time.Since(start); took != time.Duration(c.rounds)*roundTrip {
					t.Errorf("%v, want %d round trips of %v\n%v", took, c.rounds, roundTrip, m.Questions())
				}
				if ev.DMARC[0].Result == evidence.TempError {
					t.Errorf("got %+v", ev.DMARC[0])
				}
			})
		})
	}
}

// A body that takes longer to come than the answers leaves nothing to wait for
// at its end.
func TestQuestionsAreAskedBeforeTheBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
		if err != nil {
			t.Fatal(err)
		}
		m := Begin(t.Context(), far{z}, &Options{}, envelope("x@deep.example"))
		defer m.Release()
		feed(m, sealed(letter("news.example.com", "provider.example"), 2), func() { time.Sleep(10 * roundTrip) })
		asked, end := used(m), time.Now()
		m.Finish(t.Context())
		if took := time.Since(end); took != 0 || used(m) != asked {
			t.Errorf("waited %v at the end of the message, asked %v", took, m.Questions()[asked:])
		}
	})
}

func TestASecondMessageOfADomainAsksNothing(t *testing.T) {
	z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.ServeZone(z, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r, err := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var first *evidence.Message
	for i := range 2 {
		m := Begin(t.Context(), r, &Options{}, envelope("x@deep.example"))
		feed(m, sealed(letter("deep.example", "example.com", "provider.example"), 2), func() {})
		ev := m.Finish(t.Context())
		m.Release()
		if i == 0 {
			first = ev
			server.ResetCounts()
			continue
		}
		if counts := server.Counts(); len(counts) > 0 {
			t.Errorf("the second message asked %v", counts)
		}
		if ev.ARC.Result != "pass" || ev.ARC.Result != first.ARC.Result || ev.DMARC[0].Result != first.DMARC[0].Result ||
			ev.SPF.MailFrom.Result != first.SPF.MailFrom.Result || ev.DKIM[1].Result != first.DKIM[1].Result {
			t.Errorf("cached: got %+v, first %+v", ev, first)
		}
	}
}
