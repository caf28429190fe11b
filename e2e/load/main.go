// Command load measures an alignd: it starts the binary with its defaults in
// monitor mode beside a DNS server of its own, sends it mail as an MTA would,
// and prints rate, CPU time, latency, DNS questions and memory.
//
//	go build -o build/ ./cmd/alignd ./e2e/load
//	build/load -alignd build/alignd
//	build/load -through postfix -n 200
//
// The second measures how long a message takes through a real MTA.
//
// Sender and DNS server compete with alignd for the CPU, so compare CPU time a
// message rather than messages a second.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	var l loadgen.Load
	binary := flag.String("alignd", "build/alignd", "binary to measure")
	flag.IntVar(&l.Conns, "c", 16, "connections at a time")
	flag.IntVar(&l.Messages, "n", 4000, "messages, after a tenth as many to warm up")
	flag.Float64Var(&l.Rate, "rate", 0, "messages a second; 0 for as fast as it goes")
	tcp := flag.Bool("tcp", false, "TCP instead of a unix socket")
	delay := flag.Duration("delay", 0, "time the DNS server takes to answer")
	sizes := flag.String("sizes", "", "table over message sizes in octets instead of the mix, such as 1e3,1e5,1e7")
	settings := flag.String("settings", "", "more of the configuration, such as 'metrics: {listen: inet:127.0.0.1:9890}'")
	through := flag.String("through", "", "postfix or sendmail: instead, how long messages of one session take through it, by socket; wants root")
	flag.Parse()
	if *through != "" {
		if err := measureThrough(*through, *binary, l.Messages); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := measure(*binary, *settings, l, *tcp, *delay, *sizes); err != nil {
		log.Fatal(err)
	}
}

func measure(binary, settings string, l loadgen.Load, tcp bool, delay time.Duration, sizes string) error {
	mail, err := loadgen.NewMail(1)
	if err != nil {
		return err
	}
	dns, err := serveZone(mail, delay)
	if err != nil {
		return err
	}
	defer dns.Close()
	dir, err := os.MkdirTemp("", "alignd-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if !strings.Contains(settings, "journal:") {
		settings += "\n" + daemon.NoJournal
	}
	config := filepath.Join(dir, "alignd.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "mode: monitor\ndns:\n  servers: [%q]\n%s\n", dns.Addr(), settings), 0o644); err != nil {
		return err
	}
	d := &daemon.Daemon{Binary: binary, Config: config, Listen: "unix:" + filepath.Join(dir, "socket")}
	if tcp {
		addr, err := port.Free()
		if err != nil {
			return err
		}
		d.Listen = "inet:" + addr
	}
	if err := d.Start(); err != nil {
		return err
	}
	defer d.Stop()
	l.Network, l.Address = daemon.Split(d.Listen)
	r := runner{load: l, daemon: d, dns: dns}
	if sizes != "" {
		return r.table(mail, sizes)
	}
	mix, err := mail.Mix(400)
	if err != nil {
		return err
	}
	return r.run("mixed", mix)
}

func serveZone(mail *loadgen.Mail, delay time.Duration) (*dnsserver.Server, error) {
	text, err := mail.Zone()
	if err != nil {
		return nil, err
	}
	zone, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		return nil, err
	}
	dns, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err == nil {
		dns.SetDelay(delay)
	}
	return dns, err
}

type runner struct {
	load   loadgen.Load
	daemon *daemon.Daemon
	dns    *dnsserver.Server
}

// run warms up, measures and prints one line.
func (r *runner) run(name string, mail []*loadgen.Message) error {
	warm := r.load
	warm.Messages, warm.Rate = max(1, r.load.Messages/10), 0
	if _, err := loadgen.Run(warm, mail); err != nil {
		return err
	}
	before, err := loadgen.Process(r.daemon.PID())
	if err != nil {
		return err
	}
	r.dns.ResetCounts()
	res, err := loadgen.Run(r.load, mail)
	if err != nil {
		return err
	}
	after, err := loadgen.Process(r.daemon.PID())
	if err != nil {
		return err
	}
	n := float64(r.load.Messages)
	fmt.Printf("%-10s %8.1f msg/s  %8.3f ms CPU/msg  end of message p50 %7.3f p99 %7.3f ms  message p50 %7.3f p99 %7.3f ms  %.2f DNS/msg  %5.1f MiB  %d refused\n",
		name, n/res.Elapsed.Seconds(), ms(after.CPU-before.CPU)/n,
		ms(loadgen.Quantile(res.EOM, 0.5)), ms(loadgen.Quantile(res.EOM, 0.99)),
		ms(loadgen.Quantile(res.Message, 0.5)), ms(loadgen.Quantile(res.Message, 0.99)),
		float64(r.dns.Queries())/n, float64(after.Peak)/(1<<20), res.Refused)
	return nil
}

// table measures messages of one size after the other, all with one signature.
func (r *runner) table(mail *loadgen.Mail, sizes string) error {
	for text := range strings.SplitSeq(sizes, ",") {
		var size float64
		if _, err := fmt.Sscan(text, &size); err != nil {
			return fmt.Errorf("size %q: %w", text, err)
		}
		msg, err := mail.Message("author1.example", int(size), "author1.example")
		if err != nil {
			return err
		}
		one := *r
		one.load.Messages = max(4, min(r.load.Messages, int(4e9/size/8)))
		if err := one.run(text, []*loadgen.Message{msg}); err != nil {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
