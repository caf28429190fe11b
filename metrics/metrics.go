package metrics

import (
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
)

// Sources are what is asked at each scrape. All are required, and are called from
// the goroutines of scrapes.
type Sources struct {
	DNS       func() resolver.Stats
	MTA       func() MTA
	LinesLost func() int64 // of the log
	Spaceless func() int64 // messages that came without the space after the colon
	Journal   func() Journal
	Reports   func() Reports
	Stopped   func() int64 // stages of rollouts that are stopped
}

// MTA is what the milter server counts, and its present state.
type MTA struct {
	Connections, Sessions uint64 // since the start
	Open                  int    // connections
	Limit                 int    // of Open
	Messages              int    // in progress
}

// Metrics counts. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	verdicts    verdicts
	ends        family
	heldBack    family
	results     map[string]*family // by method
	rules       *rules
	deleted     prometheus.Counter
	undecidable family

	receiving, checking, answering prometheus.Histogram

	questions family
	asking    prometheus.Histogram

	state *state
}

// The bounds of histograms, in seconds. Receiving is the sender's time; checking goes
// up to the time that a message has (20 s) and more; answering is our own.
var (
	receivingBuckets = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	checkingBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30}
	answeringBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .01, .05, .1, 1, 10}
	askingBuckets    = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 15}
)

// New returns the Metrics of a process. program is its version.
func New(program string, src Sources) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), results: map[string]*family{}}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.messages()
	m.receiving = m.histogram("alignd_message_receiving_seconds",
		"Time from MAIL FROM to the end of the body, which is the sender's to spend.", receivingBuckets)
	m.checking = m.histogram("alignd_message_checking_seconds",
		"Time from the end of the body until the verdict is reached: ours and that of DNS.", checkingBuckets)
	m.answering = m.histogram("alignd_message_answering_seconds",
		"Time from the verdict until edits and reply are written to the MTA; what keeps records is in it.", answeringBuckets)
	m.questions = newFamily(m.counters("alignd_dns_questions_total",
		"Questions that DNS servers were asked, by how they ended.", "outcome"), outcomes())
	m.asking = m.histogram("alignd_dns_question_seconds",
		"Time until a question that DNS servers were asked ended, all tries included.", askingBuckets)
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "alignd_build_info",
		Help: "Version of alignd and of Go; the value is 1."}, []string{"version", "goversion"})
	build.WithLabelValues(valid(program), runtime.Version()).Set(1)
	m.state = newState(src)
	m.registry.MustRegister(build, m.state)
	return m
}

// messages are the counters of Take.
func (m *Metrics) messages() {
	m.verdicts = newVerdicts(m.counters("alignd_messages_total",
		"Messages by what was decided; none where no verdict was reached.", "disposition", "delivery", "step"))
	m.ends = newFamily(m.counters("alignd_messages_ended_total",
		"Messages by how they ended: all but answered did not get their verdict.", "end"), ends)
	m.heldBack = newFamily(m.counters("alignd_messages_held_back_total",
		"Messages by the delivery that monitor mode or a rollout stage kept from them.", "delivery"), deliveries)
	vec := m.counters("alignd_results_total",
		"Results by method; those of dkim are of signatures, all others of messages.", "method", "result")
	for _, method := range slices.Sorted(maps.Keys(results)) {
		var words []string
		for _, r := range results[method] {
			words = append(words, string(r))
		}
		f := newFamily(vec, words, method)
		m.results[method] = &f
	}
	m.rules = newRules(m.counters("alignd_rule_hits_total",
		"Messages by the entry or option of the configuration that decided.", "rule"))
	m.deleted = prometheus.NewCounter(prometheus.CounterOpts{Name: "alignd_deleted_fields_total",
		Help: "Header fields deleted as they claimed results or marks of ours."})
	m.registry.MustRegister(m.deleted)
	m.undecidable = newFamily(m.counters("alignd_undecidable_facts_total",
		"Facts that rules needed and that were not looked up or not answered.", "fact"), facts)
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func outcomes() []string {
	var list []string
	for _, o := range resolver.Outcomes() {
		list = append(list, string(o))
	}
	return list
}

// Take implements record.Sink.
func (m *Metrics) Take(r *record.Record) (sent func(written bool)) {
	ev, v := &r.Evidence, &r.Verdict
	m.verdicts.add(v)
	m.ends.add(string(r.Outcome.End))
	if d := v.Monitor.Delivery; d != "" {
		m.heldBack.add(string(d))
	}
	m.observed(ev, v)
	if v.Rule != "" {
		m.rules.hit(v.Rule)
	}
	if n := r.Outcome.Deleted; n > 0 {
		m.deleted.Add(float64(n))
	}
	for _, f := range v.Undecidable {
		m.undecidable.add(string(f))
	}
	m.receiving.Observe(r.Outcome.Receiving.Seconds())
	if r.Outcome.Checking > 0 {
		m.checking.Observe(r.Outcome.Checking.Seconds())
	}
	return nil
}

// observed counts results, as the line of the log tells them.
func (m *Metrics) observed(ev *evidence.Message, v *policy.Verdict) {
	if c := ev.ReportedSPF(); c != nil {
		m.result("spf", c.Result)
	}
	for i := range ev.DKIM {
		m.result("dkim", ev.DKIM[i].Result)
	}
	if len(ev.DKIM) == 0 && ev.Has(evidence.SectionDKIM) {
		m.result("dkim", evidence.None)
	}
	m.result("arc", ev.ARC.Result)
	m.result("dmarc", policy.ResultOf(ev, v))
	m.result("iprev", ev.IPRev.Result)
}

func (m *Metrics) result(method string, r evidence.Result) {
	if r != evidence.NotChecked {
		m.results[method].add(string(r))
	}
}

// Asked is a resolver.Options.Observe.
func (m *Metrics) Asked(q resolver.Asked) {
	m.questions.add(string(q.Outcome))
	m.asking.Observe(q.Took.Seconds())
}

// Answered is a milter.Options.Answered.
func (m *Metrics) Answered(took time.Duration) { m.answering.Observe(took.Seconds()) }
