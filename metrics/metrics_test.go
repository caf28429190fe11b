package metrics

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
	"alignd/resolver"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

var theJournal = Journal{
	Configured: true, Open: true, Written: 11, Late: 2, Dropped: 3, Loaded: 12, Missing: 4, Unreadable: 5, Octets: 6, Bound: 7, Early: 8,
	SpoolDamages: 9, SpoolFails: true, Oldest: now.Add(-90 * time.Second), LastLoad: now.Add(-time.Minute), FailingSince: now.Add(-time.Hour),
	StoreOctets: 10, DamagedFiles: 1, RetentionStopped: true, Sealing: true,
	SelfTest: SelfTest{At: now.Add(-time.Hour), Failed: true, Judged: 13, Differ: 14},
}

var theReports = Reports{
	Enabled: true, Standing: map[string]int64{"waiting": 3, "put_off": 2, "unknown": 1}, Unsent: now.Add(-2 * time.Hour), WaitForDNS: 4, Suppressed: 5,
	Tries: map[string]uint64{"lost": 6}, Bounces: 7, DroppedRows: 8, DroppedOthers: 9, DroppedFailures: 10,
}

// newMetrics are those of a daemon under some rules.
func newMetrics(t testing.TB, rules *policy.Rules) *Metrics {
	t.Helper()
	m := New("1.2.3", Sources{
		DNS:       func() resolver.Stats { return resolver.Stats{Hits: 40, Misses: 10, Sent: 12, Strays: 1, Entries: 7} },
		MTA:       func() MTA { return MTA{Connections: 5, Sessions: 9, Open: 2, Limit: 2000, Messages: 1} },
		LinesLost: func() int64 { return 3 },
		Spaceless: func() int64 { return 4 },
		Journal:   func() Journal { return theJournal },
		Reports:   func() Reports { return theReports },
		Stopped:   func() int64 { return 2 },
	})
	m.state.now = func() time.Time { return now }
	m.Configured(Config{Hash: [32]byte{0xab}, Mode: "enforce", Rules: rules, Since: now.Add(-time.Hour)})
	return m
}

// exceptions are rules with an entry for each of the days from now on which one
// expires.
func exceptions(t testing.TB, ids []string, days ...int) *policy.Rules {
	t.Helper()
	var spec policy.Spec
	add := func(id string, e policy.Exception) {
		e.ID, e.Action = id, policy.Accept
		e.Proof = policy.Proof{DKIM: []string{"vendor.example"}}
		spec.Exceptions = append(spec.Exceptions, e)
	}
	for _, id := range ids {
		add(id, policy.Exception{NeverExpires: true})
	}
	for i, d := range days {
		add(fmt.Sprintf("expiring%d", i), policy.Exception{Expires: now.AddDate(0, 0, d)})
	}
	rules, err := policy.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// judged is a message that failed.
func judged() *record.Record {
	return &record.Record{
		Evidence: evidence.Message{
			Looked: evidence.SectionDKIM | evidence.SectionDMARC | evidence.SectionFrom,
			SPF:    evidence.SPF{MailFrom: &evidence.SPFCheck{Result: evidence.SoftFail}},
			DKIM:   []evidence.Signature{{Result: evidence.Fail}, {Result: evidence.Pass}},
			ARC:    evidence.ARC{Result: evidence.None}, IPRev: evidence.IPRev{Result: evidence.Pass},
			MailFrom: "a@b.example", DMARC: []evidence.DMARC{{Result: evidence.Fail}},
		},
		Verdict: policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Step: policy.StepHandling,
			Rule: "permerror", Evaluation: 1, Undecidable: []policy.Fact{policy.FactIPRev}},
		Outcome: record.Outcome{End: record.EndAnswered, Deleted: 2, Receiving: 30 * time.Millisecond, Checking: 2 * time.Millisecond},
	}
}

// values are all samples of alignd's own, "name{label="value"}" to value; of
// histograms the count.
func values(t testing.TB, m *Metrics) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "alignd_") {
			continue
		}
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[name] = s.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[name] = s.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[name] = float64(s.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// changed are the samples that differ between before and after.
func changed(before, after map[string]float64) map[string]float64 {
	diff := map[string]float64{}
	for name, v := range after {
		if was, ok := before[name]; !ok || was != v {
			diff[name] = v - was
		}
	}
	return diff
}

func TestWhatARecordCounts(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*record.Record)
		want string // samples and what they grew by
	}{
		{name: "a message that is refused", edit: func(*record.Record) {},
			want: `alignd_deleted_fields_total +2
alignd_message_checking_seconds +1
alignd_message_receiving_seconds +1
alignd_messages_ended_total{end="answered"} +1
alignd_messages_total{delivery="refuse",disposition="reject",step="local handling"} +1
alignd_results_total{method="arc",result="none"} +1
alignd_results_total{method="dkim",result="fail"} +1
alignd_results_total{method="dkim",result="pass"} +1
alignd_results_total{method="dmarc",result="fail"} +1
alignd_results_total{method="iprev",result="pass"} +1
alignd_results_total{method="spf",result="softfail"} +1
alignd_rule_hits_total{rule="permerror"} +1
alignd_undecidable_facts_total{fact="iprev"} +1
`},
		{name: "monitor mode, no signature, From without Author Domain", edit: func(r *record.Record) {
			r.Evidence.DKIM, r.Evidence.DMARC = nil, nil
			r.Evidence.From.Problem = evidence.FromMissing
			r.Verdict = policy.Verdict{Disposition: policy.DispositionAccept, Delivery: policy.Deliver, Step: policy.StepFrom,
				Monitor: policy.Outcome{Disposition: policy.DispositionReject, Delivery: policy.Refuse}}
			r.Outcome.Deleted = 0
		},
			want: `alignd_message_checking_seconds +1
alignd_message_receiving_seconds +1
alignd_messages_ended_total{end="answered"} +1
alignd_messages_held_back_total{delivery="refuse"} +1
alignd_messages_total{delivery="deliver",disposition="accept",step="unusable From"} +1
alignd_results_total{method="arc",result="none"} +1
alignd_results_total{method="dkim",result="none"} +1
alignd_results_total{method="dmarc",result="permerror"} +1
alignd_results_total{method="iprev",result="pass"} +1
alignd_results_total{method="spf",result="softfail"} +1
`},
		{name: "given up after its header: nothing was decided or looked at", edit: func(r *record.Record) {
			*r = record.Record{Outcome: record.Outcome{End: record.EndAborted, Receiving: time.Second}}
		},
			want: `alignd_message_receiving_seconds +1
alignd_messages_ended_total{end="aborted"} +1
alignd_messages_total{delivery="none",disposition="none",step="none"} +1
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMetrics(t, policy.Defaults())
			before := values(t, m)
			r := judged()
			row.edit(r)
			m.Take(r)
			var got []string
			for name, by := range changed(before, values(t, m)) {
				got = append(got, fmt.Sprintf("%s +%v\n", name, by))
			}
			slices.Sort(got)
			if text := strings.Join(got, ""); text != row.want {
				t.Errorf("got\n%s\nwant\n%s", text, row.want)
			}
		})
	}
}

func TestWhatOtherEventsCount(t *testing.T) {
	m := newMetrics(t, exceptions(t, nil, -3, 5, 13, 40))
	m.Asked(resolver.Asked{Outcome: "SERVFAIL", Took: time.Second})
	m.Asked(resolver.Asked{Outcome: "NOERROR", Took: time.Millisecond})
	m.Answered(time.Millisecond)
	m.NotReloaded()
	got := values(t, m)
	for name, want := range map[string]float64{
		`alignd_build_info{goversion="` + goVersion + `",version="1.2.3"}`:            1,
		`alignd_dns_questions_total{outcome="SERVFAIL"}`:                              1,
		`alignd_dns_questions_total{outcome="timeout"}`:                               0,
		`alignd_dns_question_seconds`:                                                 2,
		`alignd_dns_cache_hits_total`:                                                 40,
		`alignd_dns_cache_misses_total`:                                               10,
		`alignd_dns_cache_entries`:                                                    7,
		`alignd_dns_queries_sent_total`:                                               12,
		`alignd_dns_stray_datagrams_total`:                                            1,
		`alignd_message_answering_seconds`:                                            1,
		`alignd_connections_total`:                                                    5,
		`alignd_connections`:                                                          2,
		`alignd_connections_limit`:                                                    2000,
		`alignd_sessions_total`:                                                       9,
		`alignd_messages_in_progress`:                                                 1,
		`alignd_messages_without_leading_space_total`:                                 4,
		`alignd_log_lines_lost_total`:                                                 3,
		`alignd_config_info{hash="ab` + strings.Repeat("0", 62) + `",mode="enforce"}`: 1,
		`alignd_config_loaded_timestamp_seconds`:                                      float64(now.Unix() - 3600),
		`alignd_config_reloads_total{result="failure"}`:                               1,
		`alignd_config_reloads_total{result="success"}`:                               0,
		`alignd_config_last_reload_successful`:                                        0,
		`alignd_config_pending_restart_options`:                                       0,
		`alignd_exceptions_expired`:                                                   1,
		`alignd_exceptions_expiring`:                                                  2,
		`alignd_exceptions_next_expiry_timestamp_seconds`:                             float64(now.AddDate(0, 0, 5).Unix()),
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	m.Reloaded(Config{Hash: [32]byte{0xcd}, Mode: "monitor", Rules: policy.Defaults(), Since: now, Pending: 2})
	got = values(t, m)
	for name, want := range map[string]float64{
		`alignd_config_info{hash="cd` + strings.Repeat("0", 62) + `",mode="monitor"}`: 1,
		`alignd_config_reloads_total{result="success"}`:                               1,
		`alignd_config_last_reload_successful`:                                        1,
		`alignd_config_pending_restart_options`:                                       2,
		`alignd_exceptions_expired`:                                                   0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("after a reload %s is %v (%v), want %v", name, v, ok, want)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "alignd_config_info") && strings.Contains(name, `"ab`) {
			t.Errorf("the configuration before is still there: %s", name)
		}
	}
}

func TestNamesAndHelpAreAsPrometheusWantsThem(t *testing.T) {
	m := newMetrics(t, exceptions(t, nil, 5))
	m.Take(judged())
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// hostile is a record in which everything that is text holds what no record of ours
// would hold.
func hostile(rnd *rand.Rand) *record.Record {
	word := func() string {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			b[i] = byte(rnd.UintN(256))
		}
		return string(b)
	}
	result := func() evidence.Result { return evidence.Result(word()) }
	r := judged()
	r.Evidence.SPF.MailFrom.Result = result()
	r.Evidence.DKIM = []evidence.Signature{{Result: result()}, {Result: result(), Domain: word()}}
	r.Evidence.ARC.Result, r.Evidence.IPRev.Result = result(), result()
	r.Evidence.DMARC = []evidence.DMARC{{Result: result(), AuthorDomain: word()}}
	v := &r.Verdict
	v.Disposition, v.Delivery, v.Step = policy.Disposition(word()), policy.Delivery(word()), policy.Step(word())
	v.Rule, v.Undecidable = word(), []policy.Fact{policy.Fact(word()), policy.Fact(word())}
	v.Monitor.Delivery = policy.Delivery(word())
	r.Outcome = record.Outcome{End: record.End(word()), Deleted: rnd.IntN(100), Receiving: -time.Second, Checking: 1 << 62}
	return r
}

// Whatever records hold, the series are those of the closed sets and one more for
// each set.
func TestHostileRecordsMakeNoSeries(t *testing.T) {
	m := newMetrics(t, policy.Defaults())
	before := values(t, m)
	rnd := rand.New(rand.NewPCG(1, 2))
	const n = 5000
	for range n {
		m.Take(hostile(rnd))
		m.Asked(resolver.Asked{Outcome: resolver.Outcome(fmt.Sprint(rnd.Int()))})
	}
	after := values(t, m)
	for name := range after {
		if _, ok := before[name]; !ok && !strings.Contains(name, `"other"`) {
			t.Errorf("a new series %s", name)
		}
	}
	if more := len(after) - len(before); more > 11 {
		t.Errorf("%d series more, want one for each closed set", more)
	}
	if got := after[`alignd_rule_hits_total{rule="other"}`]; got < n*9/10 {
		t.Errorf("%v hits of other rules", got)
	}
}

func TestRulesComeFromTheConfigurationInForce(t *testing.T) {
	m := newMetrics(t, exceptions(t, []string{"a", "b"}))
	hit := func(rule string) {
		r := judged()
		r.Verdict.Rule = rule
		m.Take(r)
	}
	expect := func(when string, want map[string]float64) {
		t.Helper()
		got := map[string]float64{}
		for name, v := range values(t, m) {
			if rule, ok := strings.CutPrefix(name, "alignd_rule_hits_total"); ok {
				got[rule] = v
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	hit("a")
	hit("b")
	hit("b")
	hit("never")
	hit("")
	expect("at first", map[string]float64{`{rule="a"}`: 1, `{rule="b"}`: 2, `{rule="other"}`: 1})
	m.Reloaded(Config{Rules: exceptions(t, []string{"b", "c"})})
	hit("a") // a message that began before
	hit("b")
	hit("c")
	expect("after a reload", map[string]float64{`{rule="b"}`: 3, `{rule="c"}`: 1, `{rule="other"}`: 2})
}

func TestRulesThatHaveASeriesAreBounded(t *testing.T) {
	var ids []string
	for i := range 3 * maxRules {
		ids = append(ids, fmt.Sprintf("x%d", i))
	}
	m := newMetrics(t, exceptions(t, ids))
	for range 2 {
		for _, id := range ids {
			r := judged()
			r.Verdict.Rule = id
			m.Take(r)
		}
	}
	n, hits := 0, 0.0
	for name, v := range values(t, m) {
		if strings.HasPrefix(name, "alignd_rule_hits_total") {
			n, hits = n+1, hits+v
		}
	}
	if n != maxRules+1 || hits != 6*maxRules {
		t.Errorf("%d series with %v hits, want %d with %d", n, hits, maxRules+1, 6*maxRules)
	}
}

func TestCountingAndReloadingGoTogether(t *testing.T) {
	m := newMetrics(t, exceptions(t, []string{"a"}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				r := judged()
				r.Verdict.Rule = []string{"a", "b", "never"}[n%3]
				m.Take(r)
				if n%50 == i {
					m.Reloaded(Config{Rules: exceptions(t, []string{"a", "b"}[n%2:])})
					_, _ = m.registry.Gather()
				}
			}
		})
	}
	wg.Wait()
	if got := values(t, m)[`alignd_messages_ended_total{end="answered"}`]; got != 800 {
		t.Errorf("%v messages, want 800", got)
	}
}

func BenchmarkTake(b *testing.B) {
	m := newMetrics(b, policy.Defaults())
	r := judged()
	b.ReportAllocs()
	for b.Loop() {
		m.Take(r)
	}
}

func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("exceptions=%d", n), func(b *testing.B) {
			m := newMetrics(b, exceptions(b, nil, make([]int, n)...))
			m.Take(judged())
			h := m.Server(nil, slog.New(slog.DiscardHandler)).Handler
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
			}
		})
	}
}
