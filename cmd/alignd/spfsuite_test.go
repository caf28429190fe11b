package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// spfScenario is one document of the RFC 7208 suite that the SPF module has.
type spfScenario struct {
	Tests map[string]struct {
		HELO        string `yaml:"helo"`
		Host        string
		MailFrom    string `yaml:"mailfrom"`
		Result      any    // a word, or a list of them
		Explanation string
	}
	ZoneData map[string][]map[string]yaml.Node
}

// TestCheckHoldsTheSPFSuite writes each scenario's zone as a zone file, as a
// stranger to alignd would, and asks check about each case.
func TestCheckHoldsTheSPFSuite(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		t.Fatalf("finding the SPF module: %v", err)
	}
	file, err := os.Open(filepath.Join(string(bytes.TrimSpace(dir)), "testdata", "rfc7208-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	total := 0
	for dec := yaml.NewDecoder(file); ; {
		var s spfScenario
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		zone := write(t, "zone", s.zone(t))
		for name, c := range s.Tests {
			total++
			got := alignd(t, plainMessage, "check", "--json", "--zone", zone, "--ip", c.Host, "--helo", c.HELO, "--mail-from", c.MailFrom, "-")
			var r checkReport
			if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
				t.Errorf("%s: %+v", name, got)
				continue
			}
			if want := fmt.Sprint(c.Result); !slices.Contains(strings.Fields(strings.Trim(want, "[]")), string(r.SPF.Result)) {
				t.Errorf("%s: got %s (%s), want %s", name, r.SPF.Result, r.SPF.Reason, want)
			}
			if c.Explanation != "" && r.SPF.Explanation != strings.TrimPrefix(c.Explanation, "DEFAULT") {
				t.Errorf("%s: explanation %q, want %q", name, r.SPF.Explanation, c.Explanation)
			}
		}
	}
	t.Logf("%d cases", total)
	if total < 203 {
		t.Errorf("%d cases, want all 203", total)
	}
}

// zone is the scenario's data in master format. By the suite's convention a
// type 99 record stands for a TXT record too, where the name has no TXT.
func (s *spfScenario) zone(t *testing.T) string {
	var b strings.Builder
	for name, records := range s.ZoneData {
		owner := presentation(name)
		hasTXT := slices.ContainsFunc(records, func(r map[string]yaml.Node) bool { _, ok := r["TXT"]; return ok })
		for _, r := range records {
			for kind, value := range r {
				switch kind {
				case "TXT", "SPF":
					if value.Value == "NONE" {
						continue
					}
					text := texts(t, &value)
					fmt.Fprintf(&b, "%s IN %s %s\n", owner, kind, text)
					if kind == "SPF" && !hasTXT {
						fmt.Fprintf(&b, "%s IN TXT %s\n", owner, text)
					}
				case "MX":
					fmt.Fprintf(&b, "%s IN MX %s %s\n", owner, value.Content[0].Value, presentation(value.Content[1].Value))
				case "CNAME", "PTR":
					fmt.Fprintf(&b, "%s IN %s %s\n", owner, kind, presentation(value.Value))
				case "TIMEOUT":
					fmt.Fprintf(&b, "%s IN TIMEOUT\n", owner)
				case "CNAMELOOP":
					fmt.Fprintf(&b, "%s IN CNAME %s\n", owner, owner)
				default:
					fmt.Fprintf(&b, "%s IN %s %s\n", owner, kind, value.Value)
				}
			}
		}
	}
	return b.String()
}

// presentation is an absolute name with its odd octets escaped.
func presentation(name string) string {
	var b strings.Builder
	for _, c := range []byte(strings.TrimSuffix(name, ".")) {
		if strings.IndexByte(" \t;()\"\\@$", c) >= 0 {
			fmt.Fprintf(&b, "\\%03d", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String() + "."
}

// texts are the strings of one record; the suite writes an octet above 0x7F as
// the character of that number.
func texts(t *testing.T, n *yaml.Node) string {
	list := []string{n.Value}
	if n.Kind == yaml.SequenceNode {
		if err := n.Decode(&list); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	for _, s := range list {
		b.WriteString(` "`)
		for _, r := range s {
			if r < ' ' || r > '~' || r == '"' || r == '\\' {
				fmt.Fprintf(&b, "\\%03d", byte(r))
			} else {
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
	}
	return b.String()
}
