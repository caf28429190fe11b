package evidence

// FromProblem says why RFC5322.From gives no single Author Domain.
type FromProblem string

// The ways a From can be unusable (RFC 9989 sections 5.3.1 and 11.5).
const (
	FromOK         FromProblem = ""
	FromMissing    FromProblem = "missing"    // no From field
	FromSeveral    FromProblem = "several"    // more than one From field
	FromEmpty      FromProblem = "empty"      // a group without a mailbox
	FromUnparsable FromProblem = "unparsable" // not an address list, or no usable domain
	FromTooMany    FromProblem = "too many"   // more distinct domains than the limit
	FromUnread     FromProblem = "unread"     // not looked at: the header section is over the limit
)

// From is what the RFC5322.From field(s) say.
type From struct {
	Fields  int      `cbor:"1,keyasint,omitempty"` // number of From fields
	Domains []string `cbor:"2,keyasint,omitempty"` // distinct Author Domains of all fields, in order
	// Partial are those of Domains that nobody wrote: where white space or a comment
	// stands within a domain, what a reader takes it for who stops there.
	Partial []string `cbor:"3,keyasint,omitempty"`
	// Fronts are those of Domains that stand only in an unquoted address in front
	// of an angle address, as ticket systems write it, or in a quoted one in front of an
	// angle address that some readers pass over.
	Fronts []FrontDomain `cbor:"6,keyasint,omitempty"`
	// Sole: From is unparsable, but no reader can show another domain than the one of
	// Domains, so its result is that of the message.
	Sole    bool        `cbor:"7,keyasint,omitempty"`
	Problem FromProblem `cbor:"4,keyasint,omitempty"`
	Detail  string      `cbor:"5,keyasint,omitempty"` // one sentence; may quote outside text
}

// Behind is the domains of the angle addresses that an unquoted address with this
// domain stands in front of; nil for a domain that is the author's otherwise.
func (f *From) Behind(domain string) []string {
	for i := range f.Fronts {
		if f.Fronts[i].Domain == domain {
			return f.Fronts[i].Angles
		}
	}
	return nil
}

// FrontDomain is a domain in front of angle addresses.
type FrontDomain struct {
	Domain string   `cbor:"1,keyasint,omitempty"`
	Angles []string `cbor:"2,keyasint,omitempty"` // the domains of the angle addresses
}
