package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Each thread of what reads much of the journal for the pages is behind mail, and the pages.
func TestAJobIsBehindMail(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, "web", "job")
	c.Env = append(os.Environ(), asAlignd+"=1")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = io.Discard, io.Discard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = c.Wait() }()
	behind := func() bool {
		threads, _ := filepath.Glob("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/*")
		for _, path := range threads {
			id, _ := strconv.Atoi(filepath.Base(path))
			if n, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-n < lowestPriority {
				return false
			}
		}
		return len(threads) > 1
	}
	for deadline := time.Now().Add(20 * time.Second); !behind(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("some threads are not behind mail")
		}
	}
}
