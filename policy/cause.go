package policy

import (
	"strings"

	"alignd/evidence"
)

// cause says in few words why a message is not authenticated as its Author Domain's,
// for the sender: what became of the signatures that would count, and of SPF. It
// tells nothing of our rules.
func (d decision) cause(dm *evidence.DMARC) string {
	why := d.signatureCause(dm)
	if spf := d.spfCause(dm); spf != "" {
		why += "; " + spf
	}
	return why
}

// signatureCause is about the first signature of the Author Domain's family.
func (d decision) signatureCause(dm *evidence.DMARC) string {
	for i := range d.ev.DKIM {
		if s := &d.ev.DKIM[i]; s.Result != evidence.Pass && family(s.Domain, dm) {
			return brokenText(s)
		}
	}
	return "no signature of " + dm.AuthorDomain
}

// brokenText says what a signature failed on.
func brokenText(s *evidence.Signature) string {
	switch s.FailedOn {
	case evidence.FailedBody:
		return "the body was changed on the way"
	case evidence.FailedHeader:
		return "the header was changed on the way, or signed with another key"
	case evidence.FailedKey:
		switch s.Reason {
		case "key is revoked":
			return "the signature's key is revoked"
		case "no key":
			return "the signature's key is not published"
		}
		return "the signature's key cannot be used"
	case evidence.FailedDNS:
		return "the signature's key could not be looked up"
	case evidence.FailedTime:
		if s.Reason == "signature has expired" {
			return "the signature has expired"
		}
		return "the signature is from the future"
	case evidence.FailedCoverage:
		return "the signature does not cover the whole message"
	case evidence.FailedSyntax:
		return "the signature cannot be read"
	}
	return "the signature could not be verified"
}

// spfCause is about the identity that counts, where it is of the Author Domain's
// family; empty where it says nothing about the Author Domain.
func (d decision) spfCause(dm *evidence.DMARC) string {
	c := d.ev.ReportedSPF()
	if c == nil || !family(c.Domain, dm) {
		return ""
	}
	switch c.Result {
	case evidence.Fail:
		return "SPF: the client is not allowed"
	case evidence.SoftFail, evidence.Neutral:
		return "SPF: " + string(c.Result)
	case evidence.TempError:
		return "SPF: no answer from DNS"
	case evidence.PermError:
		return "SPF: " + spfFault(c.Reason)
	}
	return ""
}

// spfFault shortens the reason of a permerror, which may quote the record.
func spfFault(reason string) string {
	switch {
	case strings.Contains(reason, "that causes DNS questions, the limit is 10"):
		return "more than 10 lookups"
	case strings.Contains(reason, "void lookups"):
		return "too many void lookups"
	case strings.Contains(reason, "more than 10 MX records"):
		return "more than 10 MX records"
	}
	return "the record cannot be used"
}
