package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/policy"
	"alignd/record"
)

// besideAFilter is a configuration whose journal, in a store, has messages that another
// filter judged too.
func besideAFilter(t *testing.T, options string) string {
	t.Helper()
	file, _ := emptyJournal(t, options)
	_, m := remembering(t, file)
	n := 0
	add := func(age time.Duration, theirs string, change func(*evidence.Message)) {
		n++
		ev := evidence.Message{
			Schema: evidence.SchemaVersion, Looked: evidence.AllSections, Time: time.Now().Add(-age), QueueID: fmt.Sprint("4SH", n), Token: fmt.Sprint("token", n),
			MailFrom: "a@bank.example", MailFromDomain: "bank.example", From: evidence.From{Fields: 1, Domains: []string{"bank.example"}},
			SPF:        evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.example", Result: evidence.Pass}},
			Incumbents: []evidence.Incumbent{{ServID: "mx.here.test"}},
		}
		if theirs != "" {
			ev.Incumbents[0].Fields, ev.Incumbents[0].Results = 1, []evidence.MethodResult{{Method: "spf", Result: theirs}}
		}
		if change != nil {
			change(&ev)
		}
		r := &record.Record{Evidence: ev, Verdict: policy.Verdict{Disposition: policy.DispositionAccept, Delivery: policy.Deliver}}
		m.Sink(record.Sinks{}).Take(r)(true)
	}
	for range 3 {
		add(time.Minute, "pass", nil)
	}
	add(time.Minute, "", nil)
	add(time.Minute, "pass", func(ev *evidence.Message) {
		ev.SPF.MailFrom.Result, ev.SPF.MailFrom.Reason = evidence.PermError, `"a" of bank.example would be the term number 11 that causes DNS questions, the limit is 10`
	})
	add(time.Minute, "pass", func(ev *evidence.Message) { ev.Incumbents = nil })
	add(48*time.Hour, "neutral\x1b", nil)
	m.Close()
	return file
}

func TestDoctorSumsUpWhatAFilterInFrontSaysOtherwise(t *testing.T) {
	cluster := pgtest.Start(t)
	if err := cluster.Exec("postgres", "CREATE DATABASE beside"); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"store: sqlite", fmt.Sprintf("store: postgres, url: %q", cluster.URL("beside"))} {
		t.Run(options[:13], func(t *testing.T) {
			file := besideAFilter(t, options)
			exit, out, errs := called("doctor", "--compare", "--config", file)
			for _, want := range []string{
				"Beside mx.here.test: messages 6,", "It wrote no field that alignd saw in 1 of them.", "the same in 3 (60.0 %) of 5 messages",
				"1 x spf: pass there, permerror here [spf-lookups]", "more than 10 terms", "alignd, by RFC 7208 section 4.6.4", "samples: 4SH5",
				"there, pass here [unexplained]", "not to be told",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in\n%s%s", want, out, errs)
				}
			}
			if exit != 1 || strings.Contains(out, "\x1b") {
				t.Errorf("exit %d:\n%q", exit, out)
			}
			// Of the last day there is only what alignd is right in.
			exit, out, errs = called("doctor", "--compare", "--since", "24h", "--json", "--config", file)
			var got comparedJSON
			if err := json.Unmarshal([]byte(out), &got); err != nil || exit != 0 {
				t.Fatalf("exit %d, %v: %s%s", exit, err, out, errs)
			}
			if f := got.Filters[0]; got.Messages != 5 || f.Wrote != 4 || f.Absent != 1 || f.Compared != 4 || f.Agreed != 3 || len(f.Differences) != 1 ||
				f.Differences[0].Right != "alignd" || f.Methods[0] != (comparedMethodJSON{"spf", 4, 3}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestDoctorHasNothingToCompare(t *testing.T) {
	empty, _ := emptyJournal(t, "store: sqlite")
	_, m := remembering(t, empty)
	m.Close()
	none, _ := emptyJournal(t, "store: none")
	for _, c := range []struct {
		name string
		args []string
		exit int
		has  string
	}{
		{name: "an empty journal", args: []string{"--compare", "--config", empty}, exit: 1, has: "compare_with"},
		{name: "no journal", args: []string{"--compare", "--config", none}, exit: exitUnknown, has: "journal"},
		{name: "a wrong time", args: []string{"--compare", "--since", "yesterday", "--config", empty}, exit: exitUnknown, has: "neither RFC 3339"},
		{name: "--since alone", args: []string{"--since", "7d"}, exit: exitUnknown, has: "--since goes with --compare"},
	} {
		t.Run(c.name, func(t *testing.T) {
			exit, out, errs := called(append([]string{"doctor"}, c.args...)...)
			if exit != c.exit || !strings.Contains(out+errs, c.has) {
				t.Errorf("exit %d: %s%s", exit, out, errs)
			}
		})
	}
}
