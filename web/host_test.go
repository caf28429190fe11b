package web

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// ask sends a request as it stands, and returns the status; 0 for no answer.
func (s *site) ask(request string) int {
	s.t.Helper()
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// However a request says which name it is for, only ours is answered.
func TestOtherNamesAreRefused(t *testing.T) {
	s := serve(t, plant(t), func(o *Options) { o.Hosts = []string{"localhost", "127.0.0.1", "::1", "mx.example.net"} })
	for _, row := range []struct {
		name, request string
		want          int
	}{
		{name: "another name", request: "GET /messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 421},
		{name: "another name and port", request: "GET /messages HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", want: 421},
		{name: "ours", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 200},
		{name: "ours in capitals with a dot and a port", request: "GET /messages HTTP/1.1\r\nHost: MX.example.net.:8443\r\n\r\n", want: 200},
		{name: "ours with two dots", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net..\r\n\r\n", want: 421},
		{name: "below another name", request: "GET /messages HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", want: 421},
		{name: "loopback of IPv6", request: "GET /messages HTTP/1.1\r\nHost: [::1]\r\n\r\n", want: 200},
		{name: "loopback of IPv6 and a port", request: "GET /messages HTTP/1.1\r\nHost: [::1]:8895\r\n\r\n", want: 200},
		{name: "another address of IPv6", request: "GET /messages HTTP/1.1\r\nHost: [2001:db8::1]:8895\r\n\r\n", want: 421},
		{name: "a literal of a name", request: "GET /messages HTTP/1.1\r\nHost: [evil.example]\r\n\r\n", want: 421},
		{name: "no port after the colon", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:\r\n\r\n", want: 421},
		{name: "a port that is none", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:80x\r\n\r\n", want: 421},
		{name: "a port above all", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:99999\r\n\r\n", want: 421},
		{name: "two ports", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net:1:2\r\n\r\n", want: 421},
		{name: "somebody at ours", request: "GET /messages HTTP/1.1\r\nHost: evil.example@mx.example.net\r\n\r\n", want: 400},
		{name: "an empty one", request: "GET /messages HTTP/1.1\r\nHost:\r\n\r\n", want: 421},
		{name: "none", request: "GET /messages HTTP/1.1\r\n\r\n", want: 400},
		{name: "none, in HTTP/1.0", request: "GET /messages HTTP/1.0\r\n\r\n", want: 421},
		{name: "ours in HTTP/1.0", request: "GET /messages HTTP/1.0\r\nHost: localhost\r\n\r\n", want: 200},
		{name: "two", request: "GET /messages HTTP/1.1\r\nHost: mx.example.net\r\nHost: evil.example\r\n\r\n", want: 400},
		{name: "another in the URL", request: "GET http://evil.example/messages HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 421},
		{name: "ours in the URL, which counts", request: "GET http://mx.example.net/messages HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 200},
		{name: "a tunnel", request: "CONNECT evil.example:443 HTTP/1.1\r\nHost: mx.example.net\r\n\r\n", want: 421},
		{name: "what a proxy was asked for is not looked at", request: "GET /messages HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: mx.example.net\r\n\r\n", want: 421},
		{name: "a form", request: "POST /login HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n", want: 421},
		{name: "the style sheet", request: "GET /static/style.css HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: 421},
	} {
		if got := s.ask(row.request); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// Nothing but the one field of a listed proxy says who asks.
func TestWhoCannotPoseAsTheProxy(t *testing.T) {
	s := serve(t, plant(t, usual(3)...), func(o *Options) {
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
