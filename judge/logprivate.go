package judge

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"alignd/domain"
	"alignd/evidence"
)

// The SPF macros %{l} and %{s} put the local part of MAIL FROM into DNS names, also
// split or reversed (RFC 7208 section 7). Where local parts are not to be logged,
// labels that may come from the local part are written "*".

// localHider hides the local part of MAIL FROM where DNS names may have it.
type localHider struct {
	ev    *evidence.Message
	local string
	parts []string
}

func hiderOf(ev *evidence.Message) localHider {
	local := localPart(ev)
	return localHider{ev: ev, local: local, parts: localParts(local)}
}

// text hides it in a text of SPF, which may quote such names.
func (h *localHider) text(text string) string {
	if text == "" || h.local == "" {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := strings.IndexAny(text, "\" ")
		switch {
		case n == 0 && text[0] == '"':
			n = closingQuote(text)
			b.WriteString(`"` + h.name(strings.Trim(text[:n], `"`)))
			if n > 1 && text[n-1] == '"' {
				b.WriteByte('"')
			}
		case n == 0:
			n = 1
			b.WriteByte(' ')
		default:
			if n < 0 {
				n = len(text)
			}
			word := text[:n]
			bare := strings.TrimRight(word, ":,;.")
			if strings.Contains(bare, ".") {
				word = h.name(bare) + word[len(bare):]
			}
			b.WriteString(word)
		}
		text = text[n:]
	}
	return b.String()
}

// closingQuote is the length of the quoted string that s begins with.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// name hides it in a DNS name. A name that also stands elsewhere in the evidence is no
// secret and stays whole.
func (h *localHider) name(name string) string {
	if h.local == "" || !h.mayHold(name) || known(name, h.ev) {
		return name
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if h.mayBe(label) {
			labels[i] = "*"
		}
	}
	return strings.Join(labels, ".")
}

// mayHold reports whether a label of a DNS name may come from the local part. Most
// names have none, which is cheaper to see than that a name is known.
func (h *localHider) mayHold(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if h.mayBe(label) {
			return true
		}
	}
	return false
}

func (h *localHider) mayBe(label string) bool {
	label = strings.ToLower(label)
	if len(label) > 1 && strings.Contains(h.local, label) {
		return true
	}
	for _, p := range h.parts {
		if label == p || len(p) > 1 && strings.Contains(label, p) {
			return true
		}
	}
	return false
}

// withoutLocal is localHider.text, where local parts are not shown.
func (w *logLine) withoutLocal(text string, ev *evidence.Message) string {
	if w.addresses || text == "" {
		return text
	}
	return w.hiding(ev).text(text)
}

// withoutLocalName is localHider.name, where local parts are not shown.
func (w *logLine) withoutLocalName(name string, ev *evidence.Message) string {
	if w.addresses {
		return name
	}
	return w.hiding(ev).name(name)
}

// hiding takes the local part apart once a line.
func (w *logLine) hiding(ev *evidence.Message) *localHider {
	if w.hide.ev == nil {
		w.hide = hiderOf(ev)
	}
	return &w.hide
}

// localPart is that of MAIL FROM, in lower case as DNS has it.
func localPart(ev *evidence.Message) string {
	at := strings.LastIndexByte(ev.MailFrom, '@')
	if at < 0 {
		if ev.MailFromDomain != "" { // it is a domain alone
			return ""
		}
		return strings.ToLower(ev.MailFrom)
	}
	return strings.ToLower(ev.MailFrom[:at])
}

// localParts are the runs of letters and digits: no delimiter of a macro cuts finer
// (RFC 7208 section 7.1).
func localParts(local string) []string {
	return strings.FieldsFunc(local, func(r rune) bool { return r < 0x80 && !isAlphanumeric(byte(r)) })
}

// known: the name is one that DKIM, DMARC or iprev ask for, or is that of the envelope
// or an Author Domain, of something above them, or stands in the SPF record as it is.
// The form of a name proves nothing, as an SPF record can ask for any.
func known(name string, ev *evidence.Message) bool {
	return isOrAboveDomain(strings.TrimPrefix(name, "_dmarc."), ev) || isKey(name, ev) ||
		isReverse(name, ev.Client.IP()) || inSPFRecord(name, ev.ReportedSPF())
}

// isKey: the name is that of a signature's key (RFC 6376 section 3.6.2.1).
func isKey(name string, ev *evidence.Message) bool {
	selector, d, ok := strings.Cut(name, "._domainkey.")
	if !ok {
		return false
	}
	same := func(s, of string) bool { return strings.EqualFold(s, selector) && strings.EqualFold(of, d) }
	for i := range ev.DKIM {
		if same(ev.DKIM[i].Selector, ev.DKIM[i].Domain) {
			return true
		}
	}
	for i := range ev.ARC.Sets {
		if set := &ev.ARC.Sets[i]; same(set.SealSelector, set.SealDomain) || same(set.MessageSelector, set.MessageDomain) {
			return true
		}
	}
	return false
}

// isReverse: the name is that of the client's address (RFC 1035 section 3.5, RFC 3596
// section 2.5).
func isReverse(name string, client netip.Addr) bool {
	if !client.IsValid() || !strings.HasSuffix(name, ".arpa") {
		return false
	}
	reverse, err := dns.ReverseAddr(client.String())
	return err == nil && strings.EqualFold(name+".", reverse)
}

func isOrAboveDomain(name string, ev *evidence.Message) bool {
	is := func(d string) bool { return d == name || domain.IsBelow(d, name) }
	if is(ev.MailFromDomain) || is(ev.Client.HELOName()) || slices.ContainsFunc(ev.From.Domains, is) {
		return true
	}
	for i := range ev.DKIM {
		if is(ev.DKIM[i].Domain) {
			return true
		}
	}
	return false
}

func inSPFRecord(name string, c *evidence.SPFCheck) bool {
	if c == nil {
		return false
	}
	for term := range strings.FieldsSeq(c.Record) {
		_, value, _ := strings.Cut(strings.Replace(term, "=", ":", 1), ":")
		if target, _, _ := strings.Cut(value, "/"); strings.EqualFold(term, name) || strings.EqualFold(target, name) {
			return true
		}
	}
	return false
}

// outside is text from outside that should be a name: what stands before "@" there
// is a local part.
func (w *logLine) outside(name string) string {
	if at := strings.LastIndexByte(name, '@'); at >= 0 && !w.addresses {
		return "*" + name[at:]
	}
	return name
}
