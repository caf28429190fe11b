package config

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// databaseURL is one of PostgreSQL's URLs. A password may not stand in it: the configuration
// is shown, compared, and often read by all. No fault quotes it.
func databaseURL(s string) (string, error) {
	const example = "such as postgres://alignd@db.example.net/alignd?sslmode=verify-full"
	u, err := url.Parse(s)
	if mayHoldPassword(s) {
		return "", errors.New("must not hold a password; write it into a file that alignd alone may read, and name that in journal.password_file")
	}
	if err != nil {
		return "", errors.New("cannot be read as a URL, " + example)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
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
	isPostgres := j.Store == "postgres"
	switch {
	case isPostgres && j.URL == "":
		k.fault("journal.url", "journal.store is postgres: name the database in journal.url, such as postgres://alignd@db.example.net/alignd?sslmode=verify-full")
	case !isPostgres && j.URL != "":
		k.fault("journal.url", "journal.url is for journal.store: postgres, and the store is %s", j.Store)
	case !isPostgres && j.PasswordFile != "":
		k.fault("journal.password_file", "journal.password_file is for journal.store: postgres, and the store is %s", j.Store)
	}
	if isPostgres && k.cfg.written("journal.url") && !strings.Contains(j.URL, "sslmode=") && leavesHost(j.URL) {
		k.warning("journal.url", "journal.url names another host and no sslmode, so whoever is between may read and change what is kept; add ?sslmode=verify-full, or sslmode=disable where that is no matter")
	}
}

// leavesHost reports whether the URL names a host other than this one.
func leavesHost(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	return u.Hostname() != "" && !isLoopback(u.Hostname()+":0") && !isLoopback("["+u.Hostname()+"]:0")
}
