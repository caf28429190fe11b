package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
)

// Mail whose local parts became pseudonyms is decided over as before, by each kind of
// rule that lists addresses, in each spelling; and so is mail that kept them.
func TestRulesWithPseudonymsDecideAlike(t *testing.T) {
	of := func(local, _ string) string { // as package judge makes them, but that it can be read
		quote := ""
		if len(local) > 2 && local[0] == '"' {
			quote, local = `"`, local[1:len(local)-1]
		}
		pieces := strings.Split(local, "+")
		for i := range pieces {
			pieces[i] = "~" + strings.ToUpper(pieces[i]) + "~"
		}
		return strings.ToLower(quote + strings.Join(pieces, "+") + quote)
	}
	hashed := func(m *evidence.Message) *evidence.Message {
		change := func(address string) string {
			local, domain, ok := cutAddress(address)
			if address == "" {
				return ""
			}
			if !ok {
				return of(strings.ToLower(address), "")
			}
			return of(strings.ToLower(local), domain) + "@" + domain
		}
		c := *m
		c.MailFrom, c.Recipients = change(c.MailFrom), slices.Clone(c.Recipients)
		for i := range c.Recipients {
			c.Recipients[i].Address = change(c.Recipients[i].Address)
		}
		return &c
	}
	client := Proof{Clients: nets("192.0.2.1/32")}
	specs := map[string]Spec{
		"profiles": {ExtensionDelimiters: "+", Profiles: []Profile{
			{ID: "news", Recipients: []string{"ceo+news@here.example"}, Handling: Handling{Reject: Accept}},
			{Recipients: []string{"ceo@here.example", "CTO@here.example"}, Handling: Handling{Reject: Tag}},
			{ID: "domain", Recipients: []string{".here.example"}, Handling: Handling{Reject: Hold}}}},
		"allow by recipients":  {Exceptions: []Exception{entry(Accept, Scope{Recipients: []string{"ceo@here.example", "user@here.example"}}, client)}},
		"allow by mail_from":   {Exceptions: []Exception{entry(Accept, Scope{MailFrom: []string{"a@sender.example"}}, client)}},
		"block by recipients":  {ExtensionDelimiters: "+", Exceptions: []Exception{entry(Hold, Scope{Recipients: []string{"ceo@here.example"}}, Proof{})}},
		"block by mail_from":   {Exceptions: []Exception{entry(Hold, Scope{MailFrom: []string{"<>", `"a b"@sender.example`}}, Proof{})}},
		"a domain of senders":  {Exceptions: []Exception{entry(Accept, Scope{MailFrom: []string{"sender.example"}}, client)}},
		"nothing about anyone": {},
	}
	for name, spec := range specs {
		plain, with := rulesOf(t, spec), rulesOf(t, spec.WithPseudonyms(of))
		for _, from := range []string{"", "a@sender.example", "A@sender.example", "b@sender.example", `"a b"@sender.example`} {
			for _, to := range []string{"ceo@here.example", "ceo+news@here.example", "ceo+x@here.example", `"ceo"@here.example`, `"ceo+x"@here.example`, "CTO@here.example",
				"cto+x@here.example", "user@here.example", "x@sub.here.example", "ceo@[192.0.2.9]", "ceo+x@[192.0.2.9]", "x@[192.0.2.9]", "ceo"} {
				m := message(failing("reject"))
				m.MailFrom, m.MailFromDomain, m.Recipients = from, "sender.example", []evidence.Recipient{{Address: to}}
				want := Decide(m, plain)
				if got := Decide(m, with); !reflect.DeepEqual(got, want) {
					t.Errorf("%s, from %q to %q, kept: got\n%+v\nwant\n%+v", name, from, to, got, want)
				}
				h := hashed(m)
				got := Decide(h, with)
				if want.Recipient != "" {
					want.Recipient = h.Recipients[0].Address
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s, from %q to %q, as %q to %q: got\n%+v\nwant\n%+v", name, from, to, h.MailFrom, h.Recipients[0].Address, got, want)
				}
			}
		}
	}
}
