// Package failure makes failure reports (RFC 9991 on RFC 6591 and 5965): from the record
// of a message and its header section, mail in the Abuse Reporting Format.
//
// It is pure, and it redacts: of the header section only what a Domain Owner needs to find
// what failed is taken, without a single local part, name, subject or body (RFC 6590, RFC
// 9991 section 7). What a Report holds may be written down.
package failure

import (
	"strings"

	"alignd/evidence"
	"alignd/header"
	"alignd/policy"
	"alignd/record"
)

// Type is the word of Auth-Failure (RFC 6591 section 3.2.4, RFC 9991 section 4).
type Type string

// The words. The empty Type means that no report is due.
const (
	NotDue    Type = ""
	DMARC     Type = "dmarc"
	BodyHash  Type = "bodyhash"
	Revoked   Type = "revoked"
	Signature Type = "signature"
	SPF       Type = "spf"
)

// Due says which report a message is a reason for. None is due for what was not judged or
// got no final answer, for authenticated clients, for notifications (null reverse-path),
// for what an exception of the site decided, for several Author Domains, where the source
// is not known, and without ruf or with that of a public suffix (RFC 9991 section 2). A
// temporary or permanent error is nothing that the Domain Owner could repair.
func Due(r *record.Record) Type {
	ev := &r.Evidence
	switch {
	case r.Outcome.End != record.EndAnswered, r.Verdict.NotJudged, r.Verdict.Disposition == policy.DispositionTempfail,
		r.Verdict.Step == policy.StepException, ev.Authenticated(), ev.MailFrom == "", !ev.Client.IP().IsValid(),
		ev.From.Problem != evidence.FromOK, len(ev.From.Domains) != 1, len(ev.DMARC) != 1:
		return NotDue
	}
	dm := &ev.DMARC[0]
	if len(dm.Published.RUF) == 0 || dm.Published.PSD == "y" || dm.PolicyDomain == "" {
		return NotDue
	}
	if dm.Result != evidence.Fail && dm.Result != evidence.Pass {
		return NotDue
	}
	return dueBy(ev, dm)
}

// dueBy follows fo (RFC 9989 section 4.7). A report on DMARC says all, so it stands for
// the others.
func dueBy(ev *evidence.Message, dm *evidence.DMARC) Type {
	words := strings.Split(dm.Published.FailureOpts, ":")
	has := func(word string) bool {
		for _, w := range words {
			if w == word || w == "" && word == "0" {
				return true
			}
		}
		return false
	}
	failed := dm.Result == evidence.Fail
	switch {
	case failed && (has("0") || has("1")):
		return DMARC
	case has("1") && !(dm.SPFAligned && dm.DKIMAligned) && !temporary(ev):
		return DMARC
	}
	if has("d") {
		if i := failedSignature(ev, dm, false); i >= 0 {
			return typeOf(&ev.DKIM[i])
		}
	}
	if spf := ev.ReportedSPF(); has("s") && spf != nil && failedSPF(spf) {
		return SPF
	}
	return NotDue
}

// temporary: what is missing may have been only our DNS.
func temporary(ev *evidence.Message) bool {
	if spf := ev.ReportedSPF(); spf != nil && spf.Result == evidence.TempError {
		return true
	}
	for i := range ev.DKIM {
		if ev.DKIM[i].Result == evidence.TempError {
			return true
		}
	}
	return false
}

func failedSPF(c *evidence.SPFCheck) bool {
	return c.Result == evidence.Fail || c.Result == evidence.SoftFail
}

// failedSignature is the first signature that failed, one that would be aligned before
// others; -1 where there is none. aligned: no others.
func failedSignature(ev *evidence.Message, dm *evidence.DMARC, aligned bool) int {
	other := -1
	for i := range ev.DKIM {
		s := &ev.DKIM[i]
		if s.Result != evidence.Fail && s.Result != evidence.PermError || s.Domain == "" {
			continue
		}
		if wouldAlign(s.Domain, dm, dm.Published.StrictDKIM) {
			return i
		}
		if other < 0 {
			other = i
		}
	}
	if aligned {
		return -1
	}
	return other
}

// wouldAlign reports whether an identifier would be aligned if it had passed.
func wouldAlign(name string, dm *evidence.DMARC, strict bool) bool {
	if name == dm.AuthorDomain || strict {
		return name == dm.AuthorDomain
	}
	org := dm.OrgDomain
	if org == "" {
		org = dm.PolicyDomain
	}
	return name == org || strings.HasSuffix(name, "."+org)
}

func typeOf(s *evidence.Signature) Type {
	switch {
	case s.FailedOn == evidence.FailedBody:
		return BodyHash
	case s.FailedOn == evidence.FailedKey && strings.Contains(s.Reason, "revoked"):
		return Revoked
	}
	return Signature
}

// maxMarks is how many fields of a name IsReport looks at; ours.
const maxMarks = 10

// IsReport reports whether a message is a report or a notification itself, or was sent by
// a program for its own sake: no report is sent about these, else two sites could write to
// each other for ever (RFC 5965 section 6, RFC 3834 section 2).
//
// So is what has more of these fields than anybody needs, as nobody is to make us look at
// thousands of them.
func IsReport(h *header.Fields) bool {
	auto, kinds, subjects := h.Named("Auto-Submitted"), h.Named("Content-Type"), h.Named("Subject")
	if len(auto) > maxMarks || len(kinds) > maxMarks || len(subjects) > maxMarks {
		return true
	}
	for _, at := range auto {
		if word(h.At(at).Value()) != "no" {
			return true
		}
	}
	for _, at := range kinds {
		switch w := word(h.At(at).Value()); {
		case w == "multipart/report", w == "message/feedback-report", strings.HasSuffix(w, "/delivery-status"):
			return true
		}
	}
	for _, at := range subjects { // RFC 9990 section 3.5.2
		if strings.HasPrefix(word(h.At(at).Value()), "report domain:") {
			return true
		}
	}
	return false
}

// word is what a field begins with up to the first ";", in lower case, without comments.
func word(value []byte) string {
	var b strings.Builder
	depth := 0
	for _, c := range value[:min(len(value), 1000)] {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == ';':
			return strings.ToLower(strings.TrimSpace(b.String()))
		default:
			b.WriteByte(c)
		}
	}
	return strings.ToLower(strings.TrimSpace(b.String()))
}
