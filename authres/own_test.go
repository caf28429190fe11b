package authres

import "testing"

func TestClaims(t *testing.T) {
	own := NewOwn("mx.example.org", "Example.COM.", "xn--bcher-kva.example", "mailhost", "odd id", "")
	tests := []struct {
		name, value string
		want        bool
	}{
		{"equal", "mx.example.org; spf=pass", true},
		{"other case", " MX.Example.ORG; spf=pass", true},
		{"below ours", "a.b.mx.example.org; spf=pass", true},
		{"above ours is somebody else", "example.org; spf=pass", false},
		{"not on a label boundary", "notmx.example.org; spf=pass", false},
		{"ours as the front of another name", "mx.example.org.evil.example; spf=pass", false},
		{"foreign", "mx.example.net; spf=pass smtp.mailfrom=mx.example.org", false},
		{"foreign with ours in a comment", "mx.example.net; spf=pass (checked by mx.example.org)", false},
		{"foreign with ours as a value", "mx.example.net; dkim=pass header.d=example.com header.from=\"example.com\"", false},
		{"foreign with a comment behind its id, as amavisd-new writes it, and ours as a value", "mx.example.net (amavisd-new); dkim=pass (2048-bit key)\r\n header.d=example.com", false},
		{"foreign with a version and a comment, and ours as a value", "mx.example.net 1 (x\\)y); dkim=pass header.d=mx.example.org", false},
		{"foreign with ours in a comment behind its id", "mx.example.net (mx.example.org); spf=pass", true},
		{"foreign with ours in a comment behind its version", "mx.example.net 1 (by mx.example.org); spf=pass", true},
		{"foreign with a comment behind its id, and a result that cannot be read names us", "mx.example.net (x); spf; mx.example.org; dkim=pass", true},
		{"a reader that knows quoted strings in comments would see ours", `(") mx.example.net; x=y reason=") mx.example.org; dkim=pass"`, true},
		{"foreign, quoted without need, and ours as a value", `"mx.example.net"; dkim=pass header.d=mx.example.org`, false},
		{"foreign, quoted, longer than ours", `"notmx.example.org"; spf=pass`, false},
		{"foreign, quoted with quoted-pairs, and ours as a value", `"mx.example.\net"; dkim=pass header.d=mx.example.org`, true},
		{"a reader that does not know quoted strings would see ours", `"mx.example.net/; mx.example.org; dkim=pass"; none`, true},
		{"version token", "mx.example.org 1; spf=pass", true},
		{"trailing dot", "mx.example.org.; spf=pass", true},
		{"text after a slash", "mx.example.org/x; spf=pass", true},
		{"version after a slash", "mx.example.org/1 1; spf=pass", true},
		{"quoted", `"mx.example.org"; spf=pass`, true},
		{"quoted with quoted-pairs", `"mx.ex\ample.\org"; spf=pass`, true},
		{"comment before", "(x) mx.example.org; spf=pass", true},
		{"nested comments before", "(x (mx.example.net;) y)\r\n\tmx.example.org; spf=pass", true},
		{"comment behind", "mx.example.org(x); spf=pass", true},
		{"folded", "\r\n\tmx.example.org\r\n\t;\r\n spf=pass", true},
		{"fold and no semicolon", "mx.example.org\r\n", true},
		{"U-labels of an id of ours", "b\u00fccher.example; spf=pass", true},
		{"U-labels in upper case", "B\u00dcCHER.example; spf=pass", true},
		{"decomposed U-label", "bu\u0308cher.example; spf=pass", true},
		{"full-width letters", "\uff4dx.example\u3002org; spf=pass", true},
		{"zero-width space", "mx.exam\u200bple.org; spf=pass", true},
		{"soft hyphen", "mx.exam\u00adple.org; spf=pass", true},
		{"id of ours that is no domain", "ODD; spf=pass (odd id)", false},
		{"id of ours that is no domain, quoted", `"Odd ID"; spf=pass`, true},
		{"single label", "mailhost; spf=pass", true},
		{"single label in a longer word", "mailhosting; spf=pass", false},

		{"unsupported version, whoever wrote it", "mx.example.net 2; spf=pass", true},
		{"version 01 is 1", "mx.example.net 01; spf=pass", false},
		{"huge version", "mx.example.net 99999999999999999999; spf=pass", true},

		{"blanks inside the name", "mx . example . org; spf=pass", true},
		{"comments inside the name", "mx(a).(b)example.org; spf=pass", true},
		{"NUL inside the name", "mx.exam\x00ple.org; spf=pass", true},
		{"second word", "mx.example.net mx.example.org; spf=pass", true},
		{"second segment", "mx.example.net; none; mx.example.org; dkim=pass", true},
		{"comment without end", "(mx.example.org; spf=pass", true},
		{"quoted string without end", `"mx.example.org; spf=pass`, true},
		{"comment without end behind", "mx.example.net; spf=pass (mx.example.org; dkim=pass", true},
		{"a reader without nested comments would see ours", "(a (b) mx.example.org; dkim=pass (c) d) mx.example.net; none", true},
		{"port", "mx.example.org:25; spf=pass", true},
		{"angle brackets", "<mx.example.org>; spf=pass", true},
		{"encoded word", "=?utf-8?q?mx.example.org?=; spf=pass", true},
		{"encoded word, Q, which Sieve decodes (RFC 5228 section 2.7.2)", "=?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass", true},
		{"encoded word, B, with the result inside", "=?UTF-8?B?bXguZXhhbXBsZS5vcmc7IHNwZj1wYXNz?=", true},
		{"name in two encoded words", "=?us-ascii?q?m?=\r\n =?us-ascii?q?x=2eexample=2eorg?=; spf=pass", true},
		{"encoded word in a charset that is not known", "=?x-unknown?q?mx=2Eexample=2Eorg?=; spf=pass", true},
		{"encoded word of somebody else", "=?utf-8?q?mx=2Eexample=2Enet?=; spf=pass", false},
		{"foreign with an encoded word in a comment", "mx.example.net; spf=pass (=?utf-8?q?mx=2Eexample=2Eorg?=)", false},
		{"zero-width joiner", "mx.exam\u200dple.org; spf=pass", true},
		{"right-to-left override", "\u202emx.example.org; spf=pass", true},
		{"address", "postmaster@mx.example.org; spf=pass", true},
		{"semicolon before the name", "; mx.example.org; spf=pass", true},
		{"an instance before the name, as in ARC", "i=1; mx.example.org; spf=pass", true},
		{"comma behind the name", "mx.example.org, mx.example.net; spf=pass", true},
		{"equals sign behind the name", "mx.example.org=1; spf=pass", true},
		{"colon behind the name", "mx.example.org: spf=pass", true},
		{"fold inside the name", "mx.exam\r\n ple.org; spf=pass", true},
		{"bare CR inside the name", "mx.exam\rple.org; spf=pass", true},
		{"quotes around a label", `mx."example".org; spf=pass`, true},
		{"backslash outside of quotes", `mx.ex\ample.org; spf=pass`, true},
		{"single quotes", "'mx.example.org'; spf=pass", true},
		{"form feed before the name", "\fmx.example.org; spf=pass", true},
		{"no-break space before the name", "\u00a0mx.example.org; spf=pass", true},
		{"no semicolon before the first result", "mx.example.org spf=pass", true},
		{"percent-encoded, which nobody decodes", "mx%2Eexample.org; spf=pass", false},
		{"a version behind a comment", "mx.example.net (x) 2; spf=pass", true},
		{"Google's, with ours as a value", "mx.google.com; spf=pass smtp.mailfrom=a@mx.example.org; dmarc=pass (p=NONE) header.from=example.com", false},
		{"foreign single label", "localhost; spf=pass smtp.mailfrom=example.com", false},
		{"foreign with an underscore", "mail_1.example.net; spf=pass header.from=mx.example.org", false},
		{"no authserv-id, names us", "dkim=pass header.d=mx.example.org", true},
		{"no authserv-id, does not name us", "spf=pass smtp.mailfrom=example.net", false},
		{"unparsable, names us with something around it", "x y; spf=pass smtp.mailfrom=mx.example.orgs", true},
		{"unparsable, a single label of ours inside a longer word", "x y; spf=pass smtp.mailfrom=mailhosting", false},
		{"unparsable, does not name us", "x y; spf=pass", false},
		{"empty", "", false},
		{"only a semicolon", ";", false},
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
