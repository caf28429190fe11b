package config

import (
	"strings"
	"testing"
	"time"
)

func TestBesideOtherFiltersWarns(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{name: "nothing to warn of", text: "compare_with: mx.example.com\n"},
		{name: "an id of its own", text: "compare_with: mx.example.com\nauthserv_id: alignd-shadow.example.com\n"},
		{name: "theirs is found in alignd's", text: "compare_with: mx.example.com\nauthserv_id: shadow.mx.example.com\n", want: "shadow.mx.example.com has mx.example.com of compare_with in it"},
		{name: "Received-SPF of a filter in front goes", text: "compare_with: mx.example.com\nreceived_spf: true\n", want: "also those of the filters"},
		{name: "or stays", text: "compare_with: mx.example.com\nreceived_spf: true\nstrip: none\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := Parse([]byte(row.text), "alignd.yaml", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, w := range cfg.Warnings {
				got += w.Error()
			}
			if (row.want == "") != (got == "") || !strings.Contains(got, row.want) {
				t.Errorf("warnings are %q, want %q", got, row.want)
			}
		})
	}
}
