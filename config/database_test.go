package config

import (
	"strings"
	"testing"
)

// A database elsewhere without TLS is warned of.
func TestADatabaseElsewhere(t *testing.T) {
	for _, c := range []struct {
		url  string
		warn bool
	}{
		{url: "postgres://alignd@db.example.net/alignd", warn: true},
		{url: "postgres://db.example.net", warn: true},
		{url: "postgres://alignd@db1.example.net:5432,db2.example.net:5433/alignd", warn: true},
		{url: "postgres://alignd@127.0.0.1,db2.example.net/alignd", warn: true},
		{url: "postgres://[2001:db8::1]/alignd", warn: true},
		{url: "postgres:///alignd?host=db.example.net", warn: true},
		{url: "postgres://localhost/alignd?host=127.0.0.1,db.example.net", warn: true},
		{url: "postgres://alignd@db.example.net/alignd?sslmode=verify-full"},
		{url: "postgres://db.example.net/alignd?host=/run/postgresql"}, {url: "postgres:///alignd?host=::1"}, {url: "postgres://%2Frun%2Fpostgresql/alignd"},
		{url: "postgres://alignd@db1.example.net:5432,db2.example.net:5433/alignd?target_session_attrs=read-write&sslmode=disable"},
		{url: "postgres:///alignd"}, {url: "postgres:///alignd?host=/run/postgresql"}, {url: "postgresql://alignd@localhost:5433/alignd"},
		{url: "postgres://127.0.0.1/alignd"}, {url: "postgres://[::1]:5432/alignd"}, {url: "postgres://"},
	} {
		cfg, err := Parse([]byte("journal: {store: postgres, url: '"+c.url+"'}\n"), "x.yaml", testNow)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		warned := false
		for _, w := range cfg.Warnings {
			warned = warned || strings.Contains(w.Text, "sslmode")
		}
		if warned != c.warn {
			t.Errorf("%s: warned %t", c.url, warned)
		}
	}
}
