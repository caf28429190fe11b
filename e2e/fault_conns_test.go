//go:build linux

// The limits of a process and the size of a pipe are set as on Linux.

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
)

// openMany opens connections to the milter's port, each with octets to begin with. It
// returns those that could be made within the time.
func openMany(t *testing.T, address string, n int, octets string, patience time.Duration) []net.Conn {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if int(limit.Cur) < n+1000 {
		t.Fatalf("this process may open %d files, and %d connections are to be made (ulimit -n)", limit.Cur, n)
	}
	var mu sync.Mutex
	var all []net.Conn
	var workers sync.WaitGroup
	until := time.Now().Add(patience)
	for i := range 50 {
		workers.Go(func() {
			for range n/50 + min(1, max(0, n%50-i)) {
				conn, err := net.DialTimeout("tcp", address, time.Until(until))
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(octets))
				mu.Lock()
				all = append(all, conn)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Cleanup(func() { closeConns(all) })
	return all
}

func closeConns(all []net.Conn) {
	for _, conn := range all {
		conn.Close()
	}
}

func peak(t *testing.T, d *daemon.Daemon) float64 {
	t.Helper()
	u, err := loadgen.Process(d.PID())
	if err != nil {
		t.Fatal(err)
	}
	return float64(u.Peak) / mib
}

// TestFaultTenThousandConnections at a time, each in an SMTP session: mail goes on beside
// them.
func TestFaultTenThousandConnections(t *testing.T) {
	p := realMTA(t)
	n := many(1000, 10_000)
	d := behindPostfix(t, spoofZone, fmt.Sprintf("limits: {connections: %d}", n+1000))
	startDaemon(t, d)
	_, address := daemon.Split(d.Listen)
	conns := openMany(t, address, n, offer(6)+frame('C', "h\x004\x00\x19192.0.2.1\x00")+frame('H', "h\x00"), time.Minute)
	if len(conns) != n {
		t.Fatalf("only %d connections", len(conns))
	}
	f := newFlood(t, p, "")
	sums := f.run(many(40, 400))
	rss := peak(t, d)
	if sums.putOff > 0 || rss > float64(40+n*32/1024) {
		t.Errorf("%s; resident set %.0f MiB", sums, rss)
	}
	row(t, fmt.Sprintf("%d connections at a time (`limits.connections: %d`)", n, n+1000), sums.saw(),
		fmt.Sprintf("%s; %.0f MiB of memory at most", sums.got(), rss))
}

// TestFaultMoreConnectionsThanAreServed: somebody on this host opens more than
// limits.connections and says nothing. Mail waits, is put off by Postfix if that lasts,
// and goes on when they are gone, or have been silent for 30 s.
func TestFaultMoreConnectionsThanAreServed(t *testing.T) {
	p := realMTA(t)
	limit, n := many(50, 2000), many(200, 10_000)
	d := behindPostfix(t, spoofZone, fmt.Sprintf("limits: {connections: %d}", limit))
	startDaemon(t, d)
	_, address := daemon.Split(d.Listen)
	conns := openMany(t, address, n, "", 5*time.Second)
	f := newFlood(t, p, "")
	f.begin()
	time.Sleep(2 * time.Second)
	if answered := f.count(); answered > 0 && len(conns) > limit+100 {
		t.Errorf("%d messages are answered though no connection is free", answered)
	}
	closeConns(conns)
	begun := time.Now()
	f.await(1)
	took := time.Since(begun)
	f.await(many(40, 400))
	f.end()
	sums := f.settle()
	if !strings.Contains(d.Log(), "connection limit reached") || took > 20*time.Second {
		t.Errorf("mail went on after %s; the limit is told of: %v", took, strings.Contains(d.Log(), "connection limit reached"))
	}
	row(t, fmt.Sprintf("%d silent connections where %d are served, for 2 s", len(conns), limit), sums.saw(),
		fmt.Sprintf("%s; mail waited, and went on %.1f s after they were gone", sums.got(), took.Seconds()))
}

// lorises are connections that send an octet now and then, each in another place.
var lorises = map[string]string{
	"the length of the offer":   offer(6)[:2],
	"the offer":                 "\x00\x00\x00\x0dO\x00\x00", // it comes to its end, and is odd
	"the length of a frame":     offer(6) + "\x00\x00",
	"MAIL":                      offer(6) + frame('C', "h\x004\x00\x19192.0.2.1\x00") + frame('M', "<a@b.test>\x00")[:8],
	"a header field":            offer(6) + frame('M', "<a@b.test>\x00") + "\x00\x00\xff\xffLSubject\x00",
	"a body":                    offer(6) + frame('M', "<a@b.test>\x00") + frame('N', "") + "\x00\x00\xff\xffB",
	"macros":                    offer(6) + "\x00\x00\xff\xffDM",
	"a frame of the limit size": offer(6) + "\x00\x20\x00\x01L",
}

// TestFaultSlowLoris has many connections dribble, each in the middle of a frame.
func TestFaultSlowLoris(t *testing.T) {
	p := realMTA(t)
	d := behindPostfix(t, spoofZone, "")
	startDaemon(t, d)
	_, address := daemon.Split(d.Listen)
	each := many(10, 200)
	var conns []net.Conn
	for _, octets := range lorises {
		conns = append(conns, openMany(t, address, each, octets, 20*time.Second)...)
	}
	if len(conns) != each*len(lorises) {
		t.Fatalf("only %d connections", len(conns))
	}
	stop := make(chan struct{})
	var dribbles sync.WaitGroup
	dribbles.Go(func() {
		for {
			for _, conn := range conns {
				_, _ = conn.Write([]byte("x")) // alignd may have ended it
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	})
	f := newFlood(t, p, "")
	f.begin()
	f.await(many(40, 400))
	if many(0, 1) > 0 {
		time.Sleep(35 * time.Second) // the offer has 30 s
	}
	f.end()
	close(stop)
	dribbles.Wait()
	sums := f.settle()
	timedOut := strings.Count(d.Log(), `msg="connection timed out"`)
	if many(0, 1) > 0 && timedOut < each {
		t.Errorf("%d connections timed out, want the %d without a whole offer", timedOut, each)
	}
	rss := peak(t, d)
	if sums.putOff > 0 || rss > 256 {
		t.Errorf("%s; resident set %.0f MiB", sums, rss)
	}
	row(t, fmt.Sprintf("slow loris: %d connections that send an octet a second, in %d places of the protocol", len(conns), len(lorises)), sums.saw(),
		fmt.Sprintf("%s; %.0f MiB of memory at most; %d were cut off for want of an offer within 30 s", sums.got(), rss, timedOut))
}

// uncached is a zone whose answers are asked for each message.
const uncached = "$TTL 0\n" + spoofZone

// TestFaultFewFileDescriptors: from the start alignd shares out what there is.
func TestFaultFewFileDescriptors(t *testing.T) {
	p := realMTA(t)
	d := behindPostfix(t, uncached, "")
	d.Before = []string{"prlimit", "--nofile=96:96"}
	startDaemon(t, d)
	f := newFlood(t, p, "")
	f.Sessions = 24
	sums := f.run(many(60, 600))
	if !strings.Contains(d.Log(), "this process may open few files") {
		t.Error("the log does not tell of it")
	}
	row(t, "96 file descriptors from the start (`LimitNOFILE=96`), 24 sessions", sums.saw(), sums.got())
}

// TestFaultFileDescriptorsRunOut under load, and come back.
func TestFaultFileDescriptorsRunOut(t *testing.T) {
	p := realMTA(t)
	d := behindPostfix(t, uncached, "")
	startDaemon(t, d)
	f := newFlood(t, p, "")
	f.Sessions, f.PerSession = 16, 8
	f.begin()
	f.await(20)
	limit := func(n uint64) {
		var hard unix.Rlimit
		if err := unix.Prlimit(d.PID(), unix.RLIMIT_NOFILE, nil, &hard); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(d.PID(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: hard.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	times := many(2, 20)
	for i := range times {
		limit(uint64(12 + i%8)) // of which ten or so are in use before any connection
		time.Sleep(500 * time.Millisecond)
		limit(4096)
		f.await(20)
	}
	f.end()
	sums := f.settle()
	if !strings.Contains(d.Log(), "too many open files") {
		t.Error("they did not run out")
	}
	row(t, fmt.Sprintf("no file descriptor is left, %d times for half a second under load", times), sums.saw(), sums.got())
}

// TestFaultSocketIsRemoved: the file of the unix socket goes under load. Sessions that are
// open go on, new ones are put off until alignd has opened it again.
func TestFaultSocketIsRemoved(t *testing.T) {
	p := realMTA(t)
	d := behindPostfix(t, spoofZone, "socket_mode: \"0666\"")
	d.Listen = "unix:" + p.SocketPath()
	startDaemon(t, d)
	f := newFlood(t, p, "unix")
	f.begin()
	times := many(2, 10)
	for i := range times {
		f.await(20)
		if err := os.Remove(p.SocketPath()); err != nil {
			t.Fatal(err)
		}
		awaitLog(t, d, i+1, "it is opened again")
	}
	f.await(20)
	f.end()
	sums := f.settle()
	if sums.putOff == 0 {
		t.Error("nobody noticed")
	}
	row(t, fmt.Sprintf("the file of the unix socket is removed %d times under load", times), sums.saw(), sums.got())
}
