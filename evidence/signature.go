package evidence

import "time"

// Signature is one DKIM-Signature field (RFC 6376 section 3.5).
type Signature struct {
	Result   Result  `cbor:"1,keyasint,omitempty"`
	Reason   string  `cbor:"2,keyasint,omitempty"` // constant text of ours; empty on a plain pass
	FailedOn Failure `cbor:"3,keyasint,omitempty"`
	Domain   string  `cbor:"4,keyasint,omitempty"` // SDID (d=), normalized; as received when it is unusable
	Selector string  `cbor:"5,keyasint,omitempty"` // s=
	// Identity is AUID (i=) with quoted-printable decoded, default "@"+SDID.
	Identity  string `cbor:"6,keyasint,omitempty"`
	Algorithm string `cbor:"7,keyasint,omitempty"` // a=, lower case
	B         string `cbor:"8,keyasint,omitempty"` // b= without white space, for header.b and comparison
	// HeaderCanon and BodyCanon are "simple" or "relaxed".
	HeaderCanon   string    `cbor:"9,keyasint,omitempty"`
	BodyCanon     string    `cbor:"10,keyasint,omitempty"`
	SignedHeaders []string  `cbor:"11,keyasint,omitempty"` // h=, lower case
	Signed        time.Time `cbor:"12,keyasint,omitzero"`
	Expires       time.Time `cbor:"13,keyasint,omitzero"`
	// Length is l=, or -1; Unsigned the octets of the canonical body beyond it.
	Length   int64 `cbor:"14,keyasint,omitempty"`
	Unsigned int64 `cbor:"15,keyasint,omitempty"`
	KeyBits  int   `cbor:"16,keyasint,omitempty"`
	// KeyCNAMEs are the names that aliases led to from the selector's name to
	// the key, in order (RFC 6376 section 3.6.2.1 allows them).
	KeyCNAMEs []string `cbor:"17,keyasint,omitempty"`
	// KeyHash is the SHA-256 of the key record's text; zero without one.
	KeyHash [32]byte `cbor:"18,keyasint,omitzero"`
	// Testing is the key's t=y flag: a failure counts no worse than no signature.
	Testing bool `cbor:"19,keyasint,omitempty"`
	// PublicSuffix: SDID is a public suffix, so it aligns by equality only.
	PublicSuffix bool `cbor:"20,keyasint,omitempty"`
}

// ShortB is the part of b= that tells signature i from the others of a message: the
// first atLeast characters, or as many as make it unique (RFC 6008 section 3). Only
// copies of one signature read the same.
func ShortB(sigs []Signature, i, atLeast int) string {
	b := sigs[i].B
	n := min(len(b), atLeast)
	for j := range sigs {
		if other := sigs[j].B; other != b {
			n = max(n, min(len(b), commonPrefix(b, other)+1))
		}
	}
	return b[:n]
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
