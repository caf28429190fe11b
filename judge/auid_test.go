package judge

import "testing"

// TestAUID: header.i names no domain but one below the SDID (RFC 8601 section 2.7.1).
func TestAUID(t *testing.T) {
	for _, row := range []struct{ name, identity, want string }{
		{name: "as it is", identity: "joe@mail.b.example", want: "joe@mail.b.example"},
		{name: "a local part that is no dot-atom", identity: "a b@b.example", want: "@b.example"},
		{name: "a label that DNS has and domain names have not", identity: "joe@*.b_c.b.example", want: "joe@*.b_c.b.example"},
		{name: "a U-label", identity: "joe@b\u00fccher.example", want: "joe@b\u00fccher.example"},
		{name: "an empty label", identity: "@.b.example", want: "@.b.example"},
		{name: "a domain that ends at white space for some", identity: "ceo@bank.example .b.example"},
		{name: "at a semicolon", identity: "ceo@bank.example; dkim=pass.b.example"},
		{name: "at an angle bracket", identity: "<ceo@bank.example>.b.example"},
		{name: "at a comment", identity: "ceo@bank.example(.b.example"},
		{name: "at NUL", identity: "ceo@bank.example\x00.b.example"},
		{name: "at an octet that is no character", identity: "ceo@bank.example\xff.b.example"},
		{name: "at a space that is none of US-ASCII", identity: "ceo@bank.example\u00a0.b.example"},
		{name: "without an at sign", identity: "b.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := auid(row.identity); got != row.want {
				t.Errorf("%q: got %q, want %q", row.identity, got, row.want)
			}
		})
	}
}
