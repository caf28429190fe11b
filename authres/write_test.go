package authres

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/internal/rfc8601"
)

func TestFormat(t *testing.T) {
	tests := []struct {
		name   string
		header Header
		want   string
	}{
		{name: "nothing checked, RFC 8601 section 2.2",
			header: Header{ServID: "mx.example.org"},
			want:   "mx.example.org; none"},
		{name: "without authserv-id it is localhost", header: Header{}, want: "localhost; none"},
		{name: "one result each line, folded below 78",
			header: Header{ServID: "mx.example.org", Results: []Result{
				{Method: "dkim", Value: "pass", Comment: "2048-bit key", Props: props("header", "d", "b.example", "header", "i", "@b.example", "header", "s", "sel", "header", "a", "rsa-sha256", "header", "b", "abcd/+12")},
				{Method: "spf", Value: "pass", Props: props("smtp", "mailfrom", "b.example")},
				{Method: "dmarc", Value: "fail", Reason: "no alignment", Props: props("header", "from", "c.example", "policy", "dmarc", "reject")},
			}},
			want: "mx.example.org;\n" +
				"\tdkim=pass (2048-bit key) header.d=b.example header.i=@b.example\n" +
				"\theader.s=sel header.a=rsa-sha256 header.b=\"abcd/+12\";\n" +
				"\tspf=pass smtp.mailfrom=b.example;\n" +
				"\tdmarc=fail reason=\"no alignment\" header.from=c.example\n" +
				"\tpolicy.dmarc=reject"},
		{name: "IPv6 address is quoted, IPv4 address is a token",
			header: Header{ServID: "a.example", Results: []Result{{Method: "iprev", Value: "fail", Props: props("policy", "iprev", "2001:db8::1", "policy", "iprev", "192.0.2.1")}}},
			want:   "a.example;\n\tiprev=fail policy.iprev=\"2001:db8::1\" policy.iprev=192.0.2.1"},
		{name: "address forms stand unquoted when the local part is a dot-atom",
			header: Header{ServID: "a.example", Results: []Result{{Method: "auth", Value: "pass", Props: props("smtp", "auth", "b+c=d@e.example", "smtp", "auth", "b c@e.example", "smtp", "auth", "@e.example", "smtp", "auth", "a@b@c", "smtp", "auth", "b..c@d")}}},
			want:   "a.example;\n\tauth=pass smtp.auth=b+c=d@e.example smtp.auth=\"b c@e.example\"\n\tsmtp.auth=@e.example smtp.auth=\"a@b@c\" smtp.auth=\"b..c@d\""},
		{name: "an apostrophe stands in quotes, as some readers take it for one",
			header: Header{ServID: "a.example", Results: []Result{{Method: "auth", Value: "pass", Props: props("smtp", "helo", "it's", "smtp", "auth", "o'hara@b.example")}}},
			want:   "a.example;\n\tauth=pass smtp.helo=\"it's\" smtp.auth=\"o'hara@b.example\""},
		{name: "line ends, NUL and other controls become question marks, never vanish",
			header: Header{ServID: "a.example", Results: []Result{{Method: "dkim", Value: "fail", Comment: "x\r\ny: z\x00", Props: props("header", "d", "ban\x00k.example\r\nX: y")}}},
			want:   "a.example;\n\tdkim=fail (x??y: z?) header.d=\"ban?k.example??X: y\""},
		{name: "quote and backslash are escaped in values; text for people has none, for readers that know no quoted-pair",
			header: Header{ServID: "a.example", Results: []Result{{Method: "dkim", Value: "fail", Comment: `a(b)c\d`, Reason: `"x" \(y)`, Props: props("header", "s", `a"b\c`)}}},
			want:   "a.example;\n\tdkim=fail (a[b]c/d) reason=\"'x' /[y]\" header.s=\"a\\\"b\\\\c\""},
		{name: "a value that looks like a result is disarmed for filters that search the text",
			header: Header{ServID: "a.example", Results: []Result{{Method: "dkim", Value: "fail", Comment: "s: dmarc=pass; spf = pass, p=none",
				Props: props("header", "s", "dmarc=pass", "header", "i", "dmarc=pass@b.example", "header", "d", "x header.from=b.example")}}},
			want: "a.example;\n\tdkim=fail (s: dmarc:pass; spf : pass, p=none) header.s=\"dmarc\\=pass\"\n\theader.i=\"dmarc\\=pass@b.example\" header.d=\"x header.from\\=b.example\""},
		{name: "U-labels become A-labels, other non-ASCII text question marks",
			header: Header{ServID: "b\u00fccher.example", Results: []Result{{Method: "auth", Value: "pass", Comment: "gr\u00fc\u00dfe", Props: props("smtp", "auth", "u@b\u00fccher.example", "smtp", "auth", "j\u00fcrgen")}}},
			want:   "xn--bcher-kva.example;\n\tauth=pass (gr??e) smtp.auth=u@xn--bcher-kva.example\n\tsmtp.auth=\"j?rgen\""},
		{name: "results and properties whose names are no keywords are left out",
			header: Header{ServID: "a.example", Results: []Result{{Method: "s pf", Value: "pass"}, {Method: "spf", Value: ""}, {Method: "spf", Value: "none", Props: props("x y", "z", "1", "smtp", "", "2", "", "reason", "3", "", "action", "none", "policy", "is_org", "4", "policy", "x-", "5", "policy", "X-a", "6")}}},
			want:   "a.example;\n\tspf=none policy.X-a=6"},
		{name: "what is no domain-name of RFC 6376 section 3.5 is quoted behind an at sign",
			header: Header{ServID: "a.example", Results: []Result{{Method: "dkim", Value: "pass", Props: props("header", "i", "@x_y.a.example", "header", "i", "@srv", "header", "i", "@a-.a.example", "header", "i", "@-a.example", "header", "i", "x@a.example.", "header", "d", "x_y.a.example", "header", "d", "srv", "header", "s", "x@y", "smtp", "helo", "x@y")}}},
			want: "a.example;\n\tdkim=pass header.i=\"@x_y.a.example\" header.i=\"@srv\"\n\theader.i=\"@a-.a.example\" header.i=\"@-a.example\"\n" +
				"\theader.i=\"x@a.example.\" header.d=x_y.a.example header.d=srv\n\theader.s=\"x@y\" smtp.helo=\"x@y\""},
		{name: "an empty value is written as an empty quoted string",
			header: Header{ServID: "a.example", Results: []Result{{Method: "spf", Value: "none", Props: props("smtp", "mailfrom", "")}}},
			want:   "a.example;\n\tspf=none smtp.mailfrom=\"\""},
		{name: "a long quoted reason is folded at its spaces",
			header: Header{ServID: "a.example", Results: []Result{{Method: "dkim", Value: "permerror", Reason: strings.Repeat("word ", 20) + "end"}}},
			want: "a.example;\n\tdkim=permerror reason=\"" + strings.Repeat("word ", 8) + "word\n" +
				" " + strings.Repeat("word ", 11)[:54] + " end\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.header.Format(); got != tt.want {
				t.Errorf("Format of %+v\n got %q\nwant %q", tt.header, got, tt.want)
			}
		})
	}
}

func TestUnfoldedIsOneLineThatSaysTheSame(t *testing.T) {
	h := Header{ServID: "a.example", Results: []Result{
		{Method: "dkim", Value: "fail", Comment: "some words", Reason: strings.Repeat("long reason ", 20), Props: props("header", "d", "b.example")},
		{Method: "spf", Value: "pass"},
	}}
	line := h.Unfolded()
	if strings.ContainsAny(line, "\r\n\t") {
		t.Errorf("folded: %q", line)
	}
	a, errA := Parse([]byte(line))
	b, errB := Parse([]byte(h.Format()))
	if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("unfolded %+v, %v\nfolded %+v, %v", a, errA, b, errB)
	}
}

func TestLongValuesAreCutVisibly(t *testing.T) {
	host := strings.Repeat("a", maxValue-4) + "@bank.example.evil.example"
	h := Header{ServID: "a.example", Results: []Result{{Method: "spf", Value: "pass", Comment: strings.Repeat("(", 5000), Reason: strings.Repeat("\\", 5000), Props: props("smtp", "mailfrom", host)}}}
	got, err := Parse([]byte(h.Format()))
	if err != nil {
		t.Fatal(err)
	}
	if v := got.Results[0].Value("smtp", "mailfrom"); len(v) != maxValue || !strings.HasSuffix(v, cut) {
		t.Errorf("value of %d octets became %q", len(host), v)
	}
	for line := range strings.SplitSeq("Authentication-Results: "+h.Format(), "\n") {
		if len(line) > 998 {
			t.Errorf("line of %d octets", len(line))
		}
	}
}

func TestReceivedSPF(t *testing.T) {
	tests := []struct {
		name    string
		check   evidence.SPFCheck
		session SPFSession
		want    string
	}{
		{name: "pass, RFC 7208 section 9.1",
			check:   evidence.SPFCheck{Identity: evidence.MailFromIdentity, Result: evidence.Pass, Mechanism: "ip4:192.0.2.0/24"},
			session: SPFSession{Receiver: "mx.example.org", ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@b.example", HELO: "h.example"},
			want:    "pass client-ip=192.0.2.1; envelope-from=\"a@b.example\";\n\thelo=h.example; receiver=mx.example.org; identity=mailfrom;\n\tmechanism=\"ip4:192.0.2.0/24\""},
		{name: "null reverse-path and IPv6",
			check:   evidence.SPFCheck{Identity: evidence.HELOIdentity, Result: evidence.SoftFail},
			session: SPFSession{ClientIP: netip.MustParseAddr("2001:db8::1"), HELO: "h.example"},
			want:    "softfail client-ip=\"2001:db8::1\"; envelope-from=\"<>\";\n\thelo=h.example; identity=helo"},
		{name: "an error names its problem, and hostile text stays a value",
			check:   evidence.SPFCheck{Identity: evidence.MailFromIdentity, Result: evidence.PermError, Reason: "two records"},
			session: SPFSession{MailFrom: "a\"; x=y\r\nX: z@b", HELO: "h; receiver=x"},
			want:    "permerror (two records) envelope-from=\"a\\\"; x=y??X: z@b\";\n\thelo=\"h; receiver=x\"; identity=mailfrom; problem=\"two records\""},
		{name: "an unknown result is none",
			check: evidence.SPFCheck{Result: "x y"}, want: "none envelope-from=\"<>\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ReceivedSPF(tt.check, tt.session); got != tt.want {
				t.Errorf("ReceivedSPF(%+v, %+v)\n got %q\nwant %q", tt.check, tt.session, got, tt.want)
			}
		})
	}
}

var ourFold = regexp.MustCompile("\n[\t ]")

// checkField fails when value could be more than one field, has a control
// character other than our folds, or a line that is too long or blank.
func checkField(t *testing.T, name, value string) {
	t.Helper()
	if strings.ContainsFunc(ourFold.ReplaceAllString(value, ""), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Fatalf("control character in %q", value)
	}
	for line := range strings.SplitSeq(name+": "+value, "\n") {
		if len(line) > 998 || strings.TrimSpace(line) == "" {
			t.Fatalf("line %q of %d octets in %q", line, len(line), value)
		}
		columns := len(line)
		if strings.HasPrefix(line, "\t") {
			columns += tabWidth - 1
		}
		if strings.HasPrefix(line, " ") { // inside a quoted string, where a fold must leave text before it
			continue
		}
		if columns >= foldAt && strings.Contains(strings.TrimSpace(strings.TrimPrefix(line, name+": ")), " ") && !strings.Contains(line, `"`) {
			t.Fatalf("line %q could have been folded", line)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("mx.example.org", "dkim", "pass", "a reason", "a comment", "b.example")
	f.Add("a;b", "spf", "fail", "x\"; dmarc=pass", "x) ; dmarc=pass (", "a@b\r\nAuthentication-Results: c; dmarc=pass")
	f.Add("\x00", "x", "y", strings.Repeat("a b ", 99), strings.Repeat("\\", 300), "\"\u00fc\"@\u00fc.example\xff")
	f.Add("0", "0", "0", strings.Repeat("0", 25)+"   000 "+strings.Repeat("0", 71)+" ", strings.Repeat("0", 27), "0")
	f.Fuzz(func(t *testing.T, id, method, value, reason, comment, prop string) {
		h := Header{ServID: id, Results: []Result{
			{Method: method, Value: value, Reason: reason, Comment: comment, Props: props("header", "i", prop, "smtp", "helo", comment)},
			{Method: "spf", Value: "none", Comment: prop, Props: props("smtp", method, reason)},
		}}
		text := h.Format()
		checkField(t, FieldName, text)
		got, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%+v: printed %q: %v", h, text, err)
		}
		want := evidence.AuthResults{ServID: clean(asciiDomain(id), maxValue)}
		if id == "" {
			want.ServID = "localhost"
		}
		for _, r := range h.Results {
			if !isName(r.Method) || !isName(r.Value) {
				continue
			}
			m := evidence.MethodResult{Method: strings.ToLower(r.Method), Result: strings.ToLower(r.Value), Reason: clean(plain(r.Reason), maxValue)}
			for _, p := range r.Props {
				if isName(p.Name) {
					m.Properties = append(m.Properties, evidence.Property{Type: p.Type, Name: strings.ToLower(p.Name), Value: clean(asciiDomain(p.Value), maxValue)})
				}
			}
			want.Results = append(want.Results, m)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("printed %q\n got %+v\nwant %+v", text, got, want)
		}
		checkStrict(t, h.render("\r\n"), want)
		checkStrict(t, h.Unfolded(), want)
		if one, err := Parse([]byte(h.Unfolded())); err != nil || !reflect.DeepEqual(one, want) {
			t.Fatalf("unfolded %q\n got %+v, %v\nwant %+v", h.Unfolded(), one, err, want)
		}
		checkField(t, ReceivedSPFName, ReceivedSPF(evidence.SPFCheck{Result: evidence.Result(value), Reason: reason, Mechanism: prop}, SPFSession{Receiver: id, MailFrom: comment, HELO: prop}))
	})
}

// checkStrict reads value by the letter of RFC 8601 section 2.2 and RFC 6376
// section 3.5, with a reader that shares nothing with this package.
func checkStrict(t *testing.T, value string, want evidence.AuthResults) {
	t.Helper()
	f, err := rfc8601.Read(value)
	if err != nil {
		t.Fatalf("printed %q, which is not by the grammar: %v", value, err)
	}
	got := evidence.AuthResults{ServID: f.ServID}
	for _, r := range f.Results {
		m := evidence.MethodResult{Method: strings.ToLower(r.Method), Result: strings.ToLower(r.Value), Reason: r.Reason}
		for _, p := range r.Props {
			m.Properties = append(m.Properties, evidence.Property{Type: strings.ToLower(p.Type), Name: strings.ToLower(p.Name), Value: p.Value})
		}
		got.Results = append(got.Results, m)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("printed %q\n a strict reader sees %+v\nwant %+v", value, got, want)
	}
}

// hostile are the pieces that generated values are put together from.
var hostile = []string{"a", "x_y", "srv", "a-", "-a", "1", "example", ".", "..", "@", "@@", "\"", "\\", "(", ")", ";", "=", "/", ":", ",", "<", ">", "[", "]", "?",
	" ", "  ", "\t", "\r\n", "\n ", "\x00", "\x7f", "\x80", "\xff", "\u00fc", "b\u00fccher.example", "\u4f8b\u3048.\u30c6\u30b9\u30c8", "\u202e", "\u200b", "\u2028", "\U0001f600", "xn--bcher-kva.example",
	"dmarc=pass", "header.from=", "; spf=pass ", "+", "a.example", "@a.example", "=?utf-8?q?a?=", "%", "*", "{", strings.Repeat("l", 70), strings.Repeat("w ", 60)}

func hostileText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteString(hostile[r.IntN(len(hostile))])
	}
	return b.String()
}

// TestEveryPropertyIsByTheGrammar reads what is written back with a strict reader,
// over values that a sender could choose.
func TestEveryPropertyIsByTheGrammar(t *testing.T) {
	names := []string{"header", "d", "header", "i", "header", "s", "header", "a", "header", "b", "header", "from", "smtp", "mailfrom", "smtp", "helo",
		"smtp", "remote-ip", "policy", "iprev", "policy", "arc", "policy", "dmarc", "header", "oldest-pass"}
	r := rand.New(rand.NewPCG(8601, 6376))
	for range 20_000 {
		h := Header{ServID: hostileText(r)}
		want := evidence.AuthResults{ServID: clean(asciiDomain(cmp.Or(h.ServID, Unnamed)), maxValue)}
		for range r.IntN(4) {
			res := Result{Method: "dkim", Value: "pass", Comment: hostileText(r), Reason: hostileText(r)}
			m := evidence.MethodResult{Method: "dkim", Result: "pass", Reason: clean(plain(res.Reason), maxValue)}
			for range r.IntN(6) {
				at := 2 * r.IntN(len(names)/2)
				v := hostileText(r)
				res.Props = append(res.Props, evidence.Property{Type: names[at], Name: names[at+1], Value: v})
				m.Properties = append(m.Properties, evidence.Property{Type: names[at], Name: names[at+1], Value: clean(asciiDomain(v), maxValue)})
			}
			h.Results = append(h.Results, res)
			want.Results = append(want.Results, m)
		}
		checkStrict(t, h.render("\r\n"), want)
		checkStrict(t, h.Unfolded(), want)
	}
}

var sink string

func BenchmarkFormat(b *testing.B) {
	h := Header{ServID: "mx.example.org", Results: []Result{
		{Method: "dkim", Value: "pass", Comment: "2048-bit key", Props: props("header", "d", "b.example", "header", "i", "@b.example", "header", "s", "sel", "header", "a", "rsa-sha256", "header", "b", "abcd/+12")},
		{Method: "spf", Value: "pass", Props: props("smtp", "mailfrom", "b.example")},
		{Method: "dmarc", Value: "pass", Props: props("header", "from", "b.example", "policy", "dmarc", "reject")},
	}}
	b.ReportAllocs()
	for b.Loop() {
		sink = h.Format()
	}
}

func BenchmarkClaims(b *testing.B) {
	own := NewOwn("mx.example.org")
	value := []byte(" mx.example.net;\r\n\tdkim=pass header.d=b.example header.i=@b.example;\r\n\tspf=pass smtp.mailfrom=b.example;\r\n\tdmarc=pass header.from=b.example")
	b.ReportAllocs()
	for b.Loop() {
		if own.Claims(value) {
			b.Fatal("claimed")
		}
	}
}
