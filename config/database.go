package config

import (
	"errors"
	"net"
	"regexp"
	"strings"
)

// databaseURL is one of PostgreSQL's URLs. A password may not stand in it: the configuration
// is shown, compared, and often read by all. No fault quotes it.
func databaseURL(s string) (string, error) {
	const example = "such as postgres://alignd@db.example.net/alignd?sslmode=verify-full"
	if mayHoldPassword(s) {
		return "", errors.New("must not hold a password; write it into a file that alignd alone may read, and name that in journal.password_file")
	}
	// The rest is read by who connects: net/url does not know several hosts with ports.
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") {
		return "", errors.New("is no URL of PostgreSQL, " + example)
	}
	return s, nil
}

// passwordIn finds where a text may hold a password: as libpq's URLs and lists of
// parameters write it, or as an option of another name.
var passwordIn = regexp.MustCompile(`(?i)://[^/?#\s]*:[^/?#]*@|passw(or)?d\s*[=:]|secret`)

func mayHoldPassword(s string) bool { return passwordIn.MatchString(s) }

// checkStore looks at what is said of the store of the journal.
func (k *checker) checkStore() {
	j := &k.cfg.Journal
	switch {
	case j.Store == "postgres" && j.URL == "":
		k.fault("journal.url", "journal.store is postgres: name the database in journal.url, such as postgres://alignd@db.example.net/alignd?sslmode=verify-full")
	case j.Store == "none" && j.URL != "":
		k.fault("journal.url", "journal.url has no effect while journal.store is none")
	case j.URL == "" && j.PasswordFile != "":
		k.fault("journal.password_file", "journal.password_file has no effect without journal.url")
	}
	if j.URL != "" && !strings.Contains(j.URL, "sslmode=") && leavesHost(j.URL) {
		k.warning("journal.url", "journal.url names another host and no sslmode, so whoever is between may read and change what is kept; add ?sslmode=verify-full, or sslmode=disable where that is no matter")
	}
}

// leavesHost reports whether the URL names a host other than this one.
func leavesHost(s string) bool {
	_, rest, _ := strings.Cut(s, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	for host := range strings.SplitSeq(authority, ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "5432")
		}
		if host != ":5432" && !isLoopback(host) {
			return true
		}
	}
	return false
}
