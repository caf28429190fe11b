package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files")

// asAlignd makes the test binary behave as alignd.
const asAlignd = "ALIGND_TEST_AS_ALIGND"

// withFiles limits the files that it may open.
const withFiles = "ALIGND_TEST_FILES"

// slowReplay has alignd replay take its time.
const slowReplay = "ALIGND_TEST_SLOW_REPLAY"

func TestMain(m *testing.M) {
	if os.Getenv(asAlignd) != "" {
		if n, err := strconv.ParseUint(os.Getenv(withFiles), 10, 64); err == nil {
			limit := new(unix.Rlimit)
			set(&limit.Cur, n)
			set(&limit.Max, n)
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, limit); err != nil {
				panic(err)
			}
		}
		if span, err := time.ParseDuration(os.Getenv(slowReplay)); err == nil && len(os.Args) > 1 && os.Args[1] == "replay" {
			time.Sleep(span)
		}
		main()
	}
	os.Exit(m.Run())
}

// set is for a field whose type is not the same on every system.
func set[T int64 | uint64](field *T, n uint64) { *field = T(n) }

// outcome is what one call of alignd did.
type outcome struct {
	status         int
	stdout, stderr string
}

// alignd runs in this process. A check that names no configuration has an empty
// one, whatever this machine has in /etc.
func alignd(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	if len(args) > 0 && args[0] == "check" {
		args = slices.Concat(args[:1], []string{"--config", os.DevNull}, args[1:])
	}
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{status: status, stdout: stdout.String(), stderr: stderr.String()}
}

// TestProcess: what the other tests see of run is what a shell sees of main.
func TestProcess(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--version"}, {"config", "check", "nowhere"}, {"check", "-", "--json", "--now", "1700000000", "--config", os.DevNull, "--zone", os.DevNull}} {
		cmd := exec.CommandContext(t.Context(), exe, args...)
		cmd.Env = append(os.Environ(), asAlignd+"=1")
		cmd.Stdin = strings.NewReader(plainMessage)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		got := outcome{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
		if want := alignd(t, plainMessage, args...); got != want {
			t.Errorf("%q: got %+v, want %+v", args, got, want)
		}
	}
}

// write makes a file for one test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\n got %s\nwant %s", path, got, want)
	}
}
