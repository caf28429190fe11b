package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"alignd/domain"
)

// Names as an admin writes them. What mail holds is read tolerantly; here a name
// that no mail can ever match, or that is ours and would never be found, is a
// fault: an entry that is silently dead, or forged fields that stay.

// name is a domain of one label or more, such as an authserv-id (RFC 8601 section
// 2.5: a host name, mostly).
func name(s string) (string, error) {
	d, err := domain.Written(s)
	if err != nil {
		return "", why(s, err)
	}
	if _, err := netip.ParseAddr(d); err == nil {
		return "", errors.New("it is an IP address")
	}
	if strings.HasPrefix(d, "-") {
		return "", errors.New("a name does not begin with a hyphen; in a list of YAML a blank stands behind the dash")
	}
	return d, nil
}

// AuthservID is an authserv-id as an admin writes it, normalized.
func AuthservID(s string) (string, error) { return name(s) }

// domainOnly is a domain of two labels or more, as those of mail are. localhost is
// what mail of this host may have.
func domainOnly(s string) (string, error) {
	d, err := name(s)
	switch {
	case err != nil:
		return "", err
	case isNumber(d[strings.LastIndexByte(d, '.')+1:]):
		return "", errors.New("it is an IP address, or ends like one")
	case !strings.Contains(d, ".") && d != "localhost":
		return "", errOneWord
	}
	return d, nil
}

var errOneWord = errors.New("one word is no domain")

func isNumber(label string) bool { return strings.Trim(label, "0123456789") == "" }

// why turns an error about a name into what helps, by the shape of the text.
func why(s string, err error) error {
	below, wildcard := strings.CutPrefix(s, "*.")
	_, noAddress := netip.ParseAddr(strings.Trim(s, "[]"))
	var bad *domain.CharacterError
	switch {
	case strings.Contains(s, "://"):
		return errors.New("it is a URL; a name is what stands between // and the next /")
	case wildcard:
		return fmt.Errorf(`"." in front means all below: .%s`, below)
	case strings.HasPrefix(s, "@"):
		return errors.New("no @ stands in front of a domain")
	case strings.Contains(s, "@"):
		return errors.New("it is an address where a domain is wanted")
	case noAddress == nil:
		return errors.New("it is an IP address")
	case isList(s):
		return errors.New("a list is written [a.example, b.example]")
	case strings.ContainsAny(s, "<>"):
		return errors.New("no angle brackets stand around it")
	case strings.Contains(s, "/"):
		return errors.New(`"/" cannot stand in a domain name`)
	case errors.As(err, &bad) && bad.Char <= '~':
		return fmt.Errorf("%q cannot stand in a domain name", bad.Char)
	}
	return err
}

// isList reports whether s is several names in one text.
func isList(s string) bool {
	names := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",; ", r) })
	for _, n := range names {
		if _, err := domain.Written(n); err != nil || !strings.Contains(n, ".") {
			return false
		}
	}
	return len(names) > 1 || len(names) == 1 && strings.ContainsAny(s, ",;")
}

// servID is an authserv-id of ours.
func servID(s string) (string, error) {
	d, err := name(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a domain: %w", s, err)
	}
	return d, nil
}

// domainPattern is a domain, ".example.com" for all below it, or "*".
func domainPattern(s string) (string, error) {
	p, err := pattern(s, domainOnly)
	if err != nil {
		return "", fmt.Errorf("%q is not a domain pattern: %w; allowed: example.com, .example.com (all below it) and *", s, err)
	}
	return p, nil
}

// servIDPattern is a domainPattern for the authserv-id of others, which may be one
// word.
func servIDPattern(s string) (string, error) {
	p, err := pattern(s, name)
	if err != nil {
		return "", fmt.Errorf("%q is not an authserv-id pattern: %w; allowed: mx.example.com, .example.com (all below it) and *", s, err)
	}
	return p, nil
}

func pattern(s string, exact func(string) (string, error)) (string, error) {
	if s == "*" {
		return s, nil
	}
	if rest, below := strings.CutPrefix(s, "."); below {
		d, err := name(rest)
		return "." + d, err
	}
	return exact(s)
}

// authorPattern is a domainPattern or "org:example.com".
func authorPattern(s string) (string, error) {
	var p string
	var err error
	if org, ok := strings.CutPrefix(s, "org:"); ok {
		p, err = domainOnly(org)
		p = "org:" + p
	} else {
		p, err = pattern(s, domainOnly)
	}
	if err != nil {
		return "", fmt.Errorf("%q is not an Author Domain pattern: %w; allowed: example.com, .example.com (all below it), org:example.com (its Organizational Domain) and *", s, err)
	}
	return p, nil
}

// addressPattern is an address, a domainPattern for its domain, "<>" or "*".
func addressPattern(s string) (string, error) {
	if s == "<>" {
		return s, nil
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		p, err := pattern(s, domainOnly)
		if errors.Is(err, errOneWord) {
			err = fmt.Errorf("one word is neither an address nor a domain, write %s@example.com", s)
		}
		if err != nil {
			return "", fmt.Errorf("%q is not an address pattern: %w; allowed: user@example.com, example.com, .example.com, <> and *", s, err)
		}
		return p, nil
	}
	err := localPart(s, s[:at])
	var d string
	if err == nil {
		if strings.HasPrefix(s[at+1:], "[") {
			err = errors.New("a recipient at an address literal is in every stricter entry that lists its local part")
		} else if d, err = name(s[at+1:]); err == nil && isNumber(d[strings.LastIndexByte(d, '.')+1:]) {
			err = errors.New("what follows the @ is an IP address, or ends like one")
		}
	}
	if err != nil {
		return "", fmt.Errorf("%q is not an address such as user@example.com: %w", s, err)
	}
	return strings.ToLower(s[:at]) + "@" + d, nil
}

// localPart refuses what no mailbox has in front of its "@": an unquoted local
// part is a dot-atom, UTF-8 letters included (RFC 5321 section 4.1.2, RFC 6531
// section 3.3).
func localPart(address, local string) error {
	switch {
	case local == "":
		return errors.New("nothing stands in front of the @; a whole domain is written without it")
	case strings.Contains(address, "://"), strings.HasPrefix(strings.ToLower(address), "mailto:"):
		return errors.New("it is a URL; an address has no scheme in front")
	case len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"':
		return nil
	}
	for _, r := range local {
		switch {
		case strings.ContainsRune("<>", r):
			return errors.New("no angle brackets and no name stand around it")
		case r == '@':
			return errors.New("it has more than one @")
		case strings.ContainsRune(`"(),:;[\]`, r), r <= ' ', r == 0x7f:
			return fmt.Errorf("%q cannot stand in front of the @", r)
		case r > 0x7f && !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.S) || r == unicode.ReplacementChar:
			return &domain.CharacterError{Char: r}
		}
	}
	return nil
}

// listPattern is the identifier of a List-Id, or ".suffix" (RFC 2919 section 2). It
// need not be a domain, so only what cannot stand in one at all is refused.
func listPattern(s string) (string, error) {
	if strings.Contains(s, "://") {
		return "", fmt.Errorf("%q is not a List-Id: it is a URL", s)
	}
	for _, r := range s {
		if r > 0x7f && !unicode.In(r, unicode.L, unicode.M, unicode.N) || r == unicode.ReplacementChar {
			return "", fmt.Errorf("%q is not a List-Id: %w", s, &domain.CharacterError{Char: r})
		}
	}
	return s, nil
}

// selector is s= of a signature (RFC 6376 section 3.1).
func selector(s string) (string, error) {
	d, err := name(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a selector: %w", s, err)
	}
	return d, nil
}
