package doctor

import (
	"maps"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Milter is one entry of smtpd_milters.
type Milter struct {
	Place   string            // as written: "inet:127.0.0.1:8890"
	Options map[string]string // in braces: default_action, protocol, the timeouts
	Text    string            // the whole entry
}

// Milters reads a list as Postfix does: entries divided by commas or white space,
// each "PLACE" or "{ PLACE, name=value, ... }" (postconf(5), smtpd_milters).
func Milters(list string) []Milter {
	var all []Milter
	for _, entry := range splitList(list) {
		m := Milter{Text: entry, Place: entry, Options: map[string]string{}}
		if inner, ok := strings.CutPrefix(entry, "{"); ok {
			parts := splitList(strings.TrimSuffix(inner, "}"))
			m.Place = ""
			for i, p := range parts {
				if inner, ok := strings.CutPrefix(p, "{"); ok {
					p = strings.TrimSpace(strings.TrimSuffix(inner, "}"))
				}
				if i == 0 {
					m.Place = p
				} else if name, value, ok := strings.Cut(p, "="); ok {
					m.Options[strings.TrimSpace(name)] = strings.TrimSpace(value)
				}
			}
		}
		if m.Place != "" {
			all = append(all, m)
		}
	}
	return all
}

// splitList divides at commas and white space outside of braces.
func splitList(s string) []string {
	// White space around "=" belongs to the pair.
	depth, begin := 0, -1
	var out []string
	flush := func(end int) {
		if begin >= 0 {
			out = append(out, s[begin:end])
			begin = -1
		}
	}
	for i, c := range s {
		switch {
		case depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if c != ',' && (strings.HasPrefix(strings.TrimLeft(s[i:], " \t\r\n"), "=") ||
				strings.HasSuffix(strings.TrimRight(s[:i], " \t\r\n"), "=")) {
				continue
			}
			flush(i)
			continue
		case c == '{':
			if depth == 0 && begin < 0 {
				begin = i
			}
			depth++
			continue
		case c == '}':
			depth = max(depth-1, 0)
		}
		if begin < 0 {
			begin = i
		}
	}
	flush(len(s))
	return out
}

// smtpd is one smtpd of an instance with what holds for it.
type smtpd struct {
	*Service
	in *Instance
}

// get is a parameter as it holds for the service.
func (s smtpd) get(name string) string {
	if v, ok := s.Options[name]; ok {
		return v
	}
	return s.in.Param[name]
}

// where names the place to edit: master.cf when the service has its own value.
func (s smtpd) where(name string) string {
	if _, own := s.Options[name]; own {
		return s.label()
	}
	return s.in.main()
}

func (s smtpd) label() string { return s.in.master() + " " + s.Name + "/" + s.Type }

// own reports whether the service has its own value of a parameter.
func (s smtpd) own(name string) bool { _, ok := s.Options[name]; return ok }

// milters are those that this smtpd speaks to.
func (s smtpd) milters() []Milter {
	if slices.Contains(splitList(s.get("receive_override_options")), "no_milters") {
		return nil
	}
	return Milters(s.get("smtpd_milters"))
}

// alignd are the entries of the list that lead to alignd, by number.
func (s smtpd) alignd(f *Facts) []int {
	var at []int
	for i, m := range s.milters() {
		if f.reaches(s.in, s.Chroot, m.Place) {
			at = append(at, i)
		}
	}
	return at
}

// smtpds are the smtpd services in the order of master.cf.
func (in *Instance) smtpds() []smtpd {
	var all []smtpd
	for i := range in.Services {
		s := &in.Services[i]
		if s.Command == "smtpd" && (s.Type == "inet" || s.Type == "pass" || s.Type == "unix") {
			all = append(all, smtpd{s, in})
		}
	}
	return all
}

func (in *Instance) main() string   { return path.Join(in.Dir, "main.cf") }
func (in *Instance) master() string { return path.Join(in.Dir, "master.cf") }

// postconf is the command that edits this instance.
func (in *Instance) postconf(setting string) string {
	return "postconf " + in.flag() + "-e '" + setting + "'"
}

// postconfP edits a service of master.cf.
func (in *Instance) postconfP(s *Service, setting string) string {
	return "postconf " + in.flag() + "-P '" + s.Name + "/" + s.Type + "/" + setting + "'"
}

func (in *Instance) flag() string {
	if in.Dir == "/etc/postfix" {
		return ""
	}
	return "-c " + in.Dir + " "
}

// reload makes Postfix take up a change.
func (in *Instance) reload() string {
	if in.Dir == "/etc/postfix" {
		return "postfix reload"
	}
	return "postfix -c " + in.Dir + " reload"
}

// submission reports whether a service is for users who hand mail in.
func (s smtpd) submission() bool {
	_, port := s.address()
	switch port {
	case "submission", "submissions", "smtps", "465", "587":
		return true
	}
	name := s.Options["syslog_name"]
	return s.Options["smtpd_tls_wrappermode"] == "yes" || strings.Contains(name, "submission") || strings.Contains(name, "smtps")
}

// address are host and port of an inet service.
func (s smtpd) address() (host, port string) {
	if s.Type != "inet" {
		return "", s.Name
	}
	i := strings.LastIndexByte(s.Name, ':')
	if i < 0 {
		return "", s.Name
	}
	return strings.Trim(s.Name[:i], "[]"), s.Name[i+1:]
}

// loopback reports whether only this host reaches the service: a port where a filter hands
// mail back.
func (s smtpd) loopback() bool {
	if s.Type == "unix" {
		return true
	}
	host, _ := s.address()
	if host != "" {
		return isLoopback(host)
	}
	if s.Type == "pass" {
		return false
	}
	where := splitList(s.get("inet_interfaces"))
	return len(where) > 0 && !slices.ContainsFunc(where, func(h string) bool {
		return h != "loopback-only" && !isLoopback(strings.Trim(h, "[]"))
	})
}

// otherFamily reports whether of two addresses one is of IPv4 and one of IPv6. A name may
// lead to both.
func otherFamily(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && x.Unmap().Is4() != y.Unmap().Is4()
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// public are the services that outside mail comes in by.
func (in *Instance) public() []smtpd {
	return slices.DeleteFunc(in.smtpds(), func(s smtpd) bool { return s.submission() || s.loopback() })
}

// inner are the services that only this host reaches.
func (in *Instance) inner() []smtpd {
	return slices.DeleteFunc(in.smtpds(), func(s smtpd) bool { return s.submission() || !s.loopback() })
}

// socketPath is the file behind a unix socket as a service of this instance sees
// it: names are relative to the queue directory, and in a chroot that is the root.
func (in *Instance) socketPath(chroot bool, place string) (string, bool) {
	kind, name, ok := strings.Cut(place, ":")
	if !ok || kind != "unix" && kind != "local" {
		return "", false
	}
	if path.IsAbs(name) && !chroot {
		return path.Clean(name), true
	}
	return path.Join(in.Param["queue_directory"], name), true
}

// reaches reports whether a place in a milter list is one where alignd listens.
func (f *Facts) reaches(in *Instance, chroot bool, place string) bool {
	return slices.ContainsFunc(f.Alignd.Listen, func(listen string) bool {
		if file, ok := in.socketPath(chroot, place); ok {
			kind, name, _ := strings.Cut(listen, ":")
			return (kind == "unix" || kind == "local") && path.Clean(name) == file
		}
		return f.sameTCP(place, listen)
	})
}

// SplitTCP divides "inet:HOST:PORT", "inet:PORT@HOST" and "HOST:PORT", and, as Postfix
// does, "inet:PORT", which is localhost, and an IPv6 address without brackets.
func SplitTCP(place string) (host, port string, ok bool) {
	kind, rest, found := strings.Cut(place, ":")
	switch {
	case found && (kind == "inet" || kind == "inet6"):
	case found && (kind == "unix" || kind == "local"):
		return "", "", false
	default:
		rest = place
	}
	if port, host, ok = strings.Cut(rest, "@"); ok {
		return strings.Trim(host, "[]"), port, true
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		return strings.TrimSuffix(host, "."), port, true
	}
	if _, err := strconv.ParseUint(rest, 10, 16); err == nil && found {
		return "localhost", rest, true
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return "", "", false
	}
	_, err := netip.ParseAddr(rest[:i])
	return rest[:i], rest[i+1:], err == nil
}

// sameTCP reports whether a client that connects to place gets to listen.
func (f *Facts) sameTCP(place, listen string) bool {
	host, port, ok := SplitTCP(place)
	at, wanted, listens := SplitTCP(listen)
	if !ok || !listens || port != wanted {
		return false
	}
	wild := at == "" || at == "*" || at == "0.0.0.0" || at == "::"
	switch {
	case strings.EqualFold(host, at):
		return true
	case isLoopback(host):
		return wild || isLoopback(at) && !otherFamily(host, at)
	}
	a, err := netip.ParseAddr(host)
	local := err == nil && slices.Contains(f.Host.Addresses, a) || strings.EqualFold(host, f.Host.Name)
	return wild && local
}

// place is how main.cf of an instance best names alignd.
func (f *Facts) place(in *Instance, chroot bool) string {
	for _, listen := range f.Alignd.Listen {
		if name, ok := unixPath(listen); ok {
			queue := in.Param["queue_directory"] + "/"
			if below, ok := strings.CutPrefix(name, queue); ok && queue != "/" {
				return "unix:" + below
			}
			if !chroot {
				return "unix:" + name
			}
			continue
		}
		host, port, ok := SplitTCP(listen)
		if !ok {
			continue
		}
		switch host {
		case "", "*", "0.0.0.0":
			host = "127.0.0.1"
		case "::":
			host = "::1"
		}
		return "inet:" + net.JoinHostPort(host, port)
	}
	return "inet:127.0.0.1:8890"
}

func unixPath(listen string) (string, bool) {
	kind, name, ok := strings.Cut(listen, ":")
	return path.Clean(name), ok && (kind == "unix" || kind == "local")
}

// span reads a time of Postfix: a number with s, m, h, d or w; without, unit.
func span(text string, unit time.Duration) (time.Duration, bool) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if text == "" {
		return 0, false
	}
	if u, ok := units[text[len(text)-1]|0x20]; ok {
		unit, text = u, text[:len(text)-1]
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	return time.Duration(n) * unit, err == nil
}

// texts writes entries of a list again.
func texts(list []Milter) string {
	var out []string
	for _, m := range list {
		out = append(out, m.Text)
	}
	return strings.Join(out, " ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// SocketPaths are the files behind the unix sockets of all milters of the instance.
func (in *Instance) SocketPaths() (all []string) {
	for _, s := range in.smtpds() {
		for _, m := range s.milters() {
			if name, ok := in.socketPath(s.Chroot, m.Place); ok && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
