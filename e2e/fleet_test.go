package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
	"alignd/internal/pgtest"
	keep "alignd/journal"
	"alignd/journal/postgres"
)

// fleet are hosts with one database.
type fleet struct {
	url   string
	hosts []*daemon.Daemon
}

// newFleet starts hosts, each with a spool of its own.
func newFleet(t *testing.T, hosts int, url string) *fleet {
	t.Helper()
	f := &fleet{url: url}
	for range hosts {
		dir := t.TempDir()
		binary, err := daemon.Build(dir)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("not_judged: {networks: [192.0.2.0/24]}\njournal: {store: postgres, path: %s, url: \"%s\"}\n", filepath.Join(dir, "state"), url)
		p, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		d := &daemon.Daemon{Binary: binary, Config: writeFile(t, "alignd.yaml", text), Listen: "inet:" + p}
		startDaemon(t, d)
		f.hosts = append(f.hosts, d)
	}
	return f
}

// stream is mail that goes to all hosts of a fleet until it is stopped.
type stream struct {
	stopped chan struct{}
	senders sync.WaitGroup

	mu       sync.Mutex
	serial   int
	answered map[string]bool
	slowest  time.Duration // end of message to answer
}

// flow begins to send, on two connections a host. Who finds a host away tries again.
func (f *fleet) flow() *stream {
	s := &stream{stopped: make(chan struct{}), answered: map[string]bool{}}
	for _, d := range f.hosts {
		for range 2 {
			s.senders.Go(func() { s.send(d) })
		}
	}
	return s
}

func (s *stream) send(d *daemon.Daemon) {
	network, address := daemon.Split(d.Listen)
	for !s.over() {
		c, err := loadgen.Dial(network, address)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for !s.over() && s.one(c) {
			time.Sleep(time.Millisecond) // what two cores share with the database
		}
		c.Close()
	}
}

func (s *stream) over() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

func (s *stream) one(c *loadgen.Conn) bool {
	s.mu.Lock()
	s.serial++
	id := fmt.Sprintf("<%d@sender.example>", s.serial)
	s.mu.Unlock()
	m := &loadgen.Message{From: "a@sender.example", Body: []byte("x\r\n"), Fields: []loadgen.Field{
		{Name: "From", Value: " a@sender.example"}, {Name: "Message-ID", Value: " " + id},
	}}
	_, took, err := c.Send(m)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered[id] = true
	s.slowest = max(s.slowest, took)
	return true
}

func (s *stream) stop() {
	close(s.stopped)
	s.senders.Wait()
}

// outcome is what a database has of a stream.
type outcome struct{ answered, lost, doubled, others, unanswered int }

func (o outcome) String() string {
	return fmt.Sprintf("of %d answered %d lost, %d doubled; %d more, whose answer was not heard; the journal says of %d that the answer was lost or is unknown",
		o.answered, o.lost, o.doubled, o.others, o.unanswered)
}

// settle stops the hosts, which load what their spools have, and compares.
func (f *fleet) settle(t *testing.T, s *stream) outcome {
	t.Helper()
	f.awaitLoaded(t, len(s.answered))
	for _, d := range f.hosts {
		if err := d.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	o := outcome{answered: len(s.answered)}
	found := map[string]int{}
	r := postgres.NewReader(postgres.Access{URL: f.url})
	defer r.Close()
	err := r.Search(context.Background(), keep.Query{}, func(e *keep.Entry) error {
		found[e.Record.Evidence.MessageID]++
		if e.Answer != keep.AnswerWritten {
			o.unanswered++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range s.answered {
		if found[id] == 0 {
			o.lost++
		}
	}
	for id, n := range found {
		if n > 1 {
			o.doubled++
		}
		if !s.answered[id] {
			o.others++
		}
	}
	if o.lost > 0 || o.doubled > 0 || o.answered < 100 {
		t.Errorf("each answered message belongs into the journal once: %s", o)
	}
	return o
}

// awaitLoaded waits until the database has as many records, or takes no more.
func (f *fleet) awaitLoaded(t *testing.T, want int) {
	t.Helper()
	most := time.Now().Add(90 * time.Second)
	for n := 0; n < want; n = f.count(t) {
		if time.Now().After(most) {
			t.Errorf("the database has %d records of %d", n, want)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// count is how many records the database has.
func (f *fleet) count(t *testing.T) int {
	t.Helper()
	r := postgres.NewReader(postgres.Access{URL: f.url})
	defer r.Close()
	survey, err := r.Survey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return int(survey.Records())
}

// unhurt fails where mail waited for the database.
func (s *stream) unhurt(t *testing.T) {
	t.Helper()
	if s.slowest > 2*time.Second {
		t.Errorf("an answer took %s", s.slowest)
	}
}

func needsDatabase(t *testing.T) {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: alignd with PostgreSQL (make test runs it; it sets ALIGND_E2E=1)")
	}
}

// TestAJournalInPostgreSQL: two hosts, one database that is restarted, and what each command
// sees of it.
func TestAJournalInPostgreSQL(t *testing.T) {
	needsDatabase(t)
	c := pgtest.Start(t)
	f := newFleet(t, 2, c.Database(t))
	s := f.flow()
	time.Sleep(2 * time.Second)
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	s.stop()
	t.Log(f.settle(t, s))
	s.unhurt(t)
}
