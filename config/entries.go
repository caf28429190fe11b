package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Entry is a part of a configuration that decides something by itself, and can be left
// out by itself.
type Entry struct {
	// List is the list that it stands in, as it is written: "exceptions", "domains",
	// "rollout"; "options" for an option that is no list.
	List string
	// ID is its id, or what tells it from the others of its list.
	ID string
	// Rule is what Verdict.Rule says where it decides; empty where no verdict names it.
	Rule string
	At   Position
	// Owner, Reason and Ticket are what the admin noted.
	Owner, Reason, Ticket string
	// Begins is when a stage of a rollout does; Expires when an entry ceases to match.
	// Zero: at once, and never.
	Begins, Expires time.Time
	// Says is what a stage, a network or an option is, in short.
	Says string
}

// decidingOptions are those that decide, and what Verdict.Rule says of them where it does.
// Those of other names shape what is looked up, or the daemon.
var decidingOptions = map[string]string{
	"mode": "", "honor.reject": "honor.reject", "honor.quarantine": "honor.quarantine", "honor.none": "honor.none", "reject_mode": "reject_mode",
	"corroborated_by": "", "pct": "", "quarantine_as": "quarantine_as", "permerror": "permerror", "spf_fail": "spf_fail", "unauthenticated": "unauthenticated",
	"temperror.policy_unknown": "temperror.policy_unknown", "temperror.unresolved": "temperror.unresolved", "temperror.expired": "", "temperror_for": "",
	"on_error": "on_error", "not_judged.authenticated": "authenticated", "not_judged.loopback": "loopback", "from.missing": "from.missing",
	"from.several": "from.several", "from.too_many": "from.too_many", "from.empty": "from.empty", "from.unparsable": "from.unparsable", "from.max_domains": "",
	"recipient_delimiter": "", "spf.wide": "", "discovery": "", "psl_guard": "", "dkim.accept_length": "", "dkim.min_length_percent": "", "dkim.accept_partly_signed": "",
}

// Entries are all that is written down and decides, list by list in the order in which
// policy asks them, options last.
func (c *Config) Entries() (list []Entry) {
	add := func(e Entry) { list = append(list, e) }
	for i, n := range c.NotJudged.Networks {
		add(Entry{List: "not_judged.networks", ID: networkName(n), Rule: networkName(n), At: c.places[item("not_judged.networks", i)]})
	}
	for i := range c.OwnDomains {
		o := &c.OwnDomains[i]
		add(Entry{List: "own_domains", ID: o.ID, Rule: o.ID, At: o.At.Position, Says: fmt.Sprintf("%s for %s", o.Action, briefly(o.Domains))})
	}
	for i := range c.Domains {
		d := &c.Domains[i]
		add(Entry{List: "domains", ID: ruleName(d), Rule: d.ID, At: d.At.Position, Says: briefly(d.AuthorDomains)})
		list = append(list, stages("domains: "+ruleName(d)+": rollout", d.Rollout)...)
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		add(Entry{List: "profiles", ID: p.ID, Rule: p.ID, At: p.At.Position, Says: fmt.Sprintf("%d recipients", len(p.Recipients))})
		list = append(list, stages("profiles: "+p.ID+": rollout", p.Rollout)...)
	}
	for i := range c.TrustedSealers {
		s := &c.TrustedSealers[i]
		add(Entry{List: "trusted_sealers", ID: s.ID, Rule: s.ID, At: s.At.Position, Says: briefly(s.Domains)})
	}
	for i := range c.TrustedRelays {
		add(Entry{List: "trusted_relays", ID: c.TrustedRelays[i].ID, At: c.TrustedRelays[i].At.Position, Says: "whose client is told by the Received chain"})
	}
	for i := range c.Exceptions {
		x := &c.Exceptions[i]
		add(Entry{List: "exceptions", ID: x.ID, Rule: x.ID, At: x.At.Position, Owner: x.Owner, Reason: x.Reason, Ticket: x.Ticket, Expires: x.Expires.Time, Says: string(x.Action)})
	}
	list = append(list, stages("rollout", c.Rollout)...)
	return append(list, c.optionEntries()...)
}

// stages are those of a rollout. The stage in force is what limits a verdict; none is named
// by it.
func stages(name string, rollout []Stage) (list []Entry) {
	for i := range rollout {
		s := &rollout[i]
		says := "all mail"
		if s.Percent > 0 && s.Percent < 100 {
			says = fmt.Sprintf("%d %% of mail", s.Percent)
		}
		if stopIf(&s.StopIf) != nil {
			says += ", with stop_if"
		}
		list = append(list, Entry{List: name, ID: fmt.Sprintf("%d/%s", i+1, s.Stage), At: s.At.Position, Begins: s.From.Time, Says: says})
	}
	return list
}

// optionEntries are options that are written down and say otherwise than the default.
func (c *Config) optionEntries() (list []Entry) {
	own, usual := reflect.ValueOf(c).Elem(), reflect.ValueOf(defaults()).Elem()
	for option, rule := range decidingOptions {
		is, was := optionIn(own, option), optionIn(usual, option)
		if at := c.where(option); at.Line > 0 && text(is) != text(was) {
			list = append(list, Entry{List: "options", ID: option, Rule: rule, At: at, Says: cut(text(is)) + ", by default " + cut(text(was))})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// optionIn is an option by its path.
func optionIn(v reflect.Value, path string) reflect.Value {
	key, below, deeper := strings.Cut(path, ".")
	for _, o := range optionsIn(v.Type()) {
		if o.key != key {
			continue
		}
		if deeper {
			return optionIn(v.FieldByIndex(o.index), below)
		}
		return v.FieldByIndex(o.index)
	}
	panic("config: there is no option " + path) // a fault of the table; its test shows it
}

func briefly(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// Without is c without an entry of Entries; an option gets its default. ok is false where
// there is none. The error is Problems: what is left needs the entry.
func (c *Config) Without(list, id string) (without *Config, ok bool, err error) {
	less := *c
	if !less.remove(list, id) {
		return nil, false, nil
	}
	k := &checker{cfg: &less, file: "configuration"}
	k.compile()
	if len(k.problems) > 0 {
		return nil, true, k.problems
	}
	return &less, true, nil
}

// remove takes an entry out of what c has for itself.
func (c *Config) remove(list, id string) bool {
	switch list {
	case "not_judged.networks":
		n := len(c.NotJudged.Networks)
		c.NotJudged.Networks = slices.Clone(c.NotJudged.Networks)
		for i, p := range c.NotJudged.Networks {
			if networkName(p) == id {
				c.NotJudged.Networks = slices.Delete(c.NotJudged.Networks, i, i+1)
				break
			}
		}
		return len(c.NotJudged.Networks) < n
	case "own_domains":
		return removed(&c.OwnDomains, func(o *OwnDomains) bool { return o.ID == id })
	case "domains":
		return removed(&c.Domains, func(d *DomainRule) bool { return ruleName(d) == id })
	case "profiles":
		return removed(&c.Profiles, func(p *Profile) bool { return p.ID == id })
	case "trusted_sealers":
		return removed(&c.TrustedSealers, func(s *Sealer) bool { return s.ID == id })
	case "trusted_relays":
		return removed(&c.TrustedRelays, func(r *Relay) bool { return r.ID == id })
	case "exceptions":
		return removed(&c.Exceptions, func(x *Exception) bool { return x.ID == id })
	case "rollout":
		return removedStage(&c.Rollout, id)
	case "options":
		if _, known := decidingOptions[id]; !known || c.where(id).Line == 0 {
			return false
		}
		optionIn(reflect.ValueOf(c).Elem(), id).Set(optionIn(reflect.ValueOf(defaults()).Elem(), id))
		return true
	}
	return c.removeStage(list, id)
}

// removeStage is for the rollout of an entry.
func (c *Config) removeStage(list, id string) bool {
	if of, ok := strings.CutPrefix(list, "domains: "); ok {
		c.Domains = slices.Clone(c.Domains)
		for i := range c.Domains {
			if d := &c.Domains[i]; ruleName(d)+": rollout" == of {
				return removedStage(&d.Rollout, id)
			}
		}
	}
	if of, ok := strings.CutPrefix(list, "profiles: "); ok {
		c.Profiles = slices.Clone(c.Profiles)
		for i := range c.Profiles {
			if p := &c.Profiles[i]; p.ID+": rollout" == of {
				return removedStage(&p.Rollout, id)
			}
		}
	}
	return false
}

// removed takes the first that is meant out of a copy of a list.
func removed[T any](list *[]T, meant func(*T) bool) bool {
	for i := range *list {
		if meant(&(*list)[i]) {
			*list = slices.Delete(slices.Clone(*list), i, i+1)
			return true
		}
	}
	return false
}

func removedStage(list *[]Stage, id string) bool {
	n := 0
	return removed(list, func(s *Stage) bool {
		n++
		return fmt.Sprintf("%d/%s", n, s.Stage) == id
	})
}
