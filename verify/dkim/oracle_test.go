package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// What the second signer makes verifies here, and does not after one octet of
// the part it signs has changed.
func TestSecondSigner(t *testing.T) {
	ed := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{'a'}, 32))
	keys := []struct {
		signer crypto.Signer
		record string
	}{{rsaKey.Signer(), rsaKey.Record()}, {ed, testsign.Ed25519('a').Record()}}
	canons := []msgauth.Canonicalization{msgauth.CanonicalizationSimple, msgauth.CanonicalizationRelaxed}
	// Without bare CR, which the second signer takes for a line end.
	texts := []string{"", "x", "x\r\n", "x \r\n\r\n", " \tx  y\r\n\r\n", "\r\n\r\nx\r\n", strings.Repeat("long line ", 200) + "\r\n", "8-bit \xe4\xf6\x00\r\n", ".\r\n..\r\n"}
	head := strings.SplitAfter(message, "\r\n\r\n")[0]
	count := 0
	for _, key := range keys {
		for _, hc := range canons {
			for _, bc := range canons {
				for _, text := range texts {
					var out bytes.Buffer
					err := msgauth.Sign(&out, strings.NewReader(head+text), &msgauth.SignOptions{
						Domain: "example.com", Selector: "sel", Signer: key.signer, Hash: crypto.SHA256,
						HeaderCanonicalization: hc, BodyCanonicalization: bc, HeaderKeys: []string{"From", "Subject", "From", "Date"},
					})
					if err != nil {
						t.Fatal(err)
					}
					count++
					signed := out.String()
					if sigs, _ := verify(t, signed, keyFor(key.record), dkim.Options{Now: time.Now()}, 5); sigs[0].Result != evidence.Pass {
						t.Errorf("%s\ngot %+v", signed, sigs)
					}
					for _, broken := range []string{strings.Replace(signed, "dinner", "Dinner", 1), signed + "y", strings.Replace(signed, "bh=", "bh=A", 1)} {
						if sigs, _ := verify(t, broken, keyFor(key.record), dkim.Options{Now: time.Now()}, 5); sigs[0].Result == evidence.Pass {
							t.Errorf("passes though broken:\n%s", broken)
						}
					}
				}
			}
		}
	}
	t.Logf("%d messages", count)
}

// oracle runs go-msgauth's verifier and returns pass or what it complains of.
func oracle(msg string, zone testsign.DNS) (passes bool, complaint error) {
	vs, err := msgauth.VerifyWithOptions(strings.NewReader(msg), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		txt, ok := zone[strings.ToLower(name)]
		if !ok {
			return nil, errors.New("no such name")
		}
		return txt, nil
	}})
	if err != nil || len(vs) == 0 {
		return false, fmt.Errorf("%d signatures: %w", len(vs), err)
	}
	return vs[0].Err == nil, vs[0].Err
}

// Each reason why the oracle was not taken as the verifier, shown on it.
func TestOracleFaults(t *testing.T) {
	tests := []struct {
		name   string
		tags   string
		msg    string
		record string
		ours   evidence.Result
		theirs bool
	}{
		{name: "agreement on a plain signature", tags: tags, ours: evidence.Pass, theirs: true},
		{name: "b= is blanked inside z=", tags: with("b=$b", "z=x: b=y; b=$b"), ours: evidence.Pass},
		{name: "i= is compared with case", tags: tags + "; i=@Example.com", ours: evidence.Pass},
		{name: "U-labels are not looked up (RFC 8616)", tags: with("d=example.com", "d=ex\u00e4mple.com"), ours: evidence.Pass},
		{name: "every l= fails", tags: tags + "; l=54", ours: evidence.Pass},
		{name: "a bare CR ends a line", msg: message + "a \r\tb\r\n", tags: tags, ours: evidence.Pass},
		{name: "key flag t=s is not enforced", tags: tags + "; i=@a.example.com", record: "t=s; p=" + rsaKey.Public(), ours: evidence.PermError, theirs: true},
		{name: "agreement on duplicate tags", tags: tags + "; s=sel", ours: evidence.Neutral},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.record == "" {
				tt.record = rsaKey.Record()
			}
			if tt.msg == "" {
				tt.msg = message
			}
			zone := keyFor(tt.record)
			zone["sel._domainkey.xn--exmple-cua.com"] = zone["sel._domainkey.example.com"]
			signed := testsign.DKIM(tt.msg, rsaKey, tt.tags)
			sigs, _ := verify(t, signed, zone, dkim.Options{}, 0)
			theirs, complaint := oracle(signed, zone)
			if sigs[0].Result != tt.ours || theirs != tt.theirs {
				t.Errorf("%s\nours %s %s, theirs %v %v; want %s, %v", signed, sigs[0].Result, sigs[0].Reason, theirs, complaint, tt.ours, tt.theirs)
			}
		})
	}
}

// disagreements are the inputs on which the oracle may differ, each for one of
// the faults above: a predicate on what the fuzzer chose, and our verdict there.
var disagreements = []struct {
	fault string
	when  func(in fuzzed) bool
	ours  bool // passes
}{
	{fault: "b= is blanked inside other tags", when: func(in fuzzed) bool { return otherB.MatchString(in.tags) }, ours: true},
	{fault: "i= is compared with case and not decoded", when: func(in fuzzed) bool { return in.has("i") }, ours: true},
	{fault: "i= is compared without label boundary or syntax", when: func(in fuzzed) bool { return in.has("i") }},
	{fault: "every l= fails", when: func(in fuzzed) bool { return in.has("l") }, ours: true},
	{fault: "a bare CR ends a line of a relaxed body",
		when: func(in fuzzed) bool { return bareCR.MatchString(in.body) || strings.HasSuffix(in.body, "\r") }, ours: true},
	{fault: "a bare CR ends a line of a relaxed body",
		when: func(in fuzzed) bool { return bareCR.MatchString(in.body) || strings.HasSuffix(in.body, "\r") }},
	{fault: "tag lists are read loosely: duplicates, empty tags, odd names, control characters",
		when: func(in fuzzed) bool { return !strictTags.MatchString(in.tags) || in.duplicate() }},
	{fault: "t=, x= and q= are read loosely", when: func(in fuzzed) bool { return in.has("t") || in.has("x") || in.has("q") }},
	{fault: "white space beyond ASCII is white space",
		when: func(in fuzzed) bool { return strings.ContainsAny(in.subject+in.tags, "\v\f\u0085\u00a0") }, ours: true},
}

var (
	otherB     = regexp.MustCompile(`b\s*=`)
	bareCR     = regexp.MustCompile(`\r([^\n]|$)`)
	strictTags = regexp.MustCompile(`^( *[a-zA-Z][a-zA-Z0-9_]* *=[\x20-\x3a\x3c-\x7e\x80-\x{10ffff}]*(;|$))*$`)
)

type fuzzed struct{ tags, subject, body string }

// has reports whether the fuzzer wrote a tag of that name.
func (in fuzzed) has(name string) bool {
	return regexp.MustCompile(`(^|;)\s*` + name + `\s*=`).MatchString(in.tags)
}

// duplicate reports whether a tag of the template or of the fuzzer comes twice.
func (in fuzzed) duplicate() bool {
	seen := map[string]bool{"v": true, "a": true, "c": true, "d": true, "s": true, "h": true, "bh": true, "b": true}
	for tag := range strings.SplitSeq(in.tags, ";") {
		name, _, _ := strings.Cut(tag, "=")
		if name = strings.TrimSpace(name); seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// FuzzOracle signs what the fuzzer wrote: both verifiers must agree, or the
// input must be one of the disagreements.
func FuzzOracle(f *testing.F) {
	f.Add("z=x", " subject", "body \r\n\r\n", byte(0))
	f.Add("i=@a.example.com; t=5", "\ta  b ", "a\rb\r\n", byte(1))
	f.Add("l=3;q=dns/txt", "", "", byte(2))
	f.Add("x=9999999999;foo=b=", "s", " \t\r\n x", byte(3))
	f.Fuzz(func(t *testing.T, extra, subject, body string, canon byte) {
		if strings.ContainsAny(extra, "\r\n") || strings.ContainsAny(subject, "\r\n") || strings.Contains(body, "\n") && strings.Count(body, "\n") != strings.Count(body, "\r\n") {
			return // the oracle reads whole messages, and then fields and lines are others
		}
		compare(t, fuzzed{tags: extra, subject: subject, body: body}, canon)
	})
}

// compare signs, lets both judge, and returns the fault that explains why they
// differ; "" when they agree.
func compare(t *testing.T, in fuzzed, canon byte) (fault string) {
	c := []string{"simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"}[canon%4]
	signed := testsign.DKIM("From: a@example.com\r\nSubject:"+in.subject+"\r\n\r\n"+in.body, testsign.Ed25519('a'),
		"v=1; a=ed25519-sha256; c="+c+"; d=example.com; s=sel; h=from:subject; bh=$bh; b=$b;"+in.tags)
	zone := keyFor(testsign.Ed25519('a').Record())
	sigs, _ := verify(t, signed, zone, dkim.Options{Now: time.Now()}, 0)
	ours := sigs[0].Result == evidence.Pass
	theirs, complaint := oracle(signed, zone)
	if ours == theirs {
		return ""
	}
	for _, d := range disagreements {
		if d.ours == ours && d.when(in) {
			return d.fault
		}
	}
	t.Errorf("%q\nours %s %s, theirs %v %v", signed, sigs[0].Result, sigs[0].Reason, theirs, complaint)
	return "unexplained"
}

// TestOracleAgrees lets both judge some thousands of messages that are put
// together from the pieces that signers and attackers like to use.
func TestOracleAgrees(t *testing.T) {
	tags := []string{"i=@example.com", " i=a@sub.example.com", "i=@Example.com", "i=@example.org", "t=5", "t=x", "t=5; x=99999999999", "x=6", "l=0", "l=3", "q=dns/txt", "q=x", "z=a:b=c", "foo=", "foo=bar=baz ", "1=x", "", " ", "s=sel", "foo=\t1", "foo"}
	subjects := []string{"", " ", " a", "a \t b", "\ta ", " \xc3\xa4", " a:b;c=d"}
	pieces := []string{"a", "word", " ", "  ", "\t", "\r\n", "\r\n", "\r\n\r\n", " \r\n", "\r", ".", "\x00", "\xe4", "="}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	const messages = 3000
	counts := map[string]int{}
	for range messages {
		in := fuzzed{tags: pick(tags), subject: pick(subjects)}
		if rng.IntN(3) == 0 {
			in.tags += ";" + pick(tags)
		}
		for range rng.IntN(8) {
			in.body += pick(pieces)
		}
		counts[compare(t, in, byte(rng.IntN(4)))]++
	}
	t.Logf("%d messages, agreement on %d", messages, counts[""])
	for fault, n := range counts {
		if fault != "" {
			t.Logf("%d: %s", n, fault)
		}
	}
	if counts[""] < messages/2 {
		t.Error("the messages hardly test anything")
	}
}
