package metrics

import (
	"encoding/hex"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"alignd/policy"
)

// Config is the configuration in force.
type Config struct {
	Hash  [32]byte // as records name it
	Mode  string
	Rules *policy.Rules
	// Since is when it was read.
	Since time.Time
	// Pending is how many of its options wait for a restart.
	Pending int
}

// Configured tells of the configuration at the start.
func (m *Metrics) Configured(c Config) {
	m.rules.set(c.Rules.Names())
	m.state.set(c)
}

// Reloaded tells of the configuration that a reload brought.
func (m *Metrics) Reloaded(c Config) {
	m.Configured(c)
	m.state.reloaded(true)
}

// NotReloaded tells of a reload that failed: the old configuration stays.
func (m *Metrics) NotReloaded() { m.state.reloaded(false) }

// state gives what is not counted here but asked for at each scrape.
type state struct {
	src Sources
	now func() time.Time

	mu           sync.Mutex
	config       Config
	failed, done float64 // reloads
	stays        bool    // the last reload failed
}

func newState(src Sources) *state { return &state{src: src, now: time.Now} }

func (s *state) set(c Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = c
}

func (s *state) reloaded(done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stays = !done; done {
		s.done++
		return
	}
	s.failed++
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descHits    = describe("alignd_dns_cache_hits_total", "Look-ups that the cache of DNS answers had an answer for.")
	descMisses  = describe("alignd_dns_cache_misses_total", "Look-ups that the cache had no answer for: they asked, or joined a question under way.")
	descEntries = describe("alignd_dns_cache_entries", "Answers in the cache, about.")
	descSent    = describe("alignd_dns_queries_sent_total", "Queries sent to DNS servers: each try of a question is one, and each step of a CNAME chain that takes another.")
	descStrays  = describe("alignd_dns_stray_datagrams_total", "Datagrams that answered another question: late or forged.")

	descConns        = describe("alignd_connections_total", "Connections of MTAs that were accepted.")
	descOpen         = describe("alignd_connections", "Connections of MTAs that are open.")
	descConnLimit    = describe("alignd_connections_limit", "Connections that are served at once; further ones wait.")
	descSessions     = describe("alignd_sessions_total", "SMTP sessions that MTAs told of.")
	descInProgress   = describe("alignd_messages_in_progress", "Messages between MAIL FROM and their reply.")
	descSpaceless    = describe("alignd_messages_without_leading_space_total", "Messages of MTAs that do not hand on what simple signatures cover.")
	descLinesLost    = describe("alignd_log_lines_lost_total", "Lines of the log that could not be written.")
	descConfig       = describe("alignd_config_info", "SHA-256 of the configuration in force, without secrets, and its mode; the value is 1.", "hash", "mode")
	descSince        = describe("alignd_config_loaded_timestamp_seconds", "When the configuration in force was read, in Unix time.")
	descReloads      = describe("alignd_config_reloads_total", "Reloads by what became of them.", "result")
	descLastReload   = describe("alignd_config_last_reload_successful", "1 where the last reload was taken up, or none was tried; 0 where the old configuration stays.")
	descPending      = describe("alignd_config_pending_restart_options", "Options that differ from what is in force and need a restart.")
	descExpired      = describe("alignd_exceptions_expired", "Exceptions that have expired and no longer match.")
	descExpiring     = describe("alignd_exceptions_expiring", "Exceptions that expire within 14 days.")
	descNextExpiry   = describe("alignd_exceptions_next_expiry_timestamp_seconds", "When the next exception expires, in Unix time; absent where none will.")
	descStages       = describe("alignd_rollout_stages_stopped", "Stages of rollouts that stop_if has stopped.")
	stateDescriptors = []*prometheus.Desc{descHits, descMisses, descEntries, descSent, descStrays, descConns, descOpen, descConnLimit,
		descSessions, descInProgress, descSpaceless, descLinesLost, descConfig, descSince, descReloads, descLastReload,
		descPending, descExpired, descExpiring, descNextExpiry, descStages}
)

// Describe implements prometheus.Collector.
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, list := range [][]*prometheus.Desc{stateDescriptors, journalDescriptors, reportDescriptors} {
		for _, d := range list {
			ch <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	dns := s.src.DNS()
	counter(descHits, float64(dns.Hits))
	counter(descMisses, float64(dns.Misses))
	gauge(descEntries, float64(dns.Entries))
	counter(descSent, float64(dns.Sent))
	counter(descStrays, float64(dns.Strays))
	mta := s.src.MTA()
	counter(descConns, float64(mta.Connections))
	gauge(descOpen, float64(mta.Open))
	gauge(descConnLimit, float64(mta.Limit))
	counter(descSessions, float64(mta.Sessions))
	gauge(descInProgress, float64(mta.Messages))
	counter(descSpaceless, float64(s.src.Spaceless()))
	counter(descLinesLost, float64(s.src.LinesLost()))
	gauge(descStages, float64(s.src.Stopped()))
	s.configuration(counter, gauge)
	s.journal(counter, gauge)
	s.reports(counter, gauge)
}

type emit func(d *prometheus.Desc, v float64, labels ...string)

// soon is when config check begins to warn of an exception.
const soon = 14 * 24 * time.Hour

func (s *state) configuration(counter, gauge emit) {
	s.mu.Lock()
	c, failed, done, stays := s.config, s.failed, s.done, s.stays
	s.mu.Unlock()
	counter(descReloads, failed, "failure")
	counter(descReloads, done, "success")
	if c.Rules == nil {
		return
	}
	gauge(descConfig, 1, hex.EncodeToString(c.Hash[:]), valid(c.Mode))
	gauge(descSince, float64(c.Since.UnixMilli())/1000)
	gauge(descLastReload, truth(!stays))
	gauge(descPending, float64(c.Pending))
	now := s.now()
	expired, expiring := c.Rules.Expiries(now, now.Add(soon))
	gauge(descExpired, float64(expired))
	gauge(descExpiring, float64(expiring))
	if next, ok := c.Rules.NextExpiry(now); ok {
		gauge(descNextExpiry, float64(next.Unix()))
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
