package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/record"
	"alignd/replay"
	"alignd/web/access"
)

// whenDone follows a job to its result.
func (s *site) whenDone(status int, text string, h http.Header) string {
	s.t.Helper()
	if status != http.StatusSeeOther {
		s.t.Fatalf("no job: %d %.500s", status, text)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, text, _ := s.Get(h.Get("Location"))
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
	text := s.whenDone(s.Post("/whatif", "/whatif/try", form("honor: {reject: accept, quarantine: accept}\n")))
	for _, want := range []string{"Flips", "refuse", "deliver", "samples", "200"} {
		if !strings.Contains(text, want) {
			t.Errorf("the result has no %q", want)
		}
	}
	if status, text, _ := s.Post("/whatif", "/whatif/try", form("mode: enforse\n")); status != 200 || !strings.Contains(text, "did you mean") || !strings.Contains(text, "mode: enforse") {
		t.Errorf("a fault: %d %.2000s", status, text)
	}
	f := form("mode: monitor\n")
	f.Set("do", "check")
	if _, text, _ := s.Post("/whatif", "/whatif/try", f); !strings.Contains(text, "It is right.") {
		t.Error("a check")
	}
	f.Set("do", "download")
	if _, text, h := s.Post("/whatif", "/whatif/try", f); text != "mode: monitor\n" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("a download: %q", text)
	}
	text = s.whenDone(s.Post("/rule?id=partner", "/rule/without", url.Values{"list": {"exceptions"}, "id": {"partner"}}))
	if !strings.Contains(text, "Without exceptions: partner") {
		t.Errorf("%.500s", text)
	}
}

func TestViewersHaveNoWhatIf(t *testing.T) {
	s := serve(t, plant(t, usual(3)...), nil)
	if status, text, _ := s.Get("/whatif"); status != http.StatusForbidden || strings.Contains(text, "exceptions:") {
		t.Errorf("%d", status)
	}
	if status, _, _ := s.Post("/today", "/whatif/try", url.Values{"text": {"mode: monitor"}, "since": {"7d"}}); status != http.StatusForbidden {
		t.Errorf("a form: %d", status)
	}
}

func TestASurveyCanBeCancelled(t *testing.T) {
	b := plant(t, usual(3)...)
	b.hold = make(chan struct{})
	s := serve(t, b, nil)
	status, _, h := s.Post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}})
	if status != http.StatusSeeOther {
		t.Fatalf("%d", status)
	}
	at := h.Get("Location")
	if _, text, _ := s.Get(at); !strings.Contains(text, "Cancel") || !strings.Contains(text, "<progress") {
		t.Errorf("no progress: %.500s", text)
	}
	id := strings.TrimPrefix(at, "/job?id=")
	s.Post(at, "/job/cancel", url.Values{"id": {id}})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, text, _ := s.Get(at)
		if strings.Contains(text, "It was cancelled.") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it goes on: %.500s", text)
		}
	}
	b.hold = nil
	text := s.whenDone(s.Post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}}))
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

// A job is of who began it: others neither see nor end it, but for auditors.
func TestJobsHaveOwners(t *testing.T) {
	b := plant(t, usual(30)...)
	as := behindProxy(t, b)
	ann, bob, carol := as("ann"), as("bob"), as("carol")
	b.hold = make(chan struct{})
	measure := func(who *site) (int, string) {
		status, text, h := who.Post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}})
		return status, h.Get("Location") + " " + text
	}
	status, at := measure(bob)
	at = strings.TrimSpace(at)
	if status != http.StatusSeeOther {
		t.Fatal(status, at)
	}
	if status, text := measure(bob); status != http.StatusServiceUnavailable || !strings.Contains(text, "of yours runs or waits") {
		t.Errorf("a second job of a viewer: %d", status)
	}
	if status, _, _ := carol.Get(at); status != http.StatusNotFound {
		t.Errorf("another viewer sees the job: %d", status)
	}
	if _, text, _ := carol.Get("/jobs"); strings.Contains(text, "a.example") || strings.Contains(text, "bob") {
		t.Errorf("another viewer sees that there is one")
	}
	id := strings.TrimPrefix(at, "/job?id=")
	if status, _, _ := carol.Post("/jobs?", "/job/cancel", url.Values{"id": {id}}); status == http.StatusSeeOther {
		t.Errorf("another viewer ended it: %d", status)
	}
	if _, text, _ := bob.Get(at); !strings.Contains(text, "Cancel") {
		t.Error("it ended")
	}
	if _, text, _ := ann.Get("/jobs"); !strings.Contains(text, "bob") || !strings.Contains(text, "runs") {
		t.Error("an auditor does not see it")
	}
	if status, _, _ := ann.Post(at, "/job/cancel", url.Values{"id": {id}}); status != http.StatusSeeOther {
		t.Errorf("an auditor cannot end it: %d", status)
	}
	b.hold = nil
	status, _, h := ann.Post("/whatif", "/whatif/try", url.Values{"text": {"mode: monitor\n"}, "since": {"7d"}})
	ann.whenDone(status, "", h)
	for _, end := range []string{"", ".json", ".csv"} {
		if status, _, _ := bob.Get(strings.Replace(h.Get("Location"), "/job", "/job"+end, 1)); status != http.StatusNotFound {
			t.Errorf("a viewer sees what an auditor asked: /job%s %d", end, status)
		}
	}
}

// behindProxy is a site as somebody sees it, whom a proxy names; ann is an auditor.
func behindProxy(t *testing.T, b Backend) (of func(name string) *site) {
	s := serve(t, b, func(o *Options) {
		o.Access.Open, o.Access.Socket, o.Access.Auditors = false, false, []string{"ann"}
		o.Access.Proxy = access.Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	return func(name string) *site {
		return &site{Visitor: s.Another(named(name)), t: t}
	}
}

// measure begins a survey, and is where it is shown.
func (s *site) measure() string {
	s.t.Helper()
	status, text, h := s.Post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "source": {"x"}})
	if status != http.StatusSeeOther {
		s.t.Fatalf("no job: %d %.300s", status, text)
	}
	return h.Get("Location")
}

// until asks for a page until it says something.
func (s *site) until(at, words string) {
	s.t.Helper()
	text := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, text, _ = s.Get(at); strings.Contains(text, words) {
			return
		}
	}
	s.t.Fatalf("%s never says %q: %.900s", at, words, text)
}

// Jobs wait for their turn, and say at which place; viewers have one place together, so
// that an auditor finds one.
func TestJobsWaitForTheirTurn(t *testing.T) {
	b := plant(t, usual(3)...)
	b.hold = make(chan struct{})
	of := behindProxy(t, b)
	ann, bob, carol, dave := of("ann"), of("bob"), of("carol"), of("dave")
	first, second, third := bob.measure(), carol.measure(), dave.measure()
	bob.until(first, "runs, ")
	carol.until(second, "waits, place 1")
	dave.until(third, "waits, place 2")
	ann.until("/jobs", "waits, place 2")
	if _, text, _ := carol.Get(strings.Replace(second, "/job", "/job.json", 1)); !strings.Contains(text, `"place":1`) {
		t.Errorf("JSON: %s", text)
	}
	ann.until(ann.measure(), "runs, ")
	cancel := func(who *site, at string) {
		t.Helper()
		who.Post(at, "/job/cancel", url.Values{"id": {strings.TrimPrefix(at, "/job?id=")}})
		who.until(at, "It was cancelled.")
	}
	cancel(carol, second)
	dave.until(third, "waits, place 1")
	cancel(bob, first)
	dave.until(third, "runs, ")
}

// A job of a viewer may last while nobody waits for its place, and gives way where
// somebody does.
func TestALongJobOfAViewerGivesWay(t *testing.T) {
	usualTurn := jobTurn
	t.Cleanup(func() { jobTurn = usualTurn })
	jobTurn = 200 * time.Millisecond
	b := plant(t, usual(3)...)
	b.hold = make(chan struct{})
	of := behindProxy(t, b)
	ann, bob, carol := of("ann"), of("bob"), of("carol")
	theirs, first := ann.measure(), bob.measure()
	bob.until(first, "runs, ")
	time.Sleep(3 * jobTurn)
	bob.until(first, "runs, ")
	second := carol.measure()
	bob.until(first, "gave way")
	carol.until(second, "runs, ")
	ann.until(theirs, "runs, ")
	third := bob.measure() // while carol's is not late yet, or is
	bob.until(third, "runs, ")
	carol.until(second, "gave way")
}

// named asks as somebody.
type named string

// RoundTrip implements http.RoundTripper.
func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Remote-User", string(n))
	return http.DefaultTransport.RoundTrip(r)
}

// Two results stand side by side, with what is not the same, and each is there by itself.
func TestTwoResultsSideBySide(t *testing.T) {
	s := serve(t, plant(t, usual(200)...), asAuditor)
	try := func(text string) string {
		status, page, h := s.Post("/whatif", "/whatif/try", url.Values{"text": {text}, "since": {"7d"}})
		s.whenDone(status, page, h)
		return strings.TrimPrefix(h.Get("Location"), "/job?id=")
	}
	first, second := try("honor: {reject: accept, quarantine: accept}\n"), try("honor: {reject: quarantine}\n")
	_, text, _ := s.Get("/job?id=" + second + "&against=" + first)
	for _, want := range []string{`class="beside"`, "Differences", "Job 2", "Job 1", "What if (job 1)", "What if (job 2)", "By Author Domain", "By network of the client", "By rule", "Change it further"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	_, data, _ := s.Get("/job.json?id=" + second + "&against=" + first)
	var both struct {
		Counters struct{ Total uint64 }
		Against  struct{ Counters struct{ Total uint64 } }
	}
	if err := json.Unmarshal([]byte(data), &both); err != nil || both.Counters.Total != 200 || both.Against.Counters.Total != 200 {
		t.Errorf("%v %.300s", err, data)
	}
	if _, data, _ := s.Get("/job.csv?id=" + second + "&against=" + first); !strings.Contains(data, "What if (job 1),all,,200") || !strings.Contains(data, "What if (job 2),flip,") {
		t.Errorf("%.600s", data)
	}
	if _, text, _ := s.Get("/whatif?job=" + first); !strings.Contains(text, "honor: {reject: accept, quarantine: accept}") {
		t.Error("it cannot be changed further")
	}
}

// Faults are told as alignd config check tells them, at their lines, with what stands there;
// of another file nothing is told.
func TestFaultsStandAtTheirLines(t *testing.T) {
	s := serve(t, plant(t, usual(3)...), asAuditor)
	text := "# one\nmode: enforse\nhonor: {reject: <b>}\n"
	_, err := config.Parse([]byte(text), "alignd.yaml", time.Now())
	problems := config.Problems{}
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatal(err)
	}
	_, page, _ := s.Post("/whatif", "/whatif/try", url.Values{"text": {text}, "since": {"7d"}, "do": {"check"}})
	shown := html.UnescapeString(page)
	for _, p := range problems {
		for _, want := range []string{p.Text, fmt.Sprintf(`id="line-%d"`, p.Line), fmt.Sprintf(`href="#line-%d"`, p.Line), ">" + strings.Split(text, "\n")[p.Line-1] + "<"} {
			if !strings.Contains(shown, want) {
				t.Errorf("no %q", want)
			}
		}
	}
	if strings.Contains(page, "<b>}") || !strings.Contains(page, "\n1\n") && !strings.Contains(page, ">1\n") {
		t.Error("the lines are not numbered, or the text acts")
	}
	other := problemTable(config.Problems{{Position: config.Position{File: "staff.list", Line: 3, Column: 1}, Text: "topsecret is no address"}}, "alignd.yaml", text)
	if got := other.Rows[0][2].Text; strings.Contains(got, "topsecret") || !strings.Contains(got, "staff.list:3") {
		t.Errorf("%q", got)
	}
}

// Where the file is faulty it is said where, and nothing of what stands there is quoted.
func TestAFaultyFileIsToldWithoutItsText(t *testing.T) {
	b := plant(t, usual(3)...)
	b.stale = fmt.Errorf("reading: %w", config.Problems{{Position: config.Position{File: "staff.list", Line: 3, Column: 1}, Text: "topsecret is no address"}})
	s := serve(t, b, nil)
	for _, at := range []string{"/rules", "/messages", "/health"} {
		if _, text, _ := s.Get(at); !strings.Contains(text, "staff.list:3:1") || strings.Contains(text, "topsecret") {
			t.Errorf("%s: %.900s", at, text)
		}
	}
}

// faulty is a backend whose file is faulty now, with what of it reads the file.
type faulty struct{ *backend }

func (b *faulty) Again(*record.Record) (replay.Judgement, error) {
	return replay.Judgement{}, b.stale
}
func (b *faulty) ReportStatus(context.Context, string, string) (json.RawMessage, error) {
	return nil, b.stale
}

// Pages that read the file themselves tell no more of its faults than the others.
func TestPagesThatFailTellNothingOfTheFile(t *testing.T) {
	list := usual(3)
	list[0].Evidence.QueueID = "4ZQ1"
	b := &faulty{plant(t, list...)}
	b.stale = fmt.Errorf("reading: %w", config.Problems{{Position: config.Position{File: "staff.list", Line: 3, Column: 1}, Text: "topsecret is no address"}})
	s := serve(t, b, nil)
	for _, at := range []string{"/message/again?id=4ZQ1", "/message/again.json?id=4ZQ1", "/reports"} {
		if _, text, _ := s.Get(at); !strings.Contains(text, "staff.list:3:1") || strings.Contains(text, "topsecret") {
			t.Errorf("%s: %.900s", at, text)
		}
	}
}

// A text of a million lines is refused at once: their numbers would take half a minute.
func TestTheEditorTakesNoMillionLines(t *testing.T) {
	s := serve(t, plant(t, usual(1)...), asAuditor)
	for _, lines := range []int{maxLines, maxLines + 1, 1 << 20} {
		status, text, _ := s.Post("/whatif", "/whatif/try", url.Values{"text": {strings.Repeat("\n", lines)}, "do": {"check"}})
		if (status == 400) != (lines > maxLines) || len(text) > 400_000 {
			t.Errorf("%d lines: %d, %d octets", lines, status, len(text))
		}
	}
}
