package verify

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"alignd/resolver"
	"alignd/verify/internal/testsign"
)

// htmlBody is a body of about n octets as mail programs write it.
func htmlBody(n int) string {
	const row = "<tr>\r\n <td class=\"x\" width=600>Some words of text that go on for a while, as in a letter.</td>\r\n</tr>\r\n"
	return strings.Repeat(row, 1+n/len(row))
}

// BenchmarkMessage is a whole message, all names cached: SPF, signatures, ARC
// and DMARC, from MAIL FROM to the evidence. Bodies are 20 KB unless said.
func BenchmarkMessage(b *testing.B) {
	plain := strings.Replace(letter("example.com"), "Hello,", htmlBody(20_000), 1)
	for _, c := range []struct{ name, msg string }{
		{name: "signatures=0", msg: plain},
		{name: "signatures=1", msg: signed(plain, "example.com")},
		{name: "signatures=2", msg: signed(plain, "example.com", "provider.example")},
		{name: "arc=2", msg: sealed(signed(plain, "example.com"), 2)},
		{name: "arc=10", msg: sealed(signed(plain, "example.com"), 10)},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, "x@example.com", c.msg) })
	}
	b.Run("signatures=1/includes=3", func(b *testing.B) { benchmark(b, "x@flat.example", signed(plain, "example.com")) })
}

// BenchmarkSize is a message with one relaxed signature: cost by size.
func BenchmarkSize(b *testing.B) {
	for _, kb := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("KB=%d", kb), func(b *testing.B) {
			msg := signed(strings.Replace(letter("example.com"), "Hello,", htmlBody(kb*1000), 1), "example.com")
			b.SetBytes(int64(len(msg)))
			benchmark(b, "x@example.com", msg)
		})
	}
}

// BenchmarkParallel judges on all cores at once. Run it with -cpu 1,2: what is
// short of half the time on two cores is what messages wait for each other, and
// for memory.
func BenchmarkParallel(b *testing.B) {
	play := player(b, "x@example.com", signed(strings.Replace(letter("example.com"), "Hello,", htmlBody(20_000), 1), "example.com"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			play()
		}
	})
}

func benchmark(b *testing.B, mailFrom, msg string) {
	play := player(b, mailFrom, msg)
	b.ReportAllocs()
	for b.Loop() {
		play()
	}
}

// player judges msg at each call; it may be called side by side.
func player(b *testing.B, mailFrom, msg string) func() {
	z, err := resolver.ParseZone(strings.NewReader(roundsZone), "zone")
	if err != nil {
		b.Fatal(err)
	}
	raw, text := testsign.Split(msg)
	fields, body := make([][2][]byte, len(raw)), []byte(text)
	for i, f := range raw {
		name, value, _ := strings.Cut(f, ":")
		fields[i] = [2][]byte{[]byte(name), []byte(value)}
	}
	opt := &Options{}
	env := envelope(mailFrom)
	ctx := context.Background()
	return func() {
		m := Begin(ctx, z, opt, env)
		for _, f := range fields {
			m.Header(f[0], f[1])
		}
		m.EndOfHeader()
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 65535) // a milter's chunk
			m.Body(rest[:n])
			rest = rest[n:]
		}
		ev := m.Finish(ctx)
		if len(ev.DKIM) > 0 && ev.DKIM[0].Result != "pass" || ev.ARC.Result == "fail" {
			b.Errorf("got %+v", ev)
		}
		m.Release()
	}
}
