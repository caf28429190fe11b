package aggregate

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"alignd/evidence"
)

// Schema is what a report is written by.
type Schema string

// The schemas.
const (
	RFC9990 Schema = "rfc9990"
	RFC7489 Schema = "rfc7489" // for readers that know no other
)

// namespace is that of RFC 9990 appendix A. Reports by RFC 7489 have none in the field.
const namespace = "urn:ietf:params:xml:ns:dmarc-2.0"

// Bounds of texts, in octets; ours. What is longer is cut.
const (
	maxDomain = 255
	maxText   = 200
	// maxComment has room for the chain of a trusted sealer (RFC 8617 section 7.2.2).
	maxComment = 1500
	maxErrors  = 500
)

// Encode writes r as XML. Domains and texts are from outside: characters that XML does
// not allow are left out, and what is long is cut.
func Encode(w io.Writer, r *Report, schema Schema) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	var v any = current(r)
	if schema == RFC7489 {
		v = legacy(r)
	}
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("report on %s: %w", r.Scope.Domain, err)
	}
	if err := e.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// feedback is the root of RFC 9990 appendix A.
type feedback struct {
	XMLName   xml.Name     `xml:"feedback"`
	Namespace string       `xml:"xmlns,attr"`
	Version   string       `xml:"version"`
	Metadata  metadata     `xml:"report_metadata"`
	Published published    `xml:"policy_published"`
	Records   []recordElem `xml:"record"`
}

type metadata struct {
	Organization string    `xml:"org_name"`
	Email        string    `xml:"email"`
	Contact      string    `xml:"extra_contact_info,omitempty"`
	ID           string    `xml:"report_id"`
	Range        dateRange `xml:"date_range"`
	Error        string    `xml:"error,omitempty"`
	Generator    string    `xml:"generator,omitempty"`
}

type dateRange struct {
	Begin string `xml:"begin"`
	End   string `xml:"end"`
}

type published struct {
	Domain    string `xml:"domain"`
	P         string `xml:"p"`
	SP        string `xml:"sp,omitempty"`
	NP        string `xml:"np,omitempty"`
	ADKIM     string `xml:"adkim,omitempty"`
	ASPF      string `xml:"aspf,omitempty"`
	Discovery string `xml:"discovery_method,omitempty"`
	FO        string `xml:"fo,omitempty"`
	Testing   string `xml:"testing,omitempty"`
}

type recordElem struct {
	Row         row         `xml:"row"`
	Identifiers identifiers `xml:"identifiers"`
	Results     results     `xml:"auth_results"`
}

type row struct {
	Source    string    `xml:"source_ip"`
	Count     int64     `xml:"count"`
	Evaluated evaluated `xml:"policy_evaluated"`
}

type evaluated struct {
	Disposition string   `xml:"disposition"`
	DKIM        string   `xml:"dkim"`
	SPF         string   `xml:"spf"`
	Reasons     []reason `xml:"reason"`
}

type reason struct {
	Type    string `xml:"type"`
	Comment string `xml:"comment,omitempty"`
}

type identifiers struct {
	HeaderFrom   string `xml:"header_from"`
	EnvelopeFrom string `xml:"envelope_from"` // empty for the null reverse-path
	EnvelopeTo   string `xml:"envelope_to,omitempty"`
}

type results struct {
	DKIM []dkimResult `xml:"dkim"`
	SPF  *spfResult   `xml:"spf"`
}

type dkimResult struct {
	Domain   string `xml:"domain"`
	Selector string `xml:"selector"`
	Result   string `xml:"result"`
	Human    string `xml:"human_result,omitempty"`
}

type spfResult struct {
	Domain string `xml:"domain"`
	Scope  string `xml:"scope,omitempty"`
	Result string `xml:"result"`
	Human  string `xml:"human_result,omitempty"`
}

// current is r by RFC 9990.
func current(r *Report) *feedback {
	p := &r.Scope.Policy
	f := &feedback{
		Namespace: namespace, Version: "1.0", Metadata: metadataOf(r),
		Published: published{
			Domain: text(r.Scope.Domain, maxDomain), P: string(p.P), SP: string(p.SP), NP: string(p.NP),
			ADKIM: mode(p.StrictDKIM), ASPF: mode(p.StrictSPF), Discovery: string(r.Scope.Discovery),
			FO: text(p.FO, maxText), Testing: p.Testing,
		},
		Records: make([]recordElem, len(r.Rows)),
	}
	for i := range r.Rows {
		f.Records[i] = recordOf(&r.Rows[i])
	}
	return f
}

func metadataOf(r *Report) metadata {
	return metadata{
		Organization: text(r.Organization, maxText), Email: text(r.Email, maxText), Contact: text(r.Contact, maxText),
		ID: text(r.ID, maxText), Range: dateRange{unix(r.Begin()), unix(r.End())},
		Error: problems(r), Generator: text(r.Generator, maxText),
	}
}

// problems are told in one element: RFC 9990 appendix A allows no more.
func problems(r *Report) string {
	dropped := ""
	if r.Dropped > 0 {
		dropped = fmt.Sprintf("%d messages are not in this report, as it would be too long", r.Dropped)
	}
	said := text(r.Scope.Policy.Errors, maxErrors-len("; ")-len(dropped))
	if said != "" && dropped != "" {
		dropped = "; " + dropped
	}
	return said + dropped
}

func recordOf(c *Counted) recordElem {
	e := recordElem{
		Row: row{Source: c.Source.String(), Count: c.Count, Evaluated: evaluated{
			Disposition: string(c.Disposition), DKIM: aligned(c.DKIM), SPF: aligned(c.SPF),
		}},
		Identifiers: identifiers{
			HeaderFrom: text(c.HeaderFrom, maxDomain), EnvelopeFrom: text(c.EnvelopeFrom, maxDomain),
			EnvelopeTo: text(c.EnvelopeTo, maxDomain),
		},
	}
	for _, why := range c.Reasons {
		e.Row.Evaluated.Reasons = append(e.Row.Evaluated.Reasons, reason{string(why.Type), text(why.Comment, maxComment)})
	}
	for i := range c.Signatures {
		s := &c.Signatures[i]
		e.Results.DKIM = append(e.Results.DKIM, dkimResult{text(s.Domain, maxDomain), text(s.Selector, maxDomain), string(s.Result), text(s.Human, maxText)})
	}
	if s := c.Checked; s != nil {
		e.Results.SPF = &spfResult{Domain: text(s.Domain, maxDomain), Result: string(s.Result), Human: text(s.Human, maxText)}
		if s.MailFrom {
			e.Results.SPF.Scope = "mfrom"
		}
	}
	return e
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func aligned(yes bool) string {
	if yes {
		return "pass"
	}
	return "fail"
}

func mode(strict bool) string {
	if strict {
		return "s"
	}
	return "r"
}

// text is s without what XML 1.0 does not allow (section 2.2), and at most max octets.
func text(s string, max int) string {
	var b strings.Builder
	for _, r := range s {
		if !allowed(r) {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > max {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// allowed reports whether XML 1.0 may hold the character. An octet that is no UTF-8
// reads as U+FFFD and is left out.
func allowed(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return true
	case r == utf8.RuneError:
		return false
	}
	return r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// spfNone is told where RFC 7489 wants a result of SPF and there is none.
func spfNone(c *Counted) *SPF {
	if c.Checked != nil {
		return c.Checked
	}
	return &SPF{Domain: cmp.Or(c.EnvelopeFrom, c.HeaderFrom), MailFrom: true, Result: evidence.None}
}
