package send

import (
	"testing"
	"time"

	"alignd/journal/state"
)

// The oldest day that has not left is told from its end on, on a host that does not send
// too; what nobody gets, and what waits for DNS of others, is none.
func TestHealth(t *testing.T) {
	for _, row := range []struct {
		name   string
		domain string
		rua    string
		answer error
		late   time.Duration // 0: nothing is late
		state  state.Progress
		dns    int
	}{
		{name: "a report that has left", domain: "here.test", rua: "mailto:r@here.test", state: state.Sent},
		{name: "one that is put off", domain: "here.test", rua: "mailto:r@here.test", answer: &Refusal{Temporary: true, Text: "451 later"}, late: 32 * time.Hour, state: state.Waiting},
		{name: "a domain that gets none", domain: "victim.example", rua: "mailto:r@victim.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.mail(row.domain, false, row.rua)
			for range 20 {
				w.relay.answers = append(w.relay.answers, row.answer)
			}
			w.until(day.Add(56 * time.Hour))
			h := w.sender.Health()
			late := time.Duration(0)
			if !h.Unsent.IsZero() {
				late = w.now.Sub(h.Unsent)
			}
			if late != row.late || row.state != "" && h.Items[row.state] != 1 || (h.PutOff == 1) != (row.state == state.Waiting) {
				t.Errorf("%+v, %v late, want %v", h, late, row.late)
			}
			other := New(w.state, Settings{Holder: "two", Own: w.sender.Own, To: w.sender.To})
			other.now = w.sender.now
			if err := other.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if o := other.Health(); !o.Unsent.Equal(h.Unsent) || o.Items[row.state] != h.Items[row.state] || o.Tries != (Tries{}) {
				t.Errorf("another host says %+v", o)
			}
		})
	}
}

func TestHealthOfWhatIsNotCut(t *testing.T) {
	w := newWorld(t)
	w.mail("here.test", false, "mailto:r@here.test")
	w.now, w.sender.held = day.Add(27*time.Hour), true
	if err := w.sender.look(t.Context()); err != nil || !w.sender.Health().Unsent.Equal(day.Add(24*time.Hour)) {
		t.Errorf("%+v, %v", w.sender.Health(), err)
	}
}

func TestHealthOfWhatWaitsForDNS(t *testing.T) {
	w := newWorld(t)
	w.open(func(s *Settings) { s.To.All = true })
	w.mail("down.example", true, "mailto:r@other.example")
	w.until(day.Add(40 * time.Hour))
	if h := w.sender.Health(); h.WaitForDNS != 1 || !h.Unsent.IsZero() {
		t.Errorf("%+v", h)
	}
}
