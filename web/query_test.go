package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"alignd/web/access"
)

// queries are seeds: each parameter with what it does not expect.
var queries = []string{
	"", "id=x", "since=7d&until=1h&domain=a.example", "since=99999999999999d", "since=0001-01-01&until=9999-12-31", "until=9999-12-31T23:59:59Z", "since=-1d", "days=-5", "days=99999999999999999999",
	"skip=-1", "skip=99999999999999999999", "id=%00", "id=%ff%fe", "client=1.2.3.4%2F99", "client=0.0.0.0%2F0", "client=%3A%3A%2F0", "client=fe80%3A%3A1%25eth0", "%zz", "a;b", "id=&id=2", "n=-1", "n=9223372036854775807",
	"span=90d&span=", "state=x&kind=y", "entry=exceptions%3A%0A", "against=x&job=y", "name=_dmarc.", "name=s._domainkey.", "mail-from=a%40b%40c", "mail-from=%40", "show=unused", "by=x&list=exceptions&id=vendor",
	"since=9%E8%03%00%00d&rule=%E2%80%AE&queue-id=%FF", "entry=exceptions%3A%0A++-+%E2%80%AE%00%FF%0A",
}

// answered is the status and the text of an answer that has to come soon: what hangs tells
// where.
func answered(t testing.TB, h http.Handler, at string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		return 0, ""
	}
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
	w := httptest.NewRecorder()
	stuck := time.AfterFunc(15*time.Second, func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(at + " takes too long")
	})
	defer stuck.Stop()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Whatever a view is asked for, in each format, the answer comes soon, is no fault of
// ours, and is a page, CSV or JSON that does nothing.
func FuzzQuery(f *testing.F) {
	all := (&Server{}).pages()
	for i := range all { // each view with what others expect
		for j := i % 5; j < len(queries); j += 5 {
			f.Add(uint8(i), queries[j])
		}
	}
	var server [2]*Server
	for i, role := range []access.Role{access.Viewer, access.Auditor} {
		s, err := New(Options{Backend: plant(f, usual(20)...), Access: access.Options{Open: true, Socket: true, Role: role, Hosts: []string{"localhost"}, Parallel: 4}, Timeout: 10 * time.Second})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(s.Close)
		server[i] = s
	}
	f.Fuzz(func(t *testing.T, which uint8, q string) {
		if len(q) > 8<<10 { // of a request no more is read
			return
		}
		if _, err := url.ParseRequestURI("/x?" + q); err != nil {
			q = url.PathEscape(q)
			q = strings.NewReplacer("%26", "&", "%3D", "=", "%25", "%", "%2B", "+").Replace(q)
		}
		v, h := all[int(which)%len(all)], server[len(q)%2].Handler()
		for _, format := range []format{asHTML, asCSV, asJSON} {
			at := v.path + string(format) + "?" + q
			status, text := answered(t, h, at)
			if status >= 500 {
				t.Errorf("%s: %d %.200s", at, status, text)
			}
			checkFormat(t, at, format, status, text)
		}
	})
}

func checkFormat(t *testing.T, at string, f format, status int, text string) {
	t.Helper()
	switch {
	case f == asJSON && status != http.StatusSeeOther && !json.Valid([]byte(text)):
		t.Errorf("%s: %d, no JSON: %.200s", at, status, text)
	case f == asCSV && status == http.StatusOK:
		if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	case f == asHTML:
		for _, fault := range harmless(text) {
			t.Errorf("%s: %s", at, fault)
		}
	}
}
