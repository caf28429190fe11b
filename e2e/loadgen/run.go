package loadgen

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what one run does.
type Load struct {
	Network, Address string
	Conns            int     // connections at a time
	PerConn          int     // messages of a session; 0 means 3
	Messages         int     // in all
	Rate             float64 // messages a second; 0: the next one when one is done
}

// Result is what it took.
type Result struct {
	Elapsed time.Duration
	EOM     []time.Duration // end of message to reply, ascending
	Message []time.Duration // MAIL, or when it was due, to reply, ascending
	Refused int
}

// Quantile is a value of an ascending list: 0.5 is the median.
func Quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

// Run sends the mail in turn.
func Run(l Load, mail []*Message) (Result, error) {
	if l.PerConn <= 0 {
		l.PerConn = 3
	}
	var next atomic.Int64
	parts := make([]Result, l.Conns)
	errs := make([]error, l.Conns)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range l.Conns {
		wg.Go(func() { errs[i] = l.worker(mail, start, &next, &parts[i]) })
	}
	wg.Wait()
	all := Result{Elapsed: time.Since(start)}
	for _, p := range parts {
		all.EOM, all.Message = append(all.EOM, p.EOM...), append(all.Message, p.Message...)
		all.Refused += p.Refused
	}
	slices.Sort(all.EOM)
	slices.Sort(all.Message)
	return all, errors.Join(errs...)
}

// worker plays sessions, one after the other.
func (l *Load) worker(mail []*Message, start time.Time, next *atomic.Int64, res *Result) error {
	for {
		c, err := Dial(l.Network, l.Address)
		if err != nil {
			return fmt.Errorf("connecting to the milter: %w", err)
		}
		for range l.PerConn {
			i := int(next.Add(1)) - 1
			if i >= l.Messages {
				return c.Close()
			}
			begin := time.Now()
			if l.Rate > 0 {
				begin = start.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
				time.Sleep(time.Until(begin))
			}
			reply, eom, err := c.Send(mail[i%len(mail)])
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			if reply != 'a' {
				res.Refused++
			}
			res.EOM, res.Message = append(res.EOM, eom), append(res.Message, time.Since(begin))
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
}
