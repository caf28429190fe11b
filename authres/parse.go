package authres

import (
	"fmt"
	"strings"

	"alignd/evidence"
)

// Parse reads the value of an Authentication-Results field (RFC 8601 section
// 2.2). Methods, results, ptypes and property names come back in lower case;
// authserv-id, reasons and values as written, unquoted. A property without a
// ptype (action=none) has the empty Type. Results that are not well-formed and
// methods of an unknown version are left out.
//
// It is an error where the field is too long, no payload, or of a version that we do
// not know; of the latter the authserv-id was read and nothing else (section 2.2: stop
// there).
func Parse(value []byte) (evidence.AuthResults, error) {
	if len(value) > maxField {
		return evidence.AuthResults{}, errTooLarge
	}
	p := parser{lexer: lexer{s: string(value)}}
	err := p.payload()
	return p.out, err
}

// ServID reads the authserv-id alone, unquoted and otherwise as written, of a field of any
// length and version; empty where there is none.
func ServID(value []byte) string {
	p := parser{lexer: lexer{s: string(value[:min(len(value), maxField)])}}
	_ = p.servID() // the id was read before the version
	return p.out.ServID
}

// Instance reads the instance in front of an ARC-Authentication-Results field, 1 to 50; 0
// where there is none. What stands behind it does not matter.
//
//	instance = [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";"
//
// (RFC 8617 sections 4.1.1 and 4.2.1)
func Instance(value []byte) int {
	p := parser{lexer: lexer{s: string(value)}}
	return p.instance()
}

// parseAAR is ParseSealed with all names as they were written.
func parseAAR(value []byte) (int, evidence.AuthResults, error) {
	if len(value) > maxField {
		return 0, evidence.AuthResults{}, fmt.Errorf("%w: %w", errInstance, errTooLarge)
	}
	p := parser{lexer: lexer{s: string(value)}}
	n := p.instance()
	if n == 0 {
		return 0, evidence.AuthResults{}, errInstance
	}
	err := p.payload()
	return n, p.out, err
}

type parser struct {
	lexer
	out evidence.AuthResults
	// named: an authserv-id was written. odd: it has a comment in front or quotes
	// that it needs, or something was left out.
	named, odd bool
	// head: authserv-id and version as written, if a comment follows the id.
	head string
}

// maxInstance is the highest ARC instance (RFC 8617 section 4.2.1).
const maxInstance = 50

// instance reads "i=N;". The tag name is case-sensitive.
func (p *parser) instance() int {
	if !p.cfws() || !p.take('i') || !p.cfws() || !p.take('=') || !p.cfws() {
		return 0
	}
	start := p.i
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
	digits := p.s[start:p.i]
	if len(digits) < 1 || len(digits) > 2 || !p.cfws() || !p.take(';') {
		return 0
	}
	n := number(digits)
	if n > maxInstance {
		return 0
	}
	return n
}

// number converts digits; anything that does not fit is -1.
func number(digits string) int {
	n := 0
	for i := 0; i < len(digits); i++ {
		if n = 10*n + int(digits[i]-'0'); n > 1<<20 {
			return -1
		}
	}
	return n
}

func (p *parser) payload() error {
	if err := p.servID(); err != nil {
		return err
	}
	for !p.end() {
		if p.named && !p.take(';') {
			return fmt.Errorf("%w: text behind a result", errSyntax)
		}
		p.named = true // from here on each result has its semicolon
		if !p.cfws() {
			return errComment
		}
		if p.end() || p.at(';') {
			continue
		}
		if err := p.resinfo(); err != nil {
			return err
		}
	}
	return nil
}

var (
	errComment = fmt.Errorf("%w: comment without end", errSyntax)
	errQuoted  = fmt.Errorf("%w: quoted string without end", errSyntax)
)

// servID reads authserv-id and version. Microsoft leaves both out and begins
// with the first result.
func (p *parser) servID() error {
	mark := p.i
	if !p.cfws() {
		return errComment
	}
	p.odd = strings.IndexByte(p.s[mark:p.i], '(') >= 0
	if p.startsResult() {
		p.odd = true
		return nil
	}
	p.named = true
	id, ok := "", true
	if p.at('"') {
		start := p.i
		if id, ok = p.quoted(); !ok {
			return errQuoted
		}
		p.odd = p.odd || !all(id, isToken) || p.i-start != len(id)+2
	} else if id, ok = p.text(); !ok {
		return fmt.Errorf("%w: control character", errSyntax)
	}
	if id == "" || !p.delimited() {
		return fmt.Errorf("%w: no authserv-id", errSyntax)
	}
	p.out.ServID = id
	return p.version()
}

// version reads what stands between authserv-id and the first semicolon.
func (p *parser) version() error {
	mark := p.i
	if !p.cfws() {
		return errComment
	}
	start := p.i
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
	version := p.s[start:p.i]
	if version != "" && !p.delimited() {
		return fmt.Errorf("%w: text behind the authserv-id", errSyntax)
	}
	if !p.cfws() {
		return errComment
	}
	if strings.IndexByte(p.s[mark:p.i], '(') >= 0 {
		p.head = p.s[:p.i]
	}
	if !p.end() && !p.at(';') {
		return fmt.Errorf("%w: text behind the authserv-id", errSyntax)
	}
	if version != "" && number(version) != 1 {
		return errVersion
	}
	return nil
}

// startsResult looks whether "method=" or "method/version=" comes next.
func (p *parser) startsResult() bool {
	l := p.lexer
	if l.keyword() == "" || !l.cfws() {
		return false
	}
	if l.take('/') {
		if !l.cfws() || l.keyword() == "" || !l.cfws() {
			return false
		}
	}
	return l.at('=')
}

// resinfo reads one result up to its semicolon. A result that is not well-formed
// is left out. The error is for a field that cannot be read on.
func (p *parser) resinfo() error {
	mark := p.i
	r, keep := evidence.MethodResult{}, false
	ok := p.methodspec(&r, &keep) && p.propspecs(&r)
	if ok {
		if keep {
			p.out.Results = append(p.out.Results, r)
		}
		if len(p.out.Results) > maxResults || len(r.Properties) > maxProperties {
			p.out = evidence.AuthResults{}
			return errTooLarge
		}
		return nil
	}
	p.odd = true
	p.i = mark
	if !p.skip() {
		p.out.Results = nil
		return fmt.Errorf("%w: comment or quoted string without end", errSyntax)
	}
	return nil
}

// methodspec reads "method/version=result", or "none". keep is false for a result
// that is well-formed and says nothing: "none", or an unknown version of a method.
func (p *parser) methodspec(r *evidence.MethodResult, keep *bool) bool {
	r.Method = p.keyword()
	if r.Method == "" || !p.cfws() {
		return false
	}
	if r.Method == "none" && (p.end() || p.at(';')) {
		return true
	}
	*keep = true
	if p.take('/') {
		if !p.cfws() {
			return false
		}
		version := p.keyword()
		if !all(version, isDigit) || !p.cfws() {
			return false
		}
		*keep = number(version) == 1
	}
	if !p.take('=') || !p.cfws() {
		return false
	}
	r.Result = p.keyword()
	return r.Result != "" && p.delimited()
}

// propspecs reads reason and properties up to the semicolon.
func (p *parser) propspecs(r *evidence.MethodResult) bool {
	for {
		if !p.cfws() {
			return false
		}
		if p.end() || p.at(';') {
			return true
		}
		ptype, name, ok := p.propname()
		if !ok {
			return false
		}
		value, ok := p.pvalue()
		if !ok {
			return false
		}
		if ptype == "" && name == "reason" {
			if r.Reason == "" {
				r.Reason = value
			}
			continue
		}
		if len(r.Properties) <= maxProperties { // one more shows that there are too many
			r.Properties = append(r.Properties, evidence.Property{Type: ptype, Name: name, Value: value})
		}
	}
}

// propname reads "ptype.property=" or "name=".
func (p *parser) propname() (ptype, name string, ok bool) {
	name = p.keyword()
	if name == "" || !p.cfws() {
		return "", "", false
	}
	if p.take('.') {
		if !p.cfws() {
			return "", "", false
		}
		ptype, name = name, p.keyword()
		if name == "" || !p.cfws() {
			return "", "", false
		}
	}
	return ptype, name, p.take('=')
}

// pvalue reads a token, a quoted string or an address, and whatever else
// writers put there unquoted. It may be empty.
func (p *parser) pvalue() (string, bool) {
	mark := p.i
	if !p.cfws() {
		return "", false
	}
	if p.i > mark && p.startsProperty() {
		return "", true
	}
	if !p.at('"') {
		v, ok := p.text()
		return v, ok && p.delimited()
	}
	v, ok := p.quoted()
	if !ok {
		return "", false
	}
	if p.at('@') { // a local-part in quotes stays in quotes
		domain, ok := p.text()
		return `"` + requote.Replace(v) + `"` + domain, ok && p.delimited()
	}
	return v, p.delimited()
}

// requote spells the content of a quoted string in the one shortest way.
var requote = strings.NewReplacer(`"`, `\"`, `\`, `\\`)

// startsProperty looks whether a property of a registered ptype comes next: then
// the value before it was left empty. A well-formed value has no bare "=".
func (p *parser) startsProperty() bool {
	l := p.lexer
	switch l.keyword() {
	case "smtp", "header", "body", "policy", "dns":
		return l.take('.') && l.keyword() != "" && l.at('=')
	}
	return false
}
