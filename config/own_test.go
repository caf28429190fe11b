package config

import "testing"

func TestWhichDomainsAreOwn(t *testing.T) {
	cfg := Config{OwnDomains: []OwnDomains{{Domains: []string{"bank.example", ".Shop.example"}}, {Domains: []string{"org:club.example", "*"}}}}
	own := cfg.Owns()
	for author, want := range map[string]bool{
		"bank.example": true, "mail.bank.example": false,
		"shop.example": false, "mail.shop.example": true, "notshop.example": false,
		"club.example": true, "mail.club.example": true, "notclub.example": false,
		"": false,
	} {
		if got := own(author); got != want {
			t.Errorf("%q: %v, want %v", author, got, want)
		}
	}
}
