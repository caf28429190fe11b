package facts

import (
	"os/user"
	"slices"
	"testing"

	"alignd/doctor"
)

// TestGroupsOfTheUnitsUser: the groups of a user that is there, by name and number. A
// Group= of the unit takes the place of the primary one.
func TestGroupsOfTheUnitsUser(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	mine, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Skip("left out: the group of the user that runs this has no name: ", err)
	}
	for _, c := range []struct {
		name string
		unit doctor.Unit
		has  []string
		not  string
		know bool
	}{
		{name: "a user by name", unit: doctor.Unit{User: me.Username}, has: []string{me.Gid, mine.Name}, know: true},
		{name: "a user by number", unit: doctor.Unit{User: me.Uid}, has: []string{me.Gid, mine.Name}, know: true},
		{name: "another group in place of the primary one", unit: doctor.Unit{User: me.Username, Group: "no-such-group"}, not: me.Gid, know: true},
		{name: "a group of the unit by name", unit: doctor.Unit{User: "no-such-user", Groups: []string{mine.Name}}, has: []string{me.Gid}},
		{name: "a group of the unit by number", unit: doctor.Unit{User: "no-such-user", Group: me.Gid}, has: []string{mine.Name}},
		{name: "nobody", unit: doctor.Unit{User: "no-such-user", Group: "no-such-group"}, not: me.Gid},
		{name: "root", unit: doctor.Unit{}, know: true},
	} {
		u := c.unit
		addGroups(&u)
		if u.UserKnown != c.know || c.not != "" && slices.Contains(u.UserGroups, c.not) {
			t.Errorf("%s: %+v", c.name, u)
		}
		for _, group := range c.has {
			if !slices.Contains(u.UserGroups, group) {
				t.Errorf("%s: %q lacks %s", c.name, u.UserGroups, group)
			}
		}
	}
}
