package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestNamesThatAnAdminWrites(t *testing.T) {
	for _, tt := range []struct {
		check string
		text  string
		want  string // the spelling inside, or with "!" in front a part of the fault
	}{
		{check: "domain", text: "MX.here.test.", want: "mx.here.test"},
		{check: "domain", text: "mx1", want: "mx1"},
		{check: "domain", text: "bücher.example", want: "xn--bcher-kva.example"},
		{check: "domain", text: "“mx.here.test”", want: "!“ (U+201C) is a quotation mark"},
		{check: "domain", text: "mx.here.test”", want: "!” (U+201D) is a quotation mark"},
		{check: "domain", text: "'mx.here.test'", want: `!'\'' cannot stand in a domain name`},
		{check: "domain", text: "mx.here.test\u00a0", want: "!(U+00A0) is a space"},
		{check: "domain", text: "mx.here.test\u200b", want: "!(U+200B) is a character that cannot be seen"},
		{check: "domain", text: "mx.here.test/4F1A", want: `!"/" cannot stand`},
		{check: "domain", text: "mx here", want: "!' ' cannot stand"},
		{check: "domain", text: "-mx.here.test", want: "!does not begin with a hyphen"},

		{check: "domain_pattern", text: "Example.COM", want: "example.com"},
		{check: "domain_pattern", text: ".example.com", want: ".example.com"},
		{check: "domain_pattern", text: ".com", want: ".com"},
		{check: "domain_pattern", text: "*", want: "*"},
		{check: "domain_pattern", text: "localhost", want: "localhost"},
		{check: "domain_pattern", text: "例え.テスト", want: "xn--r8jz45g.xn--zckzah"},
		{check: "domain_pattern", text: "ex–ample.com", want: "!– (U+2013) is a dash"},
		{check: "domain_pattern", text: ".ex—ample.com", want: "!— (U+2014) is a dash"},
		{check: "domain_pattern", text: "«example.com»", want: "!« (U+00AB) is a quotation mark"},
		{check: "domain_pattern", text: "example…com", want: "!… (U+2026) is not the dot"},
		{check: "domain_pattern", text: "ｅxample.com", want: "!(U+FF45) cannot stand in a domain name"},
		{check: "domain_pattern", text: "*.example.com", want: "!means all below: .example.com"},
		{check: "domain_pattern", text: "https://example.com/", want: "!it is a URL"},
		{check: "domain_pattern", text: "user@example.com", want: "!it is an address"},
		{check: "domain_pattern", text: "@example.com", want: "!no @ stands in front"},
		{check: "domain_pattern", text: "<example.com>", want: "!no angle brackets"},
		{check: "domain_pattern", text: "192.0.2.1", want: "!it is an IP address"},
		{check: "domain_pattern", text: "2001:db8::1", want: "!it is an IP address"},
		{check: "domain_pattern", text: "[192.0.2.1]", want: "!it is an IP address"},
		{check: "domain_pattern", text: "192.0.2.0/24", want: `!"/" cannot stand`},
		{check: "domain_pattern", text: "a.example, b.example", want: "!a list is written"},
		{check: "domain_pattern", text: "a.example;", want: "!a list is written"},
		{check: "domain_pattern", text: "example", want: "!one word is no domain"},
		{check: "domain_pattern", text: "org:example.com", want: "!':' cannot stand"},
		{check: "domain_pattern", text: "-a.example", want: "!does not begin with a hyphen"},
		{check: "domain_pattern", text: "xn--.example", want: "!is no A-label"},

		{check: "author_pattern", text: "org:Example.com", want: "org:example.com"},
		{check: "author_pattern", text: "org:com", want: "!one word is no domain"},
		{check: "author_pattern", text: "org:“example.com”", want: "!is a quotation mark"},
		{check: "author_pattern", text: "org:*.example.com", want: "!means all below"},

		{check: "address_pattern", text: "CEO@Example.com", want: "ceo@example.com"},
		{check: "address_pattern", text: "jürgen@bücher.example", want: "jürgen@xn--bcher-kva.example"},
		{check: "address_pattern", text: `"john doe"@example.com`, want: `"john doe"@example.com`},
		{check: "address_pattern", text: "ceo+news=x@example.com", want: "ceo+news=x@example.com"},
		{check: "address_pattern", text: "root@localhost", want: "root@localhost"},
		{check: "address_pattern", text: ".example.com", want: ".example.com"},
		{check: "address_pattern", text: "<>", want: "<>"},
		{check: "address_pattern", text: "postmaster", want: "!write postmaster@example.com"},
		{check: "address_pattern", text: "“ceo@example.com”", want: "!“ (U+201C) is a quotation mark"},
		{check: "address_pattern", text: "ceo@example.com”", want: "!” (U+201D) is a quotation mark"},
		{check: "address_pattern", text: "c–eo@example.com", want: "!– (U+2013) is a dash"},
		{check: "address_pattern", text: "ceo\u200b@example.com", want: "!cannot be seen"},
		{check: "address_pattern", text: "<ceo@example.com>", want: "!no angle brackets"},
		{check: "address_pattern", text: "The Boss <ceo@example.com>", want: "!' ' cannot stand in front of the @"},
		{check: "address_pattern", text: "mailto:ceo@example.com", want: "!it is a URL"},
		{check: "address_pattern", text: "a@b@example.com", want: "!more than one @"},
		{check: "address_pattern", text: "a@example.com, b@example.com", want: "!more than one @"},
		{check: "address_pattern", text: "@example.com", want: "!nothing stands in front of the @"},
		{check: "address_pattern", text: "ceo@[192.0.2.1]", want: "!address literal"},
		{check: "address_pattern", text: "ceo@192.0.2.1", want: "!is an IP address"},
		{check: "address_pattern", text: "ceo@*.example.com", want: "!means all below"},

		{check: "serv_id_pattern", text: "mx1", want: "mx1"},
		{check: "serv_id_pattern", text: "‘mx.example.com’", want: "!is a quotation mark"},
		{check: "selector", text: "S1", want: "s1"},
		{check: "selector", text: "s–1", want: "!is a dash"},
		{check: "list_pattern", text: "dev.lists.example", want: "dev.lists.example"},
		{check: "list_pattern", text: "“dev.lists.example”", want: "!is a quotation mark"},
		{check: "list_pattern", text: "https://lists.example/dev", want: "!it is a URL"},
		{check: "listen", text: "inet:“127.0.0.1”:8890", want: "!is not a place to listen"},
		{check: "listen", text: "inet:[::1]:8890", want: "inet:[::1]:8890"},
	} {
		got, err := checks[tt.check](tt.text)
		if part, bad := strings.CutPrefix(tt.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s %q: got %q, %v; want a fault with %q", tt.check, tt.text, got, err, part)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s %q: got %q, %v; want %q", tt.check, tt.text, got, err, tt.want)
		}
	}
}

// A check that is misspelled would check nothing.
func TestEachCheckExists(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			if is := f.Tag.Get("is"); is != "" && checks[is] == nil {
				t.Errorf("%s.%s: no check is called %q", typ, f.Name, is)
			}
			if f.Tag.Get("yaml") != "" {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}
