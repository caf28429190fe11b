package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// openDKIM is opendkim 2.11.0, as in Debian 12. What it signs with has no counterpart:
// it stays for that.
var openDKIM filter

const onDKIM = "a signature that fails counts like none (RFC 6376 section 6.3), and DMARC decides over the message"

func init() {
	openDKIM = filter{name: "opendkim", file: "opendkim.conf", finish: finishOpenDKIM,
		options: slices.Concat(openDKIMAToI(), openDKIMKToQ(), openDKIMRToZ())}
}

func openDKIMAToI() []option {
	return []option{
		{name: "AllowSHA1Only", do: onlyTrue("rsa-sha1 is no valid signature (RFC 8301), and SHA-256 is always there")},
		{name: "AlwaysAddARHeader", do: always("alignd always writes Authentication-Results, with dkim=none where there is no signature")},
		{name: "ATPSDomains", kind: None, why: noFeature + " (RFC 6541)"},
		{name: "ATPSHashAlgorithm", kind: None, why: noFeature + " (RFC 6541)"},
		{name: "AuthservID", do: authservID},
		{name: "AuthservIDWithJobID", do: jobID},
		none("AutoRestart", byUnit),
		none("AutoRestartCount", byUnit),
		none("AutoRestartRate", byUnit),
		none("Background", byUnit),
		none("BaseDirectory", "relative names in this file were read below it; alignd needs none"),
		none("BodyLengthDB", signing),
		none("BogusKey", "alignd does not see whether DNSSEC holds; use a validating resolver, and a bogus answer is a temporary error"),
		{name: "CaptureUnknownErrors", do: onlyTrue("on_error says what is done when alignd fails: tempfail, accept or reject")},
		none("Canonicalization", signing),
		none("ChangeRootDirectory", byUnit),
		{name: "ClockDrift", do: func(in *importer, s setting) note {
			return in.takeNumber(s, note{kind: Taken, key: "dkim.clock_skew", why: "how far a sender's clock may be off"}, "dkim.clock_skew", "s")
		}},
		none("DiagnosticDirectory", "\"alignd check\" and \"alignd explain\" tell what a signature failed on"),
		none("Diagnostics", signing),
		none("DisableCryptoInit", "it is about a library that alignd does not use"),
		none("DNSConnect", "alignd asks over UDP, and over TCP where an answer does not fit"),
		{name: "DNSTimeout", kind: Changed, key: "dns", why: dnsWhy},
		none("Domain", signing),
		none("DomainKeysCompat", "keys of DomainKeys (RFC 4870) are no DKIM keys"),
		none("DontSignMailTo", signing),
		none("EnableCoredumps", byUnit),
		none("ExemptDomains", "whoever writes such a domain would go unverified; alignd verifies every signature"),
		none("ExternalIgnoreList", "it is about a line of the log when signing"),
		none("FinalPolicyScript", noScripts),
		none("FixCRLF", "alignd verifies what the MTA hands it"),
		none("IdentityHeader", signing),
		none("IdentityHeaderRemove", signing),
		none("IgnoreMalformedMail", "what is done with a broken From stands in from; other fields may be as they like"),
		none("Include", "its file was read in its place"),
		{name: "InternalHosts", do: func(in *importer, s setting) note { return in.exempt("opendkim", s) }},
	}
}

func openDKIMKToQ() []option {
	return []option{
		{name: "KeepAuthResults", do: keepResults},
		none("KeepTemporaryFiles", "alignd writes no such files; \"alignd check\" shows how a message came out"),
		none("KeyFile", signing),
		none("KeyTable", signing),
		none("LDAPAuthMechanism", noLDAP), none("LDAPAuthName", noLDAP), none("LDAPAuthRealm", noLDAP), none("LDAPAuthUser", noLDAP),
		{name: "LDAPBindPassword", kind: None, why: noLDAP, secret: true},
		none("LDAPBindUser", noLDAP), none("LDAPDisableCache", noLDAP), none("LDAPKeepaliveIdle", noLDAP),
		none("LDAPKeepaliveInterval", noLDAP), none("LDAPKeepaliveProbes", noLDAP), none("LDAPTimeout", noLDAP), none("LDAPUseTLS", noLDAP),
		changed("LogResults", "log_level", "the line of each message has all its results"),
		changed("LogWhy", "log_level", "\"alignd explain\" tells why; log_level: debug says more"),
		none("MacroList", "alignd knows authenticated clients by the macro {auth_authen}, and not_judged.networks by address"),
		{name: "MaximumHeaders", do: maximumHeaders},
		{name: "MaximumSignaturesToVerify", do: func(in *importer, s setting) note {
			return in.takeNumber(s, note{kind: Taken, key: "dkim.max_signatures", why: "those of the Author Domain come first, whatever their order"}, "dkim.max_signatures", "")
		}},
		none("MaximumSignedBytes", signing),
		none("MilterDebug", byLog),
		{name: "Minimum", do: minimum, unset: func(*importer) note {
			return note{kind: Changed, key: "dkim.accept_length", refuses: true, why: "opendkim takes a signature with l= whatever it leaves unsigned; for alignd one that leaves a part of the body unsigned is dkim=policy and does not count. dkim.accept_length: true takes those that cover half of it"}
		}},
		{name: "MinimumKeyBits", do: minimumKeyBits},
		{name: "Mode", do: mode},
		none("MTA", signing), none("MTACommand", "see SendReports"), none("MultipleSignatures", signing),
		none("MustBeSigned", "From is signed or the signature fails (RFC 6376 section 5.4); of fields that stand several times all or none must be (dkim.accept_partly_signed)"),
		{name: "Nameservers", do: nameservers},
		{name: "NoHeaderB", do: onlyTrue("header.b is always written, as it tells two signatures apart (RFC 6008)")},
		none("OmitHeaders", signing),
		{name: "On-BadSignature", do: onAction(onDKIM)},
		{name: "On-Default", do: onDefault},
		{name: "On-DNSError", do: onDNSError},
		{name: "On-InternalError", do: internalError},
		{name: "On-KeyNotFound", do: onAction(onDKIM)},
		{name: "On-NoSignature", do: onAction("mail without a signature is refused where DMARC asks for it; unauthenticated says what is done with mail of domains that publish no policy and pass nothing")},
		{name: "On-PolicyError", do: onAction("it is about ADSP (RFC 5617), which is historic")},
		none("On-Security", "a message that is over a limit or cannot be read is refused (replies.limit), a broken From as from says"),
		none("On-SignatureError", signing), none("OversignHeaders", signing),
		{name: "PeerList", do: func(in *importer, s setting) note { return in.exempt("opendkim", s) }},
		none("PidFile", byUnit),
		none("POPDBFile", signing),
		{name: "Quarantine", do: onlyTrue(onDKIM + "; quarantine_as: hold keeps what fails p=quarantine in the MTA's hold queue")},
		changed("QueryCache", "dns", "alignd always has a cache (dns.cache_size)"),
	}
}

func openDKIMRToZ() []option {
	return []option{
		none("RedirectFailuresTo", "alignd changes no recipients; quarantine_as: hold keeps a message in the MTA's queue"),
		{name: "RemoveARAll", do: always("alignd deletes every field that claims an id of this site, whatever is in it (strip: own); strip: all deletes those of others too")},
		{name: "RemoveARFrom", do: removeARFrom},
		none("RemoveOldSignatures", signing),
		none("ReplaceHeaders", signing), none("ReplaceRules", signing),
		none("ReportAddress", "see SendReports"), none("ReportBccAddress", "see SendReports"),
		none("RequestReports", signing),
		{name: "RequiredHeaders", do: onlyTrue("only From is looked at, as the option from says; other fields (Date, To, Message-ID, ...) are not counted")},
		none("RequireSafeKeys", signing), none("ResignAll", signing), none("ResignMailTo", signing),
		none("ResolverConfiguration", "it configures a resolver library; alignd asks dns.servers, or those of /etc/resolv.conf"),
		none("ResolverTracing", "log_level: debug says more of DNS"),
		none("ScreenPolicyScript", noScripts),
		none("SelectCanonicalizationHeader", signing), none("Selector", signing), none("SenderHeaders", signing), none("SenderMacro", signing),
		{name: "SendReports", do: onlyTrue("alignd sends no reports to signers (RFC 6651); docs/reports.md says which it sends")},
		none("SetupPolicyScript", noScripts),
		none("SignatureAlgorithm", signing), none("SignatureTTL", signing), none("SignHeaders", signing), none("SigningTable", signing),
		none("SMTPURI", "see SendReports"),
		changed("Socket", "listen", ownPlace+"; a signer that stays keeps its socket"),
		none("SoftStart", noLDAP),
		{name: "SoftwareHeader", do: onlyTrue(noSoftware)},
		changed("Statistics", "journal", "the journal has a record of each message; \"alignd stats\" counts"),
		none("StatisticsName", "see Statistics"), none("StatisticsPolicyScript", noScripts),
		changed("StatisticsPrefix", "journal", "journal.addresses says what is kept of addresses: keep, hash or drop"),
		{name: "StrictHeaders", do: onlyTrue("only From is looked at, as the option from says")},
		none("StrictTestMode", onlyTests),
		none("SubDomains", signing),
		changed("Syslog", "log_format", byLog), changed("SyslogFacility", "log_format", byLog), changed("SyslogName", "log_format", byLog),
		changed("SyslogSuccess", "log_level", "the line of each message tells pass and fail alike"),
		none("TemporaryDirectory", "alignd writes no temporary files"),
		none("TestDNSData", onlyTests), none("TestPublicKeys", onlyTests),
		none("TrustAnchorFile", "alignd does not validate DNSSEC itself; use a validating resolver on this host"),
		none("TrustSignaturesFrom", "every signature that verifies is written, and DMARC counts those that are aligned with the Author Domain"),
		none("UMask", "socket_mode and socket_group are for a unix socket of alignd, which is a place of its own"),
		none("UnprotectedKey", "alignd does not see whether DNSSEC holds; most keys are in zones without it"),
		none("UserID", byUnit),
		none("VBR-Certifiers", noVBR), none("VBR-PurgeFields", noVBR), none("VBR-TrustedCertifiers", noVBR),
		none("VBR-TrustedCertifiersOnly", noVBR), none("VBR-Type", noVBR),
		{name: "WeakSyntaxChecks", do: onlyTrue("a From that cannot be read is dealt with as the option from says, and its signatures are verified all the same")},
	}
}

const (
	noLDAP = "alignd reads no lists from LDAP or SQL; files named in alignd.yaml (exceptions, profiles) can be written by a script, and a reload takes them up"
	noVBR  = noFeature + " (Vouch By Reference, RFC 5518)"
)

// always is for a boolean whose true is what alignd does in any case.
func always(why string) func(*importer, setting) note {
	return func(in *importer, s setting) note {
		switch on, ok := boolean(s.value); {
		case !ok:
			return in.noBoolean(s)
		case on:
			return note{kind: Taken, why: why}
		}
		return note{kind: Changed, why: why}
	}
}

// actions are the values of On-...; each may be written by its first letter.
var actions = map[string]string{"a": "accept", "d": "discard", "q": "quarantine", "r": "reject", "t": "tempfail"}

// actionOf is the action that a value means; empty for none.
func actionOf(s string) string {
	for letter, word := range actions {
		if strings.EqualFold(s, letter) || strings.EqualFold(s, word) {
			return word
		}
	}
	return ""
}

// onAction is for what alignd never refuses for by itself.
func onAction(why string) func(*importer, setting) note {
	return func(in *importer, s setting) note {
		switch actionOf(s.value) {
		case "accept":
			return note{kind: Taken, why: "it refuses nothing: " + why}
		case "":
			return in.noAction(s)
		}
		return note{kind: None, why: why + ", so less is refused than before"}
	}
}

func (in *importer) noAction(s setting) note {
	in.warn(s, "%s: %s is none of accept, discard, quarantine, reject, tempfail", s.name, quoted(s.value))
	return note{kind: None, why: "its value is none that the manual has"}
}

func onDefault(in *importer, s setting) note {
	if actionOf(s.value) == "" {
		return in.noAction(s)
	}
	if _, ok := in.last("opendkim", "On-InternalError"); !ok {
		if n := internalError(in, s); n.kind == Taken {
			n.kind, n.why = Changed, n.why+". For the other errors: "+onDKIM
			return n
		}
	}
	return note{kind: Changed, why: onDKIM}
}

func onDNSError(in *importer, s setting) note {
	const why = "a key that cannot be looked up for now decides only where an enforcing DMARC policy rests on it"
	switch actionOf(s.value) {
	case "accept":
		return in.take(s, note{kind: Changed, key: "temperror", why: why}, pair{"temperror.unresolved", "accept"})
	case "tempfail":
		return in.take(s, note{kind: Changed, key: "temperror", why: why + ", and then the message gets 451"}, pair{"temperror.unresolved", "tempfail"})
	case "":
		return in.noAction(s)
	}
	return note{kind: None, key: "temperror", why: "a temporary error is never taken as a failure; temperror says what is done"}
}

// internalError is what is done when the filter itself fails.
func internalError(in *importer, s setting) note {
	switch action := actionOf(s.value); action {
	case "accept", "reject", "tempfail":
		return in.take(s, note{kind: Taken, key: "on_error", why: "what is done when alignd itself fails on a message"}, pair{"on_error", action})
	case "":
		return in.noAction(s)
	}
	return note{kind: None, key: "on_error", why: "on_error is tempfail, accept or reject"}
}

// maximumHeaders is a number of octets.
func maximumHeaders(in *importer, s setting) note {
	if s.value == "0" {
		return note{kind: Changed, key: "limits.header_size", refuses: true, why: "alignd's limit (2 MiB) cannot be switched off, only raised"}
	}
	return in.takeNumber(s, note{kind: Taken, key: "limits.header_size", why: "a message with a larger header is refused"}, "limits.header_size", "B")
}

// minimumKeyBits is for RSA keys; RFC 8301 asks for 1024 at least.
func minimumKeyBits(in *importer, s setting) note {
	var bits int
	switch _, err := fmt.Sscanf(s.value, "%d", &bits); {
	case err != nil:
		in.warn(s, "%s: %s is no number", s.name, quoted(s.value))
		return note{kind: None, why: "its value is no number"}
	case bits == 1024:
		return note{kind: Taken, why: "RSA keys below 1024 bits do not count (RFC 8301 section 3.2)"}
	case bits < 1024:
		return note{kind: None, refuses: true, why: "RSA keys below 1024 bits never count (RFC 8301 section 3.2)"}
	}
	return note{kind: None, why: "RSA keys count from 1024 bits on (RFC 8301 section 3.2)"}
}

// minimum is how much of a body must be signed.
func minimum(in *importer, s setting) note {
	var percent int
	if _, err := fmt.Sscanf(s.value, "%d%%", &percent); err != nil || fmt.Sprintf("%d%%", percent) != s.value || percent > 100 {
		return note{kind: None, key: "dkim.accept_length", why: "alignd counts in percent: dkim.accept_length with dkim.min_length_percent. As it is a signature that leaves a part of the body unsigned does not count"}
	}
	if percent < 50 {
		return in.take(s, note{kind: Changed, key: "dkim", refuses: true, why: "at least half of the body must be signed, else anybody may write most of a signed message"},
			pair{"dkim.accept_length", true})
	}
	return in.take(s, note{kind: Taken, key: "dkim", why: "signatures that leave a part of the body unsigned count if they cover so much"},
		pair{"dkim.accept_length", true}, pair{"dkim.min_length_percent", percent})
}

func nameservers(in *importer, s setting) note {
	return in.take(s, note{kind: Taken, key: "dns", why: "these servers are asked, also for SPF, DMARC and ARC"}, pair{"dns.servers", listOf(s.value)})
}

// keepResults is KeepAuthResults. It is not taken over: whoever writes a field with our
// id would be believed.
func keepResults(in *importer, s setting) note {
	switch on, ok := boolean(s.value); {
	case !ok:
		return in.noBoolean(s)
	case on:
		return note{kind: Changed, key: "strip", why: "fields from outside that claim to be ours are deleted all the same, as else anybody could write results that look true; strip: none keeps them, which is right behind a border of your own only"}
	}
	return note{kind: Taken, key: "strip", why: "fields from outside that claim to be ours are deleted"}
}

// removeARFrom are hosts whose fields are deleted.
func removeARFrom(in *importer, s setting) note {
	items, why := in.dataset("opendkim", s)
	if why != "" {
		return note{kind: None, key: "own_authserv_ids", why: why}
	}
	var ids []string
	for _, it := range items {
		if id := strings.TrimPrefix(it.text, "."); !strings.EqualFold(id, "HOSTNAME") {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return note{kind: Taken, key: "own_authserv_ids", why: "fields with the MTA's own name are deleted in any case"}
	}
	return in.takeList(s, note{kind: Changed, key: "own_authserv_ids", why: "fields from outside with these ids are deleted, and for alignd an id also stands for all names below it"},
		list{entries: ids, pairs: func(ids []string) []pair { return []pair{{"own_authserv_ids", ids}} }})
}

// mode is what OpenDKIM and OpenARC do of signing and verifying.
func mode(_ *importer, s setting) note {
	switch {
	case !strings.Contains(s.value, "v") && s.value != "":
		return note{kind: None, why: "it only signs, which alignd does not: keep that program as it is. What this file says of verifying has no effect there"}
	case strings.Contains(s.value, "s"):
		return note{kind: Changed, why: "alignd verifies. The signer stays: once alignd is in charge, have it say Mode s, so that nothing is verified twice"}
	}
	return note{kind: Changed, why: "alignd verifies in its place, so this program can be removed after the switch"}
}

// finishOpenDKIM tells of the limit that differs.
func finishOpenDKIM(in *importer) {
	if _, ok := in.last("opendkim", "Mode"); !ok {
		in.amend(in.of("opendkim", "Mode"), note{kind: Changed, why: "the default is to sign and to verify. A signer stays: once alignd is in charge, have it say Mode s. Without keys in this file nothing was signed, and it can be removed"})
	}
}
