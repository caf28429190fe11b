package dkim

import "strings"

// The limits on keys, for who tells of them.
const (
	MaxKeys    = maxKeys
	MinRSABits = minRSABits
	MaxRSABits = maxRSABits
)

// KeyRecord is a key record as a verifier reads it, for who looks at a key without
// a message (RFC 6376 section 3.6.1).
type KeyRecord struct {
	// Fault says why the text is no key record; the rest is empty then.
	Fault string
	// Problem says why the record serves no signature; empty when it does.
	Problem string
	Type    string // k=, "rsa" by default
	Bits    int    // of the key; 0 where it could not be read
	SHA256  bool   // h= allows it
	Email   bool   // s= allows it
	Testing bool   // t=y
	Strict  bool   // t=s
	Tags    []KeyTag
}

// KeyTag is one tag as published.
type KeyTag struct{ Name, Value string }

// ReadKey reads a text at the name of a key as a verifier does.
func ReadKey(txt string) KeyRecord {
	k, fault := parseKey([]byte(txt))
	if fault != "" {
		if !looksLikeKey(txt) {
			fault = "it is no key record: " + fault
		}
		return KeyRecord{Fault: fault}
	}
	out := KeyRecord{Type: "rsa", Bits: k.bits, SHA256: k.hashes, Email: k.email, Testing: k.testing, Strict: k.strictID}
	if k.problem != nil {
		out.Problem = k.problem.Reason
	}
	tags, _ := parseTags(withoutBreaks([]byte(txt)), tolerant)
	for _, t := range tags {
		if t.name == "k" {
			out.Type = strings.ToLower(string(t.value))
		}
		out.Tags = append(out.Tags, KeyTag{t.name, string(t.value)})
	}
	return out
}
