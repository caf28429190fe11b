package policy

import (
	"strconv"

	"alignd/evidence"
)

// Disposition is what became of a message (RFC 9989 section 5.4).
type Disposition string

// The dispositions.
const (
	DispositionAccept     Disposition = "accept"
	DispositionQuarantine Disposition = "quarantine"
	DispositionReject     Disposition = "reject"
	DispositionTempfail   Disposition = "tempfail"
)

// Delivery is how the MTA is told.
type Delivery string

// The deliveries, mildest first.
const (
	Deliver      Delivery = "deliver"
	DeliverTag   Delivery = "tag"  // delivered with the tag field
	DeliverHold  Delivery = "hold" // into the MTA's quarantine
	DeliverDefer Delivery = "defer"
	Refuse       Delivery = "refuse"
)

// Requested is what the Domain Owner asked for this message: the effective
// policy of a failing message, with t and pct; none in every other case.
type Requested string

// The requests.
const (
	RequestedNone       Requested = "none"
	RequestedQuarantine Requested = "quarantine"
	RequestedReject     Requested = "reject"
)

// disposition is the one that carries out a request.
func (r Requested) disposition() Disposition {
	switch r {
	case RequestedReject:
		return DispositionReject
	case RequestedQuarantine:
		return DispositionQuarantine
	}
	return DispositionAccept
}

// Step names the step of the decision that decided.
type Step string

// The steps, in order, and the two ways in which no decision was reached.
const (
	StepNotJudged Step = "not judged"
	StepFrom      Step = "unusable From"
	StepException Step = "exception"
	StepSealer    Step = "trusted sealer"
	StepPolicy    Step = "published policy"
	StepHandling  Step = "local handling"
	StepTempError Step = "temporary error"
	StepLimit     Step = "limit"
	StepInternal  Step = "internal error"
)

// OverrideType is the reason type of an aggregate report (RFC 9990 section
// 3.1.1.9 and appendix A). It is empty when the outcome is what was asked for.
type OverrideType string

// The types.
const (
	NoOverride               OverrideType = ""
	OverrideLocalPolicy      OverrideType = "local_policy"
	OverrideMailingList      OverrideType = "mailing_list"
	OverrideTrustedForwarder OverrideType = "trusted_forwarder"
	OverrideTestMode         OverrideType = "policy_test_mode"
	OverrideOther            OverrideType = "other"
)

// Verdict is what is done with a message, and why. It is comparable by
// reflect.DeepEqual; Signals is not shared with Rules.
type Verdict struct {
	Disposition Disposition `cbor:"1,keyasint,omitempty"`
	Delivery    Delivery    `cbor:"2,keyasint,omitempty"`
	Requested   Requested   `cbor:"3,keyasint,omitempty"`

	Step Step `cbor:"4,keyasint,omitempty"`
	// Rule is the id of the entry that decided, the name of the option where
	// that is no entry of a list ("honor.reject"), or "" where the sender's
	// policy did. File and Line say where it stands; they are zero for what is
	// built in or a default.
	Rule string `cbor:"5,keyasint,omitempty"`
	File string `cbor:"6,keyasint,omitempty"`
	Line int    `cbor:"7,keyasint,omitempty"`
	// Reason is one sentence for the admin. It may hold domains from Evidence
	// and must go through an escaping writer.
	Reason string `cbor:"8,keyasint,omitempty"`

	// Override and OverrideComment explain to the Domain Owner why the outcome
	// is not what was asked for: the first of the reasons.
	Override        OverrideType `cbor:"9,keyasint,omitempty"`
	OverrideComment string       `cbor:"10,keyasint,omitempty"`
	// Authors are the outcomes that would have held for each Author Domain alone, in
	// the order of Message.DMARC, as aggregate reports count them. It is nil where
	// nothing is to be reported: the message was not judged, over a limit, or alignd
	// failed on it.
	Authors []AuthorOutcome `cbor:"23,keyasint,omitempty"`

	// Reply is set for Refuse and DeliverDefer.
	Reply Reply `cbor:"11,keyasint,omitempty"`
	// TagName and TagValue are set for DeliverTag.
	TagName  string `cbor:"12,keyasint,omitempty"`
	TagValue string `cbor:"13,keyasint,omitempty"`

	// Waited: the message is let in because it was put off long enough.
	Waited bool `cbor:"22,keyasint,omitempty"`
	// Evaluation is the number of the evaluation in Message.DMARC that decided,
	// from 1; 0 when none did. See Decisive.
	Evaluation int  `cbor:"14,keyasint,omitempty"`
	NotJudged  bool `cbor:"15,keyasint,omitempty"`
	// Monitor is what would have been done without mode monitor or the rollout
	// stage that held the outcome back; zero when neither did.
	Monitor Outcome `cbor:"16,keyasint,omitempty"`
	// Stage of the rollout that limited or allowed the outcome; empty without rollout.
	Stage StageName `cbor:"17,keyasint,omitempty"`
	// Recipient is the one whose Profile decided; empty when none did.
	Recipient string `cbor:"18,keyasint,omitempty"`
	// TrustedSealer is d= of the ARC Sealer that vouches for the message,
	// whether or not that changed the outcome; written as policy.arc.
	TrustedSealer string `cbor:"19,keyasint,omitempty"`
	// Signals are those that corroborated a reject.
	Signals []Signal `cbor:"20,keyasint,omitempty"`
	// Undecidable are all facts that a rule needed and that were not looked up,
	// or not answered, in order and each once. The verdict is the one without that rule.
	Undecidable []Fact `cbor:"21,keyasint,omitempty"`
}

// AuthorOutcome is what would have been done had the message this Author Domain
// only. What is done for the sake of the whole message (From, recipients, client)
// is in it.
type AuthorOutcome struct {
	AuthorDomain string      `cbor:"1,keyasint,omitempty"`
	Disposition  Disposition `cbor:"2,keyasint,omitempty"`
	Delivery     Delivery    `cbor:"3,keyasint,omitempty"`
	Requested    Requested   `cbor:"4,keyasint,omitempty"`
	Step         Step        `cbor:"5,keyasint,omitempty"`
	Rule         string      `cbor:"6,keyasint,omitempty"`
	// Reasons are why the outcome is not what was published, that of the last step
	// first (RFC 9990 section 3.1.1.9).
	Reasons []OverrideReason `cbor:"7,keyasint,omitempty"`
}

// OverrideReason is one reason of an aggregate report.
type OverrideReason struct {
	Type    OverrideType `cbor:"1,keyasint,omitempty"`
	Comment string       `cbor:"2,keyasint,omitempty"` // reveals no configuration but ids of entries
}

// Outcome is a disposition and the way it is delivered.
type Outcome struct {
	Disposition Disposition `cbor:"1,keyasint,omitempty"`
	Delivery    Delivery    `cbor:"2,keyasint,omitempty"`
	Reply       Reply       `cbor:"3,keyasint,omitempty"`
}

// Reply is an SMTP reply: one line of printable US-ASCII, at most 512 octets
// in all (RFC 5321 section 4.5.3.1.5). The zero Reply means none.
type Reply struct {
	Code     int    `cbor:"1,keyasint,omitempty"`
	Enhanced string `cbor:"2,keyasint,omitempty"`
	Text     string `cbor:"3,keyasint,omitempty"`
}

// Reached reports whether v is a verdict at all. The zero Verdict is none: who gets
// it has failed, and lets nothing through for it.
func (v *Verdict) Reached() bool { return v.Delivery != "" }

// Rescued reports whether an exception or a trusted Sealer let in as it is what its domain
// wants refused or quarantined.
func (v *Verdict) Rescued() bool {
	return (v.Step == StepException || v.Step == StepSealer) && v.Delivery == Deliver &&
		(v.Monitor.Delivery == "" || v.Monitor.Delivery == Deliver) && v.Requested != "" && v.Requested != RequestedNone
}

// Decisive is the evaluation that the verdict rests on and that is told as the
// result; nil when the message has no Author Domain or was not evaluated. Where the
// From is unusable, only one that does not pass is told, and only if it decided: a
// reader may see another author than the one who passed (RFC 9989 section 11.5). A
// pass of the sole domain is told, as no reader sees another.
func Decisive(ev *evidence.Message, v *Verdict) *evidence.DMARC {
	if v.Evaluation < 1 || v.Evaluation > len(ev.DMARC) {
		return nil
	}
	d := &ev.DMARC[v.Evaluation-1]
	if ev.From.Sole && d.Result == evidence.Pass {
		return d
	}
	if ev.From.Problem != evidence.FromOK &&
		(v.Step == StepFrom || d.Result != evidence.Fail && d.Result != evidence.TempError) {
		return nil
	}
	return d
}

// ResultOf is the result of DMARC that is told of a message: that of the decisive
// evaluation, permerror where there is none as From has no Author Domain that can be used
// (RFC 9989 section 5.3.1), and NotChecked for mail that was not looked at.
func ResultOf(ev *evidence.Message, v *Verdict) evidence.Result {
	switch d := Decisive(ev, v); {
	case d != nil:
		return d.Result
	case ev.From.Problem != evidence.FromOK || ev.Has(evidence.SectionDMARC):
		return evidence.PermError
	}
	return evidence.NotChecked
}

// Place is where the rule that decided stands, "file:line"; empty for what is
// built in.
func (v *Verdict) Place() string {
	if v.File == "" {
		return ""
	}
	return v.File + ":" + strconv.Itoa(v.Line)
}

// String is the reply as a client sees it; empty for the zero Reply.
func (r Reply) String() string {
	if r.Code == 0 {
		return ""
	}
	return strconv.Itoa(r.Code) + " " + r.Enhanced + " " + r.Text
}
