package authres

import (
	"strings"

	"alignd/domain"
	"alignd/evidence"
)

// ParseSealed reads the value of an ARC-Authentication-Results field: "i=N;" and then
// what Parse reads (RFC 8617 section 4.1.1). The instance is 1 to 50, or 0 with an
// error. With a valid instance an error is about the payload behind it.
//
// As these results are compared with other names, a domain in U-labels comes back in
// A-labels (RFC 8616 section 6), be it the authserv-id, a property, or the domain of
// an address. A name that IDNA2008 does not allow stays as written, so that it
// equals no other.
func ParseSealed(value []byte) (int, evidence.AuthResults, error) {
	n, out, err := parseAAR(value)
	id, job, found := strings.Cut(out.ServID, "/")
	if id = aLabels(id); found {
		id += "/" + job
	}
	out.ServID = id
	for i := range out.Results {
		props := out.Results[i].Properties
		for k := range props {
			props[k].Value = aLabels(props[k].Value)
		}
	}
	return n, out, err
}

// aLabels turns the U-labels of a domain, or of the domain of an address in
// angle brackets or without, into A-labels.
func aLabels(v string) string {
	if printable(v) {
		return v
	}
	body, angle := strings.CutSuffix(v, ">")
	at := strings.LastIndexByte(body, '@') + 1
	if at == 0 && strings.HasPrefix(body, "<") {
		at = 1
	}
	name, err := domain.Written(body[at:])
	if err != nil || printable(body[at:]) {
		return v
	}
	if angle {
		name += ">"
	}
	return body[:at] + name
}
