package main

import (
	"encoding/json"
	"strings"
	"testing"

	"alignd/resolver"
	"alignd/resolver/dnsserver"
)

const publishedZone = `
good.test TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.good.test TXT "v=DMARC1; p=reject; rua=mailto:a@good.test"
bad.test TXT "v=spf1 +all"
_dmarc.bad.test TXT "v=DMARC1: p=reject"
s._domainkey.bad.test TXT "v=DKIM1; p="
slow.test TIMEOUT
_dmarc.slow.test TIMEOUT
s._domainkey.slow.test TIMEOUT
`

func TestDomainCommandsExitStatus(t *testing.T) {
	zone := write(t, "zone", publishedZone)
	for _, row := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // what they must contain
	}{
		{name: "a good policy", args: []string{"dmarc", "good.test"}, stdout: "policy         reject (tag p)"},
		{name: "a good policy, strictly", args: []string{"dmarc", "--strict", "good.test"}, stdout: "nothing to complain of"},
		{name: "the name of a record is that of its domain", args: []string{"dmarc", "_dmarc.good.test"}, stdout: "DMARC of good.test"},
		{name: "a fault is an answer", args: []string{"dmarc", "bad.test"}, stdout: "fault: "},
		{name: "a fault, strictly", args: []string{"dmarc", "--strict", "bad.test"}, status: 1, stdout: "fault: ", stderr: "bad.test: something is wrong"},
		{name: "SPF, strictly", args: []string{"spf", "--strict", "bad.test"}, status: 1, stdout: "lets everybody send"},
		{name: "a key, strictly", args: []string{"dkim", "--strict", "s._domainkey.bad.test"}, status: 1, stdout: "revoked"},
		{name: "several domains", args: []string{"spf", "good.test", "bad.test"}, stdout: "\n\nSPF of bad.test\n"},
		{name: "no answer", args: []string{"spf", "slow.test"}, status: 1, stdout: "not known", stderr: "slow.test: DNS does not answer"},
		{name: "no answer about a policy", args: []string{"dmarc", "slow.test"}, status: 1, stdout: "temperror", stderr: "slow.test: DNS does not answer"},
		{name: "no answer about a key", args: []string{"dkim", "s._domainkey.slow.test"}, status: 1, stdout: "temperror", stderr: "DNS does not answer"},
		{name: "no domain", args: []string{"spf"}, status: 2, stderr: "name a domain"},
		{name: "what is no domain", args: []string{"dmarc", "a..b"}, status: 2, stderr: `"a..b" is no domain`},
		{name: "what is no key", args: []string{"dkim", "good.test"}, status: 2, stderr: "SELECTOR._domainkey.DOMAIN"},
		{name: "a key without selector", args: []string{"dkim", "_domainkey.good.test"}, status: 2, stderr: "SELECTOR._domainkey.DOMAIN"},
		{name: "an internationalized domain", args: []string{"spf", "bücher.test"}, stdout: "SPF of xn--bcher-kva.test"},
		{name: "an unknown flag", args: []string{"spf", "--ip", "192.0.2.1", "good.test"}, status: 2, stderr: "--ip"},
	} {
		got := alignd(t, "", append([]string{row.args[0], "--zone", zone}, row.args[1:]...)...)
		if got.status != row.status || !strings.Contains(got.stdout, row.stdout) || !strings.Contains(got.stderr, row.stderr) || (got.stderr == "") != (row.status == 0) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

func TestDomainCommandsPrintJSON(t *testing.T) {
	zone := write(t, "zone", publishedZone)
	for _, row := range []struct {
		command string
		names   []string
		keys    string // of the object, which scripts rely on
	}{
		{command: "dmarc", names: []string{"good.test", "bad.test"}, keys: "domain answered walk policy_domain org_domain record use policy policy_tag policy_of_subdomains policy_of_nonexistent tags reports findings"},
		{command: "spf", names: []string{"good.test", "bad.test"}, keys: "domain answered record lookups limit void_lookups_ipv4 void_lookups_ipv6 void_limit tree bounded findings"},
		{command: "dkim", names: []string{"s._domainkey.good.test", "s._domainkey.bad.test"}, keys: "name answered cnames keys findings"},
	} {
		got := alignd(t, "", append([]string{row.command, "--json", "--zone", zone}, row.names...)...)
		lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
		if got.status != 0 || len(lines) != len(row.names) {
			t.Fatalf("%s: %+v", row.command, got)
		}
		for _, line := range lines {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatal(err)
			}
			for key := range strings.FieldsSeq(row.keys) {
				if _, ok := object[key]; !ok {
					t.Errorf("%s: no key %s in %s", row.command, key, line)
				}
			}
			if n := len(strings.Fields(row.keys)); len(object) != n {
				t.Errorf("%s: %d keys, want %d: %s", row.command, len(object), n, line)
			}
		}
	}
}

// What DNS says and what a zone file says is shown alike.
func TestDomainCommandsAskTheServer(t *testing.T) {
	const text = "good.test CNAME a.test\na.test TXT \"v=spf1 a -all\"\na.test A 192.0.2.1\n"
	zone, err := resolver.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	dns, err := dnsserver.ServeZone(zone, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	want := alignd(t, "", "spf", "--zone", write(t, "zone", text), "good.test")
	if got := alignd(t, "", "spf", "--dns", dns.Addr(), "good.test"); got != want || !strings.Contains(got.stdout, "alias (CNAME) of a.test") {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
