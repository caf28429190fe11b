package testsign

import (
	"context"
	"strings"
	"sync/atomic"

	"alignd/resolver"

	"github.com/miekg/dns"
)

// DNS answers TXT questions from a map of lower-case names. Instead of records
// a name may have one of the words below. Others do not exist.
type DNS map[string][]string

// What a name may have instead of records.
const (
	ServFail = "SERVFAIL"
	Budget   = "BUDGET"
)

// Asked counts the questions that all DNS values got.
var Asked atomic.Int64

// Lookup implements resolver.Lookuper.
func (d DNS) Lookup(ctx context.Context, name string, qtype uint16) (*resolver.Answer, error) {
	Asked.Add(1)
	name = strings.ToLower(name)
	fail := func(err error) (*resolver.Answer, error) {
		return nil, &resolver.Error{Name: name, Type: qtype, Err: err}
	}
	if ctx.Err() != nil {
		return fail(resolver.ErrTemporary)
	}
	txt, ok := d[name]
	if !ok {
		return &resolver.Answer{Name: name, Type: qtype, RCode: dns.RcodeNameError}, nil
	}
	if len(txt) == 1 && txt[0] == ServFail {
		return fail(resolver.ErrTemporary)
	}
	if len(txt) == 1 && txt[0] == Budget {
		return fail(resolver.ErrBudget)
	}
	return &resolver.Answer{Name: name, Type: qtype, NameExists: true, TXT: txt}, nil
}
