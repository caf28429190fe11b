package failure

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/header"
)

// Bounds of what is taken of a header section; ours. What is beyond is left out.
const (
	maxHeader    = 16 << 10 // octets
	maxOfName    = 3        // fields of one name
	maxAddresses = 10       // of one field
	maxHops      = 20
	maxSigned    = 10 // DKIM-Signature fields
	maxTag       = 2000
	maxValue     = 64 << 10 // octets of one field that are looked at
	maxLocal     = 320      // octets of a local part, or of a domain, that are
	maxTried     = 200      // places of one field that may be an address
)

// Redactor puts keyed hashes in the place of local parts (RFC 6590 section 3). One local
// part has one hash in all reports to a Policy Domain, and another one in those to others,
// so that two who get reports cannot compare what they have.
type Redactor struct {
	Key   []byte
	About string // the Policy Domain
}

var hashText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// local is the hash of a local part: 80 bits.
func (r *Redactor) local(local, host string) string {
	m := hmac.New(sha256.New, r.Key)
	m.Write([]byte("failure report\x00" + r.About + "\x00" + strings.ToLower(local) + "\x00" + host))
	return hashText.EncodeToString(m.Sum(nil)[:10])
}

// address is one with its local part redacted; empty where it has no domain that can be
// told.
func (r *Redactor) address(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	host, err := domain.Normalize(address[at+1:])
	if err != nil || !strings.Contains(host, ".") {
		return ""
	}
	return r.local(address[:at], host) + "@" + host
}

// identity is an AUID (RFC 6376 section 3.5); empty where it cannot be told.
func (r *Redactor) identity(auid string) string {
	if name, bare := strings.CutPrefix(auid, "@"); bare {
		if host, err := domain.Normalize(name); err == nil {
			return "@" + host
		}
		return ""
	}
	return r.address(auid)
}

// addresses finds what reads as address in a field, however it is written, and leaves out
// all the rest: names, comments, encoded words.
func (r *Redactor) addresses(value []byte) (list []string) {
	value = value[:min(len(value), maxValue)]
	tried := 0
	for i, c := range value {
		if c != '@' {
			continue
		}
		if tried++; tried > maxTried || len(list) >= maxAddresses {
			break
		}
		end := i + 1
		for end < len(value) && end-i < maxLocal && isHost(value[end]) {
			end++
		}
		if a := r.address(string(value[localStart(value, i):end])); a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// isHost: of a domain, also one in UTF-8.
func isHost(c byte) bool {
	return c == '.' || c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
}

// localStart is where the local part before the "@" at i begins. None of it is told, so
// one that is too long is cut.
func localStart(value []byte, i int) int {
	least := max(0, i-maxLocal)
	if i > 0 && value[i-1] == '"' {
		for j := i - 2; j >= least; j-- {
			if value[j] == '"' && (j == 0 || value[j-1] != '\\') {
				return j
			}
		}
	}
	for i > least && !strings.ContainsRune(" \t\r\n<>,;:()[]\"@", rune(value[i-1])) {
		i--
	}
	return i
}

// Field is a header field, without line ends.
type Field struct{ Name, Value string }

// header is the header section of a message as it may leave: hosts, dates, domains,
// signatures. Subject, names, lists and what the message's own programs add are left out.
func (r *Redactor) header(ev *evidence.Message, h *header.Fields) []Field {
	b := builder{}
	for i := range ev.Received[:min(len(ev.Received), maxHops)] {
		b.add("Received", received(&ev.Received[i]))
	}
	for _, at := range first(h, "DKIM-Signature", maxSigned) {
		b.add("DKIM-Signature", r.signature(h.At(at).Value()))
	}
	for _, name := range []string{"From", "Sender", "Reply-To", "To", "Cc"} {
		for _, at := range first(h, name, maxOfName) {
			if list := r.addresses(h.At(at).Value()); len(list) > 0 {
				b.add(name, "<"+strings.Join(list, ">, <")+">")
			}
		}
	}
	for _, at := range first(h, "Date", 1) {
		if t, err := mail.ParseDate(text(h.At(at).Value())); err == nil {
			b.add("Date", t.Format(time.RFC1123Z))
		}
	}
	if id := r.addresses([]byte(ev.MessageID)); len(id) > 0 {
		b.add("Message-ID", "<"+id[0]+">")
	}
	for _, at := range first(h, "Content-Type", 1) {
		if w := word(h.At(at).Value()); isMediaType.MatchString(w) {
			b.add("Content-Type", w)
		}
	}
	return b.fields
}

var isMediaType = regexp.MustCompile(`^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$`)

// builder gathers fields within maxHeader.
type builder struct {
	fields []Field
	octets int
}

func (b *builder) add(name, value string) {
	if n := len(name) + len(value) + 4; value != "" && b.octets+n <= maxHeader {
		b.octets += n
		b.fields = append(b.fields, Field{name, value})
	}
}

func first(h *header.Fields, name string, most int) []int {
	list := h.Named(name)
	return list[:min(len(list), most)]
}

func text(value []byte) string {
	return strings.TrimSpace(strings.ReplaceAll(string(value[:min(len(value), 200)]), "\r\n", ""))
}

// received is what a Received field says of hosts: "for", "with", ids and comments are
// left out, as recipients and logins stand there.
func received(hop *evidence.Hop) string {
	s := ""
	if hop.From != "" {
		s = "from " + host(hop.From)
	}
	if hop.Addr.IsValid() {
		s += " ([" + hop.Addr.WithZone("").String() + "])"
	}
	if hop.By != "" {
		s += " by " + host(hop.By)
	}
	if s == "" {
		return ""
	}
	if !hop.Time.IsZero() {
		s += "; " + hop.Time.UTC().Format(time.RFC1123Z)
	}
	return strings.TrimSpace(s)
}

var isHostName = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]{1,255}$`)

func host(name string) string {
	if !isHostName.MatchString(name) {
		return "unknown"
	}
	return name
}

// signatureTags are the tags that are told. z= holds copies of fields (RFC 6376 section
// 3.5), and what is not known may hold anything.
var signatureTags = []string{"v", "a", "c", "d", "s", "t", "x", "q", "l", "h", "bh", "b"}

// signature is a DKIM-Signature with its AUID redacted.
func (r *Redactor) signature(value []byte) string {
	var tags []string
	for tag := range strings.SplitSeq(string(value[:min(len(value), maxValue)]), ";") {
		name, v, ok := strings.Cut(tag, "=")
		name, v = strings.TrimSpace(name), strings.Join(strings.Fields(v), "")
		switch {
		case !ok || len(v) > maxTag || strings.ContainsFunc(v, notTag):
		case name == "i":
			if a := r.identity(v); a != "" {
				tags = append(tags, "i="+a)
			}
		case strings.Contains(v, "@"): // none of the others has one
		case slices.Contains(signatureTags, name):
			tags = append(tags, name+"="+breakable(v))
		}
		if len(tags) > 20 {
			break
		}
	}
	return strings.Join(tags, "; ")
}

func notTag(c rune) bool { return c <= ' ' || c > '~' }

// breakable has spaces where a tag may be folded.
func breakable(v string) string {
	var b strings.Builder
	for len(v) > 70 {
		b.WriteString(v[:70] + " ")
		v = v[70:]
	}
	return b.String() + v
}
