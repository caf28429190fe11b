package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
)

// many is how often a fault comes: few times in make test, often in make faults.
func many(few, often int) int {
	if os.Getenv("ALIGND_FAULTS") != "" {
		return often
	}
	return few
}

// needsFaults leaves out what takes long, and make faults runs.
func needsFaults(t *testing.T) {
	t.Helper()
	if os.Getenv("ALIGND_FAULTS") == "" {
		t.Skip("left out: a fault that takes long (make faults runs it; it sets ALIGND_FAULTS=1)")
	}
}

// row notes what a fault led to, for the table of docs/reliability.md. make faults
// prints all rows.
func row(t *testing.T, fault, saw, delivered string) {
	t.Helper()
	t.Logf("%s; the client saw: %s; delivered: %s", fault, saw, delivered)
	name := os.Getenv("ALIGND_FAULT_TABLE")
	if name == "" || t.Failed() {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "| %s | %s | %s | `%s` |\n", fault, saw, delivered, t.Name())
}

// flood sends messages through Postfix, several sessions at a time, each message
// until it has an answer that is final: what a sending server does, without its
// patience. Of four, one is forged and must be refused.
type flood struct {
	t    *testing.T
	p    *mta.Postfix
	line string // of Postfix

	Sessions   int // at a time; 0 is 8
	PerSession int // messages; 0 is 4
	Idle       int // further sessions, that pause between messages
	Slow       int // further sessions, whose messages take long
	// Fault reports whether a reply to a genuine message is what the fault may lead
	// to though it is final; nil: none is.
	Fault func(mta.Reply) bool

	next    atomic.Int64
	stop    chan struct{}
	workers sync.WaitGroup

	mu       sync.Mutex
	tries    int
	messages int         // that have a final answer
	accepted map[int]int // number to how often; Postfix uses queue ids again
	refused  int
	later    map[string]int // replies 4xx by the command that they answered
	slowest  time.Duration  // from MAIL to the answer at the end
}

func newFlood(t *testing.T, p *mta.Postfix, line string) *flood {
	return &flood{t: t, p: p, line: line, stop: make(chan struct{}), accepted: map[int]int{}, later: map[string]int{}}
}

// begin sends until end is called.
func (f *flood) begin() {
	if f.Sessions == 0 {
		f.Sessions = 8
	}
	if f.PerSession == 0 {
		f.PerSession = 4
	}
	for range f.Sessions {
		f.workers.Go(func() { f.work(pace{messages: f.PerSession}) })
	}
	for range f.Idle {
		f.workers.Go(func() { f.work(pace{messages: 2, between: 3 * time.Second}) })
	}
	for range f.Slow {
		f.workers.Go(func() { f.work(pace{messages: 1, within: 500 * time.Millisecond}) })
	}
}

// end returns when each message that was begun has a final answer.
func (f *flood) end() {
	close(f.stop)
	f.workers.Wait()
}

// run sends about n messages.
func (f *flood) run(n int) tally {
	f.t.Helper()
	f.begin()
	f.await(n)
	f.end()
	return f.settle()
}

// await waits until n more messages have their answer.
func (f *flood) await(n int) {
	start, begun := f.count(), time.Now()
	for f.count() < start+n {
		if time.Since(begun) > 5*time.Minute {
			f.t.Errorf("%d of %d messages are answered after %s", f.count()-start, n, time.Since(begun))
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (f *flood) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.messages
}

func (f *flood) ending() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// errLater ends a session after a 4xx.
var errLater = errors.New("try again later")

// work sends sessions of messages. Those of a session that broke are tried again in
// the next one.
func (f *flood) work(p pace) {
	var waiting []int
	failures := 0
	for len(waiting) > 0 || !f.ending() {
		for len(waiting) < p.messages && !f.ending() {
			waiting = append(waiting, int(f.next.Add(1)))
		}
		done, err := f.session(waiting, p)
		waiting = waiting[done:]
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, errLater):
			failures++
			time.Sleep(20 * time.Millisecond)
		default:
			f.t.Errorf("an SMTP session broke: %v", err)
			return
		}
		if failures > 3000 {
			f.t.Error("put off again and again")
			return
		}
	}
}

// pace is how long a client takes.
type pace struct {
	messages        int // of a session
	between, within time.Duration
}

// slowly reads text with a pause in its middle.
func (p pace) slowly(text string) io.Reader {
	half := len(text) / 2
	return io.MultiReader(strings.NewReader(text[:half]), pause(p.within), strings.NewReader(text[half:]))
}

// pause is a reader that has nothing, late.
type pause time.Duration

func (p pause) Read([]byte) (int, error) {
	time.Sleep(time.Duration(p))
	return 0, io.EOF
}

// session returns how many of the messages have a final answer.
func (f *flood) session(numbers []int, p pace) (done int, err error) {
	c, err := mta.Dial(f.p.Addr(f.line), mta.Peer{Addr: netip.MustParseAddr("198.51.100.66"), Name: "host.attacker.example"})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if reply, err := c.Command("EHLO host.attacker.example"); err != nil || reply.Code != 250 {
		return 0, f.putOff("EHLO", reply, err)
	}
	for i, n := range numbers {
		if i > 0 {
			time.Sleep(p.between)
		}
		if err := f.message(c, n, p); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// putOff notes a reply that is not final. Any other error ends the flood.
func (f *flood) putOff(command string, reply mta.Reply, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if reply.Code/100 != 4 {
		return fmt.Errorf("%s: got %s", command, reply)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.later[command]++
	return errLater
}

// forged reports whether the message of this number is.
func (f *flood) forged(n int) bool { return n%4 == 3 }

func (f *flood) text(n int) string {
	from := "a@attacker.example"
	if f.forged(n) {
		from = "alice@example.com"
	}
	return fmt.Sprintf("Authentication-Results: mx.here.test; dmarc=pass header.from=forged.example\nFrom: %s\nTo: bob@here.test\nSubject: number %d\n"+
		"Date: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: %s\n\nText of message %d.\n", from, n, f.messageID(n), n)
}

// message sends one and notes its answer.
func (f *flood) message(c *mta.Client, n int, p pace) error {
	f.mu.Lock()
	f.tries++
	f.mu.Unlock()
	begun := time.Now()
	for _, cmd := range []string{"MAIL FROM:<x@attacker.example>", "RCPT TO:<bob@here.test>"} {
		if reply, err := c.Command("%s", cmd); err != nil || reply.Code != 250 {
			return f.putOff(cmd[:4], reply, err)
		}
	}
	reply, err := c.DataFrom(p.slowly(f.text(n)))
	took := time.Since(begun)
	f.mu.Lock()
	f.slowest = max(f.slowest, took)
	f.mu.Unlock()
	switch {
	case err == nil && reply.Code == 250:
		f.mu.Lock()
		f.accepted[n]++
		f.mu.Unlock()
	case err == nil && reply.Code == 550:
		f.mu.Lock()
		f.refused++
		f.mu.Unlock()
	default:
		return f.putOff("end of message", reply, err)
	}
	expected := f.forged(n) == (reply.Code == 550)
	if !expected && (f.Fault == nil || !f.Fault(reply)) {
		f.t.Errorf("message %d, forged %v: got %s", n, f.forged(n), reply)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages++
	return nil
}

// putOffs is how many replies 4xx there were.
func (f *flood) putOffs() (n int) {
	for _, times := range f.later {
		n += times
	}
	return n
}

// tally is what became of all messages.
type tally struct {
	messages, tries, putOff      int
	delivered, twice, lost, none int // none: without true results
	refused                      int
}

func (t tally) String() string {
	return fmt.Sprintf("%d messages in %d tries, %d put off, %d refused as forged, %d delivered, %d twice, %d lost, %d unjudged",
		t.messages, t.tries, t.putOff, t.refused, t.delivered, t.twice, t.lost, t.none)
}

// saw and got are for the table.
func (t tally) saw() string {
	return fmt.Sprintf("%d messages: %d put off (4xx) and tried again, %d forged ones refused", t.messages, t.putOff, t.refused)
}

func (t tally) got() string {
	return fmt.Sprintf("%d, each once; %d lost, %d unjudged", t.delivered, t.lost, t.none)
}

// settle waits for the deliveries and compares them with the answers: each accepted
// message is delivered exactly once, and has true results and no forged ones.
func (f *flood) settle() tally {
	f.t.Helper()
	sum := tally{messages: f.messages, tries: f.tries, putOff: f.putOffs(), refused: f.refused}
	got := f.deliveries()
	for n, times := range f.accepted {
		if times > 1 {
			sum.twice++
			f.t.Errorf("message %d was accepted %d times", n, times)
		}
		if len(got[n]) == 0 {
			sum.lost++
			f.t.Errorf("message %d was accepted and not delivered", n)
		}
	}
	for n, list := range got {
		sum.delivered++
		if f.accepted[n] == 0 || len(list) > 1 {
			sum.twice++
			f.t.Errorf("message %d was accepted %d times and delivered %d times", n, f.accepted[n], len(list))
		}
		for _, d := range list {
			if !judgedTruly(d.Data) {
				sum.none++
				f.t.Errorf("delivered without true results:\n%s", d.Data)
			}
		}
	}
	return sum
}

// deliveries are those of the flood, by number. It waits for those of accepted
// messages, and a little for others.
func (f *flood) deliveries() map[int][]*mta.Delivery {
	got := map[int][]*mta.Delivery{}
	complete := func() bool {
		for n := range f.accepted {
			if len(got[n]) == 0 {
				return false
			}
		}
		return true
	}
	for begun, last := time.Now(), false; !last && time.Since(begun) < 20*time.Second; {
		last = complete()
		time.Sleep(100 * time.Millisecond)
		for _, d := range f.p.Sink().Take() {
			if n, ok := f.number(d.Data); ok {
				got[n] = append(got[n], d)
			}
		}
	}
	return got
}

func (f *flood) messageID(n int) string {
	return fmt.Sprintf("<%d@%s>", n, strings.ToLower(f.t.Name()))
}

// number is that of a delivered message.
func (f *flood) number(data []byte) (n int, ok bool) {
	_, rest, _ := bytes.Cut(data, []byte("\r\nMessage-ID: <"))
	id, _, _ := bytes.Cut(rest, []byte("@"))
	n, err := strconv.Atoi(string(id))
	return n, err == nil && bytes.HasPrefix(rest, []byte(f.messageID(n)[1:]))
}

// judgedTruly reports whether the only field with our id is on top and says what is
// true of the client.
func judgedTruly(data []byte) bool {
	return bytes.HasPrefix(data, []byte("Authentication-Results: mx.here.test;")) &&
		bytes.Count(data, []byte("Authentication-Results: mx.here.test;")) == 1 &&
		!bytes.Contains(data, []byte("forged.example")) && bytes.Contains(data, []byte("smtp.mailfrom=attacker.example"))
}

// lines counts those of a daemon's log that tell of a message accepted, and how many
// accepted messages have not exactly one.
func (f *flood) lines(d *daemon.Daemon) (told, missing int) {
	f.t.Helper()
	of := map[string]int{}
	for _, kv := range d.Judged() {
		if kv["delivery"] == "deliver" || kv["delivery"] == "tag" {
			of[kv["message_id"]]++
		}
	}
	for n := range f.accepted {
		switch of[f.messageID(n)] {
		case 0:
			missing++
		default:
			told++
		}
	}
	return told, missing
}
