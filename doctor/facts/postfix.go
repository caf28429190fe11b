package facts

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"alignd/doctor"
)

// postfix reads each instance through postconf(1), which knows the defaults of the
// version that is installed.
func (g *gatherer) postfix() {
	dirs := g.Postfix
	if len(dirs) == 0 {
		out, _, err := g.Run(g.ctx, nil, "postconf", "-d", "-h", "config_directory")
		if err != nil {
			if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
				g.problem("postconf: %v", err)
			}
			return
		}
		dir := strings.TrimSpace(out)
		if _, err := os.Stat(filepath.Join(dir, "main.cf")); errors.Is(err, fs.ErrNotExist) {
			return // the package is there and not set up, or an MTA's remains
		}
		dirs = []string{dir}
	}
	for i := 0; i < len(dirs); i++ {
		in, ok := g.instance(dirs[i])
		if !ok {
			continue
		}
		g.facts.Postfix = append(g.facts.Postfix, in)
		for _, more := range instances(in.Param) {
			if !slices.Contains(dirs, more) && g.enabled(more) {
				dirs = append(dirs, more)
			}
		}
	}
}

// instances are the directories of further instances, as `postmulti -l` has them.
func instances(param map[string]string) []string {
	return strings.FieldsFunc(param["multi_instance_directories"], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// enabled reports whether an instance is started with the others.
func (g *gatherer) enabled(dir string) bool {
	out, _, err := g.Run(g.ctx, nil, "postconf", "-c", dir, "-h", "multi_instance_enable")
	return err != nil || strings.TrimSpace(out) == "yes"
}

func (g *gatherer) instance(dir string) (doctor.Instance, bool) {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole // the cures are for any directory
	}
	in := doctor.Instance{Dir: dir}
	expanded, warnings, err := g.Run(g.ctx, nil, "postconf", "-c", dir, "-x")
	if err != nil {
		g.problem("postconf cannot read %s: %s", dir, firstLine(warnings, err))
		return in, false
	}
	in.Param = parameters(expanded)
	in.Warnings = warningsOf(warnings)
	raw, _, err := g.Run(g.ctx, nil, "postconf", "-c", dir)
	if err != nil {
		g.problem("postconf cannot read %s: %v", dir, err)
	}
	in.Raw = parameters(raw)
	services, stderr, err := g.Run(g.ctx, nil, "postconf", "-c", dir, "-M")
	if err != nil {
		g.problem("postconf cannot read %s/master.cf: %s", dir, firstLine(stderr, err))
	}
	in.Services = masterServices(services, chrootDefault(in.Param))
	options, _, err := g.Run(g.ctx, nil, "postconf", "-c", dir, "-x", "-P")
	if err != nil {
		g.problem("postconf cannot read the options of %s/master.cf: %v", dir, err)
	}
	addOptions(in.Services, options)
	in.User = userOf(in.Param["mail_owner"])
	in.Files = g.sockets(&in)
	return in, true
}

func firstLine(text string, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); line != "" {
		return line
	}
	return err.Error()
}

// parameters reads "name = value" lines.
func parameters(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok {
			all[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return all
}

// warningsOf are what postconf warns of, each once.
func warningsOf(stderr string) (all []string) {
	for line := range strings.Lines(stderr) {
		text := strings.TrimSpace(line)
		for _, prefix := range []string{"postconf: warning: ", "/usr/sbin/postconf: warning: "} {
			text = strings.TrimPrefix(text, prefix)
		}
		if text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// chrootDefault is what "-" means in the column of master.cf: no since Postfix 3.0,
// unless compatibility_level is 0 (postconf(5), COMPATIBILITY_README).
func chrootDefault(param map[string]string) bool {
	major, _, _ := strings.Cut(param["mail_version"], ".")
	n, err := strconv.Atoi(major)
	level := strings.TrimSpace(param["compatibility_level"])
	return err == nil && n < 3 || level == "0"
}

// masterServices reads the lines of `postconf -M`: name, type, private, unprivileged,
// chroot, wakeup, processes, command with its arguments (master(5)).
func masterServices(text string, chroot bool) (all []doctor.Service) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 8 {
			continue
		}
		s := doctor.Service{Name: words[0], Type: words[1], Chroot: words[4] == "y" || words[4] == "-" && chroot,
			Command: words[7], Args: strings.Join(words[8:], " "), Options: map[string]string{}}
		all = append(all, s)
	}
	return all
}

// addOptions reads the lines of `postconf -P`: service/type/parameter = value.
func addOptions(services []doctor.Service, text string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		at := strings.LastIndexByte(key, '/')
		if !ok || at < 0 {
			continue
		}
		for i := range services {
			if services[i].Name+"/"+services[i].Type == key[:at] {
				services[i].Options[key[at+1:]] = strings.TrimSpace(value)
			}
		}
	}
}

// userOf: smtpd gets the groups of mail_owner, too (initgroups).
func userOf(name string) *doctor.User {
	u, err := user.Lookup(name)
	if err != nil {
		return nil
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil
	}
	found := &doctor.User{Name: name, UID: uid}
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			found.Groups = append(found.Groups, gid)
		}
	}
	return found
}

// sockets looks at the unix sockets in all lists of milters, and at the directories above.
func (g *gatherer) sockets(in *doctor.Instance) map[string]doctor.File {
	files := map[string]doctor.File{}
	for _, name := range in.SocketPaths() {
		for at := name; ; at = filepath.Dir(at) {
			if _, seen := files[at]; !seen {
				files[at] = fileOf(at)
			}
			if at == "/" || at == "." {
				break
			}
		}
	}
	return files
}
