package spf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"alignd/evidence"
	"alignd/resolver"
)

// scenario is one YAML document of the published suites: a zone and the
// checks that run in it.
type scenario struct {
	Description string
	Comment     string
	Tests       map[string]suiteCase
	ZoneData    map[string][]yaml.Node
}

type suiteCase struct {
	HELO        string `yaml:"helo"`
	Host        string
	MailFrom    string `yaml:"mailfrom"`
	Result      oneOrMore
	Explanation string
	Receiver    string
}

// oneOrMore is a scalar or a list of scalars.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = []string{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// moduleDir is where the SPF module with the suites lies.
func moduleDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		t.Fatalf("finding the SPF module: %v", err)
	}
	return string(bytes.TrimSpace(out))
}

func readSuite(t testing.TB, name string) []scenario {
	t.Helper()
	file, err := os.Open(filepath.Join(moduleDir(t), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []scenario
	for dec := yaml.NewDecoder(file); ; {
		var s scenario
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading %s: %v", name, err)
		}
		all = append(all, s)
	}
}

// dns builds the zone by the suite's conventions: a type 99 record stands for
// a TXT record too, unless the name has TXT records of its own ("NONE": none),
// and TIMEOUT answers for the types that have no record there.
func (s scenario) dns(t testing.TB) *fakeDNS {
	t.Helper()
	f := newFakeDNS()
	for name, records := range s.ZoneData {
		n := f.at(name)
		var spf []string
		ownTXT := false
		for _, r := range records {
			if r.Kind == yaml.ScalarNode { // "- TIMEOUT" without a value
				n.broken = true
				continue
			}
			kind, value := r.Content[0].Value, r.Content[1]
			switch kind {
			case "TXT":
				ownTXT = true
				if value.Value != "NONE" {
					n.txt = append(n.txt, text(t, value))
				}
			case "SPF":
				spf = append(spf, text(t, value))
			case "A", "AAAA":
				n.addrs = append(n.addrs, netip.MustParseAddr(value.Value))
			case "MX":
				host := strings.ToLower(strings.TrimSuffix(value.Content[1].Value, "."))
				n.mx = append(n.mx, resolver.MX{Host: host})
			case "PTR":
				n.ptr = append(n.ptr, strings.ToLower(strings.TrimSuffix(value.Value, ".")))
			case "CNAME":
				n.cname, n.alias = value.Value, true
			case "TIMEOUT", "SERVFAIL", "CNAMELOOP":
				n.broken = true
			default:
				t.Fatalf("%s: record type %q", name, kind)
			}
		}
		if !ownTXT {
			n.txt = append(n.txt, spf...)
		}
	}
	return f
}

// text joins the strings of a TXT record. The suites write an octet above
// 0x7F as the character of that number.
func text(t testing.TB, n *yaml.Node) string {
	t.Helper()
	var parts oneOrMore
	if err := n.Decode(&parts); err != nil {
		t.Fatal(err)
	}
	var octets []byte
	for _, r := range strings.Join(parts, "") {
		octets = append(octets, byte(r))
	}
	return string(octets)
}

func (c suiteCase) check(lk resolver.Lookuper) evidence.SPFCheck {
	ip, _ := netip.ParseAddr(c.Host)
	return MailFrom(context.Background(), lk, Check{
		IP: ip, HELO: c.HELO, MailFrom: c.MailFrom, Receiver: c.Receiver,
	})
}

// exception is a case whose published expectation is not RFC 7208's.
type exception struct {
	want evidence.Result // what the RFC says
	why  string
}

const (
	singleLabelSender = "the MAIL FROM domain has one label: none, RFC 7208 section 4.3"
	singleLabelTarget = "a domain-spec of one label is a syntax error, RFC 7208 section 7.1 and a-only-toplabel"
)

// TestSuites runs the published suites whole, those cases included that the
// module itself skips. The first result of a list is the one aimed at.
func TestSuites(t *testing.T) {
	for _, file := range []struct {
		name       string
		anyListed  bool // the order of the results is not RFC 7208's
		exceptions map[string]exception
	}{
		{name: "rfc7208-tests.yml"},
		{name: "pyspf-tests.yml", exceptions: pyspfExceptions},
		{name: "blitirispf-tests.yml", exceptions: blitiriExceptions},
		{name: "rfc4408-tests.yml", anyListed: true},
	} {
		t.Run(file.name, func(t *testing.T) {
			total, passed, excepted := 0, 0, 0
			met := map[string]bool{}
			for _, s := range readSuite(t, file.name) {
				lk := s.dns(t)
				for name, c := range s.Tests {
					total++
					key := s.title() + ": " + name
					if x, ok := file.exceptions[key]; ok {
						met[key] = true
						excepted++
						if got := c.check(lk); got.Result != x.want {
							t.Errorf("%s: got %s (%s), want %s: %s", key, got.Result, got.Reason, x.want, x.why)
						}
						continue
					}
					got := c.check(lk)
					if file.anyListed && slices.Contains(c.Result, string(got.Result)) {
						c.Result = oneOrMore{string(got.Result)}
					}
					if c.holds(t, key, got) {
						passed++
					}
				}
			}
			for key := range file.exceptions {
				if !met[key] {
					t.Errorf("exception %q is in no suite", key)
				}
			}
			t.Logf("%s: %d of %d cases as published, %d named exceptions", file.name, passed, total, excepted)
		})
	}
}

func (s scenario) title() string {
	if s.Description != "" {
		return s.Description
	}
	return strings.TrimSpace(s.Comment)
}

func (c suiteCase) holds(t *testing.T, key string, got evidence.SPFCheck) bool {
	t.Helper()
	if got.Result != evidence.Result(c.Result[0]) {
		t.Errorf("%s: mail from %q, host %s: got %s (%s), want %s",
			key, c.MailFrom, c.Host, got.Result, got.Reason, c.Result[0])
		return false
	}
	want := c.Explanation
	if want == "DEFAULT" {
		want = ""
	}
	if c.Explanation != "" && got.Explanation != want {
		t.Errorf("%s: explanation %q, want %q", key, got.Explanation, want)
		return false
	}
	return true
}

// TestSuitesWithQualifiedNames runs the excepted cases of the module's own
// suite again, with ".example" after each name of one label: then they hold
// as published, so it was the single label alone that parted us.
func TestSuitesWithQualifiedNames(t *testing.T) {
	run := 0
	for _, s := range readSuite(t, "blitirispf-tests.yml") {
		single := map[string]bool{}
		for name := range s.ZoneData {
			if !strings.Contains(name, ".") {
				single[name] = true
			}
		}
		lk := s.dns(t).qualified(single)
		for name, c := range s.Tests {
			key := s.title() + ": " + name
			if _, ok := blitiriExceptions[key]; !ok {
				continue
			}
			run++
			if at := strings.IndexByte(c.MailFrom, '@'); !strings.Contains(c.MailFrom[at:], ".") {
				c.MailFrom += ".example"
			}
			if got := c.check(lk); !slices.Contains(c.Result, string(got.Result)) {
				t.Errorf("%s: got %s (%s), want %v", key, got.Result, got.Reason, c.Result)
			}
		}
	}
	if run != len(blitiriExceptions) {
		t.Errorf("ran %d cases, want all %d", run, len(blitiriExceptions))
	}
}

// qualified copies f with ".example" after every name of one label.
func (f *fakeDNS) qualified(single map[string]bool) *fakeDNS {
	full := func(name string) string {
		if name != "" && !strings.Contains(name, ".") {
			return name + ".example"
		}
		return name
	}
	out := newFakeDNS()
	for name, n := range f.nodes {
		c := *n
		for i, txt := range c.txt {
			words := strings.Split(txt, " ")
			for j, w := range words {
				if at := strings.IndexAny(w, ":="); at > 0 && !strings.Contains(w[at:], ".") && w != version {
					words[j] = w + ".example"
				}
			}
			c.txt[i] = strings.Join(words, " ")
		}
		for i := range c.mx {
			c.mx[i].Host = full(c.mx[i].Host)
		}
		out.nodes[full(name)] = &c
	}
	return out
}
