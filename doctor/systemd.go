package doctor

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// The steps of cures that systemd has a part in. A unit goes by a drop-in only after
// daemon-reload, and a process by a new group or folder only after its start.

// dropIn are the steps that put lines into a section of a unit.
func dropIn(unit, section string, lines ...string) []string {
	return slices.Concat([]string{"systemctl edit " + unit, "[" + section + "]"}, lines, []string{"systemctl daemon-reload"})
}

// restartBoth: systemd opens a socket anew only while the service is down, and a
// connection to the old one would start the service again.
func restartBoth() []string {
	return []string{"systemctl stop alignd.socket alignd", "systemctl start alignd.socket alignd"}
}

// A changed configuration holds after a reload; listen, dns, journal and some others
// want a restart.
const (
	reload  = "systemctl reload alignd"
	restart = "systemctl restart alignd"
)

// user is whom alignd runs as.
func (u *Unit) user() string {
	switch {
	case u == nil:
		return "alignd"
	case u.User == "":
		return "root"
	}
	return u.User
}

// inGroup reports whether alignd runs in a group, by name or number, and so may give
// its socket to it; root may in any case. To the unit's groups systemd adds those that
// the group database has for the user (systemd.exec(5), SupplementaryGroups=).
func (u *Unit) inGroup(group string) bool {
	return u.user() == "root" || u.Group == group || slices.Contains(u.Groups, group) || slices.Contains(u.UserGroups, group)
}

// Socketed reports whether alignd has its places from alignd.socket: from the one that is
// open, or, where nothing runs, from the one that will be.
func (u *Unit) Socketed() bool { return u.SocketActive || u.socketStopped() }

// socketStopped: alignd was stopped together with its socket.
func (u *Unit) socketStopped() bool {
	return u.SocketEnabled && !u.SocketActive && u.Active != "active" && u.Active != "reloading"
}

// holds reports whether it is systemd that makes this socket (alignd.socket).
func (u *Unit) holds(name string) bool {
	return u != nil && u.Socketed() && slices.ContainsFunc(u.Sockets, func(s string) bool { at, ok := unixPath(s); return ok && at == name })
}

// ownSocket are the steps after which alignd makes a socket in dir and gives it to a
// group. The configuration is written before.
func (f *Facts) ownSocket(dir, group string) []string {
	var lines []string
	if f.Unit == nil || !f.Unit.inGroup(group) {
		lines = append(lines, "SupplementaryGroups="+group)
	}
	if f.Unit != nil && !f.Unit.mayWrite(dir) {
		lines = append(lines, "ReadWritePaths=-"+dir)
	}
	if len(lines) == 0 {
		return []string{restart}
	}
	return append(dropIn("alignd", "Service", lines...), restart)
}

// movedSocket are the steps that bring alignd's socket from listen to dir, for a group:
// with alignd.socket, or as alignd opens it by itself.
func (f *Facts) movedSocket(listen, dir, group string) []string {
	place := "unix:" + path.Join(dir, "alignd.sock")
	instead := func(list []string) []string {
		list = slices.Clone(list)
		for i, l := range list {
			if samePath(l, listen) {
				list[i] = place
			}
		}
		return list
	}
	if name, _ := unixPath(listen); !f.Unit.holds(name) {
		return slices.Concat([]string{
			"install -d -o " + f.Unit.user() + " -g " + group + " -m 0710 " + dir,
			f.inFile("listen: " + places(instead(f.Alignd.Listen))), f.inFile("socket_group: " + group), f.inFile(`socket_mode: "0660"`),
		}, f.ownSocket(dir, group))
	}
	lines := []string{"ListenStream="} // takes away what is there
	for _, s := range instead(f.Unit.Sockets) {
		_, at, _ := strings.Cut(s, ":")
		lines = append(lines, "ListenStream="+at)
	}
	steps := dropIn("alignd.socket", "Socket", append(lines, "SocketMode=0660", "SocketGroup="+group)...)
	if f.Alignd.ListenWritten {
		steps = append(steps, f.inFile("take out listen"))
	}
	return append(steps, restartBoth()...)
}

// sharedSocket are the steps that let a group write to a socket.
func (f *Facts) sharedSocket(name, group string) []string {
	if f.Unit.holds(name) {
		return append(dropIn("alignd.socket", "Socket", "SocketMode=0660", "SocketGroup="+group), restartBoth()...)
	}
	return append([]string{f.inFile("socket_group: " + group), f.inFile(`socket_mode: "0660"`)}, f.ownSocket(path.Dir(name), group)...)
}

// inFile is a line of alignd's configuration.
func (f *Facts) inFile(line string) string { return "in " + f.Alignd.File + ": " + line }

func samePath(a, b string) bool {
	x, _ := unixPath(a)
	y, ok := unixPath(b)
	return ok && x == y
}

// places are what the option listen has, in YAML.
func places(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	var quoted []string
	for _, l := range list {
		quoted = append(quoted, strconv.Quote(l))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
