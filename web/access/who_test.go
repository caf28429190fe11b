package access

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAProxySaysWhoAsks(t *testing.T) {
	for _, row := range []struct {
		name, network, header, second string
		want                          int
		role                          string
	}{
		{name: "a listed proxy", network: "127.0.0.0/8", header: "vic", want: 200, role: "vic, viewer"},
		{name: "an auditor", network: "127.0.0.0/8", header: "ann", want: 200, role: "ann, auditor"},
		{name: "a proxy that says nothing", network: "127.0.0.0/8", want: 401},
		{name: "somebody else", network: "192.0.2.0/24", header: "ann", want: 401},
		{name: "a proxy that leaves in what it was sent", network: "127.0.0.0/8", header: "ann", second: "vic", want: 401},
		{name: "the same name twice", network: "127.0.0.0/8", header: "ann", second: "ann", want: 401},
	} {
		s := serve(t, func(o *setup) {
			o.Open, o.Socket, o.Auditors = false, false, []string{"ann"}
			o.Proxy = Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix(row.network)}}
		})
		r, _ := http.NewRequest(http.MethodGet, s.Server.URL+"/messages", nil)
		if row.header != "" {
			r.Header.Set("X-Remote-User", row.header)
		}
		if row.second != "" {
			r.Header.Add("x-remote-user", row.second)
		}
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		resp, err := s.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, text, _ := s.Read(resp); status != row.want || !strings.Contains(text, row.role) {
			t.Errorf("%s: %d, want %d", row.name, status, row.want)
		}
	}
}

// Nothing but the one field of a listed proxy says who asks.
func TestWhoCannotPoseAsTheProxy(t *testing.T) {
	s := serve(t, func(o *setup) {
		o.Open, o.Socket, o.Auditors = false, false, []string{"ann"}
		o.Proxy = Proxy{Header: "X-Remote-User", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	for _, row := range []struct {
		name, fields string
		want         int
	}{
		{name: "the field", fields: "X-Remote-User: ann", want: 200},
		{name: "in other capitals", fields: "x-remote-USER: ann", want: 200},
		{name: "with an underscore", fields: "X_Remote_User: ann", want: 401},
		{name: "with an underscore, beside the field", fields: "X_Remote-User: ann\r\nX-Remote-User: vic", want: 200},
		{name: "a space before the colon", fields: "X-Remote-User : ann", want: 400},
		{name: "folded", fields: "X-Remote-User:\r\n ann", want: 200},
		{name: "twice", fields: "X-Remote-User: ann\r\nX-Remote-User: vic", want: 401},
		{name: "twice, in other capitals", fields: "X-Remote-User: ann\r\nx-remote-user: ann", want: 401},
		{name: "empty", fields: "X-Remote-User:", want: 401},
		{name: "two names in one field, who is neither", fields: "X-Remote-User: vic, ann", want: 200},
		{name: "spaces", fields: "X-Remote-User:    ", want: 401},
		{name: "a long one", fields: "X-Remote-User: " + strings.Repeat("x", maxName+1), want: 401},
		{name: "no text", fields: "X-Remote-User: ann\xff", want: 401},
		{name: "a control", fields: "X-Remote-User: ann\x01", want: 400},
		{name: "another one's", fields: "X-Real-IP: 127.0.0.1\r\nX-Forwarded-User: ann\r\nRemote-User: ann", want: 401},
		{name: "after the body", fields: "Transfer-Encoding: chunked\r\nTrailer: X-Remote-User\r\n\r\n0\r\nX-Remote-User: ann", want: 401},
	} {
		if got := s.ask("GET /messages HTTP/1.1\r\nHost: 127.0.0.1\r\n" + row.fields + "\r\n\r\n"); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// A client certificate of the CA that is trusted says who asks; without one nobody does.
func TestCertificatesSayWhoAsks(t *testing.T) {
	for _, row := range []struct {
		name, common string
		ended        bool
		verified     bool
		want         int
		role         string
	}{
		{name: "a certificate", common: "vic", verified: true, want: 200, role: "vic, viewer"},
		{name: "an auditor's", common: "ann", verified: true, want: 200, role: "ann, auditor"},
		{name: "one with a name that pages must not show as it is", common: "vic\u202erotidua", verified: true, want: 200, role: "vic\u202erotidua, viewer"},
		{name: "one without a name", verified: true, want: 401},
		{name: "one that was not verified", common: "ann", want: 401},
		{name: "one that ended while it was connected", common: "ann", ended: true, verified: true, want: 401},
	} {
		s := serve(t, func(o *setup) { o.Open, o.Socket, o.Certificates, o.Auditors = false, false, true, []string{"ann"} })
		r := httptest.NewRequest(http.MethodGet, "https://127.0.0.1/messages", nil)
		cert := &x509.Certificate{Subject: pkix.Name{CommonName: row.common}}
		if row.ended {
			cert.NotAfter = time.Now().Add(-time.Minute)
		}
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		if row.verified {
			r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != row.want || !strings.Contains(w.Body.String(), row.role) {
			t.Errorf("%s: %d, want %d", row.name, w.Code, row.want)
		}
	}
}

// Who is an auditor no more is none at the next page.
func TestRolesAreThoseOfNow(t *testing.T) {
	auditors := []string{"ann"}
	s := serve(t, func(o *setup) {
		withUsers(users(t, "ann:correct horse"))(o)
		o.Roles = func() (Role, []string) { return Viewer, auditors }
	})
	s.login("ann", "correct horse")
	if _, text, _ := s.Get("/messages"); !strings.Contains(text, "ann, auditor") {
		t.Error("no auditor")
	}
	auditors = nil
	if _, text, _ := s.Get("/messages"); !strings.Contains(text, "ann, viewer") {
		t.Error("no viewer afterwards")
	}
}
