package read

import (
	"encoding/xml"
	"strings"
)

// element is one that is open.
type element struct {
	name   string // local, lower case
	space  string // its namespace, "" for none
	closed bool   // its end was seen ahead
}

// namespaces are those that open elements declare (Namespaces in XML 1.0 section 2).
type namespaces struct{ list []namespace }

type namespace struct {
	prefix, uri string
	depth       int // of the element that declares it
}

// Bounds, ours: what is beyond has no namespace.
const (
	maxNamespaces = 64
	maxURI        = 256
)

// enter notes what a tag at depth declares, and gives the element's namespace.
func (n *namespaces) enter(tag xml.StartElement, depth int) string {
	for _, a := range tag.Attr {
		prefix := ""
		switch {
		case a.Name.Space == "xmlns":
			prefix = a.Name.Local
		case a.Name.Space != "" || a.Name.Local != "xmlns":
			continue
		}
		if len(n.list) < maxNamespaces && len(a.Value) <= maxURI && len(prefix) <= maxURI {
			n.list = append(n.list, namespace{strings.Clone(prefix), strings.Clone(a.Value), depth})
		}
	}
	for i := len(n.list) - 1; i >= 0; i-- {
		if n.list[i].prefix == tag.Name.Space {
			return n.list[i].uri
		}
	}
	return ""
}

// leave forgets what elements below depth declared.
func (n *namespaces) leave(depth int) {
	for len(n.list) > 0 && n.list[len(n.list)-1].depth > depth {
		n.list = n.list[:len(n.list)-1]
	}
}

// ours are namespaces of aggregate reports: RFC 9990 appendix A, RFC 7489 appendix C and
// what came before it. Some reporters put the schema's own tag around, and do not close it.
func ours(space string) bool {
	return space == "" || space == "http://www.w3.org/2001/XMLSchema" || strings.HasPrefix(space, "urn:ietf:params:xml:ns:dmarc") || strings.HasPrefix(space, "http://dmarc.org/")
}

// places are the elements that hold others, with what is around each. They are known by
// that, whatever namespace a reporter writes.
var places = map[string]string{
	"report_metadata": "feedback", "policy_published": "feedback", "record": "feedback", "date_range": "report_metadata",
	"row": "record", "identifiers": "record", "auth_results": "record", "policy_evaluated": "row", "reason": "policy_evaluated",
}

// isForeign reports whether an element that begins here is one of an extension, in which
// names mean something else (RFC 9990 section 3.1.1): in extension, or of another
// namespace than what is around it.
func (p *aggregateParser) isForeign(name, space string) bool {
	around, ok := places[name]
	switch {
	case len(p.path) == 0, ok && around == p.parent(0), name == "feedback" && p.rec == nil:
		return false
	case p.parent(0) == "extension":
		return true
	}
	return !ours(space) && space != p.path[len(p.path)-1].space
}

func (p *aggregateParser) extension(name string) {
	p.notes.at(p.line(), "element %.60q of an extension is left out", name)
}
