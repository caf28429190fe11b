package lint

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"alignd/resolver"
	"alignd/verify/dkim"
)

// DKIM is what stands at the name of a key: SELECTOR._domainkey.DOMAIN.
type DKIM struct {
	Name     string `json:"name"`
	Answered bool   `json:"answered"`
	// CNAMEs are the names that aliases led to, in order; the last one holds the key.
	CNAMEs []string  `json:"cnames"`
	Keys   []DKIMKey `json:"keys"`
	findings
}

// DKIMKey is one TXT record there.
type DKIMKey struct {
	Record  string    `json:"record"`
	Usable  bool      `json:"usable"` // it can verify signatures of mail
	Problem string    `json:"problem"`
	Type    string    `json:"type"`
	Bits    int       `json:"bits"`
	Testing bool      `json:"testing"`
	Strict  bool      `json:"strict"`
	Tags    []DKIMTag `json:"tags"`
}

// DKIMTag is a tag as published.
type DKIMTag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// The rules that keys break, in the standards' words.
var (
	keySyntax = rule{"RFC 6376 section 6.1.2",
		`If the result returned from the query does not adhere to the format defined in this specification, the Verifier MUST ignore the key record and return PERMFAIL (key syntax error).`}
	noKey       = rule{"RFC 6376 section 6.1.2", `If the query for the public key fails because the corresponding key record does not exist, the Verifier MUST immediately return PERMFAIL (no key for signature).`}
	tempKey     = rule{"RFC 6376 section 6.1.2", `If the query for the public key fails to respond, the Verifier MAY seek a later verification attempt by returning TEMPFAIL (key unavailable).`}
	revokedKey  = rule{"RFC 6376 section 3.6.1", `An empty value means that this public key has been revoked.`}
	keyVersion  = rule{"RFC 6376 section 3.6.1", `This tag MUST be the first tag in the record.`}
	testingKey  = rule{"RFC 6376 section 3.6.1", `Verifiers MUST NOT treat messages from Signers in testing mode differently from unsigned email, even should the signature fail to verify.`}
	strictKey   = rule{"RFC 6376 section 3.6.1", `Any DKIM-Signature header fields using the "i=" tag MUST have the same domain value on the right-hand side of the "@" in the "i=" tag and the value of the "d=" tag.`}
	serviceKey  = rule{"RFC 6376 section 3.6.1", `Verifiers for a given service type MUST ignore this record if the appropriate type is not listed.`}
	severalKeys = rule{"RFC 6376 section 3.6.2.2", `TXT RRs MUST be unique for a particular selector name; that is, if there are multiple records in an RRset, the results are undefined.`}
	sha1Key     = rule{"RFC 8301 section 3.1", `rsa-sha1 MUST NOT be used for signing or verifying.`}
	shortKey    = rule{"RFC 8301 section 3.2", `Verifiers MUST NOT consider signatures using RSA keys of less than 1024 bits as valid signatures.`}
	fairKey     = rule{"RFC 8301 section 3.2", `Signers SHOULD use RSA keys of at least 2048 bits.`}
	longKey     = rule{"RFC 8301 section 3.2", `Verifiers MUST be able to validate signatures with keys ranging from 1024 bits to 4096 bits, and they MAY be able to validate signatures with larger keys.`}
	obsoleteKey = rule{"RFC 6376 appendix E", ""}
)

// CheckDKIM looks at the key of a normalized name.
func CheckDKIM(ctx context.Context, lk resolver.Lookuper, name string) *DKIM {
	out := &DKIM{Name: name, CNAMEs: []string{}, Keys: []DKIMKey{}, findings: findings{Findings: []Finding{}}}
	answer, q := newAsker(lk).ask(ctx, name, dns.TypeTXT)
	if answer == nil {
		out.add(Fault, name, tempKey, "TXT of %s: %s: signatures with this selector are temperror", name, q.Outcome)
		return out
	}
	out.Answered = true
	if out.CNAMEs = append(out.CNAMEs, q.CNAMEs...); len(q.CNAMEs) > 0 {
		out.add(Note, name, rule{}, "the name is an alias (CNAME) of %s: who runs that name can change the key", strings.Join(q.CNAMEs, ", an alias of "))
	}
	if answer.Void() {
		out.add(Fault, name, noKey, "there is no key (%s): signatures with this selector are permerror", q.Outcome)
		return out
	}
	out.size(name, answer.TXT, slices.MaxFunc(answer.TXT, func(a, b string) int { return len(a) - len(b) }))
	usable := 0
	for _, txt := range answer.TXT[:min(len(answer.TXT), maxAnswers)] {
		if out.key(txt) {
			usable++
		}
	}
	if len(out.Keys) > 1 {
		out.add(Warning, name, severalKeys, "%d TXT records stand at this name, %d of them usable keys: alignd tries up to %d, others take any one", len(answer.TXT), usable, dkim.MaxKeys)
	}
	return out
}

// key looks at one TXT record, and reports whether it is of use.
func (out *DKIM) key(txt string) bool {
	k := dkim.ReadKey(txt)
	row := DKIMKey{
		Record: shown(txt), Problem: shown(k.Fault + k.Problem), Type: shown(k.Type), Bits: k.Bits,
		Testing: k.Testing, Strict: k.Strict, Tags: []DKIMTag{},
	}
	for _, t := range k.Tags {
		row.Tags = append(row.Tags, DKIMTag{shown(t.Name), shown(t.Value)})
	}
	row.Usable = row.Problem == "" && k.SHA256 && k.Email && (k.Type != "rsa" || k.Bits >= dkim.MinRSABits)
	out.Keys = append(out.Keys, row)
	out.faults(&k)
	return row.Usable
}

func (out *DKIM) faults(k *dkim.KeyRecord) {
	name := out.Name
	switch {
	case k.Fault != "":
		out.add(Fault, name, keySyntax, "%s", k.Fault)
		return
	case strings.Contains(k.Problem, "revoked"):
		out.add(Fault, name, revokedKey, "the key is revoked: signatures with it are permerror")
	case k.Problem != "":
		out.add(Fault, name, keySyntax, "the record holds no key that can be used: %s", k.Problem)
	}
	if !k.SHA256 {
		out.add(Fault, name, sha1Key, "h= does not list sha256, so that the key allows SHA-1 only, or a hash that nobody computes")
	}
	if !k.Email {
		out.add(Fault, name, serviceKey, "s= lists neither * nor email: the key does not hold for mail")
	}
	out.bits(k)
	if k.Testing {
		out.add(Warning, name, testingKey, "t=y: the domain is testing DKIM")
	}
	if k.Strict {
		out.add(Note, name, strictKey, "t=s: i= has to name d= itself and no subdomain")
	}
	out.tags(k)
}

func (out *DKIM) bits(k *dkim.KeyRecord) {
	if k.Type != "rsa" || k.Bits == 0 {
		return
	}
	switch {
	case k.Bits < dkim.MinRSABits:
		out.add(Fault, out.Name, shortKey, "the RSA key has %d bits: signatures with it do not count", k.Bits)
	case k.Bits > dkim.MaxRSABits:
		out.add(Fault, out.Name, longKey, "the RSA key has %d bits: many verifiers, alignd among them, compute none of more than %d", k.Bits, dkim.MaxRSABits)
	case k.Bits < 2048:
		out.add(Warning, out.Name, fairKey, "the RSA key has %d bits", k.Bits)
	}
}

// tags says what is odd about the tags of a record that can be read.
func (out *DKIM) tags(k *dkim.KeyRecord) {
	version := slices.IndexFunc(k.Tags, func(t dkim.KeyTag) bool { return t.Name == "v" })
	if version > 0 {
		out.add(Warning, out.Name, keyVersion, "v= is not the first tag: strict verifiers discard the record")
	}
	for _, t := range k.Tags {
		switch t.Name {
		case "v", "h", "k", "p", "s", "t":
		case "g":
			if t.Value != "*" {
				out.add(Warning, out.Name, obsoleteKey, "g=%s: old verifiers take the key for this local part only; it has no meaning any more", t.Value)
			} else {
				out.add(Note, out.Name, obsoleteKey, "g= has no meaning any more")
			}
		case "n":
			out.add(Note, out.Name, rule{}, "a note for administrators: %s", t.Value)
		default:
			out.add(Note, out.Name, rule{"RFC 6376 section 3.6.1", `Unrecognized tags MUST be ignored.`}, "an unknown tag: %s", t.Name)
		}
	}
}

// Known reports whether DNS said what there is.
func (d *DKIM) Known() bool { return d.Answered }
