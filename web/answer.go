package web

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
)

// show makes a view in a bounded time, a bounded number at once. It is made whole before
// any of it is sent, so that who reads slowly takes no place of others.
func (s *Server) show(v *view, f format) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := personOf(r.Context())
		if v.auditors && !p.auditor() {
			s.fail(w, r, http.StatusForbidden, "This page is for auditors: it shows addresses (web.auditors).")
			return
		}
		free := s.place(f)
		if free == nil {
			w.Header().Set("Retry-After", "2")
			s.fail(w, r, http.StatusServiceUnavailable, "Too many questions at once (web.parallel). Try again in a moment.")
			return
		}
		made := s.whole(r, func(w http.ResponseWriter) {
			defer free()
			s.answer(w, r, v, f, p)
		})
		size := int64(made.body.Cap())
		defer s.sending.Add(-size)
		if s.sending.Add(size) > maxSending {
			w.Header().Set("Retry-After", "10")
			s.fail(w, r, http.StatusServiceUnavailable, "Too many read slowly. Try again in a moment.")
			return
		}
		made.send(w)
	}
}

// place takes a place for the making of a view, and of files, which have fifty times the
// rows, one of the few of these; nil: none is free.
func (s *Server) place(f format) (free func()) {
	take := func(places chan struct{}) bool {
		select {
		case places <- struct{}{}:
			return true
		default:
			return false
		}
	}
	switch {
	case !take(s.slots):
		return nil
	case f == asHTML:
		return func() { <-s.slots }
	case !take(s.files):
		<-s.slots
		return nil
	}
	return func() { <-s.files; <-s.slots }
}

// maxSending is how much of answers waits for those who read them, in octets; ours.
const maxSending = 64 << 20

// whole is the answer of make; where that panics, that it did.
func (s *Server) whole(r *http.Request, make func(http.ResponseWriter)) (w *kept) {
	w = newKept()
	defer func() {
		if p := recover(); p != nil {
			s.opt.Log.Error("a page cannot be made", "page", r.URL.Path, "err", fmt.Sprintf("panic: %v", p), "stack", string(debug.Stack()))
			w = newKept()
			http.Error(w, "This page cannot be made; the log of alignd web says why.", http.StatusInternalServerError)
		}
	}()
	make(w)
	return w
}

// kept is an answer that waits to be sent.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newKept() *kept { return &kept{header: http.Header{}, status: http.StatusOK} }

func (k *kept) Header() http.Header            { return k.header }
func (k *kept) WriteHeader(status int)         { k.status = status }
func (k *kept) Write(text []byte) (int, error) { return k.body.Write(text) }

func (k *kept) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes())
}
