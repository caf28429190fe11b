package evidence

// Sections is a set of parts of the evidence. A part is in the set when it was
// looked at, whatever was found there: a section that was looked at and is
// empty says "nothing found", one that is not in the set says nothing at all.
// The numbers are part of the encoding of records and never change.
type Sections uint32

// The sections of a Message, and of a DMARC evaluation (the last two).
const (
	SectionFrom       Sections = 1 << 0  // From
	SectionTraces     Sections = 1 << 1  // Traces
	SectionReceived   Sections = 1 << 2  // Received
	SectionDKIM       Sections = 1 << 3  // DKIM
	SectionARC        Sections = 1 << 4  // ARC
	SectionSPF        Sections = 1 << 5  // SPF.MailFrom, or SPF.HELO for the null reverse-path
	SectionHELO       Sections = 1 << 6  // SPF.HELO
	SectionIPRev      Sections = 1 << 7  // IPRev
	SectionClient     Sections = 1 << 8  // Client: the address that the checks use
	SectionRecipients Sections = 1 << 9  // Recipients
	SectionSample     Sections = 1 << 10 // Sample
	SectionDMARC      Sections = 1 << 11 // DMARC
	SectionOrg        Sections = 1 << 16 // DMARC.OrgDomain
	SectionExistence  Sections = 1 << 17 // DMARC.Existence

	// What no rule reads. These are in no Looked; a record tells by them what it
	// had no room for.
	SectionQuestions Sections = 1 << 24 // Failed, Problems
	SectionTexts     Sections = 1 << 25 // records as published, explanations, MessageID, Incumbents
	SectionSigned    Sections = 1 << 26 // Signature.SignedHeaders and KeyCNAMEs
	SectionEnvelope  Sections = 1 << 27 // MailFrom, MailArgs, Client: an envelope of absurd length
	SectionWords     Sections = 1 << 28 // the words of the verdict

	// AllSections are all of them.
	AllSections = SectionFrom | SectionTraces | SectionReceived | SectionDKIM | SectionARC | SectionSPF | SectionHELO | SectionIPRev |
		SectionClient | SectionRecipients | SectionSample | SectionDMARC | SectionOrg | SectionExistence |
		SectionQuestions | SectionTexts | SectionSigned | SectionEnvelope | SectionWords
)

// sectionNames spells the sections for log and explanation, lowest bit first.
var sectionNames = []struct {
	bit  Sections
	name string
}{
	{SectionFrom, "From"}, {SectionTraces, "traces of lists and forwarders"}, {SectionReceived, "Received chain"},
	{SectionDKIM, "dkim"}, {SectionARC, "arc"}, {SectionSPF, "spf"}, {SectionHELO, "spf of HELO"}, {SectionIPRev, "iprev"},
	{SectionClient, "client address"}, {SectionRecipients, "recipients"}, {SectionSample, "sample"}, {SectionDMARC, "dmarc"},
	{SectionOrg, "Organizational Domain"}, {SectionExistence, "existence of the Author Domain"},
	{SectionQuestions, "failed questions"}, {SectionTexts, "texts"}, {SectionSigned, "signed header fields"}, {SectionEnvelope, "envelope"},
	{SectionWords, "words of the verdict"},
}

// Has reports whether all of s are in the set.
func (set Sections) Has(s Sections) bool { return set&s == s }

// Names spells the sections of the set.
func (set Sections) Names() []string {
	var names []string
	for _, s := range sectionNames {
		if set.Has(s.bit) {
			names = append(names, s.name)
		}
	}
	return names
}

// Needs are the facts that cost DNS questions and are looked up only because a
// rule asks for them. Rules declare them, verify obeys them.
type Needs struct {
	// IPRev: the reverse name of the client (RFC 8601 section 3).
	IPRev bool `cbor:"1,keyasint,omitempty"`
	// OrgDomain: the Organizational Domain of each Author Domain, also where
	// alignment does not need it.
	OrgDomain bool `cbor:"2,keyasint,omitempty"`
	// Existence: whether the Author Domain exists in DNS (RFC 9989 section
	// 3.2.13), also where the record's np does not ask.
	Existence bool `cbor:"3,keyasint,omitempty"`
}
