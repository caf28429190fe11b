package resolver

import (
	"errors"

	"github.com/miekg/dns"
)

// Failure is a question of a message that got no answer.
type Failure struct {
	Name  string // canonical; may hold any octet
	Type  string // "TXT"
	RCode string // "SERVFAIL"; empty where no usable answer came
	Why   string
}

// Failures lists the questions that got no answer, in order, then those that the
// budget refused; at most max of them.
func (b *Budget) Failures(max int) []Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Failure
	for i := range b.asked {
		q := &b.asked[i]
		if q.err == nil || len(list) == max {
			continue
		}
		f := Failure{Name: q.key.name, Type: dns.TypeToString[q.key.qtype], Why: q.outcome()}
		var e *Error
		if errors.As(q.err, &e) {
			f.RCode = e.RCode
		}
		list = append(list, f)
	}
	for _, k := range b.refused {
		if len(list) == max {
			break
		}
		list = append(list, Failure{Name: k.name, Type: dns.TypeToString[k.qtype], Why: "refused by budget"})
	}
	return list
}
