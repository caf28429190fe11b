package interop

import (
	"fmt"
	"slices"
	"strings"

	"alignd/verify/internal/testsign"
)

// form is one way a message can look and be signed.
type form struct {
	name string
	head string // fields, each with CRLF
	body string
	// noBody: the message ends with its last field, without an empty line.
	noBody bool

	names     []string // h=; nil: from, subject, to, date
	oversign  []string // further names in h=
	length    length   // l=
	identity  string   // i=
	copied    bool     // z=
	lifetime  bool     // x=
	signature bool     // a form of the signature, not of the message
}

// length says what l= covers.
type length int

const (
	noLength length = iota
	wholeLength
	partLength // the first octet of the canonical body
)

// canon is a pair of canonicalizations.
type canon struct{ relaxedHeader, relaxedBody bool }

var canons = []canon{{false, false}, {false, true}, {true, false}, {true, true}}

func word(relaxed bool) string {
	if relaxed {
		return "relaxed"
	}
	return "simple"
}

func (c canon) String() string { return word(c.relaxedHeader) + "/" + word(c.relaxedBody) }

// body is the canonical body.
func (c canon) body(text string) string {
	if c.relaxedBody {
		return testsign.RelaxedBody(text)
	}
	return testsign.SimpleBody(text)
}

const (
	plainHead = "From: A U Thor <author@example.com>\r\nTo: reader@example.net\r\nSubject: plain text here\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
	plainBody = "The quick brown fox\r\njumps over the lazy dog.\r\n"
)

// forms lists every form that is signed, each with the four canonicalizations.
func forms() []form {
	var all []form
	for _, b := range bodies {
		all = append(all, form{name: b[0], head: plainHead, body: b[1]})
	}
	for _, h := range heads {
		all = append(all, form{name: h.name, head: h.text, body: plainBody, names: h.names})
	}
	all = append(all, signatures...)
	for i := range all {
		if all[i].names == nil {
			all[i].names = []string{"from", "subject", "to", "date"}
		}
	}
	return all
}

// bodies are names and bodies below a plain header.
var bodies = [][2]string{
	{"an empty body", ""},
	{"one empty line", "\r\n"},
	{"empty lines only", "\r\n\r\n\r\n\r\n\r\n"},
	{"lines of blanks only", " \r\n\t\r\n \t \r\n"},
	{"blanks without a line end", " \t"},
	{"one letter", "x"},
	{"text without a line end", "some text"},
	{"text", "some text\r\n"},
	{"empty lines at the end", "some text\r\n\r\n\r\n"},
	{"blanks at line ends", "some text  \t\r\nand more \r\n"},
	{"tabs and runs of blanks", "\tsome \t  text\t\there\r\n"},
	{"empty lines at the start", "\r\n\r\nsome text\r\n"},
	{"empty lines in between", "some\r\n\r\n\r\ntext here\r\n"},
	{"lines of blanks at the end", "some text\r\n \r\n\t\r\n"},
	{"lines of blanks, then no line end", "some text\r\n \r\n\t"},
	{"a bare CR in a line", "so\rme text\r\n"},
	{"a bare CR before a line end", "some text\r\r\nmore\r\n"},
	{"a bare CR at the end", "some text\r"},
	{"blanks around bare CRs", "some \rtext\r here\r\n"},
	{"bare CRs only", "\r\r\r"},
	{"a bare LF in a line", "so\nme text\r\n"},
	{"a blank before a bare LF", "some \ntext here\r\n"},
	{"a bare LF at the end", "some text\n"},
	{"LF CR", "some\n\rtext here\r\n"},
	{"bare LFs only", "\n\n\n"},
	{"Latin-1", "sch\xf6ne Gr\xfc\xdfe\r\n\xa0\x85 x\r\n"},
	{"UTF-8", "sch\u00f6ne Gr\u00fc\u00dfe \u3000\u00a0x\r\n"},
	{"other controls", "a\x01b\x0bc\x0cd\x7f e\x1b[0m\r\n"},
	{"NUL octets", "a\x00b\x00 c\r\n\x00"},
	{"a line of 10,000 octets", "some text " + strings.Repeat("long line ", 1000) + "\r\n"},
	{"a run of 400 blanks", "some" + strings.Repeat(" \t", 200) + "text\r\n"},
	{"400 blanks at a line end", "some text" + strings.Repeat("\t ", 200) + "\r\n"},
	{"2,000 lines", strings.Repeat("line of text\r\n", 2000)},
	{"2,000 empty lines at the end", "some text\r\n" + strings.Repeat("\r\n", 2000)},
	{"2,000 empty lines in between", "some text\r\n" + strings.Repeat("\r\n", 2000) + "x\r\n"},
	{"a blank where blocks of 4096 octets meet", strings.Repeat("x", 4095) + "  \r\n" + strings.Repeat("y", 4090) + " \t \r\nsome text\r\n"},
	{"dots", ".\r\n..\r\n.x y\r\n"},
	{"lines like fields", "From: x@example.org\r\nSubject: other\r\n\r\nDKIM-Signature: v=1; b=x\r\n"},
	{"lines like an mbox", "From someone Fri Nov 21\r\n>From x\r\n"},
}

// heads are headers above a plain body.
var heads = []struct {
	name, text string
	names      []string
}{
	{name: "folded fields", text: "From: A U Thor\r\n <author@example.com>\r\nSubject: a text\r\n that goes\r\n  on\r\n"},
	{name: "folds with tabs", text: "From: A U Thor\r\n\t<author@example.com>\r\nSubject: a text\r\n\t that \t goes\r\n\ton\r\n"},
	{name: "a fold after the colon", text: "From:\r\n A U Thor <author@example.com>\r\nSubject:\r\n\ta text\r\n"},
	{name: "blanks before folds", text: "From: A U Thor \t\r\n <author@example.com>\r\nSubject: a \r\n text\r\n"},
	{name: "a continuation line of blanks", text: "From: A U Thor <author@example.com>\r\nSubject: a\r\n \t\r\n text\r\n"},
	{name: "a last line of blanks", text: "From: A U Thor <author@example.com>\r\nSubject: a text\r\n \r\n"},
	{name: "odd case of names", text: "fROM: A U Thor <author@example.com>\r\nSUBJECT: a text\r\ndAtE: now\r\n"},
	{name: "a space before the colon", text: "From : A U Thor <author@example.com>\r\nSubject : a text\r\n"},
	{name: "a tab before the colon", text: "From\t: A U Thor <author@example.com>\r\nSubject \t: a text\r\n"},
	{name: "nothing after the colon", text: "From:A U Thor <author@example.com>\r\nSubject:a text\r\n"},
	{name: "tabs after the colon", text: "From:\tA U Thor <author@example.com>\r\nSubject:\t\t a text\r\n"},
	{name: "empty values", text: "From: A U Thor <author@example.com>\r\nSubject:\r\nTo: \r\nDate:\t \r\n"},
	{name: "blanks at the end", text: "From: A U Thor <author@example.com> \r\nSubject: a text \t \r\n"},
	{name: "runs of blanks", text: "From: A  U \t Thor   <author@example.com>\r\nSubject:   a \t\t text\r\n"},
	{name: "8-bit Latin-1", text: "From: A \xdc Thor <author@example.com>\r\nSubject: sch\xf6n\xa0\x85 text\r\n"},
	{name: "8-bit UTF-8", text: "From: A \u00dc Thor <author@example.com>\r\nSubject: sch\u00f6n\u00a0\u3000 text\r\n"},
	{name: "encoded words", text: "From: =?utf-8?q?A_=C3=9C?= Thor <author@example.com>\r\nSubject: =?utf-8?B?w7w=?= =?utf-8?B?w7w=?=\r\n"},
	{name: "a field of 2,000 octets in one line", text: "From: A U Thor <author@example.com>\r\nSubject: a text " + strings.Repeat("and more ", 220) + "\r\n"},
	{name: "a field of 300 lines", text: "From: A U Thor <author@example.com>\r\nSubject: a text" + strings.Repeat("\r\n and more", 300) + "\r\n"},
	{name: "300 fields", text: strings.Repeat("Received: from x by y\r\n", 300) + "From: A U Thor <author@example.com>\r\nSubject: a text\r\n"},
	{name: "a duplicated field, signed twice", text: "From: A U Thor <author@example.com>\r\nSubject: first\r\nSubject: second\r\n", names: []string{"from", "subject", "subject"}},
	{name: "a duplicated field, apart", text: "Subject: first\r\nFrom: A U Thor <author@example.com>\r\nTo: x\r\nSubject: second\r\n", names: []string{"subject", "from", "to", "subject"}},
	{name: "two From fields, both signed", text: "From: other@example.org\r\nFrom: A U Thor <author@example.com>\r\nSubject: a text\r\n", names: []string{"from", "from", "subject"}},
	{name: "names of odd characters", text: "From: A U Thor <author@example.com>\r\nX_1-y!#: a text\r\nSubject: x\r\n", names: []string{"from", "x_1-y!#", "subject"}},
	{name: "values like tags", text: "From: A U Thor <author@example.com>\r\nSubject: a: b; b=c; bh=d; h=from; (b=\r\n"},
	{name: "a bare CR in a value", text: "From: A U Thor <author@example.com>\r\nSubject: a\rtext \r here\r\n"},
	{name: "only From", text: "From: A U Thor <author@example.com>\r\n", names: []string{"from"}},
	{name: "signatures of others below", text: "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AAAA; b=AAAA\r\nReceived: x\r\nFrom: A U Thor <author@example.com>\r\nSubject: a text\r\n"},
}

// signatures are forms of the signature.
var signatures = func() []form {
	all := []form{
		{name: "no body and no empty line", noBody: true},
		{name: "h= names present fields once more", oversign: []string{"from", "subject", "to", "date"}},
		{name: "h= names absent fields", oversign: []string{"reply-to", "cc", "x-absent"}},
		{name: "h= names a field five times too often", oversign: []string{"from", "from", "from", "from", "from"}},
		{name: "h= has 100 absent names", oversign: func() (many []string) {
			for i := range 100 {
				many = append(many, fmt.Sprintf("x-absent-%d", i))
			}
			return many
		}()},
		{name: "i= is a mailbox", identity: "author@example.com"},
		{name: "i= is a subdomain", identity: "@news.lists.example.com"},
		{name: "i= is a mailbox of a subdomain", identity: "author@news.example.com"},
		{name: "z= copies the header", copied: true},
		{name: "z= copies odd fields", copied: true, head: "From: A U Thor\r\n <author@example.com>\r\nSubject: a;b=c|d bh=e \xe4 text\r\n"},
		{name: "x= and t=", lifetime: true},
		{name: "all at once", identity: "author@news.example.com", copied: true, lifetime: true, length: wholeLength, oversign: []string{"from", "cc"}},
	}
	for _, b := range []string{"an empty body", "one empty line", "text", "text without a line end", "empty lines at the end", "blanks at line ends", "lines of blanks at the end", "tabs and runs of blanks", "Latin-1", "a bare CR in a line"} {
		i := slices.IndexFunc(bodies, func(x [2]string) bool { return x[0] == b })
		all = append(all, form{name: "l= covers " + b, body: bodies[i][1], length: wholeLength})
	}
	all = append(all, form{name: "l= covers the first octet", length: partLength})
	for i := range all {
		all[i].signature = true
		if all[i].head == "" {
			all[i].head = plainHead
		}
		if all[i].body == "" && !all[i].noBody && all[i].name != "l= covers an empty body" {
			all[i].body = plainBody
		}
	}
	return all
}()

// text is the message before it is signed.
func (f *form) text() string {
	if f.noBody {
		return f.head
	}
	return f.head + "\r\n" + f.body
}

// octets is the value of l=, or -1.
func (f *form) octets(c canon) int {
	switch f.length {
	case wholeLength:
		return len(c.body(f.body))
	case partLength:
		return 1
	}
	return -1
}
