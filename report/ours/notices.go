package ours

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"alignd/report/send"
)

// The numbers are ours. A store that is away is tried again, and what is lost by a kill
// meanwhile the next report brings again.
const (
	noticesWait = 100
	noticeTries = 10
	noticePause = 30 * time.Second
)

// incoming is a notification that the milter saw.
type incoming struct {
	recipient string
	message   []byte
}

// Expects is for filter.Notices.
func (r *Reporter) Expects(recipient string) bool {
	s := r.sender.Load()
	return s != nil && s.Expects(recipient)
}

// Take is for filter.Notices. Mail does not wait for it.
func (r *Reporter) Take(recipient string, message []byte) {
	select {
	case r.notices <- incoming{recipient, message}:
	default:
		r.log.Warn("a notification about a report is left out, as too many came at once")
	}
}

// takeNotices works on what came.
func (r *Reporter) takeNotices(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-r.notices:
			r.takeNotice(ctx, log, n)
		}
	}
}

func (r *Reporter) takeNotice(ctx context.Context, log *slog.Logger, n incoming) {
	for try := 1; ; try++ {
		_, err := r.sender.Load().Bounce(ctx, bytes.NewReader(n.message), []string{n.recipient})
		switch {
		case err == nil:
			return
		case errors.Is(err, send.ErrNoBounce):
			log.Info("mail to the envelope sender of a report is no notification", "reason", err.Error())
			return
		case try == noticeTries || ctx.Err() != nil:
			log.Warn("a notification about a report is not taken note of", "err", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(noticePause):
		}
	}
}
