package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
)

// Files of TLS are read again when they change; while they do not fit, as when one of two
// is written, what they were before holds.
func TestFilesOfTLSAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ours := newAuthority(t, "ours")
	write := func(name string, c *tls.Certificate, key bool) {
		if !key {
			writePEM(t, at(name), "CERTIFICATE", c.Certificate[0])
			return
		}
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		writePEM(t, at(name), "PRIVATE KEY", der)
	}
	first := ours.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "first"}})
	second := ours.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "the second one"}})
	write("cert", first, false)
	write("key", first, true)
	write("ca", &tls.Certificate{Certificate: [][]byte{ours.cert.Raw}}, false)
	var log bytes.Buffer
	c, err := webTLS(&config.Web{TLS: config.WebTLS{CertFile: at("cert"), KeyFile: at("key"), ClientCAFile: at("ca")}}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f := &webFiles{files: config.WebTLS{CertFile: at("cert"), KeyFile: at("key"), ClientCAFile: at("ca")}, log: slog.New(slog.NewTextHandler(&log, nil))}
	if now, err := c.GetConfigForClient(nil); err != nil || now.MinVersion != tls.VersionTLS12 || now.ClientAuth != tls.VerifyClientCertIfGiven || strings.Join(now.NextProtos, " ") != "http/1.1" {
		t.Errorf("%+v, %v", now, err)
	}
	if err := f.read(); err != nil {
		t.Fatal(err)
	}
	clock := time.Now()
	for _, row := range []struct {
		name   string
		change func()
		later  time.Duration
		want   string
		log    string
	}{
		{name: "nothing", change: func() {}, later: time.Minute, want: "first"},
		{name: "one of two is written", change: func() { write("cert", second, false) }, later: time.Minute, want: "first", log: "level=WARN"},
		{name: "and some time passes", change: func() {}, later: time.Minute, want: "first"},
		{name: "the other one too", change: func() { write("key", second, true) }, later: time.Minute, want: "the second one", log: "read again"},
		{name: "a CA is taken away", change: func() { os.Remove(at("ca")) }, later: time.Minute, want: "the second one", log: "level=WARN"},
		{name: "one that is none", change: func() { os.WriteFile(at("ca"), []byte("x"), 0o600) }, later: time.Minute, want: "the second one", log: "level=WARN"},
		{name: "a change that nobody looked at yet", change: func() { write("cert", first, false); write("key", first, true) }, later: time.Second, want: "the second one"},
	} {
		log.Reset()
		row.change()
		clock = clock.Add(row.later)
		now := f.current(clock)
		leaf, err := x509.ParseCertificate(now.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Subject.CommonName != row.want || !strings.Contains(log.String(), row.log) || row.log == "" && log.Len() > 0 {
			t.Errorf("%s: %s, want %s; the log: %s", row.name, leaf.Subject.CommonName, row.want, log.String())
		}
	}
}
