package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/instrument"
	"alignd/e2e/mta"
	"alignd/internal/pgtest"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// reportSite is a site that reports: hosts with one memory, the DNS of those who write to it,
// and the relay. Its clock is set.
type reportSite struct {
	t        *testing.T
	p        *mta.Postfix
	hosts    []*reportHost
	dns      *dnsserver.Server
	listZone string
	relay    *owners
	noon     time.Time // of the first day
	turn     int
	kills    int
	killed   *reportHost // the last one that was while it sent
	// takenOver counts mails that another host than the one that was killed went on with.
	takenOver int
	want      map[string]int64 // rows
	// expire has half an hour go by for the database's clock too, so that a lease ends.
	expire func()
}

type reportHost struct {
	d     *daemon.Daemon
	board *instrument.Board
	line  string // of Postfix
	found int    // mails of a process that was killed, of which it found that the answer is lost
}

// newReportSite starts a host for each line of Postfix. journal is the option; it may hold %s
// for a folder of the host.
func newReportSite(t *testing.T, journal string, lines ...string) *reportSite {
	t.Helper()
	binary, points, board := faulty(t)
	s := &reportSite{t: t, p: realMTA(t), want: map[string]int64{}, expire: func() {}}
	s.noon = time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
	_, s.listZone = listCase(t)
	s.dns = serveText(t, dayZone+s.listZone)
	s.relay = &owners{badTLS: 2, kill: func() { s.hangAt(points, "send.(*Sender).answered") }, plan: map[string][]string{
		"n@good.example":    {"451"},
		"dead@good.example": {"550"},
		"m@mark.example":    {"hang up"},
		"v@vendor.example":  {"cut"},
		"s@slow.example":    {"kill"},
		"e@example.com":     {"hang up", "kill"},
	}}
	relay := s.relay.serve(t)
	for i, line := range lines {
		if i > 0 {
			var err error
			if board, err = instrument.NewBoard(filepath.Join(t.TempDir(), "board")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { board.Close() })
		}
		text := strings.ReplaceAll(journal, "%s", filepath.Join(t.TempDir(), "state")) + daySettings +
			fmt.Sprintf("reports: {from: dmarc@here.test, relay: 'inet:%s'}\ndns: {servers: [%q]}\n", relay, s.dns.Addr())
		h := &reportHost{board: board, line: line, d: &daemon.Daemon{Binary: binary, Listen: behind(line),
			Env: []string{instrument.BoardVariable + "=" + board.Name}, Config: writeFile(t, "alignd.yaml", text)}}
		s.hosts = append(s.hosts, h)
	}
	s.at(0)
	for _, h := range s.hosts {
		startDaemon(t, h.d)
	}
	return s
}

// hangAt has the daemon wait for ever at a function that it calls next, so that it can be
// killed there.
func (s *reportSite) hangAt(points []instrument.Point, name string) {
	i := slices.IndexFunc(points, func(p instrument.Point) bool { return strings.HasSuffix(p.Name, name) })
	if i < 0 {
		s.t.Errorf("there is no function %s", name)
		return
	}
	for _, h := range s.hosts {
		h.board.Hang(points[i])
	}
}

// at sets the clock to a time after noon of the first day.
func (s *reportSite) at(after time.Duration) {
	for _, h := range s.hosts {
		h.board.SetClock(time.Until(s.noon.Add(after)))
	}
}

func (s *reportSite) zone(more string) {
	s.t.Helper()
	z, err := resolver.ParseZone(strings.NewReader(dayZone+s.listZone+more), "zone")
	if err != nil {
		s.t.Fatal(err)
	}
	s.dns.Reload(z)
}

func (s *reportSite) kill(h *reportHost) {
	s.t.Helper()
	if err := h.d.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.kills++
}

func (s *reportSite) stop(h *reportHost) {
	s.t.Helper()
	if err := h.d.Stop(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *reportSite) start(h *reportHost) {
	s.t.Helper()
	if err := h.d.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// receive has two days of mail come in. On each, the first host is killed while it counts; on
// the second it stays down where there is another, so that reports are cut without it.
func (s *reportSite) receive() {
	s.t.Helper()
	sealed, _ := listCase(s.t)
	first := s.hosts[0]
	for day := range 2 {
		now := time.Duration(day) * 24 * time.Hour
		s.restart(now)
		if day == 1 { // what comes behind is on the first host only, when it is killed
			s.putOffAndRetried(now)
		}
		for i, k := range dayOf(day, sealed) {
			s.send(k)
			if day == 0 && i == 4 {
				s.killCounting(first)
				s.start(first)
			}
		}
		s.givenUp()
		if day == 0 {
			s.putOffAndRetried(now)
		} else {
			s.killCounting(first)
		}
	}
}

// killCounting kills a host that has mail which is answered and not counted. Whether the MTA
// heard the last answer before it nobody knows: that is one to mail that is not reported.
func (s *reportSite) killCounting(h *reportHost) {
	s.t.Helper()
	for range s.hosts {
		s.send(kind{name: "the last answer", times: 1, client: officeIP, from: "x@silent.example", author: "a@silent.example", code: 250})
	}
	s.kill(h)
}

// restart sets the clock, and has the hosts forget what they know of DNS, which does not follow
// a clock that is set.
func (s *reportSite) restart(after time.Duration) {
	s.t.Helper()
	for _, h := range s.hosts {
		s.stop(h)
	}
	s.at(after)
	for _, h := range s.hosts {
		s.start(h)
	}
}

// hour is hour n of sending: all hosts look at once, as they start, another one first each time.
// The first host comes back in hour 2. One that hangs with the relay's answer is killed.
func (s *reportSite) hour(n int) {
	s.t.Helper()
	for _, h := range s.hosts {
		s.stop(h)
	}
	s.at(time.Duration(48+n)*time.Hour + 10*time.Minute)
	s.expire()
	for i := range s.hosts {
		h := s.hosts[(i+n)%len(s.hosts)]
		if n >= 2 || h != s.hosts[0] || len(s.hosts) == 1 {
			s.start(h)
		}
	}
	s.relay.settled(700 * time.Millisecond)
	for _, h := range s.hosts {
		if found := strings.Count(h.d.Log(), "as alignd ended"); found > h.found {
			h.found = found
			if h != s.killed {
				s.takenOver++
			}
		}
	}
	for _, h := range s.hosts {
		if h.board.Fired() {
			s.kill(h)
			s.killed = h
		}
	}
	for _, h := range s.hosts {
		h.board.Disarm()
	}
}

// outbox is where the reports stand, by target.
func (s *reportSite) outbox() map[string]map[string]int {
	s.t.Helper()
	out, err := exec.Command(s.hosts[0].d.Binary, "report", "status", "--json", "--config", s.hosts[0].d.Config).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	var status struct {
		Outbox []struct{ Target, State string }
	}
	if err := json.Unmarshal(out, &status); err != nil {
		s.t.Fatal(err)
	}
	states := map[string]map[string]int{}
	for _, x := range status.Outbox {
		if states[x.Target] == nil {
			states[x.Target] = map[string]int{}
		}
		states[x.Target][x.State]++
	}
	return states
}

// deliver lets hours go by until nothing waits. The clock stands at noon of the third day.
func (s *reportSite) deliver() {
	s.t.Helper()
	const quiet = 6 // in the last hours nothing may come any more
	for hour, still := 0, 0; still < quiet; hour++ {
		if hour == 40 {
			s.t.Fatalf("reports wait: %v", s.outbox())
		}
		s.hour(hour)
		still++
		for _, states := range s.outbox() {
			if states["waiting"]+states["sending"] > 0 {
				still = 0
			}
		}
		if hour < 4 {
			still = 0
		}
	}
}

// verify compares what the owners were told with what was sent.
func (s *reportSite) verify(what string) {
	s.t.Helper()
	got, extra := s.relay.read(s.t)
	for row, n := range s.want {
		if got.rows[row] != n {
			s.t.Errorf("%s: %d reported, %d sent", row, got.rows[row], n)
		}
	}
	for row, n := range got.rows {
		if s.want[row] == 0 {
			s.t.Errorf("also reported: %s (%d)", row, n)
		}
	}
	if want := map[string]int{"m@mark.example": 1, "s@slow.example": 1, "e@example.com": 1}; !maps.Equal(extra, want) {
		s.t.Errorf("further copies: %v, want %v", extra, want)
	}
	var lines []string
	for target, states := range s.outbox() {
		lines = append(lines, fmt.Sprintf("%s %v", target, states))
		given, unknown := 0, 0
		switch target {
		case "dead@good.example":
			given = 1
		case "e@example.com":
			unknown = 1
		case "r@victim.example", "r@oneday.example":
			s.t.Errorf("%s: %v", target, states)
		}
		if states["given up"] != given || states["unknown, given up"] != unknown || (states["suppressed"] > 0) != (given > 0) {
			s.t.Errorf("%s: %v", target, states)
		}
	}
	slices.Sort(lines)
	sum := int64(0)
	for _, n := range s.want {
		sum += n
	}
	s.t.Logf("%d reports in %d mails, %d kills, %d messages counted in\n%s\n%s", len(got.ids), len(s.relay.mails), s.kills, sum,
		strings.Join(slices.Sorted(maps.Keys(s.want)), "\n"), strings.Join(lines, "\n"))
	row(s.t, "reports, "+what+": the relay answers 451 and 550, fails in TLS, hangs up in the middle and after the final dot; `kill -9` while counting, and between the relay's 250 and our note",
		fmt.Sprintf("two days of mail, %d messages to report, %d kills", sum, s.kills),
		fmt.Sprintf("%d reports in %d mails, each count as sent; three went twice and identical, of which one is `unknown, given up`; forged victims and one-day domains got none", len(got.ids), len(s.relay.mails)))
}

// TestFaultReports has two days of mixed mail go by and counts what the owners of its
// domains are told, while the relay fails and alignd is killed.
func TestFaultReports(t *testing.T) {
	s := newReportSite(t, "journal: {path: %s}", "")
	s.receive()
	s.deliver()
	s.verify("SQLite")
}

// TestFaultReportsOfTwoHosts does so with two hosts and PostgreSQL. One is killed on the second
// day and comes back after the day was cut.
func TestFaultReportsOfTwoHosts(t *testing.T) {
	needsFaults(t)
	c := pgtest.Start(t)
	url := c.Database(t)
	s := newReportSite(t, fmt.Sprintf("journal: {store: postgres, path: %%s, url: %q}", url), "", "milter_protocol=4")
	name := url[strings.LastIndexByte(url[:strings.IndexByte(url+"?", '?')], '/')+1 : strings.IndexByte(url+"?", '?')]
	s.expire = func() {
		if err := c.Exec(name, "UPDATE state_leases SET until = 0"); err != nil {
			t.Fatal(err)
		}
	}
	s.receive()
	s.deliver()
	if s.takenOver == 0 {
		t.Error("no host went on with what another one sent when it was killed")
	}
	if got, _ := s.relay.read(t); got.further == 0 {
		t.Error("what came late is in no report of its own")
	} else {
		t.Logf("%d further reports of what came late, %d mails taken over", got.further, s.takenOver)
	}
	s.verify("PostgreSQL with two hosts, of which one comes back when reports were cut")
}
