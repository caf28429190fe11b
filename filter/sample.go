package filter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"os"
	"strings"

	"alignd/evidence"
	"alignd/header"
)

// messageKey identifies a message over its retries: an HMAC-SHA256 with the
// site's secret over the Author Domains, From, Date and Message-ID. It holds
// nothing that changes from try to try or from MX host to MX host (client
// address, Received), and without the secret a sender cannot choose it.
type messageKey [sha256.Size]byte

func (s *Settings) keyOf(ev *evidence.Message, fields *header.Fields) messageKey {
	mac, _ := s.macs.Get().(hash.Hash)
	if mac == nil {
		mac = hmac.New(sha256.New, s.SamplingSecret)
	}
	defer s.macs.Put(mac)
	mac.Reset()
	part := func(p []byte) { // length first, so that parts cannot run together
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		mac.Write(n[:])
		mac.Write(p)
	}
	part([]byte(strings.Join(ev.From.Domains, ",")))
	for _, name := range []string{"From", "Date", "Message-ID"} {
		for _, i := range fields.Named(name) {
			part(fields.At(i).Value())
		}
		part(nil)
	}
	var key messageKey
	mac.Sum(key[:0])
	return key
}

// sample is the message's place in 0-99 for pct (RFC 7489 section 6.6.4) and
// for rollout percentages.
func (k messageKey) sample() int {
	return int(binary.BigEndian.Uint64(k[:8]) % 100)
}

// DefaultSecret derives a sampling secret from the machine's id. Hosts that
// share a name in DNS need the same secret and set sampling_secret.
func DefaultSecret() []byte {
	for _, file := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if id, err := os.ReadFile(file); err == nil && len(id) > 0 {
			return hashed(id)
		}
	}
	host, _ := os.Hostname() // an empty name is still a usable secret
	return hashed([]byte(host))
}

func hashed(id []byte) []byte {
	mac := hmac.New(sha256.New, []byte("alignd sampling secret"))
	mac.Write(id)
	return mac.Sum(nil)
}
