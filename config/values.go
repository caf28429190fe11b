package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"alignd/domain"
)

// measure is a value with a unit that can be held against bounds.
type measure interface {
	within(low, high string) error
}

// UnmarshalText reads a time span with its unit.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseSpan(string(text))
	if err != nil {
		return err
	}
	d.Duration = v
	return nil
}

// day is one of 24 hours, whatever the clocks of a place do.
const day = 24 * time.Hour

// ParseSpan reads a time span as Go writes it (500ms, 30s, 4h), or with whole days of 24
// hours before that (30d, 1d12h).
func ParseSpan(text string) (time.Duration, error) {
	var days uint16 // 65,535 days alone cannot overflow
	rest := text
	if n, after, ok := strings.Cut(text, "d"); ok {
		if v, err := strconv.ParseUint(n, 10, 16); err == nil {
			days, rest = uint16(v), cmp.Or(after, "0s")
		}
	}
	v, err := time.ParseDuration(rest)
	if err != nil || days > 0 && (v < 0 || v > math.MaxInt64-time.Duration(days)*day) {
		return 0, fmt.Errorf("%q is not a time span with its unit, such as 500ms, 30s, 4h or 7d", text)
	}
	return time.Duration(days)*day + v, nil
}

func (d *Duration) within(low, high string) error {
	if low == "" {
		return nil
	}
	var l, h Duration
	if err := errors.Join(l.UnmarshalText([]byte(low)), h.UnmarshalText([]byte(high))); err != nil {
		panic(err) // a struct tag of ours
	}
	if d.Duration < l.Duration || d.Duration > h.Duration {
		return fmt.Errorf("%v is out of range; allowed: %s to %s", d, low, high)
	}
	return nil
}

// UnmarshalText reads a day or an RFC 3339 time.
func (t *Time) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if v, err := time.Parse(layout, string(text)); err == nil {
			t.Time = v.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is neither a day such as 2026-01-31 nor a time such as 2026-01-31T12:00:00Z", text)
}

var sizeUnits = []struct {
	suffix string
	octets int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// UnmarshalText reads a number of octets with its unit; 0 needs none.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(0)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.octets
			break
		}
	}
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil || v < 0 || unit == 0 && v != 0 || unit != 0 && v > (1<<62)/unit {
		return fmt.Errorf("%q is not a size with its unit, such as 512KiB or 10MiB", text)
	}
	*s = Size(v * unit)
	return nil
}

func (s *Size) within(low, high string) error {
	if low == "" {
		return nil
	}
	var l, h Size
	if err := errors.Join(l.UnmarshalText([]byte(low)), h.UnmarshalText([]byte(high))); err != nil {
		panic(err) // a struct tag of ours
	}
	if *s < l || *s > h {
		return fmt.Errorf("%s is out of range; allowed: %s to %s", s, low, high)
	}
	return nil
}

// String spells a size with the largest unit that it is a whole number of.
func (s Size) String() string {
	for _, u := range []string{"TiB", "GiB", "MiB", "KiB"} {
		for _, unit := range sizeUnits {
			if unit.suffix == u && s > 0 && int64(s)%unit.octets == 0 {
				return fmt.Sprintf("%d%s", int64(s)/unit.octets, u)
			}
		}
	}
	if s == 0 {
		return "0"
	}
	return fmt.Sprintf("%dB", int64(s))
}

// UnmarshalText reads an octal mode.
func (m *FileMode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0o"), 8, 32)
	if err != nil || v > 0o777 {
		return fmt.Errorf("%q is not an octal file mode such as 0660", text)
	}
	*m = FileMode(v)
	return nil
}

// network reads an address or a prefix; an address stands for itself alone. Bits
// beyond the prefix length are an error, as they mostly are a slip.
func network(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if strings.ContainsAny(s, ",; ") {
			return netip.Prefix{}, fmt.Errorf("%q is not one network; a list is written [192.0.2.1, 198.51.100.0/24]", s)
		}
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a network such as 192.0.2.0/24 or 2001:db8::/32", s)
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; the network is %s", s, p.Masked())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 { // clients are compared as IPv4
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, nil
}

// networkName spells a network as an admin does: one address without its length.
func networkName(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// checks are what the struct tag is can name; each returns the value in the
// spelling that is used inside.
var checks = map[string]func(string) (string, error){
	"listen":           listenAddress,
	"web_listen":       optionalListen,
	"web_field":        optionalFieldName,
	"domain":           servID,
	"optional_domain":  optional(servID),
	"serv_id_pattern":  servIDPattern,
	"selector":         selector,
	"list_pattern":     listPattern,
	"domain_pattern":   domainPattern,
	"host_pattern":     hostPattern,
	"author_pattern":   authorPattern,
	"address_pattern":  addressPattern,
	"server":           server,
	"folder":           absoluteFolder,
	"file":             absoluteFile,
	"optional_file":    optional(absoluteFile),
	"database":         optional(databaseURL),
	"address":          address,
	"optional_address": optional(address),
	"report_audience":  reportAudience,
	"failure_audience": failureAudience,
	"relay":            relay,
	"share":            share,
	"number":           number,
	"field_name":       fieldName,
	"field_value":      fieldValue,
	"delimiters":       delimiters,
}

// share is a part of a whole, as "5%" or "0.5 %".
func share(s string) (string, error) {
	if f, ok := shareOf(s); !ok || f == 0 {
		return "", fmt.Errorf("%q is not a share between 0 and 100 %%, such as 5%% or 0.5%%", s)
	}
	return s, nil
}

// shareOf is a number from 0 to below 1. NaN is none, though Go reads it as a number.
func shareOf(s string) (float64, bool) {
	text, ok := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if f /= 100; !ok || err != nil || !(f >= 0 && f < 1) {
		return 0, false
	}
	return f, true
}

// number is a whole number that may be 0, where nothing said is another thing.
func number(s string) (string, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err != nil || strconv.FormatUint(n, 10) != s {
		return "", fmt.Errorf("%q is not a whole number", s)
	}
	return s, nil
}

// absoluteFolder is the absolute name of one: alignd's working directory is nobody's business.
func absoluteFolder(s string) (string, error) {
	if !filepath.IsAbs(s) {
		return "", errors.New("is no absolute path, such as /var/lib/alignd")
	}
	return filepath.Clean(s), nil
}

func absoluteFile(s string) (string, error) {
	if !filepath.IsAbs(s) || strings.HasSuffix(s, "/") {
		return "", errors.New("is no absolute name of a file, such as /etc/alignd/database-password")
	}
	return filepath.Clean(s), nil
}

func optional(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		return check(s)
	}
}

// CheckListen tells what is wrong with a place to listen, as it is told of the
// option listen; nil when nothing is.
func CheckListen(place string) error {
	_, err := listenAddress(place)
	return err
}

func listenAddress(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		return s, socketPath(s, path)
	}
	if addr, ok := strings.CutPrefix(s, "inet:"); ok {
		host, port, err := net.SplitHostPort(addr)
		switch {
		case err == nil && host == "*":
			return "", fmt.Errorf("%q: all addresses are written inet:0.0.0.0:%s and inet:[::]:%s", s, port, port)
		case err == nil && isPort(port) && isPrintable(host):
			return s, nil
		}
	}
	const allowed = "is not a place to listen; allowed: inet:HOST:PORT and unix:PATH"
	if meant := meantPlace(s); meant != "" {
		return "", fmt.Errorf("%q %s, did you mean %s?", s, allowed, meant)
	}
	return "", fmt.Errorf("%q %s", s, allowed)
}

// maxSocketPath is how long the path of a unix socket may be on all systems, in
// octets: the least that sun_path has room for (BSD: 104), with a NUL.
const maxSocketPath = 103

func socketPath(place, path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("%q: the path of a socket is absolute here; main.cf names it relative to the queue directory", place)
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("%q: it names a directory; the path ends with the name of the socket", place)
	case len(path) > maxSocketPath:
		return fmt.Errorf("%q: the path of a socket has at most %d octets, this one has %d", place, maxSocketPath, len(path))
	}
	for _, r := range path {
		switch {
		case r < ' ' || r == 0x7f || r == unicode.ReplacementChar:
			return fmt.Errorf("%q: a control character cannot stand in the path of a socket", place)
		case r == '"' || r == '\'' || r > 0x7f && !unicode.In(r, unicode.L, unicode.M, unicode.N):
			return fmt.Errorf("%q: %w", place, &domain.CharacterError{Char: r})
		}
	}
	return nil
}

// meantPlace is what s is where it is written as elsewhere: in main.cf, sendmail.mc
// or the configuration of another filter.
func meantPlace(s string) string {
	kind, rest, _ := strings.Cut(s, ":")
	port, host, at := strings.Cut(rest, "@")
	switch {
	case strings.HasPrefix(s, "/"):
		return "unix:" + s
	case kind == "local" && strings.HasPrefix(rest, "/"):
		return "unix:" + rest
	case strings.HasPrefix(kind, "inet") && at && isPort(port):
		return "inet:" + net.JoinHostPort(strings.Trim(host, "[]"), port)
	case strings.HasPrefix(kind, "inet") && isPort(rest):
		return "inet:127.0.0.1:" + rest
	case isPort(s):
		return "inet:127.0.0.1:" + s
	}
	if kind == "inet6" || kind == "tcp" {
		s = rest
	}
	if host, port, err := net.SplitHostPort(s); err == nil && isPort(port) && isPrintable(host) {
		return "inet:" + net.JoinHostPort(host, port)
	}
	if cut := strings.LastIndexByte(rest, ':'); kind == "inet" && cut > 0 && isPort(rest[cut+1:]) {
		if ip, err := netip.ParseAddr(rest[:cut]); err == nil && ip.Is6() {
			return "inet:" + net.JoinHostPort(ip.String(), rest[cut+1:])
		}
	}
	return ""
}

// isPrintable is for host names: what is pasted may hold quotes that are none.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\'' })
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// server is HOST, HOST:PORT or [IPv6]:PORT; the host is an address.
func server(s string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), "53"), nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String(), nil
	}
	return "", fmt.Errorf("%q is not a DNS server; allowed: an IP address, with a port if it is not 53, such as 127.0.0.1:5353", s)
}

// fieldName is a header field's name: RFC 5322 section 3.6.8.
func fieldName(s string) (string, error) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == ':' {
			return "", fmt.Errorf("%q is not the name of a header field", s)
		}
	}
	if s == "" || len(s) > 70 {
		return "", fmt.Errorf("%q is not the name of a header field of 1 to 70 characters", s)
	}
	return s, nil
}

// fieldValue is one short line of printable US-ASCII.
func fieldValue(s string) (string, error) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' {
			return "", fmt.Errorf("%q is not one line of printable US-ASCII", s)
		}
	}
	if s == "" || len(s) > 200 {
		return "", fmt.Errorf("%q is not a value of 1 to 200 characters", s)
	}
	return s, nil
}

func delimiters(s string) (string, error) {
	for _, c := range s {
		if !strings.ContainsRune("+-_=.#", c) {
			return "", fmt.Errorf("%q is not a set of delimiters; allowed: any of + - _ = . #, or empty for none", s)
		}
	}
	return s, nil
}
