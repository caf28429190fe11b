package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"alignd/policy"
)

// checker looks at a configuration that was read, and gathers faults.
type checker struct {
	cfg      *Config
	file     string
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
		if n := c.NotJudged.Networks[i]; n.Bits() == 0 {
			k.fault(item("not_judged.networks", i), "not_judged.networks: %v is every client, so nothing would be judged; use mode: monitor to only watch", n)
		}
	}
	for i := range c.TrustedRelays {
		r := &c.TrustedRelays[i]
		at := item("trusted_relays", i)
		k.loopbackRelay(at, r)
		if len(r.Peers) == 0 {
			k.fault(at, "trusted_relays: entry %q has no peers; name the addresses it connects from", r.ID)
		}
		for j := range r.Peers {
			if n := r.Peers[j]; n.Bits() == 0 {
				k.fault(item(at+".peers", j), "trusted_relays: peers %v is every client, and each would choose the address that SPF checks", n)
			}
		}
	}
	for i := range c.Profiles {
		if p := &c.Profiles[i]; len(p.Recipients) == 0 {
			k.fault(item("profiles", i), "profiles: entry %q has no recipients; name some, or a file that does", p.ID)
		}
	}
	k.openSealers()
	k.expiry(now)
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
	k.problems = append(k.problems, Problem{k.at(option), fmt.Sprintf(format, args...)})
}

func (k *checker) warning(option, format string, args ...any) {
	k.cfg.Warnings = append(k.cfg.Warnings, Problem{k.at(option), fmt.Sprintf(format, args...)})
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
		for _, f := range faults {
			k.fault(f.Option, "%s: %s", f.Entry, f.Msg)
		}
	case err != nil:
		k.fault("", "%v", err)
	}
	k.cfg.Rules = rules
}

// item is the path of one value or entry of a list.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
