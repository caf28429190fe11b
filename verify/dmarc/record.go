package dmarc

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"alignd/evidence"
)

// ErrNotRecord: the text does not start with v=DMARC1, so it is no DMARC
// record and counts as absent (RFC 9989 section 4.10).
var ErrNotRecord = errors.New("not a DMARC record: it does not start with v=DMARC1")

// invalidPolicy stands for a p, sp or np tag that is present and has no valid
// value. It appears in Record only; evidence shows such a tag as absent.
const invalidPolicy evidence.DMARCPolicy = "invalid"

// maxErrors bounds the parse problems kept of one record. Ours; what is above
// it is dropped.
const maxErrors = 8

// Record is a parsed DMARC record (RFC 9989 section 4.7). Records are shared
// by all who got the same DNS answer and must not be changed.
type Record struct {
	Text       string // as published
	P, SP, NP  evidence.DMARCPolicy
	StrictDKIM bool   // adkim=s
	StrictSPF  bool   // aspf=s
	Testing    bool   // t=y
	HasTesting bool   // a valid t tag is present
	Pct        int    // 0-100; 100 when absent or invalid
	PSD        string // "y", "n" or "u"
	// FailureOpts is fo in lower case, "0" when absent or invalid. It has no
	// meaning without RUF.
	FailureOpts string
	// RUA and RUF are the mailto URIs, without obsolete size suffix.
	RUA, RUF []string
	ruaHosts []string // the domains of RUA
	// OtherRUA are valid URIs of other schemes: no reports go there, but they
	// count as reporting addresses in the rule for invalid policies.
	OtherRUA []string
	Errors   []string // parse problems; may quote outside text
}

// ParseRecord reads one TXT record. The only error is ErrNotRecord; problems
// inside a record are kept in Errors and replaced by defaults or ignored
// (RFC 9989 section 4.8).
func ParseRecord(txt string) (Record, error) {
	rest, ok := cutVersion(txt)
	if !ok {
		return Record{}, ErrNotRecord
	}
	p := parser{rec: Record{Text: txt, Pct: 100, PSD: "u", FailureOpts: "0"}}
	for rest != "" {
		var piece string
		piece, rest, _ = strings.Cut(rest, ";")
		if piece = trim(piece); piece != "" {
			p.tag(piece)
		}
	}
	return p.rec, nil
}

// cutVersion cuts the version tag with its semicolon. Its name is an ABNF
// literal and so has no case, its value has (section 4.7, tag v).
func cutVersion(txt string) (rest string, ok bool) {
	head, rest, _ := strings.Cut(txt, ";")
	name, value, found := strings.Cut(head, "=")
	ok = found && strings.EqualFold(strings.TrimRight(name, wsp), "v") && trim(value) == "DMARC1"
	return rest, ok
}

// wsp is WSP of RFC 5234.
const wsp = " \t"

func trim(s string) string { return strings.Trim(s, wsp) }

// The tags that have a meaning here; a bit each, to see duplicates.
const (
	tagP = 1 << iota
	tagSP
	tagNP
	tagADKIM
	tagASPF
	tagT
	tagPct
	tagPSD
	tagFO
	tagRUA
	tagRUF
)

var knownTags = map[string]int{
	"p": tagP, "sp": tagSP, "np": tagNP, "adkim": tagADKIM, "aspf": tagASPF, "t": tagT,
	"pct": tagPct, "psd": tagPSD, "fo": tagFO, "rua": tagRUA, "ruf": tagRUF,
}

type parser struct {
	rec  Record
	seen int
}

func (p *parser) problem(text string) {
	if len(p.rec.Errors) < maxErrors {
		p.rec.Errors = append(p.rec.Errors, text)
	}
}

// tag reads one "name = value". A tag outside the grammar is dropped, but for p,
// sp and np without a proper value: these are there and not valid, for which
// section 4.7 has a rule of its own.
func (p *parser) tag(piece string) {
	name, value, found := strings.Cut(piece, "=")
	name, value = strings.ToLower(trim(name)), trim(value)
	bit := knownTags[name]
	proper := found && isAlpha(name) && value != "" && isTagValue(value)
	if !proper && !(found && bit&(tagP|tagSP|tagNP) != 0) {
		p.problem("syntax error in tag " + quote(piece))
		return
	}
	if bit == 0 {
		return // unknown tags must be ignored (sections 4.7 and 4.8)
	}
	again := p.seen&bit != 0
	p.seen |= bit
	switch bit {
	case tagP:
		p.policy(&p.rec.P, name, value)
	case tagSP:
		p.policy(&p.rec.SP, name, value)
	case tagNP:
		p.policy(&p.rec.NP, name, value)
	default:
		if again {
			p.problem("duplicate tag " + name)
			return
		}
		p.other(bit, name, value)
	}
}

// policy sets p, sp or np. A second tag with another value makes it invalid.
func (p *parser) policy(to *evidence.DMARCPolicy, name, value string) {
	word := evidence.DMARCPolicy(strings.ToLower(value))
	switch word {
	case evidence.PolicyNone, evidence.PolicyQuarantine, evidence.PolicyReject:
	default:
		word = invalidPolicy
		p.problem("invalid value " + quote(value) + " of tag " + name)
	}
	if *to != evidence.PolicyAbsent && *to != word {
		word = invalidPolicy
		p.problem("duplicate tag " + name)
	}
	*to = word
}

// other sets a tag whose invalid value means the default (section 4.8).
func (p *parser) other(bit int, name, value string) {
	ok := true
	switch bit {
	case tagADKIM:
		p.rec.StrictDKIM, ok = oneOf(value, "s", "r")
	case tagASPF:
		p.rec.StrictSPF, ok = oneOf(value, "s", "r")
	case tagT:
		p.rec.Testing, ok = oneOf(value, "y", "n")
		p.rec.HasTesting = ok
	case tagPct:
		var n int
		if n, ok = percent(value); ok {
			p.rec.Pct = n
		}
	case tagPSD:
		word := strings.ToLower(value)
		if ok = word == "y" || word == "n" || word == "u"; ok {
			p.rec.PSD = word
		}
	case tagFO:
		var word string
		if word, ok = failureOptions(value); ok {
			p.rec.FailureOpts = word
		}
	case tagRUA:
		p.rec.RUA, p.rec.OtherRUA = p.uris(name, value)
		p.rec.ruaHosts = mailHosts(p.rec.RUA)
	case tagRUF:
		p.rec.RUF, _ = p.uris(name, value)
	}
	if !ok {
		p.problem("invalid value " + quote(value) + " of tag " + name)
	}
}

// oneOf reports whether value is the word yes, and whether it is yes or no.
func oneOf(value, yes, no string) (is, ok bool) {
	if strings.EqualFold(value, yes) {
		return true, true
	}
	return false, strings.EqualFold(value, no)
}

// percent reads pct (RFC 7489 section 6.3): 1*3DIGIT up to 100.
func percent(value string) (int, bool) {
	if len(value) > 3 || strings.Trim(value, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(value)
	return n, err == nil && n <= 100
}

// failureOptions reads fo: "0" or "1" but not both, "d", "s", with colons.
func failureOptions(value string) (string, bool) {
	var words []string
	for word := range strings.SplitSeq(strings.ToLower(value), ":") {
		word = trim(word)
		if word != "0" && word != "1" && word != "d" && word != "s" {
			return "", false
		}
		if !slices.Contains(words, word) { // so there are never more than four
			words = append(words, word)
		}
	}
	if slices.Contains(words, "0") && slices.Contains(words, "1") {
		return "", false
	}
	return strings.Join(words, ":"), true
}

func isAlpha(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

// isTagValue: printable US-ASCII and space; semicolons are cut before.
func isTagValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// quote shows outside text in a problem, shortened.
func quote(s string) string {
	const limit = 60
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// String prints the record with its tags in one order and without those that
// say the default. Read back it is Equal to r.
func (r Record) String() string {
	var b strings.Builder
	b.WriteString("v=DMARC1")
	tag := func(name, value string) {
		if value != "" {
			b.WriteString("; " + name + "=" + value)
		}
	}
	flag := func(name, value string, set bool) {
		if set {
			tag(name, value)
		}
	}
	tag("p", string(r.P))
	tag("sp", string(r.SP))
	tag("np", string(r.NP))
	flag("adkim", "s", r.StrictDKIM)
	flag("aspf", "s", r.StrictSPF)
	flag("psd", r.PSD, r.PSD != "u")
	flag("t", "y", r.Testing)
	flag("t", "n", r.HasTesting && !r.Testing)
	flag("pct", strconv.Itoa(r.Pct), r.Pct != 100)
	flag("fo", r.FailureOpts, r.FailureOpts != "0")
	tag("rua", strings.Join(slices.Concat(r.RUA, r.OtherRUA), ","))
	tag("ruf", strings.Join(r.RUF, ","))
	return b.String()
}

// Equal reports whether both records mean the same; Text and Errors are not
// compared.
func (r Record) Equal(o Record) bool {
	return r.P == o.P && r.SP == o.SP && r.NP == o.NP &&
		r.StrictDKIM == o.StrictDKIM && r.StrictSPF == o.StrictSPF &&
		r.Testing == o.Testing && r.HasTesting == o.HasTesting &&
		r.Pct == o.Pct && r.PSD == o.PSD && r.FailureOpts == o.FailureOpts &&
		slices.Equal(r.RUA, o.RUA) && slices.Equal(r.OtherRUA, o.OtherRUA) && slices.Equal(r.RUF, o.RUF)
}

// Evidence returns the record as plain values. Slices are shared with r.
func (r *Record) Evidence() evidence.DMARCRecord {
	return evidence.DMARCRecord{
		Text: r.Text,
		P:    shown(r.P), SP: shown(r.SP), NP: shown(r.NP),
		StrictDKIM: r.StrictDKIM, StrictSPF: r.StrictSPF,
		Testing: r.Testing, HasTesting: r.HasTesting,
		Pct: r.Pct, PSD: r.PSD, FailureOpts: r.FailureOpts,
		RUA: r.RUA, RUF: r.RUF,
		Errors: slices.Clip(r.Errors),
	}
}

func shown(p evidence.DMARCPolicy) evidence.DMARCPolicy {
	if p == invalidPolicy {
		return evidence.PolicyAbsent
	}
	return p
}
