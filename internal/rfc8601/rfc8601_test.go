package rfc8601

import "testing"

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		value string
		ok    bool
	}{
		{"mx.example.org; none", true},
		{"mx.example.org;\r\n\tspf=pass (a (b) \\) c) reason=\"x \\\" y\" smtp.mailfrom=a.example;\r\n\tdkim=fail header.i=\"@x_y.example\" header.i=a+b=c@d.example header.d=x_y", true},
		{"mx.example.org", false},
		{"mx.example.org; spf=pass smtp.helo=x@y", false},
		{"mx.example.org; dkim=pass header.i=@x_y.a.example", false},
		{"mx.example.org; dkim=pass header.i=@srv", false},
		{"mx.example.org; dkim=pass header.i=@a-.a.example", false},
		{"mx.example.org; dkim=pass header.i=@a.example.", false},
		{"mx.example.org; dkim=pass header.b=abcd/+12", false},
		{"mx.example.org; dkim=pass header.b=", false},
		{"mx.example.org; dkim=pass header.b=\"a", false},
		{"mx.example.org; dkim=pass (a", false},
		{"mx.example.org; dkim=pass reason=a b", false},
		{"mx.example.org; dkim=pass policy.is_org=a", false},
		{"mx.example.org; dkim=pass action=none", false},
		{"mx.example.org; dkim=pass header.d=b\u00fccher.example", false},
		{"mx.example.org; dkim=pass header.d=\"b\u00fccher.example\"", false},
		{"mx.example.org;\r\n \r\n\tdkim=pass", false},
		{"mx.example.org;\n\tdkim=pass", false},
		{"mx example.org; dkim=pass", false},
		{"mx.example.org; dkim=pass;", false},
	} {
		if _, err := Read(tt.value); (err == nil) != tt.ok {
			t.Errorf("%q: %v, want ok: %t", tt.value, err, tt.ok)
		}
	}
}
