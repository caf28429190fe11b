package relay

import "strings"

// way is how a message was handed over, as the clauses behind "by" say it.
type way int

// The ways. The zero way is what a field without a with clause says (RFC 5321
// section 4.4: the clause is optional).
const (
	unsaid way = iota
	smtp
	lmtp
	login   // SMTP or LMTP after AUTH (RFC 3848, RFC 6531 section 4.3)
	mailbox // taken from a mailbox by POP3 or IMAP
	other   // not by SMTP: a web form, a mailbox of Exchange, a command
)

// String is the word that evidence has for it; empty for unsaid.
func (w way) String() string {
	return [...]string{"", "smtp", "lmtp", "login", "mailbox", "other"}[w]
}

// isLogin knows the with-protocol-types of authenticated sessions, those of MTAs
// that have names of their own, and the word that Mimecast writes.
func isLogin(word string) bool {
	for _, end := range []string{"smtpa", "smtpsa", "lmtpa", "lmtpsa"} {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return word == "asmtp" || word == "asmtps" || word == "auth"
}

// notSaid are the products that write their own name where the protocol belongs.
var notSaid = []string{"mailmarshal", "trustwave", "internet mail service"}

// protocol reads the with clause, else the via clause. by begins with "by".
func protocol(by []part) way {
	with := words(by, "with")
	if with == "" {
		if via := words(by, "via"); strings.Contains(via, "http") || via == "uucp" || via == "local" {
			return other
		}
		return unsaid
	}
	for _, name := range notSaid {
		if strings.Contains(with, name) {
			return unsaid
		}
	}
	found := other
	for word := range strings.FieldsFuncSeq(with, func(r rune) bool { return r == ' ' || r == '/' || r == ',' }) {
		switch {
		case isLogin(word):
			return login
		case strings.Contains(word, "lmtp"):
			found = lmtp
		case strings.Contains(word, "smtp"), word == "qmtp", word == "qmqp":
			found = smtp
		case found == other && (strings.HasPrefix(word, "pop") || strings.HasPrefix(word, "imap")):
			found = mailbox
		}
	}
	return found
}

// words are those of the first clause with that keyword, in lower case: up to
// the next clause, comments left out.
func words(by []part, keyword string) string {
	var found []string
	inside := false
	for _, p := range by {
		switch {
		case p.comment:
		case !inside:
			if strings.HasSuffix(p.text, ";") {
				return ""
			}
			inside = p.is(keyword)
		case p.is("id") || p.is("for") || p.is("via"):
			return strings.Join(found, " ")
		default:
			word := strings.ToLower(p.text)
			found = append(found, strings.TrimRight(word, ";"))
			if strings.HasSuffix(word, ";") {
				return strings.Join(found, " ")
			}
		}
	}
	return strings.Join(found, " ")
}

// hasLogin finds the comments by which MTAs tell of a login: (Authenticated
// sender: joe), (authenticated bits=0), (AUTH: LOGIN joe), (account joe@...).
func hasLogin(parts []part) bool {
	for _, p := range parts {
		if !p.comment {
			continue
		}
		first, _, _ := strings.Cut(p.text, " ")
		switch strings.ToLower(first) {
		case "authenticated", "auth:", "account":
			return true
		}
	}
	return false
}
