package arc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/verify/arc"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

const message = "From: John Q Doe <jqd@d1.example>\r\n" +
	"To: arc@dmarc.example\r\n" +
	"Subject: Example 1\r\n" +
	"Date: Thu, 14 Jan 2015 15:00:01 -0800\r\n" +
	"Message-ID: <54B84785.1060301@d1.example>\r\n" +
	"\r\n" +
	"Hey gang,\r\nThis is a test message.\r\n--J.\r\n"

var (
	rsaKey = testsign.RSA(2048)
	edKey  = testsign.Ed25519('e')
	zone   = testsign.DNS{
		"sel._domainkey.example.org":   {rsaKey.Record()},
		"ed._domainkey.example.org":    {edKey.Record()},
		"small._domainkey.example.org": {testsign.RSA(512).Record()},
		"down._domainkey.example.org":  {testsign.ServFail},
		"spent._domainkey.example.org": {testsign.Budget},
	}
)

func validate(t testing.TB, msg string) evidence.ARC {
	t.Helper()
	return validateAt(t, msg, time.Unix(1_700_000_000, 0))
}

func validateAt(t testing.TB, msg string, now time.Time) evidence.ARC {
	t.Helper()
	fields, body, err := header.Read(bufio.NewReader(strings.NewReader(msg)), header.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var b dkim.Body
	v := arc.Start(ctx, fields, &b, zone, dkim.Options{Now: now})
	if _, err := io.Copy(&b, body); err != nil {
		t.Fatal(err)
	}
	return v.Finish(ctx)
}

// set is a plain set of the RSA key.
func set(i int) testsign.Set {
	return testsign.Set{Instance: i, Domain: "example.org", Selector: "sel", AAR: "spf=pass smtp.mailfrom=d1.example"}
}

func ams(i int, change ...string) testsign.Set {
	s := set(i)
	s.AMS = strings.NewReplacer(change...).Replace(fmt.Sprintf("i=%d; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=from:to:subject; bh=$bh; b=$b", i))
	return s
}

func seal(i int, change ...string) testsign.Set {
	s := set(i)
	cv := "pass"
	if i == 1 {
		cv = "none"
	}
	s.AS = strings.NewReplacer(change...).Replace(fmt.Sprintf("i=%d; a=rsa-sha256; t=12345; cv=%s; d=example.org; s=sel; b=$b", i, cv))
	return s
}

// chain seals message with sets in turn.
func chain(sets ...testsign.Set) string {
	msg := message
	for _, s := range sets {
		key := rsaKey
		switch s.Selector {
		case "ed":
			key = edKey
		case "small":
			key = testsign.RSA(512)
		}
		msg = testsign.Seal(msg, key, s)
	}
	return msg
}

func selector(i int, name string) testsign.Set {
	return testsign.Set{Instance: i, Domain: "example.org", Selector: name}
}

func replace(msg, old, new string) string {
	if !strings.Contains(msg, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(msg, old, new, 1)
}

func TestValidate(t *testing.T) {
	long := make([]testsign.Set, 50)
	for i := range long {
		long[i] = set(i + 1)
	}
	failed := set(1)
	failed.CV = "fail"
	tests := []struct {
		name      string
		msg       string
		want      evidence.Result
		reason    string // begins with
		temporary bool
		oldest    int
	}{
		{name: "no ARC field is none (RFC 8617 5.2 step 1)", msg: message, want: evidence.None},
		{name: "one set passes", msg: chain(set(1)), want: evidence.Pass},
		{name: "three sets pass", msg: chain(set(1), set(2), set(3)), want: evidence.Pass},
		{name: "50 sets pass (4.2.1)", msg: chain(long...), want: evidence.Pass},
		{name: "an ed25519 set passes among others", msg: chain(set(1), selector(2, "ed"), set(3)), want: evidence.Pass},
		{name: "instance 51 fails (4.2.1)", msg: chain(append(long[:50:50], set(51))...), want: evidence.Fail, reason: "more than 50"},
		{name: "fields in any order", msg: strings.Replace(chain(set(1), set(2)), "\r\n\r\n", "\r\nX: y\r\n\r\n", 1), want: evidence.Pass},

		{name: "cv=fail in the newest seal fails (5.2 step 2)", msg: chain(failed), want: evidence.Fail, reason: "newest seal says cv=fail"},
		{name: "cv=pass in instance 1 fails (5.2 step 3)", msg: chain(seal(1, "cv=none", "cv=pass")), want: evidence.Fail, reason: "cv= does not fit"},
		{name: "cv=none in instance 2 fails", msg: chain(set(1), seal(2, "cv=pass", "cv=none")), want: evidence.Fail, reason: "cv= does not fit"},
		{name: "cv=fail below the newest fails", msg: chain(failed, set(2)), want: evidence.Fail, reason: "cv= does not fit"},
		{name: "cv= absent", msg: chain(seal(1, "cv=none; ", "")), want: evidence.Fail, reason: "malformed ARC-Seal"},
		{name: "cv= empty", msg: chain(seal(1, "cv=none", "cv=")), want: evidence.Fail},
		{name: "cv= unknown", msg: chain(seal(1, "cv=none", "cv=maybe")), want: evidence.Fail},
		{name: "a gap in the instances", msg: chain(set(1), set(3)), want: evidence.Fail, reason: "incomplete"},
		{name: "instance 1 is missing", msg: chain(set(2)), want: evidence.Fail, reason: "incomplete"},
		{name: "a set doubled", msg: chain(set(1), set(2), set(2)), want: evidence.Fail, reason: "two ARC fields"},
		{name: "a seal alone", msg: "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=sel; b=AAAA\r\n" + message, want: evidence.Fail, reason: "incomplete"},
		{name: "an AAR alone", msg: "ARC-Authentication-Results: i=1; example.org; none\r\n" + message, want: evidence.Fail, reason: "incomplete"},
		{name: "an AMS alone", msg: "ARC-Message-Signature: i=1; a=rsa-sha256\r\n" + message, want: evidence.Fail, reason: "incomplete"},

		{name: "instance 0", msg: chain(seal(1, "i=1", "i=0")), want: evidence.Fail, reason: "ARC field without an instance"},
		{name: "instance missing in a seal", msg: chain(seal(1, "i=1; ", "")), want: evidence.Fail, reason: "ARC field without an instance"},
		{name: "instance that is no number", msg: chain(ams(1, "i=1", "i=one")), want: evidence.Fail, reason: "ARC field without an instance"},
		{name: "instance empty", msg: chain(ams(1, "i=1", "i=")), want: evidence.Fail, reason: "ARC field without an instance"},
		{name: "instance missing in an AAR", msg: replace(chain(set(1)), "Results: i=1; ", "Results: "), want: evidence.Fail, reason: "ARC field without an instance"},
		{name: "instance not first in an AAR (4.1.1)", msg: replace(chain(set(1)), "Results: i=1; example.org;", "Results: example.org; i=1;"), want: evidence.Fail, reason: "ARC field without an instance"},

		{name: "a seal with h= fails (4.1.3)", msg: chain(seal(1, "d=", "h=from; d=")), want: evidence.Fail, reason: "malformed ARC-Seal: a seal has no h="},
		{name: "a seal with a duplicate tag", msg: chain(seal(1, "d=", "t=1; d=")), want: evidence.Fail},
		{name: "a seal with an unknown tag passes", msg: chain(seal(1, "d=", "foo=1; d=")), want: evidence.Pass},
		{name: "a seal without t= passes", msg: chain(seal(1, "t=12345; ", "")), want: evidence.Pass},
		{name: "a seal with t= that is no number", msg: chain(seal(1, "t=12345", "t=soon")), want: evidence.Fail},
		{name: "a seal with white space around =", msg: chain(seal(1, "d=", "d = ")), want: evidence.Pass},
		{name: "a seal without d=", msg: chain(seal(1, "d=example.org; ", "")), want: evidence.Fail},
		{name: "a seal without s=", msg: chain(seal(1, "s=sel; ", "")), want: evidence.Fail},
		{name: "a seal without a=", msg: chain(seal(1, "a=rsa-sha256; ", "")), want: evidence.Fail},
		{name: "a seal without b=", msg: chain(seal(1, "b=$b", "")), want: evidence.Fail},
		{name: "a seal by rsa-sha1 (RFC 8301 3.1)", msg: chain(seal(1, "sha256", "sha1")), want: evidence.Fail},
		{name: "a seal by an unknown key", msg: chain(seal(1, "s=sel", "s=other")), want: evidence.Fail, reason: "ARC-Seal: no key"},
		{name: "a broken older seal fails", msg: replace(chain(set(1), set(2), set(3)), "i=2; a=rsa-sha256; t=12345", "i=2; a=rsa-sha256; t=12346"), want: evidence.Fail, reason: "ARC-Seal: signature did not verify"},
		{name: "a changed AAR fails its seal", msg: replace(chain(set(1), set(2)), "spf=pass", "spf=fail"), want: evidence.Fail, reason: "ARC-Seal: signature did not verify"},

		{name: "a changed body fails the newest AMS (5.2 step 4)", msg: chain(set(1)) + "x", want: evidence.Fail, reason: "newest ARC-Message-Signature: body hash did not verify"},
		{name: "a changed Subject fails the newest AMS", msg: replace(chain(set(1)), "Subject: E", "Subject: e"), want: evidence.Fail, reason: "newest ARC-Message-Signature: signature did not verify"},
		{name: "AMS with v= passes, as v= is unknown there (4.1.2)", msg: chain(ams(1, "i=1", "v=7; i=1")), want: evidence.Pass},
		{name: "AMS simple/simple", msg: chain(ams(1, "relaxed/relaxed", "simple/simple")), want: evidence.Pass},
		{name: "AMS without c= is simple/simple", msg: chain(ams(1, " c=relaxed/relaxed;", "")), want: evidence.Pass},
		{name: "AMS without c= that was made relaxed, as in the drafts", msg: chain(ams(1, "c=relaxed/relaxed; ", "", "b=$b", "b=$b$relaxed")), want: evidence.Pass},
		{name: "an older one moves oldest-pass", msg: chain(ams(1, "c=relaxed/relaxed; ", "", "b=$b", "b=$b$relaxed"), set(2)), want: evidence.Pass, oldest: 2},
		{name: "AMS with a duplicate tag", msg: chain(ams(1, "d=", "s=sel; d=")), want: evidence.Fail},
		{name: "AMS without h=", msg: chain(ams(1, "h=from:to:subject; ", "")), want: evidence.Fail},
		{name: "AMS without bh=", msg: chain(ams(1, "bh=$bh; ", "")), want: evidence.Fail},
		{name: "AMS with an empty name in h=, which all validators step over", msg: chain(ams(1, "from:to:", "from::to: :")), want: evidence.Pass},
		{name: "AMS with nothing but empty names in h=", msg: chain(ams(1, "h=from:to:subject", "h=:")), want: evidence.Fail, reason: "malformed ARC-Message-Signature: From is not signed"},
		{name: "AMS with an empty h= (RFC 6376 3.5)", msg: chain(ams(1, "h=from:to:subject", "h=")), want: evidence.Fail, reason: "malformed ARC-Message-Signature: From is not signed"},
		{name: "AMS that does not sign From", msg: chain(ams(1, "h=from:", "h=")), want: evidence.Fail},
		{name: "AMS that covers ARC-Seal (4.1.2)", msg: chain(set(1), ams(2, "h=from", "h=arc-seal:from")), want: evidence.Fail, reason: "ARC-Message-Signature covers ARC-Seal"},
		{name: "a Subject above the one that the newest AMS covers (RFC 6376 8.15)", msg: replace(chain(set(1)), "Subject: E", "Subject: Pay\r\nSubject: E"), want: evidence.Fail, reason: "newest ARC-Message-Signature: not all Subject fields are signed"},
		{name: "an older AMS that covers one of two moves oldest-pass", msg: testsign.Seal(replace(chain(set(1)), "Subject: E", "Subject: Pay\r\nSubject: E"), rsaKey, ams(2, "subject", "subject:subject")), want: evidence.Pass, oldest: 2},
		{name: "a newest AMS with l= and octets beyond", msg: chain(ams(1, "bh=", "l=8; bh=")), want: evidence.Fail, reason: "newest ARC-Message-Signature: octets beyond l= are not signed"},
		{name: "an AMS is read to the letter: a tag name with a hyphen", msg: chain(ams(1, "d=", "x-id=3; d=")), want: evidence.Fail, reason: "malformed ARC-Message-Signature: malformed tag list"},
		{name: "and an empty tag", msg: chain(ams(1, "d=", "; d=")), want: evidence.Fail, reason: "malformed ARC-Message-Signature: malformed tag list"},
		{name: "and l= with nothing in it", msg: chain(ams(1, "bh=", "l=; bh=")), want: evidence.Fail, reason: "malformed ARC-Message-Signature: l= is not a number"},
		{name: "a seal too", msg: chain(seal(1, "d=", "; d=")), want: evidence.Fail, reason: "malformed ARC-Seal: malformed tag list"},
		{name: "AMS by rsa-sha1", msg: chain(ams(1, "sha256", "sha1")), want: evidence.Fail},
		{name: "AMS expired", msg: chain(ams(1, "d=", "x=1600000000; d=")), want: evidence.Fail},
		{name: "AMS and seal of different domains pass", msg: chain(ams(1, "d=example.org; s=sel", "d=Example.ORG; s=SEL")), want: evidence.Pass},

		{name: "oldest-pass when a list changed the body after the first set (5.2 step 5)", msg: testsign.Seal(chain(set(1))+"footer\r\n", rsaKey, set(2)), want: evidence.Pass, oldest: 2},
		{name: "oldest-pass after two changes", msg: testsign.Seal(testsign.Seal(testsign.Seal(chain(set(1))+"1\r\n", rsaKey, set(2))+"2\r\n", rsaKey, set(3)), rsaKey, set(4)), want: evidence.Pass, oldest: 3},
		{name: "an older AMS that has expired", msg: chain(ams(1, "d=", "x=1600000000; d="), set(2)), want: evidence.Pass, oldest: 2},
		{name: "an older AMS that is malformed (5.2 step 5.A)", msg: chain(ams(1, "bh=$bh; ", ""), set(2)), want: evidence.Pass, oldest: 2},
		{name: "an older AMS of an algorithm that is not accepted", msg: chain(ams(1, "rsa-sha256", "rsa-sha1"), set(2)), want: evidence.Pass, oldest: 2},
		{name: "an older AMS that does not sign From", msg: chain(ams(1, "h=from:", "h="), set(2)), want: evidence.Pass, oldest: 2},
		{name: "an older AMS that covers ARC-Seal", msg: chain(set(1), ams(2, "h=from", "h=arc-seal:from"), set(3)), want: evidence.Fail, reason: "ARC-Message-Signature covers ARC-Seal"},

		{name: "a temporary DNS failure is fail, and said (5.2.1)", msg: chain(seal(1, "s=sel", "s=down")), want: evidence.Fail, reason: "key look-up failed temporarily", temporary: true},
		{name: "and so for the newest AMS", msg: chain(ams(1, "s=sel", "s=down")), want: evidence.Fail, reason: "key look-up failed temporarily", temporary: true},
		{name: "but not beside a wrong body", msg: chain(ams(1, "s=sel", "s=down")) + "x", want: evidence.Fail, reason: "newest ARC-Message-Signature: body hash"},
		{name: "nor beside a permanent failure", msg: replace(chain(seal(1, "s=sel", "s=down"), set(2)), "i=2; a=rsa-sha256; t=12345", "i=2; a=rsa-sha256; t=1"), want: evidence.Fail, reason: "ARC-Seal: signature"},
		{name: "a temporary failure of an older AMS moves oldest-pass", msg: chain(ams(1, "s=sel", "s=down"), set(2)), want: evidence.Pass, oldest: 2},
		{name: "a spent budget is no temporary error", msg: chain(seal(1, "s=sel", "s=spent")), want: evidence.Fail, reason: "ARC-Seal: key not asked"},
		{name: "a seal by a 512 bit key fails (RFC 8301 3.2)", msg: chain(selector(1, "small")), want: evidence.Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := validate(t, tt.msg)
			if got.Result != tt.want || got.Temporary != tt.temporary || got.OldestPass != tt.oldest || !strings.HasPrefix(got.Reason, tt.reason) ||
				(got.Reason == "") != (got.Result != evidence.Fail) {
				t.Errorf("%s\ngot %+v\nwant %s %q, temporary %v, oldest-pass %d", tt.msg, got, tt.want, tt.reason, tt.temporary, tt.oldest)
			}
		})
	}
}

// accept_length is about DKIM-Signature only: a chain whose newest message
// signature leaves octets out vouches for another body.
func TestAcceptLengthNeverServesAChain(t *testing.T) {
	msg := chain(ams(1, "bh=", "l=40; bh="))
	fields, body, err := header.Read(bufio.NewReader(strings.NewReader(msg)), header.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var b dkim.Body
	opt := dkim.Options{Now: time.Unix(1_700_000_000, 0), AcceptLength: true, MinLengthPercent: 50}
	v := arc.Start(t.Context(), fields, &b, zone, opt)
	if _, err := io.Copy(&b, body); err != nil {
		t.Fatal(err)
	}
	if got := v.Finish(t.Context()); got.Result != evidence.Fail || !strings.HasSuffix(got.Reason, "octets beyond l= are not signed") {
		t.Errorf("got %+v", got)
	}
}

func TestEvidence(t *testing.T) {
	s2 := selector(2, "ed")
	s2.Domain, s2.AAR = "Example.ORG", "arc=pass; dmarc=pass header.from=d1.example"
	got := validate(t, chain(set(1), s2))
	if got.Result != evidence.Pass || got.Instances != 2 || len(got.Sets) != 2 {
		t.Fatalf("got %+v", got)
	}
	s := got.Sets[1]
	if s.Instance != 2 || s.SealDomain != "example.org" || s.SealSelector != "ed" || s.SealCV != "pass" || s.SealResult != evidence.Pass ||
		s.MessageDomain != "example.org" || s.MessageSelector != "ed" || s.MessageResult != evidence.Pass {
		t.Errorf("got %+v", s)
	}
	if s.AAR == nil || len(s.AAR.Results) != 2 || s.AAR.Results[1].Value("header", "from") != "d1.example" {
		t.Errorf("AAR: got %+v", s.AAR)
	}
	if got := validate(t, "ARC-Seal: i=2; d=example.org\r\n"+message); got.Instances != 2 || got.Sets[1].SealDomain != "example.org" {
		t.Errorf("a broken chain: got %+v", got)
	}
}

// 50 sets in 256 KB whose message signatures name every field many times.
func TestLongChainsCostMilliseconds(t *testing.T) {
	var sets []testsign.Set
	for i := range 50 {
		sets = append(sets, ams(i+1, "h=from", "h="+strings.Repeat("x-a:x-b:", 500)+"from"))
	}
	msg := chain(sets...)
	if got := validate(t, msg); got.Result != evidence.Pass {
		t.Fatalf("got %s %s", got.Result, got.Reason)
	}
	best := time.Hour
	for range 5 {
		start := time.Now()
		validate(t, msg)
		best = min(best, time.Since(start))
	}
	t.Logf("%d octets: %v", len(msg), best)
	if best > time.Second {
		t.Errorf("a chain of %d octets took %v", len(msg), best)
	}
}

// FuzzValidate: no header passes that was not sealed; the one that was does.
func FuzzValidate(f *testing.F) {
	f.Add("i=1; a=rsa-sha256; cv=none; d=example.org; s=sel; b=AAAA", "i=1; a=rsa-sha256; d=example.org; s=sel; h=from; bh=AAAA; b=AAAA", "i=1; x; none")
	f.Add("i=1", "i=2", "(c) i (c) = (c) 50 (\\)) ; ")
	f.Fuzz(func(t *testing.T, as, ams, aar string) {
		var h header.Fields
		h.Add([]byte("ARC-Seal"), []byte(as))
		h.Add([]byte("ARC-Message-Signature"), []byte(ams))
		h.Add([]byte("ARC-Authentication-Results"), []byte(aar))
		var b dkim.Body
		v := arc.Start(context.Background(), &h, &b, zone, dkim.Options{})
		if got := v.Finish(context.Background()); got.Result != evidence.Fail || got.Reason == "" || len(got.Sets) > 50 {
			t.Fatalf("%q %q %q: got %+v", as, ams, aar, got)
		}
	})
}
