package read

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// aggregateParser reads the elements of aggregate reports wherever they stand. A
// value is known by its own name and that of the element around it.
type aggregateParser struct {
	limits *Limits
	src    *cleaner
	dec    *xml.Decoder
	notes  *notes
	emit   func(*Aggregate, *Records) error

	path []string // local names, lower case
	text strings.Builder

	open    bool // something of a report has been seen
	found   int  // reports
	head    Aggregate
	records *Records

	rec    *Record // nil outside of one
	recAt  int     // its line
	reason Reason
	result DKIMResult // of either kind; scope stands in Selector for SPF
	filled bool       // result has a child element
}

// parse reads all reports of one XML text. What was read before a fault is emitted.
func (p *aggregateParser) parse(r io.Reader) error {
	p.src = newCleaner(r, p.limits.Text)
	p.dec = xml.NewDecoder(p.src)
	p.dec.Strict = false
	p.dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // done by the cleaner
	err := p.tokens()
	if errors.As(err, new(boundError)) || errors.As(err, new(doctypeError)) {
		p.drop()
		return err
	}
	if end := p.endReport(); err == nil {
		err = end
	}
	if p.src.replaced > 0 {
		p.notes.add("octets or characters that are not XML were replaced: %d", p.src.replaced)
	}
	if p.src.lone > 0 {
		p.notes.add("signs < that begin no element were taken for text: %d", p.src.lone)
	}
	if err == nil && p.found == 0 {
		return errors.New("XML, but not a DMARC report")
	}
	return err
}

// drop forgets the report that is being read.
func (p *aggregateParser) drop() {
	if p.open {
		p.records.Close()
		p.open = false
	}
}

func (p *aggregateParser) tokens() error {
	for {
		token, err := p.dec.RawToken() // ends are matched here, as reporters leave some out
		p.src.since = 0
		switch {
		case errors.Is(err, io.EOF) && len(p.path) == 0:
			return nil
		case err != nil:
			return p.fault(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			err = p.start(strings.ToLower(t.Name.Local))
		case xml.CharData:
			if p.text.Len()+len(t) > p.limits.Text {
				err = boundError{"the octets of one text or tag"}
			} else {
				p.text.Write(t)
			}
		case xml.EndElement:
			err = p.close(strings.ToLower(t.Name.Local))
		}
		if err != nil {
			return err
		}
	}
}

// fault gives an error of the decoder its line.
func (p *aggregateParser) fault(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, new(boundError)), errors.As(err, new(doctypeError)):
		return fmt.Errorf("line %d: %w", p.line(), err)
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: not well-formed: %s; what stands before it was read", syntax.Line, syntax.Msg)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("line %d: the text ends early; what stands before it was read", p.line())
	}
	return fmt.Errorf("line %d: %w", p.line(), err)
}

func (p *aggregateParser) line() int {
	line, _ := p.dec.InputPos()
	return line
}

func (p *aggregateParser) parent(up int) string {
	if i := len(p.path) - 1 - up; i >= 0 {
		return p.path[i]
	}
	return ""
}

func (p *aggregateParser) start(name string) error {
	if len(p.path) >= p.limits.Elements {
		return fmt.Errorf("line %d: %w", p.line(), boundError{"elements in each other"})
	}
	if p.rec == nil && name == "feedback" {
		if err := p.endReport(); err != nil {
			return err
		}
	}
	if err := p.unclosed(); err != nil {
		return err
	}
	switch name {
	case "policy_published":
		if p.head.Domain != "" && p.rec == nil {
			p.notes.at(p.line(), "policy_published stands there once more; the last one is kept")
		}
		fallthrough
	case "report_metadata", "record":
		if !p.open {
			p.open, p.records = true, new(Records)
		}
	}
	switch {
	case name == "record" && p.rec == nil:
		p.rec, p.recAt = new(Record), p.line()
	case name == "reason":
		p.reason = Reason{}
	case name == "dkim" || name == "spf":
		p.result, p.filled = DKIMResult{}, false
	case p.parent(0) == "dkim" || p.parent(0) == "spf":
		p.filled = true
	}
	p.path = append(p.path, name)
	p.text.Reset()
	return nil
}

// leaves are elements whose value counts even if their end is left out.
var leaves = map[string]bool{"source_ip": true, "count": true, "disposition": true, "header_from": true, "envelope_to": true, "org_name": true, "email": true,
	"report_id": true, "begin": true, "end": true, "domain": true, "p": true, "selector": true, "result": true}

// unclosed takes the value of an element within which another one begins.
func (p *aggregateParser) unclosed() error {
	value := strings.TrimSpace(p.text.String())
	if name := p.parent(0); value != "" && leaves[name] {
		if p.rec != nil {
			return p.recordValue(p.parent(1), name, value)
		}
		return p.headValue(p.parent(1), name, value)
	}
	return nil
}

// close ends an element, and those that the reporter left open within it.
func (p *aggregateParser) close(name string) error {
	at := len(p.path) - 1
	for at >= 0 && p.path[at] != name {
		at--
	}
	if at < 0 {
		p.notes.at(p.line(), "</%.60s> closes nothing", name)
		return nil
	}
	for len(p.path) > at {
		inner := p.path[len(p.path)-1]
		if inner != name {
			p.notes.at(p.line(), "<%.60s> is not closed", inner)
		}
		if err := p.end(inner); err != nil {
			return err
		}
	}
	return nil
}

// end closes the innermost element.
func (p *aggregateParser) end(name string) error {
	if len(p.path) == 0 {
		return nil
	}
	value := strings.TrimSpace(p.text.String())
	p.text.Reset()
	p.path = p.path[:len(p.path)-1]
	in := p.parent(0)
	switch {
	case name == "record" && p.rec != nil:
		return p.endRecord()
	case name == "feedback":
		return p.endReport()
	case p.rec != nil:
		return p.recordValue(in, name, value)
	case value != "":
		return p.headValue(in, name, value)
	}
	return nil
}

func (p *aggregateParser) endReport() error {
	if !p.open {
		return nil
	}
	defer p.records.Close()
	p.rec = nil // cut off within
	p.missing()
	p.found++
	err := p.emit(&p.head, p.records)
	p.head, p.records, p.open = Aggregate{}, nil, false
	return err
}

// missing notes what RFC 9990 appendix A requires of a report.
func (p *aggregateParser) missing() {
	for _, m := range []struct {
		name string
		gone bool
	}{
		{"org_name", p.head.OrgName == ""}, {"report_id", p.head.ReportID == ""},
		{"date_range", p.head.Begin == "" || p.head.End == ""}, {"policy_published domain", p.head.Domain == ""},
		{"record", p.records.Len() == 0},
	} {
		if m.gone {
			p.notes.add("%s is missing", m.name)
		}
	}
}

func (p *aggregateParser) endRecord() error {
	rec := p.rec
	p.rec = nil
	if p.records.Len() >= p.limits.Records {
		return fmt.Errorf("line %d: %w", p.line(), boundError{"records of one report"})
	}
	if rec.SourceIP == "" {
		p.notes.at(p.recAt, "a record without source_ip")
	}
	if rec.Count == nil {
		p.notes.at(p.recAt, "a record without count")
	}
	if rec.HeaderFrom == "" {
		p.notes.at(p.recAt, "a record without header_from")
	}
	return p.records.Add(rec)
}

func (p *aggregateParser) headValue(in, name, value string) error {
	h := &p.head
	switch name {
	case "org_name":
		h.OrgName = value
	case "email":
		h.Email = value
	case "extra_contact_info":
		h.Contact = value
	case "report_id":
		h.ReportID = value
	case "generator":
		h.Generator = value
	case "version":
		h.Version = value
	case "error":
		if len(h.Errors) >= p.limits.Items {
			return boundError{"errors of one report"}
		}
		h.Errors = append(h.Errors, value)
	case "begin":
		h.Begin = p.time(name, value)
	case "end":
		h.End = p.time(name, value)
	default:
		if in == "policy_published" {
			p.policyValue(name, value)
		} else if in != "" && len(p.path) > 0 {
			p.unknownElement(name)
		}
	}
	return nil
}

func (p *aggregateParser) unknownElement(name string) {
	p.notes.at(p.line(), "unknown element %.60q", name)
}

func (p *aggregateParser) policyValue(name, value string) {
	h := &p.head
	switch name {
	case "domain":
		h.Domain = value
	case "p":
		h.Policy.P = p.word(name, value, policies)
	case "sp":
		h.Policy.SP = p.word(name, value, policies)
	case "np":
		h.Policy.NP = p.word(name, value, policies)
	case "adkim":
		h.Policy.ADKIM = p.word(name, value, modes)
	case "aspf":
		h.Policy.ASPF = p.word(name, value, modes)
	case "testing":
		h.Policy.Testing = p.word(name, value, flags)
	case "discovery_method":
		h.Policy.Discovery = p.word(name, value, discoveries)
	case "fo":
		h.Policy.FO = value
	case "pct":
		n, err := strconv.Atoi(value)
		if err != nil {
			p.notes.at(p.line(), "pct %.60q is not a number", value)
			return
		}
		h.Policy.Pct = &n
	default:
		p.unknownElement(name)
	}
}

// timeLayouts are those that can mean one time only.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123Z, time.RFC1123,
	"2006-01-02T15:04:05-0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04",
	"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006", time.ANSIC, time.UnixDate}

// time reads seconds since 1970 (RFC 9990 appendix A), and what some reporters write.
func (p *aggregateParser) time(name, value string) string {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		if f, ferr := strconv.ParseFloat(value, 64); ferr == nil && f >= 0 && f < 1e15 {
			seconds, err = int64(f), nil
			p.notes.at(p.line(), "%s %.60q is not a whole number", name, value)
		}
	}
	if err == nil && seconds > 1e11 && seconds < 1e15 {
		p.notes.at(p.line(), "%s %.60q is taken for milliseconds", name, value)
		seconds /= 1000
	}
	if err == nil && seconds >= 0 && seconds < 253402300800 { // year 10000
		return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, value); err == nil {
			p.notes.at(p.line(), "%s %.60q is not in seconds since 1970", name, value)
			return t.UTC().Format(time.RFC3339)
		}
	}
	p.notes.at(p.line(), "%s %.60q is not a time", name, value)
	return ""
}
