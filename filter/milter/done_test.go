package milter

import (
	"context"
	"slices"
	"strings"
	"testing"

	protocol "github.com/emersion/go-milter"
)

// told returns the outcomes so far.
func (r *recorder) told() []Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.outcomes)
}

func TestEachMessageHasOneOutcome(t *testing.T) {
	over := Text(550, "5.7.1", "Message exceeds the limits of this server")
	refuse := Text(550, "5.7.26", "No")
	for _, test := range []struct {
		name    string
		opt     Options
		judge   Response
		panicAt string
		actions uint32 // offered; zero for all
		play    func(*mta)
		want    []Outcome
	}{
		{name: "a message that was let through", judge: Response{Reply: Accept},
			play: func(m *mta) { m.begin(); m.verdict() }, want: []Outcome{{End: Answered, Reply: Accept, HeaderEnded: true}}},
		{name: "a refused one", judge: Response{Reply: refuse},
			play: func(m *mta) { m.begin(); m.verdict() }, want: []Outcome{{End: Answered, Reply: refuse, HeaderEnded: true}}},
		{name: "a field too many", opt: Options{MaxHeaders: 1},
			play: func(m *mta) { m.event('M', theMail); m.event('L', theHeader); m.event('L', theHeader); m.verdict() },
			want: []Outcome{{End: OverLimit, Reply: over, Problem: "header fields, limit 1", HeaderEnded: true}}},
		{name: "a MAIL over the limit of the envelope", opt: Options{MaxEnvelopeBytes: 5},
			play: func(m *mta) { m.event('M', theMail); m.verdict() },
			want: []Outcome{{End: OverLimit, Reply: over, Problem: "envelope octets, limit 5", HeaderEnded: true}}},
		{name: "a panic in the header", panicAt: "header",
			play: func(m *mta) { m.begin(); m.verdict() }, want: []Outcome{{End: Failed, Reply: later, Problem: "panic in header", HeaderEnded: true}}},
		{name: "a panic in MAIL", panicAt: "mail",
			play: func(m *mta) { m.begin(); m.verdict() }, want: []Outcome{{End: Failed, Reply: later, Problem: "panic in mail", HeaderEnded: true}}},
		{name: "a panic at the end", panicAt: "end of message",
			play: func(m *mta) { m.begin(); m.verdict() }, want: []Outcome{{End: Failed, Reply: later, Problem: "panic in end of message", HeaderEnded: true}}},
		{name: "edits that were not granted", actions: uint32(protocol.OptAddHeader),
			judge: Response{Edits: []Edit{DeleteHeader("Subject", 1)}, Reply: Accept},
			play:  func(m *mta) { m.begin(); m.verdict() },
			want:  []Outcome{{End: Unsendable, Reply: later, Problem: `edit of "Subject" needs action 0x10, which the MTA did not grant`, HeaderEnded: true}}},
		{name: "edits that were not granted, where a panic lets through", actions: uint32(protocol.OptAddHeader), opt: Options{Replies: Replies{OnPanic: Accept}},
			judge: Response{Edits: []Edit{DeleteHeader("Subject", 1)}, Reply: Accept},
			play:  func(m *mta) { m.begin(); m.verdict() },
			want:  []Outcome{{End: Unsendable, Reply: later, Problem: `edit of "Subject" needs action 0x10, which the MTA did not grant`, HeaderEnded: true}}},
		{name: "RSET within the body", play: func(m *mta) { m.begin(); m.event('A', "") },
			want: []Outcome{{End: Aborted, Problem: "the MTA gave the message up", HeaderEnded: true}}},
		{name: "RSET within the body of a message over a limit", opt: Options{MaxHeaders: 1},
			play: func(m *mta) {
				m.event('M', theMail)
				m.event('L', theHeader)
				m.event('L', theHeader)
				m.event('N', "")
				m.event('A', "")
			},
			want: []Outcome{{End: Aborted, Problem: "the MTA gave the message up, after it was over a limit: header fields, limit 1", HeaderEnded: true}}},
		{name: "a lost connection after a panic in the header", panicAt: "header", play: func(m *mta) { m.begin(); m.nc.Close() },
			want: []Outcome{{End: Aborted, Problem: "the connection to the MTA ended, after a panic in header", HeaderEnded: true}}},
		{name: "a panic each time a Session begins", panicAt: "connect", play: func(m *mta) { m.begin(); m.verdict(); m.begin(); m.verdict() },
			want: []Outcome{{End: Failed, Reply: later, Problem: "panic in mail", HeaderEnded: true}, {End: Failed, Reply: later, Problem: "panic in mail", HeaderEnded: true}}},
		{name: "RSET after the envelope", play: func(m *mta) { m.event('M', theMail); m.event('A', "") },
			want: []Outcome{{End: Aborted, Problem: "the MTA gave the message up"}}},
		{name: "a new MAIL in place of the end", play: func(m *mta) { m.begin(); m.event('M', theMail); m.event('A', "") },
			want: []Outcome{{End: Aborted, Problem: "a new MAIL", HeaderEnded: true}, {End: Aborted, Problem: "the MTA gave the message up"}}},
		{name: "a lost connection", play: func(m *mta) { m.begin(); m.nc.Close() },
			want: []Outcome{{End: Aborted, Problem: "the connection to the MTA ended", HeaderEnded: true}}},
		{name: "a panic in Done harms neither reply nor next message", panicAt: "done", judge: Response{Reply: Accept},
			play: func(m *mta) { m.begin(); m.verdict(); m.begin(); m.verdict() },
			want: []Outcome{{End: Answered, Reply: Accept, HeaderEnded: true}, {End: Answered, Reply: Accept, HeaderEnded: true}}},
		{name: "no message", play: func(m *mta) { m.event('A', "") }, want: nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &recorder{judge: func(context.Context) Response { return test.judge }}
			r.panicAt = func(got string) bool { return test.panicAt != "" && strings.HasPrefix(got, test.panicAt) }
			test.opt.Handler, test.opt.Logger = r.handler, new(logBuffer).logger()
			_, addr := serve(t, test.opt)
			m := greet(t, addr, 0)
			if test.actions != 0 {
				m = dial(t, addr)
				m.send('O', offer(6, test.actions, allOptions))
				m.receive()
				m.options = protocol.OptProtocol(0xfffff)
			}
			m.event('C', theConnect)
			m.event('H', theHelo)
			test.play(m)
			eventually(t, "an outcome for each message", func() bool { return len(r.told()) >= len(test.want) })
			if got := r.told(); !slices.Equal(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}
