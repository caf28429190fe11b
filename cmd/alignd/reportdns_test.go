package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keyFile is a private key in a file.
func keyFile(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What is printed to be published is all that it takes: read back as DNS nothing is
// missing any more.
func TestReportDNS(t *testing.T) {
	file := write(t, "alignd.yaml", "reports: {from: dmarc@here.example, dkim: [{selector: s1, key_file: "+keyFile(t)+"}]}\n")
	base := "here.example. MX 10 mx.here.example.\nhere.example. TXT \"v=spf1 mx -all\"\n"
	call := func(zone string, args ...string) string {
		t.Helper()
		got := alignd(t, "", append([]string{"report", "dns", "--config", file, "--zone", write(t, "zone", zone)}, args...)...)
		if got.status != 0 {
			t.Fatalf("status %d: %s", got.status, got.stderr)
		}
		return got.stdout
	}
	first := call(base)
	for _, want := range []string{"\ns1._domainkey.here.example. IN TXT \"v=DKIM1; k=ed25519; p=", "\n_dmarc.here.example. IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@here.example\"",
		"it takes mail at mx.here.example", "has to be in: v=spf1 mx -all"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	for line := range strings.Lines(call(base + first)) {
		if line != "\n" && !strings.HasPrefix(line, ";") {
			t.Errorf("still to be published: %s", line)
		}
	}
	others := call(base+first, "--rua", "reports@collector.example", "shop.example", "news.collector.example")
	for _, want := range []string{"\n_dmarc.shop.example. IN TXT \"v=DMARC1; p=none; rua=mailto:reports@collector.example\"",
		"\nshop.example._report._dmarc.collector.example. IN TXT \"v=DMARC1\""} {
		if !strings.Contains(others, want) {
			t.Errorf("no %q in\n%s", want, others)
		}
	}
	agreed := call(base+first+"\nshop.example._report._dmarc.collector.example. TXT \"v=DMARC1\"\n", "--rua", "reports@collector.example", "shop.example")
	if strings.Contains(agreed, "\nshop.example._report") {
		t.Errorf("it is there already:\n%s", agreed)
	}
	elsewhere := call(base+first+"\n_dmarc.shop.example. TXT \"v=DMARC1; p=reject; rua=mailto:r@shop.example\"\n", "--rua", "mailto:reports@collector.example", "shop.example")
	for _, want := range []string{`do not come to reports@collector.example: put ",mailto:reports@collector.example" behind rua=mailto:r@shop.example`,
		"\nshop.example._report._dmarc.collector.example. IN TXT \"v=DMARC1\""} {
		if !strings.Contains(elsewhere, want) {
			t.Errorf("no %q in\n%s", want, elsewhere)
		}
	}
	if silent := call("here.example. SERVFAIL\n_dmarc.here.example. SERVFAIL\n"); !strings.Contains(silent, "DNS does not say whether there is one") {
		t.Errorf("DNS does not answer:\n%s", silent)
	}
}

func TestReportDNSWithoutUse(t *testing.T) {
	missing := write(t, "missing.yaml", "reports: {from: dmarc@here.example, dkim: [{selector: s1, key_file: /nonexistent/key.pem}]}\n")
	fine := write(t, "fine.yaml", "reports: {from: dmarc@here.example}\n")
	for _, row := range []struct {
		name   string
		args   []string
		status int
	}{
		{name: "no reports", args: []string{"--config", write(t, "off.yaml", "mode: monitor\n")}, status: 1},
		{name: "a key that is not there", args: []string{"--offline", "--config", missing}, status: 1},
		{name: "no domain", args: []string{"--offline", "--config", fine, "a..b"}, status: 2},
		{name: "no address", args: []string{"--offline", "--config", fine, "--rua", "nobody"}, status: 2},
		{name: "without DNS", args: []string{"--offline", "--config", fine}},
	} {
		if got := alignd(t, "", append([]string{"report", "dns"}, row.args...)...); got.status != row.status {
			t.Errorf("%s: status %d, want %d: %s", row.name, got.status, row.status, got.stderr)
		}
	}
}
