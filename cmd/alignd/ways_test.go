package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"alignd/e2e/cases"
	"alignd/evidence"
	"alignd/internal/mailbox"
	"alignd/policy"
	"alignd/verify/dmarc"
)

// checkedHere judges the message of a case as check does.
func checkedHere(t *testing.T, c *cases.Case, e *cases.Envelope) (*checker, *checked) {
	t.Helper()
	var f checkFlags
	cmd := &cobra.Command{}
	f.flags(cmd)
	args := append([]string{"--now", "1790000000", "--authserv-id", "mx.here.test", "--zone", "zone"}, e.Args()...)
	if c.Config != "" {
		args = append(args, "--config", filepath.Base(c.Config))
	} else {
		args = append(args, "--config", "/dev/null")
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	f.given = cmd.Flags().Changed
	k, err := newChecker(&f)
	if err != nil {
		t.Fatal(err)
	}
	var got *checked
	in := mailbox.Reader{Quoting: mailbox.Quoting(f.mbox), Message: func(m *mailbox.Message) (err error) {
		got, err = k.check(t.Context(), m)
		return err
	}, Unreadable: func(_ string, err error) error { return err }}
	if err := in.Read(e.Step.File); err != nil {
		t.Fatal(err)
	}
	return k, got
}

// TestEachWayToAPassIsTrue evaluates the messages of all cases and recipes again, with
// their DNS, as each way says: the Author Domain passes.
func TestEachWayToAPassIsTrue(t *testing.T) {
	kinds := map[string]int{}
	for _, root := range []string{"../../testdata/cases", "../../testdata/recipes"} {
		all, err := cases.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			t.Run(c.Name, func(t *testing.T) {
				t.Chdir(c.Dir)
				for _, e := range c.Envelopes() {
					k, got := checkedHere(t, c, &e)
					defer k.close()
					for _, w := range policy.Ways(got.by[0].j.Evidence, got.by[0].s.Rules) {
						if w.Passes {
							kinds[passesAgain(t, k, got, &w)]++
						}
					}
				}
			})
		}
	}
	for _, kind := range []string{"signature", "signer", "spf", "relaxed"} {
		if kinds[kind] == 0 {
			t.Errorf("no way by %s was seen", kind)
		}
	}
	t.Log(kinds)
}

func passesAgain(t *testing.T, k *checker, got *checked, w *policy.Way) (kind string) {
	t.Helper()
	ev := got.by[0].j.Evidence
	ids := dmarc.Identifiers{SPF: ev.ReportedSPF(), DKIM: slices.Clone(ev.DKIM)}
	switch c := w.Change; {
	case c.Signature > 0:
		kind = "signature"
		ids.DKIM[c.Signature-1].Result = evidence.Pass
	case c.Signer != "":
		kind = "signer"
		ids.DKIM = append(ids.DKIM, evidence.Signature{Result: evidence.Pass, Domain: c.Signer})
	case c.SPF != "":
		kind = "spf"
		ids.SPF = &evidence.SPFCheck{Result: evidence.Pass, Domain: c.SPF}
	case c.Relaxed:
		i := slices.IndexFunc(ev.DMARC, func(d evidence.DMARC) bool { return d.AuthorDomain == w.Author })
		if p := ev.DMARC[i].Published; !p.StrictDKIM && !p.StrictSPF {
			t.Errorf("%s: the record is relaxed", w.Text)
		}
		return "relaxed" // only the owner could show it
	default:
		t.Errorf("%s: a change of nothing", w.Text)
		return ""
	}
	if w.Change.Answers {
		return "answer"
	}
	again := dmarc.Start(t.Context(), k.sides[0].lookup, w.Author, k.sides[0].opt.DMARC).Finish(t.Context(), ids)
	if again.Result != evidence.Pass && !strings.Contains(w.Text, "unless DNS makes") {
		t.Errorf("%s: it is %s (%s)", w.Text, again.Result, again.Reason)
	}
	if again.Result != evidence.Pass {
		kind += ", by DNS not"
	}
	return kind
}
