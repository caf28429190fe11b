package authres

import (
	"strings"

	"alignd/domain"

	"golang.org/x/net/publicsuffix"
)

// Site is the domain below which the hosts of one site have their names: the
// parent of a host's name, so that it covers the host and its siblings. Where
// the parent is a public suffix of either section, or the name itself is one,
// strangers have names below it too, and the site is the name itself. A name
// that is no domain is returned as it is.
func Site(host string) string {
	name, err := domain.Normalize(host)
	if err != nil {
		return host
	}
	_, parent, _ := strings.Cut(name, ".")
	if suffix, _ := publicsuffix.PublicSuffix(name); domain.IsBelow(parent, suffix) {
		return parent
	}
	return name
}
