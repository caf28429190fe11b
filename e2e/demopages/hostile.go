package main

import (
	"fmt"
	"strings"
)

// hostile is what a sender may write wherever a message has text of his.
var hostile = []string{
	"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "\u202egnp.exe\u2066", "a\x00b\x1b[2J", "=cmd|' /C calc'!A0",
	"</title></textarea><svg onload=alert(1)>", "{{.}}${7*7}", strings.Repeat("W", 10<<10),
}

// odd is a domain whose records have such text, too: SPF gives it as the reason of a fail
// (RFC 7208 section 6.2).
const odd = "odd-reason.example"

// hostile is mail with such text in HELO, MAIL FROM and List-Id, in the author's domain, in
// the domains and selectors of signatures and seals, and in what others found.
func (w *world) hostile(m *mail) {
	text := hostile[m.rand.IntN(len(hostile))]
	w.forged(m, w.firm(m.rand).domain, plainForgery, homes[0], "hostile")
	m.helo, m.from, m.list = text, `"`+text+`"@odd-helo.example`, text
	short := text[:min(len(text), 60)]
	m.fields = []string{fmt.Sprintf("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=%[1]s; s=%[1]s; i=%[1]s@%[1]s; h=from; bh=YWJj; b=YWJj", short),
		fmt.Sprintf("ARC-Seal: i=1; a=ed25519-sha256; cv=none; d=%[1]s; s=%[1]s; b=YWJj", short),
		fmt.Sprintf("ARC-Message-Signature: i=1; a=ed25519-sha256; d=%[1]s; s=%[1]s; h=from; bh=YWJj; b=YWJj", short),
		fmt.Sprintf("ARC-Authentication-Results: i=1; %[1]s; dmarc=pass header.from=%[1]s; spf=pass smtp.mailfrom=%[1]s", short),
		"Received: from " + short + " (" + short + " [192.0.2.1]) by " + short + "; Mon, 2 Nov 2026 10:00:00 +0000"}
	switch m.rand.IntN(3) {
	case 0:
		m.author = "it@" + text
	case 1:
		m.author, m.from = "it@"+odd, `"`+text+`"@`+odd
	}
}

// publishOdd are the records of that domain.
func publishOdd(line liner) {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", `\000`, "\x1b", `\027`, ";", `\;`)
	var all []string
	for _, text := range hostile {
		all = append(all, quoted.Replace(text[:min(len(text), 60)]))
	}
	text := strings.Join(all, " ")
	line(`%s. 300 IN TXT "v=spf1 include:%s.example -all exp=why.%s"`, odd, quoted.Replace(hostile[1]), odd)
	line(`why.%s. 300 IN TXT "%s"`, odd, text)
	line(`_dmarc.%s. 300 IN TXT "v=DMARC1; p=none; sp=%s; rua=mailto:dmarc@%s,mailto:%s@%s"`, odd, quoted.Replace(hostile[0]), odd, quoted.Replace(hostile[1]), odd)
	line(`%s._domainkey.%s. 300 IN TXT "v=DKIM1; p=%s"`, selector, odd, text)
}
