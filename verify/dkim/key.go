package dkim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"

	"alignd/evidence"
	"alignd/resolver"
	"alignd/verify/internal/rsaverify"

	"github.com/miekg/dns"
)

// Limits on keys.
const (
	// maxKeys is how many usable key records of one name are tried, as long as
	// their sizes add up to maxBitsTried at most. Ours.
	maxKeys = 4
	// minRSABits is below which a signature is refused though it verified. RFC 8301
	// section 3.2.
	minRSABits = 1024
	// maxRSABits is above which a key is refused before any arithmetic, which
	// takes as long as the square of the size. RFC 8301 section 3.2 asks
	// verifiers for keys of 1024 to 4096 bits.
	maxRSABits = 4096
	// commonExponent is what signers use. The arithmetic takes as long as the
	// exponent has bits, so that a larger one is refused above
	// maxBitsRareExponent. Ours.
	commonExponent      = 65537
	maxBitsRareExponent = 2048
	// maxBitsTried is how many bits the RSA keys tried for one signature have
	// together. Ours.
	maxBitsTried = 8192
)

// key is one key record (RFC 6376 section 3.6.1).
type key struct {
	problem *Problem // why the record serves no signature; nil when it does

	public  *rsa.PublicKey
	prepare sync.Once      // makes rsa of public when it is first needed
	rsa     *rsaverify.Key // nil if it cannot be made
	ed25519 ed25519.PublicKey
	bits    int

	hashes   bool              // h= lists sha256, or is absent
	email    bool              // s= lists * or email, or is absent
	testing  bool              // t=y
	strictID bool              // t=s: the domain of i= must equal d=
	hash     [sha256.Size]byte // of the record's text
}

type keysMemo struct{}

// records is what the TXT records of one name hold.
type records struct {
	keys []*key // usable ones first
	// fault says what is wrong with the record that looks most like a key where
	// none could be read; empty when none looks like one.
	fault string
}

// parseKeys parses the TXT records of an answer, until there are maxKeys usable
// ones; those that are no tag list or say another version are no key records at
// all. Records that are but cannot be used come last.
func parseKeys(a *resolver.Answer) records {
	var usable, broken []*key
	var fault string
	for _, txt := range a.TXT {
		if len(usable) == maxKeys {
			break
		}
		switch k, why := parseKey([]byte(txt)); {
		case why != "":
			if fault == "" && looksLikeKey(txt) {
				fault = why
			}
		case k.problem != nil:
			broken = append(broken, k)
		default:
			usable = append(usable, k)
		}
	}
	keys := append(usable, broken...)
	return records{slices.Clone(keys[:min(len(keys), maxKeys)]), fault} // the rest need not stay in memory
}

// looksLikeKey reports whether a record that cannot be read was meant as a key.
func looksLikeKey(txt string) bool {
	return strings.Contains(txt, "p=") || strings.Contains(strings.ToLower(txt), "v=dkim")
}

// parseKey parses one key record, or says why txt is none: not a tag list, or
// another version. Some things are taken that most verifiers take, as the key is the
// same: v= that is not the first tag, where RFC 6376 section 3.6.1 wants it first; an
// empty h=, as if it were absent; CR and LF, which are no folding in DNS (section
// 2.8), as white space; and what tolerant and stripQuoting say.
func parseKey(txt []byte) (k *key, fault string) {
	tags, err := parseTags(withoutBreaks(txt), tolerant)
	if err != nil {
		return nil, err.Error()
	}
	if v, ok := tags.get("v"); ok && string(v.value) != "DKIM1" {
		return nil, "version is not DKIM1"
	}
	k = &key{hashes: true, email: true, hash: sha256.Sum256(txt)}
	if h, ok := tags.get("h"); ok && len(h.value) > 0 {
		k.hashes = listed(h.value, "sha256")
	}
	if s, ok := tags.get("s"); ok {
		k.email = listed(s.value, "*", "email")
	}
	if t, ok := tags.get("t"); ok {
		k.testing, k.strictID = listed(t.value, "y"), listed(t.value, "s")
	}
	k.problem = k.readPublic(tags)
	return k, ""
}

// readPublic reads p= by k=.
func (k *key) readPublic(tags tagList) *Problem {
	p, ok := tags.get("p")
	if !ok {
		return badKey("key record has no p= tag")
	}
	if len(p.value) == 0 {
		return badKey("key is revoked")
	}
	raw, ok := decodeBase64(stripQuoting(stripFWS(p.value)))
	if !ok {
		return badKey("key is not base64")
	}
	typ := "rsa"
	if t, ok := tags.get("k"); ok {
		typ = keyword(t.value, "rsa", "ed25519")
	}
	switch typ {
	case "rsa":
		return k.readRSA(raw)
	case "ed25519":
		return k.readEd25519(raw)
	}
	return badKey("unknown key type")
}

// stripQuoting leaves out what zone files quote strings with, where it became part
// of the record. RFC 6376 section 2.10 has none of it in base64.
func stripQuoting(text []byte) []byte {
	if !bytes.ContainsAny(text, `"\\`) {
		return text
	}
	return bytes.Map(func(r rune) rune {
		if r == '"' || r == '\\' {
			return -1
		}
		return r
	}, text)
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

// readEd25519 takes the bare 32 octets (RFC 8463 section 4).
func (k *key) readEd25519(raw []byte) *Problem {
	if len(raw) != ed25519.PublicKeySize {
		return badKey("key is not an Ed25519 key")
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
		return badKey("key type does not match a=")
	case !k.hashes:
		return badKey("key does not allow sha256")
	case !k.email:
		return badKey("key is not for email")
	case k.strictID && p.strictIdentity:
		return badKey("key does not allow i= below d=")
	}
	return nil
}

// verify reports whether signature is this key's over a header hash: RSASSA-PKCS1-v1_5
// (RFC 8017 section 8.2.2) or Ed25519 (RFC 8463 section 3).
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
	cnames  []string // see Outcome
}

// fetchKeys asks for the keys of p, which parse accepted.
func fetchKeys(ctx context.Context, lk resolver.Lookuper, p *Params) Keys {
	a, err := lk.Lookup(ctx, p.keyName, dns.TypeTXT)
	switch {
	case err == nil:
	case resolver.Temporary(err):
		return Keys{problem: &Problem{evidence.TempError, "key look-up failed temporarily", evidence.FailedDNS}}
	case errors.Is(err, resolver.ErrBudget):
		return Keys{problem: &Problem{evidence.PermError, "key not asked for: query budget of the message is spent", evidence.FailedDNS}}
	case errors.Is(err, resolver.ErrName):
		return Keys{problem: badKey("selector and domain make no DNS name")}
	default:
		return Keys{problem: &Problem{evidence.TempError, "key look-up failed", evidence.FailedDNS}}
	}
	if len(a.TXT) == 0 {
		return Keys{problem: badKey("no key"), cnames: a.CNAMEs}
	}
	found := resolver.Memo(a, keysMemo{}, parseKeys)
	switch {
	case len(found.keys) > 0:
		return Keys{keys: found.keys, cnames: a.CNAMEs}
	case found.fault != "": // RFC 6376 section 6.1.2 step 5: key syntax error
		return Keys{problem: badKey("key record unreadable: " + found.fault), cnames: a.CNAMEs}
	}
	return Keys{problem: badKey("no key record among the TXT records"), cnames: a.CNAMEs}
}

// Outcome is what the header signature and its key say, before the body.
type Outcome struct {
	Verified bool     // the signature over the header is right
	Problem  *Problem // why nothing was computed; then Verified is false
	KeyBits  int
	Testing  bool // t=y
	// KeyHash is the SHA-256 of the key record's text; zero without one.
	KeyHash [sha256.Size]byte
	CNAMEs  []string // names that aliases led to from the key's name, in order
}

// Verify tries the keys until one verifies digest, the header hash of p.
// digest is only called when some key fits, and no more is computed than work
// allows.
func (ks Keys) Verify(p *Params, digest func() *[sha256.Size]byte, work *Work) Outcome {
	if ks.problem != nil {
		return Outcome{Problem: ks.problem, CNAMEs: ks.cnames}
	}
	var sum *[sha256.Size]byte
	var out Outcome
	bits := 0
	for _, k := range ks.keys {
		if bad := k.fits(p); bad != nil {
			if sum == nil && out.Problem == nil {
				out = ks.outcome(k, bad, false)
			}
			continue
		}
		if bits += k.bits; bits > maxBitsTried {
			break
		}
		first := sum == nil
		if !work.take(k) {
			if first {
				out = ks.outcome(k, barredKey("too much arithmetic for one message"), false)
			}
			break
		}
		if first {
			sum = digest()
		}
		verified := k.verify(sum, p.signature)
		if first || verified {
			out = ks.outcome(k, nil, verified)
		}
		if verified {
			break
		}
	}
	return out
}

func (ks *Keys) outcome(k *key, bad *Problem, verified bool) Outcome {
	return Outcome{Verified: verified, Problem: bad, KeyBits: k.bits, Testing: k.testing, KeyHash: k.hash, CNAMEs: ks.cnames}
}

// weak reports whether the key was an RSA key that may not count.
func (o Outcome) weak(p *Params) bool { return !p.ed25519 && o.KeyBits < minRSABits }
