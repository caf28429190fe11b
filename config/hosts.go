package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
)

// hostPattern is the name of a host, ".example.com" for all below it, an address
// or a network.
func hostPattern(s string) (string, error) {
	switch {
	case s == "*":
		return "", errors.New(`"*" would be every host; name the relay's own`)
	case strings.ContainsAny(s, ":/") || !strings.ContainsFunc(s, unicode.IsLetter):
		_, err := network(s)
		return s, err
	}
	p, err := domainPattern(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a host; allowed: gw.example.com, .example.com (all below it), an IP address or a network", s)
	}
	return p, nil
}

// Hosts keeps the networks of a list of host patterns apart from the names.
func Hosts(patterns []string) (names []string, networks []netip.Prefix) {
	for _, host := range patterns {
		if p, err := network(host); err == nil {
			networks = append(networks, p)
		} else {
			names = append(names, host)
		}
	}
	return names, networks
}
