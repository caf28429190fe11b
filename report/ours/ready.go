package ours

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"alignd/report/send"
	"alignd/resolver"
)

// lookAgainAfter is when DNS is asked again that did not answer; ours. A host that starts
// may have none yet.
var lookAgainAfter = []time.Duration{time.Minute, 10 * time.Minute, time.Hour}

// tellReady warns of what reports lack in DNS. It is beside mail, and nothing waits for it.
func tellReady(ctx context.Context, lk resolver.Lookuper, id send.Identity, log *slog.Logger) {
	var told []send.Fact
	for try := 0; ; try++ {
		silent := false
		for _, f := range send.Ready(ctx, lk, id) {
			silent = silent || f.State == send.Unknown
			if f.State == send.Right || ctx.Err() != nil || slices.Contains(told, f) {
				continue
			}
			told = append(told, f)
			if f.State == send.Wrong {
				log.Warn("reports may not pass DMARC", "check", string(f.Subject), "dns_name", f.Name, "problem", f.Say)
			} else {
				log.Info("whether reports pass DMARC is not known", "check", string(f.Subject), "dns_name", f.Name, "reason", f.Say)
			}
		}
		if !silent || try >= len(lookAgainAfter) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgainAfter[try]):
		}
	}
}
