package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// stage is what runs while the pages are shown: the DNS of the world, the daemon, which
// gets no mail, and the pages.
type stage struct {
	*demo
	conn net.PacketConn
	dns  *dns.Server
}

// open takes a place for DNS before it is written into the configuration. Port 0 is any.
func (s *stage) open() (err error) {
	if s.conn, err = net.ListenPacket("udp", s.at.dns); err != nil {
		return fmt.Errorf("another demo may run; -listen, -dns, -metrics and -milter give it other places: %w", err)
	}
	s.at.dns = s.conn.LocalAddr().String()
	for _, at := range []*string{&s.at.metrics, &s.at.milter} {
		ln, err := net.Listen("tcp", *at)
		if err != nil {
			return fmt.Errorf("another demo may run; -listen, -dns, -metrics and -milter give it other places: %w", err)
		}
		*at = ln.Addr().String()
		ln.Close()
	}
	return nil
}

func (s *stage) close() {
	if s.dns != nil {
		_ = s.dns.Shutdown()
	}
	s.conn.Close()
}

// show runs all of it until ctx is over.
func (s *stage) show(ctx context.Context) error {
	p, err := publish(newWorld())
	if err != nil {
		return err
	}
	s.dns = serveDNS(p.usual, s.conn)
	ctx, cancel := context.WithCancel(ctx)
	var both sync.WaitGroup
	defer both.Wait()
	defer cancel()
	both.Go(func() { // without it Health says less
		if err := s.process(ctx, "alignd.log", s.alignd("serve")); err != nil {
			fmt.Fprintln(os.Stderr, "demopages: the daemon:", err)
		}
	})
	fmt.Printf("Log in as demo, who sees addresses, or as viewer. Password: %s\nCtrl-C ends it. Open:\n", password)
	pages := s.alignd("web", "--listen", "inet:"+s.at.web)
	pages.Stdout = os.Stdout
	return s.process(ctx, "web.log", pages)
}

// process runs a command until it ends or ctx does. Its last line says why it failed.
func (s *stage) process(ctx context.Context, log string, c *exec.Cmd) error {
	file, err := os.Create(filepath.Join(s.dir, log))
	if err != nil {
		return err
	}
	defer file.Close()
	c.Stderr = file
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
			<-ended
		}
		return nil
	}
	if text, _ := os.ReadFile(file.Name()); err != nil && len(text) > 0 {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		err = fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
