package judge

import (
	"net/netip"
	"strings"
	"testing"

	"alignd/authres"
	"alignd/evidence"
	"alignd/internal/rfc8601"
	"alignd/policy"
)

// full is a message with something in every field that the results show.
func full() evidence.Message {
	return evidence.Message{
		MTA:            "mx.example.net",
		Client:         evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.com"},
		MailFrom:       "bounce+tag@example.com",
		MailFromDomain: "example.com",
		From:           evidence.From{Fields: 1, Domains: []string{"example.com"}},
		SPF: evidence.SPF{
			MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "example.com", Result: evidence.Pass},
			HELO:     &evidence.SPFCheck{Identity: evidence.HELOIdentity, Domain: "mail.example.com", Result: evidence.Fail},
		},
		DKIM: []evidence.Signature{
			{Result: evidence.Pass, Domain: "example.com", Selector: "s1", Identity: "@example.com", Algorithm: "rsa-sha256", B: "AAAAbbbbCCCC"},
			{Result: evidence.Fail, Reason: "body hash did not verify", Domain: "list.example", Selector: "s2",
				Identity: "a b@list.example", Algorithm: "ed25519-sha256", B: "DDDD", Testing: true},
		},
		ARC: evidence.ARC{Result: evidence.Pass, Instances: 1, Sets: []evidence.ARCSet{{Instance: 1, SealDomain: "list.example"}}},
		DMARC: []evidence.DMARC{{AuthorDomain: "example.com", Result: evidence.Pass, PolicyDomain: "example.com",
			Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, SP: evidence.PolicyNone}}},
		IPRev: evidence.IPRev{Result: evidence.Pass, Names: []string{"mail.example.com"}},
	}
}

func TestResultsSayWhatWasObserved(t *testing.T) {
	null := full()
	null.MailFrom, null.MailFromDomain, null.SPF.MailFrom = "", "", nil
	noFrom := full()
	noFrom.From, noFrom.DMARC = evidence.From{Problem: evidence.FromMissing}, nil
	unread := full()
	unread.From, unread.DMARC, unread.DKIM, unread.ARC = evidence.From{Problem: evidence.FromUnread}, nil, nil, evidence.ARC{}
	unsigned := full()
	unsigned.DKIM, unsigned.ARC = nil, evidence.ARC{Result: evidence.None}
	relayed := full()
	relayed.Client.Original = netip.MustParseAddr("198.51.100.7")
	sealed := full()
	sealed.DMARC[0].Result = evidence.Fail
	six := full()
	six.Client.Peer = netip.MustParseAddr("2001:db8::1")

	for _, row := range []struct {
		name    string
		ev      evidence.Message
		verdict policy.Verdict
		want    []string
		not     []string
	}{
		{name: "each method with its registered properties (RFC 8601 section 2.7)", ev: full(), verdict: policy.Verdict{Disposition: policy.DispositionAccept}, want: []string{
			"mx.example.net; spf=pass", "smtp.mailfrom=example.com;",
			"dkim=pass header.d=example.com header.i=@example.com header.s=s1 header.a=rsa-sha256 header.b=AAAAbbbb;",
			"arc=pass", "smtp.remote-ip=192.0.2.1 header.oldest-pass=0;",
			"dmarc=pass (p=reject sp=none dis=none) header.from=example.com policy.dmarc=reject;",
			"iprev=pass policy.iprev=192.0.2.1",
		}, not: []string{"bounce+tag", "smtp.helo"}},
		{name: "an AUID's local part that is no dot-atom is left out", ev: full(),
			want: []string{"header.i=@list.example"}, not: []string{"a b"}},
		{name: "a reason stands where a signature did not pass", ev: full(),
			want: []string{`dkim=fail (key in testing mode) reason="body hash did not verify" header.d=list.example`}},
		{name: "the null reverse-path reports HELO only (RFC 7208 section 2.4)", ev: null,
			want: []string{"spf=fail", "smtp.helo=mail.example.com"}, not: []string{"smtp.mailfrom"}},
		{name: "no Author Domain is permerror", ev: noFrom, verdict: policy.Verdict{},
			want: []string{`dmarc=permerror reason="From: missing"`}, not: []string{"header.from"}},
		{name: "a header that was not read has no results of its own, nor a missing From", ev: unread, verdict: policy.Verdict{},
			want: []string{"spf=pass", `dmarc=permerror reason="header section over the limit"`}, not: []string{"dkim=", " arc=", "From:"}},
		{name: "an unsigned message says so", ev: unsigned, want: []string{"dkim=none;", "arc=none;"}},
		{name: "behind a relay both addresses show", ev: relayed, want: []string{"client-ip=198.51.100.7 relay=192.0.2.1"}},
		{name: "an IPv6 address stands where an IPv4 one does", ev: six,
			want: []string{`smtp.remote-ip="2001:db8::1" header.oldest-pass=0;`}},
		{name: "the trusted sealer is named and dmarc=fail stays", ev: sealed,
			verdict: policy.Verdict{TrustedSealer: "list.example", Disposition: policy.DispositionAccept},
			want:    []string{"dmarc=fail", "policy.arc=list.example"}},
		{name: "an authenticated client that was not checked gets auth= only",
			ev:      evidence.Message{AuthUser: "joe", AuthType: "PLAIN"},
			verdict: policy.Verdict{NotJudged: true},
			want:    []string{"mx; auth=pass (PLAIN)"}, not: []string{"spf=", "dmarc=", "joe"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := row.ev.MTA
			if id == "" {
				id = "mx"
			}
			row.verdict.Evaluation = min(len(row.ev.DMARC), 1)
			got := results(id, &row.ev, &row.verdict).Unfolded()
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			for _, not := range row.not {
				if strings.Contains(got, not) {
					t.Errorf("got %s\nmust not hold %s", got, not)
				}
			}
		})
	}
}

// RFC 6008 section 3: eight characters, or as many as it takes.
func TestHeaderBTellsSignaturesApart(t *testing.T) {
	for _, row := range []struct {
		name    string
		b, want []string
	}{
		{name: "eight characters do", b: []string{"AAAAbbbbCC", "DDDDbbbbCC"}, want: []string{"AAAAbbbb", "DDDDbbbb"}},
		{name: "a signature below eight characters stands whole", b: []string{"AAAA", ""}, want: []string{"AAAA", ""}},
		{name: "alike in front", b: []string{"AAAAbbbbCCd", "AAAAbbbbCCe", "AAAAbbbbXX"}, want: []string{"AAAAbbbbCCd", "AAAAbbbbCCe", "AAAAbbbbX"}},
		{name: "one is the front of another", b: []string{"AAAAbbbbCC", "AAAAbbbbCCdd"}, want: []string{"AAAAbbbbCC", "AAAAbbbbCCd"}},
		{name: "copies cannot be told apart", b: []string{"AAAAbbbbCC", "AAAAbbbbCC"}, want: []string{"AAAAbbbb", "AAAAbbbb"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			sigs := make([]evidence.Signature, len(row.b))
			for i, b := range row.b {
				sigs[i].B = b
			}
			for i, want := range row.want {
				if got := evidence.ShortB(sigs, i, shortB); got != want {
					t.Errorf("signature %d of %q: got %q, want %q", i, row.b, got, want)
				}
			}
		})
	}
}

// Whatever a sender puts into the values that come from outside: one field,
// folded by us only, with one spf= and one dmarc=, that reads back.
func FuzzResults(f *testing.F) {
	f.Add("example.com", "s", "@example.com", "rsa-sha256", "AAAA", "reason")
	f.Add("a; spf=pass", "s\r\nX: y", "\"a\x00b\"@x", "(", "\\", "\"")
	f.Add("x_y.a.example", "x@y", "@x_y.a.example", "rsa", "a/+=", "two words")
	f.Add("srv", "s_", "a.b@a-.a.example", "", "", "\u201c")
	f.Add(strings.Repeat("x", 2000), "ü", "@", ";;", "=", "(((")
	f.Fuzz(func(t *testing.T, domain, selector, identity, algorithm, b, reason string) {
		ev := full()
		ev.SPF.MailFrom.Domain, ev.SPF.MailFrom.Reason, ev.SPF.MailFrom.Result = domain, reason, evidence.PermError
		ev.DKIM[1].Domain, ev.DKIM[1].Selector, ev.DKIM[1].Identity = domain, selector, identity
		ev.DKIM[1].Algorithm, ev.DKIM[1].B, ev.DKIM[1].Reason = algorithm, b, reason
		ev.ARC.Sets[0].SealDomain, ev.ARC.Reason = domain, reason
		ev.AuthType, ev.AuthUser = algorithm, selector
		v := policy.Verdict{TrustedSealer: domain, Evaluation: 1}

		h := results("mx.example.net", &ev, &v)
		folded := h.Format()
		for i, line := range strings.Split(folded, "\n") {
			if strings.ContainsAny(line, "\x00\r") || i > 0 && line[:min(1, len(line))] != "\t" && line[:min(1, len(line))] != " " || len(line) > 998 {
				t.Fatalf("line %d of the field is %q", i, line)
			}
		}
		if _, err := rfc8601.Read(strings.ReplaceAll(folded, "\n", "\r\n")); err != nil {
			t.Fatalf("%q is not by the grammar of RFC 8601 section 2.2: %v", folded, err)
		}
		for _, text := range []string{folded, h.Unfolded()} {
			read, err := authres.Parse([]byte(text))
			if err != nil {
				t.Fatalf("%q does not read back: %v", text, err)
			}
			count := map[string]int{}
			for _, r := range read.Results {
				count[r.Method]++
			}
			if read.ServID != "mx.example.net" || count["spf"] != 1 || count["dmarc"] != 1 || count["arc"] != 1 || count["dkim"] != 2 {
				t.Fatalf("%q reads back as %+v", text, read)
			}
		}
	})
}

func TestAnUnusableFromDoesNotPass(t *testing.T) {
	for _, row := range []struct {
		problem evidence.FromProblem
		result  evidence.Result
		step    policy.Step
		told    bool
	}{
		{problem: evidence.FromOK, result: evidence.Pass, step: policy.StepPolicy, told: true},
		{problem: evidence.FromSeveral, result: evidence.Pass, step: policy.StepFrom},
		{problem: evidence.FromSeveral, result: evidence.Fail, step: policy.StepFrom},
		{problem: evidence.FromTooMany, result: evidence.None, step: policy.StepFrom},
		{problem: evidence.FromUnparsable, result: evidence.Pass, step: policy.StepFrom},
		{problem: evidence.FromUnparsable, result: evidence.Pass, step: policy.StepPolicy},
		{problem: evidence.FromUnparsable, result: evidence.Fail, step: policy.StepPolicy, told: true},
		{problem: evidence.FromSeveral, result: evidence.TempError, step: policy.StepTempError, told: true},
	} {
		ev := full()
		ev.From.Problem, ev.DMARC[0].Result = row.problem, row.result
		if d := policy.Decisive(&ev, &policy.Verdict{Evaluation: 1, Step: row.step}); (d != nil) != row.told {
			t.Errorf("From %q, %s, decided by %s: told=%v, want %v", row.problem, row.result, row.step, d != nil, row.told)
		}
	}
	ev := full()
	ev.From.Problem, ev.From.Sole, ev.DMARC[0].Result = evidence.FromUnparsable, true, evidence.Pass
	if policy.Decisive(&ev, &policy.Verdict{Evaluation: 1, Step: policy.StepPolicy}) == nil {
		t.Error("the pass of the only domain that any reader can see is not told")
	}
	if ev.DMARC[0].Result = evidence.None; policy.Decisive(&ev, &policy.Verdict{Evaluation: 1, Step: policy.StepFrom}) != nil {
		t.Error("that it publishes nothing is told as its result")
	}
}
