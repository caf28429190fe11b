package judge

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"strings"
	"sync"

	"alignd/evidence"
	"alignd/header"
)

// messageKey identifies a message over its retries: an HMAC-SHA256 with the
// site's secret over the Author Domains, From, Date, Message-ID, Subject and the
// body with what says how it is read. So what was granted to one text serves no
// other one. It holds nothing that changes from try to try or from MX host to MX
// host (client, envelope, Received), and without the secret a sender cannot choose it.
type messageKey [sha256.Size]byte

// keyFields are the fields of which the key holds all, in order.
var keyFields = [...]string{"From", "Date", "Message-ID", "Subject", "Content-Type", "Content-Transfer-Encoding"}

func (s *Settings) keyOf(ev *evidence.Message, fields *header.Fields, body [sha256.Size]byte, keys *keyMaker) messageKey {
	return keys.of(s.SamplingSecret, func(text []byte) []byte {
		text = appendPart(text, []byte(strings.Join(ev.From.Domains, ",")))
		for _, name := range keyFields {
			var one [1]int
			for _, i := range fields.AppendNamed(one[:0], name) {
				text = appendPart(text, fields.At(i).Value())
			}
			text = appendPart(text, nil)
		}
		return appendPart(text, body[:])
	})
}

// appendPart writes the length first, so that parts cannot run together.
func appendPart(text, part []byte) []byte {
	return append(binary.BigEndian.AppendUint32(text, uint32(len(part))), part...)
}

// sample is the message's place in 0-99 for pct (RFC 7489 section 6.6.4) and
// for rollout percentages.
func (k messageKey) sample() int {
	return int(binary.BigEndian.Uint64(k[:8]) % 100)
}

// DefaultSecret derives a sampling secret from the machine's id. Hosts that
// share a name in DNS need the same secret and set sampling_secret. Without an id it
// is random, the same as long as the process lives; lasting is then false.
func DefaultSecret() (secret []byte, lasting bool) {
	for _, file := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		id, err := os.ReadFile(file)
		// "uninitialized": machine-id(5), of an image that never booted.
		if text := strings.TrimSpace(string(id)); err == nil && text != "" && text != "uninitialized" {
			return hashed(id), true
		}
	}
	return randomSecret(), false
}

var randomSecret = sync.OnceValue(func() []byte {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	return secret
})

func hashed(id []byte) []byte {
	mac := hmac.New(sha256.New, []byte("alignd sampling secret"))
	mac.Write(id)
	return mac.Sum(nil)
}
