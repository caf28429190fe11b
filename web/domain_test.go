package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alignd/resolver"
)

// countedDNS counts the questions of a page.
type countedDNS struct {
	*backend
	zone  string
	n     atomic.Int64
	block bool
}

func (b *countedDNS) DNS() (resolver.Lookuper, error) {
	zone, err := resolver.ParseZone(strings.NewReader(b.zone), "zone")
	return lookup(func(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
		b.n.Add(1)
		if b.block {
			<-ctx.Done()
			return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "gave up"}
		}
		return zone.Lookup(ctx, name, qtype)
	}), err
}

type lookup func(context.Context, string, uint16) (*resolver.Answer, error)

func (f lookup) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	return f(ctx, name, qtype)
}

const twoOrgs = `
$ORIGIN shop.example.
@ 60 IN TXT "v=spf1 include:mailer.example a -all"
@ 60 IN A 192.0.2.1
_dmarc 60 IN TXT "v=DMARC1; p=reject; rua=mailto:r@shop.example; pct=50"
s._domainkey 60 IN TXT "v=DKIM1; p="
mailer.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
`

// A domain's page has the trees with lookups and answers, the faults with the RFC's words,
// and all of it as one flat table in the CSV.
func TestDomainHasAllThatTheCommandsTell(t *testing.T) {
	b := &countedDNS{backend: plant(t, usual(5)...), zone: twoOrgs}
	s := serve(t, b, nil)
	for path, wants := range map[string][]string{
		"/domain?name=Shop.Example":                  {"2 of 10 lookups", "include:mailer.example – 1 lookups", "mailer.example: v=spf1 ip4:192.0.2.0/24 -all", "A shop.example: NOERROR 192.0.2.1", "p=reject", "historic", "RFC 9989", "alignd dmarc shop.example; alignd spf shop.example"},
		"/domain.csv?name=shop.example":              {"About,What,At,Text,Lookups", "DMARC,record,shop.example,v=DMARC1; p=reject", "SPF,term,shop.example,include:mailer.example,1", "SPF,term,mailer.example,ip4:192.0.2.0/24,0", "SPF,record,shop.example,v=spf1 include:mailer.example a -all,2", "RFC 9989 appendix A.6"},
		"/domain?name=s._domainkey.shop.example":     {"revoked", "An empty value means that this public key has been revoked.", "alignd dkim s._domainkey.shop.example"},
		"/domain.csv?name=s._domainkey.shop.example": {"DKIM,key,s._domainkey.shop.example,v=DKIM1; p="},
		"/domain.json?name=shop.example":             {`"lookups":2`, `"record":"v=DMARC1`},
	} {
		status, text, _ := s.Get(path)
		for _, w := range wants {
			if status != 200 || !strings.Contains(text, w) {
				t.Errorf("%s: %d, no %q", path, status, w)
			}
		}
	}
}

// What is asked is bounded by questions, by time and by rate, asked once for a page and its
// files, and not for other sites.
func TestLookUpsAreBounded(t *testing.T) {
	zone := "$ORIGIN big.example.\n"
	for i := range 40 {
		zone += fmt.Sprintf("h%d 60 IN TXT \"v=spf1 include:a%d.big.example include:b%d.big.example include:c%d.big.example include:d%d.big.example -all\"\n", i, i, i, i, i)
	}
	zone += `@ 60 IN TXT "v=spf1`
	for i := range 40 {
		zone += fmt.Sprintf(" include:h%d.big.example", i)
	}
	b := &countedDNS{backend: plant(t, usual(5)...), zone: zone + " -all\"\n"}
	now := time.Now()
	s := serve(t, b, func(o *Options) { o.Now = func() time.Time { return now }; o.Timeout = 500 * time.Millisecond })
	if _, text, _ := s.Get("/domain?name=big.example"); !strings.Contains(text, "A page asks DNS 150 questions at most") || b.n.Load() > maxPageQuestions {
		t.Errorf("%d questions", b.n.Load())
	}
	n := b.n.Load()
	for _, path := range []string{"/domain?name=big.example", "/domain.csv?name=big.example", "/domain.json?name=big.example"} {
		if status, _, _ := s.Get(path); status != 200 || b.n.Load() != n {
			t.Errorf("%s: %d, asked again: %d", path, status, b.n.Load()-n)
		}
	}
	r, _ := http.NewRequest("GET", s.Server.URL+"/domain?name=other.example", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if resp, err := s.Client.Do(r); err != nil || resp.StatusCode != 200 || b.n.Load() != n {
		t.Errorf("for another site: %v %v, %d questions", resp, err, b.n.Load()-n)
	}
	last := 0
	for i := range asksEach + 3 {
		last, _, _ = s.Get(fmt.Sprintf("/domain?name=x%d.example", i))
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the rate: %d", last)
	}
	now = now.Add(asksTime + time.Second)
	b.block = true
	if status, text, _ := s.Get("/domain?name=slow.example"); status != 200 || !strings.Contains(text, "DNS does not answer") {
		t.Errorf("without an answer: %d %.300s", status, text)
	}
}

// What was not answered to somebody who is gone is not told to the next one.
func TestWhoIsGoneLeavesNoAnswer(t *testing.T) {
	b := &countedDNS{backend: plant(t, usual(3)...), zone: twoOrgs, block: true}
	s := serve(t, b, nil)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a := &asked{Server: s.web, ctx: gone, cfg: b.cfg, now: time.Now()}
	if x, err := a.published("shop.example"); err == nil {
		t.Errorf("%+v", x.DMARC)
	}
	b.block, a.ctx = false, t.Context()
	if x, err := a.published("shop.example"); err != nil || !x.DMARC.Answered || !x.SPF.Answered {
		t.Errorf("the next one is told that DNS does not answer: %v", err)
	}
}
