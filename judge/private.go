package judge

import (
	"reflect"
	"slices"
	"strings"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// Privacy takes the local parts of addresses, and login names, out of what is kept. The
// zero Privacy leaves all as it is. It is safe for concurrent use.
//
// Domains stay, and so do client addresses, host names, and what others publish in DNS.
// A Message-ID names a message and no mailbox; one that has the local part of the
// sender, a recipient or the login name loses what stands before its "@".
type Privacy struct {
	How        record.Addresses
	Pseudonyms *Pseudonyms // for record.AddressesHashed
}

// Record is r as it is kept. r and what it points to are not changed. A record that has
// no local parts any more does not get them back; hashed ones can be dropped.
func (p *Privacy) Record(r *record.Record) *record.Record {
	was := r.Basis.Addresses
	if p.How == record.AddressesKept || was == p.How || was == record.AddressesDropped {
		return r
	}
	c := *r
	h := hiding{Privacy: p, ev: &r.Evidence, spf: hiderOf(&r.Evidence)}
	h.value(reflect.ValueOf(&c).Elem(), asText)
	c.Basis.Addresses, c.Basis.AddressKey = p.How, [4]byte{}
	if p.How == record.AddressesHashed {
		c.Basis.AddressKey = p.Pseudonyms.ID()
	}
	return &c
}

// Verdict is what Record makes of a verdict.
func (p *Privacy) Verdict(v policy.Verdict) policy.Verdict {
	if p.How != record.AddressesKept {
		h := hiding{Privacy: p, ev: &evidence.Message{}}
		h.value(reflect.ValueOf(&v).Elem(), asText)
	}
	return v
}

// Text is a text without the local parts of the addresses in it.
func (p *Privacy) Text(text string) string {
	if p.How == record.AddressesKept {
		return text
	}
	h := hiding{Privacy: p, ev: &evidence.Message{}}
	return h.text(text)
}

// Decidable is r as rules with these pseudonyms (policy.Spec.WithPseudonyms) can judge
// it: one that was hashed with another key has its local parts dropped, so that what
// needs them is undecidable.
func (p *Privacy) Decidable(r *record.Record) *record.Record {
	if r.Basis.Addresses != record.AddressesHashed || p.Pseudonyms != nil && r.Basis.AddressKey == p.Pseudonyms.ID() {
		return r
	}
	drop := Privacy{How: record.AddressesDropped}
	return drop.Record(r)
}

// hidden is how a text has local parts.
type hidden int

const (
	asText        hidden = iota // somewhere in it
	asAddress                   // of the envelope: all of it is a local part where there is no "@"
	asIdentity                  // it is an address or a domain
	asLogin                     // all of it, or it is an address
	asArguments                 // ESMTP arguments of MAIL FROM
	asMessageID                 // maybe
	asDNSName                   // by macros of SPF, in its labels
	asSPFText                   // it may quote such a name
	asExplanation               // by macros of SPF, anywhere
	published                   // it is public
)

// hiddenIn are the fields that are not asText; "" stands for all of a type.
var hiddenIn = map[reflect.Type]map[string]hidden{
	reflect.TypeFor[evidence.Message]():   {"MailFrom": asAddress, "AuthUser": asLogin, "MailArgs": asArguments, "MessageID": asMessageID},
	reflect.TypeFor[evidence.Recipient](): {"Address": asAddress},
	reflect.TypeFor[evidence.Signature](): {"Identity": asIdentity},
	reflect.TypeFor[evidence.SPFCheck](): {"Reason": asSPFText, "Lookalikes": asSPFText, "MechanismDomain": asDNSName,
		"Explanation": asExplanation, "Record": published, "Mechanism": published},
	reflect.TypeFor[evidence.SPFTerm]():        {"Domain": asDNSName, "Term": published},
	reflect.TypeFor[evidence.FailedQuestion](): {"Name": asDNSName},
	reflect.TypeFor[evidence.DMARCRecord]():    {"": published},
	reflect.TypeFor[policy.Verdict]():          {"Recipient": asAddress},
}

// hiding rewrites one record.
type hiding struct {
	*Privacy
	ev    *evidence.Message // as it was
	spf   localHider
	known []string // names, once they were asked for
}

// value rewrites v, which can be set, in memory of its own.
func (h *hiding) value(v reflect.Value, how hidden) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" {
			v.SetString(h.string(s, how))
		}
	case reflect.Struct:
		h.fields(v, how)
	case reflect.Slice:
		if v.IsNil() || !hasStrings(v.Type().Elem()) {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			h.value(own.Index(i), how)
		}
		v.Set(own)
	case reflect.Pointer:
		if !v.IsNil() && hasStrings(v.Type().Elem()) {
			own := reflect.New(v.Type().Elem())
			own.Elem().Set(v.Elem())
			h.value(own.Elem(), how)
			v.Set(own)
		}
	}
}

func (h *hiding) fields(v reflect.Value, how hidden) {
	t := v.Type()
	of := hiddenIn[t]
	if all, ok := of[""]; ok {
		how = all
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || !hasStrings(f.Type) {
			continue
		}
		own, ok := of[f.Name]
		if !ok {
			own = how
		}
		h.value(v.Field(i), own)
	}
	if m, ok := v.Addr().Interface().(*evidence.MethodResult); ok && m.Method == "auth" {
		for i := range m.Properties { // a login name need not be an address (RFC 8601 section 2.7.4)
			if q := &m.Properties[i]; !strings.Contains(q.Value, "@") {
				q.Value = h.login(q.Value)
			}
		}
	}
}

// hasStrings reports whether a type holds text. Named strings are words of ours.
func hasStrings(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		return t.Name() == "string"
	case reflect.Slice, reflect.Pointer:
		return hasStrings(t.Elem())
	case reflect.Struct:
		return t.PkgPath() != "time" && t.PkgPath() != "net/netip"
	}
	return false
}

func (h *hiding) string(s string, how hidden) string {
	switch how {
	case asAddress, asIdentity:
		if how == asIdentity && !strings.Contains(s, "@") {
			return s
		}
		return h.address(s)
	case asLogin:
		return h.login(s)
	case asArguments:
		return h.argument(s)
	case asMessageID:
		return h.messageID(s)
	case asDNSName:
		return h.text(h.spf.name(s))
	case asSPFText:
		return h.text(h.spf.text(s))
	case asExplanation:
		return h.explanation(s)
	case published:
		return s
	}
	return h.text(s)
}

// local is what is kept of a local part.
func (h *hiding) local(local, domain string) string {
	if h.How == record.AddressesDropped || local == "" || namesHost(domain) {
		return ""
	}
	return h.Pseudonyms.Local(local, domain)
}

// address is what is kept of an address, of the envelope or another.
func (h *hiding) address(s string) string {
	at := strings.LastIndexByte(s, '@')
	switch {
	case at >= 0 && s == h.ev.MailFrom && h.ev.MailFromDomain != "": // as rules compare it
		return h.local(s[:at], h.ev.MailFromDomain) + s[at:]
	case at >= 0:
		return h.local(s[:at], s[at+1:]) + s[at:]
	case s == h.ev.MailFrom && h.ev.MailFromDomain != "": // a domain alone
		return s
	}
	return "@"
}

func (h *hiding) login(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return h.address(s)
	}
	if h.How == record.AddressesDropped {
		return "-" // that there was one counts
	}
	return h.Pseudonyms.Local(s, "login")
}

// argument is an ESMTP argument. AUTH names a mailbox (RFC 4954 section 5), ENVID is
// what the sender likes (RFC 3461 section 4.4).
func (h *hiding) argument(s string) string {
	name, value, ok := strings.Cut(s, "=")
	if !ok || !strings.EqualFold(name, "AUTH") && !strings.EqualFold(name, "ENVID") || value == "<>" || value == "" {
		return h.text(s)
	}
	return name + "=" + h.login(value)
}

// minName is the shortest local part that is looked for in a Message-ID; shorter ones
// are in about any. The number is ours.
const minName = 3

func (h *hiding) messageID(s string) string {
	left, right, ok := strings.Cut(s, "@")
	lower := strings.ToLower(left)
	switch {
	case !slices.ContainsFunc(h.names(), func(name string) bool { return len(name) >= minName && strings.Contains(lower, name) }):
		return s
	case !ok:
		return ""
	case h.How == record.AddressesHashed:
		return h.Pseudonyms.MessageID(s)
	case strings.HasPrefix(left, "<"):
		return "<@" + right
	}
	return "@" + right
}

// names are the local parts of the message, in lower case, without extensions.
func (h *hiding) names() []string {
	if h.known != nil {
		return h.known
	}
	list := []string{localPart(h.ev)}
	add := func(address string) {
		local, _, _ := strings.Cut(strings.ToLower(address), "@")
		if n := strings.IndexAny(local, delimitersHidden); n >= minName {
			local = local[:n]
		}
		list = append(list, local)
	}
	add(h.ev.MailFrom)
	add(h.ev.AuthUser)
	for i := range h.ev.Recipients {
		add(h.ev.Recipients[i].Address)
	}
	h.known = list
	return list
}

// explanation of SPF goes where it may have the local part.
func (h *hiding) explanation(s string) string {
	lower := strings.ToLower(s)
	if h.spf.local != "" && (strings.Contains(lower, h.spf.local) ||
		slices.ContainsFunc(h.spf.parts, func(part string) bool { return strings.Contains(lower, part) })) {
		return ""
	}
	return h.text(s)
}
