package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"alignd/policy"
)

var update = flag.Bool("update", false, "write the want files anew")

var testNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Each file of testdata/bad is faulty in one way; FILE.want holds the exact
// message, file, line and column included.
func TestEachBadFileIsToldWithItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d bad files, want at least 40 (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(data, file, testNow)
			if err == nil {
				t.Fatalf("%s was accepted:\n%s", file, data)
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error is a %T, want Problems", err)
			}
			want := strings.TrimSuffix(file, ".yaml") + ".want"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(text) {
				t.Errorf("got\n%swant\n%s", got, text)
			}
			for _, p := range problems {
				if p.Line == 0 {
					t.Errorf("problem without a line: %v", p)
				}
			}
		})
	}
}

func TestTheDefaultFileIsWhatRunsWithoutAFile(t *testing.T) {
	empty, err := Parse(nil, "", testNow)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := Parse(DefaultText(), "defaults.yaml", testNow)
	if err != nil {
		t.Fatal(err)
	}
	empty.Rules, printed.Rules = nil, nil
	if empty.ListenWritten() || !printed.ListenWritten() {
		t.Errorf("listen is written: got %v and %v", empty.ListenWritten(), printed.ListenWritten())
	}
	empty.Files, printed.Files = nil, nil
	empty.places, printed.places = nil, nil
	empty.broken, printed.broken = nil, nil
	if !reflect.DeepEqual(empty, printed) {
		t.Errorf("defaults differ from the printed file:\n%+v\n%+v", empty, printed)
	}
}

// What policy does where nothing is said is what the default file says.
func TestTheDefaultFileHoldsPolicysOwnDefaults(t *testing.T) {
	d, cfg := newDecoder("defaults.yaml", map[string]Position{}, map[string]bool{}), new(Config)
	d.document(defaultText, cfg)
	if got, want := replies(&cfg.Replies), policy.DefaultReplies(); got != want {
		t.Errorf("replies: got\n%+v, want\n%+v", got, want)
	}
	spec := cfg.spec()
	spec.Options = nil          // the places in the file
	spec.Handling.Signals = nil // all; the file leaves out the one that costs a look-up
	got, err := policy.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", policy.Defaults()); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// entryExample is a commented-out line of an example: "#" and the key.
var entryExample = regexp.MustCompile(`(?m)^#(  (?:- | {2}).*|    .*)$`)

func TestTheDefaultFileShowsEveryKeyWithAWorkingExample(t *testing.T) {
	text := strings.ReplaceAll(string(DefaultText()), ": []\n#  ", ":\n#  ")
	text = entryExample.ReplaceAllString(text, "$1")
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		leaf := key[strings.LastIndexByte(key, '.')+1:]
		if leaf == "file" && strings.HasPrefix(key, "exceptions") {
			continue // told in words: it stands in place of an entry
		}
		if !regexp.MustCompile(`(?m)^ *(?:- )?` + leaf + `:`).MatchString(text) {
			t.Errorf("key %s is not shown in defaults.yaml", key)
		}
	}
	// The examples are loaded as they stand; the file they name is made.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "executives.txt"), []byte("# board\ncfo@example.com\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse([]byte(text), filepath.Join(dir, "alignd.yaml"), testNow)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for what, n := range map[string]int{
		"exceptions": len(cfg.Exceptions), "sealers": len(cfg.TrustedSealers), "relays": len(cfg.TrustedRelays),
		"profiles": len(cfg.Profiles), "domains": len(cfg.Domains), "own domains": len(cfg.OwnDomains), "rollout": len(cfg.Rollout),
		"networks": len(cfg.NotJudged.Networks),
	} {
		if n == 0 {
			t.Errorf("the example of %s was not read", what)
		}
	}
	if got := cfg.Profiles[0].Recipients; len(got) != 2 || got[1] != "cfo@example.com" {
		t.Errorf("recipients of the profile are %q, want those of the file too", got)
	}
}

// allKeys lists the keys of a struct and of what lies below it.
func allKeys(typ reflect.Type, path string) []string {
	var keys []string
	for key, f := range fieldsOf(typ) {
		keys = append(keys, join(path, key))
		inner := f.Type
		for inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && !reflect.PointerTo(inner).Implements(textType) {
			keys = append(keys, allKeys(inner, join(path, key))...)
		}
	}
	return keys
}

func TestExceptionsCanBeKeptInOtherFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	main := write("alignd.yaml", `
exceptions:
  - {id: first, action: reject, scope: {author_domains: [a.example]}, never_expires: true}
  - file: vendors.yaml
  - {id: last, action: reject, scope: {author_domains: [b.example]}, never_expires: true}
`)
	write("vendors.yaml", `
exceptions:
  - {id: vendor, action: accept, proof: {dkim: [vendor.example]}, expires: 2026-11-01}
`)
	cfg, err := Load(main)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range cfg.Exceptions {
		ids = append(ids, e.ID)
	}
	if got := strings.Join(ids, " "); got != "first vendor last" {
		t.Errorf("entries are %q, want those of the file in its place", got)
	}
	if len(cfg.Warnings) != 1 || cfg.Warnings[0].Line != 3 || filepath.Base(cfg.Warnings[0].File) != "vendors.yaml" {
		t.Errorf("warnings are %v, want one of vendors.yaml line 3", cfg.Warnings)
	}

	write("vendors.yaml", "exceptions:\n  - file: alignd.yaml\n")
	if _, err := Load(main); err == nil || !strings.Contains(err.Error(), "cannot name another file") {
		t.Errorf("a file that names a file: %v", err)
	}
	write("vendors.yaml", "exceptions:\n  - {id: vendor, action: accept}\n")
	if _, err := Load(main); err == nil || !strings.Contains(err.Error(), "vendors.yaml:2:5: ") {
		t.Errorf("a fault of the other file: %v", err)
	}
	write("vendors.yaml", "")
	write("alignd.yaml", "exceptions:\n  - {file: vendors.yaml, expires: 2027-01-31}\n")
	if _, err := Load(main); err == nil || !strings.Contains(err.Error(), "holds nothing else") {
		t.Errorf("a file with a date of its own: %v", err)
	}
}

func TestExpiryIsToldAtLoad(t *testing.T) {
	const entry = "exceptions:\n  - {id: e, action: accept, proof: {dkim: [v.example]}, expires: %s}\n"
	for _, row := range []struct{ name, expires, want string }{
		{name: "an entry of the past is warned about", expires: "2026-11-22", want: "expired"},
		{name: "an entry of the next two weeks too", expires: "2026-12-01", want: "expires on 2026-12-01"},
		{name: "a later one is not", expires: "2027-01-01"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := Parse(fmt.Appendf(nil, entry, row.expires), "x.yaml", testNow)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(cfg.Warnings)
			if (row.want == "") != (len(cfg.Warnings) == 0) || !strings.Contains(got, row.want) {
				t.Errorf("warnings are %s, want %q", got, row.want)
			}
		})
	}
}

func TestNetworksThatAreHardlyOnesOwnAreToldAtLoad(t *testing.T) {
	for network, told := range map[string]bool{
		"0.0.0.0/1": true, "128.0.0.0/7": true, "2000::/3": true, "10.0.0.0/8": false, "fc00::/7": false, "192.0.2.0/24": false,
	} {
		cfg, err := Parse([]byte("not_judged: {networks: [\""+network+"\"]}\n"), "x.yaml", testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cfg.Warnings); strings.Contains(got, "much of all there is") != told {
			t.Errorf("%s: warnings are %s", network, got)
		}
	}
}

func TestATrustedSealerThatMaySendFromAnywhereIsToldAtLoad(t *testing.T) {
	for text, want := range map[string]string{
		"trusted_sealers:\n  - {id: lists, domains: [example.org]}\n":                            `[x.yaml:2:5: trusted sealer "lists" has no clients, so anybody`,
		"trusted_sealers:\n  - {domains: [example.org, example.net]}\n":                          `[x.yaml:2:5: trusted sealer "example.org example.net" has no clients`,
		"trusted_sealers:\n  - {id: lists, domains: [example.org], clients: [203.0.113.0/24]}\n": "[]",
	} {
		cfg, err := Parse([]byte(text), "x.yaml", testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint([]Problem(cfg.Warnings)); !strings.HasPrefix(got, want) {
			t.Errorf("%q: warnings are %s, want %s", text, got, want)
		}
	}
}

func TestLoopbackAsARelayIsWarnedOf(t *testing.T) {
	for _, row := range []struct{ name, peers, want string }{
		{name: "the usual address", peers: "127.0.0.1", want: "127.0.0.1 of entry"},
		{name: "IPv6", peers: `"::1"`, want: "::1 of entry"},
		{name: "the whole network", peers: "127.0.0.0/8", want: "127.0.0.0/8 of entry"},
		{name: "an address of its own", peers: "127.0.0.2"},
		{name: "another host", peers: "192.0.2.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := Parse([]byte("trusted_relays: [{id: fetchmail, peers: ["+row.peers+"]}]\n"), "x.yaml", testNow)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(cfg.Warnings)
			if (row.want == "") != (len(cfg.Warnings) == 0) || !strings.Contains(got, row.want) {
				t.Errorf("warnings are %s, want %q", got, row.want)
			}
		})
	}
}

func TestHostsOfARelay(t *testing.T) {
	cfg, err := Parse([]byte(`trusted_relays: [{id: gw, peers: [192.0.2.1], by: [GW.Example., .google.com, "2002:a00::/24", 192.0.2.7]}]`), "x.yaml", testNow)
	if err != nil {
		t.Fatal(err)
	}
	names, networks := Hosts(cfg.TrustedRelays[0].By)
	if got := fmt.Sprint(names, networks); got != "[gw.example .google.com] [2002:a00::/24 192.0.2.7/32]" {
		t.Errorf("got %s", got)
	}
}

func TestAShorterMessageTimeoutNeedsNoOtherSPFTimeout(t *testing.T) {
	const limits = "limits: {message_timeout: 10s}\n"
	for text, want := range map[string]string{
		limits:                             "",
		limits + "spf: {timeout: 10s}\n":   "",
		limits + "spf: {timeout: 20s}\n":   "x.yaml:2:16: spf.timeout (20s) is longer",
		"limits: {message_timeout: 25s}\n": "",
	} {
		_, err := Parse([]byte(text), "x.yaml", testNow)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestAliases(t *testing.T) {
	cfg, err := Parse([]byte("trusted_sealers:\n  - {id: a, domains: &d [lists.example]}\n  - {id: b, domains: *d, selectors: [s]}\n"), "x.yaml", testNow)
	if err != nil || len(cfg.TrustedSealers[1].Domains) != 1 {
		t.Errorf("an alias was not followed: %v", err)
	}
	bomb := "own_authserv_ids: &a [x.example]\n"
	for range 3 {
		bomb += "domains: *a\n"
	}
	if _, err := Parse([]byte(bomb), "x.yaml", testNow); err == nil {
		t.Error("keys that stand twice were accepted")
	}
	if _, err := Parse([]byte("exceptions: &a\n  - *a\n"), "x.yaml", testNow); err == nil {
		t.Error("a list that contains itself was accepted")
	}
}

func TestThePatternOrgAsksForTheOrganizationalDomain(t *testing.T) {
	for text, want := range map[string]bool{
		"domains:\n  - {id: a, author_domains: [\"org:example.com\"], pct: ignore}\n": true,
		"domains:\n  - {id: a, author_domains: [example.com], pct: ignore}\n":         false,
		"": false,
	} {
		cfg, err := Parse([]byte(text), "x.yaml", testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Needs().OrgDomain; got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestNoFileIsFineButANamedOneMustExist(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml")); err == nil {
		t.Error("an absent file was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(DefaultText())
	for _, s := range []string{"", "mode: monitor", "a: &a [*a]", "exceptions:\n  - {id: x}", "listen: [unix:/a, inet:b:1]", "\x00", "? a\n: b", "honor:\n  reject: [\n  none: x\ntag: {\n", "exceptions:\n- id: a: b\n- {id\n", "a: '\nmode: *x\n\ttag:", "\xff\xfem\x00", "mode: \x93\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("file")) {
			return // would read files of this machine
		}
		cfg, err := Parse(data, "fuzz.yaml", testNow)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("%q: configuration %v and error %v", data, cfg, err)
		}
		if err == nil && cfg.Rules == nil {
			t.Fatalf("%q: no rules", data)
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		var problems Problems
		errors.As(err, &problems)
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines+1 || p.Line > 0 && p.Column < 1 || p.Text == "" {
				t.Fatalf("%q: a fault at no place of the file: %v", data, p)
			}
		}
	})
}

func TestAnIPv4MappedNetworkIsTheIPv4One(t *testing.T) {
	for text, want := range map[string]string{
		"::ffff:192.0.2.0/120": "192.0.2.0/24",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"2001:db8::/32":        "2001:db8::/32",
	} {
		if n, err := network(text); err != nil || networkName(n) != want {
			t.Errorf("%s: got %s, %v; want %s", text, networkName(n), err, want)
		}
	}
}

func TestWhatThisHostMayNotHaveIsWarnedOf(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{name: "a group", text: "listen: unix:/run/a.sock\nsocket_group: no-such-group\n", want: `x.yaml:2:15: socket_group: this host has no group "no-such-group"`},
		{name: "a group by number", text: "listen: unix:/run/a.sock\nsocket_group: \"4711\"\n"},
		{name: "a group that nothing is opened for", text: "socket_group: no-such-group\n"},
		{name: "a drain that the MTA does not wait for", text: "drain: 30s\n", want: "x.yaml:1:8: drain (30s) is no shorter than the 30s"},
		{name: "one that it does", text: "drain: 29s\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, err := Parse([]byte(row.text), "x.yaml", testNow)
			if err != nil {
				t.Fatal(err)
			}
			if got := cfg.Warnings.Error(); row.want == "" && got != "" || !strings.HasPrefix(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestOneValueNeedsNoBrackets(t *testing.T) {
	cfg, err := Parse([]byte("trusted_relays: [{id: gw, peers: 192.0.2.1, by: gw.example}]\nnot_judged: {networks: 192.0.2.0/24}\n"+
		"corroborated_by: direct\ndns: {servers: 127.0.0.1}\nexceptions: [{id: a, action: reject, never_expires: true, proof: {clients: \"2001:db8::1\"}}]\n"), "x.yaml", testNow)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cfg.TrustedRelays[0].Peers, cfg.TrustedRelays[0].By, cfg.NotJudged.Networks, cfg.CorroboratedBy, cfg.DNS.Servers, cfg.Exceptions[0].Proof.Clients)
	if want := "[192.0.2.1/32] [gw.example] [192.0.2.0/24] [direct] [127.0.0.1:53] [2001:db8::1/128]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
