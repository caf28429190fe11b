package policy

import (
	"errors"
	"iter"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// patternKind says what a pattern compares.
type patternKind uint8

const (
	exactDomain patternKind = iota
	belowDomain             // any domain below it
	orgDomain               // any domain with this Organizational Domain
	anyDomain
	fullAddress // local part and domain
	nullPath    // the null reverse-path
	listSuffix  // any List-Id below it
	hostUser    // this local part at an address that names no domain; see hostPatterns
	hostAny     // any local part there
	someLocal   // a local part of this domain; see dropped
)

// pattern is one parsed pattern. It is a map key: what an observation can
// match is a handful of patterns, so a set of any size is asked by look-ups.
type pattern struct {
	kind patternKind
	name string
}

var (
	errPatternEmpty  = errors.New("is empty")
	errPatternDomain = errors.New("is not a domain in lower-case A-labels (letters, digits, '-', '_' and '.')")
	errPatternAt     = errors.New("is an address where a domain is wanted")
	errPatternOrg    = errors.New(`"org:" is for Author Domains only`)
	errPatternAny    = errors.New("holds for anybody, so it proves nothing")
	errPatternList   = errors.New("is not a List-Id identifier: it holds white space or angle brackets")
	errPatternTLD    = errors.New("holds for anybody who registers a name there, so it proves nothing")
)

// parseDomain parses a domain pattern. Case and one trailing dot are forgiven.
func parseDomain(s string) (pattern, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	p := pattern{kind: exactDomain, name: s}
	switch {
	case s == "":
		return p, errPatternEmpty
	case s == "*":
		return pattern{kind: anyDomain}, nil
	case strings.HasPrefix(s, "org:"):
		p = pattern{kind: orgDomain, name: s[len("org:"):]}
	case strings.HasPrefix(s, "."):
		p = pattern{kind: belowDomain, name: s[1:]}
	case strings.Contains(s, "@"):
		return p, errPatternAt
	}
	p.name = strings.TrimSuffix(p.name, ".")
	if !isDomain(p.name) {
		return p, errPatternDomain
	}
	return p, nil
}

// parseProof parses a domain pattern that is to prove something.
func parseProof(s string) (pattern, error) {
	p, err := parseDomain(s)
	switch {
	case err != nil:
		return p, err
	case p.kind == orgDomain:
		return p, errPatternOrg
	case p.kind == anyDomain:
		return p, errPatternAny
	case p.kind == belowDomain && !strings.Contains(p.name, "."):
		return p, errPatternTLD
	}
	return p, nil
}

// parsePlain parses a domain pattern where no Organizational Domain is known.
func parsePlain(s string) (pattern, error) {
	p, err := parseDomain(s)
	if err == nil && p.kind == orgDomain {
		err = errPatternOrg
	}
	return p, err
}

// parseAddress parses an address pattern.
func parseAddress(s string) (pattern, error) {
	s = strings.TrimSpace(s)
	if s == "<>" {
		return pattern{kind: nullPath}, nil
	}
	local, domain, ok := cutAddress(s)
	if !ok {
		return parsePlain(s)
	}
	if local == "" { // "@example.com" is a way to write the domain
		return parsePlain(domain)
	}
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if domain == "" || strings.HasSuffix(domain, ".") || strings.ContainsAny(domain, "<>,;\"") || strings.ContainsFunc(domain, unicode.IsSpace) {
		return pattern{}, errPatternDomain
	}
	return pattern{kind: fullAddress, name: strings.ToLower(local) + "@" + domain}, nil
}

// parseList parses a List-Id identifier, exact or ".suffix". It need not be a
// domain (RFC 2919 section 2).
func parseList(s string) (pattern, error) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "<"); ok {
		s = strings.TrimSuffix(inner, ">")
	}
	s = strings.ToLower(s)
	switch {
	case s == "" || s == ".":
		return pattern{}, errPatternEmpty
	case strings.ContainsAny(s, "<>") || strings.ContainsFunc(s, unicode.IsSpace):
		return pattern{}, errPatternList
	case s == "*":
		return pattern{kind: anyDomain}, nil
	case s[0] == '.':
		return pattern{kind: listSuffix, name: s[1:]}, nil
	}
	return pattern{kind: exactDomain, name: s}, nil
}

// isDomain reports whether s is a normalized domain: labels of 1-63 octets,
// 253 in all (RFC 1035 section 2.3.4).
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// isBelow reports whether name is a proper subdomain of parent.
func isBelow(name, parent string) bool {
	return parent != "" && len(name) > len(parent) &&
		strings.HasSuffix(name, parent) && name[len(name)-len(parent)-1] == '.'
}

// cutAddress splits at the last "@" (RFC 5321 section 4.1.2: a quoted local
// part may hold one).
func cutAddress(s string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}

// dropped reports whether the local part of an address was not kept: what is left of
// it is "@" and the domain, which no mailbox has (RFC 5321 section 4.1.2). Entries that
// list a local part of that domain are then undecidable.
func dropped(address string) bool { return strings.LastIndexByte(address, '@') == 0 }

// maxParents is how many parents of a name are compared; DNS allows 126.
const maxParents = 127

// domainKeys yields every pattern that a domain matches, most specific first,
// without those for its Organizational Domain.
func domainKeys(name string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		if name != "" && !yield(pattern{exactDomain, name}) {
			return
		}
		parent := name
		for range maxParents {
			dot := strings.IndexByte(parent, '.')
			if dot < 0 {
				break
			}
			parent = parent[dot+1:]
			if !yield(pattern{belowDomain, parent}) {
				return
			}
		}
		yield(pattern{kind: anyDomain})
	}
}

// authorKeys is domainKeys with the pattern for the Organizational Domain org; there
// is none where that is "", not known.
func authorKeys(name, org string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		for p := range domainKeys(name) {
			if p.kind == anyDomain && org != "" && !yield(pattern{orgDomain, org}) {
				return
			}
			if !yield(p) {
				return
			}
		}
	}
}

// strictAuthorKeys is authorKeys for entries that make an outcome stricter:
// "org:" takes the domain and everything below it, whatever DNS says. Who owns a
// domain can make each name below it an Organizational Domain of its own, by
// psd=n or, without a record above, by publishing nothing (RFC 9989 section
// 4.10.2), and so would choose whether the entry holds.
func strictAuthorKeys(name, org string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		_ = yieldAll(authorKeys(name, org), yield) && yieldAll(namesAbove(name), yield)
	}
}

// namesAbove yields the "org:" patterns of name and of everything above it, nearest
// first: one of them is that of its Organizational Domain.
func namesAbove(name string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		for range maxParents {
			if name == "" || !yield(pattern{orgDomain, name}) {
				return
			}
			_, name, _ = strings.Cut(name, ".")
		}
	}
}

// yieldAll hands keys on; it is false once yield was.
func yieldAll(keys iter.Seq[pattern], yield func(pattern) bool) bool {
	for p := range keys {
		if !yield(p) {
			return false
		}
	}
	return true
}

// addressKeys yields every pattern that an address matches. delimiters end the
// local part (Spec.ExtensionDelimiters).
func addressKeys(address, delimiters string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		if address == "" {
			_ = yield(pattern{kind: nullPath}) && yield(pattern{kind: anyDomain})
			return
		}
		address = strings.ToLower(address)
		local, domain, ok := cutAddress(address)
		domain = strings.TrimSuffix(domain, ".")
		switch {
		case dropped(address):
			if !yield(pattern{someLocal, domain}) {
				return
			}
		case ok:
			for l := range localParts(local, delimiters) {
				if !yield(pattern{fullAddress, l + "@" + domain}) {
					return
				}
			}
		}
		for p := range domainKeys(domain) {
			if !yield(p) {
				return
			}
		}
	}
}

// localParts yields the spellings of a local part: as it is, without its extension,
// and both without the quotes that it does not need (RFC 5321 section 4.1.2:
// "ceo"@ and ceo@ are one mailbox).
func localParts(local, delimiters string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			if !yield(local) {
				return
			}
			if delimiters != "" {
				if at := strings.IndexAny(local, delimiters); at > 0 && !yield(local[:at]) {
					return
				}
			}
			if len(local) < 3 || local[0] != '"' || local[len(local)-1] != '"' {
				return
			}
			local = quotedPair.ReplaceAllString(local[1:len(local)-1], "$1")
		}
	}
}

var quotedPair = regexp.MustCompile(`\\(.)`)

// hostKeys yields the patterns of hostPatterns that a recipient matches, if it is
// a mailbox of this host whose domain is not said: an address literal (RFC 5321
// section 4.1.3), an address as a domain, or no domain at all. The MTA delivers
// it to a mailbox of one of its domains, and it does not tell of which.
func hostKeys(address, delimiters string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		local, domain, _ := cutAddress(strings.ToLower(address))
		if dropped(address) && namesHost(domain) {
			_ = yield(pattern{kind: someLocal}) && yield(pattern{kind: hostAny})
			return
		}
		if local == "" || !namesHost(domain) {
			return
		}
		for l := range localParts(local, delimiters) {
			if !yield(pattern{hostUser, l}) {
				return
			}
		}
		yield(pattern{kind: hostAny})
	}
}

// namesHost reports whether what stands behind the "@" is no domain name.
func namesHost(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || domain[0] == '[' {
		return true
	}
	_, err := netip.ParseAddr(domain)
	return err == nil
}

// hostPatterns are the patterns by which entries with s that make an outcome
// stricter hold for a recipient that hostKeys knows: those that list an address
// with its local part, and those that list a whole domain.
func hostPatterns(s set) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		for p := range s {
			switch p.kind {
			case fullAddress:
				local, _, _ := cutAddress(p.name)
				if !yield(pattern{kind: someLocal}) {
					return
				}
				p = pattern{hostUser, local}
			case exactDomain, belowDomain:
				p = pattern{kind: hostAny}
			default:
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}

// addHostPatterns adds the hostPatterns of s to it.
func addHostPatterns(s set) {
	for p := range hostPatterns(maps.Clone(s)) {
		s[p] = struct{}{}
	}
}

// listKeys yields every pattern that a List-Id matches.
func listKeys(id string) iter.Seq[pattern] {
	return func(yield func(pattern) bool) {
		if id == "" || !yield(pattern{exactDomain, id}) {
			return
		}
		for range maxParents {
			dot := strings.IndexByte(id, '.')
			if dot < 0 {
				break
			}
			id = id[dot+1:]
			if !yield(pattern{listSuffix, id}) {
				return
			}
		}
		yield(pattern{kind: anyDomain})
	}
}
