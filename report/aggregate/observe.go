package aggregate

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Scope is what reports are kept apart by: a Policy Domain, the policy that it
// published, how that was found, and the day (RFC 9990 section 3.1).
type Scope struct {
	Day       time.Time // midnight UTC
	Domain    string    // the Policy Domain
	Discovery evidence.Discovery
	Policy    Policy
}

// Policy is the record of a Policy Domain as reports tell it. Empty fields were not
// published, but P and the alignment modes, which then have their default.
type Policy struct {
	P, SP, NP             evidence.DMARCPolicy
	StrictDKIM, StrictSPF bool
	Testing               string // "y", "n" or empty
	FO                    string
	// Pct is for the schema of RFC 7489; 100 where it was not published.
	Pct int
	// Errors are faults of the record, one behind the other.
	Errors string
}

// Row is one kind of message in a report. Messages with equal rows are counted
// together; Key says which are.
type Row struct {
	Source      netip.Addr
	Disposition Disposition
	DKIM, SPF   bool // an aligned identifier passes
	Reasons     []policy.OverrideReason
	// HeaderFrom is the Author Domain, EnvelopeFrom the domain of MAIL FROM (empty for
	// the null reverse-path).
	HeaderFrom, EnvelopeFrom string
	// EnvelopeTo is the domain of the recipients, where it is to be told and is one.
	EnvelopeTo string
	Signatures []Signature
	Checked    *SPF // nil where SPF gave no result
}

// Signature is the result of one DKIM signature.
type Signature struct {
	Domain, Selector string
	Result           evidence.Result
	Human            string
}

// SPF is the result that DMARC used.
type SPF struct {
	Domain string
	// MailFrom: it is about MAIL FROM; else about HELO, which the schema of RFC 9990
	// has no word for.
	MailFrom bool
	Result   evidence.Result
	Human    string
}

// Disposition is the word of a row (RFC 9990 appendix A).
type Disposition string

// The words.
const (
	None       Disposition = "none"
	Pass       Disposition = "pass" // of an enforcing policy, and the message passed
	Quarantine Disposition = "quarantine"
	Reject     Disposition = "reject"
)

// Observation is what one message adds to one report.
type Observation struct {
	Scope Scope
	Row   Row
	// RUA is where the Policy Domain wants reports, as published.
	RUA []string
	// OtherRUA are those of RUA that have to agree before (RFC 9990 section 4).
	OtherRUA []string
	// Passed: the message passed DMARC, so its domain does send mail here.
	Passed bool
}

// Options say what of a message is told.
type Options struct {
	// EnvelopeTo tells the domain of the recipients. It shows to whom mail is forwarded
	// (RFC 9990 section 7).
	EnvelopeTo bool
}

// maxSignatures is how many results of DKIM a row has: RFC 9990 section 3.1.1.11.
const maxSignatures = 100

// Observe says what r adds to reports, one Observation for each Author Domain whose
// policy asks for reports. It is empty where nothing is to be reported.
func Observe(r *record.Record, opt Options) (list []Observation) {
	if r.Outcome.End != record.EndAnswered || r.Verdict.NotJudged || r.Verdict.Disposition == policy.DispositionTempfail {
		return nil
	}
	ev := &r.Evidence
	for i := range r.Verdict.Authors {
		if i >= len(ev.DMARC) {
			break
		}
		dm, author := &ev.DMARC[i], &r.Verdict.Authors[i]
		if !reportable(dm) || !ev.Client.IP().IsValid() {
			continue
		}
		list = append(list, Observation{
			Scope: scopeOf(dm, ev.Time), Row: rowOf(ev, dm, author, opt),
			RUA: dm.Published.RUA, OtherRUA: dm.Published.OtherRUA,
			Passed: dm.Result == evidence.Pass,
		})
	}
	return list
}

// reportable: there is a policy, it was applied or would have been, and it asks for
// reports (RFC 9989 section 4.7: none without rua).
func reportable(dm *evidence.DMARC) bool {
	switch dm.Result {
	case evidence.Pass, evidence.Fail:
	case evidence.TempError:
		if dm.PolicyTemporary {
			return false
		}
	default:
		return false
	}
	return dm.PolicyDomain != "" && len(dm.Published.RUA) > 0
}

func scopeOf(dm *evidence.DMARC, at time.Time) Scope {
	pub := &dm.Published
	s := Scope{
		Day: at.UTC().Truncate(24 * time.Hour), Domain: dm.PolicyDomain, Discovery: dm.Discovery,
		Policy: Policy{
			P: cmp.Or(pub.P, evidence.PolicyNone), SP: pub.SP, NP: pub.NP,
			StrictDKIM: pub.StrictDKIM, StrictSPF: pub.StrictSPF,
			FO: pub.FailureOpts, Pct: pub.Pct, Errors: strings.Join(pub.Errors, "; "),
		},
	}
	if pub.HasTesting {
		s.Policy.Testing = map[bool]string{true: "y", false: "n"}[pub.Testing]
	}
	return s
}

func rowOf(ev *evidence.Message, dm *evidence.DMARC, author *policy.AuthorOutcome, opt Options) Row {
	row := Row{
		Source: ev.Client.IP().Unmap().WithZone(""), DKIM: dm.DKIMAligned, SPF: dm.SPFAligned,
		HeaderFrom: dm.AuthorDomain, EnvelopeFrom: ev.MailFromDomain,
		Signatures: signatures(ev, dm), Checked: checked(ev),
	}
	row.Disposition, row.Reasons = disposition(dm, author)
	row.Reasons = inAWord(row.Reasons)
	if dm.Result == evidence.Fail && string(row.Disposition) != string(dm.Policy) && len(row.Reasons) == 0 {
		row.Reasons = []policy.OverrideReason{unsaid}
	}
	if opt.EnvelopeTo {
		row.EnvelopeTo = recipientsDomain(ev)
	}
	return row
}

// inAWord leaves out which of the site's exceptions it was: that is nobody's business.
func inAWord(reasons []policy.OverrideReason) []policy.OverrideReason {
	short := slices.Clone(reasons)
	for i := range short {
		switch c := short[i].Comment; {
		case c == "monitor mode":
			short[i].Comment = "monitor"
		case strings.HasPrefix(c, "exception "):
			short[i].Comment = "exception"
		}
	}
	return short
}

// unsaid stands where nothing else says why a failure was not met as the policy asks, as
// with an address in front of the author's: RFC 9990 appendix A wants a reason there.
var unsaid = policy.OverrideReason{Type: policy.OverrideLocalPolicy, Comment: "local policy"}

// temperror says that a fail of a row is none: the schema has no other word there.
var temperror = policy.OverrideReason{Type: policy.OverrideOther, Comment: "temperror"}

// disposition is what was done for this Author Domain, and why that is not what its
// policy asks for (RFC 9990 section 3.1.1.8 and appendix A).
func disposition(dm *evidence.DMARC, author *policy.AuthorOutcome) (Disposition, []policy.OverrideReason) {
	switch author.Disposition {
	case policy.DispositionQuarantine:
		return Quarantine, author.Reasons
	case policy.DispositionReject:
		return Reject, author.Reasons
	case policy.DispositionTempfail:
		// It was answered for the sake of another Author Domain.
		return None, []policy.OverrideReason{temperror}
	}
	if dm.Result == evidence.TempError && !slices.Contains(author.Reasons, temperror) {
		return None, append(slices.Clone(author.Reasons), temperror)
	}
	if dm.Result == evidence.Pass && (dm.Policy == evidence.PolicyQuarantine || dm.Policy == evidence.PolicyReject) {
		return Pass, author.Reasons
	}
	return None, author.Reasons
}

// signatures are the results of DKIM in the order of RFC 9990 section 3.1.3: passes that
// are aligned strictly, passes that are aligned, other passes, the rest.
func signatures(ev *evidence.Message, dm *evidence.DMARC) []Signature {
	order := make([]int, 0, len(ev.DKIM))
	for i := range ev.DKIM {
		if sig := &ev.DKIM[i]; sig.Domain != "" && sig.Result != evidence.NotChecked {
			order = append(order, i)
		}
	}
	rank := func(i int) int {
		sig := &ev.DKIM[i]
		switch {
		case sig.Result != evidence.Pass:
			return 3
		case !slices.Contains(dm.AlignedDKIM, i):
			return 2
		case sig.Domain != dm.AuthorDomain:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	list := make([]Signature, 0, min(len(order), maxSignatures))
	for _, i := range order[:min(len(order), maxSignatures)] {
		sig := &ev.DKIM[i]
		list = append(list, Signature{Domain: sig.Domain, Selector: sig.Selector, Result: sig.Result, Human: sig.Reason})
	}
	return list
}

func checked(ev *evidence.Message) *SPF {
	c := ev.ReportedSPF()
	if c == nil || c.Result == evidence.NotChecked || c.Domain == "" {
		return nil
	}
	return &SPF{Domain: c.Domain, MailFrom: c.Identity == evidence.MailFromIdentity, Result: c.Result, Human: c.Reason}
}

// recipientsDomain is the domain of all recipients, empty where they differ.
func recipientsDomain(ev *evidence.Message) (domain string) {
	for i := range ev.Recipients {
		_, d, _ := strings.Cut(ev.Recipients[i].Address, "@")
		d = strings.ToLower(d[strings.LastIndex(d, "@")+1:])
		if i > 0 && d != domain {
			return ""
		}
		domain = d
	}
	return domain
}
