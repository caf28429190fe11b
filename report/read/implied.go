package read

import "strings"

// holds are the elements that may stand within another one (RFC 9990 appendix A, RFC
// 7489 appendix C).
var holds = map[string]string{
	"feedback":         "version report_metadata policy_published extension record",
	"report_metadata":  "org_name email extra_contact_info report_id date_range error generator",
	"date_range":       "begin end",
	"policy_published": "domain p sp np adkim aspf discovery_method fo testing pct",
	"record":           "row identifiers auth_results",
	"row":              "source_ip count policy_evaluated",
	"policy_evaluated": "disposition dkim spf reason",
	"reason":           "type comment",
	"identifiers":      "header_from envelope_from envelope_to",
	"auth_results":     "dkim spf",
	"dkim":             "domain selector result human_result",
	"spf":              "domain scope result human_result",
}

// holder gives the names of holds one by one.
var holder = func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for outer, names := range holds {
		for name := range strings.FieldsSeq(names) {
			if all[name] == nil {
				all[name] = map[string]bool{}
			}
			all[name][outer] = true
		}
	}
	return all
}()

// prose are elements with text for people, in which "<domain>" may be meant as it stands.
var prose = map[string]bool{"extra_contact_info": true, "error": true, "generator": true, "comment": true, "human_result": true}

// imply closes elements that the reporter did not, where one begins that they cannot hold
// and one around them can. What is closed further on stays open until then: an element that
// stands in a wrong place takes nothing away from the one that it stands in.
func (p *aggregateParser) imply(name string) error {
	at := len(p.path) - 1
	for ; at >= 0 && !holder[name][p.path[at].name]; at-- {
		if inner := p.path[at].name; holder[inner] == nil || prose[inner] || inner == "extension" {
			return nil
		}
	}
	if at < 0 || name == "record" && p.rec != nil && p.rec.SourceIP == "" && p.rec.Count == nil {
		return nil
	}
	if at == len(p.path)-1 || p.isClosed(name) {
		return nil
	}
	for len(p.path)-1 > at {
		if err := p.endUnclosed(); err != nil {
			return err
		}
	}
	return nil
}

// endUnclosed closes the innermost element for the reporter.
func (p *aggregateParser) endUnclosed() error {
	name := p.parent(0)
	value := strings.TrimSuffix(strings.TrimSpace(p.text.String()), "/"+name+">") // of its end only "<" is missing
	p.text.Reset()
	p.text.WriteString(value)
	p.notes.at(p.line(), "<%.60s> is not closed", name)
	return p.end(name)
}
