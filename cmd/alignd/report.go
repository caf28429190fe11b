package main

import (
	"alignd/evidence"
	"alignd/filter"
	"alignd/policy"
)

// checkReport is what `alignd check --json` prints. Scripts rely on these
// keys; more may be added.
type checkReport struct {
	SPF                   spfReport         `json:"spf"`
	HELO                  *spfReport        `json:"helo,omitempty"`
	DKIM                  []dkimReport      `json:"dkim"`
	DKIMSkipped           int               `json:"dkim_skipped"`
	ARC                   arcReport         `json:"arc"`
	From                  fromReport        `json:"from"`
	DMARC                 dmarcReport       `json:"dmarc"`
	IPRev                 *iprevReport      `json:"iprev,omitempty"`
	Disposition           dispositionReport `json:"disposition"`
	AuthenticationResults string            `json:"authentication_results"`
}

type spfReport struct {
	Result          evidence.Result      `json:"result"`
	Domain          string               `json:"domain"`
	Identity        evidence.SPFIdentity `json:"identity"`
	Mechanism       string               `json:"mechanism"`
	MechanismDomain string               `json:"mechanism_domain"`
	Wide            bool                 `json:"wide"`
	Explanation     string               `json:"explanation"`
	Reason          string               `json:"reason"`
}

type dkimReport struct {
	Result    evidence.Result `json:"result"`
	Domain    string          `json:"domain"`
	Selector  string          `json:"selector"`
	Identity  string          `json:"identity"`
	Algorithm string          `json:"algorithm"`
	B         string          `json:"b"`
	Reason    string          `json:"reason"`
	KeyBits   int             `json:"key_bits,omitempty"`
	Testing   bool            `json:"testing,omitempty"`
	Aligned   bool            `json:"aligned"`
}

type arcReport struct {
	Result     evidence.Result `json:"result"`
	Reason     string          `json:"reason"`
	Instances  int             `json:"instances"`
	OldestPass int             `json:"oldest_pass"`
	Seals      []sealReport    `json:"seals"`
}

type sealReport struct {
	Instance int                `json:"instance"`
	Domain   string             `json:"domain"`
	Selector string             `json:"selector"`
	CV       string             `json:"cv"`
	Result   evidence.Result    `json:"result"`
	Message  evidence.Result    `json:"message_signature_result"`
	AAR      *authResultsReport `json:"authentication_results,omitempty"`
}

// authResultsReport is what a Sealer wrote down (RFC 8617 section 4.1.1).
type authResultsReport struct {
	AuthservID string             `json:"authserv_id"`
	Results    []authResultReport `json:"results"`
}

type authResultReport struct {
	Method     string           `json:"method"`
	Result     string           `json:"result"`
	Reason     string           `json:"reason"`
	Properties []propertyReport `json:"properties"`
}

type propertyReport struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

type fromReport struct {
	Fields  int      `json:"fields"`
	Domains []string `json:"domains"`
	// Partial, Fronts and Sole are those of evidence.From.
	Partial []string             `json:"partial,omitempty"`
	Fronts  []frontReport        `json:"fronts,omitempty"`
	Sole    bool                 `json:"sole,omitempty"`
	Problem evidence.FromProblem `json:"problem"`
	Detail  string               `json:"detail"`
}

// frontReport is a domain in front of angle addresses with those domains.
type frontReport struct {
	Domain string   `json:"domain"`
	Angles []string `json:"angles"`
}

type dmarcReport struct {
	Result       evidence.Result      `json:"result"`
	FromDomain   string               `json:"from_domain"`
	PolicyDomain string               `json:"policy_domain"`
	OrgDomain    string               `json:"org_domain"`
	Policy       evidence.DMARCPolicy `json:"policy"`
	PolicyTag    string               `json:"policy_tag"`
	SPFAligned   bool                 `json:"spf_aligned"`
	DKIMAligned  bool                 `json:"dkim_aligned"`
	Pct          int                  `json:"pct"`
	Testing      bool                 `json:"testing"`
	Discovery    evidence.Discovery   `json:"discovery"`
	Divergence   *divergenceReport    `json:"divergence,omitempty"`
	Record       string               `json:"record"`
	Reason       string               `json:"reason"`
}

// divergenceReport has the fields of evidence.Divergence.
type divergenceReport struct {
	Discovery    evidence.Discovery   `json:"discovery"`
	Result       evidence.Result      `json:"result"`
	PolicyDomain string               `json:"policy_domain"`
	OrgDomain    string               `json:"org_domain"`
	Policy       evidence.DMARCPolicy `json:"policy"`
}

type iprevReport struct {
	Result evidence.Result `json:"result"`
	Names  []string        `json:"names"`
	Reason string          `json:"reason"`
}

type dispositionReport struct {
	Action          policy.Disposition  `json:"action"`
	Delivery        policy.Delivery     `json:"delivery"`
	Requested       policy.Requested    `json:"requested"`
	NotJudged       bool                `json:"not_judged"`
	Step            policy.Step         `json:"step"`
	Rule            string              `json:"rule"`
	File            string              `json:"file"`
	Line            int                 `json:"line"`
	Reason          string              `json:"reason"`
	Override        policy.OverrideType `json:"override"`
	OverrideComment string              `json:"override_comment"`
	Stage           policy.StageName    `json:"stage"`
	Recipient       string              `json:"recipient"`
	TrustedSealer   string              `json:"trusted_sealer"`
	Signals         []policy.Signal     `json:"signals"`
	Sample          int                 `json:"sample"`
	Reply           string              `json:"reply"`
	Tag             string              `json:"tag"`
	Monitor         *outcomeReport      `json:"monitor,omitempty"`
	Undecidable     policy.Fact         `json:"undecidable"`
}

// outcomeReport is what would have been done without monitor mode or rollout.
type outcomeReport struct {
	Action   policy.Disposition `json:"action"`
	Delivery policy.Delivery    `json:"delivery"`
	Reply    string             `json:"reply"`
}

func newReport(ev *evidence.Message, v *policy.Verdict, results string) checkReport {
	d := filter.Decisive(ev, v)
	r := checkReport{
		SPF:                   spfOf(ev.ReportedSPF()),
		DKIM:                  []dkimReport{},
		DKIMSkipped:           ev.DKIMSkipped,
		ARC:                   arcOf(&ev.ARC),
		From:                  fromOf(&ev.From),
		DMARC:                 dmarcOf(d),
		Disposition:           dispositionOf(ev, v),
		AuthenticationResults: results,
	}
	if ev.MailFrom != "" && ev.SPF.HELO != nil {
		helo := spfOf(ev.SPF.HELO)
		r.HELO = &helo
	}
	for i := range ev.DKIM {
		r.DKIM = append(r.DKIM, dkimOf(&ev.DKIM[i]))
	}
	if d != nil {
		for _, i := range d.AlignedDKIM {
			r.DKIM[i].Aligned = true
		}
	}
	if ev.IPRev.Result != evidence.NotChecked {
		r.IPRev = &iprevReport{ev.IPRev.Result, nonNil(ev.IPRev.Names), ev.IPRev.Reason}
	}
	return r
}

func dispositionOf(ev *evidence.Message, v *policy.Verdict) dispositionReport {
	r := dispositionReport{
		Action: v.Disposition, Delivery: v.Delivery, Requested: v.Requested, NotJudged: v.NotJudged,
		Step: v.Step, Rule: v.Rule, File: v.File, Line: v.Line, Reason: v.Reason,
		Override: v.Override, OverrideComment: v.OverrideComment,
		Stage: v.Stage, Recipient: v.Recipient, TrustedSealer: v.TrustedSealer, Signals: nonNil(v.Signals),
		Sample: ev.Sample, Reply: v.Reply.String(), Undecidable: v.Undecidable,
	}
	if v.TagName != "" {
		r.Tag = v.TagName + ": " + v.TagValue
	}
	if m := v.Monitor; m != (policy.Outcome{}) {
		r.Monitor = &outcomeReport{m.Disposition, m.Delivery, m.Reply.String()}
	}
	return r
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func fromOf(f *evidence.From) fromReport {
	r := fromReport{
		Fields: f.Fields, Domains: nonNil(f.Domains), Partial: f.Partial, Sole: f.Sole, Problem: f.Problem, Detail: f.Detail,
	}
	for _, d := range f.Fronts {
		r.Fronts = append(r.Fronts, frontReport(d))
	}
	return r
}

func spfOf(c *evidence.SPFCheck) spfReport {
	if c == nil {
		return spfReport{Result: evidence.None, Identity: evidence.MailFromIdentity}
	}
	return spfReport{c.Result, c.Domain, c.Identity, c.Mechanism, c.MechanismDomain, c.Wide, c.Explanation, c.Reason}
}

func dkimOf(s *evidence.Signature) dkimReport {
	return dkimReport{
		Result: s.Result, Domain: s.Domain, Selector: s.Selector, Identity: s.Identity,
		Algorithm: s.Algorithm, B: s.B, Reason: s.Reason, KeyBits: s.KeyBits, Testing: s.Testing,
	}
}

func arcOf(a *evidence.ARC) arcReport {
	if a.Result == evidence.NotChecked { // the result words are a promise
		return arcReport{Result: evidence.None, Seals: []sealReport{}}
	}
	r := arcReport{Result: a.Result, Reason: a.Reason, Instances: a.Instances, OldestPass: a.OldestPass, Seals: []sealReport{}}
	for _, s := range a.Sets {
		r.Seals = append(r.Seals, sealReport{s.Instance, s.SealDomain, s.SealSelector, s.SealCV, s.SealResult, s.MessageResult, authResultsOf(s.AAR)})
	}
	return r
}

func authResultsOf(a *evidence.AuthResults) *authResultsReport {
	if a == nil {
		return nil
	}
	r := &authResultsReport{AuthservID: a.ServID, Results: []authResultReport{}}
	for _, res := range a.Results {
		properties := []propertyReport{}
		for _, p := range res.Properties {
			properties = append(properties, propertyReport{p.Type, p.Name, p.Value})
		}
		r.Results = append(r.Results, authResultReport{res.Method, res.Result, res.Reason, properties})
	}
	return r
}

func dmarcOf(d *evidence.DMARC) dmarcReport {
	if d == nil { // no Author Domain: RFC 9989 section 5.3.1
		return dmarcReport{Result: evidence.PermError, Policy: evidence.PolicyNone, Pct: 100}
	}
	r := dmarcReport{
		Result: d.Result, FromDomain: d.AuthorDomain, PolicyDomain: d.PolicyDomain, OrgDomain: d.OrgDomain,
		Policy: d.Policy, PolicyTag: d.PolicyTag, SPFAligned: d.SPFAligned, DKIMAligned: d.DKIMAligned,
		Pct: d.Published.Pct, Testing: d.Published.Testing, Discovery: d.Discovery, Divergence: (*divergenceReport)(d.Divergence),
		Record: d.Published.Text, Reason: d.Reason,
	}
	if d.Policy == evidence.PolicyAbsent { // no record
		r.Policy, r.Pct = evidence.PolicyNone, 100
	}
	return r
}
