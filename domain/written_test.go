package domain

import (
	"errors"
	"testing"
)

func TestWrittenTakesNames(t *testing.T) {
	for name, want := range map[string]string{
		"example.com":           "example.com",
		"EXAMPLE.Com.":          "example.com",
		"mx1":                   "mx1",
		"_dmarc.x_y.example":    "_dmarc.x_y.example",
		"bücher.example":        "xn--bcher-kva.example",
		"BÜCHER.example":        "xn--bcher-kva.example",
		"bu\u0308cher.example":  "xn--bcher-kva.example",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
		"XN--BCHER-KVA.example": "xn--bcher-kva.example",
		"xn--i-7iq.example":     "xn--i-7iq.example", // an emoji; DNS has such names
		"例え.テスト":                "xn--r8jz45g.xn--zckzah",
		"コーヒー・ハウス.example":      "",
		"faß.example":           "xn--fa-hia.example",
		"παράδειγμα.ελ":         "",
		"испытание.рф":          "",
		"مثال.example":          "",
		"דוגמה.example":         "",
		"उदाहरण.भारत":           "",
		"ශ්\u200dරී.example":    "", // ZERO WIDTH JOINER behind a virama
		"paral·lel.example":     "",
		"͵α.example":            "", // GREEK LOWER NUMERAL SIGN before a Greek letter
		"ג׳.example":            "", // GERESH behind a Hebrew letter
		"דו״ח.example":          "", // GERSHAYIM
		"〇.example":             "", // an exception of RFC 5892 section 2.6
		"한국.example":            "",
		"中国.cn":                 "",
	} {
		got, err := Written(name)
		normal, _ := Normalize(name)
		if err != nil || got != normal || want != "" && got != want {
			t.Errorf("Written(%q) = %q, %v; Normalize gives %q, want %q", name, got, err, normal, want)
		}
	}
}

func TestWrittenRefusesWhatOnlyLooksLikeAName(t *testing.T) {
	for name, char := range map[string]rune{
		"“mx.here.test”":        '“',
		"‘mx.here.test’":        '‘',
		"«mx.here.test»":        '«',
		"„mx.here.test“":        '„',
		"\"mx.here.test\"":      '"',
		"mx’s.here.test":        '’',
		"ex–ample.com":          '–',
		"ex—ample.com":          '—',
		"ex‐ample.com":          '‐',
		"ex−ample.com":          '−',
		"ex\u00adample.com":     '\u00ad',
		"example…com":           '…',
		"example。com":           '。',
		"example．com":           '．',
		"example․com":           '․',
		"example·com":           '·',
		"al·om.example":         '·', // between two l only (RFC 5892 appendix A.3)
		"am·lo.example":         '·',
		"l·.example":            '·',
		"·l.example":            '·',
		"͵a.example":            '͵', // A.4
		"α͵.example":            '͵',
		"a׳.example":            '׳',      // A.5
		"״ד.example":            '״',      // A.6
		"a・b.example":           '・',      // A.7
		"مـح.example":           'ـ',      // section 2.6
		"a\u20d0.example":       '\u20d0', // section 2.4
		"a\u20ff.example":       '\u20ff',
		"\u1100.example":        '\u1100', // section 2.9
		"exam\u00a0ple.com":     '\u00a0',
		"\u00a0example.com":     '\u00a0',
		"exam ple.com":          ' ',
		"example.com\u200b":     '\u200b',
		"\ufeffexample.com":     '\ufeff',
		"exam\u200dple.com":     0,
		"exam\u2060ple.com":     '\u2060',
		"example\u202e.com":     '\u202e',
		"exam\ufe0fple.com":     '\ufe0f',
		"exam\u034fple.com":     '\u034f',
		"\u3164.example":        '\u3164',
		"ｅxample.com":           'ｅ',
		"eﬁ.example":            'ﬁ',
		"x².example":            '²',
		"№.example":             '№',
		"i❤.example":            '❤',
		"😀.example":             '😀',
		"€.example":             '€',
		"a©.example":            '©',
		"exam•ple.com":          '•',
		"example.com,":          ',',
		"*.example.com":         '*',
		"https://example.com":   ':',
		"user@example.com":      '@',
		"a\u0640b.example":      '\u0640',
		"xn--.example":          0,
		"xn--\u00fc.example":    0,
		"b\xfccher.example":     0,
		"a..example":            0,
		"":                      0,
		".":                     0,
		"\u0661\u05d0a.example": 0,
	} {
		got, err := Written(name)
		var bad *CharacterError
		if err == nil || errors.As(err, &bad) != (char != 0) || bad != nil && bad.Char != char {
			t.Errorf("Written(%q) = %q, %v; want an error about %q", name, got, err, char)
		}
	}
}

func TestCharacterErrorsSayWhatItIs(t *testing.T) {
	for char, want := range map[rune]string{
		'“':      "“ (U+201C) is a quotation mark, which is no part of a name",
		'–':      "– (U+2013) is a dash; a name has the hyphen of the keyboard",
		'\u00a0': "(U+00A0) is a space",
		'\u200b': "(U+200B) is a character that cannot be seen",
		'…':      "… (U+2026) is not the dot between the labels of a name",
		'€':      "€ (U+20AC) cannot stand in a domain name (RFC 5892)",
	} {
		if got := (&CharacterError{char}).Error(); got != want {
			t.Errorf("%U: %q, want %q", char, got, want)
		}
	}
}

// What Written takes is what mail is compared with.
func FuzzWritten(f *testing.F) {
	for _, s := range []string{"example.com", "bücher.example", "例え.テスト", "xn--bcher-kva.example", "“a”.b", "İ.example", "ẞ.example", "a\u0307i.example", "ς.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := Written(name)
		if err != nil {
			return
		}
		if normal, err := Normalize(name); err != nil || normal != got {
			t.Fatalf("Written(%q) = %q, Normalize %q, %v", name, got, normal, err)
		}
		if again, err := Written(got); err != nil || again != got {
			t.Fatalf("Written(%q) = %q, and of that %q, %v", name, got, again, err)
		}
	})
}
