package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/internal/made"
	"alignd/internal/pgtest"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/spool"
	"alignd/journal/state"
	"alignd/record"
	"alignd/report/send"
	"alignd/web"
)

// shownIn is a configuration with a journal of some hundred messages in a store.
func shownIn(t testing.TB, store string) (file string, cfg *config.Config) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "alignd.yaml")
	text := fmt.Sprintf(`journal: {store: %s, path: %s}
sampling_secret: "never shown to anybody"
reports: {from: dmarc@example.net}
web: {listen: "unix:%s/web", users_file: "", role: auditor}
own_domains: [{id: ours, domains: [%s], action: tag}]
exceptions:
  - {id: vendor, action: accept, scope: {author_domains: [bank.example]}, proof: {dkim: [vendor.example]}, expires: 2020-01-01}
  - {id: partner, action: accept, proof: {clients: [198.18.0.0/24]}, never_expires: true}
`, store, dir, dir, made.DomainOf(0))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	kept, err := place.OpenStore(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := openState(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	w := made.World{Domains: 30, Begin: time.Now().Add(-3 * time.Hour), Step: 3 * time.Hour / n, Rules: cfg.Rules}
	var batch []journal.Raw
	for i := range n {
		r := w.Record(i)
		r.Basis.Config = cfg.Hash()
		batch = append(batch, journal.Raw{Entry: journal.Entry{Number: spool.Number(i + 1), Record: r}, Encoded: record.Append(nil, r)})
	}
	if err := counts.KeepConfig(t.Context(), cfg.Hash(), cfg.Text(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []journal.Store{kept, counts} {
		if err := s.Take(t.Context(), spool.ID{1}, batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return file, cfg
}

// Each page is made over both stores, and no page, file or fault has the secret.
func TestThePagesOverBothStores(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			name := store
			if store == "postgres" {
				name = "postgres, url: '" + pgtest.Database(t) + "'"
			}
			file, cfg := shownIn(t, name)
			opt, err := webOptions(file, cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			opt.Timeout, opt.Access.Hosts = 30*time.Second, append(opt.Access.Hosts, "127.0.0.1")
			s, err := web.New(opt)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			server := httptest.NewServer(s.Handler())
			defer server.Close()
			author := made.DomainOf(0)
			token := ""
			for path, want := range map[string]string{
				"/messages": author, "/messages.json?dmarc=fail": `"messages"`, "/messages.csv?domain=" + author: author, "/today": "What needs a hand", "/today?span=30d": "expired",
				"/senders": "own", "/sender?domain=" + author + "&source=x": "Trend", "/rules": "vendor", "/rule?id=partner": "without it", "/reports": "Suppressions", "/whatif": "own_domains",
				"/health": "records", "/today.json": `"overview"`, "/senders.csv": "Author Domain", "/health.json": `"journal"`, "/reports.json": `"status"`,
			} {
				status, text := fetch(t, server.URL+path)
				if status != http.StatusOK || !strings.Contains(text, want) {
					t.Errorf("%s: %d, no %q in %.600s", path, status, want, text)
				}
				if strings.Contains(text, "never shown") {
					t.Errorf("%s shows the secret", path)
				}
				if m := regexp.MustCompile(`/message\?id=([a-z0-9]+)`).FindStringSubmatch(text); m != nil && path == "/messages" {
					token = m[1]
				}
			}
			if status, text := fetch(t, server.URL+"/message?id="+token); status != http.StatusOK || !strings.Contains(text, "Identifier Alignment") {
				t.Errorf("a message: %d", status)
			}
			if status, text := fetch(t, server.URL+"/message/again?id="+token); status != http.StatusOK || !strings.Contains(text, "unchanged") {
				t.Errorf("judged again: %d %.800s", status, text)
			}
			id := cutReport(t, file, cfg)
			status, text := fetch(t, server.URL+"/report?id="+url.QueryEscape(id))
			for _, want := range []string{"policy_published", "application/gzip", "Message-Id:", "Auto-Submitted:", "This is a DMARC aggregate report", "RCPT TO"} {
				if status != http.StatusOK || !strings.Contains(text, want) {
					t.Errorf("a report: %d, no %q in %.800s", status, want, text)
				}
			}
			if got := alignd(t, "", "report", "mail", "--config", file, id); got.status != 0 || !strings.Contains(got.stdout, "Auto-Submitted: auto-generated") {
				t.Errorf("report mail: %+v", got)
			}
			if got := alignd(t, "", "report", "mail", "--config", file, "nothing"); got.status != 1 || !strings.Contains(got.stderr, "not kept") {
				t.Errorf("a report that is not there: %+v", got)
			}
			failureReportLeaves(t, cfg, server.URL)
			if status, _ := fetch(t, server.URL+"/message?id=nothing"); status != http.StatusNotFound {
				t.Errorf("a message that is not there: %d", status)
			}
			same := false
			for range 2 { // midnight may pass once
				same = same || sameSenders(t, server.URL, file)
			}
			if !same {
				t.Error("alignd sources --counts does not say what Senders says")
			}
			if status, _ := fetch(t, server.URL+"/messages?since=yesterday"); status != http.StatusBadRequest {
				t.Errorf("a time that is none: %d", status)
			}
		})
	}
}

// sameSenders reports whether the page and the command that it names tell the same.
func sameSenders(t *testing.T, at, file string) bool {
	t.Helper()
	var page, command map[string]any
	_, text := fetch(t, at+"/senders.json?days=7")
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if exit := run([]string{"sources", "--counts", "--since", "7d", "--json", "--limit", "0", "--config", file}, strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &command); err != nil {
		t.Fatal(err)
	}
	if list, _ := command["pairs"].([]any); len(list) < 20 {
		t.Fatalf("%d pairs: %.300s", len(list), out.String())
	}
	return reflect.DeepEqual(page, command)
}

// cutReport cuts a report that is counted, and gives its id.
func cutReport(t *testing.T, file string, cfg *config.Config) string {
	t.Helper()
	st, err := openState(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s, err := reportSettings(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var drafts []state.Draft
	if err := st.Drafts(t.Context(), time.Now().Add(24*time.Hour), func(d *state.Draft) { drafts = append(drafts, *d) }); err != nil || len(drafts) == 0 {
		t.Fatalf("%d drafts, %v", len(drafts), err)
	}
	if err := send.New(st, s).Cut(t.Context(), &drafts[0]); err != nil {
		t.Fatal(err)
	}
	items, err := st.Items(t.Context())
	if err != nil || len(items) == 0 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	return items[0].ID
}

// failureReportLeaves: the page of a failure report has its mail until it has left.
func failureReportLeaves(t *testing.T, cfg *config.Config, at string) {
	t.Helper()
	st, err := openState(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now().UTC()
	held := state.Failure{Kind: [32]byte{1}, Domain: "told.example", Opened: now, Due: now, Incidents: 1, Data: []byte("{}")}
	if ok, err := st.HoldFailure(t.Context(), &held, 5); !ok || err != nil {
		t.Fatal(ok, err)
	}
	part := state.Part{ID: "failure1", Domain: "told.example", Day: now, Made: now, About: []byte("{}"), Data: []byte(`{"Report":{"Author":"told.example","Domain":"told.example","Fields":[{"Name":"Auth-Failure","Value":"dmarc"},{"Name":"Source-IP","Value":"192.0.2.9"}]},"Incidents":3}`),
		Targets: []state.Target{{Address: "ruf@told.example", Next: now}}}
	held.Opened = held.Opened.Truncate(time.Second)
	if err := st.CutFailure(t.Context(), &held, &part); err != nil {
		t.Fatal(err)
	}
	status, text := fetch(t, at+"/report?id=failure1")
	for _, want := range []string{"message/feedback-report", "ruf@told.example", "Incidents: 3", "192.0.2.9", "waiting"} {
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("a failure report: %d, no %q in %.900s", status, want, text)
		}
	}
	items, err := st.ItemsOf(t.Context(), "failure1")
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	items[0].State = state.Sent
	if err := errors.Join(st.SetItem(t.Context(), state.Waiting, &items[0]), st.ForgetFailures(t.Context(), now)); err != nil {
		t.Fatal(err)
	}
	if status, text := fetch(t, at+"/report?id=failure1"); status != http.StatusOK || !strings.Contains(text, "is forgotten") || strings.Contains(text, "192.0.2.9") {
		t.Errorf("a failure report that has left: %d %.600s", status, text)
	}
}

func fetch(t *testing.T, at string) (int, string) {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestPagesAreOffAndClosed(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		file := filepath.Join(dir, "alignd.yaml")
		if err := os.WriteFile(file, []byte("journal: {store: sqlite, path: "+dir+"}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, row := range []struct{ name, text, want string }{
		{name: "off", text: "", want: "the pages are off"},
		{name: "nobody may look", text: "web: {listen: \"inet:127.0.0.1:0\", users_file: " + dir + "/none}\n", want: "nobody may look"},
		{name: "a socket for everybody", text: "socket_mode: \"0666\"\nweb: {listen: \"unix:" + dir + "/s\", users_file: \"\"}\n", want: "lets everybody of this host in"},
		{name: "everybody could be the proxy", text: "socket_mode: \"0666\"\nweb: {listen: \"unix:" + dir + "/s\", users_file: \"\", proxy: {header: X-Remote-User}}\n", want: "lets everybody of this host in"},
		{name: "no certificate", text: "web: {listen: \"inet:127.0.0.1:0\", tls: {cert_file: " + dir + "/c, key_file: " + dir + "/k}}\n", want: "web.tls"},
	} {
		got := alignd(t, "", "web", "--config", write(row.text))
		if got.status == 0 || !strings.Contains(got.stderr, row.want) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

func TestWebPasswd(t *testing.T) {
	dir := t.TempDir()
	file, users := filepath.Join(dir, "alignd.yaml"), filepath.Join(dir, "users")
	if err := os.WriteFile(file, []byte("web: {users_file: "+users+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := alignd(t, "short\n", "web", "passwd", "--config", file, "ann"); got.status == 0 {
		t.Errorf("a short password: %+v", got)
	}
	if got := alignd(t, "correct horse\n", "web", "passwd", "--config", file, "ann"); got.status != 0 {
		t.Errorf("%+v", got)
	}
	text, err := os.ReadFile(users)
	if err != nil || !strings.HasPrefix(string(text), "ann:$2a$") {
		t.Errorf("%s, %v", text, err)
	}
	if got := alignd(t, "", "web", "passwd", "--config", file, "--remove", "ann"); got.status != 0 {
		t.Errorf("%+v", got)
	}
}
