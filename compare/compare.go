// Package compare sets what a filter in front of alignd wrote beside what alignd found,
// method by method, and says of each difference what it comes from and who is right, as
// far as the evidence can tell. It is pure: the same evidence and verdict give the same
// answer, whenever they are asked.
//
// Results are compared by their words (RFC 8601 section 2.7); "hardfail" of RFC 5451 is
// "fail". A method of which the other filter says nothing is not compared.
package compare

import (
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/policy"
)

// The methods that are compared. From is no method: it is the Author Domain that dmarc=
// is about (header.from).
const (
	SPF   = "spf"
	DKIM  = "dkim"
	DMARC = "dmarc"
	ARC   = "arc"
	IPRev = "iprev"
	From  = "header.from"
)

// Absent stands for a signature that one of both does not have.
const Absent = "absent"

// Knows reports whether alignd has a result of this method, so that another one can be
// compared with it.
func Knows(method string) bool {
	switch method {
	case SPF, DKIM, DMARC, ARC, IPRev:
		return true
	}
	return false
}

// Pair is one result of the other filter and ours.
type Pair struct {
	With   string // the authserv-id of the other filter
	Method string
	// Of is what both are about: the domain of spf, "domain selector" of a signature,
	// the Author Domain of dmarc.
	Of           string
	Theirs, Ours string

	sig    *evidence.Signature // of dkim, ours; may be nil
	domain string              // theirs
}

// Same reports whether both say the same.
func (p *Pair) Same() bool { return p.Theirs == p.Ours }

// Pairs are all results that can be compared, in the order spf, dkim, dmarc,
// header.from, arc, iprev for each filter.
func Pairs(ev *evidence.Message, v *policy.Verdict) []Pair {
	var list []Pair
	for i := range ev.Incumbents {
		in := &ev.Incumbents[i]
		for _, of := range [...]func(*evidence.Incumbent, *evidence.Message, *policy.Verdict) []Pair{spf, dkim, dmarc, arc, iprev} {
			for _, p := range of(in, ev, v) {
				p.With, p.Theirs = in.ServID, word(p.Theirs)
				list = append(list, p)
			}
		}
	}
	return list
}

// word is a result as RFC 8601 spells it.
func word(result string) string {
	if result == "hardfail" { // RFC 5451 section 2.4.2
		return string(evidence.Fail)
	}
	return result
}

func spf(in *evidence.Incumbent, ev *evidence.Message, _ *policy.Verdict) []Pair {
	ours := ev.ReportedSPF()
	if ours == nil {
		return nil
	}
	same, other := "mailfrom", "helo"
	if ours.Identity == evidence.HELOIdentity {
		same, other = other, same
	}
	var theirs *evidence.MethodResult
	for i := range in.Results {
		r := &in.Results[i]
		switch {
		case r.Method != SPF:
		case r.Value("smtp", same) != "":
			return []Pair{{Method: SPF, Of: ours.Domain, Theirs: r.Result, Ours: string(ours.Result), domain: normal(r.Value("smtp", same))}}
		// For the null reverse-path some write postmaster@HELO as MAIL FROM, as RFC
		// 7208 section 2.4 names it.
		case theirs == nil && (r.Value("smtp", other) == "" || same == "helo"):
			theirs = r
		}
	}
	if theirs == nil {
		return nil
	}
	return []Pair{{Method: SPF, Of: ours.Domain, Theirs: theirs.Result, Ours: string(ours.Result), domain: normal(theirs.Value("smtp", other))}}
}

// dkim compares signature by signature. One of ours that they do not tell of is not
// compared, unless they say that there is none.
func dkim(in *evidence.Incumbent, ev *evidence.Message, _ *policy.Verdict) (list []Pair) {
	if ev.From.Problem == evidence.FromUnread {
		return nil // nobody looked
	}
	used := make([]bool, len(ev.DKIM))
	for i := range in.Results {
		r := &in.Results[i]
		if r.Method != DKIM {
			continue
		}
		if r.Result == string(evidence.None) {
			return append(list, noneOf(ev)...)
		}
		n := signatureOf(r, ev.DKIM, used)
		if n < 0 {
			if ev.DKIMSkipped == 0 && r.Value("header", "d") != "" {
				of := normal(r.Value("header", "d")) + " " + r.Value("header", "s")
				list = append(list, Pair{Method: DKIM, Of: strings.TrimSpace(of), Theirs: r.Result, Ours: Absent})
			}
			continue
		}
		used[n] = true
		list = append(list, signature(&ev.DKIM[n], r.Result))
	}
	return list
}

// noneOf is the answer to "dkim=none".
func noneOf(ev *evidence.Message) (list []Pair) {
	if len(ev.DKIM) == 0 {
		return []Pair{{Method: DKIM, Theirs: string(evidence.None), Ours: string(evidence.None)}}
	}
	for i := range ev.DKIM {
		list = append(list, signature(&ev.DKIM[i], string(evidence.None)))
	}
	return list
}

func signature(s *evidence.Signature, theirs string) Pair {
	return Pair{Method: DKIM, Of: strings.TrimSpace(s.Domain + " " + s.Selector), Theirs: theirs, Ours: string(s.Result), sig: s}
}

// signatureOf finds the signature that a result is about, by domain, selector and the
// begin of b= (RFC 6008), as far as the result names them. A result that names nothing
// is about the only one there is.
func signatureOf(r *evidence.MethodResult, sigs []evidence.Signature, used []bool) int {
	d, s, b := normal(r.Value("header", "d")), r.Value("header", "s"), r.Value("header", "b")
	if d == "" {
		d = normal(r.Value("header", "i")) // "@example.com", without the local part
	}
	best := -1
	for i := range sigs {
		own := &sigs[i]
		if used[i] || d != "" && own.Domain != d && !below(d, own.Domain) || s != "" && !strings.EqualFold(own.Selector, s) {
			continue
		}
		if b != "" && strings.HasPrefix(own.B, b) {
			return i
		}
		if best < 0 {
			best = i
		}
	}
	if d == "" && len(sigs) != 1 {
		return -1
	}
	return best
}

// dmarc compares the result, and the Author Domain that it is about.
func dmarc(in *evidence.Incumbent, ev *evidence.Message, v *policy.Verdict) (list []Pair) {
	ours, author := evidence.PermError, ""
	d := policy.Decisive(ev, v)
	switch {
	case d != nil:
		ours, author = d.Result, d.AuthorDomain
	case ev.From.Problem == evidence.FromOK || ev.From.Problem == evidence.FromUnread:
		return nil // not evaluated
	}
	var theirs *evidence.MethodResult
	for i := range in.Results {
		r := &in.Results[i]
		if r.Method == DMARC && (theirs == nil || author != "" && normal(r.Value("header", "from")) == author) {
			theirs = r
		}
	}
	if theirs == nil {
		return nil
	}
	from := normal(theirs.Value("header", "from"))
	list = append(list, Pair{Method: DMARC, Of: author, Theirs: theirs.Result, Ours: string(ours), domain: from})
	if from != "" && author != "" {
		list = append(list, Pair{Method: From, Of: author, Theirs: from, Ours: author})
	}
	return list
}

func arc(in *evidence.Incumbent, ev *evidence.Message, _ *policy.Verdict) []Pair {
	return single(in, ARC, ev.ARC.Result)
}

func iprev(in *evidence.Incumbent, ev *evidence.Message, _ *policy.Verdict) []Pair {
	return single(in, IPRev, ev.IPRev.Result)
}

func single(in *evidence.Incumbent, method string, ours evidence.Result) []Pair {
	i := slices.IndexFunc(in.Results, func(r evidence.MethodResult) bool { return r.Method == method })
	if i < 0 || ours == evidence.NotChecked {
		return nil
	}
	return []Pair{{Method: method, Theirs: in.Results[i].Result, Ours: string(ours)}}
}

// normal is a domain, or the domain of an address, as evidence spells it; who filled the
// evidence has normalized what was one.
func normal(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '@')+1:])
}

func below(name, parent string) bool { return strings.HasSuffix(name, "."+parent) }
