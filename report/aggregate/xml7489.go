package aggregate

import (
	"encoding/xml"
	"strings"

	"alignd/evidence"
	"alignd/policy"
)

// The form of RFC 7489 appendix C, in its order. It has no namespace, as about
// everybody sent it.

type feedback7489 struct {
	XMLName   xml.Name         `xml:"feedback"`
	Version   string           `xml:"version"`
	Metadata  metadata7489     `xml:"report_metadata"`
	Published published7489    `xml:"policy_published"`
	Records   []recordElem7489 `xml:"record"`
}

type metadata7489 struct {
	Organization string    `xml:"org_name"`
	Email        string    `xml:"email"`
	Contact      string    `xml:"extra_contact_info,omitempty"`
	ID           string    `xml:"report_id"`
	Range        dateRange `xml:"date_range"`
	Error        string    `xml:"error,omitempty"`
}

type published7489 struct {
	Domain string `xml:"domain"`
	ADKIM  string `xml:"adkim"`
	ASPF   string `xml:"aspf"`
	P      string `xml:"p"`
	SP     string `xml:"sp"`
	Pct    int    `xml:"pct"`
	FO     string `xml:"fo"`
}

type recordElem7489 struct {
	Row         row             `xml:"row"`
	Identifiers identifiers7489 `xml:"identifiers"`
	Results     results         `xml:"auth_results"`
}

type identifiers7489 struct {
	EnvelopeTo   string `xml:"envelope_to,omitempty"`
	EnvelopeFrom string `xml:"envelope_from"`
	HeaderFrom   string `xml:"header_from"`
}

// legacy is r by RFC 7489.
func legacy(r *Report) *feedback7489 {
	m, p := metadataOf(r), &r.Scope.Policy
	f := &feedback7489{
		Version:  "1.0",
		Metadata: metadata7489{m.Organization, m.Email, m.Contact, m.ID, m.Range, m.Error},
		Published: published7489{
			Domain: text(r.Scope.Domain, maxDomain), ADKIM: mode(p.StrictDKIM), ASPF: mode(p.StrictSPF),
			P: string(p.P), SP: orElse(string(p.SP), string(p.P)), Pct: p.Pct, FO: orElse(text(p.FO, maxText), "0"),
		},
		Records: make([]recordElem7489, len(r.Rows)),
	}
	for i := range r.Rows {
		f.Records[i] = legacyRecord(&r.Rows[i])
	}
	return f
}

// sampledOut is a type of RFC 7489 that RFC 9990 no longer has.
const sampledOut = "sampled_out"

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func legacyRecord(c *Counted) recordElem7489 {
	old := *c
	old.Checked = spfNone(c)
	e := recordOf(&old)
	if !old.Checked.MailFrom {
		e.Results.SPF.Scope = "helo"
	}
	e.Results.SPF.Human = ""                 // the schema has none
	e.Row.Source = c.Source.StringExpanded() // its IPAddress has all groups
	if old.Checked.Result == evidence.Policy {
		e.Results.SPF.Result = string(evidence.Neutral)
	}
	if c.Disposition == Pass { // a word of RFC 9990
		e.Row.Evaluated.Disposition = string(None)
	}
	for i := range e.Row.Evaluated.Reasons {
		switch why := &e.Row.Evaluated.Reasons[i]; {
		case why.Type == string(policy.OverrideTestMode):
			*why = reason{string(policy.OverrideOther), why.Type}
		case why.Type == string(policy.OverrideOther) && strings.HasPrefix(why.Comment, sampledOut):
			why.Type = sampledOut
		}
	}
	return recordElem7489{Row: e.Row, Results: e.Results,
		Identifiers: identifiers7489{e.Identifiers.EnvelopeTo, e.Identifiers.EnvelopeFrom, e.Identifiers.HeaderFrom}}
}
