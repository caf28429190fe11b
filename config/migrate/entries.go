package migrate

import (
	"fmt"
	"slices"
)

// list is what one option lists, on its way to an option of ours.
type list struct {
	entries []string
	pairs   func(entries []string) []pair
	// lets: what is left out was let in, and is judged now.
	lets bool
}

// maxTried is how many entries are tried one by one; ours.
const maxTried = 1000

// takeList writes a list. Entries that alignd would not take are left out and told; the
// others do not suffer for them.
func (in *importer) takeList(s setting, n note, l list) note {
	if in.out.target.set(s, l.pairs(l.entries)...) == nil {
		return n
	}
	warned := len(in.out.Warnings)
	good, bad := in.sift(s, l)
	if len(good) > 0 && len(bad) > 0 && in.out.target.set(s, l.pairs(good)...) == nil {
		return l.leftOut(n, leftOut(bad))
	}
	in.out.Warnings = in.out.Warnings[:warned]
	n = in.take(s, n, l.pairs(l.entries)...)
	n.refuses = n.refuses || l.lets && n.kind == None
	return n
}

// sift parts the entries that alignd takes from others, of which it warns.
func (in *importer) sift(s setting, l list) (good, bad []string) {
	if len(l.entries) > maxTried {
		return l.entries, nil
	}
	for _, e := range l.entries {
		trial := target{slices.Clone(in.out.target.pairs)}
		if fault := trial.set(s, l.pairs([]string{e})...); fault == nil {
			good = append(good, e)
		} else {
			bad = append(bad, e)
			in.warn(s, "%s: %v", s.name, fault)
		}
	}
	return good, bad
}

func leftOut(bad []string) string {
	return fmt.Sprintf("entries that alignd does not take (%s) are left out", some(bad))
}

// leftOut tells of entries that are not taken over.
func (l list) leftOut(n note, why string) note {
	if l.lets {
		return n.with(why)
	}
	n.kind, n.why = max(n.kind, Changed), n.why+"; "+why
	return n
}
