package judge

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"alignd/authres"
	"alignd/compare"
	"alignd/evidence"
	"alignd/header"
	"alignd/internal/made"
	"alignd/policy"
)

const theirID = "mx.here.test"

// headerOf reads "Name: value" lines.
func headerOf(lines ...string) *header.Fields {
	fields := new(header.Fields)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields.Add([]byte(name), []byte(value))
	}
	return fields
}

func TestWhatAFilterInFrontWroteIsReadAndStays(t *testing.T) {
	const ar = "Authentication-Results: "
	for _, c := range []struct {
		name    string
		with    []string
		strip   Strip
		fields  []string
		results string // "method=result" of each filter
		deleted string // numbers of Authentication-Results, the last one first
	}{
		{name: "one field with all", fields: []string{ar + "mx.here.test; dkim=pass header.d=a.example; spf=fail smtp.mailfrom=a.example", ar + "mx.example.net; spf=pass"},
			results: "mx.here.test 1 dkim=pass spf=fail"},
		{name: "two filters share an id", fields: []string{ar + "mx.here.test; dmarc=fail header.from=a.example", "DKIM-Filter: x", ar + "mx.here.test; dkim=pass header.d=a.example"},
			results: "mx.here.test 2 dmarc=fail dkim=pass"},
		{name: "a forged field below the true one goes", fields: []string{ar + "mx.here.test; spf=fail; dmarc=fail", ar + "mx.here.test; dmarc=pass"},
			results: "mx.here.test 1 spf=fail dmarc=fail", deleted: "2"},
		{name: "a forged result does not stay for a new one beside it", fields: []string{ar + "mx.here.test; spf=fail; dmarc=fail", ar + "mx.here.test; arc=pass; dmarc=pass", ar + "mx.here.test; dmarc=pass; iprev=pass", ar + "mx.here.test; dkim=fail header.d=a.example"},
			results: "mx.here.test 2 spf=fail dmarc=fail dkim=fail", deleted: "3 2"},
		{name: "nor for one that nobody compares", fields: []string{ar + "mx.here.test; dmarc=fail", ar + "mx.here.test; dmarc=pass; auth=pass"},
			results: "mx.here.test 1 dmarc=fail", deleted: "2"},
		{name: "below Received nothing is theirs", fields: []string{ar + "mx.here.test; dmarc=fail", "Received: from x", ar + "mx.here.test; dkim=pass"},
			results: "mx.here.test 1 dmarc=fail", deleted: "2"},
		{name: "the topmost may stand below Received", fields: []string{"Received: from x", ar + "mx.here.test; dmarc=fail"},
			results: "mx.here.test 1 dmarc=fail"},
		{name: "a field that tells of nothing new is not theirs", fields: []string{ar + "mx.here.test; spf=pass", ar + "mx.here.test; none", ar + "mx.here.test; x-mine=pass"},
			results: "mx.here.test 1 spf=pass", deleted: "3 2"},
		{name: "none is a result too", fields: []string{ar + "mx.here.test; none"}, results: "mx.here.test 1"},
		{name: "nothing", fields: []string{"Subject: x"}, results: "mx.here.test 0"},
		{name: "another host of the site", fields: []string{ar + "mx2.here.test; spf=pass"}, results: "mx.here.test 0", deleted: "1"},
		{name: "another spelling, and a queue id behind it", fields: []string{ar + "MX.here.test./4F3A2; spf=pass"}, results: "mx.here.test 1 spf=pass"},
		{name: "a version that nobody knows stays where it is topmost", fields: []string{ar + "mx.here.test 2; spf=pass"}, results: "mx.here.test 1"},
		{name: "one with more results than are read", fields: []string{ar + "mx.here.test" + strings.Repeat("; dkim=fail", 300), ar + "mx.here.test; dmarc=pass"},
			results: "mx.here.test 1", deleted: "2"},
		{name: "one that cannot be read to its end", fields: []string{ar + "mx.here.test; spf=fail; dkim=pass (", ar + "mx.here.test; spf=pass"},
			results: "mx.here.test 1", deleted: "2"},
		{name: "strip: all spares theirs alone", strip: StripAll, fields: []string{ar + "other.example; spf=pass", ar + "mx.here.test; spf=fail", ar + "mx.here.test; spf=pass"},
			results: "mx.here.test 1 spf=fail", deleted: "3 1"},
		{name: "strip: none", strip: StripNone, fields: []string{ar + "mx.here.test; spf=fail", ar + "mx.here.test; spf=pass"}, results: "mx.here.test 1 spf=fail"},
		{name: "each id has its own topmost field", with: []string{"mx.here.test", "rspamd.example"},
			fields:  []string{ar + "rspamd.example; spf=pass; dmarc=pass", ar + "mx.here.test; dmarc=fail", ar + "rspamd.example; dmarc=fail"},
			results: "mx.here.test 1 dmarc=fail, rspamd.example 1 spf=pass dmarc=pass", deleted: "3"},
		{name: "SPF of two filters that share an id: the upper one counts", fields: []string{ar + "mx.here.test; dmarc=fail", ar + "mx.here.test; spf=fail", ar + "mx.here.test; spf=softfail"},
			results: "mx.here.test 2 dmarc=fail spf=fail", deleted: "3"},
		{name: "SPF of two filters with ids of their own", with: []string{"mx.here.test", "spf.here.test"}, fields: []string{ar + "mx.here.test; dmarc=fail; spf=fail", ar + "spf.here.test; spf=softfail"},
			results: "mx.here.test 1 dmarc=fail spf=fail, spf.here.test 1 spf=softfail"},
		{name: "an id that is not of this site is stripped where it is forged", with: []string{"rspamd.example"},
			fields: []string{ar + "rspamd.example; spf=pass", ar + "rspamd.example; spf=fail"}, results: "rspamd.example 1 spf=pass", deleted: "2"},
		{name: "several results of a method in one field", fields: []string{ar + "mx.here.test; dkim=pass header.d=a.example; dkim=fail header.d=b.example"},
			results: "mx.here.test 1 dkim=pass dkim=fail"},
		{name: "comments, folds and an odd result", fields: []string{ar + "mx.here.test;\r\n\tdmarc=fail (p=reject dis=none)\r\n\theader.from=a.example; ??? ; arc=none"},
			results: "mx.here.test 1 dmarc=fail arc=none"},
		{name: "no id at all", fields: []string{ar + "spf=pass smtp.mailfrom=a.example"}, results: "mx.here.test 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Settings{Rules: policy.Defaults(), Strip: c.strip, TagName: "X-Alignd-Disposition", CompareWith: c.with}
			if c.with == nil {
				s.CompareWith = []string{theirID}
			}
			if c.strip == "" {
				s.Strip = StripOwn
			}
			m := s.MarksOf(theirID, headerOf(c.fields...))
			var found []string
			for _, in := range m.front.evidence() {
				text := fmt.Sprint(in.ServID, " ", in.Fields)
				for _, r := range in.Results {
					text += " " + r.Method + "=" + r.Result
				}
				found = append(found, text)
			}
			if got := strings.Join(found, ", "); got != c.results {
				t.Errorf("read %q, want %q", got, c.results)
			}
			j := Judgement{Evidence: &evidence.Message{MTA: theirID}, marks: m, Results: authres.Header{}}
			var deleted []string
			for _, f := range j.Deletions() {
				deleted = append(deleted, fmt.Sprint(f.Number))
			}
			if got := strings.Join(deleted, " "); got != c.deleted {
				t.Errorf("deleted %q, want %q", got, c.deleted)
			}
		})
	}
}

// What users search the field for must not find alignd's.
func TestTheIDBesideAFilterInFront(t *testing.T) {
	for _, c := range []struct{ name, id, mta, want string }{
		{name: "the MTA's name is theirs", mta: "mx.here.test", want: "alignd-shadow.here.test"},
		{name: "theirs is in the MTA's name", mta: "b.mx.here.test", want: "alignd-shadow"},
		{name: "another MTA", mta: "mx.example.net", want: "mx.example.net"},
		{name: "a configured id", id: "alignd.here.test", mta: "mx.here.test", want: "alignd.here.test"},
		{name: "a configured id with theirs in it, which is warned of", id: "shadow.mx.here.test", mta: "mx.here.test", want: "shadow.mx.here.test"},
		{name: "theirs, by --authserv-id of check", id: "mx.here.test", mta: "mx.here.test", want: "alignd-shadow.here.test"},
		{name: "no name at all", want: authres.Unnamed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Settings{AuthservID: c.id, CompareWith: []string{theirID}}
			if got := s.servID(c.mta); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if own := s.own(c.mta); !own.Claims([]byte(c.want + "; spf=pass")) {
				t.Error("an incoming field with it is not deleted")
			}
		})
	}
}

// A reload may name filters in front, and no longer, while a connection lasts.
func TestAReloadChangesTheFiltersInFront(t *testing.T) {
	var c Scratch
	for _, row := range []struct {
		with    []string
		deleted int
	}{{nil, 0}, {[]string{"front.test"}, 1}, {[]string{"other.test"}, 0}, {nil, 0}} {
		s := &Settings{AuthservID: "mx.here.test", Strip: StripOwn, CompareWith: row.with}
		m := s.NewMarks("", &c)
		for range 2 { // the first one is theirs
			m.Note([]byte(authres.FieldName), []byte(" front.test; spf=pass"))
		}
		if n := len(m.results.deleted); n != row.deleted {
			t.Errorf("%q: %d deleted, want %d", row.with, n, row.deleted)
		}
	}
}

// What is kept has bounds, and no local part.
func TestWhatIsKeptOfAFilterInFrontIsBounded(t *testing.T) {
	long := strings.Repeat("x", 500)
	var b strings.Builder
	b.WriteString("mx.here.test")
	for range 200 {
		fmt.Fprintf(&b, "; spf=%s reason=%s smtp.mailfrom=ann@%s.example smtp.mailfrom=b header.x=y", long[:40], long, long)
	}
	s := &Settings{Strip: StripOwn, CompareWith: []string{theirID}}
	m := s.MarksOf(theirID, headerOf("Authentication-Results: mx.here.test; spf=pass reason="+long+" smtp.mailfrom=ann@"+long+" x.y=z"))
	one := m.front.found[0].Results[0]
	if len(one.Reason) != maxTheirValue || len(one.Properties) != 1 || len(one.Properties[0].Value) != maxTheirValue || strings.Contains(one.Properties[0].Value, "ann") {
		t.Errorf("%+v", one)
	}
	m = s.MarksOf(theirID, headerOf("Authentication-Results: "+b.String()))
	if n := len(m.front.found[0].Results); n > evidence.MaxIncumbentResults {
		t.Errorf("%d results", n)
	}
}

func FuzzWhatAFilterInFrontWrote(f *testing.F) {
	f.Add("mx.here.test; spf=fail smtp.mailfrom=a@b.example", "mx.here.test; dkim=pass header.d=c.example header.b=x")
	f.Add("rspamd.example; dmarc=pass header.from=x; arc=a,b/c:d", "MX.here.test/1 2; spf=pass (")
	s := &Settings{Strip: StripOwn, TagName: "X-Tag", CompareWith: []string{theirID, "rspamd.example"}}
	f.Fuzz(func(t *testing.T, one, two string) {
		m := s.MarksOf(theirID, headerOf("Authentication-Results:"+one, "Authentication-Results:"+two))
		ev := &new(made.World).Record(0).Evidence
		ev.Incumbents = m.front.evidence()
		fields := 0
		for _, in := range ev.Incumbents {
			fields += in.Fields
			if len(in.Results) > evidence.MaxIncumbentResults {
				t.Fatalf("%d results", len(in.Results))
			}
			for _, r := range in.Results {
				for _, p := range r.Properties {
					if len(p.Value) > maxTheirValue || len(r.Result) > maxTheirWord {
						t.Fatalf("too long: %+v", r)
					}
				}
			}
		}
		if fields+len(m.results.deleted) > 2 {
			t.Fatalf("%d fields stay and %d go", fields, len(m.results.deleted))
		}
		text := compare.Text(compare.Differences(ev, &policy.Verdict{Evaluation: 1}))
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q", text)
		}
	})
}

// No verdict depends on what a filter in front wrote.
func TestNoVerdictReadsWhatAFilterInFrontWrote(t *testing.T) {
	rules, world, n := policy.Defaults(), &made.World{}, 0
	for i := range 300 {
		r := world.Record(i)
		ev := r.Evidence
		without := policy.Decide(&ev, rules)
		for _, word := range []string{"pass", "fail", "none", "temperror"} {
			theirs := evidence.Incumbent{ServID: theirID, Fields: 1}
			for _, method := range []string{"spf", "dkim", "dmarc", "arc", "iprev"} {
				theirs.Results = append(theirs.Results, evidence.MethodResult{Method: method, Result: word})
			}
			ev.Incumbents = []evidence.Incumbent{theirs}
			if with := policy.Decide(&ev, rules); !reflect.DeepEqual(with, without) {
				t.Fatalf("%s: %+v, without it %+v", word, with, without)
			}
			if without.Evaluation > 0 && len(compare.Differences(&ev, &without)) > 0 {
				n++
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d differ", n)
	}
}
