// Package latency measures how long a message takes through a real MTA with
// alignd behind it, by the socket between the two. A sender of our own cannot
// show that: what an MTA writes when, and how its TCP holds small writes back
// (Nagle), is the MTA's.
package latency

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/e2e/sendmail"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// Socket is the way between MTA and alignd.
type Socket string

// The values of Socket.
const (
	None Socket = "no milter"
	Unix Socket = "unix"
	TCP  Socket = "tcp"
)

// Sockets are all of them, in the order in which they are tried.
var Sockets = []Socket{None, Unix, TCP}

// Lab is one MTA for each Socket, and what stands behind it.
type Lab struct {
	addrs map[Socket]string // where the MTA takes mail
	stops []func() error
}

// sender is whom all mail is from; it passes SPF, so that its names are cached
// after the first message.
const (
	sender = "alice@example.org"
	zone   = "example.org TXT \"v=spf1 ip4:127.0.0.1 -all\"\n_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n"
)

// WithPostfix starts a Postfix and the alignd of this binary. The caller must Stop.
func WithPostfix(binary string) (*Lab, error) {
	return start(binary, func(l *Lab, milters map[Socket]string) error {
		var lines []mta.Line
		for _, s := range Sockets {
			lines = append(lines, mta.Line{Name: string(s), Milter: milters[s]})
		}
		p, err := mta.Start(lines)
		if err != nil {
			return err
		}
		l.stops = append(l.stops, p.Stop)
		for _, s := range Sockets {
			l.addrs[s] = p.Addr(string(s))
		}
		return nil
	})
}

// WithSendmail is WithPostfix with the Sendmail unpacked below root.
func WithSendmail(binary, root string) (*Lab, error) {
	return start(binary, func(l *Lab, milters map[Socket]string) error {
		for _, s := range Sockets {
			m, err := sendmail.StartQueueing(root, milters[s])
			if err != nil {
				return err
			}
			l.stops = append(l.stops, m.Stop)
			l.addrs[s] = m.Addr()
		}
		return nil
	})
}

func start(binary string, mtas func(l *Lab, milters map[Socket]string) error) (*Lab, error) {
	l := &Lab{addrs: map[Socket]string{}}
	milters, err := l.startFilters(binary)
	if err == nil {
		err = mtas(l, milters)
	}
	if err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

// startFilters starts an alignd for each socket, as --listen and smtpd_milters
// write it.
func (l *Lab) startFilters(binary string) (map[Socket]string, error) {
	parsed, err := resolver.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		return nil, err
	}
	dns, err := dnsserver.ServeZone(parsed, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.stops = append(l.stops, dns.Close)
	dir, err := os.MkdirTemp("", "alignd-latency-")
	if err != nil {
		return nil, err
	}
	l.stops = append(l.stops, func() error { return os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix connects as its own user
		return nil, err
	}
	config := filepath.Join(dir, "alignd.yaml")
	text := fmt.Appendf(nil, daemon.NoJournal+"dns: {servers: [%q]}\nnot_judged: {loopback: false}\nsocket_mode: \"0666\"\n", dns.Addr())
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return nil, err
	}
	addr, err := port.Free()
	if err != nil {
		return nil, err
	}
	milters := map[Socket]string{Unix: "unix:" + filepath.Join(dir, "socket"), TCP: "inet:" + addr}
	for _, s := range []Socket{Unix, TCP} {
		d := &daemon.Daemon{Binary: binary, Config: config, Listen: milters[s]}
		if err := d.Start(); err != nil {
			return nil, err
		}
		l.stops = append(l.stops, d.Stop)
	}
	return milters, nil
}

// Measure sends messages of about size octets through each way, all of a way in
// one SMTP session, and returns how long each took from MAIL to the reply to its
// end. The ways take turns, so that other work of the machine hits all alike.
func (l *Lab) Measure(messages, size int) (map[Socket][]time.Duration, error) {
	clients := map[Socket]*mta.Client{}
	for s, addr := range l.addrs {
		c, err := mta.Dial(addr, mta.Peer{})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if _, err := c.Command("EHLO client.test"); err != nil {
			return nil, err
		}
		clients[s] = c
	}
	took := map[Socket][]time.Duration{}
	const warmUp = 3 // names are asked for, processes are started
	for i := range messages + warmUp {
		message := mail(i, size)
		for _, s := range Sockets {
			begun := time.Now()
			if err := send(clients[s], message); err != nil {
				return nil, fmt.Errorf("message %d, %s: %w", i, s, err)
			}
			if i >= warmUp {
				took[s] = append(took[s], time.Since(begun))
			}
		}
	}
	return took, nil
}

func mail(i, size int) []byte {
	const line = "The quick brown fox jumps over the lazy dog, and nobody is any the wiser.\n"
	return fmt.Appendf(nil, "From: %s\nTo: bob@%s\nSubject: message %d\nDate: Mon, 01 Dec 2025 09:00:00 +0100\n"+
		"Message-ID: <%d@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain\n\n%s",
		sender, mta.Domain, i, i, strings.Repeat(line, max(1, size/len(line))))
}

func send(c *mta.Client, message []byte) error {
	for _, command := range []string{"MAIL FROM:<" + sender + ">", "RCPT TO:<bob@" + mta.Domain + ">"} {
		if reply, err := c.Command("%s", command); err != nil || reply.Code != 250 {
			return errors.Join(fmt.Errorf("%s: %s", command, reply), err)
		}
	}
	reply, err := c.Data(message)
	if err != nil || reply.Code != 250 {
		return errors.Join(fmt.Errorf("DATA: %s", reply), err)
	}
	return nil
}

// Median is the middle one of list, which is sorted by it.
func Median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// Stop ends everything, the MTA first.
func (l *Lab) Stop() error {
	var all []error
	for _, stop := range slices.Backward(l.stops) {
		all = append(all, stop())
	}
	return errors.Join(all...)
}
