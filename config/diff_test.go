package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiffTellsOptionOldAndNew(t *testing.T) {
	long := func(from, to int) string {
		var names []string
		for i := from; i < to; i++ {
			names = append(names, fmt.Sprintf("d%d.example", i))
		}
		return "own_authserv_ids: [" + strings.Join(names, ", ") + "]\n"
	}
	const vendor = "  - {id: vendor, action: accept, proof: {dkim: [v.example]}, expires: 2027-01-31}\n"
	const other = "  - {id: other, action: reject, scope: {author_domains: [o.example]}, never_expires: true}\n"
	for _, row := range []struct {
		name, old, new string
		want           []string
	}{
		{name: "nothing"},
		{name: "a default that is written down", new: "mode: enforce # as ever\nlisten: [inet:127.0.0.1:8890]\n"},
		{name: "another spelling", old: "temperror_for: 120m\nown_authserv_ids: A.example\n", new: "own_authserv_ids: [a.example.]\ntemperror_for: 2h\n"},
		{name: "an option", new: "mode: monitor\n", want: []string{"mode: enforce -> monitor"}},
		{name: "options of sections", old: "honor: {reject: tag}\n", new: "dns: {timeout: 1500ms}\nlimits: {header_size: 1MiB}\n",
			want: []string{"honor.reject: tag -> reject", "dns.timeout: 2s -> 1.5s", "limits.header_size: 2MiB -> 1MiB"}},
		{name: "a list", old: "own_authserv_ids: a.example\n", new: "own_authserv_ids: [a.example, b.example]\n", want: []string{"own_authserv_ids: [a.example] -> [a.example, b.example]"}},
		{name: "a long list", old: long(0, 100), new: long(1, 102), want: []string{"own_authserv_ids: 100 values, only here [d0.example] -> 101 values, only here [d100.example, d101.example]"}},
		{name: "a long list that grew", old: long(0, 100), new: long(0, 101), want: []string{"own_authserv_ids: 100 values -> 101 values, only here [d100.example]"}},
		{name: "a secret", old: "sampling_secret: aaaaaaaaaaaaaaaaaaaa\n", new: "sampling_secret: bbbbbbbbbbbbbbbbbbbb\n", want: []string{"sampling_secret: changed"}},
		{name: "a secret that is new", new: "sampling_secret: bbbbbbbbbbbbbbbbbbbb\n", want: []string{"sampling_secret: (not set) -> (set, not shown)"}},
		{name: "an entry", old: "exceptions:\n" + vendor, new: "exceptions:\n" + strings.Replace(vendor, "2027", "2028", 1), want: []string{"exceptions[vendor].expires: 2027-01-31 -> 2028-01-31"}},
		{name: "entries that come and go", old: "exceptions:\n" + vendor, new: "exceptions:\n" + other,
			want: []string{"exceptions[vendor]: {id: vendor, action: accept, proof: {dkim: [v.example]}, expires: 2027-01-31} -> absent",
				"exceptions[other]: absent -> {id: other, action: reject, scope: {author_domains: [o.example]}, never_expires: true}"}},
		{name: "their order", old: "exceptions:\n" + vendor + other, new: "exceptions:\n" + other + vendor, want: []string{"exceptions: in the order vendor, other -> other, vendor"}},
		{name: "entries without an id", old: "domains: [{author_domains: [a.example], pct: ignore}]\n", new: "domains: [{author_domains: [a.example], pct: honor}]\n",
			want: []string{"domains[a.example].pct: ignore -> honor"}},
		{name: "stages", old: "rollout: [{stage: tag}]\n", new: "rollout: [{stage: tag, percent: 50}, {stage: reject}]\n",
			want: []string{"rollout[1].percent: 0 -> 50", "rollout[2]: absent -> {stage: reject}"}},
		{name: "networks", old: "not_judged: {networks: 192.0.2.1}\n", new: "not_judged: {networks: [192.0.2.0/24, \"2001:db8::1\"]}\n",
			want: []string{`not_judged.networks: [192.0.2.1] -> [192.0.2.0/24, 2001:db8::1]`}},
		{name: "a long text", new: "replies: {url: \"" + strings.Repeat("u", 500) + "\"}\n", want: []string{`replies.url: "" -> ` + strings.Repeat("u", 200) + "..."}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var cfg [2]*Config
			for i, text := range []string{row.old, row.new} {
				var err error
				if cfg[i], err = Parse([]byte(text), "x.yaml", testNow); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, c := range Diff(cfg[0], cfg[1]) {
				got = append(got, c.String())
			}
			if strings.Join(got, "\n") != strings.Join(row.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
			}
			if same := cfg[0].Hash() == cfg[1].Hash(); same != (len(got) == 0) && !strings.Contains(row.name, "secret") {
				t.Errorf("the hash is the same: %t, with %d changes", same, len(got))
			}
		})
	}
}
