package authres

import "testing"

func TestClaims(t *testing.T) {
	own := NewOwn("mx.example.org", "Example.COM.", "xn--bcher-kva.example", "mailhost", "odd id", "")
	tests := []struct {
		name, value string
		want        bool
	}{
		{name: "equal", value: "mx.example.org; spf=pass", want: true},
		{name: "other case", value: " MX.Example.ORG; spf=pass", want: true},
		{name: "below ours", value: "a.b.mx.example.org; spf=pass", want: true},
		{name: "above ours is somebody else", value: "example.org; spf=pass"},
		{name: "not on a label boundary", value: "notmx.example.org; spf=pass"},
		{name: "ours as the front of another name", value: "mx.example.org.evil.example; spf=pass"},
		{name: "foreign", value: "mx.example.net; spf=pass smtp.mailfrom=mx.example.org"},
		{name: "foreign with ours in a comment", value: "mx.example.net; spf=pass (checked by mx.example.org)"},
		{name: "foreign with ours as a value", value: "mx.example.net; dkim=pass header.d=example.com header.from=\"example.com\""},
		{name: "foreign with a comment behind its id, as amavisd-new writes it, and ours as a value",
			value: "mx.example.net (amavisd-new); dkim=pass (2048-bit key)\r\n header.d=example.com"},
		{name: "foreign with a version and a comment, and ours as a value",
			value: "mx.example.net 1 (x\\)y); dkim=pass header.d=mx.example.org"},
		{name: "foreign with ours in a comment behind its id", value: "mx.example.net (mx.example.org); spf=pass", want: true},
		{name: "foreign with ours in a comment behind its version", value: "mx.example.net 1 (by mx.example.org); spf=pass", want: true},
		{name: "foreign with a comment behind its id, and a result that cannot be read names us",
			value: "mx.example.net (x); spf; mx.example.org; dkim=pass", want: true},
		{name: "a reader that knows quoted strings in comments would see ours",
			value: `(") mx.example.net; x=y reason=") mx.example.org; dkim=pass"`, want: true},
		{name: "foreign, quoted without need, and ours as a value", value: `"mx.example.net"; dkim=pass header.d=mx.example.org`},
		{name: "foreign, quoted, longer than ours", value: `"notmx.example.org"; spf=pass`},
		{name: "foreign, quoted with quoted-pairs, and ours as a value", value: `"mx.example.\net"; dkim=pass header.d=mx.example.org`, want: true},
		{name: "a reader that does not know quoted strings would see ours", value: `"mx.example.net/; mx.example.org; dkim=pass"; none`, want: true},
		{name: "version token", value: "mx.example.org 1; spf=pass", want: true},
		{name: "trailing dot", value: "mx.example.org.; spf=pass", want: true},
		{name: "text after a slash", value: "mx.example.org/x; spf=pass", want: true},
		{name: "version after a slash", value: "mx.example.org/1 1; spf=pass", want: true},
		{name: "quoted", value: `"mx.example.org"; spf=pass`, want: true},
		{name: "quoted with quoted-pairs", value: `"mx.ex\ample.\org"; spf=pass`, want: true},
		{name: "comment before", value: "(x) mx.example.org; spf=pass", want: true},
		{name: "nested comments before", value: "(x (mx.example.net;) y)\r\n\tmx.example.org; spf=pass", want: true},
		{name: "comment behind", value: "mx.example.org(x); spf=pass", want: true},
		{name: "folded", value: "\r\n\tmx.example.org\r\n\t;\r\n spf=pass", want: true},
		{name: "fold and no semicolon", value: "mx.example.org\r\n", want: true},
		{name: "U-labels of an id of ours", value: "b\u00fccher.example; spf=pass", want: true},
		{name: "U-labels in upper case", value: "B\u00dcCHER.example; spf=pass", want: true},
		{name: "decomposed U-label", value: "bu\u0308cher.example; spf=pass", want: true},
		{name: "full-width letters", value: "\uff4dx.example\u3002org; spf=pass", want: true},
		{name: "zero-width space", value: "mx.exam\u200bple.org; spf=pass", want: true},
		{name: "soft hyphen", value: "mx.exam\u00adple.org; spf=pass", want: true},
		{name: "id of ours that is no domain", value: "ODD; spf=pass (odd id)"},
		{name: "id of ours that is no domain, quoted", value: `"Odd ID"; spf=pass`, want: true},
		{name: "single label", value: "mailhost; spf=pass", want: true},
		{name: "single label in a longer word", value: "mailhosting; spf=pass"},

		{name: "unsupported version, whoever wrote it", value: "mx.example.net 2; spf=pass", want: true},
		{name: "version 01 is 1", value: "mx.example.net 01; spf=pass"},
		{name: "huge version", value: "mx.example.net 99999999999999999999; spf=pass", want: true},

		{name: "blanks inside the name", value: "mx . example . org; spf=pass", want: true},
		{name: "comments inside the name", value: "mx(a).(b)example.org; spf=pass", want: true},
		{name: "NUL inside the name", value: "mx.exam\x00ple.org; spf=pass", want: true},
		{name: "second word", value: "mx.example.net mx.example.org; spf=pass", want: true},
		{name: "second segment", value: "mx.example.net; none; mx.example.org; dkim=pass", want: true},
		{name: "comment without end", value: "(mx.example.org; spf=pass", want: true},
		{name: "quoted string without end", value: `"mx.example.org; spf=pass`, want: true},
		{name: "comment without end behind", value: "mx.example.net; spf=pass (mx.example.org; dkim=pass", want: true},
		{name: "a reader without nested comments would see ours", value: "(a (b) mx.example.org; dkim=pass (c) d) mx.example.net; none", want: true},
		{name: "port", value: "mx.example.org:25; spf=pass", want: true},
		{name: "angle brackets", value: "<mx.example.org>; spf=pass", want: true},
		{name: "encoded word", value: "=?utf-8?q?mx.example.org?=; spf=pass", want: true},
		{name: "encoded word, Q, which Sieve decodes (RFC 5228 section 2.7.2)", value: "=?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass", want: true},
		{name: "encoded word, B, with the result inside", value: "=?UTF-8?B?bXguZXhhbXBsZS5vcmc7IHNwZj1wYXNz?=", want: true},
		{name: "name in two encoded words", value: "=?us-ascii?q?m?=\r\n =?us-ascii?q?x=2eexample=2eorg?=; spf=pass", want: true},
		{name: "encoded word in a charset that is not known", value: "=?x-unknown?q?mx=2Eexample=2Eorg?=; spf=pass", want: true},
		{name: "encoded word of somebody else", value: "=?utf-8?q?mx=2Eexample=2Enet?=; spf=pass"},
		{name: "foreign with an encoded word in a comment", value: "mx.example.net; spf=pass (=?utf-8?q?mx=2Eexample=2Eorg?=)"},
		{name: "zero-width joiner", value: "mx.exam\u200dple.org; spf=pass", want: true},
		{name: "right-to-left override", value: "\u202emx.example.org; spf=pass", want: true},
		{name: "address", value: "postmaster@mx.example.org; spf=pass", want: true},
		{name: "semicolon before the name", value: "; mx.example.org; spf=pass", want: true},
		{name: "an instance before the name, as in ARC", value: "i=1; mx.example.org; spf=pass", want: true},
		{name: "comma behind the name", value: "mx.example.org, mx.example.net; spf=pass", want: true},
		{name: "equals sign behind the name", value: "mx.example.org=1; spf=pass", want: true},
		{name: "colon behind the name", value: "mx.example.org: spf=pass", want: true},
		{name: "fold inside the name", value: "mx.exam\r\n ple.org; spf=pass", want: true},
		{name: "bare CR inside the name", value: "mx.exam\rple.org; spf=pass", want: true},
		{name: "quotes around a label", value: `mx."example".org; spf=pass`, want: true},
		{name: "backslash outside of quotes", value: `mx.ex\ample.org; spf=pass`, want: true},
		{name: "single quotes", value: "'mx.example.org'; spf=pass", want: true},
		{name: "form feed before the name", value: "\fmx.example.org; spf=pass", want: true},
		{name: "no-break space before the name", value: "\u00a0mx.example.org; spf=pass", want: true},
		{name: "no semicolon before the first result", value: "mx.example.org spf=pass", want: true},
		{name: "percent-encoded, which nobody decodes", value: "mx%2Eexample.org; spf=pass"},
		{name: "a version behind a comment", value: "mx.example.net (x) 2; spf=pass", want: true},
		{name: "Google's, with ours as a value",
			value: "mx.google.com; spf=pass smtp.mailfrom=a@mx.example.org; dmarc=pass (p=NONE) header.from=example.com"},
		{name: "foreign single label", value: "localhost; spf=pass smtp.mailfrom=example.com"},
		{name: "foreign with an underscore", value: "mail_1.example.net; spf=pass header.from=mx.example.org"},
		{name: "no authserv-id, names us", value: "dkim=pass header.d=mx.example.org", want: true},
		{name: "no authserv-id, does not name us", value: "spf=pass smtp.mailfrom=example.net"},
		{name: "unparsable, names us with something around it", value: "x y; spf=pass smtp.mailfrom=mx.example.orgs", want: true},
		{name: "unparsable, a single label of ours inside a longer word", value: "x y; spf=pass smtp.mailfrom=mailhosting"},
		{name: "unparsable, does not name us", value: "x y; spf=pass"},
		{name: "empty"},
		{name: "only a semicolon", value: ";"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := own.Claims([]byte(tt.value)); got != tt.want {
				t.Errorf("Claims(%q) = %v, want %v", tt.value, got, tt.want)
			}
		})
	}
}

func TestOwnZeroValueClaimsOnlyUnsupportedVersions(t *testing.T) {
	for value, want := range map[string]bool{"a.example; none": false, "a.example 7; none": true, "(": false} {
		if got := (Own{}).Claims([]byte(value)); got != want {
			t.Errorf("Claims(%q) = %v, want %v", value, got, want)
		}
	}
}

// Whatever surrounds it: as long as the authserv-id is read as ours, the field
// is claimed, and so is any field that our own writer made.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("mx.example.org 1; none"))
	f.Add([]byte(`(x) "mx.example.org"/1; dkim=pass`))
	f.Add([]byte("mx.example.net; dkim=pass (mx.example.org"))
	own := NewOwn("mx.example.org", "xn--bcher-kva.example")
	f.Fuzz(func(t *testing.T, value []byte) {
		claimed := own.Claims(value)
		if got, _ := Parse(value); got.ServID == "mx.example.org" && !claimed {
			t.Fatalf("%q is read as ours and not claimed", value)
		}
		h := Header{ServID: "MX.example.org", Results: []Result{{Method: "spf", Value: "fail", Comment: string(value)}}}
		if !own.Claims([]byte(h.Format())) {
			t.Fatalf("own field %q is not claimed", h.Format())
		}
	})
}
