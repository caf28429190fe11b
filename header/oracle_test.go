package header

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"alignd/domain"
	"alignd/evidence"
	"alignd/internal/readers"
)

const (
	oracleByGrammar = 6000
	oracleMutated   = 6000
)

// oracleValues are the From values that are put to the oracles: the seeds,
// then those of the grammar, then mutations of both.
func oracleValues() []string {
	g := newFromGen(11)
	values := slices.Clone(genSeeds)
	for range oracleByGrammar {
		values = append(values, g.value())
	}
	n := len(values)
	for i := range oracleMutated {
		from := values[g.rng.IntN(n)]
		if i%2 == 0 {
			from = g.pick(genSeeds)
		}
		values = append(values, g.mutate(from, values[g.rng.IntN(n)]))
	}
	return values
}

// TestOracleFrom gives generated From fields to parsers that are not ours.
// Each domain that one of them shows as an author must be one that is judged,
// or the From must be unusable (RFC 9989 section 11.5): a domain that a reader
// sees and nobody judges is one that anybody may write. What is excused is
// excused by name.
func TestOracleFrom(t *testing.T) {
	values := oracleValues()
	ours := make([]evidence.From, len(values))
	for i, v := range values {
		ours[i] = AuthorDomains(fromFields(v), 0)
	}
	total, parsers := newOracleScore("all"), 0
	var mu sync.Mutex
	t.Run("readers", func(t *testing.T) {
		for _, o := range oracles() {
			t.Run(o.name, func(t *testing.T) {
				t.Parallel()
				scores := o.compare(t, values, ours)
				mu.Lock()
				defer mu.Unlock()
				for _, s := range scores {
					total.join(s)
				}
				parsers += len(scores)
			})
		}
	})
	t.Logf("generated %d From fields for %d parsers: %s", len(values), parsers, total.counts())
}

// oracle is a program that holds one or several parsers.
type oracle struct {
	name  string
	start func() error
	ask   func([]string) ([]readers.Answer, error)
	stop  func() error
}

func oracles() []*oracle {
	nothing := func() error { return nil }
	all := []*oracle{{
		name: "Dovecot", ask: readers.Dovecot, stop: nothing,
		start: func() error { _, err := readers.Dovecot(nil); return err },
	}}
	for _, p := range readers.From() {
		o := &oracle{name: p.Name}
		o.start = func() error {
			s, err := p.Start()
			if err == nil {
				o.ask, o.stop = s.Ask, s.Stop
			}
			return err
		}
		all = append(all, o)
	}
	return all
}

// compare has the program read all values and tells what each of its parsers
// made of them.
func (o *oracle) compare(t *testing.T, values []string, ours []evidence.From) (scores []*oracleScore) {
	if err := o.start(); errors.Is(err, readers.ErrMissing) {
		t.Skipf("left out: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	answers, err := o.ask(values)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(answers[0])) {
		s := newOracleScore(name)
		for i, a := range answers {
			s.add(t, o, values[i], ours[i], a)
		}
		t.Log(s)
		scores = append(scores, s)
	}
	if err := o.stop(); err != nil {
		t.Error(err)
	}
	return scores
}

// oracleScore counts what became of the fields with one reader.
type oracleScore struct {
	name        string
	fields      int            // that it read
	shown       int            // domains that it showed
	judged      int            // of which we judge
	unusable    int            // of which we judge not, but the From is unusable
	excused     map[string]int // of which an exception says why not, by its name
	unexplained int
}

func newOracleScore(name string) *oracleScore {
	return &oracleScore{name: name, excused: map[string]int{}}
}

func (s *oracleScore) counts() string {
	var excused strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.excused)) {
		fmt.Fprintf(&excused, "%d %s, ", s.excused[name], name)
	}
	return fmt.Sprintf("%d domains shown, %d judged, %d in an unusable From, %s%d unexplained", s.shown, s.judged, s.unusable, &excused, s.unexplained)
}

func (s *oracleScore) String() string {
	return fmt.Sprintf("%s read %d: %s", s.name, s.fields, s.counts())
}

func (s *oracleScore) join(o *oracleScore) {
	s.fields += o.fields
	s.shown += o.shown
	s.judged += o.judged
	s.unusable += o.unusable
	s.unexplained += o.unexplained
	for name, n := range o.excused {
		s.excused[name] += n
	}
}

// add counts one field.
func (s *oracleScore) add(t *testing.T, o *oracle, value string, ours evidence.From, a readers.Answer) {
	shown, ok := a[s.name]
	if !ok {
		return
	}
	s.fields++
	for _, d := range shownDomains(shown) {
		s.shown++
		switch {
		case slices.Contains(ours.Domains, d):
			s.judged++
		case unusable(ours):
			s.unusable++
		default:
			if why := excuse(o, s.name, value, d); why != "" {
				s.excused[why]++
				continue
			}
			if s.unexplained++; s.unexplained <= 5 {
				small := shrink(o, s.name, value)
				t.Errorf("%s shows %s in %q\nsmaller: %q, of which we judge %q", s.name, d, value, small, AuthorDomains(fromFields(small), 0).Domains)
			}
		}
	}
}

// unusable reports whether policy has a floor for the From, whatever passes.
func unusable(f evidence.From) bool { return f.Problem != evidence.FromOK && !f.Sole }

// shownDomains are the domains of the addresses that a reader shows: what
// stands behind the last at sign, without the brackets and points around it.
func shownDomains(addresses []string) (domains []string) {
	for _, a := range addresses {
		_, host, ok := cutLast(a, "@")
		if !ok {
			continue
		}
		host = strings.TrimRight(strings.TrimLeft(host, "<([\"' \t\r\n"), ">)]\"' \t\r\n.,:;\\\x00")
		d, err := domain.Normalize(host)
		if err == nil && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return domains
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// shrink takes octets away from a value as long as the reader still shows a
// domain that we cannot account for.
func shrink(o *oracle, name, value string) string {
	for step := len(value) / 2; step > 0; {
		smaller := false
		for i := 0; i+step <= len(value); {
			try := value[:i] + value[i+step:]
			if unaccounted(o, name, try) {
				value, smaller = try, true
			} else {
				i += step
			}
		}
		if !smaller || step > len(value) {
			step /= 2
		}
	}
	return value
}

func unaccounted(o *oracle, name, value string) bool {
	f := AuthorDomains(fromFields(value), 0)
	if unusable(f) {
		return false
	}
	answers, err := o.ask([]string{value})
	if err != nil {
		return false
	}
	for _, d := range shownDomains(answers[0][name]) {
		if !slices.Contains(f.Domains, d) && excuse(o, name, value, d) == "" {
			return true
		}
	}
	return false
}
