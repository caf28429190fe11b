package policy

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
)

// stoppable is a rollout whose last stages may be stopped.
func stoppable() []Stage {
	return []Stage{
		{Name: StageTag, Start: now.AddDate(0, -2, 0)},
		{Name: StageQuarantine, Start: now.AddDate(0, -1, 0), ID: "rollout/quarantine", StopIf: &StopIf{FailingShare: 0.05, PassingRefused: -1, Over: 6 * time.Hour, LeastMessages: 20}},
		{Name: StageReject, Start: now.Add(-time.Hour), ID: "rollout/reject", StopIf: &StopIf{PassingRefused: 3, Over: 6 * time.Hour}},
	}
}

func TestAStoppedStageHandsBackToTheOneBefore(t *testing.T) {
	rules := rulesOf(t, Spec{Handling: Handling{QuarantineAs: Hold, Rollout: stoppable()}})
	for _, c := range []struct {
		name    string
		stopped []string
		at      time.Time
		want    Delivery
		stage   StageName
		would   Delivery
	}{
		{name: "nothing is stopped", at: now, want: Refuse, stage: StageReject},
		{name: "the last stage is stopped", stopped: []string{"rollout/reject"}, at: now, want: DeliverHold, stage: StageQuarantine, would: Refuse},
		{name: "no stage begins behind one that is stopped", stopped: []string{"rollout/quarantine"}, at: now, want: DeliverTag, stage: StageTag, would: Refuse},
		{name: "both are stopped", stopped: []string{"rollout/quarantine", "rollout/reject"}, at: now, want: DeliverTag, stage: StageTag, would: Refuse},
		{name: "a stop of another rollout", stopped: []string{"bank/reject"}, at: now, want: Refuse, stage: StageReject},
		{name: "a stage that has not begun needs no stop", stopped: []string{"rollout/reject"}, at: now.AddDate(0, 0, -1), want: DeliverHold, stage: StageQuarantine, would: Refuse},
	} {
		ev := change(message(failing("reject")), func(m *evidence.Message) { m.Stopped, m.Time = c.stopped, c.at })
		v := Decide(ev, rules)
		if v.Delivery != c.want || v.Stage != c.stage || v.Monitor.Delivery != c.would {
			t.Errorf("%s: got %+v", c.name, v)
		}
		if told := strings.Contains(v.Reason, "was stopped"); told != (c.would != "" && c.at.Equal(now)) {
			t.Errorf("%s: %s", c.name, v.Reason)
		}
	}
}

func TestWhatStopsAStage(t *testing.T) {
	share := func(f func(*StopIf)) StopIf {
		s := StopIf{FailingShare: 0.05, PassingRefused: -1, LeastMessages: 20, Over: 6 * time.Hour}
		if f != nil {
			f(&s)
		}
		return s
	}
	const bank, own = "bank.example", "mail.bank.example"
	for _, c := range []struct {
		name    string
		stop    StopIf
		tallies []Tally
		want    string // in the reason; empty: it goes on
	}{
		{name: "nothing was counted", stop: share(nil)},
		{name: "below the share", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 95, Fail: 5, Known: true}}},
		{name: "above it", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 94, Fail: 6, Known: true}}, want: "6 of 100 messages fail (6 %) within 6 h, more than 5 %"},
		{name: "a flood of forgeries stops nothing", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 95, Fail: 5, Known: true}, {Author: bank, Infrastructure: "192.0.2.0/24", Fail: 1e6}}},
		{name: "nor do passes of others hide a fault", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Fail: 30, Known: true}, {Author: "other.example", Infrastructure: own, Pass: 1e6, Known: true}}, want: "30 of 30"},
		{name: "too few to make a share", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 9, Fail: 10, Known: true}}},
		{name: "the most failing sender is named", stop: share(nil), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 50, Fail: 4, Known: true}, {Author: bank, Infrastructure: "vendor.example", Fail: 9, Known: true}}, want: "most from vendor.example as bank.example (9)"},
		{name: "passing mail is refused", stop: share(func(s *StopIf) { s.FailingShare, s.PassingRefused = 0, 3 }), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 9, PassRefused: 2, Known: true}, {Author: bank, Infrastructure: "a", Pass: 9, PassRefused: 2, Known: true}}, want: "4 messages of bank.example that pass DMARC by SPF were refused within 6 h, more than 3"},
		{name: "not more of it than that", stop: share(func(s *StopIf) { s.FailingShare, s.PassingRefused = 0, 4 }), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 9, PassRefused: 4, Known: true}}},
		{name: "not one", stop: share(func(s *StopIf) { s.FailingShare, s.PassingRefused = 0, 0 }), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 1, PassRefused: 1, Known: true}}, want: "more than 0"},
		{name: "none at all", stop: share(func(s *StopIf) { s.FailingShare, s.PassingRefused = 0, 0 }), tallies: []Tally{{Author: bank, Infrastructure: own, Pass: 1, Known: true}}},
	} {
		rule := DomainRule{ID: "bank", AuthorDomains: []string{bank, "." + bank}, Handling: Handling{Rollout: []Stage{{Name: StageReject, ID: "bank/reject", StopIf: &c.stop}}}}
		watches := rulesOf(t, Spec{Domains: []DomainRule{rule}}).Watches()
		if len(watches) != 1 {
			t.Fatal(watches)
		}
		got := watches[0].Exceeded(slices.Values(c.tallies))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTheBoundOfAShareIsANumberBelowOne(t *testing.T) {
	for _, share := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.05, 1} {
		stage := Stage{Name: StageReject, ID: "rollout/reject", StopIf: &StopIf{FailingShare: share, PassingRefused: 3, Over: time.Hour}}
		_, err := Compile(Spec{Handling: Handling{Rollout: []Stage{stage}}})
		if err == nil || !strings.Contains(err.Error(), "stop_if.failing_share: is not between 0 and 100 %") {
			t.Errorf("%v: got %v", share, err)
		}
	}
}

func TestWhichMailAStageIsCountedBy(t *testing.T) {
	stages := func(id string) Handling {
		return Handling{Rollout: []Stage{{Name: StageReject, ID: id, StopIf: &StopIf{FailingShare: 0.1, PassingRefused: -1, Over: time.Hour}}}}
	}
	rules := rulesOf(t, Spec{Handling: stages("rollout/reject"), Domains: []DomainRule{
		{ID: "bank", AuthorDomains: []string{"org:bank.example"}, Handling: stages("bank/reject")},
		{ID: "part", AuthorDomains: []string{"part.bank.example"}, Handling: stages("part/reject")},
		{ID: "plain", AuthorDomains: []string{"plain.example"}, Handling: Handling{Reject: Tag}},
	}})
	for author, want := range map[string]string{"bank.example": "bank/reject", "a.b.bank.example": "bank/reject", "part.bank.example": "part/reject",
		"plain.example": "rollout/reject", "other.example": "rollout/reject"} {
		var got []string
		for _, w := range rules.Watches() {
			if w.Covers(author) {
				got = append(got, w.ID)
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: counted by %v, want %s", author, got, want)
		}
	}
}

func TestTheFingerprintIsThatOfTheEntry(t *testing.T) {
	of := func(f func(*DomainRule)) [32]byte {
		rule := DomainRule{ID: "bank", AuthorDomains: []string{"bank.example"}, Handling: Handling{Rollout: stoppable()}, Source: Source{"a.yaml", 3}}
		f(&rule)
		return rulesOf(t, Spec{Domains: []DomainRule{rule}}).Watches()[0].Fingerprint
	}
	plain := of(func(*DomainRule) {})
	for name, f := range map[string]func(*DomainRule){
		"it stands elsewhere":         func(r *DomainRule) { r.Source.Line, r.Handling.Rollout[1].Source.Line = 9, 10 },
		"another option of the entry": func(r *DomainRule) { r.Handling.QuarantineAs = Hold },
	} {
		if of(f) != plain {
			t.Errorf("%s: it differs", name)
		}
	}
	for name, f := range map[string]func(*DomainRule){
		"another date":   func(r *DomainRule) { r.Handling.Rollout[2].Start = now },
		"another bound":  func(r *DomainRule) { r.Handling.Rollout[1].StopIf.FailingShare = 0.06 },
		"another domain": func(r *DomainRule) { r.AuthorDomains = append(r.AuthorDomains, "other.example") },
		"a stage less":   func(r *DomainRule) { r.Handling.Rollout = r.Handling.Rollout[1:] },
	} {
		if of(f) == plain {
			t.Errorf("%s: it is the same", name)
		}
	}
}
