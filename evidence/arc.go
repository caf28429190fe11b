package evidence

// ARC is the validation of the chain (RFC 8617 section 5.2).
type ARC struct {
	Result Result `cbor:"1,keyasint,omitempty"` // none, pass or fail
	Reason string `cbor:"2,keyasint,omitempty"` // constant text of ours
	// Temporary: the chain's only failure was a temporary DNS error, or that the MTA
	// did not hand on what a simple signature covers.
	Temporary  bool     `cbor:"3,keyasint,omitempty"`
	Instances  int      `cbor:"4,keyasint,omitempty"`
	OldestPass int      `cbor:"5,keyasint,omitempty"`
	Sets       []ARCSet `cbor:"6,keyasint,omitempty"` // by instance, 1 first; filled as far as it could be read
}

// ARCSet is one ARC Set.
type ARCSet struct {
	Instance int `cbor:"1,keyasint,omitempty"`

	SealDomain   string `cbor:"2,keyasint,omitempty"` // d= of ARC-Seal
	SealSelector string `cbor:"3,keyasint,omitempty"` // s=
	SealCV       string `cbor:"4,keyasint,omitempty"` // cv=
	SealResult   Result `cbor:"5,keyasint,omitempty"` // of the signature; NotChecked when not reached

	MessageDomain   string `cbor:"6,keyasint,omitempty"` // d= of ARC-Message-Signature
	MessageSelector string `cbor:"7,keyasint,omitempty"` // s=
	MessageResult   Result `cbor:"8,keyasint,omitempty"`

	// AAR is the ARC-Authentication-Results as read; nil when unreadable.
	AAR *AuthResults `cbor:"9,keyasint,omitempty"`
}

// AuthResults is what an Authentication-Results payload says (RFC 8601).
type AuthResults struct {
	ServID  string         `cbor:"1,keyasint,omitempty"` // authserv-id; empty when the writer left it out
	Results []MethodResult `cbor:"2,keyasint,omitempty"`
}

// MethodResult is one resinfo.
type MethodResult struct {
	Method     string     `cbor:"1,keyasint,omitempty"` // lower case
	Result     string     `cbor:"2,keyasint,omitempty"` // lower case
	Reason     string     `cbor:"3,keyasint,omitempty"`
	Properties []Property `cbor:"4,keyasint,omitempty"`
}

// Property is one propspec, e.g. {"header", "from", "example.com"}.
type Property struct {
	Type  string `cbor:"1,keyasint,omitempty"`
	Name  string `cbor:"2,keyasint,omitempty"`
	Value string `cbor:"3,keyasint,omitempty"`
}

// Value returns the first property ptype.name, or "".
func (m MethodResult) Value(ptype, name string) string {
	for _, p := range m.Properties {
		if p.Type == ptype && p.Name == name {
			return p.Value
		}
	}
	return ""
}
