package doctor

import (
	"fmt"
	"path"
)

// unitReads: who is root reads everything, so config check finds nothing where the user
// of the unit may not read a file.
func unitReads(f *Facts) (found []Finding) {
	if f.Unit.Account == nil || len(unitConfig(f)) > 0 {
		return nil
	}
	for _, name := range f.Alignd.Reads {
		if one, bad := f.unread(name); bad {
			found = append(found, one)
		}
	}
	return once(found)
}

// unread walks down to a file, for the unit's user.
func (f *Facts) unread(name string) (Finding, bool) {
	user := f.Unit.Account
	group := f.Unit.Group
	if group == "" {
		group = user.Name
	}
	finding := Finding{
		Severity: Error, Where: f.Unit.File,
		Why: "it runs as that user: without its configuration it does not start, and a reload keeps the old one; without a key or password what that is for fails",
	}
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if d, ok := f.Alignd.Files[dir]; ok && !d.Missing && d.Unknown == "" && !user.may(d, 1) {
			finding.What = fmt.Sprintf("%s may not walk into %s (%s)", user.Name, dir, rights(d))
			finding.Cure = []string{"chgrp " + group + " " + dir, "chmod g+x " + dir, restart}
			return finding, true
		}
	}
	file, ok := f.Alignd.Files[name]
	if !ok || file.Missing || file.Unknown != "" || user.may(file, 4) {
		return Finding{}, false
	}
	finding.What = fmt.Sprintf("%s may not read %s (%s)", user.Name, name, rights(file))
	finding.Cure = []string{"chgrp " + group + " " + name, "chmod g+r " + name, restart}
	return finding, true
}
