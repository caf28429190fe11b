package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

// listReader is a store in memory, in the order of arrival.
type listReader struct {
	journal.Reader
	list   []*journal.Entry
	double bool  // each entry is handed on twice, as from a file and its sealed form
	fail   error // after half of them
	asked  int   // entries that were handed on
}

func (r *listReader) Search(_ context.Context, q journal.Query, found func(*journal.Entry) error) error {
	left := q.Limit
	for i, e := range slices.Backward(r.list) {
		if r.fail != nil && i < len(r.list)/2 {
			return r.fail
		}
		for range map[bool]int{true: 2, false: 1}[r.double] {
			if !q.Matches(e) {
				continue
			}
			r.asked++
			if err := found(e); err != nil {
				if errors.Is(err, journal.ErrEnough) {
					return nil
				}
				return err
			}
			if left--; left == 0 {
				return nil
			}
		}
	}
	return nil
}

// entryAt is the record of message i.
func entryAt(i int, at time.Time) *journal.Entry {
	return &journal.Entry{Number: spool.Number(i), Record: &record.Record{
		Evidence: evidence.Message{Time: at, Token: fmt.Sprintf("t%d", i), DMARC: []evidence.DMARC{{AuthorDomain: fmt.Sprintf("d%d.example", i%2)}}},
		Verdict:  policy.Verdict{Disposition: policy.DispositionAccept},
	}}
}

// following is a follower whose looks a test makes, and what it has shown since the
// last one.
type following struct {
	*follower
	clock  time.Time
	tokens []string
	told   []string
}

func newFollowing(t *testing.T, r journal.Reader, q journal.Query, now time.Time) *following {
	t.Helper()
	f := &following{clock: now}
	f.follower = &follower{reader: r, query: q, now: func() time.Time { return f.clock }, seen: map[entryKey]time.Time{},
		show: func(list []*journal.Entry) error {
			for _, e := range list {
				f.tokens = append(f.tokens, e.Record.Evidence.Token)
			}
			return nil
		},
	}
	f.follower.told = func(text string) { f.told = append(f.told, text) }
	if err := f.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// shown looks once and expects exactly these to be shown, in that order.
func (f *following) shown(t *testing.T, whole bool, want string) {
	t.Helper()
	f.tell(f.look(t.Context(), whole))
	f.expect(t, want)
}

func (f *following) expect(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(f.tokens, " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f.tokens = nil
}

var followed = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestFollowShowsEachEntryOnce(t *testing.T) {
	r := &listReader{}
	add := func(i int, ago time.Duration) { r.list = append(r.list, entryAt(i, followed.Add(-ago))) }
	for i := range 6 {
		add(i, time.Duration(6-i)*time.Minute)
	}
	f := newFollowing(t, r, journal.Query{Limit: 3}, followed)
	f.expect(t, "t3 t4 t5")
	f.shown(t, true, "")
	add(6, 0)
	f.shown(t, false, "t6")
	f.shown(t, false, "")
	add(7, -time.Second)
	add(8, 50*time.Minute) // it began early and took its time
	f.shown(t, false, "t8 t7")
	f.clock = followed.Add(90 * time.Minute)
	f.shown(t, true, "")
	if len(f.seen) != 0 {
		t.Errorf("%d entries are remembered that cannot come again", len(f.seen))
	}
	r.double = true
	add(9, -80*time.Minute)
	f.shown(t, true, "t9")
}

func TestFollowFiltersAndBegins(t *testing.T) {
	r := &listReader{}
	for i := range 8 {
		r.list = append(r.list, entryAt(i, followed.Add(time.Duration(i-8)*20*time.Minute)))
	}
	for _, c := range []struct {
		name        string
		q           journal.Query
		first, next string
	}{
		{name: "more than what may still come", q: journal.Query{Limit: 6}, first: "t2 t3 t4 t5 t6 t7", next: "t8 t9"},
		{name: "nothing past", q: journal.Query{}, next: "t8 t9"},
		{name: "of one domain", q: journal.Query{Limit: 2, Domain: "d1.example"}, first: "t5 t7", next: "t9"},
		{name: "since lately", q: journal.Query{Limit: 5, Since: followed.Add(-50 * time.Minute)}, first: "t6 t7", next: "t8 t9"},
		{name: "since long ago", q: journal.Query{Limit: 5, Since: followed.Add(-90 * time.Minute)}, first: "t4 t5 t6 t7", next: "t8 t9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &listReader{list: slices.Clone(r.list)}
			f := newFollowing(t, r, c.q, followed)
			f.expect(t, c.first)
			r.list = append(r.list, entryAt(8, followed), entryAt(9, followed))
			f.shown(t, false, c.next)
		})
	}
}

func TestFollowSurvivesAJournalThatFails(t *testing.T) {
	r := &listReader{list: []*journal.Entry{entryAt(0, followed)}}
	f := newFollowing(t, r, journal.Query{}, followed)
	r.list = append(r.list, entryAt(1, followed), entryAt(2, followed), entryAt(3, followed))
	r.fail = errors.New("no connection")
	f.shown(t, true, "t2 t3")
	f.shown(t, true, "")
	r.fail = nil
	f.shown(t, true, "t1")
	if got := strings.Join(f.told, "|"); got != "no connection|" {
		t.Errorf("told %q", got)
	}
}

func TestAShortLookAsksForLittle(t *testing.T) {
	r := &listReader{}
	for i := range 50_000 {
		r.list = append(r.list, entryAt(i, followed.Add(-time.Minute)))
	}
	f := newFollowing(t, r, journal.Query{}, followed)
	r.asked = 0
	r.list = append(r.list, entryAt(50_000, followed))
	f.shown(t, false, "t50000")
	if r.asked > followRun+10 {
		t.Errorf("%d entries were asked for", r.asked)
	}
}

func TestFollowEndsWhereNobodyReads(t *testing.T) {
	r := &listReader{list: []*journal.Entry{entryAt(0, time.Now())}}
	gone := errors.New("broken pipe")
	shows := 0
	f := follower{reader: r, now: time.Now, told: func(text string) { t.Error(text) }, show: func([]*journal.Entry) error {
		if shows++; shows > 1 {
			return gone
		}
		r.list = append(r.list, entryAt(1, time.Now()))
		return nil
	}}
	if err := f.run(t.Context()); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// TestFollowOverMidnightAndSealing: a day ends, its file is sealed, a late record of it
// comes, and each is shown once.
func TestFollowOverMidnightAndSealing(t *testing.T) {
	cfg, err := readConfig(config.Input{File: write(t, "alignd.yaml", "journal: {store: sqlite, path: "+t.TempDir()+"}\n")})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	open := func() journal.Store {
		s, err := place.OpenStore(cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	store := open()
	defer func() { store.Close() }()
	midnight := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	take := func(i int, at time.Duration) {
		t.Helper()
		e := entryAt(i, midnight.Add(at))
		err := store.Take(t.Context(), spool.ID{1}, []journal.Raw{{Entry: *e, Encoded: record.Append(nil, e.Record)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	take(1, -2*time.Minute)
	r, err := place.OpenReader(cfg, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := newFollowing(t, r, journal.Query{Limit: 10}, midnight.Add(-time.Minute))
	f.expect(t, "t1")
	take(2, -time.Minute)
	f.shown(t, false, "t2")
	f.clock = midnight.Add(time.Minute)
	take(3, time.Second)
	take(4, -time.Second) // the session went over midnight
	f.shown(t, false, "t4 t3")

	f.clock = midnight.Add(10 * time.Minute)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = open()
	sealed := func() bool {
		names, _ := filepath.Glob(filepath.Join(place.StoreDir(cfg), "2026-11-27.1.sealed.db"))
		return len(names) == 1
	}
	for deadline := time.Now().Add(2 * time.Minute); !sealed(); {
		if err := store.Tidy(t.Context(), f.clock); err != nil {
			t.Fatal(err)
		}
		f.shown(t, true, "")
		if time.Now().After(deadline) {
			t.Fatal("the day was not sealed")
		}
	}
	f.shown(t, true, "")
	take(5, -time.Minute) // it took ten minutes
	take(6, 9*time.Minute)
	f.shown(t, true, "t5 t6")
	f.shown(t, true, "")
}

// TestFollowAsAProcess: a record is shown soon after its answer, and SIGINT ends it
// without a word.
func TestFollowAsAProcess(t *testing.T) {
	file := remembered(t)
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	m := mustRemember(t, cfg, slog.New(slog.DiscardHandler))
	defer m.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "log", "--follow", "--limit", "1", "--json", "--domain", "example.com", "--config", file)
	cmd.Env = append(os.Environ(), asAlignd+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	next := func(want string) {
		t.Helper()
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Fatalf("got %q, %v, want %s", line, err, want)
		}
	}
	next(`"token":"token1"`)
	sink := m.Sink(record.Sinks{})
	for i := range 3 {
		e := entryAt(2*i, time.Now())
		e.Record.Evidence.From.Domains = []string{"example.com"}
		e.Record.Evidence.DMARC[0].AuthorDomain = "example.com"
		sent := sink.Take(e.Record)
		sink.Take(entryAt(2*i+1, time.Now()).Record)(true) // of another domain
		began := time.Now()
		sent(true)
		next(fmt.Sprintf(`"token":"t%d"`, 2*i))
		if took := time.Since(began); took > 5*time.Second { // 2 s, on a machine that has time
			t.Errorf("shown after %v", took)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil || len(rest) > 0 || stderr.Len() > 0 {
		t.Errorf("ended with %v, %q, %q", err, rest, stderr.String())
	}
}
