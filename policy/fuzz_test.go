package policy

import (
	"strings"
	"testing"

	"alignd/evidence"
)

func TestReplyTemplates(t *testing.T) {
	rules := rulesOf(t, Spec{Replies: Replies{
		DMARC: ReplyTemplate{Code: 554, Enhanced: "5.7.9", Text: "{domain} refused: {reason}, see {url} ({token})"},
		URL:   "https://x.example/?d={domain}&t={token}",
	}})
	v := Decide(message(failing("reject")), rules)
	want := "554 5.7.9 bank.example refused: no signature of bank.example, see https://x.example/?d=bank.example&t=4Q9 (4Q9)"
	if v.Reply.String() != want {
		t.Errorf("got  %q\nwant %q", v.Reply, want)
	}
	long := rulesOf(t, Spec{Replies: Replies{DMARC: ReplyTemplate{Text: strings.Repeat("{domain} ", 50)}}})
	if v = Decide(message(failing("reject")), long); len(v.Reply.String()) > maxReplyLine-2 {
		t.Errorf("the line has %d octets", len(v.Reply.String()))
	}
}

// FuzzReply checks that no template and no value breaks the reply: what
// Compile accepts renders as one line of printable US-ASCII within the limit.
func FuzzReply(f *testing.F) {
	f.Add("Email rejected per DMARC policy for {domain}", "https://x.example/{token}", "bank.example", "4Q9")
	f.Add("{url}{url}{reason}", "{domain}{domain}", "a\r\n250 ok", "\x00%n")
	f.Add("{", "}", "{token}", "{domain}")
	f.Fuzz(func(t *testing.T, text, url, domain, queueID string) {
		rules, err := Compile(Spec{Replies: Replies{DMARC: ReplyTemplate{Text: text}, URL: url}})
		if err != nil {
			return
		}
		ev := message(with(failing("reject"), func(d *evidence.DMARC) { d.AuthorDomain = domain }))
		ev.QueueID = queueID
		line := Decide(ev, rules).Reply.String()
		if len(line) > maxReplyLine-2 || !strings.HasPrefix(line, "550 5.7.26") {
			t.Fatalf("%d octets: %q", len(line), line)
		}
		for i := range len(line) {
			if line[i] < ' ' || line[i] > '~' {
				t.Fatalf("octet %#x in %q", line[i], line)
			}
		}
	})
}

// FuzzPattern checks that what a pattern prints it reads back, and that a
// pattern matches the name that it spells.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"example.com", ".example.com", "org:example.com", "*", "<>", "a@b.example", "@b.example", "\"a@b\"@c.example", "a..b", "", ".", "A >", "<dev.lists.example>", "0@.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (pattern, error){parseDomain, parseAddress, parseList} {
			p, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := parse(p.String()); err != nil || again != p {
				t.Fatalf("%q: printed %q, read back %+v, %v", s, p, again, err)
			}
		}
		if p, err := parseDomain(s); err == nil && p.kind == exactDomain && !(set{p: {}}).hasAny(authorKeys(p.name, "")) {
			t.Fatalf("%q does not match itself", s)
		}
		if p, err := parseAddress(s); err == nil && p.kind == fullAddress && !(set{p: {}}).hasAny(addressKeys(p.name, "+")) {
			t.Fatalf("%q does not match itself", s)
		}
	})
}

// FuzzKeys checks that hostile names and addresses end within bounds.
func FuzzKeys(f *testing.F) {
	f.Add("a.b.c", "x@a.b.c")
	f.Add(strings.Repeat(".", 5000), strings.Repeat("@", 5000))
	f.Fuzz(func(t *testing.T, name, address string) {
		n := 0
		for range authorKeys(name, "") {
			n++
		}
		for range addressKeys(address, "+") {
			n++
		}
		for range listKeys(name) {
			n++
		}
		if n > 5*maxParents+10 {
			t.Fatalf("%d patterns", n)
		}
	})
}
