package judge

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"alignd/authres"
	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// results composes the whole Authentication-Results field of one message from
// what was observed and what was decided (RFC 8601 section 2). The daemon and
// alignd check share it. Order: auth, spf, dkim, arc, dmarc, iprev.
func results(servID string, ev *evidence.Message, v *policy.Verdict) authres.Header {
	h := authres.Header{ServID: servID, Results: make([]authres.Result, 0, len(ev.DKIM)+6)}
	if ev.Authenticated() {
		h.Results = append(h.Results, authenticated(ev))
	}
	if v.NotJudged && ev.DMARC == nil && ev.ReportedSPF() == nil {
		return h // the daemon does not evaluate what it does not judge
	}
	if spf := ev.ReportedSPF(); spf != nil {
		h.Results = append(h.Results, spfResult(ev, spf))
	}
	if ev.From.Problem != evidence.FromUnread { // "none" would say that there is no signature
		h.Results = appendDKIM(h.Results, ev)
	}
	if ev.ARC.Result != evidence.NotChecked {
		h.Results = append(h.Results, arcResult(ev))
	}
	h.Results = append(h.Results, dmarcResult(ev, v))
	if ev.IPRev.Result != evidence.NotChecked {
		h.Results = append(h.Results, iprevResult(ev))
	}
	return h
}

// authenticated is the result of SMTP AUTH (RFC 8601 section 2.7.4). The login
// name is left out: the field leaves our site with the message.
func authenticated(ev *evidence.Message) authres.Result {
	return authres.Result{Method: "auth", Value: "pass", Comment: ev.AuthType}
}

// spfResult is the one spf= of the field: MAIL FROM, or HELO for the null
// reverse-path. Only the domain is written, as the local part was not
// authenticated (RFC 8601 section 2.7.2).
func spfResult(ev *evidence.Message, c *evidence.SPFCheck) authres.Result {
	r := authres.Result{Method: "spf", Value: string(c.Result)}
	switch c.Result {
	case evidence.TempError, evidence.PermError, evidence.None:
		r.Reason = c.Reason
	}
	if ip := ev.Client.IP(); ip.IsValid() {
		r.Comment = "client-ip=" + ip.String()
		if ev.Client.Original.IsValid() {
			r.Comment += " relay=" + ev.Client.Peer.String()
		}
	}
	name := "mailfrom"
	if c.Identity == evidence.HELOIdentity {
		name = "helo"
	}
	r.Props = property(r.Props, "smtp", name, c.Domain)
	return r
}

func appendDKIM(results []authres.Result, ev *evidence.Message) []authres.Result {
	if len(ev.DKIM) == 0 {
		return append(results, authres.Result{Method: "dkim", Value: "none"})
	}
	for i := range ev.DKIM {
		results = append(results, dkimResult(ev.DKIM, i))
	}
	if ev.DKIMSkipped > 0 {
		results[len(results)-1].Comment = fmt.Sprintf("%d further signatures not tried", ev.DKIMSkipped)
	}
	return results
}

// shortB is how many characters of b= are written at least (RFC 6008 section 3).
const shortB = 8

func dkimResult(sigs []evidence.Signature, i int) authres.Result {
	s := &sigs[i]
	r := authres.Result{Method: "dkim", Value: string(s.Result), Reason: s.Reason}
	if s.Testing && s.Result == evidence.Fail {
		r.Comment = "key in testing mode"
	}
	props := make([]evidence.Property, 0, 5)
	props = property(props, "header", "d", s.Domain)
	props = property(props, "header", "i", auid(s.Identity))
	props = property(props, "header", "s", s.Selector)
	props = property(props, "header", "a", s.Algorithm)
	props = property(props, "header", "b", evidence.ShortB(sigs, i, shortB))
	r.Props = props
	return r
}

// auid keeps the local part of an AUID only when it is a plain dot-atom: it is
// the signer's text (RFC 8601 section 2.7.1). So are labels in front of the SDID: an AUID
// with something in them at which a reader may end a domain is left out.
func auid(identity string) string {
	at := strings.LastIndexByte(identity, '@')
	if at < 0 || strings.ContainsFunc(identity[at+1:], endsDomain) {
		return ""
	}
	if !isDotAtom(identity[:at]) {
		return identity[at:]
	}
	return identity
}

// endsDomain: characters of US-ASCII that stand in no domain, but for "*", and those that
// are no character.
func endsDomain(r rune) bool {
	return r < utf8.RuneSelf && !isAlphanumeric(byte(r)) && !strings.ContainsRune("-_.*", r) || r == utf8.RuneError || unicode.IsSpace(r)
}

// isDotAtom is dot-atom-text of RFC 5322 section 3.2.3.
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := 0; i < len(atom); i++ {
			if c := atom[i]; !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", rune(c)) {
				return false
			}
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// arcResult carries the two properties of RFC 8617 section 6.
func arcResult(ev *evidence.Message) authres.Result {
	r := authres.Result{Method: "arc", Value: string(ev.ARC.Result), Reason: ev.ARC.Reason}
	if ev.ARC.Result == evidence.None {
		r.Reason = ""
		return r
	}
	if n := len(ev.ARC.Sets); ev.ARC.Result == evidence.Pass && n > 0 {
		r.Comment = fmt.Sprintf("i=%d sealer=%s", ev.ARC.Instances, ev.ARC.Sets[n-1].SealDomain)
	}
	if ip := ev.Client.IP(); ip.IsValid() {
		r.Props = property(r.Props, "smtp", "remote-ip", ip.String())
	}
	if ev.ARC.Result == evidence.Pass {
		r.Props = property(r.Props, "header", "oldest-pass", strconv.Itoa(ev.ARC.OldestPass))
	}
	return r
}

// dmarcResult carries the two properties that RFC 9989 section 9.1 registers;
// the published policy and what was done go into a comment. policy.arc names
// the trusted sealer whose word was taken.
func dmarcResult(ev *evidence.Message, v *policy.Verdict) authres.Result {
	d := policy.Decisive(ev, v)
	if d == nil {
		r := authres.Result{Method: "dmarc", Value: string(evidence.PermError)}
		switch ev.From.Problem {
		case evidence.FromOK:
		case evidence.FromUnread:
			r.Reason = "header section over the limit"
		default:
			r.Reason = "From: " + string(ev.From.Problem)
		}
		return r
	}
	r := authres.Result{Method: "dmarc", Value: string(d.Result)}
	if d.Result == evidence.TempError || d.Result == evidence.PermError {
		r.Reason = d.Reason
	}
	r.Props = property(make([]evidence.Property, 0, 3), "header", "from", d.AuthorDomain)
	if d.Policy != evidence.PolicyAbsent {
		r.Comment = policyComment(d, v)
		r.Props = property(r.Props, "policy", "dmarc", string(d.Policy))
	}
	r.Props = property(r.Props, "policy", "arc", v.TrustedSealer)
	return r
}

func policyComment(d *evidence.DMARC, v *policy.Verdict) string {
	var b strings.Builder
	b.Grow(64)
	for _, tag := range [...]struct {
		name  string
		value evidence.DMARCPolicy
	}{{"p", d.Published.P}, {"sp", d.Published.SP}, {"np", d.Published.NP}} {
		if tag.value != evidence.PolicyAbsent {
			b.WriteString(tag.name)
			b.WriteByte('=')
			b.WriteString(string(tag.value))
			b.WriteByte(' ')
		}
	}
	b.WriteString("dis=")
	b.WriteString(disposition(v))
	return b.String()
}

// disposition is the word that reports use: none for accepted mail.
func disposition(v *policy.Verdict) string {
	if v.Disposition == policy.DispositionAccept {
		return "none"
	}
	return string(v.Disposition)
}

// iprevResult is RFC 8601 section 3.
func iprevResult(ev *evidence.Message) authres.Result {
	r := authres.Result{Method: "iprev", Value: string(ev.IPRev.Result), Reason: ev.IPRev.Reason}
	if ip := ev.Client.IP(); ip.IsValid() {
		r.Props = property(r.Props, "policy", "iprev", ip.String())
	}
	return r
}

func property(props []evidence.Property, ptype, name, value string) []evidence.Property {
	if value == "" {
		return props
	}
	return append(props, evidence.Property{Type: ptype, Name: name, Value: value})
}

// Results are those that were written, or would have been, for a record.
func Results(r *record.Record) authres.Header {
	id := r.Outcome.AuthservID
	if id == "" {
		id = r.Evidence.MTA
	}
	return results(id, &r.Evidence, &r.Verdict)
}
