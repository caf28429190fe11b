package send

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"alignd/resolver"
)

func zoneOf(t *testing.T, text string) *resolver.Zone {
	t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestReady(t *testing.T) {
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	right, _ := KeyText(pub)
	foreign, _ := KeyText(other)
	id := Identity{From: "dmarc@here.example", Keys: []OwnKey{{Selector: "s1", Public: pub}}}
	all := map[string]string{
		"mx": "here.example. MX 10 mx.here.example.", "spf": `here.example. TXT "v=spf1 mx -all"`,
		"key": fmt.Sprintf("s1._domainkey.here.example. TXT %q", right), "dmarc": `_dmarc.here.example. TXT "v=DMARC1; p=none; rua=mailto:dmarc@here.example"`,
	}
	bounces := func(address string) func(*Identity) { return func(id *Identity) { id.Bounces = address } }
	for _, row := range []struct {
		name   string
		put    map[string]string // in place of the lines of all
		change func(*Identity)
		want   string // the facts that are not right
	}{
		{name: "all is there"},
		{name: "nothing is there", put: map[string]string{"mx": "", "spf": "", "key": "", "dmarc": ""}, want: "mx wrong, spf wrong, key wrong, dmarc wrong"},
		{name: "an address in place of an MX", put: map[string]string{"mx": "here.example. AAAA 2001:db8::1"}},
		{name: "a domain that takes no mail", put: map[string]string{"mx": "here.example. MX 0 ."}, want: "mx wrong"},
		{name: "DNS does not answer", put: map[string]string{"mx": "here.example. SERVFAIL", "spf": "", "key": "s1._domainkey.here.example. SERVFAIL", "dmarc": "_dmarc.here.example. TIMEOUT"},
			want: "mx unknown, spf unknown, key unknown, dmarc unknown"},
		{name: "an SPF record that nothing passes", put: map[string]string{"spf": `here.example. TXT "v=spf1 ?a ~all"`}, want: "spf wrong"},
		{name: "an SPF record with a fault", put: map[string]string{"spf": `here.example. TXT "v=spf1 ip4:nonsense -all"`}, want: "spf wrong"},
		{name: "two SPF records", put: map[string]string{"spf": "here.example. TXT \"v=spf1 mx -all\"\nhere.example. TXT \"v=spf1 a -all\""}, want: "spf wrong"},
		{name: "SPF elsewhere", put: map[string]string{"spf": `here.example. TXT "v=spf1 redirect=_spf.relay.example"`}},
		{name: "envelope senders below", change: bounces("b@bounce.here.example"), put: map[string]string{"more": "bounce.here.example. MX 1 mx.here.example.\nbounce.here.example. TXT \"v=spf1 mx -all\""}},
		{name: "envelope senders below, and SPF is strict", change: bounces("b@bounce.here.example"), want: "spf wrong",
			put: map[string]string{"more": "bounce.here.example. MX 1 mx.here.example.\nbounce.here.example. TXT \"v=spf1 mx -all\"", "dmarc": `_dmarc.here.example. TXT "v=DMARC1; p=none; aspf=s"`}},
		{name: "envelope senders of others", change: bounces("b@there.example"), put: map[string]string{"more": "there.example. MX 1 mx.there.example.\nthere.example. TXT \"v=spf1 mx -all\""}, want: "spf wrong"},
		{name: "another key", put: map[string]string{"key": fmt.Sprintf("s1._domainkey.here.example. TXT %q", foreign)}, want: "key wrong"},
		{name: "the key is the second record", put: map[string]string{"key": fmt.Sprintf("s1._domainkey.here.example. TXT %q\ns1._domainkey.here.example. TXT %q", foreign, right)}},
		{name: "a revoked key", put: map[string]string{"key": `s1._domainkey.here.example. TXT "v=DKIM1; k=ed25519; p="`}, want: "key wrong"},
		{name: "a key that is not for mail", put: map[string]string{"key": fmt.Sprintf("s1._domainkey.here.example. TXT %q", right+"; s=tlsrpt")}, want: "key wrong"},
		{name: "a key that only the daemon may read", change: func(id *Identity) { id.Keys = []OwnKey{{Selector: "s1", Err: fs.ErrPermission}} }, want: "key unknown"},
		{name: "a key that is not there", change: func(id *Identity) { id.Keys = []OwnKey{{Selector: "s1", Err: fs.ErrNotExist}} }, want: "key wrong"},
		{name: "the relay signs", change: func(id *Identity) { id.Keys = nil }, want: "key unknown"},
		{name: "the record of the organization", put: map[string]string{"dmarc": `_dmarc.example. TXT "v=DMARC1; p=none"`}},
		{name: "a record that holds for nobody", put: map[string]string{"dmarc": `_dmarc.here.example. TXT "v=DMARC1; p=maybe"`}, want: "dmarc wrong"},
		{name: "two records", put: map[string]string{"dmarc": "_dmarc.here.example. TXT \"v=DMARC1; p=none\"\n_dmarc.here.example. TXT \"v=DMARC1; p=reject\""}, want: "dmarc wrong"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var text strings.Builder
			for _, part := range []string{"mx", "spf", "key", "dmarc", "more"} {
				line, put := row.put[part]
				if !put {
					line = all[part]
				}
				text.WriteString(line + "\n")
			}
			mine := id
			if row.change != nil {
				row.change(&mine)
			}
			var got []string
			for _, f := range Ready(t.Context(), zoneOf(t, text.String()), mine) {
				if f.State != Right {
					got = append(got, string(f.Subject)+" "+string(f.State))
				}
				if f.Say == "" || f.Name == "" {
					t.Errorf("%+v", f)
				}
			}
			if got := strings.Join(got, ", "); got != row.want {
				t.Errorf("got %q, want %q\n%s", got, row.want, text.String())
			}
		})
	}
}

// What is printed for a key is what Ready finds, whatever its kind and length.
func TestKeysAreFoundAsPrinted(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _ := ed25519.GenerateKey(rand.Reader)
	for _, key := range []OwnKey{{Selector: "a", Public: &short.PublicKey}, {Selector: "b", Public: &long.PublicKey}, {Selector: "c", Public: pub}} {
		text, err := KeyText(key.Public)
		if err != nil {
			t.Fatal(err)
		}
		line := ZoneLine(key.Selector+"._domainkey.here.example", text)
		parser := dns.NewZoneParser(strings.NewReader("$TTL 60\n"+line+"\n"), "", "")
		rr, ok := parser.Next()
		if !ok || strings.Join(rr.(*dns.TXT).Txt, "") != text {
			t.Errorf("%s: %v, %v", line, rr, parser.Err())
		}
		if got := keyFact(t.Context(), zoneOf(t, line+"\n"), "here.example", &key); got.State != Right {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestZoneLine(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{name: "short", text: "v=DMARC1", want: `a.example. IN TXT "v=DMARC1"`},
		{name: "nothing", want: `a.example. IN TXT ""`},
		{name: "what a zone file reads otherwise", text: "a\"b\\c\n", want: `a.example. IN TXT "a\"b\\c\010"`},
		{name: "exactly a string", text: strings.Repeat("x", 255), want: `a.example. IN TXT "` + strings.Repeat("x", 255) + `"`},
		{name: "one octet more", text: strings.Repeat("x", 256), want: `a.example. IN TXT ( "` + strings.Repeat("x", 255) + "\"\n        \"x\" )"},
	} {
		if got := ZoneLine("a.example", row.text); got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}
