// Package record is what is kept of one message: what was observed, what was
// decided, what the MTA was told, and under which program and configuration.
//
// Every message that reached MAIL FROM and was answered at its end, and every
// one that the MTA gave up after its header, leaves one Record. The log line,
// metrics, the journal, explanations and reports render it and consult nothing
// else. The package does no I/O; who keeps or shows records is a Sink.
package record

import (
	"strings"
	"time"

	"alignd/evidence"
	"alignd/policy"
)

// Record is one message. It is a plain value; what it points to is not changed
// once it was handed to a Sink.
type Record struct {
	Evidence evidence.Message `cbor:"1,keyasint,omitzero"`
	Verdict  policy.Verdict   `cbor:"2,keyasint,omitempty"`
	Outcome  Outcome          `cbor:"3,keyasint,omitempty"`
	Basis    Basis            `cbor:"4,keyasint,omitzero"`
	// Cut names the sections that were shortened or left out, as the record would
	// have been longer than MaxSize. A rule that needs one of them is undecidable.
	Cut evidence.Sections `cbor:"5,keyasint,omitempty"`
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

// AuthorDomain is the Author Domain that decided, in lower case; empty where there is
// none.
func (r *Record) AuthorDomain() string {
	if d := policy.Decisive(&r.Evidence, &r.Verdict); d != nil {
		return strings.ToLower(d.AuthorDomain)
	}
	if len(r.Evidence.From.Domains) > 0 {
		return strings.ToLower(r.Evidence.From.Domains[0])
	}
	return ""
}

// Outcome is what became of the message on the side of the MTA.
type Outcome struct {
	End End `cbor:"1,keyasint,omitempty"`
	// Reply is what the MTA was told; zero where the message was let through or
	// given up.
	Reply policy.Reply `cbor:"2,keyasint,omitempty"`
	// Delivered: the MTA was told to let the message through.
	Delivered bool `cbor:"3,keyasint,omitempty"`
	// Problem says what kept the verdict from being told; empty for EndAnswered.
	Problem string `cbor:"4,keyasint,omitempty"`
	// AuthservID is the id under which results were written.
	AuthservID string `cbor:"5,keyasint,omitempty"`
	// Deleted is how many fields were deleted that claimed results or marks of ours.
	Deleted int `cbor:"6,keyasint,omitempty"`
	// Receiving is the time from MAIL FROM to the end of the body, which is the
	// sender's to spend; Checking that from there to the reply.
	Receiving time.Duration `cbor:"7,keyasint,omitempty"`
	Checking  time.Duration `cbor:"8,keyasint,omitempty"`
}

// Basis is what the verdict rests on beside the evidence.
type Basis struct {
	Program string `cbor:"1,keyasint,omitempty"` // name and version of the program
	// Config is the SHA-256 of the configuration in force, without secrets; zero
	// when it is not known.
	Config [32]byte `cbor:"2,keyasint,omitzero"`
	// Options are the verification options that shaped the evidence.
	Options Options `cbor:"3,keyasint,omitempty"`
	// Addresses says what became of local parts; AddressKey names the key of hashed
	// ones.
	Addresses  Addresses `cbor:"4,keyasint,omitempty"`
	AddressKey [4]byte   `cbor:"5,keyasint,omitzero"`
}

// Addresses says what a record has of the local parts of addresses and of login names.
type Addresses string

// What became of them. The empty Addresses means that they are there.
const (
	AddressesKept    Addresses = ""
	AddressesHashed  Addresses = "hash" // pseudonyms are in their place; see package judge
	AddressesDropped Addresses = "drop" // of an address "@" and the domain are left
)

// Options are the settings of verification that a later judgement has to know:
// evidence made under other ones may say something else. Zero is "not known".
type Options struct {
	Discovery        evidence.Discovery `cbor:"1,keyasint,omitempty"`
	PSLGuard         bool               `cbor:"2,keyasint,omitempty"`
	CompareDiscovery bool               `cbor:"3,keyasint,omitempty"`
	MaxSignatures    int                `cbor:"4,keyasint,omitempty"`
	MaxFromDomains   int                `cbor:"5,keyasint,omitempty"`
	AcceptLength     bool               `cbor:"6,keyasint,omitempty"`
	MinLengthPercent int                `cbor:"7,keyasint,omitempty"`
	// AcceptPartlySigned: a signature over some of several fields of a name counts.
	AcceptPartlySigned bool `cbor:"15,keyasint,omitempty"`
	// IgnoreWideSPF: a pass that matches about everybody is no identifier.
	IgnoreWideSPF bool           `cbor:"16,keyasint,omitempty"`
	ClockSkew     time.Duration  `cbor:"8,keyasint,omitempty"`
	SPFTimeout    time.Duration  `cbor:"9,keyasint,omitempty"`
	SPFVoids      int            `cbor:"10,keyasint,omitempty"`
	MaxQueries    int            `cbor:"11,keyasint,omitempty"`
	Timeout       time.Duration  `cbor:"12,keyasint,omitempty"`
	Needs         evidence.Needs `cbor:"13,keyasint,omitempty"`
	// LeadingSpace: the MTA handed on header values with the space after the
	// colon, so that simple signatures could be verified.
	LeadingSpace bool `cbor:"14,keyasint,omitempty"`
}

// Sink takes records. Take is called from many goroutines at once, before the
// MTA is answered; it returns soon, does not change the record, and tells
// failures itself, as mail neither waits nor fails for them. What Take returns, if
// anything, is called when the reply to the MTA was written, or could not be.
type Sink interface {
	Take(*Record) (sent func(written bool))
}

// Sinks is a Sink that hands each record on to all of its own, in order.
type Sinks []Sink

// Take implements Sink.
func (s Sinks) Take(r *Record) (sent func(written bool)) {
	var hear []func(bool)
	for _, sink := range s {
		if f := sink.Take(r); f != nil {
			hear = append(hear, f)
		}
	}
	switch len(hear) {
	case 0:
		return nil
	case 1:
		return hear[0]
	}
	return func(written bool) {
		for _, f := range hear {
			f(written)
		}
	}
}
