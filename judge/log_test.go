package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// lineOf is the line of r as key=value, without what stands in front of its keys.
func lineOf(r *record.Record, addresses bool) string {
	var b bytes.Buffer
	l := NewLog(slog.NewTextHandler(&b, nil))
	l.ShowAddresses(addresses)
	l.Take(r)
	_, line, _ := strings.Cut(b.String(), " msg=")
	return line
}

// refused is a message of bank.test that was refused; change makes it a special one.
func refused(change func(*evidence.Message)) *record.Record {
	r := &record.Record{
		Evidence: evidence.Message{
			QueueID: "4F1", Token: "t0ken", MailFrom: "secret.ann@bank.test", MailFromDomain: "bank.test", MessageID: "<1@bank.test>", Size: 512,
			Client:     evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.bank.test"},
			Looked:     evidence.SectionDKIM | evidence.SectionDMARC | evidence.SectionFrom,
			From:       evidence.From{Fields: 1, Domains: []string{"bank.test"}},
			SPF:        evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.test", Result: evidence.Fail, Mechanism: "-all", MechanismDomain: "bank.test", Path: []evidence.SPFTerm{{Domain: "bank.test", Number: 2, Term: "-all"}}}},
			ARC:        evidence.ARC{Result: evidence.None},
			DMARC:      []evidence.DMARC{{AuthorDomain: "bank.test", PolicyDomain: "bank.test", Result: evidence.Fail, Policy: evidence.PolicyReject}},
			Recipients: []evidence.Recipient{{Address: "secret.bob@here.test"}, {Address: "secret.eve@here.test"}},
		},
		Verdict: policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Requested: "reject", Step: policy.StepPolicy, Evaluation: 1,
			Rule: "honor.reject", File: "alignd.yaml", Line: 12, Reason: "bank.test fails DMARC and asks for reject."},
		Outcome: record.Outcome{End: record.EndAnswered, Reply: policy.Reply{Code: 550, Enhanced: "5.7.26", Text: "No"}, Receiving: 2 * time.Millisecond, Checking: time.Millisecond},
	}
	if change != nil {
		change(&r.Evidence)
	}
	return r
}

func TestTheWholeLine(t *testing.T) {
	r := refused(func(ev *evidence.Message) {
		ev.DKIM = []evidence.Signature{{Result: evidence.Fail, Domain: "bank.test", Selector: "s1", Reason: "body hash did not verify", FailedOn: evidence.FailedBody}}
	})
	const want = `"message judged" queue_id=4F1 token=t0ken client_ip=192.0.2.1 author_domain=bank.test dmarc=fail policy=reject ` +
		`disposition=reject delivery=refuse requested=reject step="published policy" rule=honor.reject at=alignd.yaml:12 ` +
		`reason="bank.test fails DMARC and asks for reject." spf=fail spf_identity=mailfrom spf_domain=bank.test spf_mechanism=-all spf_path=bank.test:2 ` +
		`dkim="fail(bank.test s1 body: body hash did not verify)" arc=none mail_from_domain=bank.test helo=mail.bank.test ` +
		`reply="550 5.7.26 No" message_id=<1@bank.test> size=512 receiving_ms=2 checking_ms=1` + "\n"
	if got := lineOf(r, false); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheLineSaysWhy(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*evidence.Message)
		want   string
		not    string
	}{
		{name: "each signature with selector, domain, result and reason", change: func(ev *evidence.Message) {
			ev.DKIM = []evidence.Signature{
				{Result: evidence.PermError, Domain: "bank.test", Selector: "s1", Reason: "no key for signature"},
				{Result: evidence.Pass, Domain: "list.example", Selector: "x"},
				{Result: evidence.Fail, Domain: "t.example", Selector: "y", Reason: "the body was changed", Testing: true},
			}
			ev.DKIMSkipped = 3
		}, want: `dkim="permerror(bank.test s1: no key for signature) pass(list.example x) fail(t.example y: the body was changed, key in testing mode)" dkim_skipped=3 `},
		{name: "a name cannot be taken for another signature", change: func(ev *evidence.Message) {
			ev.DKIM = []evidence.Signature{{Result: evidence.PermError, Domain: "x s) pass(bank.test", Selector: "", Reason: "d= is no domain"}}
		}, want: `dkim="permerror(\"x s) pass(bank.test\" \"\": d= is no domain)" `},
		{name: "no signature", want: " dkim=none "},
		{name: "signatures not looked at are not none", change: func(ev *evidence.Message) { ev.Looked &^= evidence.SectionDKIM }, not: "dkim="},
		{name: "the reason of an SPF error", change: func(ev *evidence.Message) {
			ev.SPF.MailFrom = &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.test", Result: evidence.PermError, Reason: "more than 10 lookups"}
		}, want: `spf=permerror spf_reason="more than 10 lookups" spf_identity=mailfrom spf_domain=bank.test `},
		{name: "the place that decided SPF, through an include", change: func(ev *evidence.Message) {
			c := ev.SPF.MailFrom
			c.Result, c.Mechanism, c.MechanismDomain = evidence.Pass, "ip4:192.0.2.0/24", "_spf.p.example"
			c.Path = []evidence.SPFTerm{{Domain: "bank.test", Number: 3, Term: "include:_spf.p.example"}, {Domain: "_spf.p.example", Number: 1, Term: "ip4:192.0.2.0/24"}}
		}, want: `spf_mechanism=ip4:192.0.2.0/24 spf_path="bank.test:3 _spf.p.example:1" `},
		{name: "HELO for the null reverse-path", change: func(ev *evidence.Message) {
			ev.MailFrom, ev.MailFromDomain = "", ""
			ev.SPF = evidence.SPF{HELO: &evidence.SPFCheck{Identity: evidence.HELOIdentity, Domain: "mail.bank.test", Result: evidence.None, Reason: "no SPF record"}}
		}, want: `spf=none spf_reason="no SPF record" spf_identity=helo spf_domain=mail.bank.test `},
		{name: "HELO beside a MAIL FROM", change: func(ev *evidence.Message) { ev.SPF.HELO = &evidence.SPFCheck{Result: evidence.SoftFail} }, want: " helo_spf=softfail "},
		{name: "the reason of ARC", change: func(ev *evidence.Message) {
			ev.ARC = evidence.ARC{Result: evidence.Fail, Reason: "the newest ARC-Message-Signature fails", Sets: []evidence.ARCSet{{SealDomain: "list.example"}}}
		}, want: `arc=fail arc_reason="the newest ARC-Message-Signature fails" arc_sealer=list.example `},
		{name: "the fault in a DMARC record", change: func(ev *evidence.Message) {
			ev.DMARC[0].Published.Errors = []string{"p: unknown value", "rua: no URI"}
			ev.DMARC[0].Result, ev.DMARC[0].Reason, ev.DMARC[0].PolicyDomain = evidence.PermError, "the record has no usable p", "test"
		}, want: `dmarc_reason="the record has no usable p" dmarc_errors="p: unknown value; rua: no URI" policy_domain=test `},
		{name: "the names that failed", change: func(ev *evidence.Message) {
			ev.Failed = []evidence.FailedQuestion{{Name: "s1._domainkey.bank.test", Type: "TXT", RCode: "SERVFAIL"}, {Name: "p.example", Type: "A", Why: "no answer in time"}}
			ev.Problems = []string{"query budget spent, questions refused: 3"}
		}, want: `failed_questions="s1._domainkey.bank.test TXT SERVFAIL, p.example A no answer in time" problems="query budget spent, questions refused: 3" `},
		{name: "several Author Domains", change: func(ev *evidence.Message) {
			ev.From.Domains = append(ev.From.Domains, "b.example", "c.example")
			ev.DMARC = append(ev.DMARC, evidence.DMARC{AuthorDomain: "b.example", Result: evidence.Pass, Policy: evidence.PolicyNone}, evidence.DMARC{AuthorDomain: "c.example", Result: evidence.None})
		}, want: `other_author_domains="b.example=pass/none c.example=none" `},
		{name: "no Author Domain", change: func(ev *evidence.Message) {
			ev.DMARC, ev.From = nil, evidence.From{Problem: evidence.FromUnparsable, Detail: "From has no address with a domain"}
		}, want: ` dmarc=permerror disposition=`},
		{name: "behind a trusted relay the client is the one that was checked", change: func(ev *evidence.Message) {
			ev.Client.Original, ev.Client.OriginalHELO, ev.Client.Relay = netip.MustParseAddr("2001:db8::9"), "far.example", "gateway"
		}, want: ` client_ip=2001:db8::9 peer_ip=192.0.2.1 author_domain=bank.test `},
		{name: "a client that was not found", change: func(ev *evidence.Message) {
			ev.Client.Unknown, ev.Client.RelayProblem = true, "no Received field"
		}, want: ` token=t0ken peer_ip=192.0.2.1 relay_problem="no Received field" author_domain=`},
		{name: "what DMARC was not asked is not told", change: func(ev *evidence.Message) { ev.DMARC, ev.Looked = nil, 0 }, not: "dmarc="},
	} {
		t.Run(test.name, func(t *testing.T) {
			line := lineOf(refused(test.change), false)
			if !strings.Contains(line, test.want) || test.not != "" && strings.Contains(line, test.not) {
				t.Errorf("got %s\nwant %s\nnot %s", line, test.want, test.not)
			}
		})
	}
}

func TestTheLineTellsHowTheMessageEnded(t *testing.T) {
	for end, want := range map[record.End]string{
		record.EndEdits:   `"message judged" * end=edits problem="no edits are granted" disposition=reject `,
		record.EndLimit:   `"message not judged" * end=limit problem="no edits are granted" `,
		record.EndPanic:   `"message not judged" * end=panic problem="no edits are granted" `,
		record.EndAborted: `"message given up" * end=aborted problem="no edits are granted" `,
	} {
		r := refused(nil)
		r.Outcome.End, r.Outcome.Problem, r.Outcome.Deleted = end, "no edits are granted", 2
		before, after, _ := strings.Cut(want, "*")
		if line := lineOf(r, false); !strings.HasPrefix(line, before) || !strings.Contains(line, after) || !strings.Contains(line, " deleted=2 ") {
			t.Errorf("%s: got %s", end, line)
		}
	}
}

// hostile is a record in which a sender filled whatever can be filled with text.
func hostile(text string) *record.Record {
	r := refused(nil)
	ev := &r.Evidence
	ev.QueueID, ev.MessageID, ev.MailFrom, ev.Client.HELO, ev.AuthUser = text, text, text+"@bank.test", text, text
	ev.MailFromDomain, ev.From.Problem, ev.From.Detail, ev.Client.RelayProblem = text, evidence.FromUnparsable, text, text
	ev.From.Sole = true
	for range 100 {
		ev.DKIM = append(ev.DKIM, evidence.Signature{Result: evidence.Fail, Domain: text, Selector: text, Reason: text})
		ev.DMARC = append(ev.DMARC, evidence.DMARC{AuthorDomain: text, Result: evidence.Fail, Reason: text, Published: evidence.DMARCRecord{Errors: []string{text, text}}})
		ev.Failed = append(ev.Failed, evidence.FailedQuestion{Name: text, Type: "TXT", Why: text})
		ev.Problems = append(ev.Problems, text)
		ev.ARC.Sets = append(ev.ARC.Sets, evidence.ARCSet{SealDomain: text})
	}
	for range 10_000 {
		ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: text})
	}
	c := ev.SPF.MailFrom
	c.Domain, c.Mechanism, c.MechanismDomain, c.Reason, c.Wide = text, text, text, text, true
	c.Path = []evidence.SPFTerm{{Domain: text, Number: 1, Term: text}, {Domain: text, Number: 2, Term: text}}
	ev.ARC.Result, ev.ARC.Reason = evidence.Fail, text
	r.Verdict.Reason, r.Verdict.Rule, r.Verdict.File, r.Verdict.TrustedSealer = text, text, text, text
	r.Outcome.End, r.Outcome.Problem, r.Outcome.Reply.Text = record.EndLimit, text, text
	return r
}

// One line stays one line of at most maxLine octets, as text and as JSON, whatever a
// sender writes, and names the message.
func TestNoMessageMakesALongLineOrTwo(t *testing.T) {
	for _, text := range []string{
		"", "a", "x", strings.Repeat("x", 1<<20), strings.Repeat("\"", 5000), strings.Repeat("\\", 300), strings.Repeat("\n", 5000), "a\r\nb msg=\"message judged\"",
		strings.Repeat("\x00", 5000), strings.Repeat("\xff", 5000), strings.Repeat("\u202e", 5000), strings.Repeat("\U000e0001", 1000), strings.Repeat("ü", 2000), strings.Repeat("\u2028", 100),
		strings.Repeat("a.", 2000), strings.Repeat("\x1b[2J", 60), strings.Repeat("\"a b", 900), strings.Repeat("x", 63), strings.Repeat("&<>", 90),
	} {
		for _, addresses := range []bool{false, true} {
			for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
				"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
				"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			} {
				var b bytes.Buffer
				l := NewLog(handler(&b))
				l.ShowAddresses(addresses)
				l.Take(hostile(text))
				line := b.String()
				if len(line) > maxLine || strings.Count(line, "\n") != 1 || !utf8.ValidString(line) || !strings.Contains(line, "t0ken") || !strings.Contains(line, "checking_ms") {
					t.Errorf("%s of %.20q: %d octets: %.300s", name, text, len(line), line)
				}
				if strings.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%s of %.20q: a control character: %q", name, text, line)
				}
				if name == "json" && !json.Valid(b.Bytes()) {
					t.Errorf("%.20q: not JSON: %s", text, line)
				}
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("x\r\ny", true)
	f.Add("\xff\"ann\" a.b", false)
	f.Fuzz(func(t *testing.T, text string, addresses bool) {
		line := lineOf(hostile(text), addresses)
		if len(line)+60 > maxLine || strings.Count(line, "\n") != 1 {
			t.Fatalf("%d octets: %s", len(line), line)
		}
	})
}

func TestManySignaturesShowThoseOfTheAuthorFirst(t *testing.T) {
	r := refused(func(ev *evidence.Message) {
		for i := range 100 {
			ev.DKIM = append(ev.DKIM, evidence.Signature{Result: evidence.Fail, Domain: fmt.Sprintf("d%d.example", i), Selector: "s", Reason: "the body was changed"})
		}
		ev.DKIM[90].Domain = "news.bank.test"
	})
	if line := lineOf(r, false); !strings.Contains(line, `dkim="fail(news.bank.test s: the body was changed) fail(d0.example s: the body was changed) `) || !regexp.MustCompile(`and \d+ more" arc=none `).MatchString(line) {
		t.Errorf("got %s", line)
	}
}

func TestWhatIsLeftOutIsNamed(t *testing.T) {
	line := lineOf(hostile(strings.Repeat("x", 1000)), false)
	if !regexp.MustCompile(` left_out="[a-z_ ]*mail_from_domain[a-z_ .]*"\n`).MatchString(line) {
		t.Errorf("got %s", line)
	}
	if line := lineOf(refused(nil), false); strings.Contains(line, "left_out") {
		t.Errorf("got %s", line)
	}
}

// No local part but that of the Message-ID is in the line, unless log_addresses is
// set. SPF macros carry them into DNS names (RFC 7208 section 7.2).
func TestLocalPartsStayOut(t *testing.T) {
	change := func(ev *evidence.Message) {
		ev.AuthUser = "secret.user"
		ev.Client.HELO = "secret@pc"
		ev.DKIM = []evidence.Signature{{Result: evidence.PermError, Domain: "secret@bank.test", Selector: "secret@s", Identity: "secret.id@bank.test", Reason: "d= is no domain"}}
		c := ev.SPF.MailFrom
		c.Result, c.Reason = evidence.TempError, `looking up TXT "ann.secret._spf.bank.test": temporary failure; SPF record of Secret.Ann.bank.test: x; bank.test includes "secret.ann": y; includes "secret-ann": z`
		c.Explanation = "secret.ann is not welcome"
		c.Lookalikes = []string{`secret.ann._spf.bank.test "v=spf1;-all": x`}
		c.Path = []evidence.SPFTerm{{Domain: "bank.test", Number: 1, Term: "include:%{l}._spf.bank.test"}, {Domain: "secret.ann._spf.bank.test", Number: 1, Term: "a"}}
		ev.Failed = []evidence.FailedQuestion{{Name: "ann.secret._spf.bank.test", Type: "TXT", RCode: "SERVFAIL"}, {Name: "x-secret-y.bank.test", Type: "A", Why: "silence"}, {Name: "s1._domainkey.bank.test", Type: "TXT", RCode: "SERVFAIL"},
			{Name: "secret._domainkey.bank.test", Type: "A", Why: "silence"}, {Name: "_dmarc.secret.bank.test", Type: "A", Why: "silence"}, {Name: "secret.in-addr.arpa", Type: "A", Why: "silence"}}
		ev.MailArgs = []string{"ENVID=secret"}
	}
	line := lineOf(refused(change), false)
	if strings.Contains(strings.ToLower(line), "secret") {
		t.Errorf("a local part in %s", line)
	}
	for _, want := range []string{
		`failed_questions="*.*._spf.bank.test TXT SERVFAIL, *.bank.test A silence, s1._domainkey.bank.test TXT SERVFAIL, *._domainkey.bank.test A silence, _dmarc.*.bank.test A silence, *.in-addr.arpa A silence"`,
		`spf_reason="looking up TXT \"*.*._spf.bank.test\": temporary failure; SPF record of *.*.bank.test: x; bank.test includes \"*.*\": y; includes \"*\": z"`,
		`spf_path="bank.test:1 *.*._spf.bank.test:1"`, `helo=*@pc`, `spf_lookalikes="*.*._spf.bank.test \"v=spf1;-all\": x"`, `permerror(\"*@bank.test\" \"*@s\": d= is no domain)`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	line = lineOf(refused(change), true)
	for _, want := range []string{
		` mail_from=<secret.ann@bank.test> recipients="<secret.bob@here.test> <secret.eve@here.test>" auth_user=secret.user `, `ann.secret._spf.bank.test TXT SERVFAIL`, ` helo=secret@pc `,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
}

// Names that are asked for anyway are whole, though the local part occurs in them.
func TestNamesThatAreNoSecretAreWhole(t *testing.T) {
	r := refused(func(ev *evidence.Message) {
		ev.MailFrom = "news@news.bank.test"
		ev.MailFromDomain = "news.bank.test"
		ev.DKIM = append(ev.DKIM, evidence.Signature{Result: evidence.Fail, Domain: "news.example", Selector: "news"})
		ev.SPF.MailFrom.Record = "v=spf1 include:news.p.example a:news.q.example/24 -all"
		ev.Failed = []evidence.FailedQuestion{{Name: "news.bank.test", Type: "TXT", Why: "silence"}, {Name: "_dmarc.news.example", Type: "TXT", Why: "silence"},
			{Name: "news._domainkey.news.example", Type: "TXT", Why: "silence"},
			{Name: "news.p.example", Type: "TXT", Why: "silence"}, {Name: "news.q.example", Type: "A", Why: "silence"}, {Name: "other.example", Type: "A", Why: "silence"}}
	})
	if line := lineOf(r, false); strings.Contains(line, "*") {
		t.Errorf("got %s", line)
	}
}

func TestRecipientsAreCounted(t *testing.T) {
	r := refused(func(ev *evidence.Message) {
		for i := range 10_000 {
			ev.Recipients = append(ev.Recipients, evidence.Recipient{Address: fmt.Sprintf("u%d@here.test", i)})
		}
	})
	line := lineOf(r, true)
	if !regexp.MustCompile(`recipients="<secret.bob@here.test> .* and 99\d\d more" `).MatchString(line) || len(line) > 1500 {
		t.Errorf("got %s", line)
	}
}

func TestClipCountsWhatIsWritten(t *testing.T) {
	for _, test := range []struct {
		text string
		max  int
		want string
		cost int
	}{
		{text: "abc", max: 3, want: "abc", cost: 3},
		{text: "abcd", max: 3, want: "...", cost: 3},
		{text: "abcdefgh", max: 7, want: "abcd...", cost: 7},
		{text: `""""`, max: 8, want: `""""`, cost: 8},
		{text: `"""""`, max: 8, want: `""...`, cost: 8},
		{text: "ab\xffcd", max: 10, want: "ab\xffcd", cost: 10},
		{text: "ab\xffcdef", max: 10, want: "ab...", cost: 10},
		{text: "üüü", max: 5, want: "ü...", cost: 5},
		{text: "abc", max: 2, want: "", cost: 0},
	} {
		if got, cost := clip(test.text, test.max); got != test.want || cost != test.cost {
			t.Errorf("clip(%q, %d): got %q, %d, want %q, %d", test.text, test.max, got, cost, test.want, test.cost)
		}
	}
}

// docs/monitoring.md lists every key of the line, and no others.
func TestTheListOfKeysIsComplete(t *testing.T) {
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "<!-- keys of the message's line -->")
	table, _, end := strings.Cut(table, "<!-- end of keys -->")
	if !ok || !end {
		t.Fatal("docs/monitoring.md has no list of keys")
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed[m[1]] = true
	}
	checkPlacesInJSON(t, table)
	used := map[string]bool{}
	for _, file := range []string{"log.go", "logline.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`w\.(?:text|word|list|address|number)\("([a-z_]+)"`).FindAllSubmatch(source, -1) {
			used[string(m[1])] = true
		}
	}
	if len(used) < 40 {
		t.Fatalf("only %d keys in the code", len(used))
	}
	for key := range used {
		if !listed[key] {
			t.Errorf("docs/monitoring.md does not list %s", key)
		}
	}
	for key := range listed {
		if !used[key] {
			t.Errorf("docs/monitoring.md lists %s, which no line has", key)
		}
	}
}

// checkPlacesInJSON looks up the last column of the table in the JSON of a record.
func checkPlacesInJSON(t *testing.T, table string) {
	t.Helper()
	r := hostile("x")
	r.Verdict.Monitor.Delivery = policy.Refuse
	r.Evidence.DMARC[0].Divergence = &evidence.Divergence{Discovery: evidence.PSL}
	r.Evidence.IPRev.Result = evidence.Pass
	r.Evidence.SPF.HELO = &evidence.SPFCheck{}
	r.Evidence.Incumbents = []evidence.Incumbent{{ServID: "mx.example"}}
	r.Evidence.SPF.MailFrom.Lookalikes, r.Evidence.DMARC[0].Lookalikes = []string{"x"}, []string{"x"}
	var object map[string]any
	if err := json.Unmarshal(record.JSON(r, record.Rendering{}), &object); err != nil {
		t.Fatal(err)
	}
	places := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|.*\\| `([a-z_.]+)`[^|]*\\|$").FindAllStringSubmatch(table, -1) {
		places++
		var at any = object
		for key := range strings.SplitSeq(m[2], ".") {
			var there bool
			if at, there = at.(map[string]any)[key]; !there {
				t.Errorf("docs/monitoring.md: %s: the JSON of a record has no %s", m[1], m[2])
				break
			}
		}
	}
	if places < 40 {
		t.Errorf("only %d places", places)
	}
}

func BenchmarkLine(b *testing.B) {
	l := NewLog(slog.NewTextHandler(discard{}, nil))
	for name, r := range map[string]*record.Record{"ordinary": refused(func(ev *evidence.Message) {
		ev.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "bank.test", Selector: "s1"}, {Result: evidence.Pass, Domain: "provider.example", Selector: "p2026"}}
	}), "hostile": hostile(strings.Repeat("\"x", 500))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Take(r)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
