package dmarc

import (
	"net/url"
	"strings"

	"alignd/domain"
)

// maxURIs is how many reporting URIs of one tag are kept; ours. RFC 9989 asks
// to report to each, so the number bounds what a record can make us send.
const maxURIs = 20

// uris splits rua or ruf at its commas (a comma inside a URI is
// percent-encoded, RFC 9989 section 4.7) and returns the mailto URIs and the
// valid ones of other schemes.
func (p *parser) uris(name, value string) (mailto, other []string) {
	for item := range strings.SplitSeq(value, ",") {
		item = cutSize(trim(item))
		scheme, ok := scheme(item)
		switch {
		case !ok || scheme == "mailto" && !plausibleMailto(item):
			p.problem("invalid URI " + quote(item) + " in tag " + name)
		case len(mailto)+len(other) == maxURIs:
			p.problem("too many URIs in tag " + name)
			return mailto, other
		case scheme == "mailto":
			mailto = append(mailto, item)
		default:
			other = append(other, item)
		}
	}
	return mailto, other
}

// cutSize drops the obsolete size limit "!10m" (section 4.8, obs-dmarc-uri).
func cutSize(uri string) string {
	i := strings.LastIndexByte(uri, '!')
	if i < 0 {
		return uri
	}
	size := uri[i+1:]
	if n := len(size); n > 1 && strings.IndexByte("kmgtKMGT", size[n-1]) >= 0 {
		size = size[:n-1]
	}
	if size == "" || strings.Trim(size, "0123456789") != "" {
		return uri
	}
	return uri[:i]
}

// scheme returns the lower-case scheme of an absolute URI (RFC 3986). A bare
// "!" must be percent-encoded here.
func scheme(uri string) (string, bool) {
	if strings.ContainsAny(uri, "! \"<>\\^`{|}") {
		return "", false
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" && u.Path == "" {
		return "", false
	}
	return u.Scheme, true
}

// Mailbox is the one address of a mailto URI, and its domain, normalized (RFC 6068
// section 2, RFC 8616 section 6). Whoever looks at a URI does so by this function: what
// is asked whether it takes reports is then what gets them. A fragment has no meaning
// there and would hide what stands before it, so such a URI has none.
func Mailbox(uri string) (address, host string, ok bool) {
	text, found := strings.CutPrefix(strings.ToLower(uri[:min(len(uri), len("mailto:"))]), "mailto:")
	if !found || text != "" || strings.ContainsRune(uri, '#') {
		return "", "", false
	}
	text, _, _ = strings.Cut(uri[len("mailto:"):], "?")
	text, err := url.PathUnescape(text)
	if err != nil || !isTagValue(text) || strings.ContainsAny(text, " <>") {
		return "", "", false
	}
	at := strings.LastIndexByte(text, '@')
	if at < 1 {
		return "", "", false
	}
	if host, err = domain.Normalize(text[at+1:]); err != nil {
		return "", "", false
	}
	return text[:at] + "@" + host, host, true
}

func plausibleMailto(uri string) bool {
	_, _, ok := Mailbox(uri)
	return ok
}

// otherHosts are those of RUA whose host is neither the Policy Domain nor below it,
// nor its Organizational Domain org: they have to agree before a report goes there
// (RFC 9990 section 4). org is empty where it is not known.
func (r *Record) otherHosts(policy, org string) []string {
	var other []string
	for i, host := range r.ruaHosts {
		if host != policy && !domain.IsBelow(host, policy) && host != org {
			other = append(other, r.RUA[i])
		}
	}
	return other
}

// mailHosts are the domains of mailto URIs that plausibleMailto took.
func mailHosts(uris []string) []string {
	hosts := make([]string, len(uris))
	for i, uri := range uris {
		_, hosts[i], _ = Mailbox(uri)
	}
	return hosts
}
