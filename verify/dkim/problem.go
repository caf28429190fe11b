package dkim

import "alignd/evidence"

// Problem says why a signature does not verify.
type Problem struct {
	Result evidence.Result // not pass
	Reason string          // constant text, but for the name of a tag that stands twice
	On     evidence.Failure
}

// Verdict is the result of a signature with this problem, or with none: nil.
func (p *Problem) Verdict() evidence.Result {
	if p == nil {
		return evidence.Pass
	}
	return p.Result
}

// malformed and unacceptable are about the field.
func malformed(reason string) *Problem {
	return &Problem{evidence.Neutral, reason, evidence.FailedSyntax}
}

func unacceptable(reason string) *Problem {
	return &Problem{evidence.PermError, reason, evidence.FailedSyntax}
}

// badKey and barredKey are about the key.
func badKey(reason string) *Problem {
	return &Problem{evidence.PermError, reason, evidence.FailedKey}
}

func barredKey(reason string) *Problem {
	return &Problem{evidence.Policy, reason, evidence.FailedKey}
}

// lostSpace is the verdict on a signature whose body holds and whose header may: see
// Options.LeadingSpaceLost. RFC 6376 section 3.9 has no word for it; neutral is that
// of RFC 8601 section 2.7.1 for what could not be processed otherwise.
var lostSpace = &Problem{evidence.Neutral, "the MTA does not hand on the space after the colon, which simple signs", evidence.FailedTransport}

// LostSpace reports whether the verdict is that of Options.LeadingSpaceLost.
func (p *Problem) LostSpace() bool { return p.On == evidence.FailedTransport }
