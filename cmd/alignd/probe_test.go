package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/filter/milter"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

// stub is a filter that answers as it is told.
type stub struct {
	answer func(context.Context) milter.Response
}

func (s *stub) Connect(milter.Connect)                           {}
func (s *stub) Helo(string)                                      {}
func (s *stub) Mail(milter.Mail)                                 {}
func (s *stub) Rcpt(milter.Rcpt)                                 {}
func (s *stub) Header(name, _ []byte)                            {}
func (s *stub) EndOfHeader()                                     {}
func (s *stub) Body([]byte)                                      {}
func (s *stub) Abort()                                           {}
func (s *stub) Close()                                           {}
func (s *stub) Done(milter.Outcome) func(bool)                   { return nil }
func (s *stub) EndOfMessage(ctx context.Context) milter.Response { return s.answer(ctx) }

// answering starts such a filter and returns its place.
func answering(t *testing.T, answer func(context.Context) milter.Response) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := milter.New(milter.Options{
		Handler: func(*milter.Conn) milter.Session { return &stub{answer: answer} },
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return "inet:" + l.Addr().String()
}

func respondWith(r milter.Response) func(context.Context) milter.Response {
	return func(context.Context) milter.Response { return r }
}

func TestProbeJudgesWhatCameBack(t *testing.T) {
	results := func(text string) milter.Response {
		return milter.Response{Reply: milter.Accept, Edits: []milter.Edit{milter.InsertHeader(0, "Authentication-Results", text)}}
	}
	for _, c := range []struct {
		name   string
		answer func(context.Context) milter.Response
		args   []string
		status int
		want   string
	}{
		{name: "judged", answer: respondWith(results("mx.here.test; spf=none; dmarc=none header.from=x.invalid")), want: "ALIGND OK - judged: dmarc=none"},
		{name: "judged, and held", answer: respondWith(milter.Response{Reply: milter.Accept, Edits: []milter.Edit{
			milter.InsertHeader(0, "authentication-results", "mx.here.test; dmarc=none"), milter.Quarantine("so")}}), want: "into the hold queue"},
		{name: "DNS is dead", answer: respondWith(results("mx.here.test; spf=temperror; dmarc=temperror header.from=x.invalid")), status: 1, want: "ALIGND WARNING - judged, but DNS does not answer"},
		{name: "DNS is dead, and the policy was cached", answer: respondWith(results("mx.here.test; spf=temperror; dmarc=none")), status: 1, want: "DNS does not answer"},
		{name: "not judged", answer: respondWith(milter.Response{Reply: milter.Accept}), status: 1, want: "accepted without Authentication-Results"},
		{name: "another filter", answer: respondWith(results("mx.here.test; dkim=none")), status: 1, want: "say nothing of DMARC"},
		{name: "put off", answer: respondWith(milter.Response{Reply: milter.Text(451, "4.3.0", "Temporary | internal failure")}), status: 2, want: "ALIGND CRITICAL - mail is put off: 451 4.3.0 Temporary / internal failure"},
		{name: "refused", answer: respondWith(milter.Response{Reply: milter.Text(550, "5.7.26", "no 50% off")}), status: 1, want: "the message is refused: 550 5.7.26 no 50% off"},
		{name: "refused, as wanted", answer: respondWith(milter.Response{Reply: milter.Text(550, "5.7.26", "no")}), args: []string{"--refused-ok"}, want: "ALIGND OK - refused, as wanted"},
		{name: "slow", answer: slowly(30*time.Millisecond, results("mx; dmarc=none")), args: []string{"--warning", "10ms"}, status: 1, want: "ALIGND WARNING - slow, judged"},
		{name: "too slow", answer: slowly(30*time.Millisecond, results("mx; dmarc=none")), args: []string{"--warning", "1ms", "--critical", "10ms"}, status: 2, want: "ALIGND CRITICAL - slow, judged"},
		{name: "no answer", answer: slowly(time.Minute, results("mx; dmarc=none")), args: []string{"--timeout", "100ms"}, status: 2, want: "ALIGND CRITICAL - no answer within 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := alignd(t, "", append([]string{"probe", answering(t, c.answer)}, c.args...)...)
			if got.status != c.status || !strings.Contains(got.stdout, c.want) {
				t.Errorf("%+v", got)
			}
			if first, _, _ := strings.Cut(got.stdout, "\n"); !statusLine.MatchString(first) {
				t.Errorf("the first line is %q", first)
			}
		})
	}
}

// Whoever follows docs/postfix.md has a unix socket in alignd.socket and no option listen.
func TestProbeFindsTheSocketsOfSystemd(t *testing.T) {
	unit := []string{"unix:/var/spool/postfix/alignd/alignd.sock"}
	written := write(t, "probe.yaml", "mode: monitor\n")
	for _, c := range []struct {
		name       string
		config     string
		args       []string
		held, want []string
	}{
		{name: "nothing is written", held: unit, want: unit},
		{name: "systemd holds none", want: []string{"inet:127.0.0.1:8890"}},
		{name: "a place is named", args: []string{"unix:/run/s"}, held: unit, want: []string{"unix:/run/s"}},
		{name: "another configuration is that of another filter", config: written, held: unit, want: []string{"inet:127.0.0.1:8890"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := probeFlags{config: c.config, client: "192.0.2.1", timeout: time.Second}
			got, _, err := f.targets(c.args, func() []string { return c.held })
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func slowly(d time.Duration, r milter.Response) func(context.Context) milter.Response {
	return func(ctx context.Context) milter.Response {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return r
	}
}

// statusLine is what monitoring plug-ins print first: words, a bar, performance data.
var statusLine = regexp.MustCompile(`^ALIGND (OK|WARNING|CRITICAL) - [^|]+ \| ('[^'|]+'|time)=[0-9.]+s;[0-9.]+;[0-9.]+;0;[0-9.]+( '[^'|]+'=[0-9.;s]+)*$`)

// TestProbeOfARunningFilter: the whole daemon, over both kinds of socket, found by its
// configuration, with DNS that knows none of the names of a probe.
func TestProbeOfARunningFilter(t *testing.T) {
	zone, err := resolver.ParseZone(strings.NewReader("example.com. 60 IN A 192.0.2.1\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	names, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	s := startServe(t, "dns: {servers: ['"+names.Addr()+"'], timeout: 100ms, attempts: 1}\nunauthenticated: accept\n")
	place := "unix:" + s.mta.Address
	cfg := write(t, "probe.yaml", "listen: ["+place+"]\n")
	got := alignd(t, "", "probe", "--config", cfg)
	if got.status != 0 || !strings.Contains(got.stdout, "dmarc=none header.from=alignd-probe.invalid") {
		t.Errorf("%+v", got)
	}
	// Two places, one of which nobody is at: the worse counts.
	cfg = write(t, "probe.yaml", "listen: ["+place+", 'unix:"+filepath.Join(t.TempDir(), "none")+"']\n")
	got = alignd(t, "", "probe", "--json", "--config", cfg)
	var all struct {
		State  string
		Status int
		Places []probed
	}
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if got.status != 2 || all.Status != 2 || all.State != "CRITICAL" || len(all.Places) != 2 || all.Places[0].State != "OK" || all.Places[0].Code != 250 || all.Places[1].Code != 0 {
		t.Errorf("%+v", all)
	}
	// Each probe asks DNS for a name that was never asked for, so that a cache does not
	// answer in place of a dead server.
	names.Close()
	got = alignd(t, "", "probe", place)
	if got.status != 1 || !strings.Contains(got.stdout, "DNS does not answer") {
		t.Errorf("%+v", got)
	}
	s.terminate(t)
	log := s.stderr.String()
	if n := strings.Count(log, "queue_id=probe-"); n != 3 || strings.Count(log, "author_domain=alignd-probe.invalid") != 3 {
		t.Errorf("%d probes in the log:\n%s", n, log)
	}
}

func TestProbeThatCannotLookIsUnknown(t *testing.T) {
	faulty := write(t, "faulty.yaml", "mode: enforcing\n")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{name: "a relative socket", args: []string{"unix:alignd/alignd.sock"}, want: "from the root"},
		{name: "no place", args: []string{"somewhere"}, want: "is no place"},
		{name: "a port that is none", args: []string{"inet:127.0.0.1:99999"}, want: "is no place"},
		{name: "a faulty configuration", args: []string{"--config", faulty}, want: "enforcing"},
		{name: "no file", args: []string{"--config", faulty + ".not"}, want: "faulty.yaml.not"},
		{name: "a name that no terminal shows", args: []string{"--config", faulty + "\U000e0001"}, want: "\U000e0001"},
		{name: "limits upside down", args: []string{"--warning", "30s"}, want: "above --critical"},
		{name: "no time", args: []string{"--timeout", "0s"}, want: "no time"},
		{name: "no address", args: []string{"--client", "localhost"}, want: "no IP address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := alignd(t, "", append([]string{"probe"}, c.args...)...)
			if got.status != exitUnknown || !strings.HasPrefix(got.stdout, "ALIGND UNKNOWN - ") || !strings.Contains(got.stdout, c.want) {
				t.Errorf("%+v", got)
			}
			var object struct {
				State, Message string
				Status         int
				Places         []any
			}
			got = alignd(t, "", append([]string{"probe", "--json"}, c.args...)...)
			if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || object.State != "UNKNOWN" || object.Status != exitUnknown ||
				!strings.Contains(object.Message, c.want) || object.Places == nil {
				t.Errorf("%v: %+v", err, got)
			}
		})
	}
	for _, args := range [][]string{{"probe", "--nonsense"}, {"probe", "a", "b"}} {
		if got := alignd(t, "", args...); got.status != exitUnknown {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestProbeOfNobodyAndOfSomethingElse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // an SMTP server, as when the ports are mixed up
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 mx.here.test ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	for _, place := range []string{"inet:" + l.Addr().String(), "unix:" + filepath.Join(os.TempDir(), "alignd-nobody.sock")} {
		got := alignd(t, "", "probe", "--timeout", "300ms", place)
		if got.status != 2 || !strings.HasPrefix(got.stdout, "ALIGND CRITICAL - ") {
			t.Errorf("%s: %+v", place, got)
		}
	}
}

func TestPlacesThatAreDialled(t *testing.T) {
	for place, want := range map[string]string{
		"unix:/run/a.sock": "unix /run/a.sock", "local:/a": "unix /a", "/run/a.sock": "unix /run/a.sock",
		"inet:127.0.0.1:8890": "tcp 127.0.0.1:8890", "inet:8890@127.0.0.1": "tcp 127.0.0.1:8890", "127.0.0.1:8890": "tcp 127.0.0.1:8890",
		"inet::8890": "tcp 127.0.0.1:8890", "inet:0.0.0.0:8890": "tcp 127.0.0.1:8890", "inet:*:8890": "tcp 127.0.0.1:8890",
		"inet6:[::]:8890": "tcp [::1]:8890", "inet:[2001:db8::1]:8890": "tcp [2001:db8::1]:8890",
	} {
		network, address, err := dialAddress(place)
		if got := network + " " + address; err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", place, got, err, want)
		}
	}
}
