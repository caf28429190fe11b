package filter_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"alignd/e2e/loadgen"
	"alignd/filter"
	"alignd/filter/milter"
	"alignd/judge"
	"alignd/policy"
	"alignd/resolver"
)

// BenchmarkMessage is a whole message from MAIL to the reply, through a unix
// socket, all checks, policy, Authentication-Results and the log line. DNS is a
// zone in memory. The time is of both ends of the socket.
func BenchmarkMessage(b *testing.B) {
	mail, err := loadgen.NewMail(1)
	if err != nil {
		b.Fatal(err)
	}
	text, err := mail.Zone()
	if err != nil {
		b.Fatal(err)
	}
	zone, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(discard{}, nil))
	f := filter.New(zone, judge.NewLog(log.Handler()), &judge.Settings{Rules: policy.Defaults(), Strip: judge.StripOwn, TagName: "X-Alignd", SamplingSecret: []byte("s")})
	server, err := milter.New(milter.Options{Handler: f.Session, Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "s")
	ln, err := milter.Listen("unix:"+path, milter.SocketOptions{})
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(ln)
	defer server.Shutdown(context.Background())
	for _, kb := range []int{3, 20, 100} {
		for _, signers := range [][]string{nil, {"author1.example"}, {"author1.example", "provider.example"}} {
			b.Run(fmt.Sprintf("KB=%d/signatures=%d", kb, len(signers)), func(b *testing.B) {
				msg, err := mail.Message("author1.example", kb*1000, signers...)
				if err != nil {
					b.Fatal(err)
				}
				c, err := loadgen.Dial("unix", path)
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				b.ReportAllocs()
				for b.Loop() {
					if reply, _, err := c.Send(msg); reply != 'a' || err != nil {
						b.Fatalf("got %q, %v", reply, err)
					}
				}
			})
		}
	}
}

// discard takes the log, so that the line is rendered (slog.DiscardHandler
// would leave it out).
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
