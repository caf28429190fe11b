// Command demopages plants a world of 30 days in a journal and shows it in the pages:
// honest senders, vendors, lists, forwarders, forgers, reports of ours and of others, DNS
// that fails at times, and an entry that is a mistake. Each message is written, signed and
// judged by the engine, by its own DNS and at its own time; nothing of a record is made up.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/journal/state"
	"alignd/report/send"
	"alignd/web/access"
)

const (
	days     = 30
	password = "look at mail"
	// lasts is for how long a world is shown again before another one is planted, so
	// that Today has mail.
	lasts = 12 * time.Hour
)

// demo is what was asked for.
type demo struct {
	dir     string // absolute
	n       int
	program string
	at      places
	plant   bool
}

func main() {
	d := &demo{}
	flag.StringVar(&d.dir, "dir", "build/demo-pages", "folder of the world")
	flag.IntVar(&d.n, "n", 200_000, "messages")
	flag.StringVar(&d.program, "alignd", "build/alignd", "the program")
	flag.StringVar(&d.at.web, "listen", "127.0.0.1:8895", "where the pages are")
	flag.StringVar(&d.at.dns, "dns", "127.0.0.1:8896", "where the DNS of the world is")
	flag.StringVar(&d.at.metrics, "metrics", "127.0.0.1:8897", "where the daemon tells how it is")
	flag.StringVar(&d.at.milter, "milter", "127.0.0.1:8898", "where the daemon would take mail")
	flag.BoolVar(&d.plant, "plant", false, "plant the world and show nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demopages:", err)
		os.Exit(1)
	}
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	if d.program, err = filepath.Abs(d.program); err != nil {
		return err
	}
	s := &stage{demo: d}
	if err := s.open(); err != nil {
		return err
	}
	defer s.close()
	if !d.fresh() {
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	if d.plant {
		return nil
	}
	return s.show(ctx)
}

func (d *demo) file() string { return filepath.Join(d.dir, "alignd.yaml") }

// fresh: the world is there, is as large as asked for, and not too old.
func (d *demo) fresh() bool {
	info, err := os.Stat(d.file())
	said, _ := os.ReadFile(filepath.Join(d.dir, "world"))
	return err == nil && time.Since(info.ModTime()) < lasts && string(said) == d.name()
}

// name tells a world from others.
func (d *demo) name() string { return fmt.Sprintf("%d messages, %v\n", d.n, d.at) }

// alignd is a command of the program that reads the world. It runs in the folder above, so
// that the configuration has a short name.
func (d *demo) alignd(args ...string) *exec.Cmd {
	c := exec.Command(d.program, args...)
	c.Args = append(c.Args, "--config", filepath.Join(filepath.Base(d.dir), "alignd.yaml"))
	c.Dir = filepath.Dir(d.dir)
	return c
}

// settle plants the world, and says last what it is: what is half done is done anew.
func (d *demo) settle(ctx context.Context) error {
	for _, part := range []string{"world", "alignd.yaml", "journal", "spool", "reports", "state.db", "state.db-wal", "state.db-shm", "users"} {
		if err := os.RemoveAll(filepath.Join(d.dir, part)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"demo", "viewer"} {
		if err := access.SetPassword(filepath.Join(d.dir, "users"), name, password); err != nil {
			return err
		}
	}
	begin := time.Now()
	end := begin.UTC()
	both := texts(d.dir, d.at, end)
	var configs [2]*config.Config
	for i, text := range both {
		// The first one is read as of its time, when what it names had not expired.
		cfg, err := config.Parse([]byte(text), filepath.Join(filepath.Base(d.dir), "alignd.yaml"), end.AddDate(0, 0, -days))
		if err != nil {
			return err
		}
		configs[i] = cfg
	}
	e, err := newEngine(configs, d.n, end)
	if err != nil {
		return err
	}
	fmt.Printf("planting %d messages of %d days\n", d.n, days)
	if err := d.plantWorld(ctx, e, configs); err != nil {
		return err
	}
	if err := os.WriteFile(d.file(), []byte(both[1]), 0o644); err != nil {
		return err
	}
	if err := e.importReports(d.dir, d.alignd); err != nil {
		return err
	}
	fmt.Printf("planted in %v\n", time.Since(begin).Round(time.Second))
	return os.WriteFile(filepath.Join(d.dir, "world"), []byte(d.name()), 0o644)
}

func (d *demo) plantWorld(ctx context.Context, e *engine, configs [2]*config.Config) error {
	store, err := sqlite.Open(sqlite.Options{Dir: filepath.Join(d.dir, "journal"), Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50, Hurry: true})
	if err != nil {
		return err
	}
	defer store.Close()
	err = d.withCounts(ctx, func(counts *state.State) error {
		for i, cfg := range configs {
			if err := counts.KeepConfig(ctx, cfg.Hash(), cfg.Text(), e.begin.AddDate(0, 0, reloadDay*i)); err != nil {
				return err
			}
		}
		return e.fill(ctx, store, counts)
	})
	if err != nil {
		return err
	}
	fmt.Println("sending reports")
	if err := d.withCounts(ctx, func(counts *state.State) error { return e.sendReports(ctx, counts) }); err != nil {
		return err
	}
	return d.withCounts(ctx, func(counts *state.State) error { return e.silenced(ctx, counts) })
}

// withCounts opens the state; what it was told is in it once it is closed.
func (d *demo) withCounts(ctx context.Context, use func(*state.State) error) error {
	counting := send.Counting{Addresses: []string{"dmarc@example.net", "dmarc-bounces@example.net"}, Delimiters: "+", Due: own}
	counts, err := state.OpenFile(ctx, filepath.Join(d.dir, "state.db"), state.Options{Tally: counting.Tally})
	if err != nil {
		return err
	}
	return errors.Join(use(counts), counts.Close())
}

func own(domain string) bool { return domain == "example.net" || domain == "brand.example" }

// fill judges all messages and keeps them in their order.
func (e *engine) fill(ctx context.Context, stores ...journal.Store) error {
	const perBatch = 500
	waiting := make(chan chan []journal.Raw, runtime.GOMAXPROCS(0))
	go func() {
		defer close(waiting)
		for at := 0; at < e.n && ctx.Err() == nil; at += perBatch {
			done := make(chan []journal.Raw, 1)
			waiting <- done
			go func() { done <- e.batch(at, min(e.n, at+perBatch)) }()
		}
	}()
	var err error
	told, silenced := 0, false
	for done := range waiting {
		batch := <-done
		at := slices.IndexFunc(batch, func(r journal.Raw) bool { return r.Record.Evidence.Time.After(e.silence()) })
		for _, s := range stores {
			if at >= 0 && !silenced && err == nil { // in the order in which all came
				err = cmp.Or(s.Take(ctx, spool.ID{1}, batch[:at]), s.Take(ctx, second, e.lastOfSecond()))
			}
			if err == nil {
				err = s.Take(ctx, spool.ID{1}, batch) // of which it has the first part
			}
		}
		silenced = silenced || at >= 0
		if at := int(batch[len(batch)-1].Number); at*10/e.n > told && err == nil {
			told = at * 10 / e.n
			fmt.Printf("%3d %%\n", told*10)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}
