package judge

import (
	"slices"
	"strings"

	"alignd/authres"
	"alignd/compare"
	"alignd/domain"
	"alignd/evidence"
)

// incumbents reads what the filters in front of alignd wrote, while the header comes by.
//
// Of each id the topmost field is theirs. Filters that share an id, such as opendkim and
// opendmarc, write a field each, and so what follows up to the next Received field is
// theirs too, where it tells of nothing but methods of which no field above has told. Whatever
// else claims the id came with the message: a forged dmarc= does not stay for an arc= beside
// it. Only where a filter wrote nothing can a field that came with the message be taken for
// its.
type incumbents struct {
	found []evidence.Incumbent
	// closed: no further field of that id is theirs, as a Received field stands below the
	// topmost one, or one could not be read to its end.
	closed []bool
}

func incumbentsOf(ids []string) incumbents {
	if len(ids) == 0 {
		return incumbents{}
	}
	in := incumbents{found: make([]evidence.Incumbent, len(ids)), closed: make([]bool, len(ids))}
	for i, id := range ids {
		in.found[i].ServID = id
	}
	return in
}

// wrote notes an Authentication-Results field, and reports whether it is one of theirs.
func (in *incumbents) wrote(value []byte) bool {
	if len(in.found) == 0 {
		return false
	}
	id := authres.ServID(value)
	i := slices.IndexFunc(in.found, func(one evidence.Incumbent) bool { return sameID(one.ServID, id) })
	if i < 0 || in.closed[i] {
		return false
	}
	one := &in.found[i]
	read, err := authres.Parse(value)
	in.closed[i] = err != nil // nobody knows what else it tells of
	before := len(one.Results)
	for _, r := range read.Results {
		told := slices.ContainsFunc(one.Results[:before], func(b evidence.MethodResult) bool { return b.Method == r.Method })
		if told {
			one.Results = one.Results[:before]
			return false
		}
		if compare.Knows(r.Method) && len(one.Results) < evidence.MaxIncumbentResults {
			one.Results = append(one.Results, bounded(r))
		}
	}
	if one.Fields > 0 && len(one.Results) == before {
		return false
	}
	one.Fields++
	return true
}

// received notes a Received field: no filter of this hop writes below it.
func (in *incumbents) received() {
	for i := range in.found {
		in.closed[i] = in.closed[i] || in.found[i].Fields > 0
	}
}

func (in *incumbents) evidence() []evidence.Incumbent { return in.found }

// sameID compares an authserv-id as written with a normalized one. Some writers append
// the queue id: "mx.example.com/4F3A2".
func sameID(id, written string) bool {
	written, _, _ = strings.Cut(written, "/")
	name, err := domain.Normalize(strings.TrimSpace(written))
	return err == nil && name == id
}

// Bounds of what is kept of one result, in octets; ours.
const (
	maxTheirWord  = 20
	maxTheirValue = 128
)

// theirProperties are those that say what a result is about.
var theirProperties = map[string]bool{
	"header.d": true, "header.i": true, "header.s": true, "header.b": true, "header.a": true, "header.from": true,
	"smtp.mailfrom": true, "smtp.helo": true,
}

func bounded(r evidence.MethodResult) evidence.MethodResult {
	out := evidence.MethodResult{Method: r.Method, Result: short(r.Result, maxTheirWord), Reason: short(r.Reason, maxTheirValue)}
	for _, p := range r.Properties {
		name := p.Type + "." + p.Name
		if !theirProperties[name] || out.Value(p.Type, p.Name) != "" {
			continue
		}
		value := p.Value
		switch name {
		case "header.d", "header.i", "header.from", "smtp.mailfrom", "smtp.helo":
			value = theirDomain(value)
		}
		out.Properties = append(out.Properties, evidence.Property{Type: p.Type, Name: p.Name, Value: short(value, maxTheirValue)})
	}
	return out
}

// theirDomain is the domain of an address, or a domain; the local part compares nothing.
func theirDomain(value string) string {
	value = value[strings.LastIndexByte(value, '@')+1:]
	if name, err := domain.Normalize(value); err == nil {
		return name
	}
	return value
}

func short(s string, max int) string { return strings.Clone(s[:min(len(s), max)]) }
