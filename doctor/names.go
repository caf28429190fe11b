package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"alignd/authres"
)

// nameChecks are about the authserv-id (RFC 8601 section 2.5) and whose results are ours.
var nameChecks = []check{
	{id: "myhostname", fine: "this host has a name of its own", applies: withPostfix, run: each(hostName)},
	{id: "recipient-delimiter", fine: "entries about recipients hold for their extended addresses", applies: withPostfix, run: each(recipientDelimiter)},
	{id: "authserv-id", fine: "the authserv-id is the MTA's name, or its domain", applies: withPostfix, run: each(authservID)},
	{id: "mx-authserv-id", fine: "results in the name of every MX host are ours", applies: withMX, run: mxNames},
	{id: "mx", fine: "this host is an MX host of its domain", applies: withMX, run: mxHere},
}

func withMX(f *Facts) bool { return len(f.Postfix) > 0 && len(f.MX) > 0 }

// hostName: many hosts are called localhost.localdomain, and so a forged field with
// that id comes in from any of them.
func hostName(f *Facts, in *Instance) []Finding {
	name := strings.ToLower(in.Param["myhostname"])
	if len(in.public()) == 0 || f.Alignd.AuthservID != "" {
		return nil
	}
	if strings.Contains(name, ".") && !strings.HasSuffix(name, ".localdomain") && !strings.HasSuffix(name, ".local") && name != "localhost" {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: "myhostname is " + name + ", and so is the authserv-id",
		Why:  "RFC 8601 section 2.5 wants a name that is this site's alone; readers that trust this one trust many hosts of others",
		Cure: []string{in.postconf("myhostname = mx.YOUR.DOMAIN"), in.reload()}, Where: in.main(),
	}}
}

// recipientDelimiter: what the MTA delivers to bob is compared as bob+x otherwise.
func recipientDelimiter(f *Facts, in *Instance) []Finding {
	lacks := strings.Map(func(r rune) rune {
		if strings.ContainsRune(f.Alignd.Delimiter, r) {
			return -1
		}
		return r
	}, in.Param["recipient_delimiter"])
	if !f.Alignd.ByRecipient || lacks == "" {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: "entries name recipients, and recipient_delimiter of alignd lacks " + lacks + " of Postfix",
		Why:  "what Postfix delivers to bob" + lacks[:1] + "x@ as mail for bob@ meets no entry for bob@: who sends chooses whether a block or a profile holds",
		Cure: []string{f.inFile(fmt.Sprintf("recipient_delimiter: %q", f.Alignd.Delimiter+lacks)), reload}, Where: in.main(),
	}}
}

func authservID(f *Facts, in *Instance) []Finding {
	id, name := strings.ToLower(f.Alignd.AuthservID), strings.ToLower(in.Param["myhostname"])
	if id == "" || len(in.public()) == 0 || id == name || below(name, id) || below(id, name) {
		return nil
	}
	if authres.Site(id) == authres.Site(name) {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: fmt.Sprintf("authserv_id is %s, and Postfix is called %s", id, name),
		Why:  "what reads the results, such as Sieve or a filter, mostly trusts the MTA's name only",
		Cure: []string{`authserv_id: ""`, reload}, Where: f.Alignd.File,
	}}
}

func below(name, parent string) bool { return name == parent || strings.HasSuffix(name, "."+parent) }

// ours are the names in whose name a field from outside is deleted; all below them are too.
func (f *Facts) ours() (names []string) {
	cover := authres.Site
	if f.Alignd.NameOnly {
		cover = strings.ToLower
	}
	for i := range f.Postfix {
		if len(f.Postfix[i].public()) > 0 {
			names = append(names, cover(strings.ToLower(f.Postfix[i].Param["myhostname"])))
		}
	}
	if f.Alignd.AuthservID != "" {
		names = append(names, cover(strings.ToLower(f.Alignd.AuthservID)))
	}
	return append(names, f.Alignd.OwnAuthservIDs...)
}

// mxNames: mail that comes by another MX host carries that host's results, and somebody
// who writes to this one can forge them.
func mxNames(f *Facts) (found []Finding) {
	ours := f.ours()
	for _, mx := range f.MX {
		var strange []string
		for _, h := range mx.Hosts {
			name := strings.ToLower(h.Name)
			if !slices.ContainsFunc(ours, func(o string) bool { return below(name, o) }) && !f.isHere(h) && !slices.Contains(strange, name) {
				strange = append(strange, name)
			}
		}
		if len(strange) == 0 {
			continue
		}
		all := append(slices.Clone(f.Alignd.OwnAuthservIDs), strange...)
		found = append(found, Finding{
			Severity: Warning, What: fmt.Sprintf("%s of %s could be named in a forged Authentication-Results: no id of ours covers it", strings.Join(strange, ", "), mx.Domain),
			Why: "readers that trust the results of all your MX hosts would trust a field that its sender wrote. If it is a host of yours, name it; " +
				"if another provider's relays to this host, it belongs in trusted_relays",
			Cure: []string{"own_authserv_ids: [" + strings.Join(all, ", ") + "]", reload}, Where: f.Alignd.File,
		})
	}
	return found
}

// isHere reports whether a host is this one, by name or address.
func (f *Facts) isHere(h MXHost) bool {
	named := slices.ContainsFunc(f.Postfix, func(in Instance) bool { return strings.EqualFold(in.Param["myhostname"], h.Name) })
	return named || slices.ContainsFunc(h.Addresses, func(a netip.Addr) bool { return slices.Contains(f.Host.Addresses, a.Unmap()) })
}

// mxHere: mail for a domain that names other hosts comes in through them, and SPF then
// must be asked for the client that they saw.
func mxHere(f *Facts) (found []Finding) {
	for _, mx := range f.MX {
		switch {
		case mx.Problem != "":
			found = append(found, Finding{Severity: Note, What: fmt.Sprintf("cannot tell the MX hosts of %s: %s", mx.Domain, mx.Problem)})
		case slices.ContainsFunc(mx.Hosts, f.isHere) || len(f.Alignd.Relays) > 0:
		case len(mx.Hosts) == 0:
			found = append(found, Finding{Severity: Note, What: mx.Domain + " has no MX record"})
		default:
			found = append(found, Finding{
				Severity: Note, What: fmt.Sprintf("none of the MX hosts of %s seems to be this one", mx.Domain),
				Why:  "behind NAT that is as it should be. If they relay to this host, every message fails SPF unless they are in trusted_relays",
				Cure: []string{"trusted_relays: [{id: gateway, peers: [" + strings.Join(addresses(mx), ", ") + "], by: [" + mx.Hosts[0].Name + "]}]", reload}, Where: f.Alignd.File,
			})
		}
	}
	return found
}

func addresses(mx MX) (all []string) {
	for _, h := range mx.Hosts {
		for _, a := range h.Addresses {
			text := a.String()
			if a.Is6() {
				text = `"` + text + `"`
			}
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return []string{"ADDRESS"}
	}
	return all
}
