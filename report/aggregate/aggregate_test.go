package aggregate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/internal/made"
	"alignd/policy"
	"alignd/record"
	"alignd/report/read"
)

var day = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

// failing is a record of a message from bank.example that was refused.
func failing() *record.Record {
	return &record.Record{
		Evidence: evidence.Message{
			Time: day.Add(9 * time.Hour), MailFrom: "x@other.example", MailFromDomain: "other.example",
			Client:     evidence.Client{Peer: netip.MustParseAddr("192.0.2.1")},
			Recipients: []evidence.Recipient{{Address: "bob@here.test"}, {Address: "eve@Here.test"}},
			SPF:        evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "other.example", Result: evidence.Pass}},
			DKIM: []evidence.Signature{
				{Domain: "bank.example", Selector: "s1", Result: evidence.Fail, Reason: "the body was changed"},
				{Domain: "list.example", Selector: "l", Result: evidence.Pass},
			},
			DMARC: []evidence.DMARC{{
				AuthorDomain: "bank.example", PolicyDomain: "bank.example", Result: evidence.Fail, Discovery: evidence.TreeWalk, Policy: evidence.PolicyReject,
				Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100, RUA: []string{"mailto:r@bank.example"}},
			}},
		},
		Verdict: policy.Verdict{Disposition: policy.DispositionReject, Authors: []policy.AuthorOutcome{{AuthorDomain: "bank.example", Disposition: policy.DispositionReject}}},
		Outcome: record.Outcome{End: record.EndAnswered},
	}
}

func TestOnlyFinalAnswersAreReported(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(*record.Record)
		want int
	}{
		{name: "a message that was refused", f: func(*record.Record) {}, want: 1},
		{name: "RFC 9989 section 4.7: not without rua", f: func(r *record.Record) { r.Evidence.DMARC[0].Published.RUA = nil }},
		{name: "one that was put off: its retry counts", f: func(r *record.Record) { r.Verdict.Disposition = policy.DispositionTempfail }},
		{name: "one that the MTA gave up", f: func(r *record.Record) { r.Outcome.End = record.EndAborted }},
		{name: "one over a limit", f: func(r *record.Record) { r.Outcome.End = record.EndLimit }},
		{name: "one that alignd failed on", f: func(r *record.Record) { r.Outcome.End = record.EndPanic }},
		{name: "one whose edits were not granted", f: func(r *record.Record) { r.Outcome.End = record.EndEdits }},
		{name: "one that was not judged", f: func(r *record.Record) { r.Verdict.NotJudged = true }},
		{name: "RFC 9990 section 3.1: not where no policy was found", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].PolicyDomain = evidence.None, ""
		}},
		{name: "not where the record is unusable", f: func(r *record.Record) { r.Evidence.DMARC[0].Result = evidence.PermError }},
		{name: "not where the policy is unknown for now", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].PolicyTemporary = evidence.TempError, true
		}},
		{name: "where an identifier is unknown for now", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].IdentifierTemporary = evidence.TempError, true
		}, want: 1},
		{name: "not where the client is unknown: a row needs an address", f: func(r *record.Record) { r.Evidence.Client.Peer = netip.Addr{} }},
		{name: "one for each Author Domain", f: func(r *record.Record) {
			r.Evidence.DMARC = append(r.Evidence.DMARC, r.Evidence.DMARC[0])
			r.Verdict.Authors = append(r.Verdict.Authors, r.Verdict.Authors[0])
		}, want: 2},
	} {
		r := failing()
		test.f(r)
		if got := Observe(r, Options{}); len(got) != test.want {
			t.Errorf("%s: %d rows, want %d: %+v", test.name, len(got), test.want, got)
		}
	}
}

func TestRow(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(*record.Record)
		opt  Options
		want func(*Row) bool
	}{
		{name: "a refusal", f: func(*record.Record) {}, want: func(r *Row) bool {
			return r.Disposition == Reject && !r.DKIM && !r.SPF && len(r.Reasons) == 0 && r.HeaderFrom == "bank.example" && r.EnvelopeFrom == "other.example" && r.EnvelopeTo == ""
		}},
		{name: "RFC 9990 section 3.1.3: passes come first", f: func(*record.Record) {}, want: func(r *Row) bool {
			return len(r.Signatures) == 2 && r.Signatures[0].Domain == "list.example" && r.Signatures[1].Human == "the body was changed"
		}},
		{name: "aligned passes come before others, strictly aligned ones first of all", f: func(r *record.Record) {
			r.Evidence.DKIM = []evidence.Signature{{Domain: "list.example", Result: evidence.Pass}, {Domain: "mail.bank.example", Result: evidence.Pass}, {Domain: "bank.example", Result: evidence.Pass}}
			r.Evidence.DMARC[0].AlignedDKIM = []int{1, 2}
		}, want: func(r *Row) bool {
			return r.Signatures[0].Domain == "bank.example" && r.Signatures[1].Domain == "mail.bank.example" && r.Signatures[2].Domain == "list.example"
		}},
		{name: "at most 100 signatures", f: func(r *record.Record) { r.Evidence.DKIM = slices.Repeat(r.Evidence.DKIM, 60) },
			want: func(r *Row) bool { return len(r.Signatures) == 100 && r.Signatures[59].Result == evidence.Pass }},
		{name: "a pass of an enforcing policy is pass", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].DKIMAligned, r.Verdict.Authors[0].Disposition = evidence.Pass, true, policy.DispositionAccept
		}, want: func(r *Row) bool { return r.Disposition == Pass && r.DKIM }},
		{name: "a pass of p=none is none", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].Policy, r.Verdict.Authors[0].Disposition = evidence.Pass, evidence.PolicyNone, policy.DispositionAccept
		}, want: func(r *Row) bool { return r.Disposition == None }},
		{name: "an exemption is none, and says why", f: func(r *record.Record) {
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept, Reasons: []policy.OverrideReason{{Type: policy.OverrideLocalPolicy, Comment: "monitor mode"}}}
		}, want: func(r *Row) bool { return r.Disposition == None && r.Reasons[0].Comment == "monitor" }},
		{name: "RFC 9990 appendix A: a failure that was not met as published has a reason", f: func(r *record.Record) {
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept}
		}, want: func(r *Row) bool {
			return r.Disposition == None && slices.Equal(r.Reasons, []policy.OverrideReason{unsaid})
		}},
		{name: "a failure where none is published needs no reason", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Policy, r.Verdict.Authors[0] = evidence.PolicyNone, policy.AuthorOutcome{Disposition: policy.DispositionAccept}
		}, want: func(r *Row) bool { return r.Disposition == None && len(r.Reasons) == 0 }},
		{name: "put off alone, answered for another Author Domain", f: func(r *record.Record) { r.Verdict.Authors[0].Disposition = policy.DispositionTempfail },
			want: func(r *Row) bool { return r.Disposition == None && r.Reasons[0].Type == policy.OverrideOther }},
		{name: "an accepted temperror says that a fail is none", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].IdentifierTemporary, r.Evidence.DMARC[0].Policy = evidence.TempError, true, evidence.PolicyNone
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept}
		}, want: func(r *Row) bool {
			return r.Disposition == None && slices.Equal(r.Reasons, []policy.OverrideReason{temperror})
		}},
		{name: "beside another reason", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].IdentifierTemporary = evidence.TempError, true
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept, Reasons: []policy.OverrideReason{{Type: policy.OverrideLocalPolicy, Comment: "exception a"}}}
		}, want: func(r *Row) bool {
			return r.Disposition == None && len(r.Reasons) == 2 && r.Reasons[0].Comment == "exception" && r.Reasons[1] == temperror
		}},
		{name: "and once", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].IdentifierTemporary = evidence.TempError, true
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept, Reasons: []policy.OverrideReason{temperror}}
		}, want: func(r *Row) bool { return len(r.Reasons) == 1 }},
		{name: "a marked temperror is quarantine", f: func(r *record.Record) {
			r.Evidence.DMARC[0].Result, r.Evidence.DMARC[0].IdentifierTemporary = evidence.TempError, true
			r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionQuarantine, Reasons: []policy.OverrideReason{temperror}}
		}, want: func(r *Row) bool { return r.Disposition == Quarantine && len(r.Reasons) == 1 }},
		{name: "an IPv4 address is written as one", f: func(r *record.Record) { r.Evidence.Client.Peer = netip.MustParseAddr("::ffff:192.0.2.1") },
			want: func(r *Row) bool { return r.Source.String() == "192.0.2.1" }},
		{name: "the recipients' domain is told where that is asked for", f: func(*record.Record) {}, opt: Options{EnvelopeTo: true},
			want: func(r *Row) bool { return r.EnvelopeTo == "here.test" }},
		{name: "but not where they differ", f: func(r *record.Record) { r.Evidence.Recipients[1].Address = "a@b.test" }, opt: Options{EnvelopeTo: true},
			want: func(r *Row) bool { return r.EnvelopeTo == "" }},
		{name: "the null reverse-path: HELO was checked", f: func(r *record.Record) {
			r.Evidence.MailFrom, r.Evidence.MailFromDomain = "", ""
			r.Evidence.SPF.HELO = &evidence.SPFCheck{Identity: evidence.HELOIdentity, Domain: "mail.other.example", Result: evidence.None}
		}, want: func(r *Row) bool {
			return r.EnvelopeFrom == "" && r.Checked.Domain == "mail.other.example" && !r.Checked.MailFrom
		}},
	} {
		r := failing()
		test.f(r)
		list := Observe(r, test.opt)
		if len(list) != 1 || !test.want(&list[0].Row) {
			t.Errorf("%s: %+v", test.name, list)
		}
	}
}

// count counts records as the journal does.
func count(records []*record.Record) []*Report {
	reports := map[Key]*Report{}
	rows := map[[2]Key]int{}
	for _, r := range records {
		for _, o := range Observe(r, Options{}) {
			k := o.Scope.Key()
			rep := reports[k]
			if rep == nil {
				rep = &Report{ID: "a1", Organization: "Here & Co", Email: "dmarc@here.test", Contact: "https://here.test/", Generator: "alignd test", Scope: o.Scope}
				reports[k] = rep
			}
			at, ok := rows[[2]Key{k, o.Row.Key()}]
			if !ok {
				at = len(rep.Rows)
				rows[[2]Key{k, o.Row.Key()}] = at
				rep.Rows = append(rep.Rows, Counted{Row: o.Row})
			}
			rep.Rows[at].Count++
		}
	}
	return slices.Collect(maps.Values(reports))
}

func world(n int) (list []*record.Record) {
	w := made.World{Domains: 40, Begin: day}
	for i := range n {
		list = append(list, w.Record(i))
	}
	return append(list, hostile()...)
}

// hostile are records with all that a sender can write.
func hostile() (list []*record.Record) {
	for _, bad := range []string{"<&>\"'", "\x00\x01\x1b[2J", "j\xf6rg", "\uFFFE\uFFFF\U0001F600", "]]>", strings.Repeat("é", 400)} {
		r := failing()
		r.Evidence.DMARC[0].AuthorDomain = bad + ".bank.example"
		r.Evidence.DKIM[0].Domain, r.Evidence.DKIM[0].Selector, r.Evidence.SPF.MailFrom.Domain = bad, bad, bad
		r.Evidence.DMARC[0].Published.Errors = []string{bad}
		r.Evidence.DMARC[0].Published.FailureOpts = bad
		r.Verdict.Authors[0].Reasons = []policy.OverrideReason{{Type: policy.OverrideOther, Comment: bad}}
		list = append(list, r)
	}
	return list
}

// back reads a report.
func back(t *testing.T, data []byte) (head read.Aggregate, records []read.Record, problems []string) {
	t.Helper()
	k := &keeper{}
	if n, err := read.New(k, read.Limits{}).File("report", bytes.NewReader(data)); err != nil || n != 1 {
		t.Fatalf("%d reports, %v", n, err)
	}
	return k.head, k.records, k.problems
}

type keeper struct {
	head     read.Aggregate
	records  []read.Record
	problems []string
}

func (k *keeper) Aggregate(head *read.Aggregate, records *read.Records) error {
	k.head = *head
	for r, err := range records.All() {
		if err != nil {
			return err
		}
		k.records = append(k.records, *r)
	}
	return nil
}
func (k *keeper) Failure(*read.Failure) error { return nil }
func (k *keeper) Problem(p read.Problem)      { k.problems = append(k.problems, p.Problem) }

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, schema := range []Schema{RFC9990, RFC7489} {
		for _, rep := range count(world(3000)) {
			var b bytes.Buffer
			if err := Encode(&b, rep, schema); err != nil {
				t.Fatal(err)
			}
			head, records, problems := back(t, b.Bytes())
			if len(records) != len(rep.Rows) || head.Domain != rep.Scope.Domain || head.Policy.P != string(rep.Scope.Policy.P) || head.OrgName != "Here & Co" {
				t.Fatalf("%s: %d rows of %d, %+v\n%s", schema, len(records), len(rep.Rows), head, &b)
			}
			if len(problems) > 0 && schema == RFC9990 {
				t.Errorf("%s: %q", schema, problems)
			}
			for i := range records {
				want, got := &rep.Rows[i], &records[i]
				if *got.Count != want.Count || netip.MustParseAddr(got.SourceIP) != want.Source || got.DKIM != aligned(want.DKIM) || got.SPF != aligned(want.SPF) ||
					len(got.AuthResults.DKIM) != len(want.Signatures) || len(got.Reasons) != len(want.Reasons) {
					t.Errorf("%s: row %d is %+v, want %+v", schema, i, got, want)
				}
			}
		}
	}
}

// TestReasons: what the schemas make of them.
func TestReasons(t *testing.T) {
	chain := "arc=pass"
	for i := 6; i > 0; i-- {
		chain += fmt.Sprintf(" as[%d].d=a-list-with-a-long-name%d.example as[%d].s=selector%d", i, i, i, i)
	}
	chain += " remote-ip[1]=192.0.2.7"
	r := failing()
	r.Verdict.Authors[0] = policy.AuthorOutcome{Disposition: policy.DispositionAccept, Reasons: []policy.OverrideReason{
		{Type: policy.OverrideLocalPolicy, Comment: chain}, {Type: policy.OverrideTestMode}, {Type: policy.OverrideOther, Comment: "sampled_out pct=20"}}}
	for schema, want := range map[Schema][]read.Reason{
		RFC9990: {{Type: "local_policy", Comment: chain}, {Type: "policy_test_mode"}, {Type: "other", Comment: "sampled_out pct=20"}},
		RFC7489: {{Type: "local_policy", Comment: chain}, {Type: "other", Comment: "policy_test_mode"}, {Type: "sampled_out", Comment: "sampled_out pct=20"}},
	} {
		var b bytes.Buffer
		if err := Encode(&b, count([]*record.Record{r})[0], schema); err != nil {
			t.Fatal(err)
		}
		if _, records, _ := back(t, b.Bytes()); !slices.Equal(records[0].Reasons, want) {
			t.Errorf("%s: %+v, want %+v", schema, records[0].Reasons, want)
		}
	}
}

func TestNames(t *testing.T) {
	r := Report{ID: "0123abcd", Scope: Scope{Day: day, Domain: "example.com"}}
	if got, want := r.FileName("mx.here.test"), "mx.here.test!example.com!1795737600!1795823999!0123abcd.xml"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := r.Subject("here.test"), "Report Domain: example.com Submitter: here.test Report-ID: <0123abcd>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongReportsAreDivided(t *testing.T) {
	rep := &Report{Organization: "o", Email: "e@here.test", Scope: Scope{Day: day, Domain: "bank.example", Policy: Policy{P: evidence.PolicyNone}}}
	sum := int64(0)
	for i := range 1000 {
		row := Counted{Row: Row{Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), HeaderFrom: fmt.Sprintf("d%d.bank.example", i), Disposition: None}, Count: int64(i%7 + 1)}
		rep.Rows, sum = append(rep.Rows, row), sum+row.Count
	}
	for _, test := range []struct {
		name string
		b    bounds
		all  bool
	}{
		{name: "one is enough", b: bounds{MaxRows, MaxSize, MaxParts}, all: true},
		{name: "by rows", b: bounds{300, MaxSize, 4}, all: true},
		{name: "by size", b: bounds{MaxRows, 8000, 40}, all: true},
		{name: "too many parts", b: bounds{100, MaxSize, 3}},
	} {
		parts, err := split(rep, RFC9990, func(i int) string { return fmt.Sprintf("part%d", i) }, test.b)
		if err != nil {
			t.Fatal(err)
		}
		var counted, dropped int64
		seen := map[Key]bool{}
		for i, p := range parts {
			z, err := gzip.NewReader(bytes.NewReader(p.GZIP))
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			head, records, _ := back(t, data)
			if head.ReportID != fmt.Sprintf("part%d", i) || len(records) > test.b.rows || len(p.GZIP)*4/3 > test.b.size {
				t.Errorf("%s: part %d: %d rows, %d octets, %+v", test.name, i, len(records), len(p.GZIP), head)
			}
			for j := range p.Report.Rows {
				if k := p.Report.Rows[j].Key(); seen[k] {
					t.Errorf("%s: a row is in two parts", test.name)
				} else {
					seen[k] = true
				}
			}
			counted, dropped = counted+total(p.Report.Rows), dropped+p.Report.Dropped
			if said := strings.Contains(strings.Join(head.Errors, " "), "messages are not in this report"); said != (p.Report.Dropped > 0) {
				t.Errorf("%s: part %d says %q", test.name, i, head.Errors)
			}
		}
		if counted+dropped != sum || len(parts) > test.b.parts || (dropped == 0) != test.all {
			t.Errorf("%s: %d parts, %d counted, %d dropped, %d in all", test.name, len(parts), counted, dropped, sum)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a\x00b", "\xff\xfe", "\uFFFE", "<a>&amp;]]>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rep := &Report{Organization: s, Email: s, Contact: s, ID: s, Generator: s,
			Scope: Scope{Day: day, Domain: s, Policy: Policy{P: evidence.PolicyNone, FO: s, Errors: s}},
			Rows:  []Counted{{Row: Row{Source: netip.MustParseAddr("2001:db8::1"), Disposition: None, HeaderFrom: s, EnvelopeFrom: s, Signatures: []Signature{{Domain: s, Selector: s, Result: evidence.Pass, Human: s}}}, Count: 1}}}
		var b bytes.Buffer
		if err := Encode(&b, rep, RFC9990); err != nil {
			t.Fatal(err)
		}
		_, records, _ := back(t, b.Bytes())
		if len(records) != 1 || len(records[0].AuthResults.DKIM) != 1 {
			t.Fatalf("%q: read back %+v", s, records)
		}
	})
}

func TestMailIsReadBack(t *testing.T) {
	rep := count(world(500))[0]
	parts, err := Split(rep, RFC9990, func(int) string { return "abc123" })
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	env := Envelope{Domain: "here.test", From: "dmarc@here.test", Name: "Here & Co", To: "r@bank.example", Date: day.Add(26 * time.Hour)}
	var b, again bytes.Buffer
	if err := WriteMail(&b, &parts[0], env); err != nil {
		t.Fatal(err)
	}
	if err := WriteMail(&again, &parts[0], env); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("a further copy differs: %v", err)
	}
	head, records, problems := back(t, b.Bytes())
	if head.ReportID != "abc123" || len(records) != len(rep.Rows) || len(problems) > 0 {
		t.Errorf("%d rows of %d, %q", len(records), len(rep.Rows), problems)
	}
	for _, want := range []string{"Submitter: here.test", "Report-ID: <abc123>", "Message-Id: <abc123@here.test>", "Auto-Submitted: auto-generated",
		"Content-Type: application/gzip", "here.test!" + rep.Scope.Domain + "!1795737600!1795823999!abc123.xml.gz"} {
		if head := unfolded(b.String()); !strings.Contains(head, want) {
			t.Errorf("%q is missing in\n%.2000s", want, head)
		}
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") {
			t.Errorf("line %.80q", line)
		}
	}
}

func unfolded(s string) string { return strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(s) }
