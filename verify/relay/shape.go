package relay

import (
	"net/netip"
	"strings"
)

// clause is what stands between "from" and "by": a name, which may be missing,
// and words and comments behind it.
type clause struct {
	name   string
	isName bool
	rest   []part
	// literal is the address that the name is; bracketed as in [192.0.2.1].
	literal            netip.Addr
	isLiteral, inside  bool
	word               int // in rest: the address outside of comments, or -1
	wordIP             netip.Addr
	withAddress        []int // in rest: the comments that hold anything like an address
	helo               string
	saysHELO, disguise bool // the first comment is (HELO name); it holds an address
}

// fromClause finds the client's address. It knows the shapes of the common MTAs
// by the place where the MTA itself writes the address:
//
//	from HELO (RDNS [IP])            Postfix, Sendmail, OpenSMTPD, Haraka, Halon, Gmail, Courier,
//	                                 Proofpoint, Mimecast, Barracuda
//	from HELO (RDNS [IP] (AS1 X))    Stalwart; (RDNS [IP] (may be forged)): Sendmail
//	from HELO ([IP])                 the same without RDNS, IIS, Domino, Cisco, MailEnable
//	from HELO ([IP] verified)        CommuniGate; unverified, RDNS failed: IIS; RDNS: ZoneMTA
//	from HELO (IP)                   Exchange, PowerMTA; from RDNS (IP): qmail; (IP:port): XMail
//	from HELO (Not Verified[IP])     MailMarshal
//	from HELO (RDNS[IP])             InterMail at some providers
//	from RDNS ([IP] helo=HELO)       Exim; from [IP] ([IP:port] helo=HELO): Momentum
//	from ([IP])                      MailEnable; ([IP:port] helo=HELO): Momentum
//	from [IP] (helo=HELO)            Exim without RDNS; from [IP] alone where HELO is the same
//	from RDNS (HELO HELO) (IP)       qmail, MessageLabs; ([IP]): Cisco, James
//	from RDNS (EHLO HELO) [IP]       old GMX
//	from [IP] (HELO HELO)            CommuniGate; without brackets: Yahoo
//	from NAME [IP]                   fetchmail, MXLogic; followed by (EHLO HELO): MXLogic
//	from [IP] (using TLS...)         MessageLabs
//
// HELO is the client's choice and may look like any of it, and so may the name
// of its certificate, its reverse name and what its ident server says. So every
// place that holds anything like an address counts, and two such places are one
// too many, unless both say the same.
func fromClause(parts []part) (hop, string) {
	c, problem := readClause(parts)
	if problem != "" {
		return hop{}, problem
	}
	switch {
	case c.word >= 0:
		return c.addressOutside()
	case c.saysHELO:
		return c.heloFirst()
	case c.inside && len(c.rest) > 0 && c.clientWords(0):
		return c.nameIsAddress()
	case len(c.withAddress) == 0:
		return hop{}, noAddress
	case c.withAddress[0] != 0:
		return hop{}, ambiguous
	}
	h, problem := tcpInfo(c.rest[0].text)
	for _, p := range c.rest[1:] { // "(unknown [unknown])" is such a place, too
		found := addressesIn(p.text)
		if len(found) == 0 && hasBrackets(p.text) || len(found) > 0 && (problem != "" || !onlyHolds(p.text, h.ip)) {
			return hop{}, ambiguous
		}
	}
	if problem == "" && h.helo == "" {
		h.helo = c.name
	}
	return h, problem
}

func readClause(parts []part) (c clause, problem string) {
	c.rest, c.word = parts, -1
	if len(parts) > 0 && !parts[0].comment {
		c.name, c.isName, c.rest = parts[0].text, true, parts[1:]
		c.literal, c.inside, c.isLiteral = address(c.name)
	}
	for i, p := range c.rest {
		if p.comment {
			if len(addressesIn(p.text)) > 0 {
				c.withAddress = append(c.withAddress, i)
			}
			continue
		}
		ip, bracketed, ok := address(p.text)
		if !ok || !bracketed || c.word >= 0 { // a HELO name with blanks, or no known shape
			return c, ambiguous
		}
		c.word, c.wordIP = i, ip
	}
	if len(c.rest) > 0 && c.rest[0].comment {
		c.helo, c.saysHELO = heloComment(c.rest[0].text)
		c.disguise = c.saysHELO && len(c.withAddress) > 0 && c.withAddress[0] == 0
	}
	return c, ""
}

// addressOutside reads the shapes with the address outside of a comment. No
// other place may hold one.
func (c *clause) addressOutside() (hop, string) {
	helo := c.name
	switch {
	case len(c.withAddress) > 0 || c.isLiteral && c.literal != c.wordIP:
		return hop{}, ambiguous
	case c.word == 1 && c.saysHELO:
		helo = c.helo
	case c.word != 0:
		return hop{}, ambiguous
	case len(c.rest) > 1:
		if said, ok := heloComment(c.rest[1].text); ok {
			helo = said
		}
	}
	return hop{ip: c.wordIP, helo: helo}, ""
}

// heloFirst reads the shapes with a comment (HELO name) in front.
func (c *clause) heloFirst() (hop, string) {
	others := c.withAddress
	if c.disguise {
		others = others[1:]
	}
	switch {
	case len(others) == 0 && c.disguise: // it may be the reverse name that is HELO
		return hop{}, ambiguous
	case len(others) == 0 && c.isLiteral:
		return hop{ip: c.literal, helo: c.helo}, ""
	case len(others) == 0:
		return hop{}, noAddress
	case len(others) > 1 || others[0] != 1:
		return hop{}, ambiguous
	}
	h, problem := tcpInfo(c.rest[1].text)
	if problem != "" {
		return hop{}, problem
	}
	// A HELO name that is an address has a comment of its own in these shapes,
	// with the client's right behind it and no further one.
	if c.disguise && len(c.rest) > 2 && !onlyHolds(c.rest[0].text, h.ip) || c.isLiteral && c.literal != h.ip {
		return hop{}, ambiguous
	}
	return hop{ip: h.ip, helo: c.helo}, ""
}

// clientWords reports whether comment i is one that MTAs write behind the name
// when the name is the client's address: what the client said of itself.
func (c *clause) clientWords(i int) bool {
	words := strings.Fields(c.rest[i].text)
	if _, ok := eximKeys(words); ok {
		return true
	}
	switch {
	case len(words) > 1 && words[0] == "using": // MessageLabs
		return true
	case len(words) == 2 && words[0] == "account": // CommuniGate
		return len(addressesIn(words[1])) == 0
	case len(words) == 4 && words[0] == "account" && words[2] == "HELO":
		return len(addressesIn(words[1]))+len(addressesIn(words[3])) == 0
	}
	return false
}

// nameIsAddress reads from [IP] (what the client said of itself).
func (c *clause) nameIsAddress() (hop, string) {
	for _, i := range c.withAddress {
		if i != 0 {
			return hop{}, ambiguous
		}
	}
	words := strings.Fields(c.rest[0].text)
	h := hop{ip: c.literal, helo: c.name}
	switch helo, keys := eximKeys(words); {
	case keys:
		h.helo = helo
	case len(c.withAddress) > 0:
		return hop{}, ambiguous
	case words[0] == "account":
		h.helo = words[len(words)-1]
	}
	return h, ""
}

// tcpInfo reads a comment that holds the client's address. helo is empty unless
// the comment has it. Any other address in it must be what the client said in a
// key of its own, or the same one.
func tcpInfo(text string) (h hop, problem string) {
	text = strings.TrimPrefix(text, "Not Verified") // MailMarshal: (Not Verified[IP])
	words := strings.Fields(text)
	ip, rest, ok := tcpAddress(words)
	if !ok {
		return hop{}, placeless(text)
	}
	for _, w := range rest {
		key, value, isKey := strings.Cut(w, "=")
		switch {
		case isKey && (key == "helo" || key == "ident") && plainOrLiteral(value):
			if key == "helo" && h.helo == "" {
				h.helo = value
			}
		case !onlyHolds(w, ip):
			return hop{}, ambiguous
		}
	}
	h.ip = ip
	return h, ""
}

// tcpAddress finds the address in the words of a comment and returns the words
// behind it. In front of it there may be one word: the reverse name, or what an
// ident server said. It has no "=", as Exim's helo= has, which the client chose.
func tcpAddress(words []string) (ip netip.Addr, rest []string, ok bool) {
	if len(words) == 0 {
		return
	}
	if ip, bracketed, ok := address(words[0]); ok {
		if !bracketed && len(words) > 1 { // (IP [IP]): the reverse name is a number, or the address again
			second, inside, isAddress := address(words[1])
			return ip, words[2:], inside && isAddress && second == ip
		}
		return ip, words[1:], true
	}
	front, rest := words[0], words[1:]
	switch i := strings.IndexByte(front, '['); {
	case i > 0 && front[i-1] == '@': // user@[IP]: Sendmail without RDNS
		ip, _, ok = address(front[i:])
		front = front[:i]
	case len(words) == 1 && i > 0 && !strings.Contains(front[:i], "@"): // RDNS[IP]
		ip, _, ok = address(front[i:])
		front = front[:i]
	case len(words) == 1: // ident or login in front: user@IP
		at := strings.LastIndexByte(front, '@')
		ip, _, ok = address(front[at+1:])
		front = front[:max(at, 0)]
	default: // RDNS [IP]
		var bracketed bool
		ip, bracketed, ok = address(words[1])
		ok, rest = ok && bracketed, words[2:]
	}
	ok = ok && !strings.ContainsAny(front, "[]=") && len(addressesIn(front)) == 0
	return ip, rest, ok
}

// placeless says what is wrong with a comment whose address has no known place.
func placeless(text string) string {
	found := addressesIn(text)
	switch {
	case len(found) > 1:
		return ambiguous
	case len(found) == 1 && !found[0].IsValid():
		return noAddress
	}
	return unknownShape
}

// heloComment reads "HELO name" and "EHLO name"; the name may be empty.
func heloComment(text string) (helo string, ok bool) {
	verb, helo, _ := strings.Cut(text, " ")
	ok = strings.EqualFold(verb, "HELO") || strings.EqualFold(verb, "EHLO")
	return strings.TrimSpace(helo), ok
}

// eximKeys reads "helo=name port=25 ident=x".
func eximKeys(words []string) (helo string, ok bool) {
	for _, w := range words {
		key, value, found := strings.Cut(w, "=")
		switch {
		case !found || !plainOrLiteral(value):
			return "", false
		case key == "helo" && helo == "":
			helo = value
		case key != "port" && key != "ident":
			return "", false
		}
	}
	return helo, len(words) > 0
}

// plainOrLiteral reports whether s holds no address, or is one as a whole.
func plainOrLiteral(s string) bool {
	_, _, isAddress := address(s)
	return isAddress || len(addressesIn(s)) == 0
}

// onlyHolds reports whether text has no address but ip.
func onlyHolds(text string, ip netip.Addr) bool {
	for _, found := range addressesIn(text) {
		if found != ip {
			return false
		}
	}
	return true
}

// hasBrackets reports whether text has a word in square brackets, as the address
// of a client is written, whatever it says.
func hasBrackets(text string) bool {
	_, behind, found := strings.Cut(text, "[")
	return found && strings.Contains(behind, "]")
}

// loneLiteral reads "from [IP]" without a comment. Exim writes it of a client
// without RDNS that says its address in HELO; others could mean HELO alone, so
// Exim must have written the field. Its name stands in front of all that a
// client says.
func loneLiteral(from, by []part) (hop, bool) {
	if len(from) != 1 {
		return hop{}, false
	}
	ip, bracketed, ok := address(from[0].text)
	if !ok || !bracketed {
		return hop{}, false
	}
	for _, p := range by {
		switch {
		case p.is("id") || p.is("for") || p.comment && strings.HasPrefix(p.text, "envelope-from"):
			return hop{}, false
		case p.comment && strings.HasPrefix(p.text, "Exim "):
			return hop{ip: ip, helo: from[0].text}, true
		}
	}
	return hop{}, false
}

// name is the name in front of a from clause, empty where it has none.
func name(from []part) string {
	if len(from) == 0 || from[0].comment {
		return ""
	}
	return from[0].text
}

func isLiteral(p part) bool { return len(addressesIn(p.text)) > 0 }

// isSocket finds ([unix socket]), ([UNIX: /path]) and the like.
func isSocket(from []part) bool {
	for _, p := range from {
		if p.comment && strings.Contains(strings.ToLower(p.text), "[unix") {
			return true
		}
	}
	return false
}
