package domain

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// CharacterError tells of a character that no domain name can hold.
type CharacterError struct{ Char rune }

func (e *CharacterError) Error() string {
	shown := string(e.Char)
	if !unicode.IsGraphic(e.Char) || unicode.IsSpace(e.Char) || ignorable(e.Char) {
		shown = ""
	}
	return strings.TrimSpace(fmt.Sprintf("%s (U+%04X) %s", shown, e.Char, e.hint()))
}

func (e *CharacterError) hint() string {
	switch {
	case strings.ContainsRune("\"'`´“”„‟‘’‚‛«»‹›′″〝〞〟「」＂＇", e.Char):
		return "is a quotation mark, which is no part of a name"
	case unicode.Is(unicode.Pd, e.Char) || e.Char == '\u2212' || e.Char == '\u00ad' || e.Char == '\u2043':
		return "is a dash; a name has the hyphen of the keyboard"
	case unicode.IsSpace(e.Char):
		return "is a space"
	case strings.ContainsRune("…。．｡․·", e.Char):
		return "is not the dot between the labels of a name"
	case ignorable(e.Char):
		return "is a character that cannot be seen"
	}
	return "cannot stand in a domain name (RFC 5892)"
}

// Errors of Written, beside those of Normalize.
var errALabel = errors.New("a label begins with xn-- and is no A-label")

// strict is lookup with the rules of RFC 5891 section 4.2 that x/net/idna knows.
var strict = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(false),
	idna.ValidateLabels(true), idna.CheckJoiners(true), idna.CheckHyphens(false))

// Written is Normalize for names that a person wrote, or that are to be taken by
// the letter. Normalize maps and lets through what mail may hold; here only capitals
// and the composition of letters are forgiven, and each character must be one that
// IDNA2008 allows (RFC 5891 section 4.2, RFC 5892): no typographic quotes, dashes
// and dots, no full-width letters, nothing that cannot be seen. An A-label must
// be one. Where a character is at fault the error is a *CharacterError.
func Written(name string) (string, error) {
	normal, err := Normalize(name)
	if !utf8.ValidString(name) {
		return "", errCharacter
	}
	lower := norm.NFC.String(strings.ToLower(norm.NFC.String(name)))
	for label := range strings.SplitSeq(lower, ".") {
		if bad := forbidden([]rune(label)); bad >= 0 {
			return "", &CharacterError{bad}
		}
	}
	if err != nil {
		return "", err
	}
	ascii := lower
	if !isASCII(lower) {
		if ascii, err = strict.ToASCII(lower); err != nil {
			return "", errCharacter
		}
	}
	if strings.TrimSuffix(ascii, ".") != normal {
		return "", errCharacter // what mail holds would be compared with another name
	}
	for label := range strings.SplitSeq(normal, ".") {
		if code, ok := strings.CutPrefix(label, "xn--"); ok {
			if u, err := idna.Punycode.ToUnicode(label); err != nil || code == "" || isASCII(u) {
				return "", errALabel
			}
		}
	}
	return normal, nil
}

// forbidden returns the first character of a label that RFC 5892 does not allow
// there, or -1. The label is in lower case and composed (NFC).
func forbidden(label []rune) rune {
	for i, r := range label {
		if r < utf8.RuneSelf && !allowed(byte(r)) || r >= utf8.RuneSelf && !permitted(r) && !inContext(label, i) {
			return r
		}
	}
	return -1
}

// exceptions are those of RFC 5892 section 2.6, PVALID and DISALLOWED.
var exceptions = map[rune]bool{
	'\u00df': true, '\u03c2': true, '\u06fd': true, '\u06fe': true, '\u0f0b': true, '\u3007': true,
	'\u0640': false, '\u07fa': false, '\u302e': false, '\u302f': false, '\u3031': false, '\u3032': false,
	'\u3033': false, '\u3034': false, '\u3035': false, '\u303b': false,
}

// permitted is PVALID of RFC 5892 section 3, for a character that is no US-ASCII.
func permitted(r rune) bool {
	if yes, ok := exceptions[r]; ok {
		return yes
	}
	switch {
	case norm.NFKC.String(string(r)) != string(r), ignorable(r), inBlock(r):
		return false
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

// ignorable is IgnorableProperties of RFC 5892 section 2.3.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.White_Space, unicode.Noncharacter_Code_Point)
}

// inBlock is IgnorableBlocks and OldHangulJamo of RFC 5892 sections 2.4 and 2.9.
func inBlock(r rune) bool {
	for _, b := range [][2]rune{{0x20d0, 0x20ff}, {0x1d100, 0x1d1ff}, {0x1d200, 0x1d24f},
		{0x1100, 0x11ff}, {0xa960, 0xa97f}, {0xd7b0, 0xd7ff}} {
		if b[0] <= r && r <= b[1] {
			return true
		}
	}
	return false
}

// inContext is CONTEXTJ and CONTEXTO (RFC 5892 appendix A). Joiners are left to
// idna.CheckJoiners, and digits are permitted already.
func inContext(label []rune, i int) bool {
	at := func(i int) rune {
		if i < 0 || i >= len(label) {
			return 0
		}
		return label[i]
	}
	switch label[i] {
	case '\u200c', '\u200d':
		return i > 0
	case '\u00b7': // appendix A.3: between two l
		return at(i-1) == 'l' && at(i+1) == 'l'
	case '\u0375': // A.4: before a Greek letter
		return unicode.Is(unicode.Greek, at(i+1))
	case '\u05f3', '\u05f4': // A.5, A.6: behind a Hebrew letter
		return unicode.Is(unicode.Hebrew, at(i-1))
	case '\u30fb': // A.7: with a character of Japanese
		for _, r := range label {
			if unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) {
				return true
			}
		}
	}
	return false
}
