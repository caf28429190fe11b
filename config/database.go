package config

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
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
	return slices.ContainsFunc(databaseHosts(s), func(host string) bool {
		here := host == "" || host[0] == '/' || isLoopback(net.JoinHostPort(host, "5432")) // a folder is one of sockets
		return !here
	})
}

// databaseHosts are the hosts of a URL as libpq reads it: host= takes the place of those in front.
func databaseHosts(s string) (hosts []string) {
	_, rest, _ := strings.Cut(s, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	if params, err := url.ParseQuery(query); err == nil && params.Has("host") {
		list := params["host"]
		return strings.Split(list[len(list)-1], ",")
	}
	for host := range strings.SplitSeq(authority[strings.LastIndexByte(authority, '@')+1:], ",") {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if name, err := url.PathUnescape(strings.Trim(host, "[]")); err == nil {
			host = name
		}
		hosts = append(hosts, host)
	}
	return hosts
}
