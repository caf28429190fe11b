package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/web"
)

func ignored(time.Time, uint64, uint64) {}

// What if runs on the real journal in a process of its own, and says what the command line
// says that it names.
func TestPagesJudgeAgainAsTheCommandLine(t *testing.T) {
	t.Setenv(asAlignd, "1")
	file, cfg := shownIn(t, "sqlite")
	b, err := newWebBackend(file, cfg)
	if err != nil {
		t.Fatal(err)
	}
	mild := "journal: {store: sqlite, path: " + cfg.Journal.Path + "}\nmode: monitor\n"
	other := filepath.Join(t.TempDir(), "new.yaml")
	if err := os.WriteFile(other, []byte(mild), 0o600); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	told := uint64(0)
	found, err := b.Replay(t.Context(), &web.ReplayAsk{Text: &mild, Since: since, Newest: 200}, func(_ time.Time, _, of uint64) { told = of })
	if err != nil || found.Counters.Total != 200 || found.Counters.WouldLetIn == 0 || found.Older != 100 || found.Journal.Records != 300 || told != 200 {
		t.Fatalf("%+v, %v, told of %d", found, err, told)
	}
	got := alignd(t, "", "replay", "--json", "--config", other, "--journal", file, "--since", since.Format(time.RFC3339), "--newest", "200", "--by", "domain,client,rule", "--samples", "10")
	var same web.Replay
	if err := json.Unmarshal([]byte(got.stdout), &same); err != nil {
		t.Fatalf("%v in %+v", err, got)
	}
	if !reflect.DeepEqual(same, found.Replay) {
		t.Errorf("the page has %+v\nthe command %+v", found.Replay, same)
	}
	if len(same.Also) != 2 || same.By != "domain" || len(same.Groups) == 0 || len(same.Flips) == 0 || len(same.Flips[0].Samples) == 0 {
		t.Errorf("%+v", same)
	}
	for _, e := range []web.EntryName{{List: "exceptions", ID: "partner"}, {List: "own_domains", ID: "ours"}} {
		if found, err := b.Replay(t.Context(), &web.ReplayAsk{Without: e, Since: since}, ignored); err != nil || found.Counters.Total != 300 {
			t.Errorf("without %s: %+v, %v", e, found, err)
		}
	}
	raw, err := b.Survey(t.Context(), &web.SurveyAsk{Domain: made.DomainOf(0), Since: since}, ignored)
	if err != nil || !strings.Contains(string(raw), `"sources"`) {
		t.Errorf("%.200s, %v", raw, err)
	}
}

func TestAJobThatEndsIsTold(t *testing.T) {
	t.Setenv(asAlignd, "1")
	file, cfg := shownIn(t, "sqlite")
	b, err := newWebBackend(file, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.Replay(ctx, &web.ReplayAsk{}, ignored); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a job that is cancelled: %v", err)
	}
	if _, err := b.Replay(t.Context(), &web.ReplayAsk{Without: web.EntryName{List: "exceptions", ID: "no such"}}, ignored); err == nil || !strings.Contains(err.Error(), "no entry") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(file, []byte("sampling_secret: [never shown\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(t.Context(), &web.ReplayAsk{}, ignored); err == nil || strings.Contains(err.Error(), "never shown") {
		t.Errorf("a file that is faulty now: %v", err)
	}
	if err := os.WriteFile(file, []byte("exceptions: [{file: topsecret.list}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Survey(t.Context(), &web.SurveyAsk{}, ignored); err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), filepath.Base(file)+":1:") {
		t.Errorf("of a faulty file more is told than where: %v", err)
	}
	if _, err := heard(strings.NewReader(`{"records":1}`+"\n{"), ignored); !errors.Is(err, errSilent) {
		t.Errorf("one that was killed: %v", err)
	}
}

// Text that is handed in names no file that the running configuration does not name, and
// nothing of a file or a secret comes back.
func TestWhatIsHandedInTellsNothing(t *testing.T) {
	file, cfg := shownIn(t, "sqlite")
	b, err := newWebBackend(file, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"exceptions: [{file: /etc/passwd}]": "none of the files", "mode: enforse": "did you mean", "exceptions: [{file: alignd.yaml}]": "none of the files"} {
		if _, err := b.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "never shown") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if text := b.Running(); strings.Contains(text, "never shown") || !strings.Contains(text, "own_domains") {
		t.Errorf("the running configuration: %s", text)
	}
	if _, err := b.Without(web.EntryName{List: "exceptions", ID: "no such"}); err == nil {
		t.Error("an exception that is not there")
	}
}
