package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Text that somebody sends to be tried costs bounded time and memory, whatever it is.
func TestTextThatIsSentCostsLittle(t *testing.T) {
	laughs := "a0: &a0 [x]\n"
	for i := 1; i < 40; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1)
	}
	many := "exceptions:\n"
	for i := range 3_000 {
		many += fmt.Sprintf("  - {id: e%d, action: accept, proof: {clients: [192.0.2.%d]}, never_expires: true}\n", i, i%256)
	}
	for name, text := range map[string]string{
		"aliases of aliases":      laughs,
		"aliases where they tell": laughs + "listen: *a39\nown_domains: *a39\n",
		"an alias of itself":      "exceptions: &a [*a]\n",
		"deep lists":              strings.Repeat("[", 1<<17),
		"deep lists that end":     "listen: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"deep maps":               strings.Repeat("{a: ", 1<<17),
		"deep by indent":          deepBlock(1_000),
		"many entries":            many,
		"a megabyte of keys":      strings.Repeat("k: v\n", 50_000),
		"many merges":             "x: &x {a: b}\n" + strings.Repeat("- <<: *x\n", 50_000),
		"one long word":           "mode: " + strings.Repeat("a", 1<<17),
		"one long pattern":        "own_domains: [{id: x, domains: ['" + strings.Repeat("*.", 1<<17) + "']}]",
		"long faults":             strings.Repeat("- "+strings.Repeat("x", 1000)+"\n", 1000),
		"NUL and controls":        strings.Repeat("\x00\x1b[2J\u202e", 10_000),
		"many documents":          strings.Repeat("---\nmode: monitor\n", 50_000),
		"many tags":               strings.Repeat("!!binary ", 20_000),
		"many anchors":            "listen: [" + strings.Repeat("&a x, ", 20_000) + "]",
		"many places":             "listen:\n" + strings.Repeat("  - inet:127.0.0.1:8890\n", 20_000),
		"many faulty entries":     "exceptions:\n" + strings.Repeat("  - {id: a, action: accept}\n", 10_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begun := time.Now()
		_, err := Parse([]byte(text), "alignd.yaml", begun)
		took := time.Since(begun)
		runtime.ReadMemStats(&after)
		told := 0
		if err != nil {
			told = len(err.Error())
		}
		if told > 4<<20 || took > 20*time.Second || after.TotalAlloc-before.TotalAlloc > 1<<30 {
			t.Errorf("%s: %v, %d MB, a fault of %d octets", name, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, told)
		} else {
			t.Logf("%s: %v, %d MB, a fault of %d octets", name, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, told)
		}
	}
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
