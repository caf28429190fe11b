package doctor

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// socketChecks are about unix sockets: where they are and who may use them.
var socketChecks = []check{
	{id: "chroot", fine: "every smtpd finds alignd's socket where it looks", applies: withPostfix, run: each(chroot)},
	{id: "socket-rights", fine: "Postfix may use alignd's socket", applies: withPostfix, run: each(socketRights)},
}

// chroot: in a chroot names begin at the queue directory, and elsewhere relative ones
// do, too.
func chroot(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		found = append(found, f.misplaced(s)...)
	}
	return once(found)
}

// misplaced are the entries of a service that mean alignd's socket and miss it.
func (f *Facts) misplaced(s smtpd) (found []Finding) {
	for _, m := range s.milters() {
		name, ok := unixPath(m.Place)
		if !ok || f.reaches(s.in, s.Chroot, m.Place) {
			continue
		}
		listen := f.listensAt(name)
		if listen == "" && soundsLikeAlignd(m.Place) {
			listen = f.listensUnix()
		}
		if listen == "" {
			continue
		}
		at, _ := s.in.socketPath(s.Chroot, m.Place)
		found = append(found, f.lost(s, m, at, listen))
	}
	return found
}

func (f *Facts) listensAt(name string) string {
	i := slices.IndexFunc(f.Alignd.Listen, func(l string) bool { n, ok := unixPath(l); return ok && n == name })
	if i < 0 {
		return ""
	}
	return f.Alignd.Listen[i]
}

func (f *Facts) listensUnix() string {
	for _, l := range f.Alignd.Listen {
		if _, ok := unixPath(l); ok {
			return l
		}
	}
	return ""
}

// lost is about a milter entry that looks for the socket at a place where it is not.
func (f *Facts) lost(s smtpd, m Milter, at, listen string) Finding {
	finding := Finding{
		Severity: Error, What: fmt.Sprintf("%s looks for %s at %s, and alignd listens on %s", s.Name, m.Place, at, listen),
		Why: "a relative name is below queue_directory", Where: s.where("smtpd_milters"),
	}
	if s.Chroot {
		finding.Why = "smtpd is chrooted: for it every name begins at queue_directory"
	}
	queue := s.in.Param["queue_directory"]
	name, _ := unixPath(listen)
	if below, ok := strings.CutPrefix(name, queue+"/"); ok || !s.Chroot {
		place := "unix:" + name
		if ok {
			place = "unix:" + below
		}
		list := s.milters()
		for i := range list {
			if list[i].Place == m.Place {
				list[i].Text = strings.Replace(list[i].Text, m.Place, place, 1)
			}
		}
		finding.Cure = s.set("smtpd_milters", texts(list))
		return finding
	}
	dir := path.Join(queue, "alignd")
	finding.Cure = append(f.movedSocket(listen, dir, "postfix"),
		s.set("smtpd_milters", strings.Replace(texts(s.milters()), m.Place, "unix:alignd/alignd.sock", 1))...)
	return finding
}

// socketRights: connecting needs the right to search each directory and to write to the
// socket. smtpd does it as mail_owner, with the groups of that user.
func socketRights(f *Facts, in *Instance) (found []Finding) {
	for _, s := range in.smtpds() {
		for _, n := range s.alignd(f) {
			name, ok := in.socketPath(s.Chroot, s.milters()[n].Place)
			if !ok || in.Files == nil {
				continue
			}
			if one, bad := f.reach(in, name); bad {
				found = append(found, one)
			}
		}
	}
	return once(found)
}

// reach walks down to the socket.
func (f *Facts) reach(in *Instance, name string) (Finding, bool) {
	socket, known := in.Files[name]
	if !known || in.User == nil {
		return Finding{Severity: Note, What: "cannot tell whether Postfix may use " + name, Where: name}, true
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if d, ok := in.Files[dir]; ok && !d.Missing && d.Unknown == "" && !in.User.may(d, 1) {
			return in.closed(dir, d), true
		}
		if dir == "/" || dir == "." {
			break
		}
	}
	switch {
	case socket.Unknown != "":
		return Finding{Severity: Note, What: fmt.Sprintf("cannot tell whether Postfix may use %s: %s", name, socket.Unknown),
			Why: "run it as root", Where: name}, true
	case socket.Missing:
		if f.Unit.holds(name) {
			finding := Finding{Severity: Error, What: "there is no socket at " + name, Why: "systemd holds it (alignd.socket), and its file is gone",
				Cure: restartBoth(), Where: name}
			if f.Unit.socketStopped() {
				finding.Why, finding.Cure = "alignd.socket, which makes it, is stopped", []string{"systemctl start alignd.socket alignd"}
			}
			return finding, true
		}
		return f.noSocket(in, name), true
	case socket.Mode.Type()&fs.ModeSocket == 0:
		again := []string{restart}
		if f.Unit.holds(name) {
			again = restartBoth()
		}
		return Finding{Severity: Error, What: name + " is no socket", Why: "alignd does not start as long as something else is there",
			Cure: append([]string{"rm " + name}, again...), Where: name}, true
	case !in.User.may(socket, 2):
		return Finding{
			Severity: Error, What: fmt.Sprintf("%s may not write to %s (%s)", in.User.Name, name, rights(socket)),
			Why:  "Postfix connects to a milter as that user, so alignd is away for it",
			Cure: f.sharedSocket(name, in.User.Name), Where: name,
		}, true
	}
	return Finding{}, false
}

// noSocket is about one that alignd itself is to make: in a folder that is there and that
// its user may write to. That below /run the unit makes at the start (RuntimeDirectory).
func (f *Facts) noSocket(in *Instance, name string) Finding {
	finding := Finding{Severity: Error, What: "there is no socket at " + name, Why: "alignd does not run, or could not make it: its log says why",
		Cure: []string{"systemctl status alignd"}, Where: name}
	dir := path.Dir(name)
	folder, known := in.Files[dir]
	missing := known && folder.Missing && !strings.HasPrefix(dir, "/run/")
	others := known && !folder.Missing && folder.Unknown == "" && folder.UID == 0 && !folder.ACL && folder.Mode.Perm()&0o022 == 0
	switch {
	case missing:
		finding.Why = "the folder " + dir + " is not there, and alignd does not make it"
	case others && f.Unit.user() != "root":
		finding.Why = fmt.Sprintf("%s may not make it there, as %s is root's (%s)", f.Unit.user(), dir, rights(folder))
	default:
		return finding
	}
	if missing || path.Base(dir) == "alignd" { // no other program's
		finding.Cure = []string{"install -d -o " + f.Unit.user() + " -g " + in.User.Name + " -m 0710 " + dir, restart}
	}
	return finding
}

func (in *Instance) closed(dir string, d File) Finding {
	return Finding{
		Severity: Error, What: fmt.Sprintf("%s may not walk into %s (%s)", in.User.Name, dir, rights(d)),
		Why:  "Postfix connects to a milter as that user, and so does not get to the socket",
		Cure: []string{"chgrp " + in.User.Name + " " + dir, "chmod g+x " + dir}, Where: dir,
	}
}

func rights(f File) string {
	return fmt.Sprintf("mode %04o, uid %d, gid %d", f.Mode.Perm(), f.UID, f.GID)
}

// may asks for one of the rights 4, 2, 1 as the kernel does: the first class that the
// user is in decides. Access control lists may grant more than can be seen here.
func (u *User) may(f File, right uint32) bool {
	perm := uint32(f.Mode.Perm())
	switch {
	case u.UID == 0 || f.ACL:
		return true
	case u.UID == f.UID:
		perm >>= 6
	case slices.Contains(u.Groups, f.GID):
		perm >>= 3
	}
	return perm&right != 0
}
