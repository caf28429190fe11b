package dkim_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/internal/owned"
	"alignd/resolver"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

func TestEvidence(t *testing.T) {
	signed := testsign.DKIM(message, rsaKey, "v=1; a=rsa-sha256; c=relaxed; d=Example.COM; s=Sel; t=1699999000; x=1700009000;\r\n l=30; h=From : To:from; i=Joe=20@Mail.example.com; bh=$bh; b=\r\n $b")
	sigs, skipped := verify(t, signed, keyFor("t=y; p="+rsaKey.Public()), dkim.Options{}, 0)
	if len(sigs) != 1 || skipped != 0 {
		t.Fatalf("got %+v, skipped %d", sigs, skipped)
	}
	got := sigs[0]
	if len(got.B) != 344 || strings.ContainsAny(got.B, " \r\n") {
		t.Errorf("b: got %q", got.B)
	}
	got.B = ""
	want := evidence.Signature{
		Result: evidence.Policy, Reason: "octets beyond l= are not signed", FailedOn: evidence.FailedCoverage,
		KeyHash: sha256.Sum256([]byte("t=y; p=" + rsaKey.Public())),
		Domain:  "example.com", Selector: "Sel", Identity: "Joe @Mail.example.com", Algorithm: "rsa-sha256",
		HeaderCanon: "relaxed", BodyCanon: "simple", SignedHeaders: []string{"from", "to", "from"},
		Signed: time.Unix(1699999000, 0), Expires: time.Unix(1700009000, 0),
		Length: 30, Unsigned: 27, KeyBits: 2048, Testing: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Without i= the AUID is "@" and d=; without d= there is none.
func TestIdentityByDefault(t *testing.T) {
	for tags, want := range map[string]string{
		tags:                                  "@example.com",
		with("d=example.com;", ""):            "",
		with("d=example.com;", "d=;"):         "",
		with("d=example.com", "d=Bad_..Name"): "@Bad_..Name",
	} {
		sigs, _ := verify(t, testsign.DKIM(message, rsaKey, tags), keyFor(rsaKey.Record()), dkim.Options{}, 0)
		if sigs[0].Identity != want {
			t.Errorf("%s: got %q, want %q", tags, sigs[0].Identity, want)
		}
	}
}

func TestLengthOption(t *testing.T) {
	signed := testsign.DKIM(message, rsaKey, tags+"; l=27") // of 54
	for _, tt := range []struct {
		name string
		opt  dkim.Options
		want evidence.Result
	}{
		{name: "refused by default", want: evidence.Policy},
		{name: "accepted without a minimum", opt: dkim.Options{AcceptLength: true}, want: evidence.Pass},
		{name: "accepted at the minimum", opt: dkim.Options{AcceptLength: true, MinLengthPercent: 50}, want: evidence.Pass},
		{name: "refused below the minimum", opt: dkim.Options{AcceptLength: true, MinLengthPercent: 51}, want: evidence.Policy},
		{name: "a minimum alone accepts nothing", opt: dkim.Options{MinLengthPercent: 10}, want: evidence.Policy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if sigs, _ := verify(t, signed, keyFor(rsaKey.Record()), tt.opt, 0); sigs[0].Result != tt.want || sigs[0].Unsigned != 27 {
				t.Errorf("got %+v, want %s", sigs[0], tt.want)
			}
		})
	}
}

// What is changed after signing turns the result, or must not.
func TestChanges(t *testing.T) {
	tests := []struct {
		name     string
		tags     string
		old, new string
		want     evidence.Result
	}{
		{name: "a header octet", old: "Subject:  Is", new: "Subject:  is", want: evidence.Fail},
		{name: "a body octet", old: "We lost", new: "we lost", want: evidence.Fail},
		{name: "header folding, relaxed", old: "Is   dinner\r\n\t ready?", new: "Is dinner ready? ", want: evidence.Pass},
		{name: "header folding, simple", tags: with("relaxed/", "simple/"), old: "Is   dinner\r\n\t ready?", new: "Is dinner ready? ", want: evidence.Fail},
		{name: "case of a field name, relaxed", old: "Subject:", new: "SUBJECT :", want: evidence.Pass},
		{name: "blanks at line ends, relaxed", old: "Joe.\r\n", new: "Joe. \t\r\n\r\n \r\n", want: evidence.Pass},
		{name: "blanks at line ends, simple", tags: with("/relaxed", "/simple"), old: "Joe.\r\n", new: "Joe. \r\n", want: evidence.Fail},
		{name: "empty lines at the end, simple", tags: with("/relaxed", "/simple"), old: "Joe.\r\n", new: "Joe.\r\n\r\n\r\n", want: evidence.Pass},
		{name: "no line end at the end, simple", tags: with("/relaxed", "/simple"), old: "Joe.\r\n", new: "Joe.", want: evidence.Pass},
		{name: "a bare CR is no line end (3.4.4)", old: "Joe.\r\n", new: "Joe.\r\n\r", want: evidence.Fail},
		{name: "a blank before a bare CR counts", old: "game.\tAre", new: "game. \rAre", want: evidence.Fail},
		{name: "a Subject added above is left out (8.15)", old: "Subject:  Is", new: "Subject: Pay\r\nSubject:  Is", want: evidence.Policy},
		{name: "and an empty one", old: "Subject:  Is", new: "Subject:\r\nSubject:  Is", want: evidence.Policy},
		{name: "a Subject added above, oversigned", tags: with("subject", "subject:subject"), old: "Subject:  Is", new: "Subject: Pay\r\nSubject:  Is", want: evidence.Fail},
		{name: "a To added above", old: "To: Suzie", new: "To: Mallory <m@example.net>\r\nTo: Suzie", want: evidence.Policy},
		{name: "a To that is not signed at all", tags: with("to:", ""), old: "To: Suzie", new: "To: Mallory <m@example.net>\r\nTo: Suzie", want: evidence.Pass},
		{name: "a Date added above, with white space before the colon", old: "Date: Fri", new: "dATE : Thu\r\nDate: Fri", want: evidence.Policy},
		{name: "two Reply-To fields where h= lists it and there was none", tags: with("subject", "reply-to"), old: "Date: Fri", new: "Reply-To: m@example.net\r\nReply-To: n@example.net\r\nDate: Fri", want: evidence.Fail},
		{name: "a copy that reads the same tells nothing else", old: "Subject:  Is", new: "Subject: Is dinner\r\n ready? \r\nSubject:  Is", want: evidence.Pass},
		{name: "but not one in other letters", old: "Subject:  Is", new: "Subject: is dinner ready?\r\nSubject:  Is", want: evidence.Policy},
		{name: "a Message-ID added above, as readers do not show it", tags: with("date", "message-id"), old: "Message-ID: ", new: "Message-ID: <1@example.net>\r\nMessage-ID: ", want: evidence.Pass},
		{name: "a wrong body counts before", old: "Subject:  Is   dinner\r\n\t ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.", new: "Subject: x\r\nSubject:  Is   dinner\r\n\t ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHo.", want: evidence.Fail},
		{name: "an octet beyond l=", tags: tags + "; l=20", old: "Joe.", new: "Jim.", want: evidence.Policy},
		{name: "a field that is not signed", old: "Message-ID: <2", new: "Message-ID: <3", want: evidence.Pass},
		{name: "a From added above, not oversigned (5.4.2)", old: "From: Joe", new: "From: Mallory <m@example.net>\r\nFrom: Joe", want: evidence.Pass},
		{name: "a From added above, oversigned", tags: with("h=from:", "h=from:from:"), old: "From: Joe", new: "From: Mallory <m@example.net>\r\nFrom: Joe", want: evidence.Fail},
		{name: "a From added below takes the signed one's place", old: "To: Suzie", new: "From: Mallory <m@example.net>\r\nTo: Suzie", want: evidence.Fail},
		{name: "a tag of the signature", tags: tags + "; t=5", old: "t=5", new: "t=6", want: evidence.Fail},
		{name: "white space in b=, relaxed", old: "b=", new: "b= ", want: evidence.Pass},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.tags == "" {
				tt.tags = tags
			}
			signed := testsign.DKIM(message, rsaKey, tt.tags)
			sigs, _ := verify(t, signed, keyFor(rsaKey.Record()), dkim.Options{}, 0)
			if r := sigs[0].Result; r != evidence.Pass && r != tt.want {
				t.Fatalf("before the change: %+v", sigs)
			}
			if !strings.Contains(signed, tt.old) {
				t.Fatalf("no %q in %s", tt.old, signed)
			}
			at := strings.LastIndex(signed, tt.old)
			changed := signed[:at] + tt.new + signed[at+len(tt.old):]
			if sigs, _ = verify(t, changed, keyFor(rsaKey.Record()), dkim.Options{}, 3); sigs[0].Result != tt.want {
				t.Errorf("%s\ngot %+v\nwant %s", changed, sigs, tt.want)
			}
		})
	}
}

// A signature that covers one of several fields of a name covers what no reader
// may show (RFC 6376 section 8.15).
func TestPartlySigned(t *testing.T) {
	const two = "Cc: a@example.net\r\nCc: b@example.net\r\nContent-Type: text/html\r\nContent-Type: text/plain\r\n" + message
	for _, tt := range []struct {
		name   string
		h      string
		accept bool
		want   evidence.Result
		reason string
	}{
		{name: "neither is signed", h: "from", want: evidence.Pass},
		{name: "one of two", h: "from:cc", want: evidence.Policy, reason: "not all Cc fields are signed"},
		{name: "both", h: "from:cc:Cc", want: evidence.Pass},
		{name: "both, and a third if it were there", h: "from:cc:cc:cc", want: evidence.Pass},
		{name: "one of two of another name", h: "from:cc:cc:content-type", want: evidence.Policy, reason: "not all Content-Type fields are signed"},
		{name: "one of two, where that is accepted", h: "from:cc:content-type", accept: true, want: evidence.Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed := testsign.DKIM(two, rsaKey, with("from:to:subject:date", tt.h))
			sigs, _ := verify(t, signed, keyFor(rsaKey.Record()), dkim.Options{AcceptPartlySigned: tt.accept}, 0)
			if sigs[0].Result != tt.want || sigs[0].Reason != tt.reason {
				t.Errorf("got %+v, want %s %q", sigs[0], tt.want, tt.reason)
			}
		})
	}
}

// A copy behind a bare CR inside another field is one that only some readers show.
func TestPartlySignedByAHiddenCopy(t *testing.T) {
	for _, tt := range []struct {
		name, top string
		want      evidence.Result
	}{
		{name: "another Subject", top: "X-Note: a\rSubject: b\r\n", want: evidence.Policy},
		{name: "in another spelling", top: "X-Note: a\rsubject : b\r\n", want: evidence.Policy},
		{name: "behind another hidden one", top: "X-Note: a\rX: y\rSubject: b\r\n", want: evidence.Policy},
		{name: "a field that is not there, and signed so", top: "X-Note: a\rReply-To: b@example.net\r\n", want: evidence.Policy},
		{name: "a field that is not signed", top: "X-Note: a\rContent-Type: text/html\r\n", want: evidence.Pass},
		{name: "a fold", top: "X-Note: a\r\n Subject: b\r\n", want: evidence.Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed := testsign.DKIM(message, rsaKey, with("from:to:subject:date", "from:subject:reply-to"))
			sigs, _ := verify(t, tt.top+signed, keyFor(rsaKey.Record()), dkim.Options{}, 0)
			if sigs[0].Result != tt.want {
				t.Errorf("got %+v, want %s", sigs[0], tt.want)
			}
		})
	}
}

// No key makes a signature right whose body is known to be wrong. A key that is
// known to be of no use keeps its own result.
func TestAWrongBodyIsFailWhereTheKeyIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		name, record, tags, after string
		want                      evidence.Result
		reason                    string
	}{
		{name: "no answer", record: testsign.ServFail, want: evidence.TempError, reason: "key look-up failed temporarily"},
		{name: "no answer, wrong body", record: testsign.ServFail, after: "x", want: evidence.Fail, reason: "body hash did not verify"},
		{name: "no answer, body shorter than l=", record: testsign.ServFail, tags: tags + "; l=99", want: evidence.Fail, reason: "body is shorter than l="},
		{name: "no answer, octets beyond l=", record: testsign.ServFail, tags: tags + "; l=54", after: "x", want: evidence.TempError},
		{name: "no key, wrong body", record: "v=DKIM1; p=", after: "x", want: evidence.PermError, reason: "key is revoked"},
		{name: "unusable key, wrong body", record: "p=AAAA", after: "x", want: evidence.PermError, reason: "key is not an RSA key"},
		{name: "spent budget, wrong body", record: testsign.Budget, after: "x", want: evidence.PermError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.tags == "" {
				tt.tags = tags
			}
			sigs, _ := verify(t, testsign.DKIM(message, rsaKey, tt.tags)+tt.after, keyFor(tt.record), dkim.Options{}, 0)
			if sigs[0].Result != tt.want || tt.reason != "" && sigs[0].Reason != tt.reason {
				t.Errorf("got %+v, want %s %q", sigs[0], tt.want, tt.reason)
			}
		})
	}
}

// RFC 6376 section 5.4: a signature may cover others.
func TestSignatureOverSignature(t *testing.T) {
	inner := testsign.DKIM(message, rsaKey, tags)
	both := testsign.DKIM(inner, rsaKey, with("h=from", "h=dkim-signature:from"))
	for _, tt := range []struct {
		name string
		msg  string
		want []evidence.Result
	}{
		{name: "both verify", msg: both, want: []evidence.Result{"pass", "pass"}},
		{name: "the inner one is covered", msg: strings.Replace(both, "h=from:to", "h=From:to", 1), want: []evidence.Result{"fail", "fail"}},
		{name: "the inner one removed", msg: both[:len(both)-len(inner)] + message, want: []evidence.Result{"fail"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sigs, _ := verify(t, tt.msg, keyFor(rsaKey.Record()), dkim.Options{}, 0)
			var got []evidence.Result
			for _, s := range sigs {
				got = append(got, s.Result)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// RFC 6376 section 3.5: h= never means the signature itself.
func TestSignatureNamesItsKind(t *testing.T) {
	alone := testsign.DKIM(message, rsaKey, with("h=from", "h=dkim-signature:from"))
	if sigs, _ := verify(t, alone, keyFor(rsaKey.Record()), dkim.Options{}, 0); sigs[0].Result != evidence.Pass {
		t.Errorf("got %+v", sigs[0])
	}
	above := testsign.DKIM(alone, rsaKey, tags)
	sigs, _ := verify(t, above, keyFor(rsaKey.Record()), dkim.Options{}, 0)
	if sigs[0].Result != evidence.Pass || sigs[1].Result != evidence.Fail {
		t.Errorf("with another above, which it says there is none of: got %+v", sigs)
	}
}

func TestLimitPrefersAuthorDomains(t *testing.T) {
	msg := message
	zone := testsign.DNS{}
	for _, d := range []string{"example.com", "news.example.com", "other.example", "example.com"} {
		zone["sel._domainkey."+d] = []string{rsaKey.Record()}
		msg = testsign.DKIM(msg, rsaKey, with("example.com", d))
	}
	for i := range 20 {
		msg = fmt.Sprintf("DKIM-Signature: junk%d\r\n", i) + msg
		msg = testsign.DKIM(msg, rsaKey, with("example.com", fmt.Sprintf("esp%d.example", i)))
	}
	for _, tt := range []struct {
		max  int
		want []string
	}{
		{1, []string{"example.com"}},
		{2, []string{"example.com", "example.com"}},
		{3, []string{"example.com", "news.example.com", "example.com"}},
		{4, []string{"esp19.example", "example.com", "news.example.com", "example.com"}},
	} {
		sigs, skipped := verify(t, msg, zone, dkim.Options{MaxSignatures: tt.max, AuthorDomains: []string{"example.com"}}, 0)
		var got []string
		for _, s := range sigs {
			got = append(got, s.Domain)
		}
		if !reflect.DeepEqual(got, tt.want) || skipped != 44-tt.max {
			t.Errorf("limit %d: got %v, %d skipped; want %v", tt.max, got, skipped, tt.want)
		}
	}
	if sigs, skipped := verify(t, msg, zone, dkim.Options{}, 0); len(sigs) != dkim.DefaultMaxSignatures || skipped != 34 {
		t.Errorf("default limit: %d tried, %d skipped", len(sigs), skipped)
	}
}

func TestPublicSuffix(t *testing.T) {
	for d, want := range map[string]bool{"co.uk": true, "example.co.uk": false, "github.io": false, "example.com": false} {
		sigs, _ := verify(t, testsign.DKIM(message, rsaKey, with("example.com", d)), testsign.DNS{}, dkim.Options{}, 0)
		if sigs[0].PublicSuffix != want {
			t.Errorf("%s: PublicSuffix is %v", d, sigs[0].PublicSuffix)
		}
	}
}

// blocking answers when the context ends, or panics.
type blocking struct{ panics bool }

func (b blocking) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	if b.panics {
		panic("lookup went wrong")
	}
	<-ctx.Done()
	return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: ctx.Err().Error()}
}

func start(ctx context.Context, lk resolver.Lookuper) *dkim.Verification {
	fields := new(header.Fields)
	signed, _ := testsign.Split(testsign.DKIM(message, rsaKey, tags))
	for _, f := range signed {
		name, value, _ := strings.Cut(f, ":")
		fields.Add([]byte(name), []byte(value))
	}
	var body dkim.Body
	v := dkim.Start(ctx, fields, &body, lk, dkim.Options{Now: now})
	_, text, _ := strings.Cut(message, "\r\n\r\n")
	_, _ = body.Write([]byte(text))
	return v
}

func TestEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	v := start(context.Background(), blocking{})
	cancel()
	if sigs, _ := v.Finish(ctx); sigs[0].Result != evidence.TempError {
		t.Errorf("Finish's context ended: got %+v", sigs)
	}
	start(context.Background(), blocking{}).Close() // returns
	start(ctx, blocking{}).Close()
}

func TestPanicReachesTheMessage(t *testing.T) {
	defer func() {
		if r, _ := recover().(*owned.Panic); r == nil || r.Value != "lookup went wrong" {
			t.Errorf("recovered %v", r)
		}
	}()
	start(context.Background(), blocking{panics: true}).Finish(context.Background())
	t.Error("no panic")
}

func TestHugeNumbers(t *testing.T) {
	for _, l := range []string{fmt.Sprint(uint64(math.MaxUint64)), fmt.Sprint(int64(math.MaxInt64)), strings.Repeat("1", 70)} {
		if sigs, _ := verify(t, testsign.DKIM(message, rsaKey, tags+"; l="+l), keyFor(rsaKey.Record()), dkim.Options{}, 0); sigs[0].Reason != "body is shorter than l=" {
			t.Errorf("l=%s: got %+v", l, sigs[0])
		}
	}
}
