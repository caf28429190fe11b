package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"alignd/web"
)

// Whatever is asked for, the flags of the real questions and a real journal answer soon,
// without a fault of ours.
func FuzzPages(f *testing.F) {
	paths := []string{"/messages", "/messages.csv", "/messages.json", "/today", "/message", "/message/again", "/senders", "/sender", "/rules", "/rule", "/reports", "/report", "/whatif", "/job", "/jobs"}
	for i, q := range []string{"", "since=99999999999999d", "since=106751d&until=0s", "since=0001-01-01&until=9999-12-31", "until=9999-12-31T23:59:59+23:59", "since=-1d", "since=1e9d",
		"client=0.0.0.0%2F0", "client=%3A%3A%2F0", "client=1.2.3.4%2F99", "client=fe80%3A%3A1%25eth0", "skip=9999999", "days=90", "id=%00", "domain=%C3%A4..", "mail-from=%40", "list=exceptions&id=vendor", "n=9223372036854775807",
		"dmarc=fail&spf=none&dkim=pass&arc=none&delivery=refuse&would=hold", "rule=%27%29%3B--"} {
		f.Add(uint8(0), q)
		f.Add(uint8(i), q)
	}
	file, cfg := shownIn(f, "sqlite")
	opt, err := webOptions(file, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	opt.Timeout = 10 * time.Second
	s, err := web.New(opt)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	h := s.Handler()
	f.Fuzz(func(t *testing.T, which uint8, q string) {
		if len(q) > 8<<10 {
			return
		}
		if _, err := url.ParseRequestURI("/x?" + q); err != nil {
			q = url.PathEscape(q)
		}
		path := paths[int(which)%len(paths)]
		r, err := http.NewRequest(http.MethodGet, path+"?"+q, nil)
		if err != nil {
			return
		}
		r.Host = "localhost"
		w := httptest.NewRecorder()
		stuck := time.AfterFunc(15*time.Second, func() {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
			panic(path + "?" + q + " takes too long")
		})
		h.ServeHTTP(w, r)
		stuck.Stop()
		if w.Code >= 500 || strings.Contains(w.Body.String(), "never shown") {
			t.Errorf("%s?%s: %d %.500s", path, q, w.Code, w.Body.String())
		}
	})
}
