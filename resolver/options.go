package resolver

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// Options sets up a Resolver. The zero value asks the servers of the system.
type Options struct {
	// Servers are recursive resolvers, "address:port" or "address" (port 53),
	// in the order of preference. Empty: those of ResolvConf, also when it changes.
	Servers []string
	// ResolvConf is a resolv.conf(5) file; its timeout and attempts apply where
	// Timeout and Attempts are zero, its search list never does, as all names
	// are complete. Default /etc/resolv.conf; a missing file, or one without
	// nameserver, means 127.0.0.1.
	ResolvConf string
	// Timeout is how long one server is waited for. Default 2s.
	Timeout time.Duration
	// Attempts is how often each silent server is asked. Default 3.
	Attempts int
	// Deadline bounds all tries for one question. Default 15s, below the 20s
	// that a message has (RFC 7208 section 4.6.4).
	Deadline time.Duration
	// MaxInFlight is how many questions are under way at a time, each with a
	// socket; more wait, within their Deadline. Questions about DMARC policies
	// count by themselves. Default 1024.
	MaxInFlight int

	// CacheSize is the number of answers kept, CacheBytes what they may weigh
	// together with the records parsed from them (an estimate), in octets.
	// Defaults 32768 and 16 MiB. Where either is reached, answers that are
	// asked least make room.
	CacheSize, CacheBytes int
	// MinTTL and MaxTTL bound how long an answer with records is kept.
	// Defaults 0 and 24h.
	MinTTL, MaxTTL time.Duration
	// NegativeTTL bounds how long NXDOMAIN and NODATA are kept. Default 1h
	// (RFC 2308 section 5).
	NegativeTTL time.Duration
	// FailureTTL is how long a temporary failure is kept. Default 1s, the least
	// RFC 9520 section 3.2 allows; it spares the servers of a broken domain,
	// and a message that is retried asks anew. At most 5 minutes.
	FailureTTL time.Duration

	// Observe is told of each question that servers were asked, when it has ended. It
	// is called from many goroutines at once and returns soon. Default: nobody is told.
	Observe func(Asked)

	Clock  func() time.Time // ages the cache, does not time I/O; default: one that nobody sets
	Logger *slog.Logger     // default: nothing is logged
}

const (
	defaultCacheSize  = 32768
	defaultCacheBytes = 16 << 20
	maxFailureTTL     = 5 * time.Minute // RFC 9520 section 3.2
)

// complete fills in defaults and returns the servers.
func (o *Options) complete() ([]*server, error) {
	conf, err := o.systemConf()
	if err != nil {
		return nil, err
	}
	defaults(&o.Timeout, time.Duration(conf.Timeout)*time.Second)
	defaults(&o.Attempts, conf.Attempts)
	defaults(&o.Deadline, 15*time.Second)
	defaults(&o.MaxInFlight, 1024)
	defaults(&o.CacheSize, defaultCacheSize)
	defaults(&o.CacheBytes, defaultCacheBytes)
	defaults(&o.MaxTTL, 24*time.Hour)
	defaults(&o.NegativeTTL, time.Hour)
	defaults(&o.FailureTTL, time.Second)
	o.FailureTTL = min(o.FailureTTL, maxFailureTTL)
	o.MaxTTL = max(o.MaxTTL, o.MinTTL)
	if o.Clock == nil {
		// Were the system's clock set back, failures and what has expired would be
		// believed for as long.
		start := time.Now()
		o.Clock = func() time.Time { return start.Add(time.Since(start)) }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	servers := make([]*server, 0, len(conf.Servers))
	for _, text := range conf.Servers {
		addr, err := serverAddr(text, conf.Port)
		if err != nil && len(o.Servers) == 0 && len(conf.Servers) > 1 {
			o.Logger.Warn("a DNS server of the system is passed over", "err", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		servers = append(servers, &server{addr: addr})
	}
	if len(servers) == 0 {
		return nil, errors.New("no DNS server of the system can be used")
	}
	return servers, nil
}

func defaults[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// systemConf returns Servers, Timeout and Attempts to use.
func (o *Options) systemConf() (*dns.ClientConfig, error) {
	conf := &dns.ClientConfig{Servers: o.Servers, Port: "53", Timeout: 2, Attempts: 3}
	if len(o.Servers) > 0 {
		return conf, nil
	}
	read, err := dns.ClientConfigFromFile(o.ResolvConf)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		read = conf
	case err != nil:
		return nil, fmt.Errorf("system's DNS servers: %w", err)
	}
	if len(read.Servers) == 0 {
		read.Servers = []string{"127.0.0.1"}
	}
	return read, nil
}

// serverAddr reads "address", "address:port" or "[address]:port". A host name
// is accepted for the address and looked up by the system, once.
func serverAddr(s, defaultPort string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, defaultPort
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netip.AddrPort{}, fmt.Errorf("DNS server %q: bad port", s)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(ip, uint16(number)), nil
	}
	addr, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, port))
	if err != nil || host == "" {
		return netip.AddrPort{}, fmt.Errorf("DNS server %q: not an address with an optional port", s)
	}
	return addr.AddrPort(), nil
}
