package interop

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify"
)

// chained is a message that dkimpy has sealed, hop by hop.
type chained struct {
	name    string
	hops    []hop
	uniform bool // each hop modified it alike
	keys    keys
	message string

	result evidence.Result // what it should come to
	reason string          // a part of our reason
	oldest int
	peer   string // dkimpy's word for it: pass, fail, ended
	fault  string // why that is not ours
}

// modification is what a hop does to the message before it seals.
type modification int

const (
	unchanged modification = iota
	footer                 // appends to the body
	tagged                 // changes Subject
	spaced                 // changes white space of body and header, which relaxed does not mind
)

func (m modification) String() string {
	return []string{"unchanged", "footer", "subject", "white space"}[m]
}

// sealer makes chains with keys of its own for each of ten domains.
type sealer struct{ keys []key }

// chain plans a chain whose hop i does what mods[i] says.
func (s *sealer) chain(mods []modification) *chained {
	c := &chained{keys: keys{}, result: evidence.Pass, peer: "pass"}
	for i, m := range mods {
		n := i + 1
		k := s.keys[i%len(s.keys)]
		h := hop{
			Server: fmt.Sprintf("mx.hop%d.example", n), CV: "pass", Domain: fmt.Sprintf("hop%d.example", n),
			Selector: "arc", PEM: k.pem, Names: []string{"from", "to", "subject", "date", "from"},
		}
		if n == 1 {
			h.CV = "none"
		}
		switch m {
		case footer:
			h.Append = fmt.Sprintf("-- \r\nlist of hop %d\r\n", n)
		case tagged:
			h.Replace = []string{"Subject: ", fmt.Sprintf("Subject: [hop%d] ", n)}
		case spaced:
			h.Replace = []string{"\r\n\r\nThe quick", "\r\n\r\nThe \t quick"}
			h.Append = " \r\n\r\n"
		}
		if n > 1 && (m == footer || m == tagged) {
			c.oldest = n
		}
		c.hops = append(c.hops, h)
		c.keys["arc._domainkey."+h.Domain] = k.record
		c.name += fmt.Sprintf(" %s", m)
	}
	c.name = fmt.Sprintf("%d instances:%s", len(mods), c.name)
	return c
}

// chains lists chains of 1 to 10 instances: unmodified, modified at each hop,
// and at one of the hops in each way.
func (s *sealer) chains() (all []*chained) {
	for n := 1; n <= 10; n++ {
		for _, m := range []modification{unchanged, footer, tagged, spaced} {
			c := s.chain(slices.Repeat([]modification{m}, n))
			c.uniform = true
			all = append(all, c)
			if m == unchanged {
				continue
			}
			for at := 1; at < n; at++ {
				mods := make([]modification, n)
				mods[at] = m
				all = append(all, s.chain(mods))
			}
		}
	}
	// What a hop says of the chain before it: fail ends it for good.
	for n := 2; n <= 4; n++ {
		for at := 1; at < n; at++ {
			c := s.chain(make([]modification, n))
			c.hops[at].CV = "fail"
			c.name += fmt.Sprintf(", hop %d says cv=fail", at+1)
			c.result, c.reason, c.peer = evidence.Fail, "cv=", "ended"
			all = append(all, c)
		}
	}
	return all
}

// arcChanges are small changes to a sealed message; n is its last instance.
// Where a change does not apply to a chain, make returns the message as it is.
var arcChanges = []struct {
	name   string
	peer   string // dkimpy's word, if not fail
	passes bool   // it still does
	// fault is why dkimpy fails it with two instances or more, though it passes.
	fault string
	make  func(msg string, n int) string
}{
	{name: "a letter of the body changes", make: func(msg string, _ int) string { return strings.Replace(msg, "lazy", "hazy", 1) }},
	{name: "an octet comes after the body", make: func(msg string, _ int) string { return msg + "x" }},
	{name: "a letter of From changes", make: func(msg string, _ int) string { return strings.Replace(msg, "author@", "autnor@", 1) }},
	{name: "From comes again", make: func(msg string, _ int) string {
		return strings.Replace(msg, "\r\nFrom:", "\r\nFrom: other@example.org\r\nFrom:", 1)
	}},
	{name: "the newest AMS has another b=", make: func(msg string, n int) string { return flip(msg, "ARC-Message-Signature", n, "b") }},
	{name: "the newest AMS has another bh=", make: func(msg string, n int) string { return flip(msg, "ARC-Message-Signature", n, "bh") }},
	{name: "the oldest AMS has another b=", make: func(msg string, _ int) string { return flip(msg, "ARC-Message-Signature", 1, "b") }},
	{name: "the newest seal has another b=", make: func(msg string, n int) string { return flip(msg, "ARC-Seal", n, "b") }},
	{name: "the oldest seal has another b=", make: func(msg string, _ int) string { return flip(msg, "ARC-Seal", 1, "b") }},
	{name: "the newest seal has another t=", make: func(msg string, n int) string { return inSet(msg, "ARC-Seal", n, `t=1`, "t=2") }},
	{name: "the newest AAR says something else", make: func(msg string, n int) string {
		return inSet(msg, "ARC-Authentication-Results", n, `spf=pass`, "spf=fail")
	}},
	{name: "the oldest AAR says something else", make: func(msg string, _ int) string {
		return inSet(msg, "ARC-Authentication-Results", 1, `spf=pass`, "spf=fail")
	}},
	{name: "cv= of the oldest seal changes", make: func(msg string, _ int) string { return inSet(msg, "ARC-Seal", 1, `cv=none`, "cv=pass") }},
	{name: "cv= of the newest seal changes", make: func(msg string, n int) string {
		if n == 1 {
			return msg
		}
		return inSet(msg, "ARC-Seal", n, `cv=pass`, "cv=none")
	}},
	{name: "cv= of the newest seal becomes fail", peer: "ended", make: func(msg string, n int) string { return inSet(msg, "ARC-Seal", n, `cv=(none|pass)`, "cv=fail") }},
	{name: "the newest instance is renumbered", make: func(msg string, n int) string {
		for _, name := range []string{"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"} {
			msg = inSet(msg, name, n, `i=\d+`, fmt.Sprintf("i=%d", n+1))
		}
		return msg
	}},
	{name: "the oldest set goes", make: func(msg string, n int) string {
		if n == 1 {
			return msg
		}
		for _, name := range []string{"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"} {
			msg = inSet(msg, name, 1, `(?s).*`, "X-Gone: x\r\n")
		}
		return msg
	}},
	{name: "the newest AAR goes", make: func(msg string, n int) string {
		return inSet(msg, "ARC-Authentication-Results", n, `(?s).*`, "X-Gone: x\r\n")
	}},
	{name: "the oldest AMS comes twice", make: func(msg string, _ int) string {
		return arcField("ARC-Message-Signature", 1).FindString(msg) + msg
	}},
	{name: "white space of the newest seal changes", passes: true, make: func(msg string, n int) string {
		return inSet(msg, "ARC-Seal", n, `; cv=`, ";\r\n\t cv=")
	}},
	{name: "white space of the oldest AAR changes", passes: true, make: func(msg string, _ int) string {
		return inSet(msg, "ARC-Authentication-Results", 1, ` spf=pass`, " \t spf=pass")
	}},
	{name: "an unsigned field comes", passes: true, make: func(msg string, _ int) string { return "X-Unsigned: here\r\n" + msg }},
	{name: "empty lines come after the body", passes: true, make: func(msg string, _ int) string { return msg + " \r\n\r\n" }},
	{name: "ARC fields change places", passes: true, fault: "dkimpy takes ARC fields by their place, not by their instance", make: func(msg string, n int) string {
		seal := arcField("ARC-Seal", n).FindString(msg)
		return strings.Replace(strings.Replace(msg, seal, "", 1), "\r\nFrom:", "\r\n"+seal+"From:", 1)
	}},
}

// arcField matches a whole field of one instance, CRLF included, as dkimpy
// writes it.
func arcField(name string, instance int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`(?m)^%s: i=%d;.*\r\n(?:[ \t].*\r\n)*`, name, instance))
}

// flip changes the first character of b= or bh= in a field of one instance.
func flip(msg, name string, instance int, tag string) string {
	if again := inSet(msg, name, instance, `[;\s]`+tag+`=[^A]`, "; "+tag+"=A"); again != msg {
		return again
	}
	return inSet(msg, name, instance, `[;\s]`+tag+`=A`, "; "+tag+"=B")
}

// inSet replaces the first match inside a field of one instance.
func inSet(msg, name string, instance int, old, with string) string {
	at := arcField(name, instance).FindStringIndex(msg)
	if at == nil {
		return msg
	}
	field := msg[at[0]:at[1]]
	first(&field, regexp.MustCompile(old), is(with))
	return msg[:at[0]] + field + msg[at[1]:]
}

// Chains that dkimpy seals come to what they should, in result, number of
// instances and oldest-pass; those with a small change too; and dkimpy's
// verdict is the same, on the chain and on each signature of it.
func TestChainsAgainstDkimpy(t *testing.T) {
	t.Parallel()
	needPeers(t)
	s := &sealer{}
	for i := range 10 {
		s.keys = append(s.keys, rsaKey(t, []int{2048, 1024, 1024, 1024, 1024}[i%5]))
	}
	list := s.chains()
	jobs := make([]job, len(list))
	for i, c := range list {
		jobs[i] = job{Do: "seal", Message: []byte(plainHead + "\r\n" + plainBody), Hops: c.hops}
	}
	var all []*chained
	var made, changed tally
	for i, r := range peers(t, jobs) {
		c := list[i]
		if r.Error != "" || len(r.Messages) != len(c.hops) {
			t.Fatalf("%s: dkimpy: %s", c.name, r.Error)
		}
		c.message = string(r.Messages[len(r.Messages)-1])
		made.add(fmt.Sprintf("%d instances", len(c.hops)))
		all = append(all, c)
		if !c.uniform {
			continue
		}
		for _, ch := range arcChanges {
			w := &chained{name: c.name + ", " + ch.name, hops: c.hops, keys: c.keys, message: ch.make(c.message, len(c.hops))}
			if w.message == c.message {
				continue
			}
			w.result, w.peer = evidence.Fail, "fail"
			if ch.peer != "" {
				w.peer = ch.peer
			}
			if ch.passes {
				w.result, w.peer, w.oldest = evidence.Pass, "pass", c.oldest
				if ch.fault != "" && len(c.hops) > 1 {
					w.peer, w.fault = "fail", ch.fault
				}
			}
			changed.add(ch.name)
			all = append(all, w)
		}
		for _, name := range []string{"arc._domainkey.hop1.example", fmt.Sprintf("arc._domainkey.hop%d.example", len(c.hops))} {
			w := *c
			w.keys = keys{}
			for n, record := range c.keys {
				if n != name {
					w.keys[n] = record
				}
			}
			w.name += ", no key " + name
			w.result, w.peer, w.oldest = evidence.Fail, "fail", 0
			changed.add("a key is missing")
			all = append(all, &w)
		}
	}
	made.log(t, "chains")
	changed.log(t, "changed chains")
	compareChains(t, all)
}

func compareChains(t *testing.T, all []*chained) {
	jobs := make([]job, len(all))
	for i, c := range all {
		jobs[i] = job{Do: "chain", Message: []byte(c.message), Keys: c.keys}
	}
	var wrong samples
	var agree, signatures, differ tally
	for i, r := range peers(t, jobs) {
		c := all[i]
		got := ours(c.keys.zone(t), &verify.Options{}, c.message, 100).ARC
		if got.Result != c.result || got.OldestPass != c.oldest || !strings.Contains(got.Reason, c.reason) ||
			c.result == evidence.Pass && got.Instances != len(c.hops) {
			_, change, _ := strings.Cut(c.name, ", ")
			wrong.errorf(t, "chain, "+change, "%s: got %s (%s), oldest-pass %d; want %s, %d\n%.6000s", c.name, got.Result, got.Reason, got.OldestPass, c.result, c.oldest, c.message)
		}
		if r.CV == c.peer && c.fault != "" {
			differ.add(c.fault)
		} else if r.CV == c.peer {
			agree.add(fmt.Sprintf("ours %s, dkimpy %s", got.Result, r.CV))
		} else {
			_, change, _ := strings.Cut(c.name, ", ")
			wrong.errorf(t, "dkimpy, "+change, "%s: ours %s (%s), dkimpy %s (%s), want %s\n%.6000s", c.name, got.Result, got.Reason, r.CV, r.Why, c.peer, c.message)
		}
		for _, set := range r.Sets {
			if set.Instance > len(got.Sets) {
				continue
			}
			own := got.Sets[set.Instance-1]
			for _, pair := range []struct {
				what   string
				ours   evidence.Result
				theirs bool
			}{{what: "AMS", ours: own.MessageResult, theirs: set.AMS}, {what: "seal", ours: own.SealResult, theirs: set.Seal}} {
				switch {
				case pair.ours == evidence.NotChecked:
					differ.add("we do not go on to this " + pair.what)
				case (pair.ours == evidence.Pass) == pair.theirs:
					signatures.add(fmt.Sprintf("%s: ours %s, dkimpy %v", pair.what, pair.ours, pair.theirs))
				case c.fault != "":
					differ.add(c.fault + " (" + pair.what + ")")
				default:
					wrong.errorf(t, "dkimpy on the "+pair.what, "%s, instance %d: ours %s, dkimpy %v\n%.6000s", c.name, set.Instance, pair.ours, pair.theirs, c.message)
				}
			}
		}
	}
	wrong.log(t)
	agree.log(t, "agreements on chains")
	signatures.log(t, "agreements on signatures of chains")
	differ.log(t, "disagreements, and signatures that only dkimpy judges")
}
