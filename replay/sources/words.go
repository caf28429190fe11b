package sources

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
)

// Bounds of what is kept of one Author Domain; ours.
const (
	maxWords  = 32
	maxPlaces = 64
)

// words are what speaks for senders of one Author Domain: its own DNS, and its mail that
// passes DMARC.
type words struct {
	messages int
	records  table[string, spoken] // its newest SPF record, and those of domains above it
	aliases  table[string, int]    // where keys of its passing signatures really are
	passing  table[bearing, int]   // what mail that passes DMARC bears besides
	places   table[place, int]     // from where mail passes by SPF, and what it bears
	senders  table[bearing, int]   // MAIL FROM domains of a signer, whether DMARC passes or not
}

// bearing is a passing signature of another domain, and a MAIL FROM domain that passes SPF.
type bearing struct {
	signer, sender string
	spf            bool // DMARC passes by SPF
}

// spoken is an SPF record as it was published at a time.
type spoken struct {
	at     time.Time
	record string
}

type place struct {
	ip     netip.Addr
	signer string
	direct bool // the owner's own record lists the address
}

func newWords() words {
	count := func(n *int) int { return *n }
	w := words{}
	w.records = table[string, spoken]{max: maxWords, weight: func(*spoken) int { return 0 }}
	w.aliases.max, w.aliases.weight = maxWords, count
	for _, t := range []*table[bearing, int]{&w.passing, &w.senders} {
		t.max, t.weight = maxWords, count
	}
	w.places.max, w.places.weight = maxPlaces, count
	return w
}

func note[K comparable](t *table[K, int], k K) {
	n, _ := t.at(k)
	*n++
}

// hear takes what a message of the Author Domain of dm tells.
func (w *words) hear(ev *evidence.Message, dm *evidence.DMARC, org Organization) {
	w.messages++
	if c := ev.SPF.MailFrom; c != nil && speaksFor(c.Domain, dm.AuthorDomain, org) {
		// What the owner took out of it no longer counts.
		if r, _ := w.records.at(c.Domain); !ev.Time.Before(r.at) && (c.Record != "" || c.Result == evidence.None) {
			*r = spoken{ev.Time, c.Record}
		}
	}
	for _, i := range dm.AlignedDKIM {
		if i < 0 || i >= len(ev.DKIM) || ev.DKIM[i].Result != evidence.Pass {
			continue
		}
		for _, name := range ev.DKIM[i].KeyCNAMEs {
			note(&w.aliases, strings.TrimSuffix(strings.ToLower(name), "."))
		}
	}
	sender := senderOf(ev)
	bySPF := passes(ev, dm) && dm.SPFAligned && sender != ""
	for _, signer := range strangers(ev, dm) {
		if sender != "" && org(sender) == org(signer) {
			note(&w.senders, bearing{signer: signer, sender: sender})
		}
		if passes(ev, dm) {
			note(&w.passing, bearing{signer, sender, bySPF})
		}
		if ip := ev.Client.IP(); bySPF && ip.IsValid() {
			note(&w.places, place{ip.Unmap().WithZone(""), signer, directly(ev.SPF.MailFrom, dm.AuthorDomain, org)})
		}
	}
}

// speaksFor reports whether what a domain publishes is the word of the owner of an Author
// Domain: it is that domain, or one above it that is nobody else's.
func speaksFor(domain, author string, org Organization) bool {
	return isAtOrBelow(author, domain) && org(domain) != ""
}

// directly reports whether the SPF record of the Author Domain, or of one above it, lists
// the client itself, in a network that is hardly shared.
func directly(c *evidence.SPFCheck, author string, org Organization) bool {
	const narrow, narrow6 = 28, 64 // ours
	term := strings.TrimPrefix(strings.ToLower(c.Mechanism), "+")
	name, _, _ := strings.Cut(term, ":")
	name, _, _ = strings.Cut(name, "/")
	if !speaksFor(c.MechanismDomain, author, org) {
		return false
	}
	switch name {
	case "ip4", "ip6":
		_, network, _ := strings.Cut(term, ":")
		if p, err := netip.ParsePrefix(network); err == nil {
			return p.Addr().Is4() && p.Bits() >= narrow || p.Addr().Is6() && p.Bits() >= narrow6
		}
		_, err := netip.ParseAddr(network)
		return err == nil
	case "a", "mx":
		return !strings.Contains(term, "/")
	}
	return false
}

// included are the domains that the records include or redirect to.
func (w *words) included() []string {
	var names []string
	for _, r := range w.records.all() {
		names = append(names, included(r.record)...)
	}
	slices.Sort(names)
	return names
}

// included are the domains that an SPF record includes or redirects to, as far as they
// are spelled out and a pass is meant (RFC 7208 sections 5.2 and 6.1).
func included(record string) []string {
	var names []string
	for _, term := range strings.Fields(strings.ToLower(record)) {
		name, ok := strings.CutPrefix(strings.TrimPrefix(term, "+"), "include:")
		if !ok {
			name, ok = strings.CutPrefix(term, "redirect=")
		}
		if name = strings.TrimSuffix(name, "."); ok && plainName(name) {
			names = append(names, name)
		}
	}
	return names
}

// strangers are the SDIDs of passing signatures that are not aligned, each once, at most
// maxStrangers.
func strangers(ev *evidence.Message, dm *evidence.DMARC) []string {
	const maxStrangers = 4
	var list []string
	for i := range ev.DKIM {
		s := &ev.DKIM[i]
		if s.Result != evidence.Pass || s.PublicSuffix || !plainName(s.Domain) || !firstOf(ev.DKIM, i) || alignedAt(ev, dm, i) {
			continue
		}
		if list = append(list, s.Domain); len(list) == maxStrangers {
			break
		}
	}
	return list
}

// alignedAt reports whether signature i, or another of its SDID, is aligned.
func alignedAt(ev *evidence.Message, dm *evidence.DMARC, i int) bool {
	for _, j := range dm.AlignedDKIM {
		if j >= 0 && j < len(ev.DKIM) && ev.DKIM[j].Domain == ev.DKIM[i].Domain {
			return true
		}
	}
	return ev.DKIM[i].Domain == dm.AuthorDomain
}

// senderOf is the MAIL FROM domain, where it passes SPF and not because everybody does.
func senderOf(ev *evidence.Message) string {
	if c := ev.SPF.MailFrom; c != nil && c.Result == evidence.Pass && !c.Wide && plainName(c.Domain) {
		return c.Domain
	}
	return ""
}

// plainName reports whether a text is a domain of lower-case A-labels with two labels at
// least, which stands in YAML as it is.
func plainName(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
