//go:build unix

package header

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileShapes are what a sender may fill a From with: begin, then unit over and over.
var hostileShapes = []struct{ name, begin, unit string }{
	{"a domain with white space around many dots", "a@", "a. "},
	{"a domain with folds around many dots", "a@", "a.\r\n "},
	{"a domain with comments around many dots", "a@", "a.(c)"},
	{"a domain with wide dots", "a@", "a\u3002"},
	{"an endless label", "a@", "a"},
	{"an endless label of U+00FC", "a@", "\u00fc"},
	{"endless dots", "a@", "."},
	{"endless dots and spaces", "a@a", ". "},
	{"open parentheses", "", "("},
	{"open parentheses in quotes", "\"", "("},
	{"nested comments behind an at sign", "a@b.example(", "(c)"},
	{"closing parentheses", "", ")"},
	{"open quotes", "", "\""},
	{"quotes with an open one", "\"", "\"a\""},
	{"open angle brackets", "", "<"},
	{"closing angle brackets", "", ">"},
	{"an endless angle address", "<", "a "},
	{"open brackets behind at signs", "", "a@["},
	{"brackets behind at signs", "", "a@[b.example],"},
	{"a domain literal with addresses", "a@[", "<a@b.example>"},
	{"at signs", "", "@"},
	{"wide at signs", "", wideAt},
	{"at signs and spaces", "", "@ "},
	{"at signs and openers", "", "@<(\"'"},
	{"an at sign and spaces", "a@", " "},
	{"local parts and at signs", "", "a@"},
	{"one-label addresses", "", "a@b,"},
	{"addresses of one domain", "", "a@b.example,"},
	{"addresses in quotes", "", "\"a@b.example\","},
	{"addresses in comments", "", "(a@b.example),"},
	{"addresses in front of angle addresses", "", "a@b.example <c@d.example>,"},
	{"addresses in front of empty angle addresses", "", "a@b.example <>,"},
	{"at signs in front of one angle address", "", "a@b.example "},
	{"domains that DNS cannot carry", "", "\"a@\xff.\xff\","},
	{"domains that DNS cannot carry, broken", "(", "a@\xff.\xff "},
	{"U-labels that are too long", "(", "a@" + strings.Repeat("\u00fc", 80) + ".example "},
	{"atoms of many characters that no domain has", "(", "a@" + strings.Repeat("!a.b", 250) + " "},
	{"commas", "", ","},
	{"semicolons", "", ";"},
	{"groups", "", "a:"},
	{"groups with an address for a name", "", "\"a@b.example\":"},
	{"empty groups with an address for a name", "", "\"a@b.example\":;"},
	{"routes", "<", "@a,"},
	{"backslashes", "", "\\"},
	{"backslashes in quotes", "\"", "\\\\"},
	{"encoded words", "", "=?utf-8?Q?a=40b.example?= "},
	{"encoded words as elements", "", "=?utf-8?Q?a=40b.example?=,"},
	{"encoded words without an end", "", "=?utf-8?Q?a "},
	{"encoded words without an end in quotes", "\"", "=?utf-8?B?a"},
	{"beginnings of encoded words", "", "=?"},
	{"long charsets", "", "=?" + strings.Repeat("a", 70)},
	{"encoded words of an unknown charset", "", "=?x?B?YQ==?=,"},
	{"encoded words of Shift JIS", "", "=?shift_jis?B?g0A=?="},
	{"one long encoded word", "=?utf-8?B?", "YUBiLmV4YW1wbGUs"},
	{"a long encoded word of broken base64", "=?utf-8?B?", "=Y!"},
	{"escapes", "", "\x1b$B@."},
	{"open parentheses in brackets in front of an angle address", "@[", "("},
	{"quotes in brackets in front of an angle address", "@[", "\""},
	{"square brackets", "", "\"a@b.example\" ]"},
	{"NUL", "a@b.example", "\x00"},
	{"bare line breaks", "a@b.example", "\r"},
	{"an address behind each NUL", "", "\x00a@b.example"},
}

// TestHostileFromIsLinear takes each shape alone, in front of an angle address, and
// behind a slip. With 16 times as much a quadratic algorithm takes 256 times as long.
// What takes less than enough cannot take long with all that an MTA lets through.
func TestHostileFromIsLinear(t *testing.T) {
	const (
		small, large = 16 << 10, 256 << 10
		growth       = 4 * large / small
		enough       = 50 * time.Millisecond
		most         = 5 * time.Second
	)
	for _, shape := range hostileShapes {
		for _, around := range []struct{ begin, end string }{{"", ""}, {"", " <a@evil.example>"}, {"> ", "?="}} {
			value := func(n int) string {
				return around.begin + shape.begin + strings.Repeat(shape.unit, n/len(shape.unit)) + around.end
			}
			AuthorDomains(fromFields(value(1<<10)), 0)
			little, much := leastWork(value(small), 3), leastWork(value(large), 1)
			if much > enough && much > growth*little {
				little, much = leastWork(value(small), 5), leastWork(value(large), 5)
			}
			if much > enough && much > growth*little || much > most {
				t.Errorf("%s (%q, %q): %v for %d KiB, %v for %d KiB", shape.name, around.begin, around.end, little, small>>10, much, large>>10)
			}
			t.Logf("%10v %5.1f times %s (%q, %q)", much, float64(much)/float64(max(little, 1)), shape.name, around.begin, around.end)
		}
	}
}

// leastWork is the least processor time of several runs: unlike the time that passes,
// it does not grow where others keep the machine busy.
func leastWork(value string, runs int) time.Duration {
	h := fromFields(value)
	best := time.Hour
	for range runs {
		start := processorTime()
		AuthorDomains(h, 0)
		best = min(best, processorTime()-start)
	}
	return best
}

// processorTime is what this process has used so far, of all its threads.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
