package dkim_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/resolver"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

const message = "From: Joe SixPack <joe@football.example.com>\r\n" +
	"To: Suzie Q <suzie@shopping.example.net>\r\n" +
	"Subject:  Is   dinner\r\n\t ready?\r\n" +
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n" +
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n" +
	"\r\n" +
	"Hi.  \r\n\r\nWe lost the game.\tAre you  hungry yet?\r\n\r\nJoe.\r\n"

// tags is a good signature template, to which tests add or from which they
// take.
const tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel;\r\n h=from:to:subject:date; bh=$bh;\r\n b=$b"

var (
	rsaKey = testsign.RSA(2048)
	now    = time.Unix(1_700_000_000, 0)
)

// verify runs one message through, its body in chunks of the size given; 0
// means at once.
func verify(t testing.TB, msg string, lk resolver.Lookuper, opt dkim.Options, chunk int) ([]evidence.Signature, int) {
	t.Helper()
	fields, body, err := header.Read(bufio.NewReader(strings.NewReader(msg)), header.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if opt.Now.IsZero() {
		opt.Now = now
	}
	var b dkim.Body
	v := dkim.Start(context.Background(), fields, &b, lk, opt)
	rest, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	for len(rest) > 0 {
		n := len(rest)
		if chunk > 0 {
			n = min(chunk, n)
		}
		b.Write(rest[:n])
		rest = rest[n:]
	}
	defer b.Reset()
	return v.Finish(context.Background())
}

// keyFor is a zone with one key record.
func keyFor(record ...string) testsign.DNS {
	return testsign.DNS{"sel._domainkey.example.com": record}
}

func with(old, new string) string { return strings.Replace(tags, old, new, 1) }

func TestSignatureField(t *testing.T) {
	ed := testsign.Ed25519('a')
	tests := []struct {
		name   string
		tags   string
		key    *testsign.Key // default: rsaKey
		msg    string        // default: message
		after  string        // added to the body once it is signed
		want   evidence.Result
		reason string
	}{
		{name: "a plain signature passes", tags: tags, want: evidence.Pass},
		{name: "simple/simple passes (RFC 6376 3.4.1, 3.4.3)", tags: with("relaxed/relaxed", "simple/simple"), want: evidence.Pass},
		{name: "simple/relaxed passes", tags: with("relaxed/relaxed", "simple/relaxed"), want: evidence.Pass},
		{name: "relaxed alone means a simple body (3.5)", tags: with("relaxed/relaxed", "relaxed"), want: evidence.Pass},
		{name: "c= absent means simple/simple (3.5)", tags: with(" c=relaxed/relaxed;", ""), want: evidence.Pass},
		{name: "ed25519-sha256 passes (RFC 8463 3)", tags: with("rsa-sha256", "ed25519-sha256"), key: ed, want: evidence.Pass},
		{name: "tags may come in any order", tags: "h=from; d=example.com;\r\n bh=$bh; s=sel; a=rsa-sha256; b=$b; v=1", want: evidence.Pass},
		{name: "unknown tags are ignored, and hashed (3.2)", tags: "foo=bar; " + tags, want: evidence.Pass},
		{name: "a semicolon may end the list (3.2)", tags: tags + ";", want: evidence.Pass},
		{name: "white space may follow the last semicolon", tags: tags + " ; ", want: evidence.Pass},
		{name: "white space around the equals sign (3.2)", tags: with("b=$b", "b = \r\n\t $b"), want: evidence.Pass},
		{name: "the same, headers simple", tags: strings.Replace(with("b=$b", "b = $b ; z=x"), "relaxed/", "simple/", 1), want: evidence.Pass},
		{name: "b= inside z= is left alone (3.5)", tags: with("b=$b", "z=Subject:=20b=3Dx|From:b=y; b=$b"), want: evidence.Pass},
		{name: "b= inside i= is left alone", tags: with("b=$b", "i=b=3Dx@example.com; b=$b"), want: evidence.Pass},
		{name: "algorithm and canonicalization are case-insensitive literals", tags: strings.NewReplacer("rsa-sha256", "RSA-SHA256", "relaxed", "Relaxed").Replace(tags), want: evidence.Pass},
		{name: "h= may list absent names (5.4.2)", tags: with("h=from", "h=x-absent:from:from:sender"), want: evidence.Pass},
		{name: "h= has white space around colons", tags: with("h=from:to", "h= From\r\n : to"), want: evidence.Pass},

		{name: "two tags of one name are malformed (3.2)", tags: tags + "; d=example.com", want: evidence.Neutral, reason: "malformed tag list: duplicate tag d"},
		{name: "two unknown tags of one name too", tags: "y=1; y=1; " + tags, want: evidence.Neutral, reason: "malformed tag list: duplicate tag y"},
		{name: "a duplicate of a long name is told by its beginning", tags: "a-name-of-many-letters=1; a-name-of-many-letters=1; " + tags, want: evidence.Neutral, reason: "malformed tag list: duplicate tag a-name-of-many-l..."},
		{name: "tag names are case-sensitive (3.2)", tags: with("d=", "D="), want: evidence.PermError, reason: "required tag d= is missing"},
		{name: "against 3.2, an empty tag-spec is stepped over", tags: with("v=1;", "v=1;;"), want: evidence.Pass},
		{name: "and several of them, in front and at the end", tags: " ; ;" + tags + ";\r\n ;; ", want: evidence.Pass},
		{name: "against 3.2, a tag name may have a hyphen, and such a tag is unknown", tags: tags + "; x-id=3", want: evidence.Pass},
		{name: "and other punctuation", tags: "x.id=3; y/z=4; " + tags, want: evidence.Pass},
		{name: "a hyphen makes no tag of another", tags: with("d=", "d-=x; d="), want: evidence.Pass},
		{name: "a tag without equals sign is malformed", tags: tags + "; foo", want: evidence.Neutral, reason: "malformed tag list: no = behind a tag's name"},
		{name: "a tag without a name is malformed", tags: tags + "; =foo", want: evidence.Neutral, reason: "malformed tag list: a tag without a name"},
		{name: "a tag name has no space inside", tags: tags + "; x id=3", want: evidence.Neutral},
		{name: "against 3.2, a tag name may begin with another character than a letter", tags: tags + "; 1x=y; _x=y", want: evidence.Pass},
		{name: "a control character is in no tag name", tags: tags + "; x\x01=y", want: evidence.Neutral},
		{name: "nothing but semicolons", tags: ";;", want: evidence.Neutral, reason: "malformed tag list: no tag"},
		{name: "a control character in a value is malformed", tags: tags + "; x1=a\x01b", want: evidence.Neutral, reason: "malformed tag list: a control character in a tag's value"},
		{name: "a bare CR in a value is malformed", tags: tags + "; x1=a\rb", want: evidence.Neutral},

		{name: "v= is required (3.5)", tags: with("v=1; ", ""), want: evidence.PermError},
		{name: "v= other than 1", tags: with("v=1", "v=2"), want: evidence.PermError},
		{name: "v= is a string, not a number", tags: with("v=1", "v=01"), want: evidence.PermError},
		{name: "a= is required", tags: with("a=rsa-sha256; ", ""), want: evidence.PermError},
		{name: "s= is required", tags: with("s=sel;", ""), want: evidence.PermError},
		{name: "h= is required", tags: with("h=from:to:subject:date;", ""), want: evidence.PermError},
		{name: "bh= is required", tags: with("bh=$bh;", ""), want: evidence.PermError},
		{name: "b= is required", tags: with("b=$b", ""), want: evidence.PermError},
		{name: "b= must not be empty", tags: with("b=$b", "b="), want: evidence.Neutral},
		{name: "b= must be base64", tags: with("b=$b", "b=@@@@"), want: evidence.Neutral},
		{name: "bh= must be base64", tags: with("bh=$bh", "bh=%%"), want: evidence.Neutral},
		{name: "a truncated bh= does not verify", tags: with("bh=$bh", "bh=AAAA"), want: evidence.Fail, reason: "body hash did not verify"},
		{name: "an unknown algorithm", tags: with("rsa-sha256", "rsa-sha512"), want: evidence.PermError},
		{name: "rsa-sha1 is never computed (RFC 8301 3.1)", tags: with("rsa-sha256", "rsa-sha1"), want: evidence.PermError, reason: "rsa-sha1 is not accepted"},
		{name: "unknown header canonicalization", tags: with("relaxed/", "nofws/"), want: evidence.PermError},
		{name: "unknown body canonicalization", tags: with("/relaxed", "/nofws"), want: evidence.PermError},
		{name: "against 3.5, an empty c= is as absent", tags: with("c=relaxed/relaxed", "c="), want: evidence.Pass},
		{name: "and white space may stand around its slash", tags: with("relaxed/relaxed", "relaxed / relaxed"), want: evidence.Pass},
		{name: "a slash alone is no canonicalization", tags: with("relaxed/relaxed", "/"), want: evidence.PermError},
		{name: "From must be signed (5.4)", tags: with("h=from:", "h="), want: evidence.PermError, reason: "From is not signed"},
		{name: "h= must not be empty", tags: with("h=from:to:subject:date", "h="), want: evidence.PermError, reason: "From is not signed"},
		{name: "against 3.5, an empty name in h= is stepped over", tags: with("from:to", "from::to"), want: evidence.Pass},
		{name: "and a colon behind the last name", tags: with("date;", "date:;"), want: evidence.Pass},
		{name: "and in front of the first, with white space", tags: with("h=from", "h= : :\r\n from"), want: evidence.Pass},
		{name: "nothing but empty names in h=", tags: with("h=from:to:subject:date", "h=:"), want: evidence.PermError, reason: "From is not signed"},
		{name: "h= has no white space inside a name", tags: with("from:to", "from to"), want: evidence.Neutral},
		{name: "d= must be a domain name", tags: with("example.com", "exa mple.com"), want: evidence.Neutral},
		{name: "d= ends in a dot", tags: with("d=example.com", "d=example.com."), want: evidence.Neutral},
		{name: "d= has two labels (3.5)", tags: with("d=example.com", "d=com"), want: evidence.Neutral},
		{name: "s= must be a selector", tags: with("s=sel", "s=-.."), want: evidence.Neutral},
		{name: "q=dns/txt", tags: tags + "; q=dns/txt", want: evidence.Pass},
		{name: "q= offers dns/txt among others (3.5)", tags: tags + "; q=x/y : dns/txt", want: evidence.Pass},
		{name: "q= without dns/txt", tags: tags + "; q=x/y", want: evidence.PermError},

		{name: "i= may equal d=", tags: tags + "; i=joe@example.com", want: evidence.Pass},
		{name: "i= may be below d= (3.5)", tags: tags + "; i=joe@football.example.com", want: evidence.Pass},
		{name: "i= may be without local part", tags: tags + "; i=@Football.EXAMPLE.com", want: evidence.Pass},
		{name: "i= is quoted-printable (2.11)", tags: tags + "; i=joe=40x@example=2Ecom", want: evidence.Pass},
		{name: "i= may be folded anywhere (2.11)", tags: tags + "; i=joe@exam\r\n ple.com", want: evidence.Pass},
		{name: "i= outside d= (6.1.1)", tags: tags + "; i=joe@example.org", want: evidence.PermError, reason: "i= is outside d="},
		{name: "i= ends like d= without a label boundary", tags: tags + "; i=joe@badexample.com", want: evidence.PermError},
		{name: "i= above d=", tags: tags + "; i=joe@com", want: evidence.PermError},
		{name: "i= ends in a dot", tags: tags + "; i=joe@example.com.", want: evidence.Neutral},
		{name: "i= without @", tags: tags + "; i=example.com", want: evidence.Neutral},
		{name: "against 2.11, a bare = in i= stands for itself", tags: tags + "; i=bounce-user=example.org@example.com", want: evidence.Pass},
		{name: "and where one hex digit follows", tags: tags + "; i=joe=4@example.com", want: evidence.Pass},
		{name: "and at the end of the local part", tags: tags + "; i=joe=@example.com", want: evidence.Pass},
		{name: "but not in the domain", tags: tags + "; i=joe@example=.com", want: evidence.Neutral},
		{name: "nor at its end", tags: tags + "; i=joe@example.com=", want: evidence.Neutral},
		{name: "a bare = hides no other domain", tags: tags + "; i=joe=example.com@example.org", want: evidence.PermError, reason: "i= is outside d="},
		{name: "against 3.5, labels that no domain name has may stand in front of d=", tags: tags + "; i=joe@*.Example.com", want: evidence.Pass},
		{name: "an empty one too", tags: tags + "; i=@.example.com", want: evidence.Pass},
		{name: "but not without their dot", tags: tags + "; i=joe@*example.com", want: evidence.Neutral},
		{name: "i= empty", tags: tags + "; i=", want: evidence.Neutral},

		{name: "t= in the past", tags: tags + "; t=1699999999", want: evidence.Pass},
		{name: "t= within the skew", tags: tags + "; t=1700000299", want: evidence.Pass},
		{name: "t= in the future (3.5)", tags: tags + "; t=1700000301", want: evidence.Fail, reason: "signed in the future"},
		{name: "x= in the future", tags: tags + "; x=1700000001", want: evidence.Pass},
		{name: "x= within the skew", tags: tags + "; x=1699999701", want: evidence.Pass},
		{name: "x= in the past (3.5)", tags: tags + "; x=1699999699", want: evidence.Fail, reason: "signature has expired"},
		{name: "x= of more than 12 digits is infinite (3.5)", tags: tags + "; x=9999999999999", want: evidence.Pass},
		{name: "x= of many digits", tags: tags + "; x=" + strings.Repeat("9", 60), want: evidence.Pass},
		{name: "x= must be after t= (3.5)", tags: tags + "; t=1699999999; x=1699999999", want: evidence.PermError},
		{name: "t= must be a number", tags: tags + "; t=now", want: evidence.Neutral},
		{name: "x= must not be negative", tags: tags + "; x=-1", want: evidence.Neutral},
		{name: "against 3.5, t= with nothing in it is no time", tags: tags + "; t=", want: evidence.Pass},
		{name: "nor is x=", tags: tags + "; t=1699999999; x= ", want: evidence.Pass},
		{name: "x= counts beside an empty t=", tags: tags + "; t=; x=1699999699", want: evidence.Fail, reason: "signature has expired"},

		{name: "l= of the whole body passes (3.5)", tags: tags + "; l=54", want: evidence.Pass},
		{name: "l= with octets beyond it is policy (8.2)", tags: tags + "; l=50", want: evidence.Policy},
		{name: "l=0", tags: tags + "; l=0", want: evidence.Policy},
		{name: "l= beyond the body fails (3.5)", tags: tags + "; l=55", want: evidence.Fail},
		{name: "l= of 76 digits", tags: tags + "; l=" + strings.Repeat("9", 76), want: evidence.Fail},
		{name: "l= of 77 digits is malformed", tags: tags + "; l=" + strings.Repeat("0", 77), want: evidence.Neutral},
		{name: "l= must be a number", tags: tags + "; l=1x", want: evidence.Neutral},
		{name: "against 3.5, l= with nothing in it is no length: the whole body is signed", tags: tags + "; l=", want: evidence.Pass},
		{name: "which shows when it grows", tags: tags + "; l=", after: "x", want: evidence.Fail, reason: "body hash did not verify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key == nil {
				tt.key = rsaKey
			}
			if tt.msg == "" {
				tt.msg = message
			}
			signed := testsign.DKIM(tt.msg, tt.key, tt.tags) + tt.after
			for _, chunk := range []int{0, 1, 7} {
				sigs, _ := verify(t, signed, keyFor(tt.key.Record()), dkim.Options{}, chunk)
				if len(sigs) != 1 || sigs[0].Result != tt.want || tt.reason != "" && sigs[0].Reason != tt.reason {
					t.Fatalf("%s\ngot %+v\nwant %s %q", signed, sigs, tt.want, tt.reason)
				}
				if strings.Contains(sigs[0].Reason, "duplicate tag") && (sigs[0].Domain != "example.com" || sigs[0].Selector == "" || sigs[0].B == "") {
					t.Errorf("evidence does not name the signature: %+v", sigs[0])
				}
				if (sigs[0].Reason == "") != (sigs[0].Result == evidence.Pass) {
					t.Errorf("result %s with reason %q", sigs[0].Result, sigs[0].Reason)
				}
			}
		})
	}
}
