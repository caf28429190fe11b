// Package record is what is kept of one message: what was observed, what was
// decided, what the MTA was told, and under which program and configuration.
//
// Every message that reached MAIL FROM and was answered at its end, and every
// one that the MTA gave up after its header, leaves one Record. The log line,
// metrics, the journal, explanations and reports render it and consult nothing
// else. The package does no I/O; who keeps or shows records is a Sink.
package record

import (
	"time"

	"alignd/evidence"
	"alignd/policy"
)

// Record is one message. It is a plain value; what it points to is not changed
// once it was handed to a Sink.
type Record struct {
	Evidence evidence.Message
	Verdict  policy.Verdict
	Outcome  Outcome
	Basis    Basis
	// Cut names the sections that were shortened or left out, as the record would
	// have been longer than MaxSize. A rule that needs one of them is undecidable.
	Cut evidence.Sections
}

// End says how a message ended.
type End string

// The ways a message ends. The empty End means that it is not known.
const (
	EndAnswered End = "answered" // the verdict was told to the MTA
	EndLimit    End = "limit"    // refused, as it was over one of our limits
	EndPanic    End = "panic"    // alignd failed on it
	EndEdits    End = "edits"    // the MTA grants no edits that the verdict needs
	EndAborted  End = "aborted"  // the MTA gave it up: no reply was asked for
)

// Outcome is what became of the message on the side of the MTA.
type Outcome struct {
	End End
	// Reply is what the MTA was told; zero where the message was let through or
	// given up.
	Reply policy.Reply
	// Delivered: the MTA was told to let the message through.
	Delivered bool
	// Problem says what kept the verdict from being told; empty for EndAnswered.
	Problem string
	// AuthservID is the id under which results were written.
	AuthservID string
	// Deleted is how many fields were deleted that claimed results or marks of ours.
	Deleted int
	// Receiving is the time from MAIL FROM to the end of the body, which is the
	// sender's to spend; Checking that from there to the reply.
	Receiving, Checking time.Duration
}

// Basis is what the verdict rests on beside the evidence.
type Basis struct {
	Program string // name and version of the program
	// Config is the SHA-256 of the configuration in force, without secrets; zero
	// when it is not known.
	Config [32]byte
	// Options are the verification options that shaped the evidence.
	Options Options
}

// Options are the settings of verification that a later judgement has to know:
// evidence made under other ones may say something else. Zero is "not known".
type Options struct {
	Discovery        evidence.Discovery
	PSLGuard         bool
	CompareDiscovery bool
	MaxSignatures    int
	MaxFromDomains   int
	AcceptLength     bool
	MinLengthPercent int
	// AcceptPartlySigned: a signature over some of several fields of a name counts.
	AcceptPartlySigned bool
	// IgnoreWideSPF: a pass that matches about everybody is no identifier.
	IgnoreWideSPF bool
	ClockSkew     time.Duration
	SPFTimeout    time.Duration
	SPFVoids      int
	MaxQueries    int
	Timeout       time.Duration
	Needs         evidence.Needs
	// LeadingSpace: the MTA handed on header values with the space after the
	// colon, so that simple signatures could be verified.
	LeadingSpace bool
}

// Sink takes records. Take is called from many goroutines at once, before the
// MTA is answered; it returns soon, does not change the record, and tells
// failures itself, as mail neither waits nor fails for them.
type Sink interface {
	Take(*Record)
}
