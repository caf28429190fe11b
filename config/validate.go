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

// validate finds what each value alone cannot tell: contradictions between
// options and faults of entries. What policy.Compile finds is left to compile.
func (d *decoder) validate(c *Config, now time.Time) {
	// The default is no contradiction where it is written down.
	const leastLength = 50 // percent of a body; ours: what is added must not outweigh what is signed
	switch _, set := d.at[&c.DKIM.MinLengthPercent]; {
	case c.DKIM.AcceptLength && c.DKIM.MinLengthPercent < leastLength:
		d.fault(&c.DKIM.MinLengthPercent, "dkim.min_length_percent is %d, and with dkim.accept_length it must be 50 at least: else anybody may write most of a signed message", c.DKIM.MinLengthPercent)
	case set && c.DKIM.MinLengthPercent != leastLength && c.DKIM.MinLengthPercent > 0 && !c.DKIM.AcceptLength:
		d.fault(&c.DKIM.MinLengthPercent, "dkim.min_length_percent has no effect while dkim.accept_length is false; set accept_length: true or leave it out")
	}
	if len(c.Listen) == 0 {
		d.fault(&c.Listen, "listen: name at least one place, such as inet:127.0.0.1:8890")
	}
	if strings.EqualFold(c.Tag.Name, "Authentication-Results") || strings.EqualFold(c.Tag.Name, "Received") {
		d.fault(&c.Tag.Name, "tag.name: %s has a meaning of its own, and incoming fields of the tag's name are deleted; choose a name of your own, such as X-Alignd-Disposition", c.Tag.Name)
	}
	if c.DNS.Timeout.Duration > c.Limits.MessageTimeout.Duration {
		d.fault(&c.DNS.Timeout, "dns.timeout (%v) is longer than limits.message_timeout (%v), so no question would be asked twice", c.DNS.Timeout, c.Limits.MessageTimeout)
	}
	// The default of spf.timeout is no contradiction: a shorter message_timeout
	// alone means that SPF is to be shorter too.
	if _, set := d.at[&c.SPF.Timeout]; set && c.SPF.Timeout.Duration > c.Limits.MessageTimeout.Duration {
		d.fault(&c.SPF.Timeout, "spf.timeout (%v) is longer than limits.message_timeout (%v), which ends the check before", c.SPF.Timeout, c.Limits.MessageTimeout)
	}
	for i := range c.NotJudged.Networks {
		if n := &c.NotJudged.Networks[i]; n.Bits() == 0 {
			d.fault(n, "not_judged.networks: %v is every client, so nothing would be judged; use mode: monitor to only watch", n)
		}
	}
	for i := range c.TrustedRelays {
		r := &c.TrustedRelays[i]
		d.loopbackRelay(c, r)
		if len(r.Peers) == 0 {
			d.fault(r, "trusted_relays: entry %q has no peers; name the addresses it connects from", r.ID)
		}
		for k := range r.Peers {
			if n := &r.Peers[k]; n.Bits() == 0 {
				d.fault(n, "trusted_relays: peers %v is every client, and each would choose the address that SPF checks", n)
			}
		}
	}
	for i := range c.Profiles {
		if p := &c.Profiles[i]; len(p.Recipients) == 0 {
			d.fault(p, "profiles: entry %q has no recipients; name some, or a file that does", p.ID)
		}
	}
	d.openSealers(c)
	d.expiry(c, now)
}

// openSealers warns of trusted Sealers whose sealed messages hold from anywhere:
// whoever gets one can send it again as often and to whom he likes (RFC 8617
// section 9.5).
func (d *decoder) openSealers(c *Config) {
	for i := range c.TrustedSealers {
		if s := &c.TrustedSealers[i]; len(s.Clients) == 0 {
			d.warning(c, s, "trusted sealer %q has no clients, so anybody can send again a message that it sealed; name the addresses it sends from", cmp.Or(s.ID, strings.Join(s.Domains, " ")))
		}
	}
}

// loopbackRelay warns of a relay that is this host's usual loopback address: what
// its own programs send is judged then, too.
func (d *decoder) loopbackRelay(c *Config, r *Relay) {
	for i := range r.Peers {
		for _, usual := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
			if n := &r.Peers[i]; n.Contains(usual) && n.Bits() > 0 {
				d.warning(c, n, "trusted_relays: %v of entry %q is loopback, so mail of webmail, cron and other programs of this host is judged too; give what brings mail from outside an address of its own, such as 127.0.0.2", n, r.ID)
				return
			}
		}
	}
}

// expiry warns of exceptions that no longer match, and soon will not.
func (d *decoder) expiry(c *Config, now time.Time) {
	const soon = 14 * 24 * time.Hour
	for i := range c.Exceptions {
		e := &c.Exceptions[i]
		switch left := e.Expires.Sub(now); {
		case e.NeverExpires || e.Expires.IsZero():
		case left <= 0:
			d.warning(c, &e.Expires, "exception %q expired on %s and no longer matches", e.ID, e.Expires.Format(time.DateOnly))
		case left < soon:
			d.warning(c, &e.Expires, "exception %q expires on %s", e.ID, e.Expires.Format(time.DateOnly))
		}
	}
}

// fault notes a Problem at the place of a value, named by its address.
func (d *decoder) fault(value any, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.where(value), fmt.Sprintf(format, args...)})
}

func (d *decoder) warning(c *Config, value any, format string, args ...any) {
	c.Warnings = append(c.Warnings, Problem{d.where(value), fmt.Sprintf(format, args...)})
}

// where is the place of a value; that of the file where it is a default.
func (d *decoder) where(value any) Position {
	if at, ok := d.at[value]; ok {
		return at
	}
	return Position{File: d.file}
}

// compile makes the Rules and turns what policy finds into Problems.
func (d *decoder) compile(c *Config) {
	rules, err := policy.Compile(d.spec(c))
	var faults policy.Errors
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			at, ok := d.sources[f.Source]
			if !ok {
				at = d.keys[strings.Replace(f.Entry, "reply ", "replies.", 1)] // no entry of a list: a key
			}
			if at.File == "" {
				at.File = d.file
			}
			d.problems = append(d.problems, Problem{at, f.Entry + ": " + f.Msg})
		}
	case err != nil:
		d.problems = append(d.problems, Problem{Position{File: d.file}, err.Error()})
	}
	c.Rules = rules
}
