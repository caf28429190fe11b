package evidence

import "time"

// DMARCPolicy is what a Domain Owner asks for (RFC 9989 section 4.7).
type DMARCPolicy string

// The policies, weakest first. The empty policy means absent.
const (
	PolicyAbsent     DMARCPolicy = ""
	PolicyNone       DMARCPolicy = "none"
	PolicyQuarantine DMARCPolicy = "quarantine"
	PolicyReject     DMARCPolicy = "reject"
)

// Existence says whether the Author Domain exists in DNS (RFC 9989 section 3.2.13).
type Existence string

// The states of Existence.
const (
	ExistenceUnknown Existence = "" // not looked up, or the look-up failed
	Exists           Existence = "exists"
	NonExistent      Existence = "nonexistent" // NXDOMAIN
)

// Discovery is the method that finds record and Organizational Domain.
type Discovery string

// The two methods.
const (
	TreeWalk Discovery = "treewalk" // RFC 9989 section 4.10
	PSL      Discovery = "psl"      // RFC 7489 section 6.6.3
)

// DMARC is the evaluation of one Author Domain.
type DMARC struct {
	AuthorDomain string `cbor:"1,keyasint,omitempty"`
	Result       Result `cbor:"2,keyasint,omitempty"` // pass, fail, none, temperror, permerror
	Reason       string `cbor:"3,keyasint,omitempty"` // constant text of ours

	Discovery    Discovery `cbor:"4,keyasint,omitempty"`
	PolicyDomain string    `cbor:"5,keyasint,omitempty"` // where the record was found; empty when there is none
	// Lookalikes are TXT records at the names asked for a policy that look like a
	// DMARC record and are none, each with the reason. At most 4.
	Lookalikes []string `cbor:"22,keyasint,omitempty"`
	OrgDomain  string   `cbor:"6,keyasint,omitempty"` // Organizational Domain of AuthorDomain; empty if not needed
	// SiteDomain is the name below a public suffix that AuthorDomain belongs to, where
	// the guard of suffixes lets names align below it only, and not below OrgDomain;
	// else empty. OrgDomain and what else is above AuthorDomain align all the same.
	SiteDomain string `cbor:"20,keyasint,omitempty"`
	// Looked tells of OrgDomain and Existence whether they were looked up.
	Looked Sections `cbor:"7,keyasint,omitempty"`
	// Compared are the identifiers that alignment compared, with their
	// Organizational Domains.
	Compared []Organization `cbor:"8,keyasint,omitempty"`
	// TTL is how long Published may be kept, from DNS; 0 when not known.
	TTL       time.Duration `cbor:"9,keyasint,omitempty"`
	Existence Existence     `cbor:"10,keyasint,omitempty"`
	Published DMARCRecord   `cbor:"11,keyasint,omitempty"`

	// Policy is the effective policy after sp, np and t, before pct.
	// PolicyAbsent when there is no record.
	Policy DMARCPolicy `cbor:"12,keyasint,omitempty"`
	// PolicyTag is the tag it came from: "p", "sp" or "np".
	PolicyTag string `cbor:"13,keyasint,omitempty"`

	SPFAligned  bool `cbor:"14,keyasint,omitempty"`
	DKIMAligned bool `cbor:"15,keyasint,omitempty"`
	// AlignedDKIM lists indexes into Message.DKIM of passing aligned signatures.
	AlignedDKIM []int `cbor:"16,keyasint,omitempty"`
	// AlignedAuthors are the domains of From.Fronts behind this one that are aligned
	// with it in relaxed mode; only with the results fail and temperror.
	AlignedAuthors []string `cbor:"21,keyasint,omitempty"`
	// PolicyTemporary: the policy is unknown because of a temporary error; what is
	// in Published and Policy then holds only if the names that did not answer
	// publish nothing. IdentifierTemporary: it is known, and an identifier that
	// would align is unresolved. Both only with Result temperror.
	PolicyTemporary     bool `cbor:"17,keyasint,omitempty"`
	IdentifierTemporary bool `cbor:"18,keyasint,omitempty"`

	// Divergence is what the other discovery method would have said, when it
	// was asked for and differs; nil otherwise.
	Divergence *Divergence `cbor:"19,keyasint,omitempty"`
}

// Divergence is the outcome by the other discovery method.
type Divergence struct {
	Discovery    Discovery   `cbor:"1,keyasint,omitempty"`
	Result       Result      `cbor:"2,keyasint,omitempty"`
	PolicyDomain string      `cbor:"3,keyasint,omitempty"`
	OrgDomain    string      `cbor:"4,keyasint,omitempty"`
	Policy       DMARCPolicy `cbor:"5,keyasint,omitempty"`
}

// DMARCRecord is the published record that was selected, as parsed.
type DMARCRecord struct {
	Text        string      `cbor:"1,keyasint,omitempty"` // the record as published
	P           DMARCPolicy `cbor:"2,keyasint,omitempty"`
	SP          DMARCPolicy `cbor:"3,keyasint,omitempty"`
	NP          DMARCPolicy `cbor:"4,keyasint,omitempty"`
	StrictDKIM  bool        `cbor:"5,keyasint,omitempty"`  // adkim=s
	StrictSPF   bool        `cbor:"6,keyasint,omitempty"`  // aspf=s
	Testing     bool        `cbor:"7,keyasint,omitempty"`  // t=y
	HasTesting  bool        `cbor:"8,keyasint,omitempty"`  // a valid t tag is present: it wins over pct
	Pct         int         `cbor:"9,keyasint,omitempty"`  // 0-100; 100 when absent
	PSD         string      `cbor:"10,keyasint,omitempty"` // "y", "n" or "u"
	FailureOpts string      `cbor:"11,keyasint,omitempty"` // fo
	RUA         []string    `cbor:"12,keyasint,omitempty"`
	RUF         []string    `cbor:"13,keyasint,omitempty"`
	// OtherRUA are those of RUA whose host is not the Policy Domain, a name
	// below it, or its Organizational Domain: they have to agree before a
	// report goes there (RFC 9990 section 4).
	OtherRUA []string `cbor:"14,keyasint,omitempty"`
	Errors   []string `cbor:"15,keyasint,omitempty"` // parse problems, for the report's error element
}
