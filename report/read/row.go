package read

import (
	"net/netip"
	"strconv"
	"strings"
)

// recordValue takes the text of an element within a record (RFC 9990 appendix A);
// in is the element around it.
func (p *aggregateParser) recordValue(in, name, value string) error {
	r := p.rec
	switch {
	case name == "dkim" || name == "spf":
		return p.endResult(in, name, value)
	case in == "dkim" || in == "spf":
		p.resultValue(in, name, value)
	case in == "reason":
		p.reasonValue(name, value)
	case name == "reason":
		if len(r.Reasons) >= p.limits.Items {
			return boundError{"reasons of one record"}
		}
		if value != "" && p.reason == (Reason{}) { // the word without a type element
			p.reason.Type = p.word("reason", value, reasons)
		}
		if p.reason != (Reason{}) {
			r.Reasons = append(r.Reasons, p.reason)
		}
	case name == "envelope_from":
		if r.EnvelopeFrom == nil {
			r.EnvelopeFrom = &value
		}
		if value != "" {
			p.once(name, r.EnvelopeFrom, value)
		}
	case value == "":
	case name == "source_ip":
		p.once(name, &r.SourceIP, value)
		if a, err := netip.ParseAddr(value); err != nil || a.Zone() != "" {
			p.notes.at(p.line(), "source_ip %.60q is not an address", value)
		}
	case name == "count":
		p.count(value)
	case name == "disposition":
		p.once(name, &r.Disposition, p.word(name, value, dispositions))
	case name == "header_from":
		p.once(name, &r.HeaderFrom, value)
	case name == "envelope_to":
		p.once(name, &r.EnvelopeTo, value)
	default:
		p.unknownElement(name)
	}
	return nil
}

func (p *aggregateParser) count(value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	if whole, zeros, ok := strings.Cut(value, "."); err != nil && ok && strings.Trim(zeros, "0") == "" {
		n, err = strconv.ParseInt(whole, 10, 64)
		p.notes.at(p.line(), "count %.60q is not a whole number", value)
	}
	if err != nil || n < 0 {
		p.notes.at(p.line(), "count %.60q is not a number of messages", value)
		return
	}
	if p.rec.Count != nil {
		if *p.rec.Count != n {
			p.notes.at(p.line(), "count stands there once more; the first one is kept")
		}
		return
	}
	p.rec.Count = &n
}

func (p *aggregateParser) reasonValue(name, value string) {
	switch {
	case value == "":
	case name == "type":
		p.once("type of a reason", &p.reason.Type, p.word("reason", value, reasons))
	case name == "comment":
		p.once("comment of a reason", &p.reason.Comment, value)
	default:
		p.unknownElement(name)
	}
}

// resultValue is a child of dkim or spf in auth_results. Scope stands where the
// selector does.
func (p *aggregateParser) resultValue(in, name, value string) {
	switch {
	case value == "":
	case name == "domain":
		p.once(in+" domain", &p.result.Domain, value)
	case name == "selector", name == "scope":
		p.once(in+" "+name, &p.result.Selector, value)
	case name == "result":
		p.once(in+" result", &p.result.Result, p.word(in+" result", value, results))
	case name == "human_result":
		p.once(in+" human_result", &p.result.Human, value)
	default:
		p.unknownElement(name)
	}
}

// endResult closes dkim or spf: the aligned result of policy_evaluated, which is
// a word, or a raw one of auth_results, which has elements.
func (p *aggregateParser) endResult(in, name, value string) error {
	a := &p.rec.AuthResults
	if p.filled && in == "policy_evaluated" && value == "" { // the word in an element of its own
		p.filled, value = false, p.result.Result
	}
	if !p.filled && in == "auth_results" && value != "" { // the word without one
		p.result.Result = p.word(name+" result", value, results)
	}
	switch {
	case !p.filled && in != "auth_results":
		if value == "" {
			return nil
		}
		if name == "dkim" {
			p.once(name, &p.rec.DKIM, p.word(name, value, aligned))
		} else {
			p.once(name, &p.rec.SPF, p.word(name, value, aligned))
		}
	case len(a.DKIM) >= p.limits.Items || len(a.SPF) >= p.limits.Items:
		return boundError{"results of one record"}
	case p.result == (DKIMResult{}): // an empty element says nothing
	case name == "dkim":
		a.DKIM = append(a.DKIM, p.result)
	default:
		scope := p.result.Selector
		if scope != "" {
			scope = p.word("scope", scope, scopes)
		}
		a.SPF = append(a.SPF, SPFResult{p.result.Domain, scope, p.result.Result, p.result.Human})
	}
	p.filled = false
	return nil
}
