package migrate

// openARC is OpenARC; Debian 12 has no package, so the options are those of its public
// manuals, of the Trusted Domain Project and of the fork that is kept up since
// (version 1.3), and those that only the source of the former has.
var openARC filter

func init() {
	openARC = filter{name: "openarc", file: "openarc.conf", options: []option{
		none("AuthResIP", "the client's address always stands behind spf= (client-ip) and arc= (smtp.remote-ip)"),
		{name: "AuthservID", do: authservID},
		none("AutoRestart", byUnit),
		none("AutoRestartCount", byUnit),
		none("AutoRestartRate", byUnit),
		none("Background", byUnit),
		none("BaseDirectory", "relative names in this file were read below it; alignd needs none"),
		none("Canonicalization", signing),
		none("ChangeRootDirectory", byUnit),
		none("Domain", signing),
		{name: "DomainWhitelist", do: domainWhitelist},
		{name: "DomainWhitelistFile", do: sealersFrom("openarc")},
		none("EnableCoredumps", byUnit),
		changed("FinalReceiver", "", "alignd writes no arc.chain; arc= has the newest sealer and the number of sets, \"alignd explain\" shows the chain"),
		none("FixedTimestamp", onlyTests),
		none("Include", "its file was read in its place"),
		{name: "InternalHosts", do: func(in *importer, s setting) note { return in.exempt("openarc", s) }},
		none("KeepTemporaryFiles", "alignd writes no such files; \"alignd check\" shows how a message came out"),
		none("KeyFile", signing),
		{name: "MaximumHeaders", do: maximumHeaders},
		none("MilterDebug", byLog),
		{name: "MinimumKeySizeRSA", do: minimumKeyBits},
		{name: "Mode", do: mode},
		none("OversignHeaders", signing),
		{name: "PeerList", do: func(in *importer, s setting) note { return in.exempt("openarc", s) }},
		{name: "PermitAuthenticationOverrides", do: onlyTrue(verifiesAll)},
		none("PidFile", byUnit),
		none("RequireSafeKeys", signing),
		none("ResponseDisabled", "mail that is not judged is let in (not_judged)"),
		{name: "ResponseUnable", do: internalError},
		{name: "ResponseUnwilling", do: unwilling},
		none("SealHeaderChecks", signing),
		none("Selector", signing),
		none("SignatureAlgorithm", signing),
		none("SignatureTTL", signing),
		none("SignHeaders", signing),
		changed("Socket", "listen", ownPlace),
		{name: "SoftwareHeader", do: onlyTrue(noSoftware)},
		changed("Syslog", "log_format", byLog),
		changed("SyslogFacility", "log_format", byLog),
		none("TemporaryDirectory", "alignd writes no temporary files"),
		none("TestKeys", onlyTests),
		none("UMask", "socket_mode and socket_group are for a unix socket of alignd, which is a place of its own"),
		none("UserID", byUnit),
	}}
}

// unwilling is ResponseUnwilling, what is done over a limit.
func unwilling(_ *importer, s setting) note {
	if s.value == "reject" {
		return note{kind: Taken, key: "limits", why: "alignd refuses a message that is over one of its limits"}
	}
	return note{kind: Changed, key: "limits", refuses: true, why: "alignd always refuses a message that is over one of its limits, as it cannot be judged"}
}
