package main

import (
	"alignd/evidence"
	"alignd/policy"
)

// checkReport has the keys of `alignd check --json` that scripts rely on; there
// are more.
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
	Fields  int                  `json:"fields"`
	Domains []string             `json:"domains"`
	Problem evidence.FromProblem `json:"problem"`
	Detail  string               `json:"detail"`
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
	Undecidable     []policy.Fact       `json:"undecidable"`
}

// outcomeReport is what would have been done without monitor mode or rollout.
type outcomeReport struct {
	Action   policy.Disposition `json:"action"`
	Delivery policy.Delivery    `json:"delivery"`
	Reply    string             `json:"reply"`
}
