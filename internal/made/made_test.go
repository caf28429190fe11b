package made

import (
	"testing"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

func TestRecord(t *testing.T) {
	var w World
	const n = 5000
	octets, passed := 0, 0
	for i := range n {
		r := w.Record(i)
		b := record.Append(nil, r)
		octets += len(b)
		if r.Evidence.DMARC[0].Result == evidence.Pass {
			passed++
		}
		if i >= 100 {
			continue
		}
		back, err := record.Decode(b)
		if err != nil || !record.Equal(back, r) {
			t.Fatalf("message %d: decoded %+v, %v; want %+v", i, back, err, r)
		}
		if !record.Equal(r, w.Record(i)) {
			t.Fatalf("message %d is another one the second time", i)
		}
		if r.Verdict.Disposition != policy.Decide(&r.Evidence, policy.Defaults()).Disposition {
			t.Fatalf("message %d: another verdict than its evidence gives", i)
		}
	}
	if mean := octets / n; mean < 1500 || mean > 2500 {
		t.Errorf("a record takes %d octets; those of real mail take 1,900", mean)
	}
	if passed < n*8/10 || passed > n*9/10 {
		t.Errorf("%d of %d pass DMARC, want some 86 %%", passed, n)
	}
	t.Logf("%d octets a record, %d of %d pass DMARC", octets/n, passed, n)
}

func BenchmarkRecord(b *testing.B) {
	var w World
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Record(i)
	}
}
