package send

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"alignd/internal/owned"
	"alignd/resolver"
	"alignd/verify/dkim"
	"alignd/verify/dmarc"
	"alignd/verify/spf"
)

// Identity is whom reports come from, which has to pass DMARC itself (RFC 9990 section
// 3.5.2).
type Identity struct {
	From, Bounces string // addresses; Bounces may be empty
	Keys          []OwnKey
	PSLGuard      bool // the option psl_guard
}

// OwnKey is a key that signs reports.
type OwnKey struct {
	Selector string
	Public   crypto.PublicKey
	Err      error // why it cannot be read
}

// Subject is what a Fact is about.
type Subject string

// The subjects.
const (
	SubjectMX    Subject = "mx" // where answers go
	SubjectSPF   Subject = "spf"
	SubjectKey   Subject = "key"
	SubjectDMARC Subject = "dmarc"
)

// Fact is one of the things that reports need in DNS.
type Fact struct {
	Subject Subject `json:"check"`
	Name    string  `json:"name"`  // in DNS
	State   Found   `json:"state"` // how it is
	Say     string  `json:"says"`
}

// Found is how something is in DNS.
type Found string

// The values of Found.
const (
	Right   Found = "ok"
	Wrong   Found = "wrong"
	Unknown Found = "unknown" // DNS does not answer, or it is up to the relay
)

// Ready finds out what DNS has of an Identity, all at once.
func Ready(ctx context.Context, lk resolver.Lookuper, id Identity) []Fact {
	from, sender := host(id.From), host(id.From)
	if id.Bounces != "" {
		sender = host(id.Bounces)
	}
	asks := []func() Fact{func() Fact { return mailFact(ctx, lk, from) }}
	if sender != from {
		asks = append(asks, func() Fact { return mailFact(ctx, lk, sender) })
	}
	asks = append(asks, func() Fact { return spfFact(ctx, lk, from, sender, id.PSLGuard) })
	for i := range id.Keys {
		asks = append(asks, func() Fact { return keyFact(ctx, lk, from, &id.Keys[i]) })
	}
	if len(id.Keys) == 0 {
		asks = append(asks, func() Fact {
			return Fact{SubjectKey, from, Unknown, "there is no key in reports.dkim, so the relay has to sign as " + from}
		})
	}
	asks = append(asks, func() Fact { return dmarcFact(ctx, lk, from, id.PSLGuard) })
	list := make([]Fact, len(asks))
	var all owned.Group
	for i, ask := range asks {
		all.Go(func() { list[i] = ask() })
	}
	all.Wait()
	return list
}

func host(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// silent is a Fact where DNS does not answer.
func silent(about Subject, name string, err error) Fact {
	why := err.Error()
	if e := (*resolver.Error)(nil); errors.As(err, &e) {
		why = cmp.Or(e.Why, e.RCode, why)
	}
	return Fact{about, name, Unknown, "DNS does not say: " + why}
}

// mailFact: RFC 5321 section 5.1, and RFC 7505 for a domain that takes no mail.
func mailFact(ctx context.Context, lk resolver.Lookuper, name string) Fact {
	mx, err := lk.Lookup(ctx, name, dns.TypeMX)
	switch {
	case err != nil:
		return silent(SubjectMX, name, err)
	case len(mx.MX) == 1 && mx.MX[0].Host == "":
		return Fact{SubjectMX, name, Wrong, "its MX says that it takes no mail, so answers to reports are lost"}
	case len(mx.MX) > 0:
		return Fact{SubjectMX, name, Right, "it takes mail at " + mx.MX[0].Host}
	}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		a, err := lk.Lookup(ctx, name, kind)
		if err != nil {
			return silent(SubjectMX, name, err)
		}
		if len(a.Addrs) > 0 {
			return Fact{SubjectMX, name, Right, "it takes mail at its own address"}
		}
	}
	return Fact{SubjectMX, name, Wrong, "it has no MX and no address, so answers to reports are lost, and many refuse mail from it"}
}

// spfFact is about the domain of the reverse-path, which is to be that of From or of the
// same organization (RFC 9989 section 4.4.2).
func spfFact(ctx context.Context, lk resolver.Lookuper, from, sender string, guard bool) Fact {
	txt, err := lk.Lookup(ctx, sender, dns.TypeTXT)
	if err != nil {
		return silent(SubjectSPF, sender, err)
	}
	wrong := func(say string) Fact { return Fact{SubjectSPF, sender, Wrong, say} }
	switch p := spf.Select(txt); {
	case p.Err != nil:
		return wrong("its SPF record cannot be read: " + p.Err.Error())
	case p.Record == nil:
		return wrong("it has no SPF record")
	case !mayPass(p.Record):
		return wrong("nothing passes its SPF record: " + p.Text)
	}
	if sender != from {
		tree, other := dmarc.Walk(ctx, lk, from, guard), dmarc.Walk(ctx, lk, sender, guard)
		switch {
		case tree.OrgDomain == "" || other.OrgDomain == "":
			return Fact{SubjectSPF, sender, Unknown, "DNS does not say whether it is of one organization with " + from}
		case tree.OrgDomain != other.OrgDomain:
			return wrong("it is of another organization than " + from + ", so SPF is not aligned (reports.bounces)")
		case tree.Policy != nil && tree.Policy.StrictSPF:
			return wrong("the DMARC record of " + from + " says aspf=s, and it is another domain (reports.bounces)")
		}
	}
	return Fact{SubjectSPF, sender, Right, "it has an SPF record; whether the relay is in it shows the first report"}
}

// mayPass reports whether a record has a term that some client can pass by.
func mayPass(r *spf.Record) bool {
	return r.Redirect != nil || slices.ContainsFunc(r.Terms, func(t spf.Term) bool { return t.Qualifier == '+' })
}

// keyFact: RFC 6376 section 3.6.2.2.
func keyFact(ctx context.Context, lk resolver.Lookuper, from string, k *OwnKey) Fact {
	name := k.Selector + "._domainkey." + from
	if k.Err != nil {
		state, more := Wrong, "; alignd does not start without it"
		if errors.Is(k.Err, fs.ErrPermission) { // the daemon may
			state, more = Unknown, ""
		}
		return Fact{SubjectKey, name, state, "the private key cannot be read: " + k.Err.Error() + more}
	}
	answer, err := lk.Lookup(ctx, name, dns.TypeTXT)
	if err != nil {
		return silent(SubjectKey, name, err)
	}
	wrong := Fact{SubjectKey, name, Wrong, "it is not published"}
	for _, txt := range answer.TXT {
		rec := dkim.ReadKey(txt)
		switch {
		case rec.Fault != "":
			wrong.Say = "it is no key record: " + rec.Fault
		case rec.Problem != "":
			wrong.Say = "it holds no key that can be used: " + rec.Problem
		case !rec.SHA256 || !rec.Email:
			wrong.Say = "it does not allow rsa-sha256 or mail (h=, s=)"
		case !publishes(&rec, k.Public):
			wrong.Say = "it is another key than that of key_file"
		case rec.Type == "rsa" && rec.Bits < dkim.MinRSABits:
			wrong.Say = fmt.Sprintf("it has %d bits, and with less than %d no receiver takes it", rec.Bits, dkim.MinRSABits)
		default:
			return Fact{SubjectKey, name, Right, "it is published"}
		}
	}
	return wrong
}

// publishes reports whether a record is that of a key.
func publishes(rec *dkim.KeyRecord, key crypto.PublicKey) bool {
	i := slices.IndexFunc(rec.Tags, func(t dkim.KeyTag) bool { return t.Name == "p" })
	if i < 0 {
		return false
	}
	text := strings.Join(strings.Fields(rec.Tags[i].Value), "")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return rec.Type == "ed25519" && bytes.Equal(data, key)
	case *rsa.PublicKey:
		if got, err := x509.ParsePKIXPublicKey(data); err == nil {
			return rec.Type == "rsa" && key.Equal(got)
		}
		got, err := x509.ParsePKCS1PublicKey(data)
		return err == nil && rec.Type == "rsa" && key.Equal(got)
	}
	return false
}

// dmarcFact: without a record of its own nothing that leaves passes DMARC.
func dmarcFact(ctx context.Context, lk resolver.Lookuper, from string, guard bool) Fact {
	name := "_dmarc." + from
	tree := dmarc.Walk(ctx, lk, from, guard)
	err := tree.Err
	for _, step := range tree.Steps {
		if step.Err != nil && err == nil {
			err = step.Err
		}
	}
	switch {
	case tree.Policy != nil && tree.Policy.Use() == dmarc.NotProcessed:
		return Fact{SubjectDMARC, name, Wrong, "the DMARC record at " + tree.PolicyDomain + " is not valid, so no report passes DMARC"}
	case tree.Policy != nil:
		return Fact{SubjectDMARC, name, Right, "the DMARC record at " + tree.PolicyDomain + " holds"}
	case err != nil:
		return silent(SubjectDMARC, name, err)
	}
	return Fact{SubjectDMARC, name, Wrong, "there is no DMARC record, so no report passes DMARC (RFC 9990 section 3.5.2)"}
}
