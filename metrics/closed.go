package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// What labels can say. A test compares the lists with the constants of the packages.
var (
	dispositions = []string{string(policy.DispositionAccept), string(policy.DispositionQuarantine),
		string(policy.DispositionReject), string(policy.DispositionTempfail)}
	deliveries = []string{string(policy.Deliver), string(policy.DeliverTag), string(policy.DeliverHold),
		string(policy.DeliverDefer), string(policy.Refuse)}
	steps = []string{string(policy.StepNotJudged), string(policy.StepFrom), string(policy.StepException),
		string(policy.StepSealer), string(policy.StepPolicy), string(policy.StepHandling), string(policy.StepTempError),
		string(policy.StepLimit), string(policy.StepInternal)}
	ends = []string{string(record.EndAnswered), string(record.EndLimit), string(record.EndPanic),
		string(record.EndEdits), string(record.EndAborted)}
	facts = []string{string(policy.FactFrom), string(policy.FactTraces), string(policy.FactReceived),
		string(policy.FactDKIM), string(policy.FactARC), string(policy.FactSPF), string(policy.FactIPRev),
		string(policy.FactClient), string(policy.FactRecipients), string(policy.FactLocalParts), string(policy.FactSample), string(policy.FactDMARC),
		string(policy.FactOrg), string(policy.FactExistence), string(policy.FactOrgUnanswered),
		string(policy.FactExistenceUnanswered)}
)

// results are the words that each method can give (RFC 8601 section 2.7, RFC 8617
// section 4.4).
var results = map[string][]evidence.Result{
	"spf": {evidence.None, evidence.Pass, evidence.Fail, evidence.SoftFail, evidence.Neutral, evidence.TempError,
		evidence.PermError},
	"dkim": {evidence.None, evidence.Pass, evidence.Fail, evidence.Policy, evidence.Neutral, evidence.TempError,
		evidence.PermError},
	"arc":   {evidence.None, evidence.Pass, evidence.Fail},
	"dmarc": {evidence.None, evidence.Pass, evidence.Fail, evidence.TempError, evidence.PermError},
	"iprev": {evidence.Pass, evidence.Fail, evidence.TempError, evidence.PermError},
}

// deliveryOf is how each disposition is told; all pairs that verdicts have.
var deliveryOf = map[policy.Delivery]policy.Disposition{
	policy.Deliver: policy.DispositionAccept, policy.DeliverTag: policy.DispositionQuarantine,
	policy.DeliverHold: policy.DispositionQuarantine, policy.DeliverDefer: policy.DispositionTempfail,
	policy.Refuse: policy.DispositionReject,
}

const (
	other     = "other" // a word that is in no closed set
	noVerdict = "none"  // where no verdict was reached
)

// family has a counter for each word of a closed set, made beforehand: a counter that
// appears with its first event has no increase that rate() could see. Finding one
// takes a look into a small map and no lock.
type family struct {
	known map[string]prometheus.Counter
	vec   *prometheus.CounterVec
	more  []string // further label values, the same for all
}

func newFamily(vec *prometheus.CounterVec, words []string, more ...string) family {
	f := family{known: make(map[string]prometheus.Counter, len(words)), vec: vec, more: more}
	for _, w := range words {
		f.known[w] = vec.WithLabelValues(append(more[:len(more):len(more)], w)...)
	}
	return f
}

// add counts an event; a word that is not known counts as other.
func (f *family) add(word string) {
	c, ok := f.known[word]
	if !ok {
		c = f.vec.WithLabelValues(append(f.more[:len(f.more):len(f.more)], other)...)
	}
	c.Inc()
}

// verdict is one kind of outcome.
type verdict struct{ disposition, delivery, step string }

// verdicts count messages by what was decided.
type verdicts struct {
	known map[verdict]prometheus.Counter
	vec   *prometheus.CounterVec
}

func newVerdicts(vec *prometheus.CounterVec) verdicts {
	v := verdicts{known: map[verdict]prometheus.Counter{}, vec: vec}
	note := func(k verdict) { v.known[k] = vec.WithLabelValues(k.disposition, k.delivery, k.step) }
	for delivery, disposition := range deliveryOf {
		for _, step := range steps {
			note(verdict{string(disposition), string(delivery), step})
		}
	}
	note(verdict{noVerdict, noVerdict, noVerdict})
	return v
}

func (v *verdicts) add(p *policy.Verdict) {
	k := verdict{string(p.Disposition), string(p.Delivery), string(p.Step)}
	if !p.Reached() {
		k = verdict{noVerdict, noVerdict, noVerdict}
	}
	c, ok := v.known[k]
	if !ok {
		c = v.vec.WithLabelValues(other, other, other)
	}
	c.Inc()
}
