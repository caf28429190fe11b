package sources

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/policy"
	"alignd/record"
)

// Suggestion is an entry that lets in the failing mail of an honest source.
type Suggestion struct {
	// Entry is YAML, as a file of conf.d takes it.
	Entry string
	ID    string // of the entry
	// Author is the Author Domain that the entry is for; empty: several.
	Author string
	// Because says what speaks for the source, a sentence each.
	Because []string
	Effect  Effect
}

// Effect is what an entry would have done to the messages of the survey, judged by the
// rules in force and by those with the entry.
type Effect struct {
	// LetIn are messages that would have come to less: refused, put off, held or marked.
	LetIn int
	// Unproven are those of them that bear nothing of what the entry asks for. It is zero,
	// or the entry is not suggested.
	Unproven int
	// Authors are their Author Domains, Infrastructures where they came from.
	Authors, Infrastructures []Count
	// Others are further Author Domains whose mail has the same proofs. An entry for
	// one Author Domain lets none of it in; it is not suggested where there are any, as
	// then others have the proofs.
	Others []Count
	// Samples are queue ids or tokens of some messages.
	Samples []string
}

// What a source has to show before an entry for it is thought of. The numbers are ours.
const (
	leastMessages = 5
	leastDays     = 3
	leastSpan     = 72 * time.Hour
	// leastSigned is how much mail of a signer has to be there before it is believed that
	// nobody else uses it.
	leastSigned = 20
	// maxCandidates is how many entries are measured, those for the most mail first.
	maxCandidates = 50
	// entryFor is how long a suggested entry holds: then somebody is to look again.
	entryFor = 90 * 24 * time.Hour
	// maxClients is how many addresses an entry lists.
	maxClients = 16
)

// candidate is an entry on its way to be suggested.
type candidate struct {
	Suggestion
	class *class
	proof proof
	rules *policy.Rules // with the entry
	// tenants: nobody but DNS speaks for the signer. Then any mail of others that its
	// organization has to do with counts as Others, not only that with the same proofs, and
	// there has to be enough mail of it to tell.
	tenants                          bool
	signed                           int    // messages with its signature
	signerOrg                        string // Organizational Domain of the signer
	why                              string // not suggested, as
	authors, infrastructures, others tally
}

// proof is what an entry asks for.
type proof struct {
	signer, sender string
	clients        []netip.Addr
	list           string
	authors        []string // of an exception; empty: any
}

// Prepare finds the entries that are worth measuring, after all records were added. It
// reports whether there are any, so that the records are to be handed to Measure.
func (s *Survey) Prepare() bool {
	for _, c := range s.classes.all() {
		s.candidates = append(s.candidates, s.candidate(c))
	}
	slices.SortStableFunc(s.candidates, func(a, b *candidate) int {
		return cmp.Or(btoi(b.class.own)-btoi(a.class.own), b.class.messages-a.class.messages)
	})
	measured := 0
	for _, c := range s.candidates {
		if c.why != "" {
			continue
		}
		if measured++; measured > maxCandidates {
			c.why = "there are too many sources to measure an entry for each; name one domain"
			continue
		}
		s.compile(c)
	}
	return slices.ContainsFunc(s.candidates, func(c *candidate) bool { return c.why == "" })
}

func (s *Survey) compile(c *candidate) {
	c.write(s)
	rules, err := s.opt.With([]byte(c.Entry))
	if err != nil {
		c.why = "the entry would not be valid: " + err.Error()
		return
	}
	c.rules = rules
}

// candidate says what entry would be for a class, or why there is none.
func (s *Survey) candidate(k *class) *candidate {
	c := &candidate{class: k, signerOrg: s.opt.Organization(k.key.signer)}
	span := k.last.Sub(k.first)
	if k.messages < leastMessages || k.days.count() < leastDays || span < leastSpan {
		c.why = fmt.Sprintf("it is not steady yet: messages %d on days %d, and wanted are %d on %d days, over %d hours at least",
			k.messages, k.days.count(), leastMessages, leastDays, int(leastSpan.Hours()))
		return c
	}
	switch {
	case k.key.kind == relay:
	case c.signerOrg == "":
		c.why = k.key.signer + " is a public suffix"
		return c
	case k.key.kind == vendor && !plainName(k.key.author):
		c.why = "the Author Domain is no plain name"
		return c
	}
	switch k.key.kind {
	case vendor:
		s.vendor(c)
	case list:
		s.list(c)
	case sealer:
		s.sealer(c)
	case relay:
		s.relay(c)
	}
	return c
}

// vendor looks for what speaks for a signer that is not aligned.
func (s *Survey) vendor(c *candidate) {
	k := c.class
	author, signer, sender := k.key.author, k.key.signer, k.key.sender
	w := s.wordsOf(author)
	c.Author, c.proof = author, proof{signer: signer, sender: sender, authors: []string{author}}
	for _, shared := range sharedSigners {
		if isAtOrBelow(signer, shared) {
			c.why = fmt.Sprintf("%s signs for all its customers, so any of them could use the entry; %s", signer, alignAdvice(author))
			return
		}
	}
	if k.mediator {
		c.why = signer + " sends on what others wrote, so its signature does not say who that was; have it seal (ARC), and name it in trusted_sealers"
		return
	}
	if s.ambiguous(w, signer, sender) {
		c.why = fmt.Sprintf("mail that %s signs for %s has several MAIL FROM domains, so it may be of several of its customers; %s", signer, author, alignAdvice(author))
		return
	}
	word := wordFor(&k.key, w)
	related := sender != "" && s.sameOrg(sender, signer)
	if list := placesOf(k, w, word != ""); len(list) > 0 && related {
		c.proof.clients, c.tenants = list, true
		c.Because = append(c.Because, cmp.Or(word, fmt.Sprintf("The SPF record of %s itself lists its addresses.", author)),
			fmt.Sprintf("From the same addresses mail of %s with a signature of %s passes DMARC by SPF.", author, signer), c.alone())
		return
	}
	trusted := s.trusted(signer)
	passing := w != nil && w.passes(signer, sender)
	if !trusted {
		switch {
		case word == "" && passing:
			c.why = fmt.Sprintf("mail of %s that passes DMARC has its signature too, but whoever gets such mail can sign it and send it on; DNS of %s does not name %s. Where you know that it sends for %s: --trust %s", author, author, signer, author, signer)
			return
		case word == "":
			c.why = fmt.Sprintf("nothing but itself speaks for %s, and whoever owns a domain can sign with it. Where you know that it sends for %s: --trust %s", signer, author, signer)
			return
		case !passing:
			c.why = fmt.Sprintf("DNS of %s names %s, but none of its mail for %s passes DMARC, so it may be of another customer. Where you know that it sends for %s: --trust %s", author, signer, author, author, signer)
			return
		}
	}
	switch {
	case sender == "":
		c.why = fmt.Sprintf("no MAIL FROM domain of it passes SPF, so whoever has a message that %s signed could send it again from anywhere", signer)
	case !related && !(trusted && s.trusted(sender)):
		c.why = fmt.Sprintf("MAIL FROM is of %s, which has nothing to do with the signer %s", sender, signer)
	case trusted && k.asList:
		c.why = fmt.Sprintf("it is a mailing list of %s, and whoever may write there could use the entry; where you know it: --trust and its List-Id", signer)
	case trusted:
		c.Because = append(c.Because, fmt.Sprintf("You named %s as trusted.", signer))
	default:
		c.tenants = true
		c.Because = append(c.Because, word, fmt.Sprintf("Mail of %s with a signature of %s passes DMARC, too.", author, signer), c.alone())
	}
}

// alone is what the admin has to make sure of, as no journal shows it.
func (c *candidate) alone() string {
	return fmt.Sprintf("Nobody else is seen to send by %s. Make sure that no other customer of it can write %s into From.", c.proof.signer, c.Author)
}

// placesOf are the addresses of a class from which mail with the same signer passes by
// SPF. Where DNS names the signer nowhere the owner's own record has to list them: a
// network of the vendor may have hosts of others.
func placesOf(k *class, w *words, named bool) []netip.Addr {
	var list []netip.Addr
	if w == nil {
		return nil
	}
	for ip := range k.addresses.rows {
		if w.places.has(place{ip, k.key.signer, true}) || named && w.places.has(place{ip, k.key.signer, false}) {
			list = append(list, ip)
		}
	}
	return firstAddrs(list)
}

func firstAddrs(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return list[:min(len(list), maxClients)]
}

// wordFor is where DNS of the Author Domain names the signer, in a sentence. A name that
// it includes counts for the signer that is the same or above it: who has a name controls
// what is below it, and not what is beside it.
func wordFor(k *classKey, w *words) string {
	if w == nil {
		return ""
	}
	for _, name := range w.included() {
		if isAtOrBelow(name, k.signer) {
			return fmt.Sprintf("The SPF record of %s names %s.", k.author, name)
		}
	}
	for _, name := range sortedKeys(&w.aliases) {
		if isAtOrBelow(name, k.signer) {
			return fmt.Sprintf("A key of %s lies at %s (CNAME).", k.author, name)
		}
	}
	return ""
}

// ambiguous reports whether mail of the Author Domain by a signer has further MAIL FROM
// domains of the signer's organization.
func (s *Survey) ambiguous(w *words, signer, sender string) bool {
	if w == nil {
		return false
	}
	for b := range w.senders.rows {
		if b.signer == signer && b.sender != sender {
			return true
		}
	}
	return false
}

// passes reports whether mail with this signature passes DMARC by SPF, or has the same
// MAIL FROM domain.
func (w *words) passes(signer, sender string) bool {
	for b := range w.passing.rows {
		if b.signer == signer && (b.spf || b.sender == sender && sender != "") {
			return true
		}
	}
	return false
}

func sortedKeys(t *table[string, int]) []string { return slices.Sorted(maps.Keys(t.rows)) }

// list suggests an exception for a mailing list that the admin names by its List-Id, and
// that its own domain signs, for the Author Domains that write there steadily.
func (s *Survey) list(c *candidate) {
	k := c.class
	c.proof = proof{signer: k.key.signer, sender: k.key.sender, list: k.key.list}
	for name, r := range k.authors.rows {
		if r.value.messages >= 2 && r.value.days.count() >= 2 && plainName(name) {
			c.proof.authors = append(c.proof.authors, name)
		}
	}
	slices.Sort(c.proof.authors)
	switch {
	case k.mediator:
		c.why = k.key.signer + " also sends on what others wrote, and not as a list; have the list seal (ARC), and name it in trusted_sealers"
	case k.key.sender == "":
		c.why = "no MAIL FROM domain of it passes SPF, so whoever has a message of the list could send it again from anywhere"
	case !s.sameOrg(k.key.sender, k.key.signer):
		c.why = fmt.Sprintf("MAIL FROM is of %s, which has nothing to do with the signer %s", k.key.sender, k.key.signer)
	case len(c.proof.authors) == 0:
		c.why = "no author writes there on two days"
	default:
		c.Because = append(c.Because, fmt.Sprintf("You named the list %s as trusted, and its own domain %s signs it.", k.key.list, k.key.signer),
			"The entry holds for authors who wrote there on two days at least. It lets in what the list sends in their names: whether they wrote it is for the list to check.")
	}
}

// sealer suggests to trust a Sealer whom the admin knows, from the addresses that are
// its own.
func (s *Survey) sealer(c *candidate) {
	k := c.class
	var list []netip.Addr
	for ip := range k.addresses.rows {
		list = append(list, ip)
	}
	c.proof = proof{signer: k.key.signer, clients: firstAddrs(list)}
	if len(list) == 0 {
		c.why = fmt.Sprintf("no MAIL FROM domain of %s passes SPF, so it cannot be told which addresses are its own, and whoever has a message that it sealed could send it again", k.key.signer)
		return
	}
	c.Because = append(c.Because, fmt.Sprintf("You named %s as trusted.", k.key.signer),
		fmt.Sprintf("Its chains pass, and its word is that the messages passed DMARC when they came. The addresses are those that SPF of %s allows.", k.key.signer))
}

func alignAdvice(author string) string {
	return fmt.Sprintf("have the vendor sign with %s (aligned DKIM)", author)
}

// sharedSigners are SDIDs with which large services are known to sign for whoever has an
// account, where the customer gives no domain of his own.
var sharedSigners = []string{
	"amazonses.com", "mailchimpapp.net", "mandrillapp.com", "mcsv.net", "mtasv.net", "sendgrid.info", "sendgrid.net", "zendesk.com",
}

// wordsOf is what speaks for senders of an Author Domain, nil for nothing.
func (s *Survey) wordsOf(author string) *words {
	if s.opt.Own(author) {
		return s.ownWords.get(author)
	}
	return s.words.get(author)
}

func sampleOf(r *record.Record) string { return cmp.Or(r.Evidence.QueueID, r.Evidence.Token) }

// short is a list of names for a sentence.
func short(list []Count) string {
	var names []string
	for _, c := range list[:min(3, len(list))] {
		names = append(names, c.Name)
	}
	if len(list) > 3 {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}
