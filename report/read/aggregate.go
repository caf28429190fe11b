package read

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// aggregateParser reads the elements of aggregate reports wherever they stand. A
// value is known by its own name and that of the element around it.
type aggregateParser struct {
	limits *Limits
	src    *cleaner
	dec    *xml.Decoder
	notes  *notes
	emit   func(*Aggregate, *Records) error
	ahead  lookahead

	path    []element
	text    strings.Builder
	names   namespaces
	foreign int // how long path is with the outermost element of an extension; 0 outside of one

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
		token, err := p.next()
		switch {
		case errors.Is(err, io.EOF) && len(p.path) == 0:
			return nil
		case err != nil:
			return p.fault(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			err = p.start(t)
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

func (p *aggregateParser) parent(up int) string {
	if i := len(p.path) - 1 - up; i >= 0 {
		return p.path[i].name
	}
	return ""
}

func (p *aggregateParser) start(tag xml.StartElement) error {
	if len(p.path) >= p.limits.Elements {
		return fmt.Errorf("line %d: %w", p.line(), boundError{"elements in each other"})
	}
	name := strings.ToLower(tag.Name.Local)
	space := p.names.enter(tag, len(p.path)+1)
	if p.foreign > 0 {
		p.push(name, space)
		return nil
	}
	if p.rec == nil && name == "feedback" {
		if err := p.endReport(); err != nil {
			return err
		}
	}
	foreign := p.isForeign(name, space)
	if !foreign {
		if err := p.imply(name); err != nil {
			return err
		}
	}
	if err := p.unclosed(); err != nil {
		return err
	}
	if foreign {
		p.extension(name)
		p.push(name, space)
		p.foreign = len(p.path)
		return nil
	}
	p.begin(name)
	p.push(name, space)
	return nil
}

func (p *aggregateParser) push(name, space string) {
	p.path = append(p.path, element{name: name, space: space})
	p.text.Reset()
}

// begin makes room for what an element holds.
func (p *aggregateParser) begin(name string) {
	switch name {
	case "policy_published":
		if h := &p.head; p.rec == nil && (h.Domain != "" || h.Policy != (Policy{})) {
			p.notes.at(p.line(), "policy_published stands there once more; the last one is kept")
			h.Domain, h.Policy = "", Policy{}
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
}

// leaves are elements whose value counts even if their end is left out.
var leaves = map[string]bool{"source_ip": true, "count": true, "disposition": true, "header_from": true, "envelope_to": true, "org_name": true, "email": true,
	"report_id": true, "begin": true, "end": true, "domain": true, "p": true, "selector": true, "result": true}

// unclosed takes the value of an element within which another one begins.
func (p *aggregateParser) unclosed() error {
	value := strings.TrimSpace(p.text.String())
	if name := p.parent(0); value != "" && leaves[name] {
		value = strings.TrimSuffix(value, "/"+name+">") // of its end only "<" is missing
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
	for at >= 0 && p.path[at].name != name {
		at--
	}
	if at < 0 {
		p.notes.at(p.line(), "</%.60s> closes nothing", name)
		return nil
	}
	for len(p.path)-1 > at {
		if err := p.endUnclosed(); err != nil {
			return err
		}
	}
	return p.end(name)
}

// end closes the innermost element.
func (p *aggregateParser) end(name string) error {
	if len(p.path) == 0 {
		return nil
	}
	value := strings.TrimSpace(p.text.String())
	p.text.Reset()
	p.path = p.path[:len(p.path)-1]
	p.names.leave(len(p.path))
	if p.foreign > 0 {
		if len(p.path) < p.foreign {
			p.foreign = 0
		}
		return nil
	}
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
	if p.found++; p.found > p.limits.Reports {
		return boundError{"reports of one file"}
	}
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
		{"org_name", p.head.OrgName == ""}, {"email", p.head.Email == ""}, {"report_id", p.head.ReportID == ""},
		{"date_range", p.head.Begin == "" || p.head.End == ""}, {"policy_published domain", p.head.Domain == ""},
		{"policy_published p", p.head.Policy.P == ""}, {"record", p.records.Len() == 0},
	} {
		if m.gone {
			p.notes.add("%s is missing", m.name)
		}
	}
	if p.head.Begin > p.head.End && p.head.End != "" { // in one time zone and form, the order of time
		p.notes.add("date_range ends before it begins")
	}
}

func (p *aggregateParser) endRecord() error {
	rec := p.rec
	p.rec = nil
	if p.records.Len() >= p.limits.Records {
		return fmt.Errorf("line %d: %w", p.line(), boundError{"records of one report"})
	}
	for _, m := range []struct {
		name string
		gone bool
	}{
		{"source_ip", rec.SourceIP == ""}, {"count", rec.Count == nil}, {"disposition", rec.Disposition == ""},
		{"an aligned dkim result", rec.DKIM == ""}, {"an aligned spf result", rec.SPF == ""}, {"header_from", rec.HeaderFrom == ""},
	} {
		if m.gone {
			p.notes.at(p.recAt, "a record without %s", m.name)
		}
	}
	return p.records.Add(rec)
}
