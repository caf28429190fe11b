package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"alignd/e2e/cases"
	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

var update = flag.Bool("update", false, "write the want.headers files that do not match")

// casesDirs hold cases; those of the second are the recipes of docs/policy.md.
var casesDirs = []string{"../testdata/cases", "../testdata/recipes"}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stopPostfix(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	for _, dir := range []string{buildDir, faultyDir} {
		if dir != "" {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

var (
	buildOnce sync.Once
	buildDir  string
	built     string
	buildErr  error
)

// binary is the alignd under test: the one that ALIGND_BINARY names, else one
// that is built once.
func binary(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		if buildDir, buildErr = os.MkdirTemp("", "alignd-e2e-"); buildErr == nil {
			built, buildErr = daemon.Build(buildDir)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return built
}

// raceBinary is an alignd under the race detector where make test made one.
func raceBinary(t *testing.T) string {
	if named := os.Getenv("ALIGND_RACE_BINARY"); named != "" {
		return named
	}
	return binary(t)
}

func loadCases(t *testing.T) []*cases.Case {
	t.Helper()
	var all []*cases.Case
	for _, dir := range casesDirs {
		some, err := cases.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

// serveZone answers DNS from a zone file for the length of the test.
func serveZone(t *testing.T, file string) *dnsserver.Server {
	t.Helper()
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	return serveRecords(t, text, file)
}

func serveText(t *testing.T, zone string) *dnsserver.Server {
	t.Helper()
	return serveRecords(t, strings.NewReader(zone), "zone")
}

func serveRecords(t *testing.T, records io.Reader, file string) *dnsserver.Server {
	t.Helper()
	zone, err := resolver.ParseZone(records, file)
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// The smtpd lines of the one Postfix, by the MTA parameter that a case asks
// for, and where alignd listens for each.
var (
	mtaOnce  sync.Once
	postfix  *mta.Postfix
	mtaErr   error
	listenAt = map[string]string{} // MTA parameter -> address of alignd
)

var mtaParameters = []string{"", "milter_protocol=2", "milter_protocol=3", "milter_protocol=4", "milter_default_action=accept"}

// realMTA is the Postfix of this test binary. Where ALIGND_E2E is not set it
// skips the test and says so.
func realMTA(t *testing.T) *mta.Postfix {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the real Postfix (make test runs it; it sets ALIGND_E2E=1)")
	}
	mtaOnce.Do(func() { postfix, mtaErr = startPostfix() })
	if mtaErr != nil {
		t.Fatal(mtaErr)
	}
	return postfix
}

func startPostfix() (*mta.Postfix, error) {
	var lines []mta.Line
	for _, parameter := range mtaParameters {
		addr, err := port.Free()
		if err != nil {
			return nil, err
		}
		listenAt[parameter] = addr
		l := mta.Line{Name: parameter, Milter: "inet:" + addr}
		if parameter != "" {
			l.Options = []string{parameter}
		}
		lines = append(lines, l)
	}
	lines = append(lines, mta.Line{Name: "unix", Milter: "unix:" + mta.SocketName})
	return mta.Start(lines)
}

func stopPostfix() error {
	if postfix == nil {
		return nil
	}
	return postfix.Stop()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, readFile(t, from), 0o644); err != nil {
		t.Fatal(err)
	}
}

// waitDelivery waits for a message at the sink, but not for ever.
func waitDelivery(t *testing.T, sink *mta.Sink, queueID string) (*mta.Delivery, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return sink.Wait(ctx, queueID)
}
