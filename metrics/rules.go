package metrics

import (
	"iter"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxRules is how many rules have a series of their own, those that are hit first;
// ours. A configuration may have 100,000 entries, and Prometheus keeps each series.
const maxRules = 1000

// rules count hits of the entries and options of the configuration in force.
type rules struct {
	vec *prometheus.CounterVec

	mu    sync.RWMutex
	names map[string]struct{}           // that there are
	known map[string]prometheus.Counter // those with a series
}

func newRules(vec *prometheus.CounterVec) *rules {
	return &rules{vec: vec, known: map[string]prometheus.Counter{}}
}

// set takes up the names of another configuration. Series of names that are gone go;
// the others count on.
func (r *rules) set(names iter.Seq[string]) {
	set := map[string]struct{}{}
	for name := range names {
		set[name] = struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = set
	for name := range r.known {
		if _, ok := set[name]; !ok {
			delete(r.known, name)
			r.vec.DeleteLabelValues(valid(name))
		}
	}
}

// hit counts. A message that began before a reload may name what is gone.
func (r *rules) hit(name string) {
	r.mu.RLock()
	c := r.known[name]
	r.mu.RUnlock()
	if c == nil {
		c = r.first(name)
	}
	c.Inc()
}

// first makes the series of a name that is hit for the first time, if it may have one.
func (r *rules) first(name string) prometheus.Counter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.known[name]; c != nil {
		return c
	}
	if _, ok := r.names[name]; !ok || len(r.known) >= maxRules {
		return r.vec.WithLabelValues(other)
	}
	c := r.vec.WithLabelValues(valid(name))
	r.known[name] = c
	return c
}

// valid is text that may be the value of a label.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
