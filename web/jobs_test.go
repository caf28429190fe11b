package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// whenDone follows a job to its result.
func (s *site) whenDone(status int, text string, h http.Header) string {
	s.t.Helper()
	if status != http.StatusSeeOther {
		s.t.Fatalf("no job: %d %.500s", status, text)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, text, _ := s.get(h.Get("Location"))
		if !strings.Contains(text, "http-equiv=\"refresh\"") {
			return text
		}
	}
	s.t.Fatal("the job does not end")
	return ""
}

func TestWhatIfJudgesAgain(t *testing.T) {
	s := serve(t, plant(t, usual(200)...), asAuditor)
	form := func(text string) url.Values { return url.Values{"text": {text}, "since": {"7d"}, "by": {"domain"}} }
	text := s.whenDone(s.post("/whatif", "/whatif/try", form("honor: {reject: accept, quarantine: accept}\n")))
	for _, want := range []string{"Flips", "refuse", "deliver", "samples", "200"} {
		if !strings.Contains(text, want) {
			t.Errorf("the result has no %q", want)
		}
	}
	if status, text, _ := s.post("/whatif", "/whatif/try", form("mode: enforse\n")); status != 200 || !strings.Contains(text, "did you mean") || !strings.Contains(text, "mode: enforse") {
		t.Errorf("a fault: %d %.2000s", status, text)
	}
	f := form("mode: monitor\n")
	f.Set("do", "check")
	if _, text, _ := s.post("/whatif", "/whatif/try", f); !strings.Contains(text, "It is right.") {
		t.Error("a check")
	}
	f.Set("do", "download")
	if _, text, h := s.post("/whatif", "/whatif/try", f); text != "mode: monitor\n" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("a download: %q", text)
	}
	text = s.whenDone(s.post("/rule?id=partner", "/rule/without", url.Values{"list": {"exceptions"}, "id": {"partner"}}))
	if !strings.Contains(text, "Without exceptions: partner") {
		t.Errorf("%.500s", text)
	}
}

func TestViewersHaveNoWhatIf(t *testing.T) {
	s := serve(t, plant(t, usual(3)...), nil)
	if status, text, _ := s.get("/whatif"); status != http.StatusForbidden || strings.Contains(text, "exceptions:") {
		t.Errorf("%d", status)
	}
	if status, _, _ := s.post("/today", "/whatif/try", url.Values{"text": {"mode: monitor"}, "since": {"7d"}}); status != http.StatusForbidden {
		t.Errorf("a form: %d", status)
	}
}

func TestASurveyCanBeCancelled(t *testing.T) {
	b := plant(t, usual(3)...)
	b.hold = make(chan struct{})
	s := serve(t, b, nil)
	status, _, h := s.post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}})
	if status != http.StatusSeeOther {
		t.Fatalf("%d", status)
	}
	at := h.Get("Location")
	if _, text, _ := s.get(at); !strings.Contains(text, "Cancel") || !strings.Contains(text, "<progress") {
		t.Errorf("no progress: %.500s", text)
	}
	id := strings.TrimPrefix(at, "/job?id=")
	s.post(at, "/job/cancel", url.Values{"id": {id}})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, text, _ := s.get(at)
		if strings.Contains(text, "It was cancelled.") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it goes on: %.500s", text)
		}
	}
	b.hold = nil
	text := s.whenDone(s.post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}}))
	if !strings.Contains(text, "id: v") || strings.Contains(text, "secretlocal") || strings.Contains(text, "What if") {
		t.Errorf("what a viewer is suggested: %.800s", text)
	}
}

// The page of a result is made without the lock of the job.
func TestAResultIsShownWithoutItsLock(t *testing.T) {
	j := &job{ID: "x", done: time.Now()}
	j.show = func(*asked, any) *page {
		if !j.mu.TryLock() {
			t.Error("it is locked")
			return &page{}
		}
		j.mu.Unlock()
		return &page{}
	}
	a := &asked{Server: &Server{jobs: jobs{list: []*job{j}}}, query: url.Values{"id": {"x"}}}
	if _, err := a.jobPage(); err != nil {
		t.Error(err)
	}
}
