package milter

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"
)

// heard are what the functions that Done returned have heard.
func (r *recorder) heard() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

func TestTheSessionHearsWhetherItsReplyWasWritten(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(*mta)
		gone bool // the MTA, when the verdict is there
		want []bool
	}{
		{name: "a reply that was written", play: func(m *mta) { m.begin(); m.verdict() }, want: []bool{true}},
		{name: "a message that the MTA gave up has no reply", play: func(m *mta) { m.begin(); m.event('A', "") }, want: []bool{true}},
		{name: "an MTA that is gone", gone: true, play: func(m *mta) { m.begin(); m.send('E', "") }, want: []bool{false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m *mta
			r := &recorder{judge: func(context.Context) Response {
				if test.gone {
					m.nc.(*net.TCPConn).SetLinger(0) // so that it is known at once
					m.nc.Close()
					time.Sleep(50 * time.Millisecond)
				}
				return Response{Reply: Accept}
			}}
			_, addr := serve(t, Options{Handler: r.handler, Logger: new(logBuffer).logger()})
			m = greet(t, addr, 0)
			m.event('C', theConnect)
			m.event('H', theHelo)
			test.play(m)
			eventually(t, "word of the reply", func() bool { return len(r.heard()) > 0 })
			if got := r.heard(); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
