package dmarc

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
)

// oracle reads RFC 9989 sections 4.10 and 4.4 naively: every name of every
// walk, no laziness and no short cuts. It maps a name to the psd value of its
// record. What the guard does to public suffixes is done to the map before.
type oracle map[string]string

// suffixes are the public suffixes that random names are made of, and registries
// those of the list's private section; families are the names that are put together.
var (
	suffixes   = []string{"t", "uk", "co.uk", "com", "org"}
	registries = []string{"uk.com", "eu.org", "al.eu.org"}
	families   = [][]string{{"t"}, {"uk"}, {"co.uk"}, {"uk", "co.uk"}, {"uk.com"}, {"com", "uk.com"}, {"al.eu.org"}, {"eu.org", "al.eu.org", "org"}}
)

func (o oracle) names(start string) []string {
	labels := strings.Split(start, ".")
	list := []string{start}
	if len(labels) > 8 {
		labels = append([]string{"gone"}, labels[len(labels)-7:]...)
	}
	for i := 1; i < len(labels); i++ {
		list = append(list, strings.Join(labels[i:], "."))
	}
	return list
}

// org returns the Organizational Domain and the name of a PSD that ended the walk.
func (o oracle) org(start string) (org, psd string) {
	org = start
	for _, name := range o.names(start) {
		switch o[name] {
		case "n":
			return name, ""
		case "y":
			if name == start {
				return start, start
			}
			rest := strings.TrimSuffix(start, "."+name)
			return rest[strings.LastIndex(rest, ".")+1:] + "." + name, name
		case "u":
			org = name
		}
	}
	return org, ""
}

// guarded is org with the guard: a suffix that forgot psd=y has it, and none is
// an Organizational Domain unless it says psd=n or is the start itself.
func (o oracle) guarded(start string, guard bool) (org, psd string) {
	if !guard {
		return o.org(start)
	}
	clone := maps.Clone(o)
	for _, s := range suffixes {
		if clone[s] == "u" {
			clone[s] = "y"
		}
	}
	org, psd = clone.org(start)
	for org != start && slices.Contains(suffixes, org) && clone[org] != "n" {
		rest := strings.TrimSuffix(start, "."+org)
		org = rest[strings.LastIndex(rest, ".")+1:] + "." + org
	}
	return org, psd
}

func (o oracle) policy(author string, guard bool) string {
	if o[author] != "" {
		return author
	}
	org, psd := o.guarded(author, guard)
	if o[org] != "" && slices.Contains(o.names(author), org) { // a name that the walk jumps is not asked
		return org
	}
	return psd
}

func (o oracle) evaluate(author, id string, guard bool) string {
	policy := o.policy(author, guard)
	if policy == "" {
		return "none at "
	}
	a, _ := o.guarded(author, guard)
	b, _ := o.guarded(id, guard)
	if author == id || a == b && !(guard && o.parted(author, id)) {
		return "pass at " + policy
	}
	return "fail at " + policy
}

// parted is what the guard makes of two names below one private suffix, or of one
// below it and one that is not: they are strangers.
func (o oracle) parted(author, id string) bool {
	if strings.HasSuffix(author, "."+id) || strings.HasSuffix(id, "."+author) {
		return false
	}
	for _, s := range registries {
		a, b := strings.HasSuffix(author, "."+s), strings.HasSuffix(id, "."+s)
		below := func(name string) string { // the label below s
			rest := strings.TrimSuffix(name, "."+s)
			return rest[strings.LastIndexByte(rest, '.')+1:]
		}
		switch {
		case a && b && below(author) == below(id) || !a && !b:
		case a && b && o[s] == "n":
		default:
			return true
		}
	}
	return false
}

// completions calls f for each way to fill the unknown names of o.
func (o oracle) completions(unknown []string, f func()) {
	if len(unknown) == 0 {
		f()
		return
	}
	for _, psd := range []string{"", "u", "y", "n"} {
		o[unknown[0]] = psd
		o.completions(unknown[1:], f)
	}
	delete(o, unknown[0])
}

// settled reports whether the missing answer for name is read as none on purpose:
// under the guard that of a suffix above a record of the author's walk, and for a
// pass that of the identifier itself.
func (o oracle) settled(author, id, name string, guard bool, d evidence.DMARC) bool {
	if name == id && d.Result == evidence.Pass && !strings.HasSuffix(author, "."+id) {
		return true
	}
	if !guard || !slices.Contains(append(registries, suffixes...), name) {
		return false
	}
	for _, n := range o.names(author) {
		if n == name {
			return false
		}
		if o[n] != "" {
			return true
		}
	}
	return false
}

// Random zones, judged by the naive reading. With failing names, a result that
// is not temporary must be the one of every world that these names may hide.
func TestAgainstNaiveReading(t *testing.T) {
	rounds := 30_000
	if testing.Short() {
		rounds = 3_000
	}
	rng := rand.New(rand.NewPCG(9989, 7489))
	word := func() string { return string("ab"[rng.IntN(2)]) }
	name := func(suffix string) string {
		labels := []string{suffix}
		for n := rng.IntN(4); n > 0; n-- {
			labels = append([]string{word()}, labels...)
		}
		if rng.IntN(8) == 0 { // some that the walk must jump in
			labels = append([]string{word(), word(), "a", "a", "a"}, labels...)
		}
		return strings.Join(labels, ".")
	}
	temporary, needless := 0, 0
	for i := range rounds {
		family, guard := families[rng.IntN(len(families))], rng.IntN(2) == 0
		author, id := name(family[rng.IntN(len(family))]), name(family[rng.IntN(len(family))])
		world, dns := oracle{}, zone()
		var unknown []string
		for _, n := range append(world.names(author), world.names(id)...) {
			if _, ok := dns.data["_dmarc."+n]; ok {
				continue
			}
			switch r := rng.IntN(12); {
			case r == 0 && len(unknown) < 3:
				unknown = append(unknown, n)
				dns.data["_dmarc."+n] = "SERVFAIL"
			case r < 6:
				psd := string("uuyn"[rng.IntN(4)])
				world[n] = psd
				dns.data["_dmarc."+n] = "v=DMARC1; p=reject; psd=" + psd
			}
		}
		d := Start(t.Context(), dns, author, Options{PSLGuard: guard}).Finish(t.Context(), Identifiers{DKIM: sigs("pass " + id)})
		got := fmt.Sprintf("%s at %s", d.Result, d.PolicyDomain)

		possible := map[string]bool{}
		open := slices.DeleteFunc(slices.Clone(unknown), func(n string) bool { return world.settled(author, id, n, guard, d) })
		world.completions(open, func() {
			e := world.evaluate(author, id, guard)
			if author == id && d.Result == evidence.Pass && strings.HasPrefix(e, "pass") {
				e = got // by whichever record
			}
			possible[e] = true
		})
		switch {
		case d.Result == evidence.TempError:
			temporary++
			if len(possible) == 1 {
				needless++
			}
			if len(unknown) == 0 {
				t.Fatalf("round %d: author %s, id %s, zone %q: temperror without failure", i, author, id, dns.data)
			}
		case guard && d.Result == evidence.Fail && possible[got] && isSuffix(commonSuffix(author, id)):
			// Under the guard an unknown registry is not taken for one that says psd=n.
		case len(possible) != 1 || !possible[got]:
			t.Fatalf("round %d: author %s, id %s, zone %q: got %s, possible %v", i, author, id, dns.data, got, possible)
		}
		asked := dns.questions()
		allowed := strings.Join(append(world.names(author), world.names(id)...), " ")
		for j, q := range asked {
			if !strings.Contains(" "+allowed+" ", " "+q+" ") || strings.Contains(" "+strings.Join(asked[:j], " ")+" ", " "+q+" ") {
				t.Fatalf("round %d: author %s, id %s: asked %q", i, author, id, asked)
			}
		}
	}
	t.Logf("%d evaluations, %d temperror, %d of them although every world agrees", rounds, temporary, needless)
}
