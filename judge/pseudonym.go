package judge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"regexp"
	"strings"
)

// Pseudonyms stand for local parts in what is kept: the same one for the same mailbox,
// and nobody without the key can tell which. They are safe for concurrent use.
//
// A pseudonym is "~" and 16 characters, the first 80 bits of an HMAC-SHA256 over local
// part and domain in lower case. Delimiters of extensions stay, and what they divide
// has pseudonyms of its own, as "ceo+news" is to be found as "ceo".
type Pseudonyms struct {
	key   []byte
	split string
	id    [4]byte
}

// delimitersHidden are the characters that divide local parts whatever the
// configuration says, so that another recipient_delimiter can be tried later. A dot
// divides only where it is one: first names that recur would tell much.
const delimitersHidden = "+-_=#"

// NewPseudonyms makes them with a secret key, for a site whose recipient_delimiter is
// delimiters.
func NewPseudonyms(key []byte, delimiters string) *Pseudonyms {
	p := &Pseudonyms{key: key, split: delimitersHidden}
	if strings.Contains(delimiters, ".") {
		p.split += "."
	}
	p.id = [4]byte(p.sum("id", p.split))
	return p
}

// ID names the key, and reveals nothing of it.
func (p *Pseudonyms) ID() [4]byte { return p.id }

func (p *Pseudonyms) sum(kind, text string) []byte {
	h := hmac.New(sha256.New, p.key)
	h.Write([]byte(kind + "\x00" + text))
	return h.Sum(nil)
}

var pseudonymText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// isPseudonym is the form of what Local gives.
var isPseudonym = regexp.MustCompile(`^"?[-+_=#.]*~[a-z2-7]{16}([-+_=#.]+(~[a-z2-7]{16})?)*"?$`)

// Local is the pseudonym of a local part at a domain. That of a pseudonym is itself.
func (p *Pseudonyms) Local(local, domain string) string {
	if isPseudonym.MatchString(local) {
		return local
	}
	local, domain = strings.ToLower(local), strings.ToLower(strings.TrimSuffix(domain, "."))
	quote := ""
	if len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"' { // RFC 5321 section 4.1.2
		quote, local = `"`, quotedPair.ReplaceAllString(local[1:len(local)-1], "$1")
	}
	var b strings.Builder
	b.WriteString(quote)
	for {
		n := strings.IndexAny(local, p.split)
		piece := local
		if n >= 0 {
			piece = local[:n]
		}
		if piece != "" {
			b.WriteByte('~')
			b.WriteString(pseudonymText.EncodeToString(p.sum("local", piece+"\x00"+domain)[:10]))
		}
		if n < 0 {
			break
		}
		b.WriteByte(local[n])
		local = local[n+1:]
	}
	return b.String() + quote
}

var quotedPair = regexp.MustCompile(`\\(.)`)

// MessageID is id as private records have it if it names a mailbox.
func (p *Pseudonyms) MessageID(id string) string {
	left, right, ok := strings.Cut(id, "@")
	if !ok {
		return id
	}
	open := ""
	if strings.HasPrefix(left, "<") {
		open, left = "<", left[1:]
	}
	return open + p.Local(left, strings.TrimSuffix(right, ">")) + "@" + right
}

// namesHost reports whether what stands behind the "@" is no domain name: a mailbox of
// this host then, whose domain is not said.
func namesHost(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || domain[0] == '[' {
		return true
	}
	_, err := netip.ParseAddr(domain)
	return err == nil
}
