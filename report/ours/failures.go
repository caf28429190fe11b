package ours

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"alignd/header"
	"alignd/internal/owned"
	"alignd/journal/state"
	"alignd/record"
	"alignd/report/send"
)

// failureWatch hears of messages for failure reports. It takes nothing before the key of
// redaction is there.
type failureWatch struct{ holder atomic.Pointer[send.Holder] }

func (w *failureWatch) note(r *record.Record, h *header.Fields) func(bool) {
	if holder := w.holder.Load(); holder != nil {
		return holder.Note(r, h)
	}
	return nil
}

// left is how many messages are in no failure report, as a limit was reached.
func (w *failureWatch) left() uint64 {
	if holder := w.holder.Load(); holder != nil {
		return uint64(holder.Left())
	}
	return 0
}

// start takes what is due, where failure reports are on. All hosts share the key
// of redaction, which is drawn once.
func (w *failureWatch) start(ctx context.Context, st *state.State, s *send.Settings, ended *sync.WaitGroup) {
	if s.Failures.Every <= 0 {
		return
	}
	ended.Go(func() {
		owned.Guarded(s.Log, "failure reports", func() {
			defer w.holder.Store(nil)
			for {
				key, err := st.Secret(ctx, "redaction of failure reports", func() []byte {
					key := make([]byte, 32)
					rand.Read(key) // it never fails
					return key
				})
				if err == nil {
					settings := *s
					settings.Failures.Key = key
					holder := send.NewHolder(st, &settings)
					w.holder.Store(holder)
					holder.Run(ctx)
					return
				}
				s.Log.Warn("failure reports wait", "err", err)
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Minute):
				}
			}
		})
	})
}
