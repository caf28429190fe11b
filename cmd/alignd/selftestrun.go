package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"alignd/internal/owned"
	"alignd/journal/selftest"
	"alignd/metrics"
)

// The numbers are ours.
const (
	// selfTestFirst is how long after the start the first self-test runs, so that a
	// daemon that is restarted each day has one, too.
	selfTestFirst = 10 * time.Minute
	// selfTestMost ends one that does not come to its end.
	selfTestMost = 6 * time.Hour
	// lowestPriority is what mail has before a self-test.
	lowestPriority = 19
	// maxSelfTestOutput bounds what is read of one, in octets.
	maxSelfTestOutput = 1 << 20
)

// selfTester runs `alignd journal self-test` now and then, in a process of its own at
// low priority (option journal.self_test). A nil tester runs none.
type selfTester struct {
	every time.Duration
	file  string // the configuration; empty for the default
	log   *slog.Logger

	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu   sync.Mutex
	last metrics.SelfTest
}

func newSelfTester(every time.Duration, file string, log *slog.Logger) *selfTester {
	if every <= 0 {
		return nil
	}
	s := &selfTester{every: every, file: file, log: log}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.ended.Go(func() { owned.Guarded(log, "testing the journal", func() { s.loop(ctx) }) })
	return s
}

func (s *selfTester) loop(ctx context.Context) {
	wait := min(s.every, selfTestFirst)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		s.run(ctx)
		wait = s.every
	}
}

func (s *selfTester) close() {
	if s != nil {
		s.cancel()
		s.ended.Wait()
	}
}

// health is the outcome of the last one.
func (s *selfTester) health() metrics.SelfTest {
	if s == nil {
		return metrics.SelfTest{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// run tests the messages since some time before the last run.
func (s *selfTester) run(ctx context.Context) {
	res, err := s.child(ctx)
	if ctx.Err() != nil { // alignd stops
		return
	}
	s.mu.Lock()
	s.last = metrics.SelfTest{At: time.Now(), Failed: err != nil, Judged: res.Judged, Differ: res.Differ}
	s.mu.Unlock()
	switch {
	case err != nil:
		s.log.Warn("the journal could not be tested", "err", err)
	case res.Differ > 0:
		var tokens []string
		for _, d := range res.Differences {
			tokens = append(tokens, d.Token)
		}
		s.log.Warn("messages of the journal are judged otherwise than they were: alignd journal self-test tells more",
			"differ", res.Differ, "judged", res.Judged, "tokens", strings.Join(tokens, " "))
	default:
		s.log.Info("the journal was tested", "judged", res.Judged, "differ", res.Differ)
	}
}

func (s *selfTester) child(ctx context.Context) (res selftest.Result, err error) {
	program, err := os.Executable()
	if err != nil {
		return res, err
	}
	args := []string{"journal", "self-test", "--json", "--limit", "5", "--since", (s.every + time.Hour).String()}
	if s.file != "" {
		args = append(args, "--config", s.file)
	}
	ctx, cancel := context.WithTimeout(ctx, selfTestMost)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	out, said := bounded{left: maxSelfTestOutput}, bounded{left: 4 << 10}
	c.Stdout, c.Stderr, c.WaitDelay = &out, &said, 5*time.Second
	if err := c.Start(); err != nil {
		return res, err
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, c.Process.Pid, lowestPriority) // that it fails is no reason not to test
	ended := c.Wait()
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return res, fmt.Errorf("%w: %s", errors.Join(ended, err), firstLines(said.String()))
	}
	if ended != nil && res.Differ == 0 {
		return res, fmt.Errorf("%w: %s", ended, firstLines(said.String()))
	}
	return res, nil
}

// bounded keeps the begin of what is written.
type bounded struct {
	bytes.Buffer
	left int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}

var _ io.Writer = (*bounded)(nil)
