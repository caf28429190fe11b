package config

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Web says where the pages are, and who may look.
type Web struct {
	Listen    string   `yaml:"listen" is:"web_listen"`
	Hosts     []string `yaml:"hosts" is:"domain"`
	UsersFile string   `yaml:"users_file" is:"optional_file"`
	Proxy     WebProxy `yaml:"proxy"`
	TLS       WebTLS   `yaml:"tls"`
	Role      string   `yaml:"role" oneof:"viewer auditor"`
	Auditors  []string `yaml:"auditors"`
	Timeout   Duration `yaml:"timeout" min:"1s" max:"5m"`
	Parallel  int      `yaml:"parallel" min:"1" max:"64"`
}

// IsZero leaves it out of Hash: it is about no mail.
func (w Web) IsZero() bool { return true }

// WebProxy is a reverse proxy that says who asks.
type WebProxy struct {
	Header   string         `yaml:"header" is:"web_field"`
	Networks []netip.Prefix `yaml:"networks"`
	TLS      bool           `yaml:"tls"`
}

// WebTLS are files of PEM.
type WebTLS struct {
	CertFile     string `yaml:"cert_file" is:"optional_file"`
	KeyFile      string `yaml:"key_file" is:"optional_file"`
	ClientCAFile string `yaml:"client_ca_file" is:"optional_file"`
}

// optionalListen is a place to listen, or none.
func optionalListen(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return listenAddress(s)
}

// web keeps the pages from those who may not look.
func (k *checker) web() {
	w := &k.cfg.Web
	if (w.TLS.CertFile == "") != (w.TLS.KeyFile == "") {
		k.fault("web.tls", "web.tls: cert_file and key_file go together")
	}
	if w.TLS.ClientCAFile != "" && w.TLS.CertFile == "" {
		k.fault("web.tls", "web.tls.client_ca_file: client certificates need TLS; set cert_file and key_file")
	}
	addr, tcp := strings.CutPrefix(w.Listen, "inet:")
	if (w.Proxy.Header == "") != (len(w.Proxy.Networks) == 0) && (tcp || w.Listen == "" || w.Proxy.Header == "") {
		k.fault("web.proxy", "web.proxy: header and networks go together, as anybody else could send the header")
	}
	if w.Listen == "" {
		return
	}
	switch {
	case slices.Contains(k.cfg.Listen, w.Listen) || slices.Contains(k.cfg.Metrics.Listen, w.Listen):
		k.fault("web.listen", "web.listen: %s is taken by another listener (listen, metrics.listen); choose another place", w.Listen)
	case tcp && !isLoopback(addr) && w.TLS.CertFile == "":
		k.fault("web.listen", "web.listen: %s is no loopback address, so passwords and pages could be read on the way; name 127.0.0.1, ::1 or localhost, or set web.tls", w.Listen)
	}
	if k.cfg.Journal.Store == "none" {
		k.fault("web.listen", "web.listen: the pages show the journal, and journal.store is none")
	}
}

// optionalFieldName is the name of a field, or none.
func optionalFieldName(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) {
		return "", errors.New("is no name of a header field such as X-Remote-User")
	}
	return s, nil
}
