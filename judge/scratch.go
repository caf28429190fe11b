package judge

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"slices"

	"alignd/authres"
)

// Scratch is what one connection of the MTA keeps from message to message, as making
// it anew would cost each of them 2 microseconds. It changes no result, and holds no
// Settings that a reload has replaced. The zero value is empty. One goroutine uses it.
type Scratch struct {
	own  ownIDs
	keys keyMaker
}

// ownIDs are the ids of ours, and what they were made of.
type ownIDs struct {
	made        bool
	mta, servID string
	further     []string
	compared    []string
	nameOnly    bool
	ids         authres.Own
}

// of returns s.own(mta).
func (o *ownIDs) of(s *Settings, mta string) authres.Own {
	same := o.made && o.mta == mta && o.servID == s.AuthservID && o.nameOnly == s.OwnNameOnly &&
		slices.Equal(o.further, s.OwnIDs) && slices.Equal(o.compared, s.CompareWith)
	if !same {
		*o = ownIDs{made: true, mta: mta, servID: s.AuthservID, further: s.OwnIDs, compared: s.CompareWith, nameOnly: s.OwnNameOnly, ids: s.own(mta)}
	}
	return o.ids
}

// keyMaker makes keys with one secret after the other.
type keyMaker struct {
	secret    []byte
	mac       hash.Hash // nil before the first key
	text, sum []byte
}

// maxText is how much room for the text of a key stays in memory, in octets.
const maxText = 4 << 10

// of is the HMAC with secret of what write appends.
func (m *keyMaker) of(secret []byte, write func(text []byte) []byte) messageKey {
	if m.mac == nil || !bytes.Equal(m.secret, secret) {
		m.secret, m.mac = secret, hmac.New(sha256.New, secret)
	}
	text := write(m.text[:0])
	m.mac.Reset()
	m.mac.Write(text)
	m.sum = m.mac.Sum(m.sum[:0])
	if m.text = text; cap(text) > maxText { // a long header
		m.text = nil
	}
	return messageKey(m.sum)
}
