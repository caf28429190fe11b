package access

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
)

// Needs are what an answer takes.
type Needs struct {
	// Auditor: nobody else gets it.
	Auditor bool
	// Large: it has fifty times the rows of others, so fewer of these are made at once.
	Large bool
}

// Admit has a handler answer those who may look, a bounded number at once. An answer is made
// whole before any of it is sent, so that who reads slowly takes no place of others.
func (c *Control) Admit(needs Needs, make http.HandlerFunc) http.HandlerFunc {
	return c.known(func(w http.ResponseWriter, r *http.Request) {
		if p, _ := PersonOf(r.Context()); needs.Auditor && !p.Auditor() {
			c.pages.Fail(w, r, http.StatusForbidden, "This page is for auditors: it shows addresses (web.auditors).")
			return
		}
		free := c.place(needs.Large)
		if free == nil {
			w.Header().Set("Retry-After", "2")
			c.pages.Fail(w, r, http.StatusServiceUnavailable, "Too many questions at once (web.parallel). Try again in a moment.")
			return
		}
		made := c.whole(r, func(w http.ResponseWriter) {
			defer free()
			make(w, r)
		})
		size := int64(made.body.Cap())
		defer c.sending.Add(-size)
		if c.sending.Add(size) > maxSending {
			w.Header().Set("Retry-After", "10")
			c.pages.Fail(w, r, http.StatusServiceUnavailable, "Too many read slowly. Try again in a moment.")
			return
		}
		made.send(w)
	})
}

// place takes a place for the making of an answer, and of a large one also one of the few
// of these; nil: none is free.
func (c *Control) place(large bool) (free func()) {
	take := func(places chan struct{}) bool {
		select {
		case places <- struct{}{}:
			return true
		default:
			return false
		}
	}
	switch {
	case !take(c.slots):
		return nil
	case !large:
		return func() { <-c.slots }
	case !take(c.large):
		<-c.slots
		return nil
	}
	return func() { <-c.large; <-c.slots }
}

// maxSending is how much of answers waits for those who read them, in octets; ours.
const maxSending = 64 << 20

// whole is the answer of make; where that panics, that it did.
func (c *Control) whole(r *http.Request, make func(http.ResponseWriter)) (w *buffered) {
	w = newBuffered()
	defer func() {
		if p := recover(); p != nil {
			c.pages.Log.Error("a page cannot be made", "page", r.URL.Path, "err", fmt.Sprintf("panic: %v", p), "stack", string(debug.Stack()))
			w = newBuffered()
			http.Error(w, "This page cannot be made; the log of alignd web says why.", http.StatusInternalServerError)
		}
	}()
	make(w)
	return w
}

// buffered is an answer that waits to be sent.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newBuffered() *buffered { return &buffered{header: http.Header{}, status: http.StatusOK} }

func (b *buffered) Header() http.Header            { return b.header }
func (b *buffered) WriteHeader(status int)         { b.status = status }
func (b *buffered) Write(text []byte) (int, error) { return b.body.Write(text) }

func (b *buffered) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), b.header)
	w.WriteHeader(b.status)
	_, _ = w.Write(b.body.Bytes())
}
