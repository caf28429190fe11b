package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// until waits for so many answers, but not for ever: a busy machine takes its time.
func (s *stream) until(n int, most time.Duration) {
	enough := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.answered) >= n
	}
	for end := time.Now().Add(most); !enough() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
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
	t.Parallel()
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

	of := map[string]int{} // what each host judged
	for _, d := range f.hosts {
		all := strings.Count(f.says(t, d, "log", "--limit", "0"), "\n")
		if want := f.count(t); all != want || want < len(s.answered) {
			t.Errorf("alignd log of one host shows %d of %d messages", all, want)
		}
		of[d.Config] = strings.Count(d.Log(), "msg=\"message judged\"")
		if of[d.Config] == 0 || of[d.Config] == all {
			t.Errorf("%d of %d messages were judged by one host", of[d.Config], all)
		}
		if got := f.says(t, d, "explain", "<1@sender.example>"); !strings.Contains(got, "a@sender.example") {
			t.Errorf("alignd explain: %s", got)
		}
		want := fmt.Sprint(f.count(t))
		for _, c := range []struct {
			args []string
			want string
		}{
			{args: []string{"stats", "--json"}, want: `"messages":` + want},
			{args: []string{"replay", "--json", "--journal", d.Config}, want: `"total":` + want},
			{args: []string{"journal", "self-test"}, want: want + " messages judged again under what judged them, 0 differ"},
		} {
			if got := f.says(t, d, c.args...); !strings.Contains(got, c.want) {
				t.Errorf("alignd %v lacks %s: %.600s", c.args, c.want, got)
			}
		}
		if got := f.says(t, d, "journal", "status"); !strings.Contains(got, fmt.Sprint(f.count(t))) {
			t.Errorf("alignd journal status: %s", got)
		}
	}
}

// says runs a command with the configuration of a host.
func (f *fleet) says(t *testing.T, d *daemon.Daemon, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(d.Binary, append(args, "--config", d.Config)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("alignd %v: %v: %s", args, err, said.String())
	}
	return string(out)
}

// TestFaultDatabaseThatCannotBeUsed: the daemon runs, mail goes on, the log says in words what is
// wrong, and what is there is left alone.
func TestFaultDatabaseThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	needsFaults(t)
	needsDatabase(t)
	c := pgtest.Start(t)
	must(t, c.Exec("postgres", "CREATE ROLE keeper LOGIN PASSWORD 'right'", "CREATE DATABASE kept OWNER keeper", "CREATE DATABASE frozen", "CREATE DATABASE theirs"))
	must(t, c.Exec("theirs", "CREATE TABLE records (song text)", "INSERT INTO records VALUES ('la')"))
	must(t, c.Exec("frozen", "ALTER DATABASE frozen SET default_transaction_read_only = on"))
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	nobody, err := port.Free()
	must(t, err)
	for _, row := range []struct{ name, url, want string }{
		{name: "wrong password", url: strings.Replace(c.TCP("keeper", "kept"), "?", "?passfile="+writeFile(t, "pass", "*:*:*:*:wrong\n")+"&", 1), want: "password authentication failed"},
		{name: "no such database", url: c.URL("none"), want: "does not exist"},
		{name: "tables of another product", url: c.URL("theirs"), want: "tables of another product"},
		{name: "read-only", url: c.URL("frozen"), want: "read-only transaction"},
		{name: "a server that says nothing", url: "postgres://a@" + silent.Addr().String() + "/b", want: "does not answer within 4s"},
		{name: "nobody there", url: "postgres://a@" + nobody + "/b", want: "connection refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFleet(t, 1, row.url)
			s := f.flow()
			s.until(100, 20*time.Second)
			s.stop()
			const told = "the journal takes no records, they stay in the spool"
			says := func() bool {
				for line := range strings.Lines(f.hosts[0].Log()) {
					if strings.Contains(line, told) && strings.Contains(line, row.want) {
						return true
					}
				}
				return false
			}
			for deadline := time.Now().Add(40 * time.Second); !says(); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the log has no line with %q and %q", told, row.want)
				}
			}
			if len(s.answered) < 100 || s.slowest > 2*time.Second {
				t.Errorf("%d messages were answered, after %s at most", len(s.answered), s.slowest)
			}
			begun := time.Now()
			must(t, f.hosts[0].Stop())
			if took := time.Since(begun); took > 25*time.Second {
				t.Errorf("the daemon ended after %s", took)
			}
		})
	}
	if out, err := c.Run("psql", "-At", "-d", "theirs", "-c", "SELECT * FROM records"); err != nil || out != "la\n" {
		t.Errorf("their table has %q, %v", out, err)
	}
}
