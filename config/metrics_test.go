package config

import (
	"slices"
	"testing"
	"time"
)

// What is no loopback address is refused, unless allow_remote says so; the files
// metrics-*.yaml of testdata/bad show the words.
func TestPlacesOfMetrics(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{name: "off", text: "", want: nil},
		{name: "one", text: "metrics: {listen: inet:127.0.0.1:9890}", want: []string{"inet:127.0.0.1:9890"}},
		{name: "another address of the host's own", text: "metrics: {listen: inet:127.3.2.1:9890}", want: []string{"inet:127.3.2.1:9890"}},
		{name: "IPv6 and a socket", text: "metrics: {listen: [\"inet:[::1]:9890\", unix:/run/alignd/metrics]}", want: []string{"inet:[::1]:9890", "unix:/run/alignd/metrics"}},
		{name: "IPv4 in IPv6", text: "metrics: {listen: \"inet:[::ffff:127.0.0.1]:9890\"}", want: []string{"inet:[::ffff:127.0.0.1]:9890"}},
		{name: "localhost", text: "metrics: {listen: inet:LocalHost:9890}", want: []string{"inet:LocalHost:9890"}},
		{name: "allowed", text: "metrics: {listen: \"inet:[::]:9890\", allow_remote: true}", want: []string{"inet:[::]:9890"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := Parse([]byte(row.text), "test.yaml", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.Metrics.Listen; !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	for _, place := range []string{"inet:192.0.2.1:9890", "inet:[::]:9890", "inet:[fe80::1%25eth0]:9890", "inet:localhost.example:9890",
		"inet:127.0.0.1.example:9890", "inet:2130706433:9890", "inet:0x7f.1:9890", "inet:0127.0.0.1:9890", "inet:*:9890", "unix:metrics"} {
		if _, err := Parse([]byte("metrics: {listen: [\""+place+"\"]}"), "test.yaml", time.Now()); err == nil {
			t.Errorf("%s is taken", place)
		}
	}
}
