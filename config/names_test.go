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
		{"domain", "MX.here.test.", "mx.here.test"},
		{"domain", "mx1", "mx1"},
		{"domain", "bücher.example", "xn--bcher-kva.example"},
		{"domain", "“mx.here.test”", "!“ (U+201C) is a quotation mark"},
		{"domain", "mx.here.test”", "!” (U+201D) is a quotation mark"},
		{"domain", "'mx.here.test'", `!'\'' cannot stand in a domain name`},
		{"domain", "mx.here.test\u00a0", "!(U+00A0) is a space"},
		{"domain", "mx.here.test\u200b", "!(U+200B) is a character that cannot be seen"},
		{"domain", "mx.here.test/4F1A", `!"/" cannot stand`},
		{"domain", "mx here", "!' ' cannot stand"},
		{"domain", "-mx.here.test", "!does not begin with a hyphen"},

		{"domain_pattern", "Example.COM", "example.com"},
		{"domain_pattern", ".example.com", ".example.com"},
		{"domain_pattern", ".com", ".com"},
		{"domain_pattern", "*", "*"},
		{"domain_pattern", "localhost", "localhost"},
		{"domain_pattern", "例え.テスト", "xn--r8jz45g.xn--zckzah"},
		{"domain_pattern", "ex–ample.com", "!– (U+2013) is a dash"},
		{"domain_pattern", ".ex—ample.com", "!— (U+2014) is a dash"},
		{"domain_pattern", "«example.com»", "!« (U+00AB) is a quotation mark"},
		{"domain_pattern", "example…com", "!… (U+2026) is not the dot"},
		{"domain_pattern", "ｅxample.com", "!(U+FF45) cannot stand in a domain name"},
		{"domain_pattern", "*.example.com", "!means all below: .example.com"},
		{"domain_pattern", "https://example.com/", "!it is a URL"},
		{"domain_pattern", "user@example.com", "!it is an address"},
		{"domain_pattern", "@example.com", "!no @ stands in front"},
		{"domain_pattern", "<example.com>", "!no angle brackets"},
		{"domain_pattern", "192.0.2.1", "!it is an IP address"},
		{"domain_pattern", "2001:db8::1", "!it is an IP address"},
		{"domain_pattern", "[192.0.2.1]", "!it is an IP address"},
		{"domain_pattern", "192.0.2.0/24", `!"/" cannot stand`},
		{"domain_pattern", "a.example, b.example", "!a list is written"},
		{"domain_pattern", "a.example;", "!a list is written"},
		{"domain_pattern", "example", "!one word is no domain"},
		{"domain_pattern", "org:example.com", "!':' cannot stand"},
		{"domain_pattern", "-a.example", "!does not begin with a hyphen"},
		{"domain_pattern", "xn--.example", "!is no A-label"},

		{"author_pattern", "org:Example.com", "org:example.com"},
		{"author_pattern", "org:com", "!one word is no domain"},
		{"author_pattern", "org:“example.com”", "!is a quotation mark"},
		{"author_pattern", "org:*.example.com", "!means all below"},

		{"address_pattern", "CEO@Example.com", "ceo@example.com"},
		{"address_pattern", "jürgen@bücher.example", "jürgen@xn--bcher-kva.example"},
		{"address_pattern", `"john doe"@example.com`, `"john doe"@example.com`},
		{"address_pattern", "ceo+news=x@example.com", "ceo+news=x@example.com"},
		{"address_pattern", "root@localhost", "root@localhost"},
		{"address_pattern", ".example.com", ".example.com"},
		{"address_pattern", "<>", "<>"},
		{"address_pattern", "postmaster", "!write postmaster@example.com"},
		{"address_pattern", "“ceo@example.com”", "!“ (U+201C) is a quotation mark"},
		{"address_pattern", "ceo@example.com”", "!” (U+201D) is a quotation mark"},
		{"address_pattern", "c–eo@example.com", "!– (U+2013) is a dash"},
		{"address_pattern", "ceo\u200b@example.com", "!cannot be seen"},
		{"address_pattern", "<ceo@example.com>", "!no angle brackets"},
		{"address_pattern", "The Boss <ceo@example.com>", "!' ' cannot stand in front of the @"},
		{"address_pattern", "mailto:ceo@example.com", "!it is a URL"},
		{"address_pattern", "a@b@example.com", "!more than one @"},
		{"address_pattern", "a@example.com, b@example.com", "!more than one @"},
		{"address_pattern", "@example.com", "!nothing stands in front of the @"},
		{"address_pattern", "ceo@[192.0.2.1]", "!address literal"},
		{"address_pattern", "ceo@192.0.2.1", "!is an IP address"},
		{"address_pattern", "ceo@*.example.com", "!means all below"},

		{"serv_id_pattern", "mx1", "mx1"},
		{"serv_id_pattern", "‘mx.example.com’", "!is a quotation mark"},
		{"selector", "S1", "s1"},
		{"selector", "s–1", "!is a dash"},
		{"list_pattern", "dev.lists.example", "dev.lists.example"},
		{"list_pattern", "“dev.lists.example”", "!is a quotation mark"},
		{"list_pattern", "https://lists.example/dev", "!it is a URL"},
		{"listen", "inet:“127.0.0.1”:8890", "!is not a place to listen"},
		{"listen", "inet:[::1]:8890", "inet:[::1]:8890"},
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
