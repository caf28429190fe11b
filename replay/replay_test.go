package replay

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// had are the options under which the records of these tests were made.
var had = record.Options{Discovery: evidence.TreeWalk, PSLGuard: true, MaxSignatures: 10, MaxFromDomains: 4, MinLengthPercent: 50,
	ClockSkew: 5 * time.Minute, SPFTimeout: 20 * time.Second, SPFVoids: 2, MaxQueries: 150, Timeout: 20 * time.Second}

// message is the evidence of mail of bank.example, with p=reject, from 192.0.2.1.
func message(result evidence.Result) evidence.Message {
	return evidence.Message{
		Schema: evidence.SchemaVersion, Token: "token", QueueID: "4ZQ8", Time: noon, MTA: "mx.here.test", Sample: 42,
		Client:   evidence.Client{Peer: netip.MustParseAddr("192.0.2.1"), HELO: "mail.bank.example"},
		Looked:   evidence.SectionFrom | evidence.SectionTraces | evidence.SectionReceived | evidence.SectionDKIM | evidence.SectionDMARC,
		MailFrom: "a@bank.example", MailFromDomain: "bank.example", Recipients: []evidence.Recipient{{Address: "bob@here.test"}},
		From: evidence.From{Fields: 1, Domains: []string{"bank.example"}},
		SPF:  evidence.SPF{MailFrom: &evidence.SPFCheck{Identity: evidence.MailFromIdentity, Domain: "bank.example", Result: result}},
		ARC:  evidence.ARC{Result: evidence.None},
		DMARC: []evidence.DMARC{{
			AuthorDomain: "bank.example", Result: result, Discovery: evidence.TreeWalk, PolicyDomain: "bank.example",
			Published: evidence.DMARCRecord{P: evidence.PolicyReject, Pct: 100}, Policy: evidence.PolicyReject, PolicyTag: "p",
			SPFAligned: result == evidence.Pass,
		}},
		Elapsed: time.Second,
	}
}

func compiled(t *testing.T, spec policy.Spec) *policy.Rules {
	t.Helper()
	rules, err := policy.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// judgedBy is the record of a message under rules.
func judgedBy(ev evidence.Message, rules *policy.Rules) *record.Record {
	return &record.Record{Evidence: ev, Verdict: policy.Decide(&ev, rules), Outcome: record.Outcome{End: record.EndAnswered}, Basis: record.Basis{Options: had}}
}

func nets(s ...string) (list []netip.Prefix) {
	for _, p := range s {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

func allow(p policy.Proof, change func(*policy.Exception)) policy.Spec {
	x := policy.Exception{ID: "vendor", Action: policy.Accept, Proof: p, NeverExpires: true}
	if change != nil {
		change(&x)
	}
	return policy.Spec{Exceptions: []policy.Exception{x}}
}

func block(p policy.Proof, action policy.Action) policy.Spec {
	return policy.Spec{Exceptions: []policy.Exception{{ID: "wave", Kind: policy.Block, Action: action, Proof: p, NeverExpires: true}}}
}

// one relay, at the address of the client.
type relayAt struct{}

func (r relayAt) Find(c evidence.Client, hops []evidence.Hop) evidence.Client {
	c.Relay, c.Hops = "gateway", 1
	if len(hops) > 0 {
		c.Original, c.OriginalHELO = hops[0].Addr, hops[0].From
	} else {
		c.RelayProblem, c.Unknown = "no Received field of the trusted relay", true
	}
	return c
}

func TestWhatBecomesOfAMessage(t *testing.T) {
	client := policy.Proof{Clients: nets("192.0.2.1/32")}
	monitor := policy.Spec{Mode: policy.Monitor}
	rollout := func(stages ...policy.Stage) policy.Spec {
		return policy.Spec{Handling: policy.Handling{Rollout: stages}}
	}
	honor := func(a policy.Action) policy.Spec { return policy.Spec{Handling: policy.Handling{Reject: a}} }
	fail, pass := evidence.Fail, evidence.Pass
	for _, row := range []struct {
		name     string
		result   evidence.Result
		old, new policy.Spec
		change   func(*record.Record)
		options  func(*Options)
		want     Kind
		to       policy.Delivery
		causes   []Cause
		state    bool
		sample   bool
	}{
		{name: "the same rules", result: fail, want: Unchanged, to: policy.Refuse},
		{name: "an entry that lets in", result: fail, new: allow(client, nil), want: WouldLetIn, to: policy.Deliver},
		{name: "an entry that is gone", result: fail, old: allow(client, nil), want: WouldRefuse, to: policy.Refuse},
		{name: "an entry that blocks what passes", result: pass, new: block(client, policy.Reject), want: WouldRefuse, to: policy.Refuse},
		{name: "an entry that marks", result: pass, new: block(client, policy.Tag), want: WouldMark, to: policy.DeliverTag},
		{name: "a refusal that becomes the mark lets in", result: fail, new: honor(policy.Tag), want: WouldLetIn, to: policy.DeliverTag},
		{name: "a mark that is held", result: fail, old: honor(policy.Tag), new: honor(policy.Hold), want: WouldMark, to: policy.DeliverHold},
		{name: "a mark that is gone", result: fail, old: honor(policy.Tag), new: honor(policy.Accept), want: WouldUnmark, to: policy.Deliver},
		{name: "the end of monitor mode", result: fail, old: monitor, want: WouldRefuse, to: policy.Refuse},
		{name: "monitor mode", result: fail, new: monitor, want: WouldLetIn, to: policy.Deliver},
		{name: "monitor mode aside nothing changes", result: fail, old: monitor, new: monitor, options: func(o *Options) { o.Enforced = true },
			want: Unchanged, to: policy.Refuse},
		{name: "monitor mode aside an entry lets in", result: fail, old: monitor, new: func() policy.Spec { s := allow(client, nil); s.Mode = policy.Monitor; return s }(),
			options: func(o *Options) { o.Enforced = true }, want: WouldLetIn, to: policy.Deliver},

		{name: "a reverse name that was not looked up", result: fail, new: allow(policy.Proof{PTR: []string{"mail.bank.example"}}, nil),
			want: CannotTell, to: policy.Refuse, causes: []Cause{{NotLookedUp, "iprev"}}},
		{name: "a reverse name matters to no mail that passes", result: pass, new: allow(policy.Proof{PTR: []string{"mail.bank.example"}}, nil), want: Unchanged, to: policy.Deliver},
		{name: "a message that was not judged", result: fail, old: policy.Spec{NotJudged: policy.NotJudged{Networks: []policy.Network{{ID: "lan", Prefix: nets("192.0.2.0/24")[0]}}}},
			change: func(r *record.Record) {
				r.Evidence.DMARC, r.Evidence.SPF, r.Evidence.DKIM, r.Evidence.ARC = nil, evidence.SPF{}, nil, evidence.ARC{}
				r.Evidence.Looked &^= evidence.SectionDKIM | evidence.SectionDMARC
				r.Evidence.Sample = -1
			},
			want: CannotTell, to: policy.Deliver, causes: []Cause{{NotLookedUp, "dmarc"}}},
		{name: "what the record had no room for", result: fail, new: allow(policy.Proof{DKIM: []string{"vendor.example"}}, nil),
			change: func(r *record.Record) {
				r.Cut, r.Evidence.Looked = evidence.SectionDKIM, r.Evidence.Looked&^evidence.SectionDKIM
			},
			want: CannotTell, to: policy.Refuse, causes: []Cause{{WasCut, "dkim"}}},
		{name: "a bare record", result: fail, change: func(r *record.Record) { r.Cut = evidence.AllSections }, want: CannotTell, to: policy.Refuse,
			causes: []Cause{{WasCut, "envelope"}}},
		{name: "a name that did not answer: the daemon would put the message off", result: fail,
			new:    allow(client, func(x *policy.Exception) { x.Scope.AuthorDomains = []string{"org:example"} }),
			change: func(r *record.Record) { r.Evidence.DMARC[0].Looked |= evidence.SectionOrg }, want: WouldDefer, to: policy.DeliverDefer, state: true},

		{name: "another discovery", result: fail, options: func(o *Options) { o.Shape.Discovery = evidence.PSL }, want: CannotTell, to: policy.Refuse,
			causes: []Cause{{OtherOption, "discovery"}}},
		{name: "another discovery that was compared", result: fail, options: func(o *Options) { o.Shape.Discovery = evidence.PSL },
			change: func(r *record.Record) { r.Basis.Options.CompareDiscovery = true }, want: Unchanged, to: policy.Refuse},
		{name: "another discovery where the very domain passes", result: pass, options: func(o *Options) { o.Shape.Discovery = evidence.PSL }, want: Unchanged, to: policy.Deliver},
		{name: "another discovery where the sender is not judged", result: fail, options: func(o *Options) { o.Shape.Discovery = evidence.PSL },
			new:  policy.Spec{NotJudged: policy.NotJudged{Networks: []policy.Network{{ID: "lan", Prefix: nets("192.0.2.0/24")[0]}}}},
			want: WouldLetIn, to: policy.Deliver},
		{name: "options that the record does not have", result: fail, change: func(r *record.Record) { r.Basis.Options = record.Options{} },
			want: CannotTell, to: policy.Refuse, causes: []Cause{{OtherOption, "all, as the record has none"}}},
		{name: "l= that counts", result: fail, options: func(o *Options) { o.Shape.AcceptLength = true },
			change: func(r *record.Record) {
				r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Policy, FailedOn: evidence.FailedCoverage, Domain: "bank.example", Length: 10, Unsigned: 5}}
			}, want: CannotTell, to: policy.Refuse, causes: []Cause{{OtherOption, "dkim.accept_length"}}},
		{name: "l= that counts where SPF passes", result: pass, options: func(o *Options) { o.Shape.AcceptLength = true },
			change: func(r *record.Record) {
				r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Policy, FailedOn: evidence.FailedCoverage, Domain: "bank.example", Length: 10, Unsigned: 5}}
			}, want: Unchanged, to: policy.Deliver},
		{name: "l= of a body that was changed", result: fail, options: func(o *Options) { o.Shape.AcceptLength = true },
			change: func(r *record.Record) {
				r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Fail, FailedOn: evidence.FailedBody, Domain: "bank.example", Length: 10, Unsigned: 5}}
			}, want: Unchanged, to: policy.Refuse},
		{name: "a clock that may be off further", result: fail, options: func(o *Options) { o.Shape.ClockSkew = time.Hour },
			change: func(r *record.Record) {
				r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Fail, FailedOn: evidence.FailedTime, Domain: "bank.example", Signed: noon.Add(30 * time.Minute)}}
			}, want: CannotTell, to: policy.Refuse, causes: []Cause{{OtherOption, "dkim.clock_skew"}}},
		{name: "a clock that was right", result: fail, options: func(o *Options) { o.Shape.ClockSkew = time.Hour },
			change: func(r *record.Record) {
				r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Fail, Domain: "bank.example", Signed: noon}}
			},
			want: Unchanged, to: policy.Refuse},
		{name: "a clock that was right, a month later", result: fail, options: func(o *Options) {
			o.Shape.ClockSkew, o.Now = time.Hour, noon.Add(30*24*time.Hour)
		}, change: func(r *record.Record) {
			r.Evidence.DKIM = []evidence.Signature{{Result: evidence.Fail, Domain: "bank.example", Signed: noon, Expires: noon.Add(30*24*time.Hour - 30*time.Minute)}}
		}, want: Unchanged, to: policy.Refuse},
		{name: "fewer void look-ups", result: pass, options: func(o *Options) { o.Shape.SPFVoids = 0 }, change: func(r *record.Record) { r.Evidence.SPF.MailFrom.Voids = 1 },
			want: CannotTell, to: policy.Deliver, causes: []Cause{{OtherOption, "spf.max_void_lookups"}}},
		{name: "a wide pass that no longer counts", result: pass, options: func(o *Options) { o.Shape.IgnoreWideSPF = true }, change: func(r *record.Record) { r.Evidence.SPF.MailFrom.Wide = true },
			new: policy.Spec{WideSPF: policy.WideIgnore}, want: CannotTell, to: policy.Deliver, causes: []Cause{{OtherOption, "spf.wide"}}},
		{name: "a wide pass beside a signature", result: pass, options: func(o *Options) { o.Shape.IgnoreWideSPF = true },
			change: func(r *record.Record) {
				r.Evidence.SPF.MailFrom.Wide, r.Evidence.DMARC[0].DKIMAligned = true, true
			}, want: Unchanged, to: policy.Deliver},
		{name: "where the sender wants nothing, a result in doubt is none", result: pass, options: func(o *Options) { o.Shape.IgnoreWideSPF = true },
			change: func(r *record.Record) {
				r.Evidence.SPF.MailFrom.Wide, r.Evidence.DMARC[0].Policy = true, evidence.PolicyNone
				r.Evidence.DMARC[0].Published.P = evidence.PolicyNone
			}, want: Unchanged, to: policy.Deliver},

		{name: "another client behind a relay", result: fail, options: func(o *Options) { o.Relays = relayAt{} },
			change: func(r *record.Record) {
				r.Evidence.Received = []evidence.Hop{{From: "h", Addr: netip.MustParseAddr("198.51.100.1")}}
			},
			new: policy.Spec{Relays: []policy.Relay{{ID: "gateway"}}}, want: CannotTell, to: policy.DeliverTag, causes: []Cause{{OtherClient, "trusted_relays"}}},
		{name: "another client, and a signature that passes", result: pass, options: func(o *Options) { o.Relays = relayAt{} },
			change: func(r *record.Record) {
				r.Evidence.Received = []evidence.Hop{{From: "h", Addr: netip.MustParseAddr("198.51.100.1")}}
				r.Evidence.DMARC[0].DKIMAligned = true
			}, want: Unchanged, to: policy.Deliver},
		{name: "another client that is listed", result: fail, options: func(o *Options) { o.Relays = relayAt{} },
			change: func(r *record.Record) {
				r.Evidence.Received = []evidence.Hop{{From: "h", Addr: netip.MustParseAddr("198.51.100.1")}}
			},
			new: allow(policy.Proof{Clients: nets("198.51.100.1/32")}, nil), want: WouldLetIn, to: policy.Deliver},

		{name: "an expired entry, then", result: fail, old: allow(client, nil), new: allow(client, func(x *policy.Exception) { x.NeverExpires, x.Expires = false, noon.Add(time.Hour) }),
			want: Unchanged, to: policy.Deliver},
		{name: "an expired entry, now", result: fail, old: allow(client, nil), new: allow(client, func(x *policy.Exception) { x.NeverExpires, x.Expires = false, noon.Add(time.Hour) }),
			options: func(o *Options) { o.Now = noon.Add(24 * time.Hour) }, want: WouldRefuse, to: policy.Refuse},
		{name: "a stage of tomorrow, then", result: fail, new: rollout(policy.Stage{Name: policy.StageReject, Start: noon.Add(time.Hour)}), want: WouldLetIn, to: policy.Deliver},
		{name: "a stage of tomorrow, now", result: fail, new: rollout(policy.Stage{Name: policy.StageReject, Start: noon.Add(time.Hour)}),
			options: func(o *Options) { o.Now = noon.Add(24 * time.Hour) }, want: Unchanged, to: policy.Refuse},
		{name: "a stage for a part of the mail", result: fail, new: rollout(policy.Stage{Name: policy.StageTag}, policy.Stage{Name: policy.StageReject, Percent: 50}),
			want: Unchanged, to: policy.Refuse, sample: true},
		{name: "a stage for a smaller part", result: fail, new: rollout(policy.Stage{Name: policy.StageTag}, policy.Stage{Name: policy.StageReject, Percent: 20}),
			want: WouldLetIn, to: policy.DeliverTag, sample: true},

		{name: "a rollout while a stage was stopped", result: fail, new: rollout(policy.Stage{Name: policy.StageTag}),
			change: func(r *record.Record) { r.Evidence.Stopped = []string{"x"} }, want: WouldLetIn, to: policy.DeliverTag, state: true},
		{name: "a stage that was stopped matters to no exception", result: fail, new: allow(client, nil),
			change: func(r *record.Record) { r.Evidence.Stopped = []string{"x"} }, want: WouldLetIn, to: policy.Deliver},
		{name: "what was put off would be let in", result: evidence.TempError, new: policy.Spec{TempErrors: policy.TempErrors{Unresolved: policy.Accept}},
			change: func(r *record.Record) { r.Evidence.DMARC[0].IdentifierTemporary = true }, want: WouldLetIn, to: policy.Deliver, state: true},
		{name: "what waited long enough stays so at another time", result: evidence.TempError, old: policy.Spec{},
			change: func(r *record.Record) {
				r.Evidence.DMARC[0].IdentifierTemporary = true
				r.Evidence.FirstSeen, r.Evidence.Deferrals = noon.Add(-5*time.Hour), 3
			}, options: func(o *Options) { o.Now = noon.Add(30 * 24 * time.Hour) }, want: Unchanged, to: policy.DeliverTag},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := judgedBy(message(row.result), compiled(t, row.old))
			if row.change != nil {
				row.change(r)
				r.Verdict = policy.Decide(&r.Evidence, compiled(t, row.old))
			}
			o := &Options{Rules: compiled(t, row.new), Shape: had}
			if row.options != nil {
				row.options(o)
			}
			j := o.Judge(r)
			if j.Kind != row.want || j.To != row.to || !slices.Equal(j.Causes, row.causes) || j.ByState != row.state || j.BySample != row.sample {
				t.Errorf("got kind %d, %s -> %s, causes %v, state %t, sample %t\nwant kind %d to %s, causes %v, state %t, sample %t\n%s",
					j.Kind, j.From, j.To, j.Causes, j.ByState, j.BySample, row.want, row.to, row.causes, row.state, row.sample, j.Verdict.Reason)
			}
		})
	}
}

func TestRecordsThatWereNotDecided(t *testing.T) {
	rules := compiled(t, policy.Spec{})
	o := &Options{Rules: compiled(t, policy.Spec{OnError: policy.Accept}), Shape: had}
	ev := message(evidence.Fail)
	for _, row := range []struct {
		name    string
		end     record.End
		verdict policy.Verdict
		want    Kind
		limit   bool
	}{
		{name: "given up by the MTA", end: record.EndAborted, verdict: rules.Failed(&ev), want: NotCounted},
		{name: "without a verdict", end: record.EndAnswered, want: NotCounted},
		{name: "over a limit", end: record.EndLimit, verdict: rules.OverLimit(&ev, "too long"), want: Unchanged, limit: true},
		{name: "alignd failed, and lets in such mail now", end: record.EndPanic, verdict: rules.Failed(&ev), want: WouldLetIn},
		{name: "the MTA grants no edits: the verdict counts", end: record.EndEdits, verdict: policy.Decide(&ev, rules), want: Unchanged},
	} {
		r := &record.Record{Evidence: ev, Verdict: row.verdict, Outcome: record.Outcome{End: row.end}, Basis: record.Basis{Options: had}}
		if j := o.Judge(r); j.Kind != row.want || j.OverLimit != row.limit {
			t.Errorf("%s: got %+v", row.name, j)
		}
	}
}

// A difference in any field is found, but for the place of a rule.
func TestDifference(t *testing.T) {
	r := judgedBy(message(evidence.Fail), compiled(t, policy.Spec{}))
	a, b := r.Verdict, r.Verdict
	b.File, b.Line, b.Signals = "other.yaml", 12, []policy.Signal{}
	if got := Difference(&a, &b); got != "" {
		t.Errorf("the place of a rule: got %q", got)
	}
	b.Reply.Text = "x"
	if got := Difference(&a, &b); got != "Reply" {
		t.Errorf("another reply: got %q", got)
	}
	if got, ok := Same(r, compiled(t, policy.Spec{})); got != "" || !ok {
		t.Errorf("the same rules: %q, %t", got, ok)
	}
	if got, ok := Same(r, compiled(t, policy.Spec{Mode: policy.Monitor})); got != "Disposition" || !ok {
		t.Errorf("other rules: %q, %t", got, ok)
	}
	r.Cut = evidence.SectionWords
	if _, ok := Same(r, compiled(t, policy.Spec{})); ok {
		t.Error("a record that was cut is compared")
	}
}
