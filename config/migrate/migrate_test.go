package migrate

import (
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/config"
)

var update = flag.Bool("update", false, "write the wanted configurations")

// imported reads files, whose lists lie in testdata.
func imported(t *testing.T, files ...File) *Result {
	t.Helper()
	result, err := Import(files)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// loaded has alignd read what was made; a fault fails the test.
func loaded(t *testing.T, r *Result) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte(text(t, r)), "alignd.yaml", time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatalf("%v\n%s", err, text(t, r))
	}
	return cfg
}

func text(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each folder of testdata/typical is what a site may have, with what is made of it.
func TestTypicalFiles(t *testing.T) {
	folders, err := filepath.Glob("testdata/typical/*")
	if err != nil || len(folders) < 5 {
		t.Fatalf("%v, %d folders", err, len(folders))
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			names, err := filepath.Glob(dir + "/*.conf")
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
			var files []File
			for _, name := range names {
				content, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, File{Name: name, Text: content})
			}
			result := imported(t, files...)
			loaded(t, result)
			got := text(t, result)
			for _, w := range result.Warnings {
				got += "# stderr: " + w.String() + "\n"
			}
			want := filepath.Join(dir, "want.yaml")
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if content, _ := os.ReadFile(want); string(content) != got {
				t.Errorf("made\n%s\nwant\n%s", got, content)
			}
		})
	}
}

// What the comments say holds for what alignd reads.
func TestMeaning(t *testing.T) {
	const dmarc, dkim, spf, arc = "opendmarc.conf", "opendkim.conf", "policyd-spf.conf", "openarc.conf"
	type files map[string]string
	for _, row := range []struct {
		name  string
		files files
		want  map[string]string // option: value as config show prints it
	}{
		{name: "opendmarc that refuses nothing", files: files{dmarc: "IgnoreMailTo a@example.com\n"},
			want: map[string]string{"honor.reject": "accept", "honor.quarantine": "accept", "from.several": "accept", "temperror.unresolved": "accept"}},
		{name: "opendmarc that refuses", files: files{dmarc: "RejectFailures true\n"},
			want: map[string]string{"honor.reject": "reject", "honor.quarantine": "accept", "from.several": "reject", "temperror.unresolved": "tempfail"}},
		{name: "opendmarc that holds", files: files{dmarc: "RejectFailures yes\nHoldQuarantinedMessages 1\n"},
			want: map[string]string{"honor.quarantine": "quarantine", "quarantine_as": "hold"}},
		{name: "the last line holds", files: files{dmarc: "RejectFailures true\nRejectFailures false\n"}, want: map[string]string{"honor.reject": "accept"}},
		{name: "several Author Domains", files: files{dmarc: "RejectFailures true\nRejectMultiValueFrom true\n"}, want: map[string]string{"from.max_domains": "1", "from.too_many": "reject"}},
		{name: "a reply", files: files{dmarc: "RejectFailures true\nRejectString not from %s: \"no\"\n"}, want: map[string]string{"replies.dmarc.text": `not from {domain}: "no"`}},
		{name: "no opendmarc: nothing is refused by DMARC", files: files{dkim: "Mode v\nMinimumKeyBits 1024\n"}, want: map[string]string{"honor.reject": "accept", "from.missing": "accept", "spf_fail": "accept"}},
		{name: "policyd-spf", files: files{spf: "HELO_reject = Fail\n"}, want: map[string]string{"honor.reject": "accept", "spf_fail": "reject", "received_spf": "true", "temperror.unresolved": "accept"}},
		{name: "policyd-spf on trial", files: files{spf: "TestOnly = 0\nMail_From_reject = Fail\n"}, want: map[string]string{"spf_fail": "accept"}},
		{name: "policyd-spf that only tells", files: files{spf: "Mail_From_reject = False\nHeader_Type = AR\n"}, want: map[string]string{"spf_fail": "accept", "received_spf": "false"}},
		{name: "limits of opendkim", files: files{dkim: "ClockDrift 60\nMaximumSignaturesToVerify 5\nMaximumHeaders 65536\nMinimum 80%\nOn-InternalError a\n"},
			want: map[string]string{"dkim.clock_skew": "1m", "dkim.max_signatures": "5", "limits.header_size": "64KiB", "dkim.accept_length": "true", "dkim.min_length_percent": "80", "on_error": "accept"}},
		{name: "an id", files: files{arc: "AuthservID mx.example.com\nFinalReceiver no\n"}, want: map[string]string{"authserv_id": "mx.example.com"}},
		{name: "the first file has it where two differ", files: files{dmarc: "AuthservID a.example.com\nRejectFailures no\n", dkim: "AuthservID b.example.com\nMode v\n"}, want: map[string]string{"authserv_id": "a.example.com"}},
		{name: "a network of opendkim alone is judged where opendmarc judges it", files: files{dmarc: "RejectFailures true\n", dkim: "PeerList 192.0.2.0/24\nMode v\n"}, want: map[string]string{"not_judged.networks": "[]"}},
		{name: "a network of opendkim", files: files{dkim: "PeerList csl:192.0.2.0/24,!192.0.2.128/25\nMode v\n"}, want: map[string]string{"not_judged.networks": "[192.0.2.0/25]"}},
		{name: "a pattern that never held lets nothing in", files: files{dmarc: "RejectFailures yes\nIgnoreMailFrom *,.example.com,org:example.com\nDomainWhitelist *\n"}, want: map[string]string{"domains": "[]", "trusted_sealers": "[]"}},
		{name: "forged results go, whatever opendkim kept", files: files{dkim: "KeepAuthResults yes\nMode v\n"}, want: map[string]string{"strip": "own"}},
		{name: "no pattern of reverse names", files: files{spf: "Domain_Whitelist_PTR = *\n"}, want: map[string]string{"exceptions": "[]"}},
		{name: "whole names beside a pattern", files: files{dmarc: "RejectFailures yes\nIgnoreMailFrom *,Partner.example\nDomainWhitelist lists.example.org,bad..name\n"}, want: map[string]string{"domains": "[partner.example]", "trusted_sealers": "[lists.example.org]"}},
		{name: "a network that nobody is ever found in", files: files{dkim: "PeerList csl:192.0.2.1/24,198.51.100.0/24\nMode v\n"}, want: map[string]string{"not_judged.networks": "[198.51.100.0/24]"}},
		{name: "an exclusion of the same network, and one of all", files: files{dkim: "PeerList !192.0.2.0/24,192.0.2.0/24,2001:db8::/32,!::/0\nMode v\n"}, want: map[string]string{"not_judged.networks": "[2001:db8::/32]"}},
		{name: "lines end as on other systems", files: files{dmarc: "\ufeffRejectFailures true\r\nAuthservID a.example.com\r\n"}, want: map[string]string{"honor.reject": "reject", "authserv_id": "a.example.com"}},
		{name: "every client is nobody's network", files: files{dkim: "PeerList 0.0.0.0/0\nMode v\n"}, want: map[string]string{"not_judged.networks": "[]"}},
		{name: "names in another case", files: files{dmarc: "rejectfailures TRUE\nHOLDQUARANTINEDMESSAGES yes\n"}, want: map[string]string{"honor.reject": "reject", "quarantine_as": "hold"}},
		{name: "a whitelist lets in where only SPF refuses", files: files{spf: "Whitelist = 192.0.2.1\n"}, want: map[string]string{"not_judged.networks": "[]", "exceptions": "policyd-spf-hosts"}},
		{name: "a whitelist lets no mail in that DMARC refused", files: files{spf: "Whitelist = 192.0.2.1\n", dmarc: "RejectFailures 1\n"}, want: map[string]string{"exceptions": "[]"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var in []File
			for _, name := range []string{dmarc, dkim, spf, arc} {
				if content, ok := row.files[name]; ok {
					in = append(in, File{Name: name, Text: []byte(content)})
				}
			}
			result := imported(t, in...)
			cfg := loaded(t, result)
			if cfg.Mode != "monitor" {
				t.Errorf("mode is %s", cfg.Mode)
			}
			for option, want := range row.want {
				if got := shown(t, cfg, option); !strings.Contains(got, want) {
					t.Errorf("%s is %q, want %q\n%s", option, got, want, text(t, result))
				}
			}
		})
	}
}

// shown is an option as config show prints it, without its origin.
func shown(t *testing.T, cfg *config.Config, option string) string {
	t.Helper()
	var b strings.Builder
	if err := cfg.Show(&b); err != nil {
		t.Fatal(err)
	}
	var path []string
	value, depth := "", -1
	for line := range strings.Lines(b.String()) {
		indent := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		key, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		if depth >= 0 {
			if indent <= depth {
				return value
			}
			value += " " + strings.TrimSpace(line)
			continue
		}
		path = append(path[:min(indent, len(path))], key)
		if strings.Join(path, ".") == option {
			rest, _, _ = strings.Cut(rest, "  # ")
			value, depth = strings.TrimSpace(strings.ReplaceAll(rest, `\"`, `"`)), indent
		}
	}
	return value
}

func TestWhoseFileItIs(t *testing.T) {
	for _, row := range []struct {
		name, file, content, want string
		unread                    string // in the error
	}{
		{name: "its options tell", file: "x.conf", content: "RejectFailures true\n", want: "opendmarc"},
		{name: "its options tell, whatever its name", file: "opendkim.conf", content: "RejectFailures true\nSyslog true\n", want: "opendmarc"},
		{name: "its name tells where the options fit several", file: "openarc.conf", content: "Syslog true\nUserID x\n", want: "openarc"},
		{name: "an empty file goes by its name", file: "/etc/opendmarc.conf", content: "# nothing\n", want: "opendmarc"},
		{name: "equal signs", file: "x", content: "TestOnly = 0\n", want: "policyd-spf"},
		{name: "nothing tells", file: "x.conf", content: "Syslog true\n"},
		{name: "a folder of rspamd's", file: "/etc/rspamd/local.d/dmarc.conf", content: "actions { reject = \"reject\"; }\n", unread: "rspamd is not read; docs/migrate.md"},
		{name: "authentication_milter", file: "/etc/authentication_milter.json", content: "{}\n", unread: "authentication_milter is not read"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := Import([]File{{Name: row.file, Text: []byte(row.content)}})
			switch {
			case row.unread != "":
				if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), row.unread) {
					t.Errorf("%v, want %q", err, row.unread)
				}
			case row.want == "":
				if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "--type") {
					t.Errorf("%v, want a question for --type", err)
				}
			case err != nil || got.sources[0].filter.name != row.want:
				t.Errorf("%v, %v, want %s", got, err, row.want)
			}
		})
	}
}

// What docs/migrate.md shows is what is written.
func TestExampleOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	made := strings.Join(strings.Fields(strings.ReplaceAll(text(t, imported(t, File{Name: "opendmarc.conf", Text: []byte("RejectFailures true\nHoldQuarantinedMessages true\n")})), "#", "")), " ")
	seen := 0
	for _, block := range strings.Split(string(page), "    # opendmarc.conf:")[1:] {
		block, _, _ = strings.Cut(block, "\n\n")
		seen++
		if want := strings.Join(strings.Fields(strings.ReplaceAll(block, "#", "")), " "); !strings.Contains(made, want) {
			t.Errorf("%q is not in %q", want, made)
		}
	}
	if seen < 2 {
		t.Errorf("only %d examples were found", seen)
	}
}

// The networks that are left of a list are those that opendkim lets be, looked up as it
// does: from the whole address to no bit of it, and the exclusion first.
func TestNetworksAreThoseThatAreLetBe(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		entries := map[string]bool{}
		var items []item
		for range 1 + random.IntN(8) {
			p, _ := netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(256))}).Prefix(24 + random.IntN(9))
			text := p.String()
			if random.IntN(2) == 0 {
				text = "!" + text
			}
			entries[text] = true
			items = append(items, item{text: text})
		}
		got := new(importer).hostsOf(items).networks
		for last := range 256 {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(last)})
			want := false
			for bits := 32; bits >= 0; bits-- {
				p, _ := addr.Prefix(bits)
				if entries["!"+p.String()] {
					break
				}
				if entries[p.String()] {
					want = true
					break
				}
			}
			if in := slices.ContainsFunc(got, func(p netip.Prefix) bool { return p.Contains(addr) }); in != want {
				t.Fatalf("%v: %v is in %v: %v, want %v", entries, addr, got, in, want)
			}
		}
	}
}

// Secrets of the files are not written.
func TestSecretsStayWhereTheyAre(t *testing.T) {
	const secret = "hunter2"
	result := imported(t, File{Name: "opendkim.conf", Text: []byte(strings.ReplaceAll(`LDAPBindPassword SECRET
KeyTable dsn:mysql://u:SECRET@h/db
MTACommand smtp://u:SECRET@h
LDAPBindPassword SECRET said again
LDAPBindPasswrd SECRET
DatabasePassword SECRET
SigningTable DSN:mysql://u:SECRET@h/db
SigningTable refile:/x
InternalHosts csl:192.0.2.1,dsn:mysql://u:SECRET@h/db,mysql://u:SECRET@h
Mode dsn:mysql://u:SECRET@h
root:SECRET:20228:0:::
LDAPBindPassword=SECRET
`, "SECRET", secret))})
	got := text(t, result)
	for _, w := range result.Warnings {
		got += w.String() + "\n"
	}
	if strings.Contains(got, secret) {
		t.Errorf("a secret is in\n%s", got)
	}
}

// What is in the files, alignd can read what is made of it.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{"RejectString \x00%s\n", "IgnoreMailFrom *,\nRejectFailures y", "AuthservID é: # x", "PeerList !0/0,::/0,1.2.3.4/33\nNameservers ::1,x",
		"Whitelist = a,b\nVoid_Limit = 99\nLookup_Time = -1", "Minimum 101%\nClockDrift 99999999999999999999", "DomainWhitelist *.x,{y}\nIgnoreMailTo <>", "\u2028X \u0085"} {
		for _, kind := range Types() {
			f.Add(seed, kind)
		}
	}
	f.Fuzz(func(t *testing.T, content, kind string) {
		if filterNamed(kind) == nil || strings.Contains(content, "/") {
			return // files of this machine are not read
		}
		loaded(t, imported(t, File{Name: "x.conf", Text: []byte(content), Type: kind}))
	})
}
