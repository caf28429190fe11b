package policy

// value is one value that a message has for a condition. What it is says which
// patterns it matches.
type value struct {
	is   valueKind
	text string

	org        string // of an Author Domain; "" where it is not known
	delimiters string // end the local part of a recipient (Spec.ExtensionDelimiters)
}

// valueKind says what a value is.
type valueKind uint8

const (
	nothing           valueKind = iota // matches no pattern
	aDomain                            // that authenticated the message, or the client
	anAuthor                           // an Author Domain
	aStrictAuthor                      // the same; see strictAuthorKeys
	anAddress                          // of the envelope
	aBlockedRecipient                  // the same for a Block entry; see hostKeys
	aList                              // a List-Id
	aWord                              // compared as it is
)

// each yields the patterns that a value matches.
func (v value) each(yield func(pattern) bool) {
	switch v.is {
	case aDomain:
		domainKeys(v.text)(yield)
	case anAuthor:
		authorKeys(v.text, v.org)(yield)
	case aStrictAuthor:
		strictAuthorKeys(v.text, v.org)(yield)
	case anAddress:
		addressKeys(v.text, v.delimiters)(yield)
	case aBlockedRecipient:
		_ = yieldAll(addressKeys(v.text, v.delimiters), yield) && yieldAll(hostKeys(v.text, v.delimiters), yield)
	case aList:
		listKeys(v.text)(yield)
	case aWord:
		yield(pattern{exactDomain, v.text})
	}
}

// has reports whether a value matches one of the patterns.
func (s set) has(v value) bool {
	for p := range v.each {
		if _, ok := s[p]; ok && p.kind != someLocal {
			return true
		}
	}
	return false
}

// lost is the fact that is missing where a value might match one of the patterns, but
// for its local part that was not kept.
func (s set) lost(v value) facts {
	if v.is != anAddress && v.is != aBlockedRecipient || !dropped(v.text) {
		return noFacts
	}
	for p := range v.each {
		if _, ok := s[p]; ok && p.kind == someLocal {
			return noLocalParts
		}
	}
	return noFacts
}
