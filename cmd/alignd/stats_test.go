package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

// counted is a configuration whose state has counts of some days until now.
func counted(t *testing.T, now time.Time) string {
	t.Helper()
	return countedIn(t, now, "sqlite")
}

// countedIn is counted, in a store.
func countedIn(t *testing.T, now time.Time, store string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alignd.yaml")
	text := fmt.Sprintf(`journal: {store: %s, path: %s}
exceptions:
  - {id: vendor, action: accept, scope: {author_domains: [bank.example]}, proof: {dkim: [vendor.example]}, expires: 2020-01-01}
  - {id: partner, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}
  - {id: branch, action: accept, proof: {clients: [192.0.2.64/26]}, never_expires: true}
`, store, filepath.Join(dir, "state"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	s, err := openState(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	add := func(times int, ago time.Duration, author, client, rule string, result evidence.Result, told, would policy.Delivery) {
		for range times {
			n++
			r := &record.Record{}
			r.Evidence.Time, r.Evidence.Client.Peer = now.Add(-ago), netip.MustParseAddr(client)
			r.Evidence.DMARC = []evidence.DMARC{{AuthorDomain: author, Result: result}}
			r.Verdict = policy.Verdict{Delivery: told, Rule: rule, Evaluation: 1, Monitor: policy.Outcome{Delivery: would}}
			raw := journal.Raw{Entry: journal.Entry{Number: spool.Number(n), Record: r}}
			if err := s.Take(context.Background(), spool.ID{1}, []journal.Raw{raw}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const day = 24 * time.Hour
	add(3, time.Minute, "a.example", "192.0.2.1", "partner", evidence.Pass, policy.Deliver, "")
	add(2, time.Minute, "b.example", "198.51.100.7", "", evidence.Fail, policy.Deliver, policy.Refuse)
	add(1, time.Minute, "a\x1b[2J.example", "2001:db8::7", "", evidence.Fail, policy.Refuse, "")
	add(7, day, "a.example", "192.0.2.1", "", evidence.Pass, policy.Deliver, "")
	add(14, 7*day, "a.example", "192.0.2.1", "", evidence.Pass, policy.Deliver, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// noonToday is a time of today, so that what is counted does not hang on when the test runs.
func noonToday() time.Time { return dayOf(time.Now()).Add(12*time.Hour + 30*time.Minute) }

// stats runs the command at a time.
func stats(t *testing.T, file string, now time.Time, f statsFlags) string {
	t.Helper()
	c := statsCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetContext(context.Background())
	f.config = file
	if f.limit == 0 {
		f.limit = 50
	}
	if err := f.run(c, now); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestStatsComparesTodayWithTheDaysBefore(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	file := counted(t, now)
	got := stats(t, file, now, statsFlags{})
	want := fmt.Sprintf(`                      today  yesterday until 13:00  a week ago until 13:00  yesterday  last 7 days, a day
messages                  6                      7                      14          7                   3
dmarc=pass        3  50.0 %%              7 100.0 %%              14 100.0 %%  7 100.0 %%           3 100.0 %%
dmarc=fail        3  50.0 %%              0   0.0 %%               0   0.0 %%  0   0.0 %%           0   0.0 %%
refused           1  16.7 %%              0   0.0 %%               0   0.0 %%  0   0.0 %%           0   0.0 %%
tagged            0   0.0 %%              0   0.0 %%               0   0.0 %%  0   0.0 %%           0   0.0 %%
put off           0   0.0 %%              0   0.0 %%               0   0.0 %%  0   0.0 %%           0   0.0 %%
would be refused  2  33.3 %%              0   0.0 %%               0   0.0 %%  0   0.0 %%           0   0.0 %%

Held back today by monitor mode or a rollout, by Author Domain:
  b.example  2 would be refused

Held back today by monitor mode or a rollout, by rule:
  (policy of the sender)  2 would be refused

Entries that decided nothing in 27 messages since 2026-11-13T12:30:00Z:
  exceptions: vendor  %[1]s:3  expired
  exceptions: branch  %[1]s:5

Entries that can decide nothing, as another one takes all mail that they are about:
  exceptions: branch  %[1]s:5  behind exceptions: partner  %[1]s:4
`, file)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatsCountsByAValue(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	t.Run("sqlite", func(t *testing.T) { countsByAValue(t, counted(t, now), now) })
	t.Run("postgres", func(t *testing.T) {
		countsByAValue(t, countedIn(t, now, `postgres, url: "`+pgtest.Start(t).URL("postgres")+`"`), now)
	})
}

func countsByAValue(t *testing.T, file string, now time.Time) {
	for _, c := range []struct {
		name string
		f    statsFlags
		want []string
	}{
		{name: "domain", f: statsFlags{by: "domain"}, want: []string{"24 24 0 0 0 0 0 0 a.example", "2 0 2 0 0 0 0 2 b.example", "a?[2j.example"}},
		{name: "client", f: statsFlags{by: "client"}, want: []string{"24 24 0 0 0 0 0 0 192.0.2.0/24", "1 0 1 1 0 0 0 0 2001:db8::/48"}},
		{name: "result", f: statsFlags{by: "result"}, want: []string{"24 24 0 0 0 0 0 0 dmarc=pass", "1 0 1 1 0 0 0 0 delivery=refuse"}},
		{name: "rule", f: statsFlags{by: "rule"}, want: []string{"24 21 3 1 0 0 0 2 (policy of the sender)", "3 3 0 0 0 0 0 0 partner"}},
		{name: "day", f: statsFlags{by: "day"}, want: []string{"6 3 3 1 0 0 0 2 2026-11-20", "7 7 0 0 0 0 0 0 2026-11-19", "0 0 0 0 0 0 0 0 2026-11-18"}},
		{name: "hour", f: statsFlags{by: "hour", since: "24h"}, want: []string{"6 3 3 1 0 0 0 2 2026-11-20T12:00Z", "0 0 0 0 0 0 0 0 2026-11-20T11:00Z", "7 7 0 0 0 0 0 0 2026-11-19T12:00Z"}},
		{name: "a time", f: statsFlags{by: "domain", since: "36h"}, want: []string{"10 10 0 0 0 0 0 0 a.example"}},
		{name: "a limit", f: statsFlags{by: "domain", limit: 1}, want: []string{"3 0 3 1 0 0 0 2 (others)"}},
	} {
		got := strings.Join(strings.Fields(stats(t, file, now, c.f)), " ")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in\n%s", c.name, want, got)
			}
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// The keys are a contract.
func TestStatsAsJSON(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	file := counted(t, now)
	var table struct {
		By, Since, Until string
		Rows             []map[string]any
		Other            map[string]any
	}
	if err := json.Unmarshal([]byte(stats(t, file, now, statsFlags{by: "client", json: true})), &table); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprint(table.Rows[1])
	want := "map[deferred:0 fail:2 fail_dkim:0 fail_spf:0 first:2026-11-20T12:29:00Z held:0 last:2026-11-20T12:29:00Z messages:2 missed:0 " +
		"pass:0 pass_refused:0 refused:0 rescued:0 tagged:0 value:198.51.100.0/24 would_defer:0 would_hold:0 would_refuse:2 would_tag:0]"
	if row != want || table.By != "client" || table.Since != "2026-11-13T12:00:00Z" || table.Until != "2026-11-20T12:30:00Z" {
		t.Errorf("got %+v\n%s\nwant\n%s", table, row, want)
	}
	var all struct {
		Periods  []map[string]any
		HeldBack map[string][]map[string]any `json:"held_back"`
		Unused   map[string]any
		Shadowed []map[string]any
	}
	if err := json.Unmarshal([]byte(stats(t, file, now, statsFlags{json: true})), &all); err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, p := range all.Periods {
		names += fmt.Sprint(p["name"], "=", p["messages"], " ")
	}
	if names != "today=6 yesterday_until_now=7 week_ago_until_now=14 yesterday=7 last_week=21 " {
		t.Errorf("periods: %s", names)
	}
	if len(all.Shadowed) != 1 || all.Shadowed[0]["id"] != "branch" || len(all.HeldBack["domains"]) != 1 || all.Unused["messages"] != 27.0 {
		t.Errorf("%+v", all)
	}
}

func TestStatsIsAsked(t *testing.T) {
	file := counted(t, noonToday())
	empty := filepath.Join(t.TempDir(), "alignd.yaml")
	if err := os.WriteFile(empty, fmt.Appendf(nil, "journal: {path: %s}\n", t.TempDir()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, args string
		exit       int
		has        string
	}{
		{name: "all", args: "stats --config " + file, has: "messages"},
		{name: "a time", args: "stats --since 2d --config " + file, has: "as long before"},
		{name: "a wrong word", args: "stats --by minute --config " + file, exit: exitUsage, has: "none of domain, client, result, rule, day, hour"},
		{name: "too many hours", args: "stats --by hour --since 15d --config " + file, exit: exitUsage, has: "two weeks at most"},
		{name: "a wrong time", args: "stats --since yesterday --config " + file, exit: exitUsage, has: "neither RFC 3339"},
		{name: "a time to come", args: "stats --since 2999-01-01 --config " + file, exit: exitUsage, has: "lies in the future"},
		{name: "a wrong limit", args: "stats --limit -1 --config " + file, exit: exitUsage, has: "below 0"},
		{name: "no state yet", args: "stats --config " + empty, exit: exitFailure, has: "alignd serve makes it"},
	} {
		var out, errs bytes.Buffer
		exit := run(strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if text := out.String() + errs.String(); exit != c.exit || !strings.Contains(text, c.has) {
			t.Errorf("%s: exit %d, want %d with %q: %s", c.name, exit, c.exit, c.has, text)
		}
	}
}

// A file of counts that is damaged costs the counts only, and is left alone.
func TestDamagedCountsCostNoRecords(t *testing.T) {
	dir := t.TempDir()
	file, damaged := filepath.Join(dir, "alignd.yaml"), filepath.Join(dir, "state.db")
	garbage := strings.Repeat("no database\n", 1000)
	for path, text := range map[string]string{file: fmt.Sprintf("journal: {path: %s}\n", dir), damaged: garbage} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	m := mustRemember(t, cfg, slog.New(slog.NewTextHandler(&said, nil)))
	m.Sink(record.Sinks{}).Take(&record.Record{Evidence: evidence.Message{Time: time.Now(), Sample: -1}})(true)
	m.Close()
	if !strings.Contains(said.String(), "counts nothing") || !strings.Contains(said.String(), "not a database") || !strings.Contains(said.String(), "loaded=1") {
		t.Errorf("said %s", said.String())
	}
	if text, err := os.ReadFile(damaged); err != nil || string(text) != garbage {
		t.Errorf("the file was changed, %v", err)
	}
	var out, errs bytes.Buffer
	if exit := run([]string{"stats", "--config", file}, strings.NewReader(""), &out, &errs); exit != exitFailure || !strings.Contains(errs.String(), damaged) {
		t.Errorf("exit %d: %s", exit, errs.String())
	}
}
