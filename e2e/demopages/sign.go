package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// signed are the fields of a signature or an AMS.
const signed = "from:to:subject:date:message-id"

// canonical is a field in the relaxed form (RFC 6376 section 3.4.2). The fields that the
// demo writes are in it already, but for case and the blank behind names.
func canonical(line string) string {
	name, value, _ := strings.Cut(line, ": ")
	return strings.ToLower(name) + ":" + value
}

// over is the signature of lines, of which the last one has no CRLF.
func (s *sender) over(lines ...string) string {
	hash := sha256.Sum256([]byte(strings.Join(lines, "\r\n")))
	return base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, hash[:]))
}

// signature is a DKIM-Signature or an AMS of its time (RFC 6376, RFC 8463). begin are the
// tags in front.
func (s *sender) signature(name, begin string, head []string, body string, at time.Time) string {
	sum := sha256.Sum256([]byte(body))
	field := fmt.Sprintf("%s: %sa=ed25519-sha256; c=relaxed/relaxed; d=%s; s=%s; t=%d; h=%s; bh=%s; b=",
		name, begin, s.domain, selector, at.Unix(), signed, base64.StdEncoding.EncodeToString(sum[:]))
	var lines []string
	for _, line := range head {
		lines = append(lines, canonical(line))
	}
	return field + s.over(append(lines, canonical(field))...)
}

func (s *sender) sign(head []string, body string, at time.Time) string {
	return s.signature("DKIM-Signature", "v=1; ", head, body, at)
}

// seal is the first ARC Set, the topmost field first (RFC 8617 section 5.1).
func (s *sender) seal(found string, head []string, body string, at time.Time) []string {
	aar := "ARC-Authentication-Results: i=1; mx." + s.domain + "; " + found
	ams := s.signature("ARC-Message-Signature", "i=1; ", head, body, at)
	as := fmt.Sprintf("ARC-Seal: i=1; a=ed25519-sha256; t=%d; cv=none; d=%s; s=%s; b=", at.Unix(), s.domain, selector)
	as += s.over(canonical(aar), canonical(ams), canonical(as))
	return []string{as, ams, aar}
}
