package web

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/explain"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// failing is a record of mail that fails DMARC and was refused for that.
func failing(t *testing.T) *record.Record {
	t.Helper()
	list := usual(200)
	i := slices.IndexFunc(list, func(r *record.Record) bool { return explain.DMARC(r) == "fail" && len(r.Evidence.DKIM) > 0 })
	r := list[i]
	r.Evidence.Time = r.Evidence.Time.Truncate(time.Second)
	r.Evidence.Token, r.Evidence.QueueID = "odd", "ODD"
	r.Evidence.DMARC[0].Policy, r.Evidence.DMARC[0].PolicyDomain = "reject", r.Evidence.DMARC[0].AuthorDomain
	reply := policy.Reply{Code: 550, Enhanced: "5.7.26", Text: "rejected per policy"}
	r.Verdict = policy.Verdict{Disposition: policy.DispositionReject, Delivery: policy.Refuse, Requested: policy.RequestedReject, Step: policy.StepPolicy, Evaluation: 1,
		Reason: "it fails", Reply: reply}
	r.Outcome = record.Outcome{End: record.EndAnswered, Reply: reply}
	return r
}

const whyAsked = `href="#why">Why not delivered?`

// oddMessages are messages of each fate, and what their pages say.
var oddMessages = []struct {
	name   string
	answer journal.Answer
	change func(*record.Record)
	has    []string
	hasNot []string
}{
	{name: "refused by policy", change: func(*record.Record) {}, has: []string{whyAsked, "Why was it refused?", "who publishes the policy reject", "550 5.7.26", "Who has to change what",
		"DMARC passes for", "#entry", "Judge again under today's configuration"}},
	{name: "nobody knows whether the MTA heard it", answer: journal.AnswerUnknown, change: func(*record.Record) {}, has: []string{"perhaps not heard: 550", "alignd ended at that moment"}},
	{name: "the connection was lost", answer: journal.AnswerLost, change: func(*record.Record) {}, has: []string{"not heard: 550", "connection to the MTA was lost"}, hasNot: []string{"perhaps not"}},
	{name: "over a limit", change: func(r *record.Record) {
		r.Evidence.DMARC, r.Evidence.DKIM, r.Evidence.SPF, r.Evidence.Looked = nil, nil, evidence.SPF{}, 0
		r.Verdict = policy.Verdict{Delivery: policy.Refuse, Disposition: policy.DispositionReject, Step: policy.StepLimit, Reason: "more than limits.message_size", Reply: policy.Reply{Code: 552, Enhanced: "5.3.4", Text: "too big"}}
		r.Outcome = record.Outcome{End: record.EndLimit, Reply: r.Verdict.Reply, Problem: "over a limit"}
	}, has: []string{whyAsked, "by a limit: it was not judged", "a higher limit", "552 5.3.4", "No rule was asked."}, hasNot: []string{"#entry", "proof"}},
	{name: "given up by the MTA", change: func(r *record.Record) {
		r.Verdict, r.Outcome = policy.Verdict{}, record.Outcome{End: record.EndAborted, Problem: "the MTA aborted it"}
	}, has: []string{"the MTA gave the message up", "nothing: it gave the message up", "No rule was asked."}, hasNot: []string{whyAsked, `id="why"`}},
	{name: "alignd failed on it", change: func(r *record.Record) {
		r.Verdict = policy.Verdict{Delivery: policy.DeliverDefer, Disposition: policy.DispositionTempfail, Step: policy.StepInternal, Reason: "alignd failed", Reply: policy.Reply{Code: 451, Enhanced: "4.3.0", Text: "later"}}
		r.Outcome = record.Outcome{End: record.EndPanic, Reply: r.Verdict.Reply, Problem: "panic"}
	}, has: []string{whyAsked, "Why was it put off?", "alignd, which failed on it", "451 4.3.0", "a fault of alignd or its host"}, hasNot: []string{"#entry"}},
	{name: "several Author Domains", change: func(r *record.Record) {
		second := r.Evidence.DMARC[0]
		second.AuthorDomain, second.Result, second.Policy = "second.example", evidence.Pass, "none"
		r.Evidence.DMARC = append(r.Evidence.DMARC, second)
		r.Evidence.From.Domains = append(r.Evidence.From.Domains, "second.example")
	}, has: []string{"Identifier Alignment with second.example", "Identifier Alignment with author", "second.example, policy none", "for second.example"}},
	{name: "not judged", change: func(r *record.Record) {
		r.Evidence.DMARC, r.Evidence.DKIM, r.Evidence.SPF, r.Evidence.Looked = nil, nil, evidence.SPF{}, 0
		r.Verdict = policy.Verdict{NotJudged: true, Delivery: policy.Deliver, Disposition: policy.DispositionAccept, Step: policy.StepNotJudged, Rule: "authenticated", Reason: "the client logged in"}
		r.Outcome = record.Outcome{End: record.EndAnswered, Delivered: true}
	}, has: []string{"Not judged", "let through unchecked", "the client logged in", "let it through"}, hasNot: []string{whyAsked, `<span class="name">DMARC</span>`, "Identifier Alignment"}},
	{name: "rescued by a trusted sealer", change: func(r *record.Record) {
		r.Evidence.ARC = evidence.ARC{Result: evidence.Pass, Instances: 2, Sets: []evidence.ARCSet{
			{Instance: 1, SealDomain: "first.example", SealCV: "none", SealResult: evidence.Pass, MessageResult: evidence.Fail},
			{Instance: 2, SealDomain: "list.example", SealCV: "pass", SealResult: evidence.Pass, MessageResult: evidence.Pass,
				AAR: &evidence.AuthResults{ServID: "mx.list.example", Results: []evidence.MethodResult{{Method: "dmarc", Result: "pass"}}}}}}
		r.Verdict = policy.Verdict{Delivery: policy.Deliver, Disposition: policy.DispositionAccept, Requested: policy.RequestedReject, Step: policy.StepSealer, Rule: "lists", TrustedSealer: "list.example", Evaluation: 1, Reason: "list.example vouches"}
		r.Outcome = record.Outcome{End: record.EndAnswered, Delivered: true}
	}, has: []string{"by trusted sealer lists", "list.example (cv=pass, a trusted sealer)", "first.example (cv=none)", "Chain here", "mx.list.example; dmarc=pass", "would have passed DMARC, if one of these were so"}, hasNot: []string{whyAsked}},
	{name: "held back by monitor mode", change: func(r *record.Record) {
		r.Verdict.Monitor = policy.Outcome{Disposition: policy.DispositionReject, Delivery: policy.Refuse}
		r.Verdict.Delivery, r.Verdict.Disposition, r.Verdict.Reply = policy.Deliver, policy.DispositionAccept, policy.Reply{}
		r.Outcome = record.Outcome{End: record.EndAnswered, Delivered: true}
	}, has: []string{"What was held back, and why?", "Why would it have been refused?", "Held back", "by monitor mode"}, hasNot: []string{whyAsked}},
	{name: "a From that nobody can use", change: func(r *record.Record) {
		r.Evidence.From.Problem, r.Evidence.From.Detail = evidence.FromSeveral, "2 From fields"
		r.Verdict.Step, r.Verdict.Reason = policy.StepFrom, "the From field cannot be used"
	}, has: []string{whyAsked, "its From field cannot be used", `<span class="name">From</span>`, "several"}},
	{name: "DNS did not answer", change: func(r *record.Record) {
		r.Evidence.DMARC[0].Result = evidence.TempError
		r.Verdict = policy.Verdict{Delivery: policy.DeliverDefer, Disposition: policy.DispositionTempfail, Step: policy.StepTempError, Evaluation: 1, Reason: "DNS", Reply: policy.Reply{Code: 451, Enhanced: "4.7.5", Text: "later"}}
		r.Outcome = record.Outcome{End: record.EndAnswered, Reply: r.Verdict.Reply}
	}, has: []string{whyAsked, "Why was it put off?", "DNS, which did not answer"}},
	{name: "marked", change: func(r *record.Record) {
		r.Verdict.Delivery, r.Verdict.Disposition, r.Verdict.Reply = policy.DeliverTag, policy.DispositionQuarantine, policy.Reply{}
		r.Outcome = record.Outcome{End: record.EndAnswered, Delivered: true}
	}, has: []string{`href="#why">Why was it marked?`, "let it through, marked"}},
	{name: "the MTA grants no edits", change: func(r *record.Record) {
		r.Outcome = record.Outcome{End: record.EndEdits, Delivered: true, Problem: "the MTA grants no edits"}
	}, has: []string{"the MTA grants no edits"}},
}

func oddPage(t *testing.T, answer journal.Answer, r *record.Record) (*backend, *site, string) {
	t.Helper()
	b := plantEntries(t, []journal.Entry{{Answer: answer, Record: r}})
	s := serve(t, b, asAuditor)
	status, text, _ := s.Get("/message?id=odd")
	if status != 200 {
		t.Fatalf("%d %.300s", status, text)
	}
	return b, s, html.UnescapeString(text)
}

// Whatever became of a message, its page says so, and all that alignd explain says.
func TestAMessageOfAnyFateReadsRight(t *testing.T) {
	for _, row := range oddMessages {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			r := failing(t)
			row.change(r)
			b, s, text := oddPage(t, row.answer, r)
			for _, want := range row.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, no := range row.hasNot {
				if strings.Contains(text, no) {
					t.Errorf("%q is there", no)
				}
			}
			if t.Failed() {
				t.Log(text[strings.Index(text, "<h1"):])
			}
			saysAllOfExplain(t, text, explain.Record(&journal.Entry{Answer: row.answer, Record: r}, b.cfg.Rules, ""))
			for _, path := range []string{"/messages", "/message/again?id=odd", "/messages.csv", "/message.json?id=odd"} {
				if status, text, _ := s.Get(path); status != 200 {
					t.Errorf("%s: %d %.200s", path, status, text)
				}
			}
		})
	}
}

// saysAllOfExplain finds each line of an explanation in a page. Rules are in a table there.
func saysAllOfExplain(t *testing.T, page string, list []explain.Section) {
	t.Helper()
	page = strings.Join(strings.Fields(page), " ")
	for _, section := range list {
		for _, l := range section.Lines {
			text := l.Text
			if section.Name == "Rules" {
				_, text, _ = strings.Cut(text, ": ")
			}
			if text = strings.Join(strings.Fields(text), " "); !strings.Contains(page, text) {
				t.Errorf("%s: %q is not on the page", section.Name, text)
			}
		}
	}
}

func TestThePageOfPlainMailSaysAllOfExplain(t *testing.T) {
	list := usual(25)
	for _, r := range list {
		r.Evidence.Time = r.Evidence.Time.Truncate(time.Second)
	}
	b := plant(t, list...)
	s := serve(t, b, asAuditor)
	for _, r := range list {
		_, text, _ := s.Get(to("/message", "id", r.Evidence.Token))
		saysAllOfExplain(t, html.UnescapeString(text), explain.Record(&journal.Entry{Record: r}, b.cfg.Rules, ""))
	}
}

// The record is shown with each term, the way to the one that decided below its include.
func TestSPFIsATree(t *testing.T) {
	c := &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "a.example", Result: evidence.Pass, Lookups: 2, Record: "v=spf1 ip4:192.0.2.1 include:_spf.b.example mx -all",
		Path: []evidence.SPFTerm{{Domain: "a.example", Number: 2, Term: "include:_spf.b.example"}, {Domain: "_spf.b.example", Number: 3, Term: "ip4:198.51.100.0/24"}}}
	var b strings.Builder
	var draw func(*branch, string)
	draw = func(x *branch, in string) {
		fmt.Fprintf(&b, "%s%s %s %t\n", in, x.Sign, x.Text, x.Decided)
		for _, y := range x.Below {
			draw(y, in+" ")
		}
	}
	draw(spfTree(c), "")
	want := `✓ pass for mailfrom a.example, 2 lookups false
 · ip4:192.0.2.1 – does not match false
 → include:_spf.b.example false
  ✓ ip4:198.51.100.0/24 – term 3 in the record of _spf.b.example true
  mx – not asked false
  -all – not asked false
`
	if got := b.String(); strings.ReplaceAll(got, "  ", " ") != strings.ReplaceAll(want, "  ", " ") {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A signature of somebody that verifies is told, and no entry is made of it: whoever forges
// a domain can sign as himself. The pair's page tells who speaks for it.
func TestNoEntryIsMadeOfOneMessage(t *testing.T) {
	r := failing(t)
	r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Pass, Domain: "forger.example", Selector: "s1", Algorithm: "rsa-sha256", KeyBits: 2048}}
	r.Evidence.Looked |= evidence.SectionDKIM
	_, _, text := oddPage(t, 0, r)
	for _, want := range []string{"A signature of forger.example verifies, which proves nothing", "/sender?domain="} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, lack := range []string{"proof: {dkim", "/whatif?entry"} {
		if strings.Contains(text, lack) {
			t.Errorf("a forger's name stands in an entry: %q", lack)
		}
	}
}

// What changes is said with the rule then and now.
func TestJudgedAgainNamesTheRuleThenAndNow(t *testing.T) {
	r := failing(t)
	r.Verdict.Step, r.Verdict.Rule, r.Verdict.File, r.Verdict.Line = policy.StepException, "gone", "/etc/alignd/alignd.yaml", 7
	b := plant(t, r)
	_, text, _ := serve(t, b, asAuditor).Get("/message/again?id=odd")
	text = html.UnescapeString(text)
	for _, want := range []string{"by exception gone (alignd.yaml:7)", `<span class="name">Today</span>`, "≠</span> differs", "it fails"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text[strings.Index(text, "<h1"):])
		}
	}
}

// MTAs use queue ids again: each message of one has its own story, and its own places.
func TestMessagesOfOneQueueIDAreToldApart(t *testing.T) {
	first, second := failing(t), failing(t)
	first.Evidence.Token, second.Evidence.Token = "t1", "t2"
	second.Evidence.Time = second.Evidence.Time.Add(time.Minute)
	_, text, _ := serve(t, plant(t, first, second), asAuditor).Get("/message?id=ODD")
	for _, want := range []string{"1 of 2: ", "2 of 2: ", `id="why"`, `id="why-2"`, `href="#why-2"`, "id=t1", "id=t2"} {
		if strings.Count(text, want) == 0 {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(text, `id="rules"`) != 1 {
		t.Error("an id is there twice")
	}
}
