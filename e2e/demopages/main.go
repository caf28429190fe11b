// Command demopages plants a world of 30 days in a journal and shows it in the pages:
// honest senders, vendors, lists, forwarders, forgers, and an entry that is a mistake.
// Each message is written, signed and judged by the engine, by its own DNS and at its own
// time; nothing of a record is made up.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/journal/state"
	"alignd/report/send"
	"alignd/resolver"
)

const days = 30

// before and after are the configurations of the world; the second came with a reload
// three days ago, and has a mistake in it.
const before = `# The site that the demo shows. Nothing in it is sent anywhere.
mode: enforce
iprev: true
journal: {store: sqlite, path: %s}
reports: {from: dmarc@example.net}
web: {listen: "inet:%s", users_file: %s, auditors: [demo]}

own_domains:
  - {id: ours, domains: [example.net], action: tag}

exceptions:
  - id: talk-list
    action: accept
    scope: {list_ids: [talk.lists.example], author_domains: [northmill.example, openclinic.example]}
    proof: {clients: [198.18.9.25]}
    expires: %s
    owner: it
    reason: the list changes the subject
  - id: old-fax-gateway
    action: accept
    proof: {clients: [198.18.77.1]}
    never_expires: true
    owner: it
    reason: scanned faxes
  - id: old-fax-second
    action: accept
    proof: {clients: [198.18.77.1]}
    scope: {author_domains: [fax.example]}
    never_expires: true
    owner: it
`

const after = `  - id: no-promo
    kind: block
    action: reject
    scope: {author_domains: [partner.example]}
    owner: sales
    never_expires: true
    reason: "too many newsletters; meant promo.partner.example"
`

func main() {
	dir := flag.String("dir", "build/demo-pages", "folder of the journal")
	n := flag.Int("n", 200_000, "messages")
	program := flag.String("alignd", "build/alignd", "the program")
	listen := flag.String("listen", "127.0.0.1:8891", "where the pages are")
	plant := flag.Bool("plant", false, "plant the world and serve nothing")
	flag.Parse()
	if err := run(*dir, *n, *program, *listen, *plant); err != nil {
		fmt.Fprintln(os.Stderr, "demopages:", err)
		os.Exit(1)
	}
}

func run(dir string, n int, program, listen string, plant bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "alignd.yaml")
	if _, err := os.Stat(file); err != nil {
		if err := settle(dir, file, listen, n); err != nil {
			return err
		}
	}
	if plant {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	fmt.Printf("Log in as demo (who sees addresses) or viewer, password: %s\n", password)
	c := exec.CommandContext(ctx, program, "web", "--config", file, "--listen", "inet:"+listen)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	err = c.Run()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

const password = "look at mail"

// settle plants the world, and writes its configuration last: what is half done is done
// anew.
func settle(dir, file, listen string, n int) error {
	for _, part := range []string{"journal", "state.db", "state.db-wal", "state.db-shm", "users"} {
		if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	users := filepath.Join(dir, "users")
	for _, name := range []string{"demo", "viewer"} {
		if err := addUser(users, name); err != nil {
			return err
		}
	}
	end := time.Now().UTC()
	old := fmt.Sprintf(before, dir, listen, users, end.AddDate(0, 0, 9).Format(time.DateOnly))
	var configs [2]*config.Config
	for i, text := range []string{old, old + after} {
		cfg, err := config.Parse([]byte(text), file, end)
		if err != nil {
			return err
		}
		configs[i] = cfg
	}
	begin := time.Now()
	if err := plantWorld(dir, configs, n, end); err != nil {
		return err
	}
	fmt.Printf("planted %d messages of %d days in %v\n", n, days, time.Since(begin).Round(time.Second))
	return os.WriteFile(file, []byte(old+after), 0o644)
}

func plantWorld(dir string, configs [2]*config.Config, n int, end time.Time) error {
	ctx := context.Background()
	w := newWorld()
	zone, err := resolver.ParseZone(strings.NewReader(w.zone()), "world")
	if err != nil {
		return err
	}
	e := &engine{world: w, zone: zone, begin: end.AddDate(0, 0, -days), end: end, n: n}
	for i, cfg := range configs {
		e.settings[i] = settings(cfg)
	}
	store, err := sqlite.Open(sqlite.Options{Dir: filepath.Join(dir, "journal"), Keep: 1000 * 24 * time.Hour, MaxSize: 1 << 50, Hurry: true})
	if err != nil {
		return err
	}
	counting := send.Counting{Addresses: []string{"dmarc@example.net"}, Due: func(d string) bool { return d == "example.net" }}
	counts, err := state.OpenFile(ctx, filepath.Join(dir, "state.db"), state.Options{Tally: counting.Tally})
	if err != nil {
		return err
	}
	for i, cfg := range configs {
		hash := cfg.Hash()
		if err := counts.KeepConfig(ctx, hash, cfg.Text(), e.begin.AddDate(0, 0, 27*i)); err != nil {
			return err
		}
	}
	const perBatch = 500
	waiting := make(chan chan []journal.Raw, runtime.GOMAXPROCS(0))
	go func() {
		defer close(waiting)
		for at := 0; at < n; at += perBatch {
			done := make(chan []journal.Raw, 1)
			waiting <- done
			go func() { done <- e.batch(at, min(n, at+perBatch)) }()
		}
	}()
	for done := range waiting {
		batch := <-done
		for _, s := range []journal.Store{store, counts} {
			if err := s.Take(ctx, spool.ID{1}, batch); err != nil {
				return err
			}
		}
		if at := int(batch[len(batch)-1].Number); at%(n/20/perBatch*perBatch+perBatch) == 0 {
			fmt.Printf("%3d %%\n", 100*at/n)
		}
	}
	if err := counts.Close(); err != nil {
		return err
	}
	return store.Close()
}
