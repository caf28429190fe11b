package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{pool: x509.NewCertPool()}
	made := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t *testing.T, c *x509.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil { // itself
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) person(t *testing.T, name string, usage x509.ExtKeyUsage, ends time.Time) *tls.Certificate {
	return a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends})
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// servedByTLS runs alignd web with files of TLS until end is called, which tells its error.
func servedByTLS(t *testing.T, ours *authority) (at string, end func() error) {
	t.Helper()
	file, _ := shownIn(t, "sqlite")
	dir := filepath.Dir(file)
	server := ours.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, dir+"/cert.pem", "CERTIFICATE", server.Certificate[0])
	writePEM(t, dir+"/key.pem", "PRIVATE KEY", key)
	writePEM(t, dir+"/ca.pem", "CERTIFICATE", ours.cert.Raw)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "role: auditor}", fmt.Sprintf("role: viewer, auditors: [ann], tls: {cert_file: %[1]s/cert.pem, key_file: %[1]s/key.pem, client_ca_file: %[1]s/ca.pem}}", dir), 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	out, told := io.Pipe()
	ended := make(chan error, 1)
	c := webCommand()
	c.SetArgs([]string{"--config", file, "--listen", "inet:127.0.0.1:0"})
	c.SetOut(told)
	c.SetErr(io.Discard)
	go func() {
		err := c.ExecuteContext(ctx)
		told.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(<-ended)
	}
	return strings.TrimSuffix(strings.TrimSpace(line), "/"), func() error { cancel(); return <-ended }
}

// By files of TLS who asks is said by a certificate of that CA and nothing else; the
// process ends when it is told to, with browsers connected.
func TestPagesByTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "ours")
	at, end := servedByTLS(t, ours)
	if !strings.HasPrefix(at, "https://127.0.0.1:") {
		t.Fatalf("served at %s", at)
	}
	later := time.Now().Add(time.Hour)
	for _, row := range []struct {
		name    string
		person  *tls.Certificate
		highest uint16
		want    int // 0: no answer
		text    string
	}{
		{name: "an auditor", person: ours.person(t, "ann", x509.ExtKeyUsageClientAuth, later), want: http.StatusOK, text: "ann, auditor"},
		{name: "a viewer", person: ours.person(t, "vic", x509.ExtKeyUsageClientAuth, later), want: http.StatusOK, text: "vic, viewer"},
		{name: "nobody", want: http.StatusUnauthorized},
		{name: "a certificate without a name", person: ours.person(t, "", x509.ExtKeyUsageClientAuth, later), want: http.StatusUnauthorized},
		{name: "one of another CA of the same name", person: others.person(t, "ann", x509.ExtKeyUsageClientAuth, later)},
		{name: "one that has ended", person: ours.person(t, "ann", x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Hour))},
		{name: "one for servers", person: ours.person(t, "ann", x509.ExtKeyUsageServerAuth, later)},
		{name: "an old version of TLS", person: ours.person(t, "ann", x509.ExtKeyUsageClientAuth, later), highest: tls.VersionTLS11},
	} {
		c := &tls.Config{RootCAs: ours.pool, MinVersion: tls.VersionTLS10, MaxVersion: row.highest}
		if row.person != nil { // whatever CAs the server names
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return row.person, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: 10 * time.Second}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Remote-User", "ann")
		status, text, header := 0, "", http.Header{}
		if resp, err := client.Do(r); err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			status, text, header = resp.StatusCode, string(body), resp.Header
		}
		if status != row.want || !strings.Contains(text, row.text) {
			t.Errorf("%s: %d, want %d with %q", row.name, status, row.want, row.text)
		}
		for _, cookie := range header.Values("Set-Cookie") {
			if !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "HttpOnly") {
				t.Errorf("%s: cookie %s", row.name, cookie)
			}
		}
	}
	if resp, err := http.Get("http" + strings.TrimPrefix(at, "https") + "/messages"); err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("pages in the clear")
		}
	}
	begun := time.Now()
	if err := end(); err != nil || time.Since(begun) > 8*time.Second {
		t.Errorf("it ends with %v after %s", err, time.Since(begun))
	}
}
