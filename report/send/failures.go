package send

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"alignd/journal/state"
	"alignd/report/failure"
)

// cutAfter is how long after its time a failure report is cut, so that all hosts have
// told of their messages.
const cutAfter = time.Minute

func isFailure(id string) bool { return strings.HasPrefix(id, state.FailurePrefix) }

// keptFailure is a failure report in the outbox.
type keptFailure struct {
	Report    *failure.Report
	Incidents int64
}

// failureID is the same each time.
func (s *Sender) failureID(f *state.Failure) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %x %d", s.submitter, f.Kind, f.Opened.Unix()))
	return state.FailurePrefix + hex.EncodeToString(sum[:16])
}

// cutFailures puts the failure reports that are due into the outbox, and removes what
// those held that are over.
func (s *Sender) cutFailures(ctx context.Context) error {
	errs := []error{s.state.ForgetFailures(ctx, s.now())}
	list, err := s.state.Failures(ctx, s.now().Add(-cutAfter))
	errs = append(errs, err)
	var ask []asking
	for i := range list {
		ask = append(ask, asking{list[i].Kind, list[i].Domain})
	}
	s.patience.each(ctx, ask, s.now(), func(i int) {
		if err := s.cutFailure(ctx, &list[i]); err != nil && !errors.Is(err, state.ErrUnknown) {
			errs = append(errs, err)
		}
	})
	return errors.Join(errs...)
}

func (s *Sender) cutFailure(ctx context.Context, f *state.Failure) error {
	var r failure.Report
	if err := json.Unmarshal(f.Data, &r); err != nil {
		return errors.Join(fmt.Errorf("failure report on %s: %w", f.Domain, err), s.state.CutFailure(ctx, f, nil))
	}
	if s.Failures.Every <= 0 { // switched off meanwhile
		return s.state.CutFailure(ctx, f, nil)
	}
	targets := s.failureTargets(ctx, &r)
	if err := ctx.Err(); err != nil { // what was not asked is no refusal
		return err
	}
	later := slices.ContainsFunc(targets, func(t target) bool { return t.later }) && s.now().Before(f.Due.Add(tryFor))
	s.patience.note(f.Kind, f.Domain, targets, later, s.now())
	if later {
		return nil // it is looked at again
	}
	now := s.now().UTC().Truncate(time.Second)
	p := state.Part{ID: s.failureID(f), Domain: f.Domain, Day: now.Truncate(24 * time.Hour), Made: now,
		About: encode(struct{ Author string }{r.Author}), Data: encode(keptFailure{&r, f.Incidents})}
	_, all, err := s.state.FailureMails(ctx, "", p.Day)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.refused == "" {
			one, _, err := s.state.FailureMails(ctx, t.address, p.Day)
			if err != nil {
				return err
			}
			if one >= s.Failures.PerAddress || all >= s.Failures.PerDay {
				t.refused = "limit of failure reports a day"
			}
		}
		if t.refused != "" {
			s.Log.Info("a report does not go to an address", "policy_domain", f.Domain, "target", t.address, "reason", t.refused)
			continue
		}
		all++
		p.Targets = append(p.Targets, state.Target{Address: t.address, Next: now})
	}
	if len(p.Targets) == 0 {
		return s.state.CutFailure(ctx, f, nil)
	}
	return s.state.CutFailure(ctx, f, &p)
}

// failureTargets are the addresses of a failure report, each once. Those of another
// organization have to agree, asked by the Policy Domain (RFC 9991 section 5).
func (s *Sender) failureTargets(ctx context.Context, r *failure.Report) (list []target) {
	for _, uri := range r.RUF {
		address, host, ok := mailbox(uri)
		if !ok {
			continue
		}
		t := s.agreed(ctx, r.Domain, r.Discovery, address, host, rufOf)
		switch {
		case t.refused != "":
		case s.Failures.Ours != nil && s.Failures.Ours(t.address):
			t.refused = "reports come in there, and none is sent about one"
		case s.domainOptedOut(r.Domain):
			t.refused = "the domain is in opt_out.domains"
		default:
			t.refused = s.optedOut(t.address, host)
		}
		if !slices.ContainsFunc(list, func(x target) bool { return x.address == t.address }) {
			list = append(list, t)
		}
		if len(list) >= maxTargets {
			break
		}
	}
	return list
}

// failureMail is a failure report as it leaves: the same each time.
func (s *Sender) failureMail(p *state.Part, to string) ([]byte, error) {
	var k keptFailure
	if err := json.Unmarshal(p.Data, &k); err != nil || k.Report == nil {
		return nil, errors.Join(fmt.Errorf("failure report %s cannot be read", p.ID), err)
	}
	return s.writeFailure(k.Report, k.Incidents, p.ID, to, p.Made)
}

func (s *Sender) writeFailure(r *failure.Report, incidents int64, id, to string, made time.Time) ([]byte, error) {
	var b bytes.Buffer
	err := failure.WriteMail(&b, r, failure.Envelope{
		ID: id, Domain: s.submitter, From: s.From, Name: s.Organization, To: to, Contact: s.Contact,
		UserAgent: strings.ReplaceAll(s.Generator, " ", "/"), Date: made, Incidents: incidents,
	})
	if err != nil {
		return nil, err
	}
	return sign(b.Bytes(), s.submitter, s.Keys)
}

// PreviewFailure is a failure report that is held, as it would leave for the first of its
// addresses, and these.
func (s *Sender) PreviewFailure(f *state.Failure) (mail []byte, to []string, err error) {
	var r failure.Report
	if err := json.Unmarshal(f.Data, &r); err != nil {
		return nil, nil, err
	}
	for _, uri := range r.RUF {
		if address, _, ok := mailbox(uri); ok {
			to = append(to, address)
		}
	}
	if len(to) == 0 {
		return nil, nil, fmt.Errorf("%s names no address that can be written to", r.Domain)
	}
	mail, err = s.writeFailure(&r, f.Incidents, s.failureID(f), to[0], f.Due)
	return mail, to, err
}
