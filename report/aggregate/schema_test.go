package aggregate

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"alignd/evidence"
	"alignd/policy"
)

// TestSchema has libxml2 look at reports by what RFC 9990 and RFC 7489 allow.
func TestSchema(t *testing.T) {
	reports := append(count(world(3000)), allKinds()...)
	for _, schema := range []Schema{RFC9990, RFC7489} {
		dir := t.TempDir()
		var files []string
		for i, rep := range reports {
			rep.ID, rep.Dropped = fmt.Sprintf("id%d", i), int64(i%2)
			var b bytes.Buffer
			if err := Encode(&b, rep, schema); err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.Join(dir, fmt.Sprintf("%d.xml", i)))
			if err := os.WriteFile(files[i], b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		bySchema(t, schema, files)
		t.Logf("%d reports are as %s wants them", len(files), schema)
	}
}

// bySchema has libxml2 look at files.
func bySchema(t *testing.T, schema Schema, files []string) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("ALIGND_E2E") != "" {
			t.Fatal(err)
		}
		t.Skip("left out: reports by the schema (needs xmllint; make test installs it)")
	}
	out, err := exec.Command(xmllint, append([]string{"--noout", "--nonet", "--schema", "testdata/" + string(schema) + ".xsd"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%.4000s", schema, err, out)
	}
}

// allKinds are reports with every word and everything that may be missing.
func allKinds() (reports []*Report) {
	policies := []evidence.DMARCPolicy{"", evidence.PolicyNone, evidence.PolicyQuarantine, evidence.PolicyReject}
	for i, sp := range policies {
		p := Policy{P: policies[max(i, 1)], SP: sp, NP: policies[3-i], StrictDKIM: i%2 == 0, StrictSPF: i%3 == 0, Pct: i * 25,
			Testing: []string{"", "n", "y", ""}[i], FO: []string{"", "1", "0:d:s", "1:d"}[i]}
		discovery := []evidence.Discovery{evidence.TreeWalk, evidence.PSL}[i%2]
		reports = append(reports, &Report{Organization: "here", Email: "dmarc@here.test", Scope: Scope{Day: day, Domain: "xn--bcher-kva.example", Discovery: discovery, Policy: p}, Rows: allRows()})
	}
	return reports
}

func allRows() (rows []Counted) {
	row := Row{Source: netip.MustParseAddr("2001:db8::1"), HeaderFrom: "a.example", EnvelopeFrom: "b.example", Disposition: None}
	add := func(change func(*Row)) {
		r := row
		change(&r)
		rows = append(rows, Counted{Row: r, Count: int64(len(rows) + 1)})
	}
	results := []evidence.Result{evidence.None, evidence.Pass, evidence.Fail, evidence.SoftFail, evidence.Policy, evidence.Neutral, evidence.TempError, evidence.PermError}
	for _, result := range results {
		for _, mailFrom := range []bool{true, false} {
			add(func(r *Row) {
				r.Checked = &SPF{Domain: "b.example", MailFrom: mailFrom, Result: result, Human: "why <so>"}
			})
		}
		if result != evidence.SoftFail { // no result of DKIM
			add(func(r *Row) {
				r.Signatures = []Signature{{Domain: "a.example", Selector: "_odd.\u00fc", Result: result}, {Domain: "b.example", Result: result, Human: "why"}}
			})
		}
	}
	for _, d := range []Disposition{None, Pass, Quarantine, Reject} {
		for _, passes := range []bool{true, false} {
			add(func(r *Row) { r.Disposition, r.DKIM, r.SPF = d, passes, !passes })
		}
	}
	for _, why := range []policy.OverrideType{policy.OverrideLocalPolicy, policy.OverrideMailingList, policy.OverrideTrustedForwarder, policy.OverrideOther, policy.OverrideTestMode} {
		add(func(r *Row) {
			r.Reasons = []policy.OverrideReason{{Type: why}, {Type: why, Comment: "arc=pass as[1].d=list.example"}, {Type: policy.OverrideOther, Comment: "sampled_out pct=20"}}
		})
	}
	for _, source := range []string{"::1", "2001:db8:1:2:3:4:5:6", "192.0.2.255"} {
		add(func(r *Row) { r.Source = netip.MustParseAddr(source) })
	}
	add(func(r *Row) { r.EnvelopeFrom, r.EnvelopeTo = "", "rcpt.example" }) // the null reverse-path
	return rows
}
