//go:build linux

// File systems are mounted as on Linux.

package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"alignd/e2e/daemon"
	"alignd/e2e/instrument"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
)

// pump sends small messages over the milter protocol on several connections until it is
// stopped, and notes which were answered.
type pump struct {
	t       *testing.T
	d       *daemon.Daemon
	senders sync.WaitGroup
	over    atomic.Bool
	sent    atomic.Int64

	mu       sync.Mutex
	answered map[string]bool
	failed   int // messages without an answer
	slowest  time.Duration
}

func startPump(t *testing.T, d *daemon.Daemon) *pump {
	p := &pump{t: t, d: d, answered: map[string]bool{}}
	for i := range 3 {
		p.senders.Go(func() { p.send(fmt.Sprintf("%s.%d", filepath.Base(t.TempDir()), i)) })
	}
	return p
}

func (p *pump) send(name string) {
	for i := 0; !p.over.Load(); {
		c, err := loadgen.Dial(daemon.Split(p.d.Listen))
		for err == nil && !p.over.Load() {
			time.Sleep(2 * time.Millisecond)
			i++
			id := fmt.Sprintf("<%d.%s@%s.example>", i, name, strings.ToLower(p.t.Name()[len("TestFault"):][:4]))
			m := &loadgen.Message{From: "a@sender.example", Body: []byte("x\r\n"), Fields: []loadgen.Field{
				{Name: "From", Value: " a@sender.example"}, {Name: "Message-ID", Value: " " + id}}}
			p.sent.Add(1)
			var took time.Duration
			_, took, err = c.Send(m)
			p.mu.Lock()
			if err == nil {
				p.answered[id], p.slowest = true, max(p.slowest, took)
			} else {
				p.failed++
			}
			p.mu.Unlock()
		}
		if c != nil {
			c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// await waits for some more messages.
func (p *pump) await(n int64) {
	p.t.Helper()
	until := p.sent.Load() + n
	for start := time.Now(); p.sent.Load() < until; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			p.t.Fatal("mail does not go on")
		}
	}
}

func (p *pump) stop() {
	p.over.Store(true)
	p.senders.Wait()
}

// saw is what the client saw.
func (p *pump) saw() string {
	return fmt.Sprintf("%d messages over the milter protocol, %d without an answer; at most %.1f s for one", p.sent.Load(), p.failed, p.slowest.Seconds())
}

// compare counts what the journal has of what was answered.
func (p *pump) compare(dir string) (lost, doubled int) {
	p.t.Helper()
	found, _ := kept(p.t, dir)
	for id := range p.answered {
		if found[id] == 0 {
			lost++
		}
	}
	for n := range maps.Values(found) {
		if n > 1 {
			doubled++
		}
	}
	return lost, doubled
}

// well: no message waited for long or had no answer.
func (p *pump) well() {
	p.t.Helper()
	if p.failed > 0 || p.slowest > 2*time.Second || len(p.answered) < 100 {
		p.t.Errorf("mail was affected: %s", p.saw())
	}
}

// awaitLog waits until the daemon's log has a text that often.
func awaitLog(t *testing.T, d *daemon.Daemon, times int, text string) {
	t.Helper()
	for start := time.Now(); strings.Count(d.Log(), text) < times; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 90*time.Second {
			t.Fatalf("the log does not say %q %d times:\n%s", text, times, d.Log())
		}
	}
}

// disk mounts a small file system on a folder of the test.
func disk(t *testing.T, size string) string {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" || os.Getuid() != 0 {
		t.Skip("left out: a disk that is full, which wants root (make test runs it; it sets ALIGND_E2E=1)")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := unix.Unmount(dir, 0)
		for range 200 { // processes of a server that was ended may be there for a moment
			if err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
			err = unix.Unmount(dir, 0)
		}
		t.Error(errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)))
	})
	return dir
}

// keeping is a daemon that keeps a journal in path.
func keeping(t *testing.T, binary, path string, env ...string) *daemon.Daemon {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return &daemon.Daemon{Binary: binary, Listen: "inet:" + addr, Env: env, Config: writeFile(t, "alignd.yaml",
		fmt.Sprintf("log_level: warn\nnot_judged: {networks: [192.0.2.0/24]}\njournal: {path: %s}\n", path))}
}

// TestFaultJournalDiskIsFull, and has room again, several times: mail does not notice,
// what is dropped is counted, and all else is kept.
func TestFaultJournalDiskIsFull(t *testing.T) {
	t.Parallel()
	path := disk(t, "64m")
	d := keeping(t, binary(t), path)
	startDaemon(t, d)
	p := startPump(t, d)
	times := many(1, 10)
	for i := range times {
		p.await(200)
		fill(t, filepath.Join(path, "ballast"))
		awaitLog(t, d, i+1, "records are dropped")
		p.await(200)
		if err := os.Remove(filepath.Join(path, "ballast")); err != nil {
			t.Fatal(err)
		}
		awaitLog(t, d, i+1, "the journal's spool is written again")
	}
	p.await(200)
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	p.well()
	dropped := 0
	for line := range strings.Lines(d.Log()) {
		if strings.Contains(line, "written again") { // counted since the start
			dropped = sum(line, "dropped")
		}
	}
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	row(t, fmt.Sprintf("the disk of the journal is full %d times under load (ENOSPC), and has room again", times), p.saw(),
		fmt.Sprintf("%d records dropped, which the log counts; %d lost beside them, %d doubled; it goes on by itself", dropped, lost-dropped, doubled))
	if dropped == 0 || lost != dropped || doubled > 0 {
		t.Errorf("%d dropped, %d lost, %d doubled", dropped, lost, doubled)
	}
}

// fill leaves no room on a file system.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 4096; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaultJournalDiskIsReadOnly at the start: alignd runs without a journal, and says
// so once.
func TestFaultJournalDiskIsReadOnly(t *testing.T) {
	t.Parallel()
	path := disk(t, "16m")
	if err := unix.Mount("none", path, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	d := keeping(t, binary(t), path)
	startDaemon(t, d)
	p := startPump(t, d)
	p.await(200)
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	p.well()
	if n := strings.Count(d.Log(), "no journal is kept"); n != 1 || !strings.Contains(d.Log(), "read-only file system") {
		t.Errorf("said %d times:\n%s", n, d.Log())
	}
	row(t, "the disk of the journal is read-only (EROFS)", p.saw(), "no journal, which the log says once")
}

// TestFaultJournalStoreIsLocked by another program, longer than the store waits: records
// wait in the spool, readers read, and all is taken afterwards.
func TestFaultJournalStoreIsLocked(t *testing.T) {
	t.Parallel()
	needsFaults(t)
	path := t.TempDir()
	d := keeping(t, binary(t), path)
	startDaemon(t, d)
	p := startPump(t, d)
	const times = 10
	for i := range times {
		awaitToday(t, path)
		p.await(200)
		unlock := lockToday(t, filepath.Join(path, "journal"))
		awaitLog(t, d, i+1, "takes no records")
		p.await(300)
		if n, _ := kept(t, filepath.Join(path, "journal")); len(n) == 0 {
			t.Error("nothing is read while the store is locked")
		}
		unlock()
		for start := time.Now(); ; time.Sleep(100 * time.Millisecond) { // the last of before
			if lost, _ := p.snapshot(filepath.Join(path, "journal")); lost == 0 {
				break
			}
			if time.Since(start) > time.Minute {
				t.Fatal("the store is not taken up again")
			}
		}
	}
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	p.well()
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	row(t, fmt.Sprintf("another program locks the journal's store %d times, longer than alignd waits for it", times), p.saw(),
		fmt.Sprintf("each answered one is in the journal, once: %d lost, %d doubled", lost, doubled))
	if lost+doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
}

// snapshot compares what was answered a moment ago.
func (p *pump) snapshot(dir string) (lost, doubled int) {
	p.t.Helper()
	p.mu.Lock()
	before := &pump{t: p.t, answered: maps.Clone(p.answered)}
	p.mu.Unlock()
	time.Sleep(2500 * time.Millisecond) // until a frame says that the answers were written, and the loader comes by
	return before.compare(dir)
}

// lockToday keeps all others from writing to the file in use.
func lockToday(t *testing.T, dir string) (unlock func()) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	db, err := sql.Open("sqlite", "file:"+list[0]+"?mode=rw&_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(context.Background(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		_, err := c.ExecContext(context.Background(), "ROLLBACK")
		if err := errors.Join(err, c.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestFaultJournalFileIsRemoved by somebody who wants room, while alignd writes to it: the
// next file takes what the spool has of its records.
func TestFaultJournalFileIsRemoved(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := keeping(t, binary(t), path)
	startDaemon(t, d)
	p := startPump(t, d)
	times := many(2, 10)
	for i := range times {
		awaitToday(t, path)
		p.await(200)
		for _, name := range filesOf(t, filepath.Join(path, "journal")) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		awaitLog(t, d, i+1, "was removed while it was in use")
	}
	p.await(200)
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	p.well()
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	row(t, fmt.Sprintf("somebody removes the file of the journal that is in use, %d times under load", times), p.saw(),
		fmt.Sprintf("each answered one is in the journal, once, as the spool has the last hour: %d lost, %d doubled", lost, doubled))
	if lost+doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
}

// filesOf are those of a folder.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	return list
}

// TestFaultJournalStoreIsDamaged between two runs: the file is put aside, and what the
// spool still has of its records is taken again.
func TestFaultJournalStoreIsDamaged(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := keeping(t, binary(t), path)
	startDaemon(t, d)
	p := startPump(t, d)
	times := many(2, 20)
	awaitToday(t, path)
	for i := range times {
		p.await(200)
		if err := d.Kill(); err != nil {
			t.Fatal(err)
		}
		list, err := filepath.Glob(filepath.Join(path, "journal", "*.db"))
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		damage(t, list[0], i)
		before := strings.Count(d.Log(), "was put aside")
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		if i%4 < 2 { // a file that is cut looks new where its records are still in its log
			awaitLog(t, d, before+1, "was put aside")
		}
		awaitToday(t, path)
	}
	p.await(200)
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	aside := strings.Count(d.Log(), "was put aside")
	if left, _ := filepath.Glob(filepath.Join(path, "journal", "*.damaged")); len(left) != aside || aside < times/2 || strings.Contains(d.Log(), "takes no records") {
		t.Errorf("%d files put aside, %d are there", aside, len(left))
	}
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	row(t, fmt.Sprintf("kill -9 and a damaged file of the journal, %d times under load: its header overwritten, emptied, or cut with its log", times), p.saw(),
		fmt.Sprintf("%d files put aside; each answered one is in the journal, once: %d lost, %d doubled", aside, lost, doubled))
	if lost+doubled > 0 || p.slowest > 2*time.Second {
		t.Errorf("%d put aside, %d lost, %d doubled, %s", aside, lost, doubled, p.saw())
	}
}

// damage harms a file and its log, which whole would mend it.
func damage(t *testing.T, path string, kind int) {
	t.Helper()
	change := func(end string, f func(b []byte) []byte) {
		b, err := os.ReadFile(path + end)
		if err == nil {
			err = os.WriteFile(path+end, f(b), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	header := func(b []byte) []byte { copy(b, "xxxxxxxxxxxxxxxx"); return b }
	none := func([]byte) []byte { return nil }
	cut := func(b []byte) []byte { return b[:len(b)/3] }
	switch kind % 4 {
	case 0:
		change("", header)
		change("-wal", header)
	case 1:
		change("", none) // and its log is whole
	case 2:
		change("", cut)
		change("-wal", none)
	case 3:
		change("", none)
		change("-wal", none) // as if it were new
	}
}

// awaitToday waits for a file in use with a log.
func awaitToday(t *testing.T, path string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		list, _ := filepath.Glob(filepath.Join(path, "journal", "*.db-wal"))
		if len(list) == 1 {
			if info, err := os.Stat(list[0]); err == nil && info.Size() > 100_000 {
				return
			}
		}
		if time.Since(start) > time.Minute {
			t.Fatal("no file is in use")
		}
	}
}

// TestFaultTwoDaemonsOneJournal: the second one runs without, which it says, and harms
// nothing.
func TestFaultTwoDaemonsOneJournal(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	first, second := keeping(t, binary(t), path), keeping(t, binary(t), path)
	startDaemon(t, first)
	startDaemon(t, second)
	p, q := startPump(t, first), startPump(t, second)
	for range many(2, 20) {
		p.await(100)
		q.await(100)
		if err := second.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
	q.stop()
	if err := errors.Join(first.Stop(), second.Stop()); err != nil {
		t.Fatal(err)
	}
	p.well()
	q.well()
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	lostOfSecond, _ := q.compare(filepath.Join(path, "journal"))
	if n := strings.Count(second.Log(), "another process uses this spool"); n != 1 || lost+doubled > 0 || lostOfSecond != len(q.answered) {
		t.Errorf("said %d times, %d lost, %d doubled, of the second %d of %d are there", n, lost, doubled, len(q.answered)-lostOfSecond, len(q.answered))
	}
	row(t, "two alignd on one journal", fmt.Sprintf("%s; of the second: %s", p.saw(), q.saw()),
		fmt.Sprintf("all of the first, once: %d lost, %d doubled; the second keeps none and says so once", lost, doubled))
}

// TestFaultJournalClockSteps while mail comes in: each record is kept once, under the
// day that the clock had, and a jump of more than a day stops what removes old files.
func TestFaultJournalClockSteps(t *testing.T) {
	t.Parallel()
	binary, _, board := faulty(t)
	path := t.TempDir()
	d := keeping(t, binary, path, instrument.BoardVariable+"="+board.Name)
	startDaemon(t, d)
	p := startPump(t, d)
	const day = 24 * time.Hour
	toMidnight := time.Until(time.Now().UTC().Truncate(day).Add(day))
	steps := []time.Duration{0, time.Hour, toMidnight - time.Second, toMidnight + time.Second, 0, -time.Hour, -20 * time.Hour, 0, 36 * time.Hour, 400 * day, 0}
	for _, to := range steps {
		board.SetClock(to)
		p.await(400)
		time.Sleep(1500 * time.Millisecond)
		if to > 30*day { // until what removes old files looks, once a minute
			awaitLog(t, d, 1, "the clock jumped, so nothing is removed")
		}
	}
	p.stop()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	p.well()
	lost, doubled := p.compare(filepath.Join(path, "journal"))
	files, _ := filepath.Glob(filepath.Join(path, "journal", "*.db"))
	days := map[string]bool{}
	for _, f := range files {
		days[filepath.Base(f)[:len("2006-01-02")]] = true
	}
	row(t, fmt.Sprintf("the clock is set %d times under load, by an hour to 400 days, forwards, back and over midnight", len(steps)-1), p.saw(),
		fmt.Sprintf("each answered one is in the journal, once: %d lost, %d doubled, on %d days; nothing is removed after a jump", lost, doubled, len(days)))
	if lost+doubled > 0 || len(days) < 4 {
		t.Errorf("%d lost, %d doubled, days %v", lost, doubled, days)
	}
}
