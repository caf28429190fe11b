package interop

import (
	"regexp"
	"slices"
	"strings"

	"alignd/verify/internal/testsign"
)

// effect says when a changed message still verifies.
type effect int

const (
	never effect = iota
	whenRelaxedHeader
	whenRelaxedBody
	always
)

func (e effect) survives(c canon) bool {
	return e == always || e == whenRelaxedHeader && c.relaxedHeader || e == whenRelaxedBody && c.relaxedBody
}

// draft is a signed message in parts, or its key, to be changed.
type draft struct {
	*signed
	field  string   // the signature, without CRLF
	fields []string // the others, without CRLF
	body   string
	keys   keys
}

func (s *signed) draft() *draft {
	fields, body := testsign.Split(s.text())
	return &draft{signed: s, field: fields[0], fields: fields[1:], body: body, keys: keys{keyName: s.signer.key.record}}
}

func (d *draft) message() string {
	head := d.field + "\r\n" + strings.Join(d.fields, "\r\n") + "\r\n"
	if d.form.noBody {
		return head
	}
	return head + "\r\n" + d.body
}

// at returns the position in fields of the bottom-most field of a name, or -1.
func (d *draft) at(name string) int {
	for i := len(d.fields) - 1; i >= 0; i-- {
		got, _, _ := strings.Cut(d.fields[i], ":")
		if strings.EqualFold(strings.TrimRight(got, " \t"), name) {
			return i
		}
	}
	return -1
}

// from is the signed From field; every form has one.
func (d *draft) from() *string { return &d.fields[d.at("from")] }

// h is h= of the signature.
func (d *draft) h() []string {
	value := regexp.MustCompile(`[;\s]h=([^;]*)`).FindStringSubmatch(d.field)
	return strings.FieldsFunc(strings.ToLower(value[1]), func(r rune) bool { return strings.ContainsRune(": \t\r\n", r) })
}

// surplus reports whether h= names From more often than it is there.
func (d *draft) surplus() bool {
	there := 0
	for _, f := range d.fields {
		if name, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimSpace(name), "from") {
			there++
		}
	}
	for _, name := range d.h() {
		if name == "from" {
			there--
		}
	}
	return there < 0
}

// change is one small change to a signed message. make reports whether the
// message has what is to be changed.
type change struct {
	name   string
	effect effect
	make   func(d *draft) bool
}

var (
	letter    = regexp.MustCompile(`[A-Za-z]`)
	blank     = regexp.MustCompile(`[ \t]`)
	space     = regexp.MustCompile(` `)
	lineEnd   = regexp.MustCompile(`\r\n`)
	innerGap  = regexp.MustCompile(`[!-9;-~] [!-9;-~]`)
	sigSpace  = regexp.MustCompile(`; [a-z]`)
	signTime  = regexp.MustCompile(`[;\s]t=\d+`)
	nonEmpty  = regexp.MustCompile(`[^\r\n \t]`)
	otherCase = func(s string) string {
		if up := strings.ToUpper(s); up != s {
			return up
		}
		return strings.ToLower(s)
	}
)

// replace puts text in place of s[i:j].
func replace(s *string, i, j int, text string) bool {
	*s = (*s)[:i] + text + (*s)[j:]
	return true
}

// first replaces the first match.
func first(s *string, re *regexp.Regexp, with func(string) string) bool {
	m := re.FindStringIndex(*s)
	return m != nil && replace(s, m[0], m[1], with((*s)[m[0]:m[1]]))
}

// last replaces the last match.
func last(s *string, re *regexp.Regexp, with func(string) string) bool {
	all := re.FindAllStringIndex(*s, -1)
	if len(all) == 0 {
		return false
	}
	m := all[len(all)-1]
	return replace(s, m[0], m[1], with((*s)[m[0]:m[1]]))
}

func is(text string) func(string) string { return func(string) string { return text } }

// shift turns a letter into another one.
func shift(s string) string { return string(s[0] ^ 1 | 0x40) }

// tagValue returns where the value of a tag begins, behind the colon of a
// field or in a bare list.
func tagValue(s, tag string) int {
	at := strings.Index(s, ":") + 1
	if strings.HasPrefix(s, "v=DKIM1") {
		at = 0
	}
	for part := range strings.SplitSeq(s[at:], ";") {
		if name, _, ok := strings.Cut(part, "="); ok && strings.TrimSpace(name) == tag {
			return at + len(name) + 1
		}
		at += len(part) + 1
	}
	panic("no tag " + tag + " in " + s)
}

// base64At changes a base64 character n places into a tag, without touching
// the folds.
func base64At(s *string, tag string, n int) bool {
	for i := tagValue(*s, tag); i < len(*s); i++ {
		if strings.IndexByte(" \t\r\n", (*s)[i]) >= 0 {
			continue
		}
		if n--; n < 0 {
			c := "A"
			if (*s)[i] == 'A' {
				c = "B"
			}
			return replace(s, i, i+1, c)
		}
	}
	return false
}

var changes = slices.Concat(bodyChanges, headerChanges, signatureChanges, keyChanges)

var bodyChanges = []change{
	{name: "a letter of the body changes", effect: never, make: func(d *draft) bool { return first(&d.body, letter, shift) }},
	{name: "the last letter of the body changes", effect: never, make: func(d *draft) bool { return last(&d.body, letter, shift) }},
	{name: "a letter of the body goes", effect: never, make: func(d *draft) bool { return first(&d.body, letter, is("")) }},
	{name: "a letter of the body gets its high bit", effect: never, make: func(d *draft) bool {
		return first(&d.body, letter, func(s string) string { return string([]byte{s[0] | 0x80}) })
	}},
	{name: "an octet comes after the body", effect: never, make: func(d *draft) bool {
		d.body += "x"
		return !d.form.noBody
	}},
	{name: "an empty line comes before the body", effect: never, make: func(d *draft) bool {
		had := nonEmpty.MatchString(d.body)
		d.body = "\r\n" + d.body
		return had
	}},
	{name: "a bare CR comes into the body", effect: never, make: func(d *draft) bool {
		return first(&d.body, letter, func(s string) string { return s + "\r" })
	}},
	{name: "a line end of the body loses its CR", effect: never, make: func(d *draft) bool { return first(&d.body, lineEnd, is("\n")) }},
	{name: "a line end of the body loses its LF", effect: never, make: func(d *draft) bool { return first(&d.body, lineEnd, is("\r")) }},
	{name: "a NUL comes into the body", effect: never, make: func(d *draft) bool {
		return first(&d.body, letter, func(s string) string { return s + "\x00" })
	}},
	{name: "a blank of the body doubles", effect: whenRelaxedBody, make: func(d *draft) bool {
		return first(&d.body, blank, func(s string) string { return s + " " })
	}},
	{name: "a space of the body becomes a tab", effect: whenRelaxedBody, make: func(d *draft) bool { return first(&d.body, space, is("\t")) }},
	{name: "a space comes at a line end of the body", effect: whenRelaxedBody,
		make: func(d *draft) bool { return first(&d.body, lineEnd, is(" \r\n")) }},
	{name: "a line of one tab comes after the body", effect: whenRelaxedBody, make: func(d *draft) bool {
		ended := d.body == "" || strings.HasSuffix(d.body, "\r\n")
		d.body += "\t\r\n"
		return ended && !d.form.noBody
	}},
	{name: "an empty line comes after the body", effect: always, make: func(d *draft) bool {
		d.body += "\r\n"
		return !d.form.noBody
	}},
	{name: "the last line end of the body goes", effect: always, make: func(d *draft) bool {
		had := strings.HasSuffix(d.body, "\r\n")
		d.body = strings.TrimSuffix(d.body, "\r\n")
		return had
	}},
}

var headerChanges = []change{
	{name: "a letter of a signed field changes", effect: never, make: func(d *draft) bool { return last(d.from(), letter, shift) }},
	{name: "a letter of a signed field changes its case", effect: never, make: func(d *draft) bool { return last(d.from(), letter, otherCase) }},
	{name: "a blank of a signed field goes", effect: never, make: func(d *draft) bool {
		return first(d.from(), innerGap, func(s string) string { return s[:1] + s[2:] })
	}},
	{name: "a signed field gets another name", effect: never, make: func(d *draft) bool { return first(d.from(), letter, is("Z")) }},
	{name: "a signed field goes", effect: never, make: func(d *draft) bool {
		i := d.at("subject")
		if i < 0 {
			return false
		}
		d.fields = slices.Delete(d.fields, i, i+1)
		return true
	}},
	{name: "a From field comes, though h= has a surplus one", effect: never, make: func(d *draft) bool {
		surplus := d.surplus()
		d.fields = append([]string{"From: other@example.org"}, d.fields...)
		return surplus
	}},
	{name: "signed fields of one name change places", effect: never, make: func(d *draft) bool {
		b := d.at("subject")
		for a := range max(b, 0) {
			if name, _, _ := strings.Cut(d.fields[a], ":"); strings.EqualFold(name, "subject") {
				d.fields[a], d.fields[b] = d.fields[b], d.fields[a]
				return true
			}
		}
		return false
	}},
	{name: "the name of a signed field changes its case", effect: whenRelaxedHeader,
		make: func(d *draft) bool { return first(d.from(), letter, otherCase) }},
	{name: "a blank of a signed field doubles", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(d.from(), innerGap, func(s string) string { return s[:1] + "\t" + s[1:] })
	}},
	{name: "a signed field is folded", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(d.from(), innerGap, func(s string) string { return s[:1] + "\r\n" + s[1:] })
	}},
	{name: "a blank comes at the end of a signed field", effect: whenRelaxedHeader, make: func(d *draft) bool {
		*d.from() += " "
		return true
	}},
	{name: "a blank comes before the colon", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(d.from(), regexp.MustCompile(":"), is(" :"))
	}},
	{name: "a blank comes after the colon", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(d.from(), regexp.MustCompile(":"), is(":\t"))
	}},
	{name: "an unsigned field comes", effect: always, make: func(d *draft) bool {
		d.fields = append([]string{"X-Unsigned: here"}, d.fields...)
		return true
	}},
	{name: "a From field comes above, and h= has no surplus one", effect: always, make: func(d *draft) bool {
		surplus := d.surplus()
		d.fields = append([]string{"From: other@example.org"}, d.fields...)
		return !surplus
	}},
	{name: "signed fields of different names change places", effect: always, make: func(d *draft) bool {
		a, b := d.at("from"), d.at("subject")
		if b < 0 {
			return false
		}
		d.fields[a], d.fields[b] = d.fields[b], d.fields[a]
		for i := min(a, b) + 1; i < max(a, b); i++ {
			if name, _, _ := strings.Cut(d.fields[i], ":"); strings.EqualFold(name, "from") || strings.EqualFold(name, "subject") {
				return false // it would pass another one of its name
			}
		}
		return true
	}},
}

var signatureChanges = []change{
	{name: "a character of b= changes", effect: never, make: func(d *draft) bool { return base64At(&d.field, "b", 40) }},
	{name: "the first character of b= changes", effect: never, make: func(d *draft) bool { return base64At(&d.field, "b", 0) }},
	{name: "a character of bh= changes", effect: never, make: func(d *draft) bool { return base64At(&d.field, "bh", 20) }},
	{name: "t= changes", effect: never, make: func(d *draft) bool {
		return first(&d.field, signTime, func(s string) string {
			if n := len(s) - 1; s[n] == '0' {
				return s[:n] + "1"
			}
			return s[:len(s)-1] + "0"
		})
	}},
	{name: "s= changes", effect: never, make: func(d *draft) bool { return first(&d.field, regexp.MustCompile(`s=sel`), is("s=sez")) }},
	{name: "d= changes its case", effect: never, make: func(d *draft) bool { return first(&d.field, regexp.MustCompile(`d=e`), is("d=E")) }},
	{name: "c= changes", effect: never, make: func(d *draft) bool {
		return first(&d.field, regexp.MustCompile(`c=[a-z]+`), is("c="+word(!d.canon.relaxedHeader)))
	}},
	{name: "a= changes", effect: never, make: func(d *draft) bool {
		if strings.Contains(d.field, "a=rsa-sha256") {
			return first(&d.field, regexp.MustCompile("a=rsa-sha256"), is("a=rsa-sha1"))
		}
		return first(&d.field, regexp.MustCompile("a=ed25519-sha256"), is("a=rsa-sha256"))
	}},
	{name: "a name in h= changes its case", effect: never, make: func(d *draft) bool {
		return first(&d.field, regexp.MustCompile(`[;\s]h=[A-Za-z]`), func(s string) string {
			return s[:len(s)-1] + otherCase(s[len(s)-1:])
		})
	}},
	{name: "a name in h= is left out", effect: never, make: func(d *draft) bool {
		return first(&d.field, regexp.MustCompile(`(?i):\s*subject\b`), is(""))
	}},
	{name: "a tag comes", effect: never, make: func(d *draft) bool {
		return first(&d.field, regexp.MustCompile(`v=1;`), is("v=1; foo=bar;"))
	}},
	{name: "a blank of the signature field doubles", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(&d.field, sigSpace, func(s string) string { return ";  " + s[2:] })
	}},
	{name: "the signature field's name changes its case", effect: whenRelaxedHeader,
		make: func(d *draft) bool { return first(&d.field, letter, otherCase) }},
	{name: "a blank comes at the end of a tag value", effect: whenRelaxedHeader, make: func(d *draft) bool {
		return first(&d.field, regexp.MustCompile(`d=example.com; `), is("d=example.com;\t "))
	}},
	{name: "b= is folded anew", effect: always, make: func(d *draft) bool {
		at := tagValue(d.field, "b") + 10
		return replace(&d.field, at, at, "\r\n\t")
	}},
}

var keyChanges = []change{
	{name: "a character of the key changes", effect: never, make: func(d *draft) bool {
		record := d.keys[keyName]
		n := 20
		if d.signer.key.algorithm == "rsa-sha256" {
			n = 100
		}
		ok := base64At(&record, "p", n)
		d.keys = keys{keyName: record}
		return ok
	}},
	{name: "the key is revoked", effect: never, make: func(d *draft) bool {
		record, _, _ := strings.Cut(d.keys[keyName], "p=")
		d.keys = keys{keyName: record + "p="}
		return true
	}},
	{name: "there is no key", effect: never, make: func(d *draft) bool {
		d.keys = keys{"other._domainkey.example.com": d.keys[keyName]}
		return true
	}},
	{name: "the key is for another algorithm", effect: never, make: func(d *draft) bool {
		other := strings.NewReplacer("k=rsa", "k=ed25519", "k=ed25519", "k=rsa")
		d.keys = keys{keyName: other.Replace(d.keys[keyName])}
		return true
	}},
	{name: "the key is not for email", effect: never, make: func(d *draft) bool {
		d.keys = keys{keyName: "s=other; " + d.keys[keyName][len("v=DKIM1; "):]}
		return true
	}},
	{name: "the key is for sha1", effect: never, make: func(d *draft) bool {
		d.keys = keys{keyName: "v=DKIM1; h=sha1; " + strings.Replace(d.keys[keyName][len("v=DKIM1; "):], "h=sha256; ", "", 1)}
		return true
	}},
	{name: "the key is of another version", effect: never, make: func(d *draft) bool {
		d.keys = keys{keyName: strings.Replace(d.keys[keyName], "v=DKIM1", "v=DKIM2", 1)}
		return true
	}},
	{name: "the key is a test key", effect: always, make: func(d *draft) bool {
		d.keys = keys{keyName: d.keys[keyName] + "; t=y"}
		return true
	}},
	{name: "the key record has tags unknown", effect: always, make: func(d *draft) bool {
		d.keys = keys{keyName: d.keys[keyName] + "; n=a note; foo=bar"}
		return true
	}},
}
