package resolver

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// lookEvery is how often the system's file of servers is looked at, when there is
// something to ask; ours. It changes when a network comes up or another one takes
// its place, and a resolver that went on asking the old servers would have all
// policies unknown.
const lookEvery = 5 * time.Second

// system is the file that names the system's DNS servers, resolv.conf(5).
type system struct {
	mu   sync.Mutex
	next time.Time // when it is looked at again
	seen stamp
}

// stamp tells one state of a file from another; zero where there is none.
type stamp struct {
	changed time.Time
	size    int64
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// refresh takes up the servers of the system's file if it has changed. A file that
// cannot be read or names none, as while it is being written, leaves them as they
// are.
func (r *Resolver) refresh() {
	if len(r.opts.Servers) > 0 || !r.system.mu.TryLock() {
		return
	}
	defer r.system.mu.Unlock()
	now := r.opts.Clock()
	if now.Before(r.system.next) {
		return
	}
	r.system.next = now.Add(lookEvery)
	seen := stampOf(r.opts.ResolvConf)
	if seen == r.system.seen {
		return
	}
	r.system.seen = seen
	if conf, err := dns.ClientConfigFromFile(r.opts.ResolvConf); err != nil || len(conf.Servers) == 0 {
		return
	}
	opts := r.opts
	servers, err := opts.complete()
	if err != nil {
		r.opts.Logger.Warn("changed DNS servers cannot be read, the old ones stay", "err", err)
		return
	}
	r.replace(servers)
}

// replace asks servers from now on, with what is known of those that stay.
func (r *Resolver) replace(servers []*server) {
	old := *r.servers.Load()
	byAddr := make(map[netip.AddrPort]*server, len(old))
	for _, s := range old {
		byAddr[s.addr] = s
	}
	for i, s := range servers {
		if known := byAddr[s.addr]; known != nil {
			servers[i] = known
		}
	}
	if slices.Equal(servers, old) {
		return
	}
	r.servers.Store(&servers)
	r.opts.Logger.Info("the system's DNS servers have changed", "servers", r.Servers())
}

// Servers is what is asked, as "address:port", in the order of the configuration.
func (r *Resolver) Servers() []string {
	var list []string
	for _, s := range *r.servers.Load() {
		list = append(list, s.addr.String())
	}
	return list
}
