package verify

import (
	"alignd/header"
	"alignd/resolver"
	"alignd/verify/dkim"
)

// The questions of one message are shared out so that no check is left without
// for what another one asks. Of the 150 of resolver.DefaultMaxQueries
//
//	112  are for SPF of MAIL FROM: all that RFC 7208 section 4.6.4 lets it cause
//	     (its record, ten terms with ten addresses each, the explanation). When
//	     it ends, what it has left is for all; a check that finds no other
//	     question left waits for that
//	 36  are held until the Author Domains are known: nine for the policy of
//	     each, for up to four. What they leave goes first to the keys of
//	     signatures (ten), then to the newest ARC Set (two), then to all
//	  2  are for all from the beginning: HELO and the reverse name of the client
//
// A site that allows more signatures or Author Domains than by default has more
// questions by as many. All numbers are ours where no section is named.
const (
	// spfShare is the part of the questions that SPF of MAIL FROM may have.
	spfShare = 3.0 / 4
	// aside is what is for all from the beginning.
	aside = 2
)

// ownOfHELO is for SPF of HELO beside MAIL FROM, which is evidence and decides
// nothing: what is left, and few addresses of mx terms.
var ownOfHELO = resolver.Own{Most: 20, Parallel: resolver.DefaultParallel / 2}

// ownOfChain is for the keys of an ARC chain: those of the newest set, and of
// older ones what is left, one for each of 50 sets (RFC 8617 section 4.2.1). Few
// chains have more than four sets, and most sets have one key.
var ownOfChain = resolver.Own{Questions: 2, Most: 50, Parallel: 8}

// newBudget holds what the header will need.
func (m *Message) newBudget(lk resolver.Lookuper) *resolver.Budget {
	opt := m.opt.Budget
	opt.MaxQueries = m.questions()
	if opt.Reserved == 0 {
		opt.Reserved = resolver.DefaultReserved
	}
	b := resolver.NewBudget(lk, opt)
	policies := m.maxFromDomains() * max(0, opt.Reserved)
	b.Hold(min(policies, opt.MaxQueries-m.ownOfSPF().Questions-aside))
	return b
}

// questions is how many the message may cause in all.
func (m *Message) questions() int {
	n := m.opt.Budget.MaxQueries
	if n <= 0 {
		n = resolver.DefaultMaxQueries
	}
	n += max(0, m.signatures()-dkim.DefaultMaxSignatures)
	return n + max(0, m.maxFromDomains()-header.MaxAuthorDomains)*resolver.DefaultReserved
}

func (m *Message) signatures() int { return m.opt.DKIM.WithDefaults().MaxSignatures }

func (m *Message) ownOfSPF() resolver.Own {
	share := int(spfShare * float64(m.questions()))
	return resolver.Own{
		Questions: min(m.opt.SPF.MaxQuestions(), share), Parallel: resolver.DefaultParallel / 2, Lends: true,
	}
}

// ownOfKeys is for the keys of signatures. None waits for another name of the
// message's.
func (m *Message) ownOfKeys() resolver.Own {
	n := m.signatures()
	return resolver.Own{Questions: min(n, len(m.fields.Named("DKIM-Signature"))), Parallel: n}
}
