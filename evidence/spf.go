package evidence

// SPFIdentity names the identity that SPF checked (RFC 7208 section 2).
type SPFIdentity string

// The two identities.
const (
	MailFromIdentity SPFIdentity = "mailfrom"
	HELOIdentity     SPFIdentity = "helo"
)

// SPFCheck is one check_host() (RFC 7208 section 4).
type SPFCheck struct {
	Identity SPFIdentity `cbor:"1,keyasint,omitempty"`
	Domain   string      `cbor:"2,keyasint,omitempty"` // the domain checked; as received when it is unusable
	Result   Result      `cbor:"3,keyasint,omitempty"`
	// Mechanism is the directive that matched, as published, and
	// MechanismDomain the domain whose record holds it (an include's target,
	// say). Empty when no directive decided.
	Mechanism       string `cbor:"4,keyasint,omitempty"`
	MechanismDomain string `cbor:"5,keyasint,omitempty"`
	// Wide: the pass rests on "all", or on a network wider than /8 (IPv6: /24),
	// so the domain authorizes about everybody. The result stays what RFC 7208
	// says.
	Wide bool `cbor:"12,keyasint,omitempty"`
	// Explanation is the expanded exp= text of a fail: US-ASCII, printable.
	Explanation string `cbor:"6,keyasint,omitempty"`
	Reason      string `cbor:"7,keyasint,omitempty"` // why, for errors and for none
	// Record is the SPF record of Domain as published; empty when there is none.
	Record string `cbor:"8,keyasint,omitempty"`
	// Path leads from Record to the term that decided, through includes and
	// redirects; empty when no term did.
	Path    []SPFTerm `cbor:"9,keyasint,omitempty"`
	Lookups int       `cbor:"10,keyasint,omitempty"` // terms that caused DNS questions
	Voids   int       `cbor:"11,keyasint,omitempty"` // void lookups
	// Lookalikes are TXT records at the names asked that look like an SPF record and
	// are none, each with the reason: `example.com "v=spf1;-all": ...`. At most 4.
	Lookalikes []string `cbor:"13,keyasint,omitempty"`
}

// SPF holds both identities; nil means not looked up.
type SPF struct {
	MailFrom *SPFCheck `cbor:"1,keyasint,omitempty"`
	HELO     *SPFCheck `cbor:"2,keyasint,omitempty"`
}

// ReportedSPF is the one check that is written to Authentication-Results and
// counts for DMARC: MAIL FROM, or HELO for the null reverse-path (RFC 7208
// section 2.4). It is nil when that identity was not checked.
func (m *Message) ReportedSPF() *SPFCheck {
	if m.MailFrom != "" {
		return m.SPF.MailFrom
	}
	return m.SPF.HELO
}
