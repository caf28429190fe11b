package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/e2e/cases"
	"alignd/journal/selftest"
	"alignd/policy"
	"alignd/record"
)

// casesKept is a configuration whose journal has the messages of all cases and recipes,
// judged under theirs, and three more: one whose verdict another version came to, one
// that the MTA gave up, and one whose configuration nobody kept.
func casesKept(t *testing.T, addresses string, more bool) string {
	t.Helper()
	m := openJournal(t, "journal: {path: DIR, addresses: "+addresses+", keep: 87600h}\n")
	var r *record.Record
	known := map[*cases.Case]*config.Config{}
	for i, message := range caseMessages(t) {
		of := known[message.of]
		if of == nil {
			of = configOf(t, message.of)
			known[message.of] = of
			if err := m.State().KeepConfig(t.Context(), of.Hash(), of.Text(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		r = message.judged(t, of)
		r.Evidence.QueueID = fmt.Sprintf("case%d", i)
		m.sink.Take(r)(true)
	}
	if more {
		wrong, aborted, unkept := *r, *r, *r
		wrong.Evidence.QueueID, wrong.Verdict.Delivery, wrong.Basis.Program = "wrong", policy.DeliverHold, "alignd 0.0.1"
		aborted.Outcome.End = record.EndAborted
		unkept.Basis.Config = [32]byte{1}
		for _, r := range []*record.Record{&wrong, &aborted, &unkept} {
			m.sink.Take(r)(true)
		}
	}
	m.close()
	return m.file
}

// A journal of all cases and recipes tests itself: what was kept of records and
// configurations comes to the same verdicts, also of an export, and whatever became of
// addresses.
func TestTheJournalOfAllCasesTestsItself(t *testing.T) {
	for _, addresses := range []string{"keep", "hash", "drop"} {
		t.Run(addresses, func(t *testing.T) {
			file := casesKept(t, addresses, false)
			_, export, _ := called("journal", "export", "--config", file)
			_, hashed, _ := called("journal", "export", "--config", file, "--addresses", "hash")
			key := filepath.Join(filepath.Dir(file), "state", "addresses.key")
			runs := [][]string{{"--config", file}, {"--input", write(t, "export", export)}, {"--input", write(t, "hashed", hashed)}}
			if addresses == "hash" {
				runs = append(runs, []string{"--input", write(t, "again", export), "--key-file", key})
			}
			for _, args := range runs {
				exit, out, errs := called(append([]string{"journal", "self-test", "--json"}, args...)...)
				var res selftest.Result
				if err := json.Unmarshal([]byte(out), &res); err != nil {
					t.Fatalf("%v: %s%s", err, out, errs)
				}
				if exit != 0 || res.Differ != 0 || res.Judged < 150 || res.PassedOver[selftest.NotKept] > 0 || res.Unreadable > 0 {
					t.Errorf("%q: exit %d: %s%s", args[0], exit, out, errs)
				}
				if lost := res.PassedOver[selftest.NotTold]; addresses == "keep" && lost > 0 {
					t.Errorf("%d messages miss local parts", lost)
				}
			}
		})
	}
}

func TestTheSelfTestNamesWhatDiffers(t *testing.T) {
	file := casesKept(t, "keep", true)
	exit, out, errs := called("journal", "self-test", "--config", file)
	for _, want := range []string{", 1 differ", " wrong 0123456789abcdef: Delivery was hold, and is ", "by alignd 0.0.1", "passed over, " + selftest.NotKept + ": 1", "passed over, " + selftest.NotCompared + ": "} {
		if exit != exitFailure || !strings.Contains(out, want) || !strings.Contains(errs, "judged otherwise than they were: 1") {
			t.Errorf("exit %d, %q is missing in %s%s", exit, want, out, errs)
		}
	}
	exit, out, errs = called("journal", "self-test", "--config", file, "--since", "2026-11-01")
	if exit != 0 || !strings.Contains(out, "0 messages judged again") {
		t.Errorf("a time without messages: exit %d: %s%s", exit, out, errs)
	}
	state := filepath.Join(filepath.Dir(file), "state", "state.db")
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if exit, out, errs = called("journal", "self-test", "--config", file); exit != exitFailure || !strings.Contains(errs, "configurations that judged") {
		t.Errorf("without configurations: exit %d: %s%s", exit, out, errs)
	}
}
