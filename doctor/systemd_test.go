package doctor

import (
	"bytes"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// lostInChroot are the facts of a chrooted smtpd that is told the whole path of a socket
// in /run, with the unit as it is shipped.
func lostInChroot() *Facts {
	f := healthy()
	f.Alignd.Listen, f.Alignd.ListenWritten, f.Alignd.SocketGroup = []string{"unix:/run/alignd/alignd.sock"}, true, ""
	f.Postfix[0].Param["smtpd_milters"], f.Postfix[0].Raw["smtpd_milters"] = "unix:/run/alignd/alignd.sock", "unix:/run/alignd/alignd.sock"
	f.Unit.Groups = nil
	return f
}

// TestSocketCuresHaveEachStep: the steps in an order in which they work. The folder
// comes before the start that needs it, the drop-in before daemon-reload, that before
// the start, and Postfix looks for the socket last. While alignd.socket is active, a
// stop of alignd alone is undone by the next connection.
func TestSocketCuresHaveEachStep(t *testing.T) {
	const folder, mode = "install -d -o alignd -g postfix -m 0710 /var/spool/postfix/alignd", `in /etc/alignd/alignd.yaml: socket_mode: "0660"`
	const listen, group = "in /etc/alignd/alignd.yaml: listen: unix:/var/spool/postfix/alignd/alignd.sock", "in /etc/alignd/alignd.yaml: socket_group: postfix"
	const attach = "postconf -e 'smtpd_milters = unix:alignd/alignd.sock'"
	const stop, start = "systemctl stop alignd.socket alignd", "systemctl start alignd.socket alignd"
	for _, c := range []struct {
		name, id string
		change   func(f *Facts)
		want     []string
	}{
		{name: "the shipped unit", id: "chroot", change: func(*Facts) {}, want: []string{
			folder, listen, group, mode, "systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix",
			"systemctl daemon-reload", "systemctl restart alignd", attach, "postfix reload",
		}},
		{name: "no unit", id: "chroot", change: func(f *Facts) { f.Unit = nil }, want: []string{
			folder, listen, group, mode, "systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix",
			"systemctl daemon-reload", "systemctl restart alignd", attach, "postfix reload",
		}},
		{name: "alignd is in the group by /etc/group", id: "chroot", change: func(f *Facts) { f.Unit.UserGroups = []string{"103", "postfix"} }, want: []string{
			folder, listen, group, mode, "systemctl restart alignd", attach, "postfix reload",
		}},
		{name: "another user and a sandbox without the folder", id: "chroot", change: func(f *Facts) { f.Unit.User, f.Unit.Writable = "filter", []string{"/run/alignd"} }, want: []string{
			"install -d -o filter -g postfix -m 0710 /var/spool/postfix/alignd", listen, group, mode, "systemctl edit alignd", "[Service]",
			"SupplementaryGroups=postfix", "ReadWritePaths=-/var/spool/postfix/alignd", "systemctl daemon-reload", "systemctl restart alignd", attach, "postfix reload",
		}},
		{name: "another place besides", id: "chroot", change: func(f *Facts) { f.Alignd.Listen = append(f.Alignd.Listen, "inet:[::1]:8890") }, want: []string{
			folder, `in /etc/alignd/alignd.yaml: listen: ["unix:/var/spool/postfix/alignd/alignd.sock", "inet:[::1]:8890"]`, group, mode,
			"systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix", "systemctl daemon-reload", "systemctl restart alignd", attach, "postfix reload",
		}},
		{name: "a port with a list of its own", id: "chroot", change: func(f *Facts) {
			f.Postfix[0].Services[0].Options = map[string]string{"smtpd_milters": "unix:/run/alignd/alignd.sock"}
		}, want: []string{
			folder, listen, group, mode, "systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix",
			"systemctl daemon-reload", "systemctl restart alignd", "postconf -P 'smtp/inet/smtpd_milters=unix:alignd/alignd.sock'", "postfix reload",
		}},
		{name: "alignd.socket", id: "chroot", change: func(f *Facts) {
			f.Unit.SocketActive, f.Unit.Sockets, f.Alignd.ListenWritten = true, []string{"unix:/run/alignd/alignd.sock", "inet:127.0.0.1:8890"}, false
		}, want: []string{
			"systemctl edit alignd.socket", "[Socket]", "ListenStream=", "ListenStream=/var/spool/postfix/alignd/alignd.sock", "ListenStream=127.0.0.1:8890",
			"SocketMode=0660", "SocketGroup=postfix", "systemctl daemon-reload", stop, start, attach, "postfix reload",
		}},
		{name: "alignd.socket, and the same in the option listen", id: "chroot", change: func(f *Facts) {
			f.Unit.SocketActive, f.Unit.Sockets = true, []string{"unix:/run/alignd/alignd.sock"}
		}, want: []string{
			"systemctl edit alignd.socket", "[Socket]", "ListenStream=", "ListenStream=/var/spool/postfix/alignd/alignd.sock",
			"SocketMode=0660", "SocketGroup=postfix", "systemctl daemon-reload", "in /etc/alignd/alignd.yaml: take out listen", stop, start, attach, "postfix reload",
		}},
		{name: "a socket of another group", id: "socket-rights", change: ofOtherGroup, want: []string{
			group, mode, "systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix", "systemctl daemon-reload", "systemctl restart alignd",
		}},
		{name: "a socket of another group that is asked for", id: "socket-rights", change: func(f *Facts) {
			ofOtherGroup(f)
			f.Alignd.SocketGroup = "alignd"
		}, want: []string{
			group, mode, "systemctl edit alignd", "[Service]", "SupplementaryGroups=postfix", "systemctl daemon-reload", "systemctl restart alignd",
		}},
		{name: "a socket of systemd, of another group", id: "socket-rights", change: func(f *Facts) {
			ofOtherGroup(f)
			f.Unit.SocketActive, f.Unit.Sockets = true, f.Alignd.Listen
		}, want: []string{
			"systemctl edit alignd.socket", "[Socket]", "SocketMode=0660", "SocketGroup=postfix", "systemctl daemon-reload", stop, start,
		}},
		{name: "a socket of systemd that is gone", id: "socket-rights", change: func(f *Facts) {
			ofOtherGroup(f)
			f.Postfix[0].Files[socketFile] = File{Missing: true}
			f.Unit.SocketActive, f.Unit.Sockets = true, f.Alignd.Listen
		}, want: []string{stop, start}},
		{name: "a file in place of a socket of systemd", id: "socket-rights", change: func(f *Facts) {
			ofOtherGroup(f)
			f.Postfix[0].Files[socketFile] = File{Mode: 0o660}
			f.Unit.SocketActive, f.Unit.Sockets = true, f.Alignd.Listen
		}, want: []string{"rm " + socketFile, stop, start}},
		{name: "a folder of the journal that the unit does not let write to", id: "journal-folder", change: func(f *Facts) {
			f.Alignd.JournalPath, f.Journal.Folder = "/srv/alignd", File{Missing: true}
		}, want: []string{
			"install -d -o alignd -g alignd -m 0750 /srv/alignd", "systemctl edit alignd", "[Service]", "ReadWritePaths=/srv/alignd",
			"systemctl daemon-reload", "systemctl restart alignd",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := lostInChroot()
			c.change(f)
			r := Examine(f, nil)
			at := slices.IndexFunc(r.Findings, func(one Finding) bool { return one.ID == c.id && one.Severity != OK })
			if at < 0 {
				t.Fatalf("no %s in %+v", c.id, r.Findings)
			}
			if got := r.Findings[at].Cure; !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// ofOtherGroup: smtpd looks where the socket is, and may not write to it.
func ofOtherGroup(f *Facts) {
	f.Alignd.Listen = []string{"unix:" + socketFile}
	f.Postfix[0].Param["smtpd_milters"], f.Postfix[0].Raw["smtpd_milters"] = "unix:alignd/alignd.sock", "unix:alignd/alignd.sock"
	f.Postfix[0].Files[socketFile] = File{Mode: fs.ModeSocket | 0o660, UID: 990, GID: 990}
}

// TestGroupOfTheSocket: the groups of a service are those of its unit and, as systemd
// adds them, those of its user in the group database (systemd.exec(5)).
func TestGroupOfTheSocket(t *testing.T) {
	for _, c := range []struct {
		name, user, main, group string
		groups, database        []string
		unknown, held           bool
		want                    Severity
	}{
		{name: "in neither", user: "alignd", main: "alignd", group: "postfix", want: Error},
		{name: "in the unit's SupplementaryGroups", user: "alignd", main: "alignd", group: "postfix", groups: []string{"mail", "postfix"}, want: OK},
		{name: "the unit's Group", user: "alignd", main: "postfix", group: "postfix", want: OK},
		{name: "in those of /etc/group", user: "alignd", main: "alignd", group: "postfix", database: []string{"103", "postfix"}, want: OK},
		{name: "in those of /etc/group, by number", user: "alignd", main: "alignd", group: "103", database: []string{"103", "postfix"}, want: OK},
		{name: "in others of /etc/group", user: "alignd", main: "alignd", group: "postfix", database: []string{"8", "mail"}, want: Error},
		{name: "the user is unknown", user: "filter", main: "alignd", group: "postfix", unknown: true, want: Note},
		{name: "the user is unknown, and the unit has the group", user: "filter", group: "postfix", groups: []string{"postfix"}, unknown: true, want: OK},
		{name: "root gives it to whom it wants", group: "postfix", want: OK},
		{name: "systemd gives it", user: "alignd", main: "alignd", group: "postfix", held: true, want: OK},
		{name: "no group is asked for", user: "alignd", main: "alignd", want: OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			f.Alignd.SocketGroup = c.group
			u := f.Unit
			u.User, u.Group, u.Groups, u.UserGroups, u.UserKnown = c.user, c.main, c.groups, c.database, !c.unknown
			if c.held {
				u.SocketActive, u.Sockets = true, f.Alignd.Listen
			}
			r := Examine(f, nil)
			for _, one := range r.Findings {
				if one.ID == "unit-socket" && one.Severity != c.want {
					t.Errorf("got %+v, want %s", one, c.want)
				}
			}
		})
	}
}

// TestDocsShowWhatIsPrinted: the example of docs/doctor.md is what is said of such a host.
func TestDocsShowWhatIsPrinted(t *testing.T) {
	f := lostInChroot()
	var text bytes.Buffer
	r := Examine(f, []string{"clock"})
	if err := r.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	finding, _, _ := strings.Cut(text.String(), "\n\n")
	if want := "    " + strings.ReplaceAll(finding, "\n", "\n    ") + "\n"; !strings.Contains(string(docs), want) {
		t.Errorf("docs/doctor.md lacks\n%s", want)
	}
}
