package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What opens a hole, or what alignd does not take, is left out by itself and told.
func TestEntriesThatAreLeftOut(t *testing.T) {
	networks := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(networks, []byte("192.0.2.0/24\n0.0.0.0/0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, file, content string
		want                map[string]string
		without             string // what the configuration itself does not have
		told                string // in a comment
	}{
		{name: "IgnoreMailFrom knows no patterns", file: "opendmarc.conf", content: "RejectFailures true\nIgnoreMailFrom *,.example.net,org:example.org,example.com\n",
			want: map[string]string{"domains": "[example.com]"}, told: "what is no whole domain name (*, .example.net, org:example.org) never matched there"},
		{name: "IgnoreMailFrom of patterns alone is nobody", file: "opendmarc.conf", content: "RejectFailures true\nIgnoreMailFrom *\n",
			want: map[string]string{"domains": "[]"}, told: "what is no whole domain name (*) never matched there"},
		{name: "one word beside a domain", file: "opendmarc.conf", content: "RejectFailures true\nIgnoreMailFrom com,example.com\n",
			want: map[string]string{"domains": "[example.com]"}, told: "IgnoreMailFrom com,example.com: changed, REFUSES MORE"},
		{name: "seals are believed of domains that are written out", file: "opendmarc.conf", content: "RejectFailures true\nDomainWhitelist *,.example.net,com,example.com\n",
			want: map[string]string{"trusted_sealers": "[example.com]"}, told: "entries that alignd does not take (com) are left out"},
		{name: "every client beside a network", file: "opendmarc.conf", content: "RejectFailures true\nIgnoreHosts " + networks + "\n",
			want: map[string]string{"not_judged.networks": "[192.0.2.0/24]"}, told: "changed, REFUSES MORE: mail of these networks"},
		{name: "every client alone", file: "opendkim.conf", content: "Mode v\nPeerList 0.0.0.0/0\n", want: map[string]string{"not_judged.networks": "[]"}, told: "PeerList 0.0.0.0/0: without counterpart"},
		{name: "a name that is none spares the addresses", file: "policyd-spf.conf", content: "Mail_From_reject = Fail\nWhitelist = 192.0.2.1,0.0.0.0/0\nDomain_Whitelist_PTR = com,*,example.com\n",
			want: map[string]string{"exceptions": "clients: [192.0.2.1]"}, without: "'*'", told: "entries that alignd does not take (0.0.0.0/0) are left out"},
		{name: "forged fields do not stay", file: "opendkim.conf", content: "Mode v\nKeepAuthResults yes\n", want: map[string]string{"strip": "own"}, told: "KeepAuthResults yes: changed: fields from outside"},
		{name: "octets that are no text", file: "opendmarc.conf", content: "RejectFailures true\nRejectString no \xe9\xff %s\n", without: "binary", told: "RejectString no ? %s: without counterpart: it is not taken over"},
		{name: "ids that are none", file: "opendkim.conf", content: "Mode v\nRemoveARFrom *,mx.example.com\n", want: map[string]string{"own_authserv_ids": "[mx.example.com]"}, told: "entries that alignd does not take (*) are left out"},
	} {
		t.Run(row.name, func(t *testing.T) {
			result := imported(t, File{Name: row.file, Text: []byte(row.content)})
			cfg, made := loaded(t, result), text(t, result)
			for option, want := range row.want {
				if got := shown(t, cfg, option); !strings.Contains(got, want) {
					t.Errorf("%s is %q, want %q\n%s", option, got, want, made)
				}
			}
			if flat := strings.Join(strings.Fields(strings.ReplaceAll(made, "#", "")), " "); !strings.Contains(flat, row.told) {
				t.Errorf("%q is not told in\n%s", row.told, made)
			}
			if row.without != "" && strings.Contains(made, row.without) {
				t.Errorf("%q is in\n%s", row.without, made)
			}
		})
	}
}

// Files that never end, or that are none, end an import, and soon.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skipf("left out: a pipe: %v", err)
	}
	itself := file("opendkim-itself", strings.Repeat("Include opendkim-itself\n", 50)+"Mode v\n")
	for _, row := range []struct {
		name, file, content string
		err, warning        string
	}{
		{name: "a file that includes itself again and again", file: itself, content: strings.Repeat("Include opendkim-itself\n", 50) + "Mode v\n", err: "that is no configuration"},
		{name: "lines without end", file: "opendkim.conf", content: strings.Repeat("Mode v\n", 200_000), err: "more than 10000 lines"},
		{name: "names without end", file: "opendkim.conf", content: strings.Repeat("x\n", 200_000), err: "more than 10000 lines"},
		{name: "a list that is a pipe", file: "opendmarc.conf", content: "RejectFailures true\nIgnoreHosts " + dir + "/pipe\n", warning: "is no regular file"},
		{name: "a list that is a device", file: "opendkim.conf", content: "Mode v\nPeerList /dev/zero\n", warning: "is no regular file"},
		{name: "a file to include that is a folder", file: "opendkim.conf", content: "Mode v\nInclude " + dir + "\n", warning: "is no regular file"},
		{name: "a list that is no text", file: "opendmarc.conf", content: "IgnoreHosts " + file("binary", "192.0.2.1\n\x00\x00") + "\n", warning: "is no text"},
		{name: "a list without end", file: "opendmarc.conf", content: "IgnoreHosts " + file("long", strings.Repeat("192.0.2.1\n", maxEntries+1)) + "\n", warning: "more than 50000 entries"},
	} {
		t.Run(row.name, func(t *testing.T) {
			began := time.Now()
			result, err := Import([]File{{Name: row.file, Text: []byte(row.content)}})
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("%v, want %s", err, row.err)
				}
			} else if err != nil {
				t.Error(err)
			} else if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0].Text, row.warning) {
				t.Errorf("warnings %v, want one of %s", result.Warnings, row.warning)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if _, err := ReadAll(strings.NewReader("Mode v\n\x00"), "x"); err == nil {
		t.Error("a file with octets of zero was read")
	}
}
