package policy

import (
	"strings"
	"testing"

	"alignd/evidence"
)

func TestTheReplySaysTheCause(t *testing.T) {
	template := ReplyTemplate{Text: "{reason}"}
	rules := rulesOf(t, Spec{Replies: Replies{DMARC: template, Unauthenticated: template, PermError: template, SPF: template},
		Own: []OwnDomains{{ID: "secret-id", Domains: []string{"own.example"}}}, PermError: Reject, NoRecord: NoRecord{SPFFail: Reject}})
	signed := func(on evidence.Failure, reason, domain string) func(*evidence.Message) {
		return func(m *evidence.Message) {
			m.DKIM = append(m.DKIM, evidence.Signature{Result: evidence.Fail, FailedOn: on, Reason: reason, Domain: domain})
		}
	}
	spf := func(r evidence.Result, reason, domain string) func(*evidence.Message) {
		return func(m *evidence.Message) {
			m.SPF.MailFrom = &evidence.SPFCheck{Result: r, Reason: reason, Domain: domain}
		}
	}
	for _, row := range []struct {
		name   string
		change []func(*evidence.Message)
		want   string
	}{
		{name: "nothing", want: "no signature of bank.example"},
		{name: "a signature of somebody else", change: []func(*evidence.Message){signed(evidence.FailedBody, "", "other.example")}, want: "no signature of bank.example"},
		{name: "a changed body", change: []func(*evidence.Message){signed(evidence.FailedBody, "body hash did not verify", "mail.bank.example")}, want: "the body was changed on the way"},
		{name: "a changed field", change: []func(*evidence.Message){signed(evidence.FailedHeader, "", "bank.example")}, want: "the header was changed on the way, or signed with another key"},
		{name: "a revoked key", change: []func(*evidence.Message){signed(evidence.FailedKey, "key is revoked", "bank.example")}, want: "the signature's key is revoked"},
		{name: "no key", change: []func(*evidence.Message){signed(evidence.FailedKey, "no key", "bank.example")}, want: "the signature's key is not published"},
		{name: "another fault of the key", change: []func(*evidence.Message){signed(evidence.FailedKey, "RSA key below 1024 bits", "bank.example")}, want: "the signature's key cannot be used"},
		{name: "expired", change: []func(*evidence.Message){signed(evidence.FailedTime, "signature has expired", "bank.example")}, want: "the signature has expired"},
		{name: "From not covered", change: []func(*evidence.Message){signed(evidence.FailedCoverage, "", "bank.example")}, want: "the signature does not cover the whole message"},
		{name: "SPF with too many lookups", want: "no signature of bank.example; SPF: more than 10 lookups", change: []func(*evidence.Message){
			spf(evidence.PermError, `"a" of bank.example would be the term number 11 that causes DNS questions, the limit is 10`, "bank.example")}},
		{name: "SPF of the client", want: "the body was changed on the way; SPF: the client is not allowed", change: []func(*evidence.Message){
			signed(evidence.FailedBody, "", "bank.example"), spf(evidence.Fail, "", "bank.example")}},
		{name: "SPF of somebody else", change: []func(*evidence.Message){spf(evidence.Fail, "", "other.example")}, want: "no signature of bank.example"},
		{name: "one of our own domains", want: "no signature of own.example", change: []func(*evidence.Message){func(m *evidence.Message) {
			m.DMARC[0].AuthorDomain, m.DMARC[0].OrgDomain, m.DMARC[0].Policy, m.DMARC[0].Published.P = "own.example", "own.example", "none", "none"
		}}},
		{name: "a record that cannot be used", want: "the DMARC record cannot be used", change: []func(*evidence.Message){func(m *evidence.Message) {
			m.DMARC[0].Result = evidence.PermError
		}}},
		{name: "SPF alone", want: "SPF does not allow the client", change: []func(*evidence.Message){spf(evidence.Fail, "", "bank.example"), func(m *evidence.Message) {
			m.DMARC[0].Result = evidence.None
		}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			ev := message(failing("reject"))
			for _, f := range row.change {
				f(ev)
			}
			v := Decide(ev, rules)
			if v.Reply.Text != row.want {
				t.Errorf("got %q (%s), want %q", v.Reply.Text, v.Reason, row.want)
			}
			if strings.Contains(v.Reply.String(), "secret-id") || strings.Contains(v.Reply.String(), "own domain") {
				t.Errorf("%q tells our rules", v.Reply)
			}
		})
	}
}

func TestRepliesWithoutAPolicyDoNotSpeakOfOne(t *testing.T) {
	const unauthenticated = "550 5.7.26 Email rejected: it is not authenticated as mail of bank.example"
	none := with(failing("reject"), func(d *evidence.DMARC) { d.Result, d.Policy, d.Published = evidence.None, "", evidence.DMARCRecord{} })
	for _, row := range []struct {
		name string
		spec Spec
		dm   evidence.DMARC
		want string
	}{
		{name: "own_domains", spec: Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}, dm: none, want: unauthenticated},
		{name: "own_domains at p=none", spec: Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}, dm: failing("none"), want: unauthenticated},
		{name: "own_domains at p=reject, which decides", spec: Spec{Own: []OwnDomains{{Domains: []string{"bank.example"}}}}, dm: failing("reject"),
			want: "550 5.7.26 Email rejected per DMARC policy for bank.example"},
		{name: "unauthenticated", spec: Spec{NoRecord: NoRecord{Unauthenticated: Reject}}, dm: none, want: unauthenticated},
		{name: "permerror", spec: Spec{PermError: Reject}, dm: with(failing("reject"), func(d *evidence.DMARC) { d.Result = evidence.PermError }),
			want: "550 5.7.26 Email rejected: the DMARC record for bank.example cannot be used"},
	} {
		if v := Decide(message(row.dm), rulesOf(t, row.spec)); v.Reply.String() != row.want {
			t.Errorf("%s: got %q, want %q", row.name, v.Reply, row.want)
		}
	}
}

func TestTheTokenOfTheRecordStandsInReplies(t *testing.T) {
	rules := rulesOf(t, Spec{Replies: Replies{DMARC: ReplyTemplate{Text: "{token}"}}})
	ev := message(failing("reject"))
	if v := Decide(ev, rules); v.Reply.Text != "4Q9" {
		t.Errorf("without a token: %q, want the queue id", v.Reply.Text)
	}
	if ev.Token = "01k2ab3cd4ef5"; Decide(ev, rules).Reply.Text != ev.Token {
		t.Errorf("got %q, want %q", Decide(ev, rules).Reply.Text, ev.Token)
	}
}
