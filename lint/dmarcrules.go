package lint

import (
	"cmp"
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/verify/dmarc"
)

// The rules of RFC 9989 that records break, in its words.
var (
	severalDMARC = rule{"RFC 9989 section 4.10", `If multiple DMARC Policy Records are returned for a single target, they are all discarded.`}
	notDMARC     = rule{"RFC 9989 section 4.10", `Records that do not start with a "v" tag that identifies the current version of DMARC are discarded.`}
	placeDMARC   = rule{"RFC 9989 section 4.5", ""}
	policyValues = rule{"RFC 9989 section 4.10.1", `If a retrieved DMARC Policy Record does not contain a valid "p" tag, or contains an "sp" or "np" tag that is not valid, then: If a "rua" tag is present and contains at least one syntactically valid reporting URI, the Mail Receiver MUST act as if a record containing "p=none" was retrieved and continue processing; Otherwise, the Mail Receiver applies no DMARC processing to this message.`}
	otherTags    = rule{"RFC 9989 section 4.8", `Syntax errors in the remainder of the record MUST be discarded in favor of default values (if any) or ignored outright.`}
	unknownTags  = rule{"RFC 9989 section 4.7", `Unknown tags MUST be ignored.`}
	testMode     = rule{"RFC 9989 section 4.7", ""}
	historic     = rule{"RFC 9989 appendix A.6", ""}
	obsoleteSize = rule{"RFC 9989 section 4.8", ""}
	onlyMailto   = rule{"RFC 9989 section 4.7", ""}
	externalRUA  = rule{"RFC 9990 section 4", ""}
	externalRUF  = rule{"RFC 9991 section 5", ""}
	psdReports   = rule{"RFC 9991 section 2", ""}
)

// recordFaults says what is wrong with the record that holds.
type recordFaults struct {
	out *DMARC
	rec *dmarc.Record
	at  string
}

func (l *recordFaults) add(level Level, r rule, format string, args ...any) {
	l.out.add(level, l.at, r, format, args...)
}

func (l *recordFaults) run() {
	tags := dmarc.Tags(l.rec.Text)
	l.use()
	glued := l.glued(tags)
	for _, problem := range l.rec.Errors {
		if glued != "" && strings.HasSuffix(problem, "of tag "+glued) {
			continue // it was told
		}
		r := otherTags
		if badPolicy(problem) {
			r = policyValues
		}
		l.add(Fault, r, "%s", problem)
	}
	for _, t := range tags {
		l.tag(t)
	}
	l.weaker()
	l.addresses()
}

// badPolicy reports whether a problem is about p, sp or np.
func badPolicy(problem string) bool {
	return slices.ContainsFunc([]string{" of tag p", " of tag sp", " of tag np", "duplicate tag p", "duplicate tag sp", "duplicate tag np"},
		func(end string) bool { return strings.HasSuffix(problem, end) })
}

// use is what becomes of the policies as a whole.
func (l *recordFaults) use() {
	switch l.rec.Use() {
	case dmarc.NotProcessed:
		l.add(Fault, policyValues, "the record has no valid policy and no address for reports, so that DMARC is not applied")
	case dmarc.AsNone:
		if l.rec.P == evidence.PolicyAbsent {
			l.add(Warning, policyValues, "there is no p tag: the record acts as p=none, and receivers that go by RFC 7489 discard it")
			return
		}
		l.add(Fault, policyValues, "a policy of the record is not valid: all of it acts as p=none, whatever the others say")
	}
}

// glued finds a policy that swallowed the tag behind it, as in "p=reject rua=...".
func (l *recordFaults) glued(tags []dmarc.Tag) (name string) {
	i := slices.IndexFunc(tags, func(t dmarc.Tag) bool { return isPolicyTag(t.Name) && strings.Contains(t.Value, "=") })
	if i < 0 {
		return ""
	}
	l.add(Fault, policyValues, "no semicolon stands behind the value of %s: it reads as %q, which is no policy", tags[i].Name, tags[i].Value)
	return tags[i].Name
}

func isPolicyTag(name string) bool { return name == "p" || name == "sp" || name == "np" }

// tag says what is to be known of one tag.
func (l *recordFaults) tag(t dmarc.Tag) {
	switch t.Name {
	case "pct":
		l.add(Warning, historic, "%s is historic: receivers that go by RFC 9989 apply the policy to all mail; t=y takes its place for tests. alignd honours it unless pct: ignore is set", asWritten(t))
	case "rf", "ri":
		l.add(Note, historic, "%s is historic and has no effect", asWritten(t))
	case "fo":
		if len(l.rec.RUF) == 0 {
			l.add(Note, rule{"RFC 9989 section 4.7", ""}, "%s has no effect without ruf", asWritten(t))
		}
	case "psd":
		if l.rec.PSD == "y" {
			l.add(Warning, rule{"RFC 9989 section 4.7", ""}, "psd=y: the domain says that it is a public suffix, so that names below it are domains of others and do not align with it")
		}
	case "rua", "ruf":
		if strings.Contains(t.Value, "!") {
			l.add(Note, obsoleteSize, "a size limit in %s (!10m) is obsolete and ignored", t.Name)
		}
	case "v":
		l.add(Warning, rule{"RFC 9989 section 4.7", ""}, "v stands twice: a second record may have been put behind the first one, and its tags that stand twice are not read")
	default:
		if !t.Known {
			l.add(Note, unknownTags, "an unknown tag: %s", asWritten(t))
		}
	}
}

// strength orders the policies.
var strength = map[evidence.DMARCPolicy]int{evidence.PolicyNone: 1, evidence.PolicyQuarantine: 2, evidence.PolicyReject: 3}

// weaker tells of policies that leave out what the owner may think they cover.
func (l *recordFaults) weaker() {
	rec := l.rec
	if rec.Use() != dmarc.Applies {
		return
	}
	if rec.Testing {
		l.add(Warning, testMode, "t=y: the policies are being tested, and receivers treat mail one step more mildly than they say")
	}
	if rec.P == evidence.PolicyNone {
		l.add(Warning, rule{"RFC 9989 section 4.7", ""}, "p=none asks for nothing: mail that fails is delivered")
	}
	sp := cmp.Or(rec.SP, rec.P)
	if strength[sp] < strength[rec.P] {
		l.add(Warning, rule{"RFC 9989 section 4.7", ""}, "sp=%s is weaker than p=%s: who forges a subdomain is treated more mildly", sp, rec.P)
	}
	if np := cmp.Or(rec.NP, sp); strength[np] < strength[rec.P] && rec.NP != evidence.PolicyAbsent {
		l.add(Warning, rule{"RFC 9989 section 4.7", ""}, "np=%s is weaker than p=%s: who invents a subdomain is treated more mildly", np, rec.P)
	}
}

// addresses is about where reports go.
func (l *recordFaults) addresses() {
	if len(l.rec.RUA) == 0 {
		l.add(Note, rule{"RFC 9989 section 4.7", ""}, "no rua that reports can be sent to: nobody tells the owner who sends as the domain")
	}
	for _, uri := range l.rec.OtherRUA {
		l.add(Warning, onlyMailto, "rua=%s: only mailto has to be supported, so nothing may be sent there", uri)
	}
	if len(l.rec.RUF) > 0 && l.rec.PSD == "y" {
		l.add(Warning, psdReports, "ruf of a record with psd=y is not used")
	}
}
