package facts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"alignd/doctor"
)

// unitDirs are where units are installed, the strongest first (systemd.unit(5)).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

const unitName = "alignd.service"

func (g *gatherer) unit() {
	if g.Unit == "" && g.Root == "" && g.exists("/run/systemd/system") {
		if u := g.runningUnit(); u != nil {
			g.use(u)
			return
		}
	}
	file := g.Unit
	if file == "" {
		for _, dir := range unitDirs {
			if name := filepath.Join(dir, unitName); g.exists(name) {
				file = g.Root + name
				break
			}
		}
	}
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		g.problem("the unit: %v", err)
		return
	}
	parts := []string{string(text)}
	for _, dir := range append([]string{strings.TrimPrefix(filepath.Dir(file), g.Root)}, unitDirs...) {
		more, _ := filepath.Glob(filepath.Join(g.Root+dir, unitName+".d", "*.conf"))
		for _, name := range more {
			if text, err := os.ReadFile(name); err == nil && g.Unit == "" {
				parts = append(parts, string(text))
			}
		}
	}
	u := unitOfFile(strings.Join(parts, "\n"))
	u.File = file
	addGroups(u)
	g.facts.Unit = u
}

// unitOfFile reads the settings that the checks need. A list grows with each line and
// an empty one clears it (systemd.syntax(7)).
func unitOfFile(text string) *doctor.Unit {
	u := &doctor.Unit{Stop: 90 * time.Second} // DefaultTimeoutStopSec
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		words := strings.Fields(value)
		switch name {
		case "ExecStart":
			u.Exec = value
		case "TimeoutStopSec", "TimeoutSec":
			u.Stop = systemdSpan(value)
		case "Before":
			u.Before = grow(u.Before, words)
		case "SupplementaryGroups":
			u.Groups = grow(u.Groups, words)
		case "User":
			u.User = strings.Join(words, " ")
		case "Group":
			u.Group = strings.Join(words, " ")
		case "PrivateTmp":
			u.PrivateTmp = yes(value)
		case "ReadWritePaths":
			u.Writable = grow(u.Writable, paths("", words))
		case "RuntimeDirectory":
			u.Writable = append(u.Writable, paths("/run/", words)...)
		case "StateDirectory":
			u.Writable = append(u.Writable, paths("/var/lib/", words)...)
		case "ProtectSystem":
			if value != "strict" && !slices.Contains(u.Writable, "/") {
				u.Writable = append(u.Writable, "/")
			}
			if value == "strict" {
				u.Writable = slices.DeleteFunc(u.Writable, func(p string) bool { return p == "/" })
			}
		}
	}
	if !strings.Contains(text, "ProtectSystem=") {
		u.Writable = append(u.Writable, "/")
	}
	return u
}

func grow(list, words []string) []string {
	if len(words) == 0 {
		return nil
	}
	return append(list, words...)
}

// paths takes the prefixes "-" and "+" off.
func paths(below string, words []string) (all []string) {
	for _, w := range words {
		w, _, _ = strings.Cut(w, ":")
		all = append(all, below+strings.TrimLeft(w, "-+"))
	}
	return all
}

func yes(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "true", "on", "1", "connected", "disconnected":
		return true
	}
	return false
}

// systemdSpan reads "40s", "1min 30s", "90", "infinity"; 0 where it cannot.
func systemdSpan(text string) time.Duration {
	if text == "infinity" || text == "0" {
		return 24 * time.Hour
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(n * float64(time.Second))
	}
	short := strings.NewReplacer(" ", "", "minutes", "m", "minute", "m", "min", "m", "seconds", "s", "second", "s", "sec", "s", "us", "us", "ms", "ms").Replace(text)
	d, err := time.ParseDuration(short)
	if err != nil {
		return 0
	}
	return d
}

// use takes up a unit as systemd has it.
func (g *gatherer) use(u *doctor.Unit) {
	g.facts.Unit = u
	addGroups(u)
	g.reads(u)
	if own := &g.facts.Alignd; u.Socketed() && len(u.Sockets) > 0 && !own.ListenWritten {
		own.Listen = u.Sockets
	}
}

// reads looks at the files that alignd reads, and at the folders above.
func (g *gatherer) reads(u *doctor.Unit) {
	if u.User == "" || u.User == "root" {
		return
	}
	if u.Account = userOf(u.User); u.Account == nil {
		return
	}
	for _, id := range u.UserGroups {
		if gid, err := strconv.Atoi(id); err == nil {
			u.Account.Groups = append(u.Account.Groups, gid)
		}
	}
	files := map[string]doctor.File{}
	for _, name := range g.facts.Alignd.Reads {
		for at := name; at != "/" && at != "."; at = filepath.Dir(at) {
			if _, seen := files[at]; !seen {
				files[at] = fileOf(at)
			}
		}
	}
	g.facts.Alignd.Files = files
}

// runningUnit asks systemd; nil where it does not know alignd or does not answer.
func (g *gatherer) runningUnit() *doctor.Unit {
	out, _, err := g.Run(g.ctx, nil, "systemctl", "show", unitName, "--no-pager",
		"-p", "LoadState,ActiveState,UnitFileState,NeedDaemonReload,NRestarts,ExecStart,TimeoutStopUSec,Before,SupplementaryGroups,User,Group,ReadWritePaths,RuntimeDirectory,StateDirectory,PrivateTmp,ProtectSystem,FragmentPath")
	if err != nil {
		return nil
	}
	p := parameters(out)
	if p["LoadState"] == "" || p["LoadState"] == "not-found" {
		return nil
	}
	u := unitOfShow(p)
	g.socketUnit(u)
	return u
}

// Places are where systemd holds a socket for alignd (alignd.socket), as the option
// listen names them; none where it holds none or is not here.
func Places(ctx context.Context, o Options) []string {
	if o.Run == nil {
		o.Run = run
	}
	g := &gatherer{Options: o, ctx: ctx}
	u := &doctor.Unit{}
	if g.exists("/run/systemd/system") {
		g.socketUnit(u)
	}
	if !u.SocketActive {
		return nil
	}
	return u.Sockets
}

func (g *gatherer) socketUnit(u *doctor.Unit) {
	text, _, err := g.Run(g.ctx, nil, "systemctl", "show", "alignd.socket", "--no-pager", "-p", "ActiveState,Listen,UnitFileState")
	if err == nil {
		socketOfShow(u, text)
	}
}

// socketOfShow: the socket unit starts the service, and where the option listen is not
// written, its places are alignd's.
func socketOfShow(u *doctor.Unit, text string) {
	p := parameters(text)
	u.SocketActive = p["ActiveState"] == "active"
	if p["UnitFileState"] == "enabled" {
		u.Enabled, u.SocketEnabled = "enabled", true
	}
	for line := range strings.Lines(text) {
		place, isListen := strings.CutPrefix(strings.TrimSpace(line), "Listen=")
		place, stream := strings.CutSuffix(place, " (Stream)")
		if !isListen || !stream {
			continue
		}
		if strings.HasPrefix(place, "/") {
			u.Sockets = append(u.Sockets, "unix:"+place)
		} else {
			u.Sockets = append(u.Sockets, "inet:"+place)
		}
	}
}

func unitOfShow(p map[string]string) *doctor.Unit {
	u := &doctor.Unit{
		File: p["FragmentPath"], Running: true, Active: p["ActiveState"], Enabled: p["UnitFileState"],
		NeedsReload: p["NeedDaemonReload"] == "yes", Stop: systemdSpan(p["TimeoutStopUSec"]),
		Before: strings.Fields(p["Before"]), Groups: strings.Fields(p["SupplementaryGroups"]), User: p["User"], Group: p["Group"],
		PrivateTmp: yes(p["PrivateTmp"]),
	}
	if p["LoadState"] != "loaded" {
		u.Load = p["LoadState"]
	}
	u.Restarts, _ = strconv.Atoi(p["NRestarts"])
	if _, argv, ok := strings.Cut(p["ExecStart"], "argv[]="); ok {
		u.Exec, _, _ = strings.Cut(argv, " ;")
	}
	u.Writable = slices.Concat(paths("", strings.Fields(p["ReadWritePaths"])), paths("/run/", strings.Fields(p["RuntimeDirectory"])),
		paths("/var/lib/", strings.Fields(p["StateDirectory"])))
	if p["ProtectSystem"] != "strict" {
		u.Writable = append(u.Writable, "/")
	}
	return u
}

// services are the mail filters that systemd runs.
func (g *gatherer) services() {
	if !g.exists("/run/systemd/system") {
		return
	}
	names := doctor.ServiceNames()
	args := []string{"is-active"}
	for _, n := range names {
		args = append(args, n+".service")
	}
	// The exit status is that of the last one.
	out, _, _ := g.Run(g.ctx, nil, "systemctl", args...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(names) {
		return
	}
	for i, state := range lines {
		if state == "active" {
			g.facts.Services = append(g.facts.Services, names[i])
		}
	}
}
