package dmarc

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"alignd/resolver"
)

// fakeDNS answers from a map and records what was asked. A key is a name for
// TXT, or "name A" for another type; a value is a record, several records
// parted by "\n", or SERVFAIL, SILENT, BUDGET, NODATA. Everything else is NXDOMAIN.
type fakeDNS struct {
	data  map[string]string
	delay time.Duration

	mu    sync.Mutex
	asked []string
	cache map[string]*resolver.Answer
}

func (f *fakeDNS) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	key := name
	if qtype != dns.TypeTXT {
		key += " " + dns.TypeToString[qtype]
	}
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimPrefix(key, "_dmarc."))
	f.mu.Unlock()
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
		}
	}
	if len(name) > 253 {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrName}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if ans := f.cache[key]; ans != nil {
		return ans, nil
	}
	ans := &resolver.Answer{Name: name, Type: qtype, NameExists: true, TTL: time.Hour}
	switch value, ok := f.data[key]; {
	case !ok:
		ans.RCode, ans.NameExists = dns.RcodeNameError, false
	case value == "SERVFAIL":
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "SERVFAIL"}
	case value == "BUDGET":
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrBudget}
	case value == "SILENT":
		f.mu.Unlock()
		select {
		case <-time.After(15 * time.Second):
		case <-ctx.Done():
		}
		f.mu.Lock()
		return nil, &resolver.Error{Name: name, Type: qtype, Err: resolver.ErrTemporary, Why: "timeout"}
	case value == "PANIC":
		panic("a fault in the resolver")
	case value == "CNAME": // to a name that does not exist
		ans.RCode = dns.RcodeNameError
	case value != "NODATA":
		ans.TXT = strings.Split(value, "\n")
	}
	if f.cache == nil {
		f.cache = map[string]*resolver.Answer{}
	}
	f.cache[key] = ans
	return ans, nil
}

// questions are the names asked so far, without the _dmarc prefix.
func (f *fakeDNS) questions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// zone builds a fakeDNS from lines "name record", the name without _dmarc.
func zone(lines ...string) *fakeDNS {
	f := &fakeDNS{data: map[string]string{}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		if rest, ok := strings.CutPrefix(value, "A "); ok {
			f.data[name+" A"] = rest
			continue
		}
		name = "_dmarc." + name
		if old, ok := f.data[name]; ok {
			value = old + "\n" + value
		}
		f.data[name] = value
	}
	return f
}
