package authres

import (
	"net/netip"
	"slices"
	"strings"

	"alignd/evidence"
)

// ReceivedSPFName is the name of the field that ReceivedSPF renders.
const ReceivedSPFName = "Received-SPF"

// SPFSession is what a Received-SPF field says beside the check itself. An
// invalid address or an empty text is left out.
type SPFSession struct {
	Receiver string // our name
	ClientIP netip.Addr
	MailFrom string // without angle brackets; empty for the null reverse-path
	HELO     string
}

// ReceivedSPF returns the value of a Received-SPF field (RFC 7208 section 9.1)
// for one check, folded like Header.Format. Results that the field does not know
// are written as "none".
func ReceivedSPF(check evidence.SPFCheck, s SPFSession) string {
	f := folder{eol: "\n", col: len(ReceivedSPFName) + len(": ")}
	f.put(spfWord(check.Result))
	if check.Reason != "" {
		f.comment(check.Reason)
	}
	first := true
	pair := func(key, value string) {
		if value == "" {
			return
		}
		if !first {
			f.put(";")
		}
		first = false
		f.space()
		f.put(key)
		f.put("=")
		f.value(spfValue(value))
	}
	if s.ClientIP.IsValid() {
		pair("client-ip", s.ClientIP.Unmap().WithZone("").String())
	}
	if s.MailFrom == "" {
		s.MailFrom = "<>"
	}
	pair("envelope-from", s.MailFrom)
	pair("helo", s.HELO)
	pair("receiver", s.Receiver)
	pair("identity", string(check.Identity))
	pair("mechanism", check.Mechanism)
	if check.Result == evidence.TempError || check.Result == evidence.PermError {
		pair("problem", check.Reason)
	}
	return string(f.buf)
}

// spfWord returns a result word of RFC 7208 section 9.1.
func spfWord(r evidence.Result) string {
	known := []evidence.Result{evidence.Pass, evidence.Fail, evidence.SoftFail, evidence.Neutral, evidence.TempError, evidence.PermError}
	if slices.Contains(known, r) {
		return string(r)
	}
	return string(evidence.None)
}

// spfValue renders a dot-atom, or else a quoted string.
func spfValue(v string) string {
	v = clean(asciiDomain(v), maxValue)
	if v != "" && isDotAtom(v) && !strings.Contains(v, "=") {
		return v
	}
	return `"` + escape(v, `"\`) + `"`
}
