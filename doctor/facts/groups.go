package facts

import (
	"os/user"
	"slices"

	"alignd/doctor"
)

// addGroups asks the group database for the groups of a unit's user, which systemd adds
// to those of the unit. Where the unit has a Group= it takes the place of the user's
// primary group (initgroups(3)).
func addGroups(u *doctor.Unit) {
	for _, group := range append(slices.Clone(u.Groups), u.Group) {
		u.UserGroups = append(u.UserGroups, otherName(group)...)
	}
	if u.User == "" {
		u.UserKnown = true // root
		return
	}
	of, err := user.Lookup(u.User)
	if err != nil {
		of, err = user.LookupId(u.User)
	}
	if err != nil {
		return
	}
	ids, err := of.GroupIds()
	if err != nil {
		return
	}
	u.UserKnown = true
	for _, id := range ids {
		if id == of.Gid && u.Group != "" {
			continue
		}
		u.UserGroups = append(append(u.UserGroups, id), otherName(id)...)
	}
}

// otherName is the number of a group that is named, or the name of a number.
func otherName(group string) []string {
	if g, err := user.LookupGroup(group); err == nil {
		return []string{g.Gid}
	}
	if g, err := user.LookupGroupId(group); err == nil {
		return []string{g.Name}
	}
	return nil
}
