package policy

import "slices"

// WithPseudonyms is s for mail whose local parts may be kept as pseudonyms: each entry
// that lists an address holds for its pseudonym, too, which of gives for the local part
// and the domain, in lower case. s is not changed. Rules of it decide over mail that is not so kept as
// those of s do.
func (s Spec) WithPseudonyms(of func(local, domain string) string) Spec {
	with := func(list []string) []string {
		list = slices.Clip(list)
		for _, text := range list {
			if p, err := parseAddress(text); err == nil && p.kind == fullAddress {
				local, domain, _ := cutAddress(p.name)
				list = append(list, of(local, domain)+"@"+domain)
			}
		}
		return list
	}
	s.Profiles = slices.Clone(s.Profiles)
	for i := range s.Profiles {
		s.Profiles[i].Recipients = with(s.Profiles[i].Recipients)
	}
	s.Exceptions = slices.Clone(s.Exceptions)
	for i := range s.Exceptions {
		scope := &s.Exceptions[i].Scope
		scope.MailFrom, scope.Recipients = with(scope.MailFrom), with(scope.Recipients)
	}
	s.Sealers = slices.Clone(s.Sealers)
	for i := range s.Sealers {
		s.Sealers[i].Recipients = with(s.Sealers[i].Recipients)
	}
	return s
}
