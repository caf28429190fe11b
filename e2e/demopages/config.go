package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// begin is what both configurations of the world begin with; end is what they end with.
const begin = `# The site that the demo shows. Its mail is made up, and nothing is sent anywhere.
mode: enforce
iprev: true
temperror: {policy_unknown: tempfail}

own_domains:
  - {id: ours, domains: [example.net, brand.example], action: tag}

domains:
  - {id: water, author_domains: ["org:statewater.example"], honor: {reject: tag}}

trusted_sealers:
  - {id: club, domains: [club.example], require: dmarc}
`

const end = `
listen: ["inet:%[2]s"]
metrics: {listen: ["inet:%[3]s"]}
dns: {servers: ["%[4]s"]}
reports: {from: dmarc@example.net, bounces: dmarc-bounces@example.net, relay: "unix:%[1]s/no-relay"}
web: {listen: "inet:%[5]s", users_file: %[1]s/users, auditors: [demo]}
journal: {store: sqlite, path: %[1]s}
`

// before and after are the entries of the two; the second came with a reload three days
// ago, and has a mistake in it.
const before = `
exceptions:
  - id: talk-list
    action: accept
    scope: {list_ids: [talk.lists.example], author_domains: [northmill.example, openclinic.example, highpress.example]}
    proof: {clients: [198.18.9.25]}
    expires: %[1]s
    owner: it
    reason: the list changes the subject
  - id: old-fax-gateway
    action: accept
    proof: {clients: [198.18.77.1]}
    never_expires: true
    owner: it
    reason: scanned faxes
  - id: old-fax-second
    action: accept
    scope: {author_domains: [fax.example]}
    proof: {clients: [198.18.77.1]}
    never_expires: true
    owner: it
  - id: scanners
    action: accept
    scope: {author_domains: [rivermarket.example]}
    proof: {ptr: [.scan-to-mail.example]}
    never_expires: true
    owner: facility
    reason: the copiers of the market cannot sign
`

const after = `  - id: spring-trial
    action: accept
    scope: {author_domains: [blueworks.example]}
    proof: {spf: [bulk-mailer.example]}
    expires: %[2]s
    owner: sales
    ticket: MAIL-17
    reason: newsletters of the fair, until the vendor signs
  - id: no-promo
    kind: block
    action: reject
    scope: {author_domains: [partner.example]}
    owner: sales
    never_expires: true
    reason: "too many newsletters; meant promo.partner.example"
`

// places are where the parts of the demo listen.
type places struct{ milter, metrics, dns, web string }

// texts are the configuration before the reload and the one after it.
func texts(dir string, at places, now time.Time) [2]string {
	last := fmt.Sprintf(end, filepath.ToSlash(dir), at.milter, at.metrics, at.dns, at.web)
	day := func(days int) string { return now.AddDate(0, 0, days).Format(time.DateOnly) }
	entries := fmt.Sprintf(before+after, day(9), day(-1))
	old, _, _ := strings.Cut(entries, "  - id: spring-trial")
	return [2]string{begin + old + last, begin + entries + last}
}
