package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/internal/testsign"
)

// lanesZone is greedyZone with keys of n selectors, one for each field of a chain,
// and an honest sender.
func lanesZone(t *testing.T, n int) *resolver.Zone {
	t.Helper()
	var b strings.Builder
	b.WriteString(greedyZone() + roundsZone)
	for i := range n {
		fmt.Fprintf(&b, "s%d._domainkey.sealer.example TXT %s\n", i+1, keyText)
	}
	z, err := resolver.ParseZone(strings.NewReader(b.String()), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// chainOfKeys seals msg n times, each set with a key of its own.
func chainOfKeys(msg string, n int) string {
	for i := range n {
		msg = testsign.Seal(msg, signKey, testsign.Set{Instance: i + 1, Domain: "sealer.example", Selector: fmt.Sprintf("s%d", i+1)})
	}
	return msg
}

// asked verifies msg and returns what it asked besides.
func asked(t *testing.T, lk resolver.Lookuper, opt *Options, env Envelope, msg string) (*evidence.Message, []resolver.Question) {
	t.Helper()
	m := Begin(t.Context(), lk, opt, env)
	defer m.Release()
	feed(m, msg, func() {})
	ev := m.Finish(t.Context())
	return ev, m.Questions()[:used(m)]
}

// used is how many questions m has asked. Those that its budget refused are listed
// behind them.
func used(m *Message) int {
	refused := func(q resolver.Question) bool { return q.Outcome == "refused by budget" }
	all := m.Questions()
	if i := slices.IndexFunc(all, refused); i >= 0 {
		return i
	}
	return len(all)
}

// keysAsked counts the questions for keys of chainOfKeys.
func keysAsked(questions []resolver.Question) (n int) {
	for _, q := range questions {
		if strings.HasSuffix(q.Name, "._domainkey.sealer.example") {
			n++
		}
	}
	return n
}

func greedy() Envelope {
	env := envelope("x@mail.attacker.example")
	env.Client.HELO = "helo.attacker.example"
	return env
}

// Whatever a message holds, it asks 150 questions at most, SPF of MAIL FROM is
// evaluated to its end, each policy is found, and the key of the Author Domain's
// signature is asked.
func TestOneMessageAsksAtMost150Questions(t *testing.T) {
	z := lanesZone(t, 50)
	names := make([]string, 9)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.attacker.example", i)
	}
	const deep = "a.b.c.d.e.f."
	for _, c := range []struct {
		name, from string
		sealed     int // with keys for each
	}{
		{name: "one Author Domain", from: "example.com", sealed: 50},
		{name: "one of many labels", from: deep + "victim.example", sealed: 50},
		{name: "four", from: deep + "attacker0.example, x@" + deep + "attacker1.example, x@" + deep + "attacker2.example, x@" + deep + "victim.example", sealed: 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := signed(letter(c.from, "example.com"), names...)
			ev, questions := asked(t, z, &Options{}, greedy(), chainOfKeys(msg, c.sealed))
			if len(questions) > resolver.DefaultMaxQueries {
				t.Errorf("%d questions, want %d at most", len(questions), resolver.DefaultMaxQueries)
			}
			if c := ev.SPF.MailFrom; c.Result != evidence.Fail || c.Lookups != 10 {
				t.Errorf("SPF of MAIL FROM is %+v, want fail after ten terms", c)
			}
			for _, d := range ev.DMARC {
				if d.Policy == "" || d.Reason == "query budget spent before the policy was known" {
					t.Errorf("policy of %s: %+v", d.AuthorDomain, d)
				}
			}
			if s := ev.DKIM[len(ev.DKIM)-1]; c.from == "example.com" && s.Result != evidence.Pass {
				t.Errorf("signature of the Author Domain: %+v", s)
			}
			t.Logf("%d questions", len(questions))
		})
	}
}

// What MAIL FROM leaves serves the keys of a long chain.
func TestALongChainIsAskedWhatSPFLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ev, questions := asked(t, far{lanesZone(t, 50)}, &Options{}, envelope("x@deep.example"), chainOfKeys(letter("example.com", "example.com"), 50))
		if ev.ARC.Result != evidence.Pass || keysAsked(questions) != 50 {
			t.Errorf("chain is %s (%s), %d keys asked, want pass with 50", ev.ARC.Result, ev.ARC.Reason, keysAsked(questions))
		}
	})
}

// The time of a message ends while SPF of MAIL FROM still waits: keys that needed
// what it may leave are refused, which is no temporary error.
func TestWaitingForWhatSPFLeavesEndsWithARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lk := deaf{lanesZone(t, 50), "slow.example"}
		ev, _ := asked(t, lk, &Options{Timeout: 10 * time.Second}, envelope("x@attacker.slow.example"), chainOfKeys(letter("example.com", "example.com"), 50))
		if ev.ARC.Result != evidence.Fail || ev.ARC.Temporary || !strings.HasPrefix(ev.ARC.Reason, "ARC-Seal: key not asked") {
			t.Errorf("got %+v", ev.ARC)
		}
		if ev.DMARC[0].Result != evidence.Pass || ev.SPF.MailFrom.Result != evidence.TempError {
			t.Errorf("DMARC is %+v, SPF %+v", ev.DMARC[0], ev.SPF.MailFrom)
		}
	})
}

func TestOlderSetsAreAskedOnceTheNewestHolds(t *testing.T) {
	z := lanesZone(t, 6)
	whole := chainOfKeys(letter("example.com"), 6)
	for _, c := range []struct {
		name, msg string
		lk        resolver.Lookuper
		want      int
	}{
		{name: "it holds", msg: whole, lk: z, want: 6},
		{name: "its body changed", msg: whole + "x", lk: z, want: 1},
		{name: "a field of its changed", msg: strings.Replace(whole, "Subject: hello", "Subject: hullo", 1), lk: z, want: 1},
		{name: "its seal is wrong", msg: strings.Replace(whole, "i=6; a=rsa-sha256; t=12345", "i=6; a=rsa-sha256; t=12346", 1), lk: z, want: 1},
		{name: "its key is not answered", msg: whole, lk: failing{z, "s6._domainkey"}, want: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, questions := asked(t, c.lk, &Options{}, envelope("x@example.com"), c.msg); keysAsked(questions) != c.want {
				t.Errorf("%d keys asked, want %d", keysAsked(questions), c.want)
			}
		})
	}
}

// A site that tries more signatures, or takes more Author Domains, has the
// questions for them.
func TestMoreSignaturesHaveMoreQuestions(t *testing.T) {
	z := lanesZone(t, 1)
	opt := &Options{MaxFromDomains: 6}
	opt.DKIM.MaxSignatures = 40
	msg := letter("example.com", "example.com")
	for i := range 39 {
		msg = signed(msg, fmt.Sprintf("n%d.attacker.example", i))
	}
	ev, questions := asked(t, z, opt, greedy(), msg)
	if s := ev.DKIM[len(ev.DKIM)-1]; len(ev.DKIM) != 40 || s.Result != evidence.Pass {
		t.Errorf("%d signatures, the last one %+v", len(ev.DKIM), s)
	}
	if most := resolver.DefaultMaxQueries + 30 + 2*resolver.DefaultReserved; len(questions) > most {
		t.Errorf("%d questions, want %d at most", len(questions), most)
	}
}
