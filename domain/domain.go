// Package domain turns domain names from outside into the one spelling that
// everything behind the edge uses: lower-case A-labels without a trailing dot
// (RFC 5890, RFC 8616).
package domain

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxLength is the longest name in octets of its textual form without the
// trailing dot. RFC 1035 section 2.3.4: 255 octets on the wire.
const MaxLength = 253

// MaxLabel is the longest label in octets. RFC 1035 section 2.3.4.
const MaxLabel = 63

// Errors of Normalize.
var (
	errEmpty     = errors.New("empty domain name")
	errTooLong   = errors.New("domain name too long")
	errLabel     = errors.New("empty or overlong label in domain name")
	errCharacter = errors.New("character not allowed in a domain name")
)

// lookup converts U-labels for a DNS look-up (IDNA2008 with the mappings of
// UTS 46, non-transitional). Characters and lengths are checked by Normalize,
// as names with an underscore are legitimate here.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(false))

// Normalize returns name as lower-case A-labels without trailing dot. ASCII
// labels may hold letters, digits, hyphens and underscores only. One trailing
// dot is removed. It is safe for concurrent use.
func Normalize(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "", errEmpty
	}
	if len(name) > 4*MaxLength { // cheaper than converting it; a U-label may shrink
		return "", errTooLong
	}
	if !isASCII(name) {
		if !utf8.ValidString(name) {
			return "", errCharacter
		}
		ascii, err := lookup.ToASCII(name)
		if err != nil {
			return "", err
		}
		name = strings.TrimSuffix(ascii, ".")
	}
	if err := check(name); err != nil {
		return "", err
	}
	return strings.ToLower(name), nil
}

func check(name string) error {
	if len(name) > MaxLength {
		return errTooLong
	}
	label := 0
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			if label == 0 || label > MaxLabel {
				return errLabel
			}
			label = 0
			continue
		}
		if !allowed(name[i]) {
			return errCharacter
		}
		label++
	}
	return nil
}

func allowed(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// IsBelow reports whether name is a proper subdomain of parent, on a label
// boundary. Both are normalized.
func IsBelow(name, parent string) bool {
	return len(name) > len(parent) && parent != "" &&
		strings.HasSuffix(name, parent) && name[len(name)-len(parent)-1] == '.'
}

// Parent drops the left-most label; it is empty for a single label.
func Parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// NormalizeAddress returns a mailbox with its domain normalized; the local
// part stays as it is. What has no usable domain is returned as it was.
func NormalizeAddress(mailbox string) string {
	at := strings.LastIndexByte(mailbox, '@')
	if at < 0 {
		return mailbox
	}
	d, err := Normalize(mailbox[at+1:])
	if err != nil {
		return mailbox
	}
	return mailbox[:at+1] + d
}
