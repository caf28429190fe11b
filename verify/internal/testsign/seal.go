package testsign

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Set is one ARC Set to be added. Empty fields get a plain default.
type Set struct {
	Instance         int
	Domain, Selector string
	CV               string // default: none for 1, else pass
	AAR              string // results after "i=N; authserv-id;", default "none"
	AMS, AS          string // templates of the field values
}

// Seal adds an ARC Set to a message (RFC 8617 section 5.1).
func Seal(msg string, key *Key, s Set) string {
	if s.CV == "" {
		s.CV = "pass"
		if s.Instance == 1 {
			s.CV = "none"
		}
	}
	if s.AAR == "" {
		s.AAR = "none"
	}
	if s.AMS == "" {
		s.AMS = fmt.Sprintf("i=%d; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n h=from:to:subject:date:message-id; bh=$bh;\r\n b=$b",
			s.Instance, key.Algorithm(), s.Domain, s.Selector)
	}
	if s.AS == "" {
		s.AS = fmt.Sprintf("i=%d; a=%s; t=12345; cv=%s; d=%s; s=%s;\r\n b=$b",
			s.Instance, key.Algorithm(), s.CV, s.Domain, s.Selector)
	}
	aar := fmt.Sprintf("ARC-Authentication-Results: i=%d; %s; %s", s.Instance, s.Domain, s.AAR)
	ams := Field(msg, key, "ARC-Message-Signature: "+s.AMS)
	as := "ARC-Seal: " + s.AS

	var input strings.Builder
	if s.CV != "fail" { // section 5.1.2: a failed chain is sealed alone
		for i := 1; i < s.Instance; i++ {
			for _, name := range []string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"} {
				input.WriteString(RelaxedField(instance(msg, name, i)) + "\r\n")
			}
		}
	}
	input.WriteString(RelaxedField(aar) + "\r\n" + RelaxedField(ams) + "\r\n")
	input.WriteString(RelaxedField(blank.ReplaceAllString(as, "=")))
	as = strings.Replace(as, "$b", key.sign(input.String()), 1)
	return as + "\r\n" + ams + "\r\n" + aar + "\r\n" + msg
}

var instanceTag = regexp.MustCompile(`[:;]\s*i=\s*(\d+)`)

// instance returns the named field of an instance, or "".
func instance(msg, name string, i int) string {
	fields, _ := Split(msg)
	for _, f := range fields {
		got, _, _ := strings.Cut(f, ":")
		m := instanceTag.FindStringSubmatch(f)
		if strings.EqualFold(got, name) && m != nil && m[1] == strconv.Itoa(i) {
			return f
		}
	}
	return ""
}
