package policy

import (
	"strconv"
	"strings"
)

// replyKind says which template a verdict uses.
type replyKind uint8

const (
	replyNone replyKind = iota
	replyDMARC
	replySPF
	replyFrom
	replyBlock
	replyTempError
	replyDefer
	replyLimit
	replyInternal
	replyUnauthenticated
	replyPermError
	replyInternalReject // for OnError Reject; fixed
	replyKinds
)

// replies holds the parsed templates.
type replies struct {
	kinds [replyKinds]replyTemplate
	url   []part
}

type replyTemplate struct {
	code     int
	enhanced string
	text     []part
	reason   bool // text holds {reason}
}

// part is constant text, or else the placeholder of that name.
type part struct{ text, name string }

// values fill the placeholders of one reply.
type values struct{ domain, reason, token, url string }

// maxReplyLine is the longest reply line, with code and CRLF, in octets.
// RFC 5321 section 4.5.3.1.5. What is longer is cut.
const maxReplyLine = 512

// maxValue is how much of one placeholder's value is used; ours.
const maxValue = 256

func (c *compiler) repliesOf(spec *Spec) {
	c.rules.tag = spec.Tag
	fill(&c.rules.tag.Name, "X-Alignd-Disposition")
	fill(&c.rules.tag.Value, "quarantine")
	c.tagField()

	c.rules.replies.kinds[replyInternalReject] = replyTemplate{code: 550, enhanced: "5.3.0",
		text: []part{{text: "Email rejected: it could not be evaluated"}}}
	c.rules.replies.url = c.template(entryRef{kind: "reply url", option: "replies.url"}, "", spec.Replies.URL, "domain", "token")
	set, def := &spec.Replies, DefaultReplies()
	for _, t := range []struct {
		name string
		kind replyKind
		set  ReplyTemplate
		def  ReplyTemplate
	}{
		{"dmarc", replyDMARC, set.DMARC, def.DMARC},
		{"spf", replySPF, set.SPF, def.SPF},
		{"unauthenticated", replyUnauthenticated, set.Unauthenticated, def.Unauthenticated},
		{"permerror", replyPermError, set.PermError, def.PermError},
		{"from", replyFrom, set.From, def.From},
		{"block", replyBlock, set.Block, def.Block},
		{"temperror", replyTempError, set.TempError, def.TempError},
		{"defer", replyDefer, set.Defer, def.Defer},
		{"limit", replyLimit, set.Limit, def.Limit},
		{"internal", replyInternal, set.Internal, def.Internal},
	} {
		c.reply(entryRef{kind: "reply " + t.name, option: "replies." + t.name}, t.kind, t.set, t.def)
	}
}

// DefaultReplies are the replies where nothing else is set.
func DefaultReplies() Replies {
	return Replies{
		DMARC:           ReplyTemplate{550, "5.7.26", "Email rejected per DMARC policy for {domain}"},
		Unauthenticated: ReplyTemplate{550, "5.7.26", "Email rejected: it is not authenticated as mail of {domain}"},
		PermError:       ReplyTemplate{550, "5.7.26", "Email rejected: the DMARC record for {domain} cannot be used"},
		SPF:             ReplyTemplate{550, "5.7.23", "Email rejected: SPF of {domain} does not allow the client"},
		From:            ReplyTemplate{550, "5.6.0", "Email rejected: {reason}"},
		Block:           ReplyTemplate{550, "5.7.1", "Email rejected by local policy"},
		TempError:       ReplyTemplate{451, "4.7.1", "Temporary DNS failure while checking {domain}, try again later"},
		Defer:           ReplyTemplate{451, "4.7.1", "Email deferred by local policy, try again later"},
		Limit:           ReplyTemplate{550, "5.7.1", "Email rejected: {reason}"},
		Internal:        ReplyTemplate{451, "4.3.0", "Temporary internal failure, try again later"},
	}
}

// reply checks one template. Code and enhanced code are given together or not
// at all, and their classes agree with what the default does.
func (c *compiler) reply(e entryRef, kind replyKind, set, def ReplyTemplate) {
	if set.Code == 0 && set.Enhanced == "" {
		set.Code, set.Enhanced = def.Code, def.Enhanced
	}
	fill(&set.Text, def.Text)
	if set.Code/100 != def.Code/100 || set.Code%100 > 59 {
		c.fault(e, "code", "%d is not a %dyz reply", set.Code, def.Code/100)
	}
	if set.Code == 421 || set.Code == 521 {
		c.fault(e, "code", "%d would end the whole session", set.Code)
	}
	if !isEnhanced(set.Enhanced) || set.Enhanced[0]-'0' != byte(def.Code/100) {
		c.fault(e, "enhanced", "%q is not of the form %d.x.y", set.Enhanced, def.Code/100)
	}
	c.rules.replies.kinds[kind] = replyTemplate{code: set.Code, enhanced: set.Enhanced,
		text: c.template(e, "text", set.Text, "domain", "reason", "token", "url"), reason: strings.Contains(set.Text, "{reason}")}
}

// isEnhanced reports whether s is an enhanced status code: its numbers have one to three
// digits and no leading zeros (RFC 3463 section 2). The milter server sends no other.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n > 999 || strconv.FormatUint(n, 10) != p {
			return false
		}
	}
	return true
}

// template parses text, the value of key, with {name} placeholders.
func (c *compiler) template(e entryRef, key, text string, names ...string) []part {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			c.fault(e, key, "holds a character that is not printable US-ASCII")
			return nil
		}
	}
	if len(text) > maxReplyLine {
		c.fault(e, key, "is longer than %d octets", maxReplyLine)
		return nil
	}
	var parts []part
	for text != "" {
		open := strings.IndexAny(text, "{}")
		if open < 0 {
			return append(parts, part{text: text})
		}
		if open > 0 {
			parts = append(parts, part{text: text[:open]})
		}
		text = text[open:]
		name, ok := "", false
		for _, n := range names {
			if strings.HasPrefix(text, "{"+n+"}") {
				name, ok = n, true
			}
		}
		if !ok {
			c.fault(e, key, "knows only the placeholders {%s}", strings.Join(names, "} {"))
			return nil
		}
		parts = append(parts, part{name: name})
		text = text[len(name)+2:]
	}
	return parts
}

// expand fills the placeholders.
func expand(parts []part, v values) string {
	var b strings.Builder
	for _, p := range parts {
		switch p.name {
		case "":
			b.WriteString(p.text)
		case "domain":
			b.WriteString(v.domain)
		case "reason":
			b.WriteString(v.reason)
		case "token":
			b.WriteString(v.token)
		case "url":
			b.WriteString(v.url)
		}
	}
	return b.String()
}

// render makes the reply. Values from outside are cleaned first, so whatever
// they hold the result is one line of printable US-ASCII.
func (r *replies) render(kind replyKind, v values) Reply {
	t := &r.kinds[kind]
	v.domain, v.reason, v.token = word(v.domain), clean(v.reason, maxValue), word(v.token)
	v.url = expand(r.url, v)
	text := strings.TrimSpace(expand(t.text, v))
	if room := maxReplyLine - len("550 ") - len(t.enhanced) - len(" ") - len("\r\n"); len(text) > room {
		text = text[:room]
	}
	return Reply{Code: t.code, Enhanced: t.enhanced, Text: text}
}

// clean keeps printable US-ASCII and replaces all else by "?".
func clean(s string, limit int) string {
	return keep(s, limit, func(c byte) bool { return ' ' <= c && c <= '~' })
}

// word keeps letters, digits and "-_.:", so the result can stand in a URL too.
func word(s string) string {
	return keep(s, maxValue, func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == ':'
	})
}

func keep(s string, limit int, ok func(byte) bool) string {
	if len(s) > limit {
		s = s[:limit]
	}
	for i := 0; i < len(s); i++ {
		if !ok(s[i]) {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if !ok(b[j]) {
					b[j] = '?'
				}
			}
			return string(b)
		}
	}
	return s
}

// tagField refuses a field name that would delete something else from
// incoming mail, and a value that does not fit one line.
func (c *compiler) tagField() {
	e := entryRef{kind: "tag", option: "tag"}
	t := &c.rules.tag
	if len(t.Name) < 3 || len(t.Name) > 60 || !strings.EqualFold(t.Name[:2], "X-") || word(t.Name) != t.Name || strings.ContainsAny(t.Name, ":") {
		c.fault(e, "name", "%q is not a field name that begins with X-; incoming fields of that name are deleted", t.Name)
	}
	if clean(t.Value, 200) != t.Value || strings.TrimSpace(t.Value) != t.Value {
		c.fault(e, "value", "%q is not printable US-ASCII of at most 200 octets", t.Value)
	}
}
