package web

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alignd/web/access"
)

// stuck is a browser that reads nothing of what it is sent.
type stuck struct {
	http.ResponseWriter
	writing, read chan struct{}
}

func (s stuck) Write(text []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.read
	return len(text), nil
}

// Who reads slowly takes no place of others, whatever he asked for.
func TestASlowReaderHoldsUpNobody(t *testing.T) {
	s, err := New(Options{Backend: plant(t, usual(3)...), Access: access.Options{Open: true, Socket: true, Role: access.Viewer, Hosts: []string{"localhost"}, Parallel: 1}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, path := range []string{"/messages", "/messages.csv", "/messages.json", "/messages?mail-from=a%40b.example", "/message?id=none", "/sender"} {
		slow := stuck{httptest.NewRecorder(), make(chan struct{}, 1000), make(chan struct{})}
		ended := make(chan struct{})
		go func() {
			s.Handler().ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
			close(ended)
		}()
		<-slow.writing
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/messages", nil))
		if w.Code != http.StatusOK {
			t.Errorf("while %s is sent: %d", path, w.Code)
		}
		close(slow.read)
		<-ended
	}
}

// broken is a backend with a fault.
type broken struct{ *backend }

func (broken) JournalStatus(context.Context) (json.RawMessage, error) { panic("secretlocal@a.example") }

// A panic is a page that fails, with a line in the log, and takes no place for good.
func TestAPanicIsAPageThatFails(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, broken{plant(t, usual(3)...)}, func(o *Options) { o.Access.Parallel, o.Log = 1, slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 {
		status, text, h := s.Get("/health")
		if status != http.StatusInternalServerError || strings.Contains(text, "secretlocal") || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%d %.300s", status, text)
		}
	}
	if !strings.Contains(log.String(), "panic") {
		t.Errorf("the log: %s", log.String())
	}
	if status, _, _ := s.Get("/messages"); status != http.StatusOK {
		t.Errorf("another page: %d", status)
	}
}
