package access

import (
	"net/http"
	"testing"
)

// Those who read nothing of large answers take bounded memory.
func TestSlowReadersTakeBoundedMemory(t *testing.T) {
	s := serve(t, nil)
	s.control.sending.Add(maxSending)
	if status, _, h := s.Get("/messages"); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("with all room taken: %d", status)
	}
	s.control.sending.Add(-maxSending)
	for _, path := range []string{"/messages", "/messages.csv", "/nothing", "/message?id=none"} {
		s.Get(path)
	}
	if n := s.control.sending.Load(); n != 0 {
		t.Errorf("%d octets are being sent to nobody", n)
	}
}
