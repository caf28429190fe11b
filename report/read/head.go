package read

import (
	"strconv"
	"strings"
	"time"
)

// headValue takes the text of an element outside of records (RFC 9990 appendix A).
func (p *aggregateParser) headValue(in, name, value string) error {
	h := &p.head
	switch name {
	case "org_name":
		p.once(name, &h.OrgName, value)
	case "email":
		p.once(name, &h.Email, value)
	case "extra_contact_info":
		p.once(name, &h.Contact, value)
	case "report_id":
		p.once(name, &h.ReportID, value)
	case "generator":
		p.once(name, &h.Generator, value)
	case "version":
		p.once(name, &h.Version, value)
	case "error":
		if len(h.Errors) >= p.limits.Items {
			return boundError{"errors of one report"}
		}
		h.Errors = append(h.Errors, value)
	case "begin":
		p.once(name, &h.Begin, p.time(name, value))
	case "end":
		p.once(name, &h.End, p.time(name, value))
	default:
		if in == "policy_published" {
			p.policyValue(name, value)
		} else if in != "" && len(p.path) > 0 {
			p.unknownElement(name)
		}
	}
	return nil
}

func (p *aggregateParser) unknownElement(name string) {
	p.notes.at(p.line(), "unknown element %.60q", name)
}

func (p *aggregateParser) policyValue(name, value string) {
	h := &p.head
	switch name {
	case "domain":
		p.once(name, &h.Domain, value)
	case "p":
		p.once(name, &h.Policy.P, p.word(name, value, policies))
	case "sp":
		p.once(name, &h.Policy.SP, p.word(name, value, policies))
	case "np":
		p.once(name, &h.Policy.NP, p.word(name, value, policies))
	case "adkim":
		p.once(name, &h.Policy.ADKIM, p.word(name, value, modes))
	case "aspf":
		p.once(name, &h.Policy.ASPF, p.word(name, value, modes))
	case "testing":
		p.once(name, &h.Policy.Testing, p.word(name, value, flags))
	case "discovery_method":
		p.once(name, &h.Policy.Discovery, p.word(name, value, discoveries))
	case "fo":
		p.once(name, &h.Policy.FO, value)
	case "pct":
		p.pct(value)
	default:
		p.unknownElement(name)
	}
}

// pct reads a percentage (RFC 7489 section 6.3), and what some reporters make of it.
func (p *aggregateParser) pct(value string) {
	n, err := strconv.Atoi(value)
	if f, ferr := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64); err != nil && ferr == nil && f == float64(int(f)) {
		n, err = int(f), nil
		p.notes.at(p.line(), "pct %.60q is read as %d", value, n)
	}
	switch {
	case err != nil:
		p.notes.at(p.line(), "pct %.60q is not a number", value)
		return
	case n < 0 || n > 100:
		p.notes.at(p.line(), "pct %.60q is not between 0 and 100", value)
	}
	p.head.Policy.Pct = &n
}

// once keeps the first of several values, and tells of another one.
func (p *aggregateParser) once(name string, first *string, value string) {
	switch *first {
	case "":
		*first = value
	case value:
	default:
		p.notes.at(p.line(), "%s stands there once more; the first one is kept", name)
	}
}

// timeLayouts are those that can mean one time only.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123Z, time.RFC1123,
	"2006-01-02T15:04:05-0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04",
	"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006", time.ANSIC, time.UnixDate,
	"2006/01/02", "2006/01/02 15:04:05", "20060102T150405Z07:00", "20060102T150405"}

// compactLayouts are dates of digits alone, by their length; as seconds they would be of
// 1970 or of a far future.
var compactLayouts = map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}

// units are what some reporters count instead of seconds.
var units = []struct {
	name      string
	perSecond int64
}{{"milliseconds", 1e3}, {"microseconds", 1e6}, {"nanoseconds", 1e9}}

// Bounds, ours: what is above mostSeconds, the year 5138, is counted in something else (in
// milliseconds it is 1973), if that gives a time before century, the year 2100.
const (
	mostSeconds = 1e11
	century     = 4102444800
)

// time reads seconds since 1970 (RFC 9990 appendix A), and what some reporters write.
func (p *aggregateParser) time(name, value string) string {
	if t, err := time.Parse(compactLayouts[len(value)], value); err == nil && t.Year() >= 2000 && t.Year() < 2100 {
		p.notes.at(p.line(), "%s %.60q is not in seconds since 1970", name, value)
		return t.Format(time.RFC3339)
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		if f, ferr := strconv.ParseFloat(value, 64); ferr == nil && f >= 0 && f < 1e15 {
			seconds, err = int64(f), nil
			p.notes.at(p.line(), "%s %.60q is not a whole number", name, value)
		}
	}
	if err == nil && seconds > mostSeconds {
		for _, unit := range units {
			if n := seconds / unit.perSecond; n < century {
				p.notes.at(p.line(), "%s %.60q is taken for %s", name, value, unit.name)
				seconds = n
				break
			}
		}
	}
	if err == nil && seconds >= 0 && seconds <= mostSeconds {
		return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, value); err == nil {
			p.notes.at(p.line(), "%s %.60q is not in seconds since 1970", name, value)
			return t.UTC().Format(time.RFC3339)
		}
	}
	p.notes.at(p.line(), "%s %.60q is not a time", name, value)
	return ""
}
