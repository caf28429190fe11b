package dkim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"sync"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/internal/rsaverify"

	"github.com/miekg/dns"
)

// Limits on keys.
const (
	// MaxKeys is how many usable key records of one name are tried, as long as
	// their sizes add up to MaxRSABits at most. Ours.
	MaxKeys = 4
	// MinRSABits is below which a signature is refused though it verified.
	// RFC 8301 section 3.2.
	MinRSABits = 1024
	// MaxRSABits is above which a key is refused before any arithmetic. Ours;
	// RFC 8301 section 3.2 asks verifiers for 1024 to 4096.
	MaxRSABits = 8192
)

// key is one key record (RFC 6376 section 3.6.1).
type key struct {
	problem *Problem // why the record serves no signature; nil when it does

	public  *rsa.PublicKey
	prepare sync.Once      // makes rsa of public when it is first needed
	rsa     *rsaverify.Key // nil if it cannot be made
	ed25519 ed25519.PublicKey
	bits    int

	hashes   bool // h= lists sha256, or is absent
	email    bool // s= lists * or email, or is absent
	testing  bool // t=y
	strictID bool // t=s: the domain of i= must equal d=
}

type keysMemo struct{}

// parseKeys parses the TXT records of an answer, until there are MaxKeys usable
// ones; those that are no tag list or say another version are no key records at
// all. Records that are but cannot be used come last.
func parseKeys(a *resolver.Answer) []*key {
	var usable, broken []*key
	for _, txt := range a.TXT {
		if len(usable) == MaxKeys {
			break
		}
		switch k, ok := parseKey([]byte(txt)); {
		case !ok:
		case k.problem != nil:
			broken = append(broken, k)
		default:
			usable = append(usable, k)
		}
	}
	keys := append(usable, broken...)
	return slices.Clone(keys[:min(len(keys), MaxKeys)]) // the rest need not stay in memory
}

// parseKey parses one key record. It is false when txt is none: not a tag
// list, another version, or v= not first.
func parseKey(txt []byte) (*key, bool) {
	tags, err := parseTags(txt)
	if err != nil {
		return nil, false
	}
	if v, ok := tags.get("v"); ok && (tags[0].name != "v" || string(v.value) != "DKIM1") {
		return nil, false
	}
	k := &key{hashes: true, email: true}
	if h, ok := tags.get("h"); ok {
		k.hashes = listed(h.value, "sha256")
	}
	if s, ok := tags.get("s"); ok {
		k.email = listed(s.value, "*", "email")
	}
	if t, ok := tags.get("t"); ok {
		k.testing, k.strictID = listed(t.value, "y"), listed(t.value, "s")
	}
	p, ok := tags.get("p")
	if !ok {
		k.problem = unacceptable("key record has no p= tag")
		return k, true
	}
	if len(p.value) == 0 {
		k.problem = unacceptable("key is revoked")
		return k, true
	}
	raw, ok := decodeBase64(stripFWS(p.value))
	if !ok {
		k.problem = unacceptable("key is not base64")
		return k, true
	}
	typ := "rsa"
	if t, ok := tags.get("k"); ok {
		typ = keyword(t.value, "rsa", "ed25519")
	}
	switch typ {
	case "rsa":
		k.problem = k.readRSA(raw)
	case "ed25519":
		k.problem = k.readEd25519(raw)
	default:
		k.problem = unacceptable("unknown key type")
	}
	return k, true
}

// listed reports whether a colon-separated list holds one of the words.
func listed(list []byte, words ...string) bool {
	for item := range bytes.SplitSeq(list, []byte(":")) {
		if keyword(trimFWS(item), words...) != "" {
			return true
		}
	}
	return false
}

// readRSA takes a SubjectPublicKeyInfo, which everybody publishes, or an
// RSAPublicKey, which RFC 6376 section 3.6.1 asks for.
func (k *key) readRSA(der []byte) *Problem {
	var pub *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(der); err == nil {
		var ok bool
		if pub, ok = any.(*rsa.PublicKey); !ok {
			return unacceptable("key is not an RSA key")
		}
	} else if pub, err = x509.ParsePKCS1PublicKey(der); err != nil {
		return unacceptable("key is not an RSA key")
	}
	if pub.N.Sign() <= 0 || pub.N.BitLen() < 2 || pub.N.Bit(0) == 0 || pub.E < 3 || pub.E&1 == 0 || pub.E > 1<<31-1 {
		return unacceptable("key is not an RSA key")
	}
	if k.bits = pub.N.BitLen(); k.bits > MaxRSABits {
		return unacceptable("RSA key above 8192 bits")
	}
	k.public = pub
	return nil
}

// readEd25519 takes the bare 32 octets (RFC 8463 section 4).
func (k *key) readEd25519(raw []byte) *Problem {
	if len(raw) != ed25519.PublicKeySize {
		return unacceptable("key is not an Ed25519 key")
	}
	k.ed25519, k.bits = raw, 8*len(raw)
	return nil
}

// fits says why a usable key may not serve this signature, or nil (RFC 6376
// section 6.1.2).
func (k *key) fits(p *Params) *Problem {
	switch {
	case k.problem != nil:
		return k.problem
	case p.ed25519 != (k.ed25519 != nil):
		return unacceptable("key type does not match a=")
	case !k.hashes:
		return unacceptable("key does not allow sha256")
	case !k.email:
		return unacceptable("key is not for email")
	case k.strictID && p.strictIdentity:
		return unacceptable("key does not allow i= below d=")
	}
	return nil
}

// verify reports whether signature is this key's over a header hash.
func (k *key) verify(digest *[sha256.Size]byte, signature []byte) bool {
	if k.ed25519 != nil {
		return ed25519.Verify(k.ed25519, digest[:], signature)
	}
	k.prepare.Do(func() { k.rsa, _ = rsaverify.New(k.public) })
	return k.rsa != nil && k.rsa.Verify(digest, signature)
}

// Keys is the answer for one key name.
type Keys struct {
	keys    []*key
	problem *Problem
}

// FetchKeys asks for the keys of p, which Parse accepted.
func FetchKeys(ctx context.Context, lk resolver.Lookuper, p *Params) Keys {
	a, err := lk.Lookup(ctx, p.keyName, dns.TypeTXT)
	switch {
	case err == nil:
	case resolver.Temporary(err):
		return Keys{problem: &Problem{evidence.TempError, "key look-up failed temporarily"}}
	case errors.Is(err, resolver.ErrBudget):
		return Keys{problem: unacceptable("key not asked for: query budget of the message is spent")}
	case errors.Is(err, resolver.ErrName):
		return Keys{problem: unacceptable("selector and domain make no DNS name")}
	default:
		return Keys{problem: &Problem{evidence.TempError, "key look-up failed"}}
	}
	if len(a.TXT) == 0 {
		return Keys{problem: unacceptable("no key")}
	}
	keys := resolver.Memo(a, keysMemo{}, parseKeys)
	if len(keys) == 0 {
		return Keys{problem: unacceptable("no key record among the TXT records")}
	}
	return Keys{keys: keys}
}

// Outcome is what the header signature and its key say, before the body.
type Outcome struct {
	Verified bool     // the signature over the header is right
	Problem  *Problem // why nothing was computed; then Verified is false
	KeyBits  int
	Testing  bool // t=y
}

// Verify tries the keys until one verifies digest, the header hash of p.
// digest is only called when some key fits.
func (ks Keys) Verify(p *Params, digest func() *[sha256.Size]byte) Outcome {
	if ks.problem != nil {
		return Outcome{Problem: ks.problem}
	}
	var sum *[sha256.Size]byte
	var out Outcome
	bits := 0
	for _, k := range ks.keys {
		if bad := k.fits(p); bad != nil {
			if sum == nil && out.Problem == nil {
				out = Outcome{Problem: bad, KeyBits: k.bits, Testing: k.testing}
			}
			continue
		}
		if bits += k.bits; bits > MaxRSABits {
			break
		}
		first := sum == nil
		if first {
			sum = digest()
		}
		verified := k.verify(sum, p.signature)
		if first || verified {
			out = Outcome{Verified: verified, KeyBits: k.bits, Testing: k.testing}
		}
		if verified {
			break
		}
	}
	return out
}

// weak reports whether the key was an RSA key that may not count.
func (o Outcome) weak(p *Params) bool { return !p.ed25519 && o.KeyBits < MinRSABits }
