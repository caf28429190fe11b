//go:build linux

// The limits of a process and the size of a pipe are set as on Linux.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"alignd/e2e/daemon"
)

// behindPostfix is an alignd that is yet to be started behind a line of Postfix.
func behindPostfix(t *testing.T, zone, settings string) *daemon.Daemon {
	t.Helper()
	return &daemon.Daemon{Binary: binary(t), Listen: behind(""),
		Config: writeFile(t, "alignd.yaml", settings+"\n"+daemon.NoJournal+"dns:\n  servers: [\""+serveText(t, zone).Addr()+"\"]\n")}
}

// judgedIn counts the lines of messages in a log, and the lines that it says are
// missing.
func judgedIn(log string) (judged, missing int) {
	return strings.Count(log, `msg="message judged"`), sum(log, "lines")
}

// TestFaultDiskOfTheLogIsFull from the start: each line is lost, and no mail.
func TestFaultDiskOfTheLogIsFull(t *testing.T) {
	p := realMTA(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	d := behindPostfix(t, spoofZone, "")
	d.Stderr = full
	startDaemon(t, d)
	f := newFlood(t, p, "")
	sums := f.run(many(60, 1000))
	if sums.putOff > 0 {
		t.Errorf("%d messages were put off", sums.putOff)
	}
	row(t, "no space for the log (ENOSPC at each write)", sums.saw(), sums.got()+"; each line of the log is lost")
}

// TestFaultDiskOfTheLogFillsUp, and later has room again: the log tells how many lines are
// missing.
func TestFaultDiskOfTheLogFillsUp(t *testing.T) {
	p := realMTA(t)
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d := behindPostfix(t, spoofZone, "")
	d.Stderr, d.Before = file, []string{"prlimit", "--fsize=20000:unlimited"}
	startDaemon(t, d)
	f := newFlood(t, p, "")
	f.begin()
	f.await(many(60, 1000))
	none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(d.PID(), unix.RLIMIT_FSIZE, &none, nil); err != nil {
		t.Fatal(err)
	}
	f.await(20)
	f.end()
	sums := f.settle()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	judged, missing := judgedIn(string(readFile(t, file.Name())))
	if sums.putOff > 0 || missing == 0 || judged+missing < sums.messages {
		t.Errorf("%s; %d lines and %d said to be missing", sums, judged, missing)
	}
	row(t, "the file of the log at its limit (EFBIG), later with room again", sums.saw(),
		fmt.Sprintf("%s; %d lines are in the log, and it says that %d are missing", sums.got(), judged, missing))
}

// TestFaultReaderOfTheLogIsGone: each write to the pipe fails.
func TestFaultReaderOfTheLogIsGone(t *testing.T) {
	p := realMTA(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := behindPostfix(t, spoofZone, "")
	d.Stderr = writer
	startDaemon(t, d)
	writer.Close()
	f := newFlood(t, p, "")
	f.begin()
	f.await(20)
	reader.Close()
	f.await(many(60, 1000))
	f.end()
	sums := f.settle()
	if sums.putOff > 0 || d.Ended() {
		t.Errorf("%s; ended: %v", sums, d.Ended())
	}
	row(t, "the reader of the log is gone (EPIPE)", sums.saw(), sums.got()+"; each line of the log is lost")
}

// TestFaultReaderOfTheLogSleeps: the pipe is full, and whoever writes to it would wait.
func TestFaultReaderOfTheLogSleeps(t *testing.T) {
	p := realMTA(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := unix.FcntlInt(writer.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	d := behindPostfix(t, spoofZone, "")
	d.Stderr = writer
	startDaemon(t, d)
	writer.Close()
	f := newFlood(t, p, "")
	f.begin()
	f.await(many(60, 4000))
	f.end()
	sums := f.settle()
	slowest := f.slowest
	var log strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = reader.WriteTo(&log)
	}()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	<-read
	judged, missing := judgedIn(log.String())
	if sums.putOff > 0 || judged+missing < sums.messages {
		t.Errorf("%s; slowest %s; %d lines and %d said to be missing", sums, slowest, judged, missing)
	}
	row(t, "the reader of the log does not read (full pipe), later it does", sums.saw(),
		fmt.Sprintf("%s; %d lines are in the log, and it says that %d are missing", sums.got(), judged, missing))
}
