//go:build linux

// Users other than root are taken as on Linux.

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"alignd/e2e/daemon"
	"alignd/e2e/loadgen"
	"alignd/e2e/port"
	keep "alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/sqlite"
	"alignd/journal/state"
	"alignd/record"
)

// Numbers that no user of the machine has: the daemon's, and those of two people, one
// of whom is in its group.
const (
	theDaemon, theGroup = 64131, 64132
	member, outsider    = 64133, 64134
)

// TestTheGroupReadsTheJournal: another user of the group reads today's file and those of
// days before, with the daemon running, stopped and killed, and cannot write; who is not
// of the group is told of it.
func TestTheGroupReadsTheJournal(t *testing.T) {
	j := newGroupJournal(t)
	j.remember("old", -48*time.Hour)
	j.remember("unsealed", 48*time.Hour) // as of a day that is not over
	states := []struct {
		name  string
		reach func() error
	}{
		{name: "running", reach: func() error { return nil }},
		{name: "stopped", reach: j.daemon.Stop},
		{name: "killed", reach: func() error {
			if err := j.daemon.Start(); err != nil {
				return err
			}
			j.send("killed")
			return j.daemon.Kill()
		}},
	}
	if err := j.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer j.daemon.Stop()
	j.send("today")
	for _, s := range states {
		if err := s.reach(); err != nil {
			t.Fatal(err)
		}
		ids := []string{"today", "old", "unsealed"}
		if s.name == "killed" {
			ids = append(ids, "killed")
		}
		for _, id := range ids {
			t.Run(s.name+"/"+id, func(t *testing.T) { j.reads(t, "<"+id+"@sender.example>") })
		}
		t.Run(s.name+"/other commands", j.answers)
		t.Run(s.name+"/outsider", j.isTold)
		switch s.name {
		case "running":
			t.Run("running/under load", j.readsUnderLoad)
		case "stopped":
			j.copies(t, "databases alone", "*.db", "")
		case "killed":
			j.copies(t, "all files", "*", "")
			j.copies(t, "without shared memory", "*.db *.db-wal", "db-shm was not copied")
		}
	}
	j.rights(t)
}

// readsUnderLoad reads while the daemon writes, and begins its write-ahead log anew.
func (j *groupJournal) readsUnderLoad(t *testing.T) {
	var senders sync.WaitGroup
	var stop atomic.Bool
	senders.Go(func() {
		for i := 0; !stop.Load(); i++ {
			time.Sleep(time.Millisecond)
			j.deliver(t, fmt.Sprintf("load%d", i))
		}
	})
	for range 40 {
		j.reads(t, "<old@sender.example>")
	}
	stop.Store(true)
	senders.Wait()
}

// copies of files are read in a folder that the reader cannot write, and on a file
// system that nobody can write. want is what is said then, if not all is found.
func (j *groupJournal) copies(t *testing.T, name, files, want string) {
	all, err := j.ask(0, "log", "--json", "--limit", "0")
	if err != nil {
		t.Fatal(all)
	}
	status, err := j.ask(0, "journal", "status")
	if err != nil {
		t.Fatal(status)
	}
	counts, err := j.ask(0, "stats", "--by", "client", "--since", "30d", "--json")
	if err != nil {
		t.Fatal(counts)
	}
	number := regexp.MustCompile(`"messages":\d+`)
	there, fromTo := strings.Count(all, "{\"spf\""), regexp.MustCompile(`\d{4}-\d\d-\d\dT\S+ to \d{4}-\d\d-\d\dT\S+`)
	for _, reader := range []uint32{member, 0} {
		t.Run(fmt.Sprintf("copy/%s/%d", name, reader), func(t *testing.T) {
			dir, err := os.MkdirTemp(filepath.Dir(j.path), "copy-")
			if err != nil {
				t.Fatal(err)
			}
			script := fmt.Sprintf("mkdir %[1]s/journal && cd %[2]s/journal && cp -p %[3]s %[1]s/journal && cd .. && find %[3]s -prune -type f -exec cp -p {} %[1]s ';' && chgrp -R %[4]d %[1]s && chmod -R a-w,g+rX,o-rwx %[1]s",
				dir, j.path, files, theGroup)
			if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
				t.Fatal(string(out))
			}
			copied := *j
			copied.config = dir + ".yaml"
			if err := os.WriteFile(copied.config, fmt.Appendf(nil, "journal: {store: sqlite, path: %s}\n", dir), 0o644); err != nil {
				t.Fatal(err)
			}
			if reader == 0 {
				copied.under = []string{"unshare", "-m", "sh", "-c", `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`, dir}
			}
			out, err := copied.ask(reader, "log", "--json", "--limit", "0")
			if n := strings.Count(out, "{\"spf\""); want == "" && (err != nil || n != there) || want != "" && !strings.Contains(out, want) {
				t.Errorf("%d of %d, %v\n%.2000s", n, there, err, out)
			}
			out, err = copied.ask(reader, "journal", "status")
			if got := fromTo.FindString(out); want == "" && (err != nil || got == "" || got != fromTo.FindString(status)) {
				t.Errorf("journal status: %v\n%swant %s", err, out, fromTo.FindString(status))
			}
			out, err = copied.ask(reader, "stats", "--by", "client", "--since", "30d", "--json")
			if got := number.FindAllString(out, -1); want == "" && (err != nil || len(got) == 0 || !slices.Equal(got, number.FindAllString(counts, -1))) || want != "" && !strings.Contains(out, want) {
				t.Errorf("stats: %v\n%swant %s", err, out, counts)
			}
		})
	}
}

// groupJournal is the journal of a daemon that runs as a user of its own.
type groupJournal struct {
	t              *testing.T
	binary, config string
	path           string
	daemon         *daemon.Daemon
	under          []string // words in front of a command line
}

func newGroupJournal(t *testing.T) *groupJournal {
	t.Helper()
	if os.Getenv("ALIGND_E2E") == "" || os.Getuid() != 0 {
		t.Skip("left out: users of the journal's group, which want root (make test runs it; it sets ALIGND_E2E=1)")
	}
	dir, err := os.MkdirTemp("", "alignd-group-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	j := &groupJournal{t: t, binary: filepath.Join(dir, "alignd"), config: filepath.Join(dir, "alignd.yaml"), path: filepath.Join(dir, "state")}
	image, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("not_judged: {networks: [192.0.2.0/24]}\njournal: {store: sqlite, path: %s}\n", j.path)
	err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(j.binary, image, 0o755), os.WriteFile(j.config, []byte(text), 0o644),
		// As systemd makes it: StateDirectory, StateDirectoryMode.
		os.Mkdir(j.path, 0o750), os.Chown(j.path, theDaemon, theGroup))
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	as := fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups --", theDaemon, theGroup)
	umask := []string{"sh", "-c", `umask 077; exec "$@"`, "sh"} // that of the unit
	j.daemon = &daemon.Daemon{Binary: j.binary, Config: j.config, Listen: "inet:" + p, Before: append(strings.Fields(as), umask...)}
	return j
}

// remember writes a message of another time, before the daemon runs, and as root: it
// leaves the daemon nothing that it cannot write.
func (j *groupJournal) remember(id string, at time.Duration) {
	j.t.Helper()
	s, err := sqlite.Open(sqlite.Options{Dir: filepath.Join(j.path, "journal")})
	if err != nil {
		j.t.Fatal(err)
	}
	r := &record.Record{Outcome: record.Outcome{End: record.EndAnswered}}
	r.Evidence.Time, r.Evidence.MessageID = time.Now().Add(at), "<"+id+"@sender.example>"
	raw := keep.Raw{Entry: keep.Entry{Number: 1, Record: r}, Encoded: record.Append(nil, r)}
	err = s.Take(context.Background(), spool.ID{1}, []keep.Raw{raw})
	counts, openErr := state.OpenFile(context.Background(), filepath.Join(j.path, "state.db"), state.Options{})
	if err = errors.Join(err, s.Close(), openErr); err == nil {
		err = counts.Close()
	}
	if err != nil {
		j.t.Fatal(err)
	}
}

// deliver has the daemon answer a message.
func (j *groupJournal) deliver(t *testing.T, id string) {
	c, err := loadgen.Dial(daemon.Split(j.daemon.Listen))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	m := &loadgen.Message{From: "a@sender.example", Body: []byte("x\r\n"), Fields: []loadgen.Field{
		{Name: "From", Value: " a@sender.example"}, {Name: "Message-ID", Value: " <" + id + "@sender.example>"}}}
	if _, _, err := c.Send(m); err != nil {
		t.Error(err)
	}
}

// send delivers a message, and waits until it can be found.
func (j *groupJournal) send(id string) {
	j.t.Helper()
	j.deliver(j.t, id)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err := j.ask(0, "explain", "<"+id+"@sender.example>"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			j.t.Fatal("the message is not found")
		}
	}
}

// ask runs a command as a user; 0 is root, and the member has the group.
func (j *groupJournal) ask(user uint32, args ...string) (string, error) {
	line := append(slices.Clone(j.under), j.binary)
	if line = append(line, args...); !slices.Contains(args, "--config") {
		line = append(line, "--config", j.config)
	}
	cmd := exec.Command(line[0], line[1:]...)
	as := &syscall.Credential{Uid: user, Gid: user}
	if user == member {
		as.Groups = []uint32{theGroup}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (j *groupJournal) reads(t *testing.T, id string) {
	for _, args := range [][]string{{"log", "--json", "--limit", "0"}, {"explain", id}} {
		out, err := j.ask(member, args...)
		if err != nil || !strings.Contains(out, strings.Trim(id, "<>")) {
			t.Errorf("alignd %s: %v\n%s", args, err, out)
		}
	}
}

// readingCommands are those beside log and explain, and what they say of a journal.
func readingCommands(config string) [][]string {
	return [][]string{{"stats"}, {"sources"}, {"journal", "status"}, {"journal", "export"}, {"replay", "--config", config, "--journal", config}}
}

func (j *groupJournal) answers(t *testing.T) {
	for _, args := range readingCommands(j.config) {
		if out, err := j.ask(member, args...); err != nil {
			t.Errorf("alignd %s: %v\n%.500s", args, err, out)
		}
	}
}

func (j *groupJournal) isTold(t *testing.T) {
	for _, args := range append([][]string{{"log"}, {"explain", "x@y.example"}}, readingCommands(j.config)...) {
		out, err := j.ask(outsider, args...)
		if err == nil || strings.Count(out, "\n") != 1 && args[0] != "journal" || !strings.Contains(out, "permission denied") || !strings.Contains(out, "usermod -aG 64132") {
			t.Errorf("alignd %s: %v\n%s", args, err, out)
		}
	}
}

// rights are 0640 of files and 0750 of folders, whatever the umask, and nobody but the
// daemon has made any.
func (j *groupJournal) rights(t *testing.T) {
	err := filepath.Walk(j.path, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		want := os.FileMode(0o640)
		if info.IsDir() {
			want = 0o750
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != want || st.Uid != theDaemon || st.Gid != theGroup {
			t.Errorf("%s: %v of %d:%d", path, info.Mode(), st.Uid, st.Gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
