package migrate

// Reasons that several filters' options share.
const (
	byUnit      = "systemd starts alignd, restarts it and gives it its user and folders (alignd.service)"
	byLog       = "alignd logs to standard error, which systemd's journal takes; log_format and log_level say how and how much"
	verifiesAll = "alignd verifies SPF, DKIM and ARC itself and believes nobody's results; a gateway in front of this host belongs in trusted_relays"
	ownPlace    = "alignd listens at a place of its own, inet:127.0.0.1:8890 or what \"listen\" says, so that both can run side by side; main.cf or sendmail.mc name it"
	signing     = "it is about signing, which stays with the signer: keep that program for it"
	noScripts   = "alignd runs no scripts; see docs/policy.md for what rules can do"
	noFeature   = "alignd has no such check"
	noSoftware  = "alignd adds no field with its name and version"
	onlyTests   = "it is for tests of that program"
	dnsWhy      = "alignd waits dns.timeout (2s) for each of dns.attempts (3) tries, and limits.message_timeout (20s) for all checks of a message"
)

// none is an option without counterpart.
func none(name, why string) option { return option{name: name, kind: None, why: why} }

// changed is an option whose subject alignd deals with in another way.
func changed(name, key, why string) option {
	return option{name: name, kind: Changed, key: key, why: why}
}

// authservID takes over the id of Authentication-Results.
func authservID(in *importer, s setting) note {
	if s.value == "HOSTNAME" {
		return note{kind: Changed, key: "authserv_id", why: "the name of this host; alignd takes the MTA's own name, which mostly is the same. Set authserv_id where it is another"}
	}
	return in.take(s, note{kind: Taken, key: "authserv_id", why: "fields from outside with this id, or that of another host of the site, are deleted (authserv_id_covers)"},
		pair{"authserv_id", s.value})
}

// jobID is AuthservIDWithJobID.
var jobID = onlyTrue("the id stays the same for every message, so that readers can compare it; the log line has the queue id")
