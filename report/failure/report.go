package failure

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/header"
	"alignd/judge"
	"alignd/policy"
	"alignd/record"
)

// Report is what a failure report says, redacted. It is a plain value that may be kept
// until the report has left.
type Report struct {
	Domain string // the Policy Domain
	Author string // the Author Domain
	// Discovery is how the policy was found.
	Discovery evidence.Discovery
	Type      Type
	// RUF is where the Policy Domain wants it, as published.
	RUF []string
	At  time.Time
	// Token names the message here.
	Token string
	// Fields are those of the feedback-report part, Header those of the message.
	Fields, Header []Field
}

// Kind is what messages have in common of which one report tells: the policy, what failed,
// and the network of the source.
func Kind(r *record.Record, t Type) [32]byte {
	ev, dm := &r.Evidence, &r.Evidence.DMARC[0]
	return sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%s", dm.PolicyDomain, dm.AuthorDomain, t, alignment(dm), evidence.NetworkOf(ev.Client.IP())))
}

// Make is the report on a message for which one is due. Nothing of r and h is kept.
func Make(r *record.Record, h *header.Fields, t Type, key []byte) *Report {
	hide := judge.Privacy{How: record.AddressesDropped}
	hidden := hide.Record(r)
	ev, dm := &r.Evidence, &r.Evidence.DMARC[0]
	red := &Redactor{Key: key, About: dm.PolicyDomain}
	out := &Report{
		Domain: dm.PolicyDomain, Author: dm.AuthorDomain, Discovery: dm.Discovery, Type: t, RUF: dm.Published.RUF,
		At: ev.Time.UTC().Truncate(time.Second), Token: ev.Token, Header: red.header(ev, h),
	}
	add := func(name, value string) {
		if value != "" {
			out.Fields = append(out.Fields, Field{name, value})
		}
	}
	add("Auth-Failure", string(t))
	add("Identity-Alignment", alignment(dm))
	add("Authentication-Results", judge.Results(hidden).Unfolded())
	add("Reported-Domain", dm.AuthorDomain)
	add("Source-IP", ev.Client.IP().WithZone("").String())
	if !ev.Client.Original.IsValid() && ev.Client.Port > 0 {
		add("Source-Port", strconv.Itoa(int(ev.Client.Port))) // RFC 6692
	}
	add("Original-Mail-From", red.address(ev.MailFrom))
	add("Arrival-Date", out.At.Format(time.RFC1123Z))
	add("Reporting-MTA", reportingMTA(ev.MTA))
	add("Delivery-Result", delivery(&r.Verdict))
	if i := failedSignature(ev, dm, t == DMARC); i >= 0 {
		s := &ev.DKIM[i]
		add("DKIM-Domain", s.Domain)
		add("DKIM-Identity", cmp.Or(red.identity(s.Identity), "@"+s.Domain))
		add("DKIM-Selector", s.Selector)
	}
	if c := ev.ReportedSPF(); c != nil && c.Result != evidence.Pass && c.Record != "" && (t == SPF || wouldAlign(c.Domain, dm, dm.Published.StrictSPF)) {
		add("SPF-DNS", fmt.Sprintf("txt : %s : %s", c.Domain, quoted(c.Record)))
	}
	return out
}

// alignment are the mechanisms that gave no aligned identifier, whether or not they were
// tried (RFC 9991 section 4).
func alignment(dm *evidence.DMARC) string {
	switch {
	case dm.DKIMAligned && dm.SPFAligned:
		return "none"
	case dm.DKIMAligned:
		return "spf"
	case dm.SPFAligned:
		return "dkim"
	}
	return "dkim, spf"
}

// delivery is the word of RFC 6591 section 3.2.2. Which folder took the message is not
// told: policy is all that was neither delivered as usual nor refused.
func delivery(v *policy.Verdict) string {
	switch v.Delivery {
	case policy.Deliver:
		return "delivered"
	case policy.Refuse:
		return "reject"
	case policy.DeliverTag, policy.DeliverHold:
		return "policy"
	}
	return "other"
}

func reportingMTA(name string) string {
	if !isHostName.MatchString(name) {
		return ""
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	return "dns; " + name
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted is a quoted-string of RFC 5322.
func quoted(s string) string {
	return `"` + quoting.Replace(s) + `"`
}
