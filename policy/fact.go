package policy

import (
	"slices"

	"alignd/evidence"
)

// Fact names something that a rule looks at and that Evidence does not hold.
type Fact string

// The facts that a rule may need. The last two were looked up and not answered: a
// later try may get an answer, and looking up more does not help.
const (
	FactFrom       Fact = "From"
	FactTraces     Fact = "traces of lists and forwarders"
	FactReceived   Fact = "Received chain"
	FactDKIM       Fact = "dkim"
	FactARC        Fact = "arc"
	FactSPF        Fact = "spf"
	FactIPRev      Fact = "iprev"
	FactClient     Fact = "client address"
	FactRecipients Fact = "recipients"
	FactLocalParts Fact = "local parts of addresses"
	FactSample     Fact = "sample"
	FactDMARC      Fact = "dmarc"
	FactOrg        Fact = "Organizational Domain"
	FactExistence  Fact = "existence of the Author Domain"

	FactOrgUnanswered       Fact = "Organizational Domain (no answer)"
	FactExistenceUnanswered Fact = "existence of the Author Domain (no answer)"
)

// factNames are all facts, in the order in which a verdict lists them.
var factNames = func() []Fact {
	list := []Fact{FactFrom, FactTraces, FactReceived, FactDKIM, FactARC, FactSPF, FactIPRev, FactClient, FactRecipients, FactLocalParts,
		FactSample, FactDMARC, FactOrg, FactExistence, FactOrgUnanswered, FactExistenceUnanswered}
	slices.Sort(list)
	return list
}()

// facts is a set of Fact: a bit for each of factNames.
type facts uint32

const noFacts facts = 0

// of is the set of one Fact. It is for variables of the package, as it searches.
func of(f Fact) facts {
	i, ok := slices.BinarySearch(factNames, f)
	if !ok {
		panic("policy: unknown fact " + f)
	}
	return 1 << i
}

var (
	noFrom, noTraces, noReceived = of(FactFrom), of(FactTraces), of(FactReceived)
	noDKIM, noARC, noSPF         = of(FactDKIM), of(FactARC), of(FactSPF)
	noIPRev, noClient            = of(FactIPRev), of(FactClient)
	noRecipients, noSample       = of(FactRecipients), of(FactSample)
	noLocalParts                 = of(FactLocalParts)
	noDMARC                      = of(FactDMARC)
	noOrg, unansweredOrg         = of(FactOrg), of(FactOrgUnanswered)
	noExistence, silentExistence = of(FactExistence), of(FactExistenceUnanswered)
)

// list is the set in order; nil for the empty one.
func (set facts) list() []Fact {
	var list []Fact
	for i, f := range factNames {
		if set&(1<<i) != 0 {
			list = append(list, f)
		}
	}
	return list
}

// orgUnknown is the fact that is missing where Evidence holds no Organizational
// Domain; empty when it holds one.
func orgUnknown(dm *evidence.DMARC) facts {
	switch {
	case dm == nil || dm.OrgDomain != "":
		return noFacts
	case dm.Looked.Has(evidence.SectionOrg):
		return unansweredOrg
	}
	return noOrg
}

// existenceUnknown is the fact that is missing where Evidence does not say whether the
// Author Domain exists.
func existenceUnknown(dm *evidence.DMARC) facts {
	switch {
	case dm.Existence != evidence.ExistenceUnknown:
		return noFacts
	case dm.Looked.Has(evidence.SectionExistence):
		return silentExistence
	}
	return noExistence
}

// clientUnknown is the fact that is missing where a rule looks at the client's address
// and it is not known. Behind a trusted relay whose fields were not read that is the
// Received chain.
func (d decision) clientUnknown() facts {
	c := &d.ev.Client
	switch {
	case c.Original.IsValid():
		return noFacts
	case d.chainUnread():
		return noReceived
	case !c.IP().IsValid():
		return noClient
	}
	return noFacts
}

// chainUnread reports whether the way behind a trusted relay was not looked at.
func (d decision) chainUnread() bool {
	c := &d.ev.Client
	return c.Relay != "" && c.Hops == 0 && c.RelayProblem == "" && !d.ev.Has(evidence.SectionReceived)
}

// beginningUnknown is the fact that is missing where it is not known at which host mail
// of a trusted relay began.
func (d decision) beginningUnknown() facts {
	c := &d.ev.Client
	switch {
	case c.Original.IsValid():
		return noFacts
	case d.chainUnread():
		return noReceived
	case c.RelayProblem != "":
		return noClient
	}
	return noFacts
}
