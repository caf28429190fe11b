package authres

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

func props(s ...string) []evidence.Property {
	var out []evidence.Property
	for i := 0; i < len(s); i += 3 {
		out = append(out, evidence.Property{Type: s[i], Name: s[i+1], Value: s[i+2]})
	}
	return out
}

func results(servID string, r ...evidence.MethodResult) evidence.AuthResults {
	return evidence.AuthResults{ServID: servID, Results: r}
}

func TestParse(t *testing.T) {
	type mr = evidence.MethodResult
	tests := []struct {
		name, value string
		want        evidence.AuthResults
		err         error
	}{
		{name: "nothing checked, RFC 8601 appendix B.2",
			value: " example.org 1; none",
			want:  results("example.org")},
		{name: "one method with one property, appendix B.3",
			value: " example.com;\r\n          spf=pass smtp.mailfrom=example.net",
			want:  results("example.com", mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", "example.net")})},
		{name: "several methods with comments, appendix B.4",
			value: " example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
			want: results("example.com",
				mr{Method: "auth", Result: "pass", Properties: props("smtp", "auth", "sender@example.net")},
				mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", "example.net")})},
		{name: "reason and quoted value, appendix B.6",
			value: " example.com;\r\n dkim=pass reason=\"good signature\"\r\n header.i=@mail-router.example.net;\r\n dkim=fail reason=\"bad signature\" header.i=@newyork.example.com",
			want: results("example.com",
				mr{Method: "dkim", Result: "pass", Reason: "good signature", Properties: props("header", "i", "@mail-router.example.net")},
				mr{Method: "dkim", Result: "fail", Reason: "bad signature", Properties: props("header", "i", "@newyork.example.com")})},
		{name: "comments and blanks at every place that allows them, appendix B.7",
			value: ` foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462`,
			want:  results("foo.example.net", mr{Method: "dkim", Result: "fail", Properties: props("policy", "expired", "1362471462")})},
		{name: "comments nest and hold quoted-pairs and semicolons",
			value: `a.example; spf=fail (one (two \) "x; dkim=pass) three) smtp.helo=b.example`,
			want:  results("a.example", mr{Method: "spf", Result: "fail", Properties: props("smtp", "helo", "b.example")})},
		{name: "keywords lose their case, values keep it",
			value: "A.Example; DKIM=Pass Header.D=B.Example",
			want:  results("A.Example", mr{Method: "dkim", Result: "pass", Properties: props("header", "d", "B.Example")})},
		{name: "a quoted authserv-id is unquoted",
			value: `"a.ex\ample" 1; none`, want: results("a.example")},
		{name: "semicolon and results inside a quoted string are part of the value",
			value: `a.example; spf=fail smtp.mailfrom="x; dmarc=pass header.from=b.example"`,
			want:  results("a.example", mr{Method: "spf", Result: "fail", Properties: props("smtp", "mailfrom", "x; dmarc=pass header.from=b.example")})},
		{name: "a fold inside a quoted string is undone",
			value: "a.example; dkim=fail reason=\"body\r\n hash\"",
			want:  results("a.example", mr{Method: "dkim", Result: "fail", Reason: "body hash"})},
		{name: "an address with a quoted local-part keeps the quotes",
			value: `a.example; spf=pass smtp.mailfrom="o \"x\" y"@b.example`,
			want:  results("a.example", mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", `"o \"x\" y"@b.example`)})},
		{name: "unquoted values with slash, equals sign and colons are taken as they are",
			value: "a.example; dkim=pass header.b=ab/+c=; iprev=pass policy.iprev=2001:db8::1; x-tls=pass smtp.bits=256/256; spf=pass smtp.mailfrom=b+c=d@e.example",
			want: results("a.example",
				mr{Method: "dkim", Result: "pass", Properties: props("header", "b", "ab/+c=")},
				mr{Method: "iprev", Result: "pass", Properties: props("policy", "iprev", "2001:db8::1")},
				mr{Method: "x-tls", Result: "pass", Properties: props("smtp", "bits", "256/256")},
				mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", "b+c=d@e.example")})},
		{name: "Google's shape",
			value: "mx.google.com;\r\n       dkim=pass header.i=@b.example header.s=sel header.b=\"abc/+=\";\r\n       spf=pass (google.com: domain of a@b.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@b.example;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=b.example",
			want: results("mx.google.com",
				mr{Method: "dkim", Result: "pass", Properties: props("header", "i", "@b.example", "header", "s", "sel", "header", "b", "abc/+=")},
				mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", "a@b.example")},
				mr{Method: "dmarc", Result: "pass", Properties: props("header", "from", "b.example")})},
		{name: "Microsoft's shape without authserv-id, with properties that have no ptype",
			value: "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=b.example; dkim=none (message not signed)\r\n header.d=none;dmarc=bestguesspass action=none\r\n header.from=b.example;compauth=pass reason=109",
			want: results("",
				mr{Method: "spf", Result: "pass", Properties: props("smtp", "mailfrom", "b.example")},
				mr{Method: "dkim", Result: "none", Properties: props("header", "d", "none")},
				mr{Method: "dmarc", Result: "bestguesspass", Properties: props("", "action", "none", "header", "from", "b.example")},
				mr{Method: "compauth", Result: "pass", Reason: "109"})},
		{name: "unknown ptypes and names with underscores are kept",
			value: "a.example; x-return-mx=pass header.domain=b.example policy.is_org=yes (MX Records found: m.b.example); dmarc=pass polrec.p=none x-bits=2048",
			want: results("a.example",
				mr{Method: "x-return-mx", Result: "pass", Properties: props("header", "domain", "b.example", "policy", "is_org", "yes")},
				mr{Method: "dmarc", Result: "pass", Properties: props("polrec", "p", "none", "", "x-bits", "2048")})},
		{name: "a comment may touch result and value",
			value: "a.example;dmarc=pass(p=REJECT) header.from=b.example(x);",
			want:  results("a.example", mr{Method: "dmarc", Result: "pass", Properties: props("header", "from", "b.example")})},
		{name: "a value that was left empty does not swallow the next property",
			value: "a.example; spf=none smtp.mailfrom= smtp.helo=b.example; dkim=none header.d=",
			want: results("a.example",
				mr{Method: "spf", Result: "none", Properties: props("smtp", "mailfrom", "", "smtp", "helo", "b.example")},
				mr{Method: "dkim", Result: "none", Properties: props("header", "d", "")})},
		{name: "a method of an unknown version is ignored, section 2.2",
			value: "a.example; dkim/2=pass header.d=b.example; spf/1=pass",
			want:  results("a.example", mr{Method: "spf", Result: "pass"})},
		{name: "a result that is not well-formed is left out, the others stay",
			value: `a.example; dkim; =pass; spf=; x=y z; dmarc=pass junk header.from=b.example; arc="pass"; iprev=pass policy.iprev="1"2; auth=fail`,
			want:  results("a.example", mr{Method: "auth", Result: "fail"})},
		{name: "the authserv-id alone has no results", value: "a.example", want: results("a.example")},

		{name: "an unsupported version ends the reading, section 2.2",
			value: "a.example 2; dkim=pass", want: results("a.example"), err: errVersion},
		{name: "text behind the authserv-id is no payload",
			value: "a.example b.example; dkim=pass", want: results("a.example"), err: errSyntax},
		{name: "a comment without end makes the field unreadable",
			value: "a.example; dkim=pass (x; spf=pass", want: results("a.example"), err: errSyntax},
		{name: "a quoted string without end makes the field unreadable",
			value: `a.example; spf=pass; dkim=pass header.d="x; dmarc=pass`, want: results("a.example"), err: errSyntax},
		{name: "a control character is no part of an authserv-id",
			value: "a.exa\x00mple; dkim=pass", err: errSyntax},
		{name: "an empty field is no payload", value: " ", err: errSyntax},
		{name: "a field above the limit is not read", value: strings.Repeat(" ", maxField+1), err: errTooLarge},
		{name: "too many results are not read", value: "a" + strings.Repeat(";a=b", maxResults+1), err: errTooLarge},
		{name: "too many properties are not read", value: "a;a=b" + strings.Repeat(" a.b=c", maxProperties+1), err: errTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.value))
			if !errors.Is(err, tt.err) || err != nil && tt.err == nil {
				t.Fatalf("Parse(%.200q): error %v, want %v", tt.value, err, tt.err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse(%.200q)\n got %+v\nwant %+v", tt.value, got, tt.want)
			}
		})
	}
}

func TestParseAAR(t *testing.T) {
	tests := []struct {
		name, value string
		instance    int
		servID      string
		results     int
		err         error
	}{
		{name: "plain", value: "i=1; a.example; spf=pass", instance: 1, servID: "a.example", results: 1},
		{name: "blanks and comments around the instance, RFC 8617 section 4.2.1",
			value: " (x) i = 12 (y) ; a.example; none", instance: 12, servID: "a.example"},
		{name: "Microsoft's version token", value: "i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=b.example; dmarc=pass action=none header.from=b.example; dkim=pass header.d=b.example; arc=none",
			instance: 1, servID: "mx.microsoft.com", results: 4},
		{name: "Microsoft's later sets, with a list in a comment", value: "i=2; mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.1) smtp.rcpttodomain=c.example smtp.mailfrom=b.example; arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=b.example])",
			instance: 2, servID: "mx.microsoft.com", results: 2},
		{name: "the authserv-id may be missing", value: "i=3; dmarc=pass header.from=b.example", instance: 3, results: 1},
		{name: "a payload that cannot be read keeps the instance", value: "i=1; a.example (", instance: 1, servID: "a.example", err: errSyntax},
		{name: "no instance", value: "a.example; spf=pass", err: errInstance},
		{name: "instance not in front", value: "a.example; i=1; spf=pass", err: errInstance},
		{name: "instance without semicolon", value: "i=1 a.example; spf=pass", err: errInstance},
		{name: "instance without value", value: "i=; a.example", err: errInstance},
		{name: "instance zero", value: "i=0; a.example", err: errInstance},
		{name: "instance above 50", value: "i=51; a.example", err: errInstance},
		{name: "instance with three digits", value: "i=001; a.example", err: errInstance},
		{name: "instance that is no number", value: "i=a; a.example", err: errInstance},
		{name: "tag name in upper case", value: "I=1; a.example", err: errInstance},
		{name: "too large", value: "i=1;" + strings.Repeat(" ", maxField), err: errTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, got, err := parseAAR([]byte(tt.value))
			if !errors.Is(err, tt.err) || err != nil && tt.err == nil {
				t.Fatalf("parseAAR(%.200q): error %v, want %v", tt.value, err, tt.err)
			}
			if n != tt.instance || got.ServID != tt.servID || len(got.Results) != tt.results {
				t.Errorf("parseAAR(%.200q) = %d, %+v; want %d, %q with %d results", tt.value, n, got, tt.instance, tt.servID, tt.results)
			}
		})
	}
}

// Shapes that would take quadratic time from a reader that starts over.
func TestParseTimeIsLinear(t *testing.T) {
	for _, unit := range []string{"(", "()", `"`, `"" `, "a;", ";a=b c", ";a=b (", ";a(", "a.b= ", `\(`, ";a=\"", "; ", "(\\"} {
		value := []byte("a.example;" + strings.Repeat(unit, maxField/len(unit)-10))
		best := time.Hour // of several runs, as machines are busy
		for range 5 {
			start := time.Now()
			_, _ = Parse(value)
			NewOwn("a.example", "b.example").Claims(value)
			best = min(best, time.Since(start))
		}
		if best > 500*time.Millisecond {
			t.Errorf("%d octets of %q took %v", len(value), unit, best)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a.example 1; none",
		`a.example; dkim=pass (c) reason="r s" header.d=b.example header.i="@b"@c policy . x = y`,
		"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=b; dmarc=pass action=none; compauth=pass reason=100",
		"i=1; mx.google.com; dkim=pass header.b=\"abc/+=\"; dkim/2=pass; x",
		"a;a=b c.d= smtp.x=y;;", "a (\r\n (b) \\) ) 1;", `"a\"b";a=b`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := Parse(value)
		if id := ServID(value); first.ServID != "" && id != first.ServID {
			t.Fatalf("%q: alone the id is %q, with the results %q", value, id, first.ServID)
		}
		if err != nil || first.ServID == "" {
			return
		}
		printed := rendered(first).Format()
		second, err := Parse([]byte(printed))
		if err != nil {
			t.Fatalf("%q: printed %q, which cannot be read: %v", value, printed, err)
		}
		if again := rendered(second).Format(); again != printed {
			t.Fatalf("%q: printed %q, then %q", value, printed, again)
		}
		if shown(first) && !reflect.DeepEqual(first, second) {
			t.Fatalf("%q: read %+v, printed %q, read back %+v", value, first, printed, second)
		}
	})
}

// FuzzParseAAR: behind "i=N;" the payload reads as it would alone; a field
// without a valid instance says nothing.
func FuzzParseAAR(f *testing.F) {
	for _, s := range []string{
		"mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.1) smtp.mailfrom=b.example; dmarc=pass action=none header.from=b.example",
		"mx.google.com; dkim=pass header.i=@b.example header.b=\"abc/+=\"; arc=pass (i=1 spf=pass)",
		"dmarc=pass header.from=b.example", "a.example (", "i=2; a.example; none", "; ;", "",
	} {
		f.Add(1, []byte(s))
		f.Add(50, []byte(s))
	}
	f.Add(51, []byte("a.example; none"))
	f.Add(-1, []byte("a.example; none"))
	f.Fuzz(func(t *testing.T, instance int, payload []byte) {
		front := fmt.Sprintf("i=%d;", instance)
		if len(front)+len(payload) > maxField {
			return
		}
		n, got, err := parseAAR(append([]byte(front), payload...))
		if instance < 1 || instance > 50 {
			if n != 0 || !errors.Is(err, errInstance) || !reflect.DeepEqual(got, evidence.AuthResults{}) {
				t.Fatalf("i=%d: got %d, %+v, %v", instance, n, got, err)
			}
			return
		}
		want, wantErr := Parse(payload)
		if n != instance || !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("i=%d; %q: got %d, %+v, %v; want %+v, %v", instance, payload, n, got, err, want, wantErr)
		}
		if n, _, err := parseAAR(payload); n == 0 != errors.Is(err, errInstance) {
			t.Fatalf("%q: instance %d with error %v", payload, n, err)
		}
	})
}

// rendered is the Header that says what r says.
func rendered(r evidence.AuthResults) Header {
	h := Header{ServID: r.ServID}
	for _, m := range r.Results {
		h.Results = append(h.Results, Result{Method: m.Method, Value: m.Result, Reason: m.Reason, Props: m.Properties})
	}
	return h
}

// shown reports whether the writer has nothing to replace, cut or leave out.
func shown(r evidence.AuthResults) bool {
	ok := func(s string) bool { return printable(s) && len(s) <= maxValue }
	all := ok(r.ServID)
	for _, m := range r.Results {
		all = all && isName(m.Method) && isName(m.Result) && ok(m.Reason)
		for _, p := range m.Properties {
			all = all && isName(p.Name) && isName(p.Type) && ok(p.Value)
		}
	}
	return all
}

func TestServIDIsReadAlone(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{name: "an id", value: " mx.example.com; spf=pass", want: "mx.example.com"},
		{name: "in quotes", value: ` "mx.example.com"; spf=pass`, want: "mx.example.com"},
		{name: "an unknown version", value: " mx.example.com 2; spf=pass", want: "mx.example.com"},
		{name: "behind a comment", value: " (x) mx.example.com (y) 1; none", want: "mx.example.com"},
		{name: "more results than are read", value: "mx.example.com" + strings.Repeat(";a=b", maxResults+1), want: "mx.example.com"},
		{name: "a longer field than is read", value: "mx.example.com;" + strings.Repeat(" ", maxField), want: "mx.example.com"},
		{name: "a comment without an end behind it", value: "mx.example.com; (x", want: "mx.example.com"},
		{name: "results without an id", value: "spf=pass smtp.mailfrom=a.example", want: ""},
		{name: "nothing", value: "", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ServID([]byte(c.value)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
