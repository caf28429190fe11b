package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress is a bar on a terminal; elsewhere it shows nothing. How far a replay is, is
// told by the time of the messages: nobody has counted them before.
type progress struct {
	out         io.Writer                              // nil: nothing is shown
	told        func(newest time.Time, records uint64) // hears all, if set
	first, last time.Time
	begun       time.Time
	shown       time.Time
}

// newProgress shows how far a replay of messages until now is.
func newProgress(out io.Writer, now time.Time) *progress {
	p := &progress{last: now, begun: now}
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
			p.out = out
		}
	}
	return p
}

const (
	barWidth   = 30
	barRefresh = 100 * time.Millisecond
)

func (p *progress) show(newest time.Time, records uint64) {
	if p.told != nil {
		p.told(newest, records)
	}
	if p.out == nil || newest.IsZero() {
		return
	}
	if p.first.IsZero() {
		p.first = newest
	}
	if time.Since(p.shown) < barRefresh {
		return
	}
	p.shown = time.Now()
	part := 1.0
	if whole := p.last.Sub(p.first); whole > 0 {
		part = min(1, max(0, newest.Sub(p.first).Seconds()/whole.Seconds()))
	}
	full := int(part * barWidth)
	fmt.Fprintf(p.out, "\r[%s%s] %3.0f %%  %s  %d messages\x1b[K", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full),
		100*part, newest.UTC().Format("2006-01-02 15:04"), records)
}

func (p *progress) end() {
	if p.out != nil && !p.shown.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
