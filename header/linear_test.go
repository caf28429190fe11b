//go:build unix

package header

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileShapes are what a sender may fill a From with: begin, then unit over and over, then end.
var hostileShapes = []struct{ name, begin, unit, end string }{
	{name: "a domain with white space around many dots", begin: "a@", unit: "a. "},
	{name: "a domain with folds around many dots", begin: "a@", unit: "a.\r\n "},
	{name: "a domain with comments around many dots", begin: "a@", unit: "a.(c)"},
	{name: "a domain with wide dots", begin: "a@", unit: "a\u3002"},
	{name: "an endless label", begin: "a@", unit: "a"},
	{name: "an endless label of U+00FC", begin: "a@", unit: "\u00fc"},
	{name: "endless dots", begin: "a@", unit: "."},
	{name: "endless dots and spaces", begin: "a@a", unit: ". "},
	{name: "open parentheses", unit: "("},
	{name: "open parentheses in quotes", begin: "\"", unit: "("},
	{name: "nested comments behind an at sign", begin: "a@b.example(", unit: "(c)"},
	{name: "closing parentheses", unit: ")"},
	{name: "open quotes", unit: "\""},
	{name: "quotes with an open one", begin: "\"", unit: "\"a\""},
	{name: "open angle brackets", unit: "<"},
	{name: "closing angle brackets", unit: ">"},
	{name: "an endless angle address", begin: "<", unit: "a "},
	{name: "open brackets behind at signs", unit: "a@["},
	{name: "brackets behind at signs", unit: "a@[b.example],"},
	{name: "a domain literal with addresses", begin: "a@[", unit: "<a@b.example>"},
	{name: "at signs", unit: "@"},
	{name: "wide at signs", unit: wideAt},
	{name: "at signs and spaces", unit: "@ "},
	{name: "at signs and openers", unit: "@<(\"'"},
	{name: "an at sign and spaces", begin: "a@", unit: " "},
	{name: "local parts and at signs", unit: "a@"},
	{name: "one-label addresses", unit: "a@b,"},
	{name: "addresses of one domain", unit: "a@b.example,"},
	{name: "addresses in quotes", unit: "\"a@b.example\","},
	{name: "addresses in comments", unit: "(a@b.example),"},
	{name: "addresses in front of angle addresses", unit: "a@b.example <c@d.example>,"},
	{name: "addresses in front of empty angle addresses", unit: "a@b.example <>,"},
	{name: "at signs in front of one angle address", unit: "a@b.example "},
	{name: "domains that DNS cannot carry", unit: "\"a@\xff.\xff\","},
	{name: "domains that DNS cannot carry, broken", begin: "(", unit: "a@\xff.\xff "},
	{name: "U-labels that are too long", begin: "(", unit: "a@" + strings.Repeat("\u00fc", 80) + ".example "},
	{name: "atoms of many characters that no domain has", begin: "(", unit: "a@" + strings.Repeat("!a.b", 250) + " "},
	{name: "commas", unit: ","},
	{name: "semicolons", unit: ";"},
	{name: "groups", unit: "a:"},
	{name: "groups with an address for a name", unit: "\"a@b.example\":"},
	{name: "empty groups with an address for a name", unit: "\"a@b.example\":;"},
	{name: "routes", begin: "<", unit: "@a,"},
	{name: "backslashes", unit: "\\"},
	{name: "backslashes in quotes", begin: "\"", unit: "\\\\"},
	{name: "encoded words", unit: "=?utf-8?Q?a=40b.example?= "},
	{name: "encoded words as elements", unit: "=?utf-8?Q?a=40b.example?=,"},
	{name: "encoded words without an end", unit: "=?utf-8?Q?a "},
	{name: "encoded words without an end in quotes", begin: "\"", unit: "=?utf-8?B?a"},
	{name: "beginnings of encoded words", unit: "=?"},
	{name: "long charsets", unit: "=?" + strings.Repeat("a", 70)},
	{name: "encoded words of an unknown charset", unit: "=?x?B?YQ==?=,"},
	{name: "encoded words of Shift JIS", unit: "=?shift_jis?B?g0A=?="},
	{name: "one long encoded word", begin: "=?utf-8?B?", unit: "YUBiLmV4YW1wbGUs"},
	{name: "commas in one encoded word", begin: "=?utf-8?Q?", unit: "a,", end: "?="},
	{name: "commas in one encoded word with an at sign", begin: "=?utf-8?Q?", unit: "a,", end: "@b?="},
	{name: "empty angle addresses in one encoded word", begin: "=?utf-8?Q?", unit: "<>,", end: "?="},
	{name: "quoted local parts in one encoded word", begin: "=?utf-8?Q?", unit: "\"a\"@b.example,", end: "?="},
	{name: "quoted addresses at literals in one encoded word", begin: "=?utf-8?Q?", unit: "\"a@b\"@[192.0.2.1],", end: "?="},
	{name: "a long encoded word of broken base64", begin: "=?utf-8?B?", unit: "=Y!"},
	{name: "escapes", unit: "\x1b$B@."},
	{name: "open parentheses in brackets in front of an angle address", begin: "@[", unit: "("},
	{name: "quotes in brackets in front of an angle address", begin: "@[", unit: "\""},
	{name: "square brackets", unit: "\"a@b.example\" ]"},
	{name: "NUL", begin: "a@b.example", unit: "\x00"},
	{name: "bare line breaks", begin: "a@b.example", unit: "\r"},
	{name: "the word at", unit: "a at b.example,"},
	{name: "the word at in one element", unit: " at b.example"},
	{name: "the word at in angle brackets", begin: "<", unit: "a at "},
	{name: "middles of encoded words", unit: "x?q?"},
	{name: "middles of encoded words as addresses", unit: "xxx?q?a@b.example,"},
	{name: "encoded words of an unknown encoding without an end", unit: "=?a?x?"},
	{name: "comments that open quotes", unit: "(\")\"a@b.example\","},
	{name: "comments that open quotes beside one address", begin: "a <a@b.example>", unit: "(\")"},
	{name: "elements with comments that open quotes and no address", unit: "a (\") <>,"},
	{name: "base64 without its padding", begin: "a@", unit: "=?utf-8?B?YQ?="},
	{name: "angle addresses in comments in front of angle addresses", unit: "(<a@b.example>)<c@d.example>,"},
	{name: "comments with backslashes", unit: "(\\\\)a,"},
	{name: "quoted strings and words", unit: "\"a@b\" c "},
	{name: "quoted strings with angle addresses behind a word", unit: "x\"<a@b>\""},
	{name: "angle addresses with white space behind quotes", unit: "\"a@b.example\" <c@d.example >,"},
	{name: "comments in angle addresses", begin: "a <a@b.example", unit: "(c@b.example)", end: ">"},
	{name: "names of groups with addresses", unit: "\"a@b.example\" x:"},
	{name: "comments in front of wide at signs", unit: "(a@b.example)a" + wideAt + "b.example,"},
	{name: "an address behind each NUL", unit: "\x00a@b.example"},
}

// TestHostileFromIsLinear takes each shape alone, in front of an angle address, and
// behind a slip, whole and in many parts: both take as long, where a quadratic algorithm
// takes 32 times as long for the whole. All times are compared with others of this machine.
func TestHostileFromIsLinear(t *testing.T) {
	const (
		small, large = 4 << 10, 128 << 10
		parts        = large / small
		growth       = parts / 4
		most         = 2000 // times what as many commas take
	)
	reference := leastWork(strings.Repeat(",", large), 1, 5)
	for _, shape := range hostileShapes {
		for _, around := range []struct{ begin, end string }{{}, {end: " <a@evil.example>"}, {begin: "> ", end: "?="}} {
			value := func(n int) string {
				return around.begin + shape.begin + strings.Repeat(shape.unit, n/len(shape.unit)) + shape.end + around.end
			}
			AuthorDomains(fromFields(value(1<<10)), 0)
			little, much := leastWork(value(small), parts, 1), leastWork(value(large), 1, 1)
			for tries := 0; tries < 5 && (much > growth*little || much > most*reference); tries++ { // what else the process did
				little, much = max(little, leastWork(value(small), parts, 1)), min(much, leastWork(value(large), 1, 1))
			}
			if much > growth*little || much > most*reference {
				t.Errorf("%s (%q, %q): %v for %d KiB, %v for %d times %d KiB, %v for commas", shape.name, around.begin, around.end, much, large>>10, little, parts, small>>10, reference)
			}
			t.Logf("%10v %5.1f times %s (%q, %q)", much, float64(much)/float64(max(little, 1)), shape.name, around.begin, around.end)
		}
	}
}

// leastWork is the least processor time of several runs, each of some times: unlike the time
// that passes, it does not grow where others keep the machine busy.
func leastWork(value string, times, runs int) time.Duration {
	h := fromFields(value)
	best := time.Duration(1<<63 - 1)
	for range runs {
		start := processorTime()
		for range times {
			AuthorDomains(h, 0)
		}
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
