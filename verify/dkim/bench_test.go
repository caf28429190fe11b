package dkim_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/header"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"
)

func BenchmarkMessage(b *testing.B) {
	for _, n := range []int{1, 2, 10} {
		msg := message
		for range n {
			msg = testsign.DKIM(msg, rsaKey, tags)
		}
		b.Run(fmt.Sprintf("signatures=%d", n), func(b *testing.B) { benchmarkMessage(b, msg) })
	}
	b.Run("adversarial-h", func(b *testing.B) { benchmarkMessage(b, manyNames()) })
}

func benchmarkMessage(b *testing.B, msg string) {
	fields, _, err := header.Read(bufio.NewReader(strings.NewReader(msg)), header.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	_, text := testsign.Split(msg)
	lk := &cached{DNS: keyFor(rsaKey.Record())}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		var body dkim.Body
		v := dkim.Start(ctx, fields, &body, lk, dkim.Options{Now: now})
		body.Write([]byte(text))
		v.Finish(ctx)
		body.Reset()
	}
}

// manyNames is a 96 KB message with 16,000 names in h=.
func manyNames() string {
	msg := message
	for i := range 4000 {
		msg = fmt.Sprintf("a%d: x\r\n", 10+i%50) + msg
	}
	return testsign.DKIM(msg, rsaKey, with("h=from", "h="+strings.Repeat("a10:a59:", 8000)+"from"))
}

// The limit is far above what it takes, and far below the seconds of quadratic
// picking. The best of several runs counts, as machines are busy.
func TestManyNamesCostMilliseconds(t *testing.T) {
	msg := manyNames()
	best := time.Hour
	for range 10 {
		start := time.Now()
		sigs, _ := verify(t, msg, keyFor(rsaKey.Record()), dkim.Options{}, 0)
		best = min(best, time.Since(start))
		if sigs[0].Result != "pass" || len(sigs[0].SignedHeaders) < 16_000 {
			t.Fatalf("got %s %s, %d names", sigs[0].Result, sigs[0].Reason, len(sigs[0].SignedHeaders))
		}
	}
	if limit := 50 * time.Millisecond * slow; best > limit {
		t.Errorf("a message of %d octets took %v, limit %v", len(msg), best, limit)
	}
}
