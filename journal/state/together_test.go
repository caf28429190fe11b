package state

import (
	"crypto/sha256"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/internal/pgtest"
	"alignd/judge"
	"alignd/policy"
)

// content is that of one message.
type content struct{ fields *header.Fields }

func (c content) Fields() *header.Fields      { return c.fields }
func (c content) BodyHash() [sha256.Size]byte { return [sha256.Size]byte{1} }
func (c content) Checked() bool               { return true }

// try judges a message of an enforcing domain whose identifier is not resolved.
func try(w *judge.Waits, secret string, at time.Time) policy.Disposition {
	fields := new(header.Fields)
	fields.Add([]byte("From"), []byte(" x@a.example"))
	ev := &evidence.Message{
		Time: at, MailFrom: "x@a.example", MailFromDomain: "a.example",
		Recipients: []evidence.Recipient{{Address: "bob@here.test"}},
		From:       evidence.From{Fields: 1, Domains: []string{"a.example"}},
		DMARC: []evidence.DMARC{{
			AuthorDomain: "a.example", PolicyDomain: "a.example", Result: evidence.TempError, IdentifierTemporary: true,
			Policy: evidence.PolicyReject, Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100},
		}},
	}
	s := &judge.Settings{Rules: policy.Defaults(), SamplingSecret: []byte(secret)}
	return s.Judge(ev, content{fields}, s.MarksOf("mx.here.test", fields), w).Verdict.Disposition
}

// A message that one host put off is let in by the other one once temperror_for passed;
// without the store each host counts for itself.
func TestAMessagePutOffByOneHostIsServedByTheOther(t *testing.T) {
	c := pgtest.Start(t)
	url := c.Database(t)
	host := func() *judge.Waits {
		shared := postgresAt(t, url).Waits()
		t.Cleanup(shared.Close)
		w := judge.NewWaits()
		w.Share(shared)
		return w
	}
	one, two, alone, after := host(), host(), judge.NewWaits(), host()
	const wait, serve = policy.DispositionTempfail, policy.DispositionQuarantine
	for _, x := range []struct {
		name   string
		at     *judge.Waits
		secret string
		hours  int
		want   policy.Disposition
	}{
		{name: "new", at: one, secret: "site", hours: 0, want: wait},
		{name: "once more at the same host", at: one, secret: "site", hours: 1, want: wait},
		{name: "at a host that shares nothing", at: alone, secret: "site", hours: 5, want: wait},
		{name: "at a host with another sampling_secret", at: two, secret: "other", hours: 5, want: wait},
		{name: "at the other host", at: two, secret: "site", hours: 5, want: serve},
	} {
		if got := try(x.at, x.secret, noon.Add(time.Duration(x.hours)*time.Hour)); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if got := try(after, "site", noon.Add(24*time.Hour)); got != wait {
		t.Errorf("without the store: %s, want %s", got, wait)
	}
	if took := time.Since(begun); took > askMost+200*time.Millisecond {
		t.Errorf("without the store it took %s", took)
	}
}
