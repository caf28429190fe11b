package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/policy"
)

// checker looks at a configuration that was read, and gathers faults.
type checker struct {
	cfg      *Config
	file     string
	base     string // folder of names in the files
	like     *Config
	problems Problems
}

// validate finds what each value alone cannot tell: contradictions between
// options and faults of entries. What policy.Compile finds is left to compile.
func (k *checker) validate(now time.Time) {
	c := k.cfg
	// The default is no contradiction where it is written down.
	const leastLength = 50 // percent of a body; ours: what is added must not outweigh what is signed
	switch {
	case c.DKIM.AcceptLength && c.DKIM.MinLengthPercent < leastLength:
		k.fault("dkim.min_length_percent", "dkim.min_length_percent is %d, and with dkim.accept_length it must be 50 at least: else anybody may write most of a signed message", c.DKIM.MinLengthPercent)
	case c.written("dkim.min_length_percent") && c.DKIM.MinLengthPercent != leastLength && c.DKIM.MinLengthPercent > 0 && !c.DKIM.AcceptLength:
		k.fault("dkim.min_length_percent", "dkim.min_length_percent has no effect while dkim.accept_length is false; set accept_length: true or leave it out")
	}
	if len(c.Listen) == 0 {
		k.fault("listen", "listen: name at least one place, such as inet:127.0.0.1:8890")
	}
	if strings.EqualFold(c.Tag.Name, "Authentication-Results") || strings.EqualFold(c.Tag.Name, "Received") {
		k.fault("tag.name", "tag.name: %s has a meaning of its own, and incoming fields of the tag's name are deleted; choose a name of your own, such as X-Alignd-Disposition", c.Tag.Name)
	}
	if c.DNS.Timeout.Duration > c.Limits.MessageTimeout.Duration {
		k.fault("dns.timeout", "dns.timeout (%v) is longer than limits.message_timeout (%v), so no question would be asked twice", c.DNS.Timeout, c.Limits.MessageTimeout)
	}
	// The default of spf.timeout is no contradiction: a shorter message_timeout
	// alone means that SPF is to be shorter too.
	if c.written("spf.timeout") && c.SPF.Timeout.Duration > c.Limits.MessageTimeout.Duration {
		k.fault("spf.timeout", "spf.timeout (%v) is longer than limits.message_timeout (%v), which ends the check before", c.SPF.Timeout, c.Limits.MessageTimeout)
	}
	for i := range c.NotJudged.Networks {
		switch n := c.NotJudged.Networks[i]; {
		case n.Bits() == 0:
			k.fault(item("not_judged.networks", i), "not_judged.networks: %v is every client, so nothing would be judged; use mode: monitor to only watch", n)
		case n.Addr().Is4() && n.Bits() < wideIPv4 || n.Addr().Is6() && n.Bits() < wideIPv6:
			k.warning(item("not_judged.networks", i), "not_judged.networks: %v is much of all there is, and its mail is not judged", n)
		}
	}
	for i := range c.TrustedRelays {
		r := &c.TrustedRelays[i]
		at := item("trusted_relays", i)
		k.loopbackRelay(at, r)
		if len(r.Peers) == 0 {
			k.fault(at+".peers", "trusted_relays: entry %q has no peers; name the addresses it connects from", r.ID)
		}
		for j := range r.Peers {
			if n := r.Peers[j]; n.Bits() == 0 {
				k.fault(item(at+".peers", j), "trusted_relays: peers %v is every client, and each would choose the address that SPF checks", n)
			}
		}
	}
	for i := range c.Profiles {
		if p := &c.Profiles[i]; len(p.Recipients) == 0 {
			k.fault(item("profiles", i)+".recipients", "profiles: entry %q has no recipients; name some, or a file that does", p.ID)
		}
	}
	k.places()
	k.shadow()
	k.openSealers()
	k.metricsPlaces()
	k.checkStore()
	k.reports()
	k.stops()
	k.previews()
	k.expiry(now)
}

// shadow looks at the ids of filters in front, which must not be ours.
func (k *checker) shadow() {
	c := k.cfg
	if len(c.CompareWith) > 0 && c.ReceivedSPF && c.Strip != "none" {
		k.warning("received_spf", "received_spf: incoming Received-SPF fields are deleted, also those of the filters that compare_with runs beside")
	}
	for i, id := range c.CompareWith {
		switch {
		case slices.Index(c.CompareWith, id) < i:
			k.fault(item("compare_with", i), "compare_with: %s stands there twice", id)
		case id == "hostname": // a word of opendkim.conf and opendmarc.conf
			k.fault(item("compare_with", i), "compare_with: write the name that the other filter writes in place of HOSTNAME, as its Authentication-Results have it")
		case id == c.AuthservID:
			_, parent, _ := strings.Cut("."+id, ".")
			if _, below, ok := strings.Cut(id, "."); ok {
				parent = below
			}
			k.fault(item("compare_with", i), "compare_with: alignd would write under %s too, and nobody could tell whose results are whose; give it an id of its own, authserv_id: alignd-shadow.%s", id, parent)
		case strings.Contains(c.AuthservID, id):
			k.warning("authserv_id", "authserv_id: %s has %s of compare_with in it, so a user's filter that searches the field for that finds it in alignd's too", c.AuthservID, id)
		}
	}
}

// previews looks at how a reload is previewed.
func (k *checker) previews() {
	c := k.cfg
	switch {
	case c.Preview.Duration > 0 && c.Journal.Store == "none":
		k.fault("preview", "preview judges by the journal, and journal.store is none; have a journal kept, or leave preview out")
	case c.Preview.Duration == 0 && len(c.PreviewLimit) > 0:
		k.fault("preview_limit", "preview_limit has no effect while preview is 0s; set preview: 24h or leave it out")
	}
}

// stops looks at what is to stop stages of a rollout.
func (k *checker) stops() {
	c := k.cfg
	look := func(stages []Stage, list string, wide bool) {
		for i := range stages {
			st := &stages[i]
			option := item(list, i) + ".stop_if"
			switch {
			case st.StopIf == (StopIf{}) && st.At.has("stop_if"):
				k.fault(option, "%s: says nothing; set failing_share, passing_refused or both", option)
			case st.StopIf == (StopIf{}):
			case c.Journal.Store == "none":
				k.fault(option, "%s goes by what the journal counts, and journal.store is none; have a journal kept, or leave stop_if out", option)
			case wide && st.StopIf.FailingShare != "":
				k.warning(option, "%s: this rollout is for all Author Domains, so whoever has a domain can stop it with failing mail of his own; set it in entries of domains where that matters", option)
			}
		}
	}
	look(c.Rollout, "rollout", true)
	for i := range c.Domains {
		look(c.Domains[i].Rollout, item("domains", i)+".rollout", slices.Contains(c.Domains[i].AuthorDomains, "*"))
	}
}

// places are where alignd listens, and for how long it goes on when it is to end.
// What this host has not is warned of: it may have it when alignd starts.
func (k *checker) places() {
	k.web()
	c := k.cfg
	if len(c.Listen) > maxListen {
		k.fault("listen", "listen: %d places are more than %d", len(c.Listen), maxListen)
		return
	}
	for i, place := range c.Listen {
		if first := slices.Index(c.Listen, place); first < i {
			k.fault(item("listen", i), "listen: %s stands there twice", place)
		}
	}
	socket := slices.ContainsFunc(c.Listen, func(place string) bool { return strings.HasPrefix(place, "unix:") })
	if _, err := strconv.ParseUint(c.SocketGroup, 10, 31); socket && c.SocketGroup != "" && err != nil {
		if _, err := user.LookupGroup(c.SocketGroup); err != nil {
			k.warning("socket_group", "socket_group: this host has no group %q, and alignd does not start without it", c.SocketGroup)
		}
	}
	if c.Drain.Duration >= maxDrain {
		k.warning("drain", "drain (%s) is no shorter than the %s that Postfix waits for a filter; what is not finished by then is lost to it all the same", c.Drain, maxDrain)
	}
}

// Networks with shorter prefixes are hardly anybody's own: the widest that are for
// private use are 10.0.0.0/8 and fc00::/7, of which a site has a /48 (RFC 1918 section
// 3, RFC 4193 section 3.1).
const (
	wideIPv4 = 8
	wideIPv6 = 7
)

// maxDrain is how long Postfix waits for a filter that does not answer
// (milter_command_timeout); the unit waits for some more.
const maxDrain = 30 * time.Second

// metricsPlaces keeps the counts of a site from the net: they tell who writes to whom,
// and whoever asks often costs time.
func (k *checker) metricsPlaces() {
	m := &k.cfg.Metrics
	for i, place := range m.Listen {
		at := item("metrics.listen", i)
		switch addr, tcp := strings.CutPrefix(place, "inet:"); {
		case slices.Contains(k.cfg.Listen, place):
			k.fault(at, "metrics.listen: %s is where the MTA finds alignd (listen); choose another place", place)
		case tcp && !m.AllowRemote && !isLoopback(addr):
			k.fault(at, "metrics.listen: %s is no loopback address, so others could read the metrics; name 127.0.0.1, ::1 or localhost, or set metrics.allow_remote: true", place)
		}
	}
	if m.AllowRemote && len(m.Listen) == 0 {
		k.fault("metrics.allow_remote", "metrics.allow_remote has no effect while metrics.listen is empty; name a place there or leave it out")
	}
}

// isLoopback is for HOST:PORT. A name other than localhost may be any address.
func isLoopback(hostPort string) bool {
	host, _, _ := net.SplitHostPort(hostPort)
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// openSealers warns of trusted Sealers whose sealed messages hold from anywhere:
// whoever gets one can send it again as often and to whom he likes (RFC 8617
// section 9.5).
func (k *checker) openSealers() {
	c := k.cfg
	for i := range c.TrustedSealers {
		if s := &c.TrustedSealers[i]; len(s.Clients) == 0 {
			k.warning(item("trusted_sealers", i), "trusted sealer %q has no clients, so anybody can send again a message that it sealed; name the addresses it sends from", cmp.Or(s.ID, strings.Join(s.Domains, " ")))
		}
	}
}

// loopbackRelay warns of a relay that is this host's usual loopback address: what
// its own programs send is judged then, too.
func (k *checker) loopbackRelay(at string, r *Relay) {
	for i := range r.Peers {
		for _, usual := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
			if n := r.Peers[i]; n.Contains(usual) && n.Bits() > 0 {
				k.warning(item(at+".peers", i), "trusted_relays: %s of entry %q is loopback, so mail of webmail, cron and other programs of this host is judged too; give what brings mail from outside an address of its own, such as 127.0.0.2", networkName(n), r.ID)
				return
			}
		}
	}
}

// expiry warns of exceptions that no longer match, and soon will not.
func (k *checker) expiry(now time.Time) {
	c := k.cfg
	const soon = 14 * 24 * time.Hour
	for i := range c.Exceptions {
		e := &c.Exceptions[i]
		switch left := e.Expires.Sub(now); {
		case e.NeverExpires || e.Expires.IsZero():
		case left <= 0:
			k.warning(item("exceptions", i)+".expires", "exception %q expired on %s and no longer matches", e.ID, e.Expires.Format(time.DateOnly))
		case left < soon:
			k.warning(item("exceptions", i)+".expires", "exception %q expires on %s", e.ID, e.Expires.Format(time.DateOnly))
		}
	}
}

// fault notes what is wrong with an option, named by its path.
func (k *checker) fault(option, format string, args ...any) {
	switch n := len(k.problems); {
	case n > 2*maxProblems || k.follows(option):
		return
	case n == 2*maxProblems:
		option, format, args = "", "more than %d faults, the rest was not looked at", []any{n}
	}
	k.breakAt(option)
	k.problems = append(k.problems, Problem{Position: k.at(option), Text: fmt.Sprintf(format, args...)})
}

func (k *checker) warning(option, format string, args ...any) {
	k.cfg.Warnings = append(k.cfg.Warnings, Problem{Position: k.at(option), Text: fmt.Sprintf(format, args...)})
}

// restsOn are other options that a fault of one rests on; in an entry, those of
// the entry.
var restsOn = map[string][]string{
	"dkim.min_length_percent": {"dkim.accept_length"},
	"dns.timeout":             {"limits.message_timeout"},
	"spf.timeout":             {"limits.message_timeout"},
	"journal.url":             {"journal.store"},
	"journal.password_file":   {"journal.url"},
	"proof":                   {"scope", "action", "kind"},
	"action":                  {"kind"},
	"expires":                 {"never_expires"},
	"recipients":              {"file"},
}

// follows reports whether what is wrong with an option may only follow from a fault
// that was told already.
func (k *checker) follows(option string) bool {
	at, rest := k.cfg.entry(option)
	if at == nil {
		return k.touched(k.cfg.broken, option)
	}
	broken := map[string]bool{}
	for _, path := range at.broken {
		broken[path] = true
	}
	if broken[""] || k.touched(broken, rest) {
		return true
	}
	return strings.HasPrefix(rest, "proof.sealers") && k.sealersOpen()
}

// touched reports whether one of broken is an option, in it or around it, or one that
// it rests on.
func (k *checker) touched(broken map[string]bool, option string) bool {
	for _, path := range append([]string{option}, restsOn[option]...) {
		for b := range broken {
			if b == path || isIn(b, path) || isIn(path, b) {
				return true
			}
		}
	}
	return false
}

// isIn reports whether path is in the section, list or entry that around names.
func isIn(path, around string) bool {
	rest, ok := strings.CutPrefix(path, around)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// sealersOpen reports whether the ids of trusted Sealers are not all known.
func (k *checker) sealersOpen() bool {
	if k.touched(k.cfg.broken, "trusted_sealers") {
		return true
	}
	return slices.ContainsFunc(k.cfg.TrustedSealers, func(s Sealer) bool {
		return slices.ContainsFunc(s.At.broken, func(path string) bool {
			return path == "" || path == "id" || strings.HasPrefix(path, "domains")
		})
	})
}

// breakAt notes that a fault of an option was told.
func (k *checker) breakAt(option string) {
	if at, rest := k.cfg.entry(option); at != nil {
		at.broken = append(at.broken, rest)
	} else {
		k.cfg.broken[option] = true
	}
}

// at is the place of an option; the file where it is a default.
func (k *checker) at(option string) Position {
	if at := k.cfg.where(option); at.Line > 0 {
		return at
	}
	return Position{File: k.file}
}

// compile makes the Rules and turns what policy finds into Problems.
func (k *checker) compile() {
	rules, err := policy.Compile(k.cfg.spec())
	var faults policy.Errors
	switch {
	case errors.As(err, &faults):
		var told Problems // policy tells each once: none follows from another
		for _, f := range faults {
			if !k.follows(f.Option) {
				told = append(told, Problem{Position: k.at(f.Option), Text: f.Entry + ": " + f.Msg})
			}
		}
		k.problems = append(k.problems, told...)
	case err != nil:
		k.fault("", "%v", err)
	}
	k.cfg.Rules = rules
}

// item is the path of one value or entry of a list.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
