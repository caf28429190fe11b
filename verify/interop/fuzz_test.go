package interop

import (
	"crypto"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/verify"
	"alignd/verify/dkim"
	"alignd/verify/internal/testsign"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

// edit changes a message: each four octets are an operation, a position and a
// value.
func edit(msg string, edits []byte) string {
	const few = 16
	lines := func() []string { return strings.SplitAfter(msg, "\r\n") }
	for n := 0; len(edits) >= 4 && n < few; n, edits = n+1, edits[4:] {
		op, at, val := edits[0], int(edits[1])<<8|int(edits[2]), edits[3]
		if len(msg) == 0 {
			return msg
		}
		i := at % len(msg)
		l := lines()
		j := at % len(l)
		switch op % 12 {
		case 0: // another octet
			msg = msg[:i] + string([]byte{val}) + msg[i+1:]
		case 1: // one more
			msg = msg[:i] + string([]byte{val}) + msg[i:]
		case 2: // one less
			msg = msg[:i] + msg[i+1:]
		case 3: // other case
			msg = msg[:i] + otherCase(msg[i:i+1]) + msg[i+1:]
		case 4: // a fold, at a blank where there is one behind
			if k := strings.IndexAny(msg[i:], " \t"); k >= 0 {
				i += k
			}
			msg = msg[:i] + "\r\n " + msg[i:]
		case 5: // blanks
			msg = msg[:i] + []string{" ", "\t", "  ", " \t "}[val%4] + msg[i:]
		case 6: // blanks at a line end
			l[j] = strings.TrimSuffix(l[j], "\r\n") + []string{" ", "\t"}[val%2] + "\r\n"
			msg = strings.Join(l, "")
		case 7: // a line twice
			msg = strings.Join(slices.Insert(l, j, l[int(val)%len(l)]), "")
		case 8: // two lines change places
			k := int(val) % len(l)
			l[j], l[k] = l[k], l[j]
			msg = strings.Join(l, "")
		case 9: // a line less
			msg = strings.Join(slices.Delete(l, j, j+1), "")
		case 10: // empty lines or blank ones at the end
			msg += strings.Repeat("\r\n", int(val)%3) + []string{"", " ", "\t\r\n"}[val%3]
		case 11: // a new field on top
			msg = []string{"X: y", "From: b@example.org", "Subject: z", "dkim-signature: v=1"}[val%4] + "\r\n" + msg
		}
	}
	return msg
}

// msgauthReadings are where go-msgauth takes a message for another one; they
// count only if we say of that one what it says.
var msgauthReadings = []struct {
	fault string
	read  func(m *parts)
}{
	{"takes a bare LF for a line end", func(m *parts) {
		*m = split(bareLF.ReplaceAllString(bareLF.ReplaceAllString(m.text(), "$1\r\n"), "$1\r\n"))
	}},
	{"takes a bare CR in a relaxed header for white space", func(m *parts) {
		if m.canon.relaxedHeader {
			for i, f := range m.fields {
				m.fields[i] = bareCR.ReplaceAllString(bareCR.ReplaceAllString(f, " $1"), " $1")
			}
		}
	}},
	{"drops blanks before a bare CR, and bare CRs at the end, when relaxed", func(m *parts) {
		if m.canon.relaxedBody {
			m.body = strings.TrimRight(blanksBeforeCR.ReplaceAllString(m.body, "$1"), " \t\r\n")
		}
	}},
	{"takes bare CRs and other white space for white space in base64", func(m *parts) {
		if i := slices.Index(m.fields, m.signature()); i >= 0 {
			m.fields[i] = otherSpace.ReplaceAllString(bareCR.ReplaceAllString(m.fields[i], "$1"), "")
		}
	}},
}

// msgauthFaults are its other departures: a predicate on the message, and our
// verdict.
var msgauthFaults = []struct {
	fault string
	ours  bool // passes
	when  func(m *parts) bool
}{
	{fault: "blanks b= in other tags", ours: true, when: func(m *parts) bool { return len(anyB.FindAllString(m.signature(), -1)) > 1 }},
	{fault: "wants an empty line after the header", ours: true, when: func(m *parts) bool { return !m.separated }},
	{fault: "wants all of the padding of base64", ours: true, when: func(m *parts) bool { return m.unpadded() }},
	{fault: "takes what has no name and colon for a field", ours: true, when: func(m *parts) bool { return m.nameless() }},
	{fault: "takes what has no name and colon for a field", when: func(m *parts) bool { return m.nameless() }},
}

var (
	blanksBeforeCR = regexp.MustCompile(`[ \t]+(\r)`)
	otherSpace     = regexp.MustCompile("[\v\f]|\u0085|\u00a0|[\u2000-\u200a]|\u2028|\u2029|\u202f|\u205f|\u3000|\u1680")
	base64Tag      = regexp.MustCompile(`[;\s]bh?\s*=([^;]*)`)
	fieldName      = regexp.MustCompile(`^[!-9;-~]+[ \t]*:`)
	anyB           = regexp.MustCompile(`b\s*=[^;]`)
)

// parts is a message in parts.
type parts struct {
	canon     canon
	fields    []string
	body      string
	separated bool // there is an empty line
}

func split(msg string) parts {
	fields, body := testsign.Split(msg)
	m := parts{fields: fields, body: body, separated: strings.Contains("\r\n"+msg, "\r\n\r\n")}
	words := canonTag.FindStringSubmatch(m.signature())
	if words != nil {
		m.canon = canon{strings.EqualFold(words[1], "relaxed"), strings.EqualFold(words[2], "relaxed")}
	}
	return m
}

var canonTag = regexp.MustCompile(`(?i)[;\s]c=(\w+)/(\w+)`)

func (m *parts) text() string {
	head := strings.Join(m.fields, "\r\n") + "\r\n"
	if !m.separated {
		return head
	}
	return head + "\r\n" + m.body
}

// signature is the topmost signature field, or "".
func (m *parts) signature() string {
	for _, f := range m.fields {
		if name, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimRight(name, " \t"), "dkim-signature") {
			return f
		}
	}
	return ""
}

// unpadded reports whether b= or bh= is not a multiple of four characters long.
func (m *parts) unpadded() bool {
	for _, tag := range base64Tag.FindAllStringSubmatch(m.signature(), -1) {
		if len(strings.Join(strings.Fields(tag[1]), ""))%4 != 0 {
			return true
		}
	}
	return false
}

// nameless reports whether something in the header does not begin with a field
// name and a colon (RFC 5322 sections 2.2 and 4.5).
func (m *parts) nameless() bool {
	return slices.ContainsFunc(m.fields, func(f string) bool { return !fieldName.MatchString(f) })
}

// msgauthErrs says why go-msgauth's verdict is not ours, or "". One reading
// after the other is applied to m, until ours of what is read is theirs or a
// fault explains the difference.
func msgauthErrs(m *parts, theirs bool, verdict func(string) evidence.Signature) string {
	var why []string
	for next := 0; ; next++ {
		passes := verdict(m.text()).Result == evidence.Pass
		if passes == theirs {
			return strings.Join(why, ", and ")
		}
		for _, d := range msgauthFaults {
			if d.ours == passes && d.when(m) {
				return strings.Join(append(why, d.fault), ", and ")
			}
		}
		if next == len(msgauthReadings) {
			return ""
		}
		before := m.text()
		if msgauthReadings[next].read(m); m.text() != before {
			why = append(why, msgauthReadings[next].fault)
		}
	}
}

var fuzzKey = testsign.Ed25519('f')

// byMsgauth is the verdict of go-msgauth on the topmost signature.
func byMsgauth(msg string) (passes bool, complaint error) {
	vs, err := msgauth.VerifyWithOptions(strings.NewReader(msg), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if strings.EqualFold(name, keyName) {
			return []string{fuzzKey.Record()}, nil
		}
		return nil, errors.New("no such name")
	}})
	if err != nil || len(vs) == 0 {
		return false, err
	}
	return vs[0].Err == nil, vs[0].Err
}

// FuzzVerifyAgainstMsgauth signs what the fuzzer wrote with go-msgauth and
// edits the signed message: both verifiers must then agree, or the message
// must be one where go-msgauth is known to err. (FuzzOracle of package dkim
// varies the tags, and signs them.)
func FuzzVerifyAgainstMsgauth(f *testing.F) {
	list := forms()
	for i, form := range list {
		f.Add(byte(i), form.head, form.body, []byte{})
		f.Add(byte(i), form.head, form.body, []byte{byte(i), byte(i * 7), byte(i * 31), byte(i * 3)})
		f.Add(byte(i+1), form.head, form.body, []byte{5, 0, byte(i), 1, 4, 1, byte(i * 5), 0})
	}
	record := keys{keyName: fuzzKey.Record()}
	zone := record.zone(f)
	var counts tally
	// go-msgauth passes signatures over one of several fields of a name.
	opt := &verify.Options{DKIM: dkim.Options{AcceptPartlySigned: true}}
	verdict := func(msg string) evidence.Signature { return topmost(ours(zone, opt, msg, 50)) }
	f.Fuzz(func(t *testing.T, c byte, head, body string, edits []byte) {
		head = strings.ReplaceAll(strings.TrimLeft(head, " \t\r\n"), "\r\n\r\n", "\r\n")
		if len(head)+len(body) > 1<<16 || !strings.Contains(strings.ToLower(head), "from:") {
			return
		}
		var out strings.Builder
		err := msgauth.Sign(&out, strings.NewReader(strings.TrimRight(head, "\r\n")+"\r\n\r\n"+body), &msgauth.SignOptions{
			Domain: "example.com", Selector: "sel", Signer: fuzzKey.Signer(), Hash: crypto.SHA256, HeaderKeys: []string{"From", "Subject", "To", "From"},
			HeaderCanonicalization: msgauth.Canonicalization(word(c&1 != 0)), BodyCanonicalization: msgauth.Canonicalization(word(c&2 != 0)),
		})
		if err != nil {
			return
		}
		msg := edit(out.String(), edits)
		got := verdict(msg)
		theirs, complaint := byMsgauth(msg)
		passes := got.Result == evidence.Pass
		if passes == theirs {
			return
		}
		m := split(msg)
		if why := msgauthErrs(&m, theirs, verdict); why != "" {
			counts.add(why)
			return
		}
		t.Errorf("%q\nours %s (%s), go-msgauth %v (%v)\nread as %q", msg, got.Result, got.Reason, theirs, complaint, m.text())
	})
	counts.logFuzz(f)
}
