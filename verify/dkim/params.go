package dkim

import (
	"bytes"
	"strings"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/header"
)

// Kind is the kind of signature field.
type Kind uint8

// The kinds. The ARC ones are DKIM-Signature with the changes of RFC 8617
// sections 4.1.2 and 4.1.3.
const (
	Signature        Kind = iota // DKIM-Signature
	MessageSignature             // ARC-Message-Signature: i= is the instance, v= unknown
	Seal                         // ARC-Seal: no body, no h=, has cv=
)

// Params is one signature field, parsed. It keeps slices of the field.
type Params struct {
	Kind  Kind
	Field header.Field

	Domain    string // SDID, normalized; as received when unusable
	Selector  string // as received, but U-labels as A-labels (RFC 8616 section 5)
	Identity  string // AUID, decoded; Signature only
	Algorithm string // lower case
	B         string // without white space
	Signed    time.Time
	Expires   time.Time

	HeaderRelaxed, BodyRelaxed bool
	DefaultCanon               bool     // c= is absent
	Names                      []string // h=, lower case
	Length                     int64    // l=, or -1

	Instance int    // ARC: i=; 0 when absent or unusable
	CV       string // Seal: cv=, lower case

	keyName        string // DNS name of the key
	ed25519        bool
	strictIdentity bool // i= is below d=, not equal (matters to t=s)
	signature      []byte
	bodyHash       []byte
	blank          [2]int // the value of b= as offsets into Field.Raw
}

// algorithms that verify here. rsa-sha1 is known and refused (RFC 8301
// section 3.1).
const (
	rsaSHA256     = "rsa-sha256"
	ed25519SHA256 = "ed25519-sha256" // RFC 8463 section 3
	rsaSHA1       = "rsa-sha1"
)

// parse reads a signature field and makes the checks that need neither DNS nor
// clock. Params is filled as far as the field could be read, also when there
// is a Problem. Steps are those of RFC 6376 section 6.1.1.
func parse(kind Kind, f header.Field) (*Params, *Problem) {
	p := &Params{Kind: kind, Field: f, Length: -1}
	how := strict
	if kind == Signature {
		how = tolerant
	}
	tags, err := parseTags(f.Value(), how)
	// Every tag is read, so that evidence names the signature; the first
	// problem in the order of this list is the one reported.
	var first *Problem
	if err != nil {
		first = malformed("malformed tag list: " + err.Error())
	}
	for _, read := range [...]func(*Params, tagList) *Problem{
		(*Params).readVersion,
		(*Params).readInstance,
		(*Params).readDomain,
		(*Params).readSelector,
		(*Params).readB,
		(*Params).readAlgorithm,
		(*Params).readHeaderNames,
		(*Params).readBodyHash,
		(*Params).readCanonicalization,
		(*Params).readIdentity,
		(*Params).readTimes,
		(*Params).readLength,
		(*Params).readQuery,
		(*Params).readCV,
	} {
		if bad := read(p, tags); bad != nil && first == nil {
			first = bad
		}
	}
	return p, first
}

func (p *Params) readVersion(tags tagList) *Problem {
	if p.Kind != Signature {
		return nil // RFC 8617 section 4.1.2: not defined, so ignored
	}
	v, ok := tags.get("v")
	switch {
	case !ok:
		return unacceptable("required tag v= is missing")
	case string(v.value) != "1":
		return unacceptable("version is not 1")
	}
	return nil
}

// readInstance reads i= of ARC fields: 1*2DIGIT, from 1 to 50 (RFC 8617
// section 4.2.1).
func (p *Params) readInstance(tags tagList) *Problem {
	if p.Kind == Signature {
		return nil
	}
	i, ok := tags.get("i")
	if !ok {
		return unacceptable("required tag i= is missing")
	}
	if p.Instance = parseInstance(i.value); p.Instance == 0 {
		return malformed("instance is not a number from 1 to 50")
	}
	return nil
}

// MaxInstance is the highest instance of an ARC Set. RFC 8617 section 4.2.1.
const MaxInstance = 50

// parseInstance reads the value of an ARC instance tag; 0 when it is none.
func parseInstance(value []byte) int {
	if len(value) == 0 || len(value) > 2 {
		return 0
	}
	n := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	if n > MaxInstance {
		return 0
	}
	return n
}

// readDomain reads d=: domain-name, at least two labels (RFC 6376 section
// 3.5), U-labels allowed (RFC 8616 section 5).
func (p *Params) readDomain(tags tagList) *Problem {
	d, ok := tags.get("d")
	if !ok {
		return unacceptable("required tag d= is missing")
	}
	p.Domain = string(d.value)
	name, err := domain.Normalize(p.Domain)
	if err != nil || strings.HasSuffix(p.Domain, ".") {
		return malformed("d= is not a domain name")
	}
	p.Domain = name
	if !strings.Contains(name, ".") {
		return malformed("d= is a single label")
	}
	return nil
}

func (p *Params) readSelector(tags tagList) *Problem {
	s, ok := tags.get("s")
	if !ok {
		return unacceptable("required tag s= is missing")
	}
	p.Selector = string(s.value)
	name, err := domain.Normalize(p.Selector)
	if err != nil || strings.HasSuffix(p.Selector, ".") {
		return malformed("s= is not a selector")
	}
	if strings.ContainsFunc(p.Selector, func(r rune) bool { return r >= 0x80 }) {
		p.Selector = name
	}
	p.keyName = name + "._domainkey." + p.Domain
	return nil
}

func (p *Params) readB(tags tagList) *Problem {
	b, ok := tags.get("b")
	if !ok {
		return unacceptable("required tag b= is missing")
	}
	base := len(p.Field.Raw) - len(p.Field.Value())
	p.blank = [2]int{base + b.start, base + b.end}
	text := stripFWS(b.value)
	p.B = string(text)
	if p.signature, ok = decodeBase64(text); !ok {
		return malformed("b= is not base64")
	}
	return nil
}

func (p *Params) readAlgorithm(tags tagList) *Problem {
	a, ok := tags.get("a")
	if !ok {
		return unacceptable("required tag a= is missing")
	}
	switch p.Algorithm = keyword(a.value, rsaSHA256, ed25519SHA256, rsaSHA1); p.Algorithm {
	case rsaSHA256:
	case ed25519SHA256:
		p.ed25519 = true
	case rsaSHA1:
		return unacceptable("rsa-sha1 is not accepted")
	default:
		p.Algorithm = strings.ToLower(string(a.value))
		return unacceptable("unknown algorithm")
	}
	return nil
}

// readHeaderNames reads h=: hdr-name *( [FWS] ":" [FWS] hdr-name ). Empty names are
// stepped over (RFC 6376 section 3.5 has none): all verifiers do, and the signature
// covers no less for it.
func (p *Params) readHeaderNames(tags tagList) *Problem {
	h, ok := tags.get("h")
	if p.Kind == Seal {
		if ok {
			return unacceptable("a seal has no h= tag") // RFC 8617 section 4.1.3
		}
		return nil
	}
	if !ok {
		return unacceptable("required tag h= is missing")
	}
	names, ok := splitNames(h.value)
	if !ok {
		return malformed("h= is not a list of field names")
	}
	p.Names = names
	for _, n := range names {
		if n == "from" {
			return nil
		}
	}
	return &Problem{evidence.PermError, "From is not signed", evidence.FailedCoverage} // RFC 6376 section 5.4
}

func (p *Params) readBodyHash(tags tagList) *Problem {
	if p.Kind == Seal {
		return nil
	}
	bh, ok := tags.get("bh")
	if !ok {
		return unacceptable("required tag bh= is missing")
	}
	if p.bodyHash, ok = decodeBase64(stripFWS(bh.value)); !ok {
		return malformed("bh= is not base64")
	}
	return nil
}

// readCanonicalization reads c=: header ["/" body]. Both default to simple;
// a seal is always relaxed (RFC 8617 section 5.1.1). In a DKIM-Signature an empty c=
// is as if absent, and white space may stand around the "/", as most verifiers
// read it.
func (p *Params) readCanonicalization(tags tagList) *Problem {
	if p.Kind == Seal {
		p.HeaderRelaxed = true
		return nil
	}
	c, ok := tags.get("c")
	if !ok || p.vacant(c) {
		p.DefaultCanon = true
		return nil
	}
	head, body, both := bytes.Cut(c.value, []byte("/"))
	if p.Kind == Signature {
		head, body = trimFWS(head), trimFWS(body)
	}
	switch keyword(head, "simple", "relaxed") {
	case "simple":
	case "relaxed":
		p.HeaderRelaxed = true
	default:
		return unacceptable("unknown header canonicalization")
	}
	if !both {
		return nil
	}
	switch keyword(body, "simple", "relaxed") {
	case "simple":
	case "relaxed":
		p.BodyRelaxed = true
	default:
		return unacceptable("unknown body canonicalization")
	}
	return nil
}

// readIdentity reads i=: [ Local-part ] "@" domain-name in
// dkim-quoted-printable; the domain is d= or below it. Labels in front of d= that no
// domain name has are taken, as by all verifiers: nobody looks them up.
func (p *Params) readIdentity(tags tagList) *Problem {
	if p.Kind != Signature {
		return nil
	}
	i, ok := tags.get("i")
	if !ok {
		if p.Domain != "" {
			p.Identity = "@" + p.Domain
		}
		return nil
	}
	p.Identity = string(i.value)
	decoded := decodeQP(i.value)
	p.Identity = string(decoded)
	at := bytes.LastIndexByte(decoded, '@')
	if at < 0 {
		return malformed("i= has no @")
	}
	host := string(decoded[at+1:])
	name, err := domain.Normalize(host)
	switch {
	case strings.HasSuffix(host, "."):
		return malformed("i= has no domain name")
	case err != nil && domain.IsBelow(strings.ToLower(host), p.Domain):
		name = "." + p.Domain
	case err != nil:
		return malformed("i= has no domain name")
	}
	if name == p.Domain {
		return nil
	}
	if !domain.IsBelow(name, p.Domain) {
		return unacceptable("i= is outside d=")
	}
	p.strictIdentity = true
	return nil
}

// readLength reads l=: 1*76DIGIT. What does not fit 63 bits is longer than any
// body.
func (p *Params) readLength(tags tagList) *Problem {
	if p.Kind == Seal {
		return nil
	}
	l, ok := tags.get("l")
	if !ok || p.vacant(l) {
		return nil
	}
	n, ok := parseNumber(l.value)
	if !ok || len(l.value) > 76 {
		return malformed("l= is not a number")
	}
	p.Length = n
	return nil
}

// readQuery reads q=: a colon-separated list that must offer dns/txt.
func (p *Params) readQuery(tags tagList) *Problem {
	q, ok := tags.get("q")
	if !ok || p.Kind == Seal {
		return nil
	}
	for _, method := range bytes.Split(q.value, []byte(":")) {
		if keyword(trimFWS(method), "dns/txt") != "" {
			return nil
		}
	}
	return unacceptable("unknown query method")
}

// readCV reads cv= of a seal (RFC 8617 section 4.1.3).
func (p *Params) readCV(tags tagList) *Problem {
	if p.Kind != Seal {
		return nil
	}
	cv, ok := tags.get("cv")
	if !ok {
		return unacceptable("required tag cv= is missing")
	}
	if p.CV = keyword(cv.value, "none", "pass", "fail"); p.CV == "" {
		p.CV = string(cv.value)
		return malformed("cv= is not none, pass or fail")
	}
	return nil
}
