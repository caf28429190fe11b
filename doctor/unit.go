package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// unitChecks are about how alignd is run.
var unitChecks = []check{
	{id: "unit-missing", fine: "alignd has a unit", applies: always, run: unitMissing},
	{id: "unit-state", fine: "alignd runs, and will after a boot", applies: asked, run: unitState},
	{id: "unit-stop", fine: "systemd waits for the drain", applies: withUnit, run: unitStop},
	{id: "unit-order", fine: "alignd is there before the MTA", applies: withUnit, run: unitOrder},
	{id: "unit-config", fine: "the unit runs with this configuration", applies: withUnit, run: unitConfig},
	{id: "unit-reads", fine: "alignd's user may read its configuration and keys", applies: withUnit, run: unitReads},
	{id: "unit-socket", fine: "the unit lets alignd make its socket", applies: withUnit, run: unitSocket},
}

// withUnit: of a unit that is masked, or whose file cannot be read, systemd knows no settings.
func withUnit(f *Facts) bool {
	return f.Unit != nil && (f.Unit.Load == "" || f.Unit.Load == "bad-setting")
}
func asked(f *Facts) bool { return f.Unit != nil && f.Unit.Running }

func unitMissing(f *Facts) []Finding {
	if f.Unit != nil {
		return nil
	}
	return []Finding{{
		Severity: Note, What: "no unit alignd.service was found",
		Why: "something else must start alignd, again when it ends, and before the MTA", Cure: []string{"make install"},
	}}
}

func unitState(f *Facts) (found []Finding) {
	u := f.Unit
	waits := u.Active == "inactive" && u.SocketActive // the first connection starts it
	if u.Active != "active" && u.Active != "reloading" && !waits {
		found = append(found, Finding{
			Severity: Error, What: "alignd.service is " + u.Active, Why: "the MTA does with mail what milter_default_action says",
			Cure: []string{"systemctl start alignd", "journalctl -u alignd -n 20"}, Where: u.File,
		})
		if u.socketStopped() {
			found[0].What, found[0].Cure[0] = "alignd.socket and alignd.service are "+u.Active, "systemctl start alignd.socket alignd"
		}
	}
	if u.Load != "" {
		return append(found, u.unusable())
	}
	switch u.Enabled {
	case "enabled", "enabled-runtime", "static", "indirect", "alias", "generated", "linked", "":
	default:
		found = append(found, Finding{
			Severity: Warning, What: "alignd.service is " + u.Enabled, Why: "it is not started at the next boot",
			Cure: []string{"systemctl enable alignd"}, Where: u.File,
		})
	}
	if u.NeedsReload {
		found = append(found, Finding{
			Severity: Warning, What: "the unit has changed on disk", Why: "systemd goes by the old one",
			Cure: []string{"systemctl daemon-reload", "systemctl restart alignd"}, Where: u.File,
		})
	}
	if u.Restarts > 0 {
		found = append(found, Finding{
			Severity: Note, What: fmt.Sprintf("systemd has started alignd again %d times since it was started by hand", u.Restarts),
			Cure: []string{"journalctl -u alignd -p warning"}, Where: u.File,
		})
	}
	return found
}

// unusable is about a unit that systemd does not start again: what runs is of before.
func (u *Unit) unusable() Finding {
	cure := []string{"systemd-analyze verify alignd.service   # says which line", "systemctl daemon-reload", restart}
	if u.Load == "masked" {
		cure = []string{"systemctl unmask alignd", restart}
	}
	return Finding{
		Severity: Error, What: "systemd cannot use alignd.service: it is " + u.Load, Cure: cure, Where: u.File,
		Why: "alignd may run on as it was started, and is not started again after a failure, an update or a boot",
	}
}

// unitStop: systemd kills what is still there after TimeoutStopSec.
func unitStop(f *Facts) []Finding {
	u := f.Unit
	if u.Stop == 0 || u.Stop > f.Alignd.Drain {
		return nil
	}
	return []Finding{{
		Severity: Warning, What: fmt.Sprintf("TimeoutStopSec is %s, and drain %s", u.Stop, f.Alignd.Drain),
		Why:  "systemd kills alignd before the messages in progress are finished",
		Cure: dropIn("alignd", "Service", "TimeoutStopSec="+(f.Alignd.Drain+20*time.Second).String()), Where: u.File,
	}}
}

func unitOrder(f *Facts) []Finding {
	u := f.Unit
	wanted := []string{"postfix.service"}
	if len(f.Postfix) == 0 {
		wanted = []string{"sendmail.service"}
	}
	if f.Unit.SocketActive || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(u.Before, w) }) {
		return nil
	}
	return []Finding{{
		Severity: Note, What: "the unit does not start before " + wanted[0], Why: "after a boot the first mail meets no alignd",
		Cure: dropIn("alignd", "Unit", "Before=postfix.service postfix@-.service sendmail.service"), Where: u.File,
	}}
}

// unitConfig: --config and --listen of the unit's command.
func unitConfig(f *Facts) (found []Finding) {
	words := strings.Fields(f.Unit.Exec)
	for i, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok && i+1 < len(words) {
			value = words[i+1]
		}
		if name == "--config" && path.Clean(value) != path.Clean(f.Alignd.File) {
			found = append(found, Finding{
				Severity: Warning, What: fmt.Sprintf("the unit runs with %s, and this is about %s", value, f.Alignd.File),
				Why: "what is said here may not hold for it", Cure: []string{"alignd doctor --config " + value}, Where: f.Unit.File,
			})
		}
		if name == "--listen" && !slices.Contains(f.Alignd.Listen, value) {
			found = append(found, Finding{
				Severity: Warning, What: "the unit has --listen " + value + ", which is not the option listen",
				Why: "what is said here of sockets may not hold for it", Cure: []string{"alignd doctor --listen " + value}, Where: f.Unit.File,
			})
		}
	}
	return found
}

// unitSocket: what the unit's sandbox leaves of the place of a unix socket, and whether
// alignd may give it to its group.
func unitSocket(f *Facts) (found []Finding) {
	u, group, own := f.Unit, f.Alignd.SocketGroup, false
	for _, listen := range f.Alignd.Listen {
		name, ok := unixPath(listen)
		if !ok || u.holds(name) {
			continue
		}
		own = true
		if u.PrivateTmp && (inDir(name, "/tmp") || inDir(name, "/var/tmp")) {
			found = append(found, Finding{
				Severity: Error, What: "the socket " + name + " is in a directory that the unit has for itself (PrivateTmp)",
				Why: "no other process sees it", Cure: []string{f.inFile("listen: unix:/run/alignd/alignd.sock"), restart}, Where: f.Alignd.File,
			})
			continue
		}
		if !slices.ContainsFunc(u.Writable, func(dir string) bool { return inDir(name, dir) }) {
			lines := []string{"ReadWritePaths=-" + path.Dir(name)}
			if group != "" && !u.inGroup(group) {
				lines = append(lines, "SupplementaryGroups="+group)
			}
			found = append(found, Finding{
				Severity: Error, What: "the unit does not let alignd write to " + path.Dir(name), Why: "alignd cannot make its socket there",
				Cure: append(dropIn("alignd", "Service", lines...), restart), Where: u.File,
			})
		}
	}
	if group == "" || !own || len(found) > 0 || u.inGroup(group) {
		return found
	}
	finding := Finding{
		Severity: Error, What: "alignd is not in the group " + group + " (socket_group)", Why: "it may not give its socket to it, and does not start",
		Cure: append(dropIn("alignd", "Service", "SupplementaryGroups="+group), restart), Where: u.File,
	}
	if !u.UserKnown {
		finding.Severity, finding.Why = Note, "the unit does not say so, and this host knows no user "+u.user()
		finding.What = "cannot tell whether alignd is in the group " + group + " (socket_group)"
	}
	return []Finding{finding}
}

// inDir reports whether a path is in a directory.
func inDir(name, dir string) bool { return strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") }
