package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/fakemta"
	"alignd/e2e/instrument"
	"alignd/e2e/mta"
	"alignd/e2e/port"
)

var (
	faultyOnce   sync.Once
	faultyBinary string
	faultyPoints []instrument.Point
	faultyErr    error
)

// faulty is an alignd whose functions can be made to fail, and its clock be set. It
// takes a minute to build, so only make faults does.
func faulty(t *testing.T) (binary string, points []instrument.Point, board *instrument.Board) {
	t.Helper()
	if os.Getenv("ALIGND_FAULTS") == "" {
		t.Skip("left out: an alignd built with faults (make faults runs it; it sets ALIGND_FAULTS=1)")
	}
	faultyOnce.Do(func() {
		dir := os.Getenv("ALIGND_FAULTY")
		if dir == "" {
			if faultyDir, faultyErr = os.MkdirTemp("", "alignd-faulty-"); faultyErr != nil {
				return
			}
			dir = faultyDir
			if faultyErr = instrument.BuildAll(dir); faultyErr != nil {
				return
			}
		}
		faultyBinary, faultyPoints, faultyErr = instrument.Load(dir)
	})
	if faultyErr != nil {
		t.Fatal(faultyErr)
	}
	board, err := instrument.NewBoard(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { board.Close() })
	return faultyBinary, faultyPoints, board
}

// faultyDir goes with the test binary's end: where make has not built one before.
var faultyDir string

// patience is how long a message may take, though its time for DNS is 3 s.
const patience = 10 * time.Second

// lab is an alignd with faults behind the stand-in MTA, and two messages: a forged one
// that must be refused, and one that a trusted list changed and sealed.
type lab struct {
	t      *testing.T
	d      *daemon.Daemon
	opt    fakemta.Options
	board  *instrument.Board
	sealed string
}

func newLab(t *testing.T, binary string, board *instrument.Board) *lab {
	t.Helper()
	const dir = "../testdata/cases/37-trusted-sealer/"
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	zone := serveText(t, string(readFile(t, dir+"zone"))+"attacker.example TXT \"v=spf1 ip4:198.51.100.66 -all\"\n")
	config := string(readFile(t, dir+"config.yaml")) + daemon.NoJournal + "received_spf: true\niprev: true\nlimits: {message_timeout: 3s}\ndns:\n  timeout: 1s\n  servers: [\"" + zone.Addr() + "\"]\n"
	return &lab{
		t: t, opt: fakemta.Options{Network: "tcp", Address: addr, Timeout: patience}, board: board, sealed: string(readFile(t, dir+"message.eml")),
		d: &daemon.Daemon{Binary: binary, Listen: "inet:" + addr, Config: writeFile(t, "alignd.yaml", config), Env: []string{instrument.BoardVariable + "=" + board.Name}},
	}
}

// send plays one message; a reply 451 of the stand-in is the MTA's own, when alignd does
// not answer.
func (l *lab) send(client, helo, from, message string) fakemta.Result {
	s := fakemta.Dial(l.opt, mta.Peer{Addr: netip.MustParseAddr(client), Name: helo})
	defer s.Close()
	for _, cmd := range []string{"EHLO " + helo, "MAIL FROM:<" + from + ">", "RCPT TO:<bob@here.test>"} {
		if r := s.Command(cmd); r.Code != 250 {
			return fakemta.Result{Reply: r}
		}
	}
	return s.Data([]byte(message))
}

func (l *lab) forged() fakemta.Result {
	return l.send("198.51.100.66", "host.attacker.example", "x@attacker.example", spoof)
}

func (l *lab) genuine() fakemta.Result {
	return l.send("203.0.113.5", "lists.example.org", "hikers-bounces@lists.example.org", l.sealed)
}

// outcomes counts what became of messages that met a fault.
type outcomes struct{ putOff, right, unknown, ended, asked int }

// judge looks at the two messages, of which one or both met the fault.
func (l *lab) judge(o *outcomes, fault string, forged, genuine fakemta.Result) {
	l.t.Helper()
	for _, m := range []struct {
		name string
		got  fakemta.Result
		want int
	}{{"forged", forged, 550}, {"genuine", genuine, 250}} {
		o.asked++
		text := string(m.got.Delivered)
		switch code := m.got.Reply.Code; {
		case code == m.want && (code != 250 || strings.HasPrefix(text, "Authentication-Results: mx.here.test;") && strings.Contains(text, "dmarc=fail")):
			o.right++
		case code/100 == 4:
			o.putOff++
		case code == 250 && strings.HasPrefix(text, "Authentication-Results: mx.here.test;") && strings.Contains(text, "dmarc=temperror"):
			o.unknown++ // the policy could not be looked up, and that is said
		default:
			l.t.Errorf("%s: the %s message got %s; delivered: %.300q", fault, m.name, m.got.Reply, text)
		}
	}
}

// TestFaultPanicInEachFunction has each function that is called while messages are judged
// panic, once: all stages of the protocol, of each check, of DNS, of the decision, of
// the answer and of the log. The message that meets it is put off or judged rightly; the
// process lives, tells of it, and judges the next message.
func TestFaultPanicInEachFunction(t *testing.T) {
	t.Parallel()
	binary, points, board := faulty(t)
	l := newLab(t, binary, board)
	start := func() {
		if err := l.d.Start(); err != nil {
			t.Fatal(err)
		}
	}
	start()
	board.Forget()
	if f, g := l.forged(), l.genuine(); f.Reply.Code != 550 || g.Reply.Code != 250 {
		t.Fatalf("without a fault: %s and %s", f.Reply, g.Reply)
	}
	if err := l.d.Stop(); err != nil {
		t.Fatal(err)
	}
	var passed []instrument.Point
	for _, p := range points {
		if board.Passed(p) {
			passed = append(passed, p)
		}
	}
	if len(passed) < 200 {
		t.Fatalf("only %d functions are called", len(passed))
	}
	var o outcomes
	var fatal []string
	packages := map[string]int{}
	for _, p := range passed {
		start()
		before := len(l.d.Log())
		board.Panic(p)
		begun := time.Now()
		forged, genuine := l.forged(), l.genuine()
		if took := time.Since(begun); took >= patience {
			l.d.Abort()
			t.Errorf("%s: two messages took %s\n%s", p.Name, took, l.d.Log()[before:])
			continue
		}
		fired := board.Fired()
		board.Disarm()
		if !fired { // when the session or the process ends
			if err := l.d.Stop(); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
			continue
		}
		packages[p.Name[:strings.LastIndex(p.Name[:strings.IndexByte(p.Name, '.')+1], ".")]]++
		l.judge(&o, p.Name, forged, genuine)
		if l.d.Ended() {
			o.ended++
			fatal = append(fatal, p.Name)
			_ = l.d.Kill()
			continue
		}
		if f, g := l.forged(), l.genuine(); f.Reply.Code != 550 || g.Reply.Code != 250 {
			t.Errorf("%s: the next messages get %s and %s", p.Name, f.Reply, g.Reply)
		}
		if err := l.d.Stop(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if log := l.d.Log()[before:]; !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "injected into "+p.Name) {
			t.Errorf("%s: the log does not tell of it:\n%s", p.Name, log)
		}
	}
	sum := 0
	for _, n := range packages {
		sum += n
	}
	t.Logf("%d functions of %d packages panicked (%v): %+v", sum, len(packages), packages, o)
	if o.ended > 0 {
		t.Errorf("%d panics ended the process: %v", o.ended, fatal)
	}
	row(t, fmt.Sprintf("a panic in each of the %d functions that a message passes, one at a time", sum),
		fmt.Sprintf("%d messages: %d put off (4xx), %d answered as without it, %d accepted as `dmarc=temperror`", o.asked, o.putOff, o.right, o.unknown),
		"none unjudged in silence; the process lives, and judges the next message rightly")
}
