package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSourcesAreTold(t *testing.T) {
	file := remembered(t)
	for _, c := range []struct {
		name string
		args string
		exit int
		has  []string
		not  []string
	}{
		{name: "all", args: "sources", has: []string{"messages 2", "example.com", "192.0.2.0/24", "2 (100 %)", "hold"}},
		{name: "a domain", args: "sources EXAMPLE.com", has: []string{"Who sends as example.com", "192.0.2.0/24"}},
		{name: "a domain that nobody used", args: "sources other.example --since 2026-01-01", has: []string{"No message of other.example since 2026-01-01"}},
		{name: "a time", args: "sources --since 90m", has: []string{"messages 1"}},
		{name: "two domains", args: "sources a.example b.example", exit: exitUsage, has: []string{"name one domain"}},
		{name: "no domain", args: "sources a..b", exit: exitUsage, has: []string{`"a..b"`}},
		{name: "a wrong time", args: "sources --since yesterday", exit: exitUsage, has: []string{"neither RFC 3339"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			exit := run(append(strings.Fields(c.args), "--config", file), strings.NewReader(""), &out, &errs)
			text := out.String() + errs.String()
			if exit != c.exit {
				t.Errorf("exit %d, want %d: %s", exit, c.exit, text)
			}
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
		})
	}
}

func TestSourcesAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	if exit := run([]string{"sources", "--json", "--config", remembered(t)}, strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	var got sourcesJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if got.Messages != 2 || len(got.Sources) != 1 {
		t.Fatalf("got %+v", got)
	}
	s := got.Sources[0]
	if s.AuthorDomain != "example.com" || s.Infrastructure != "192.0.2.0/24" || s.Fail != 2 || s.Tagged != 1 || s.Held != 1 || s.LastAction != "hold" || s.DKIM == nil {
		t.Errorf("got %+v", s)
	}
}
