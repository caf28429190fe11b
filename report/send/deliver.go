package send

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"alignd/internal/terminal"
	"alignd/journal/state"
	"alignd/report/aggregate"
)

// dueAtOnce is how many items are looked at in one step.
const dueAtOnce = 1000

// adopt counts the answers as lost to what was on its way when another process ended,
// once for each time that the lease comes here. What it cannot note it tries again in the
// next step, before anything leaves.
func (s *Sender) adopt(ctx context.Context) error {
	if s.adopted {
		return nil
	}
	items, err := s.state.UnderWay(ctx)
	if err != nil {
		return err
	}
	for i := range items {
		x := &items[i]
		s.lost(x, "the answer to the mail was lost, as alignd ended")
		if err := s.keep(ctx, state.Sending, x); err != nil {
			return err
		}
	}
	s.adopted = true
	return nil
}

// sendDue sends what is due.
func (s *Sender) sendDue(ctx context.Context) error {
	if err := s.adopt(ctx); err != nil {
		return err
	}
	items, err := s.state.Due(ctx, s.now(), dueAtOnce)
	if err != nil {
		return err
	}
	if err := s.readUsed(ctx); err != nil {
		return err
	}
	var errs []error
	items = s.fair(items)
	for i := range items {
		x := &items[i]
		if x.State == state.Sending || ctx.Err() != nil {
			continue // the former of a process that lost the lease meanwhile, and may go on
		}
		limit, whole := s.room(x)
		if whole {
			break
		}
		if limit != "" {
			errs = append(errs, s.postpone(ctx, x, limit))
			continue
		}
		errs = append(errs, s.deliver(ctx, x))
	}
	return errors.Join(errs...)
}

// postpone has an item wait that a limit keeps here. Changed stays: it says for how long.
func (s *Sender) postpone(ctx context.Context, x *state.Item, limit string) error {
	x.Next, x.Reason = s.now().Add(time.Hour), limit
	if s.now().Sub(x.Changed) > tryFor {
		x.State, x.Reason = state.GivenUp, "for three days: "+limit
		return s.keep(ctx, state.Waiting, x)
	}
	err := s.state.SetItem(ctx, state.Waiting, x)
	if errors.Is(err, state.ErrUnknown) {
		return nil // another host had it
	}
	return err
}

// keep writes where an item stands, and says so.
func (s *Sender) keep(ctx context.Context, was state.Progress, x *state.Item) error {
	x.Changed, x.Reason = s.now(), reason(x.Reason)
	err := s.state.SetItem(ctx, was, x)
	if errors.Is(err, state.ErrUnknown) {
		return nil // another host had it
	}
	if err == nil && x.State != state.Sending {
		s.Log.Info("report to a domain owner", "report_id", x.ID, "target", x.Target, "state", string(x.State), "reason", x.Reason, "tries", x.Tries)
	}
	return err
}

// maxReason is the octets that are kept of a reason, most of which others write; ours.
const maxReason = 500

// reason is one line that may be kept: a database takes no text that is no UTF-8 or has NUL, and
// a step that was not kept would have the mail go twice.
func reason(s string) string {
	s = terminal.Line(s[:min(len(s), 4*maxReason)])
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
		// Half an address is not known for one where addresses are hidden.
		if space := strings.LastIndexByte(s, ' '); space > 0 {
			s = s[:space]
		}
		s += "..."
	}
	return s
}

// lost counts a lost answer.
func (s *Sender) lost(x *state.Item, reason string) {
	x.Lost++
	x.State, x.Reason, x.Next = state.Waiting, reason, s.now()
	if x.Lost >= maxLost {
		x.State = state.Unknown
	}
}

// deliver tries one item. It is marked before the mail leaves.
func (s *Sender) deliver(ctx context.Context, x *state.Item) error {
	p, err := s.state.Part(ctx, x.ID)
	if errors.Is(err, state.ErrUnknown) {
		x.State, x.Reason = state.GivenUp, "the report is no longer kept"
		return s.keep(ctx, state.Waiting, x)
	}
	if err != nil {
		return err
	}
	if held, err := s.state.Lease(ctx, "reports", s.Holder, leaseTime); err != nil || !held {
		return err // another host sends meanwhile
	}
	if no, err := s.state.Suppressed(ctx, x.Target, s.now()); err != nil {
		return err
	} else if no.Target != "" {
		x.State, x.Reason = state.Suppressed, suppressed(&no)
		return s.keep(ctx, state.Waiting, x)
	}
	why := s.optedOut(x.Target, x.Target[strings.LastIndexByte(x.Target, '@')+1:])
	if why == "" && s.domainOptedOut(p.Domain) {
		why = "the domain is in opt_out.domains"
	}
	if why != "" {
		x.State, x.Reason = state.Suppressed, why
		return s.keep(ctx, state.Waiting, x)
	}
	mail, err := s.mail(p, x.Target)
	if err != nil && s.now().Sub(p.Made) > tryFor {
		x.State, x.Reason = state.GivenUp, "for three days: "+err.Error()
		return errors.Join(err, s.keep(ctx, state.Waiting, x))
	}
	if err != nil {
		return err
	}
	if err := s.use(ctx, x); err != nil {
		return err
	}
	x.State = state.Sending
	x.Tries++
	x.Changed = s.now()
	if err := s.state.SetItem(ctx, state.Waiting, x); errors.Is(err, state.ErrUnknown) {
		return nil // another host has it
	} else if err != nil {
		return err
	}
	// It ends before the lease does, else another host would send it, too.
	within, cancel := context.WithTimeout(ctx, leaseTime-5*time.Minute)
	defer cancel()
	err = s.Transport.Send(within, s.envelopeFrom(x), x.Target, mail)
	s.answered(ctx, x, p, err)
	return s.keep(context.WithoutCancel(ctx), state.Sending, x)
}

// answered says what an answer makes of an item.
func (s *Sender) answered(ctx context.Context, x *state.Item, p *state.Part, answer error) {
	var no *Refusal
	s.tally(answer)
	switch {
	case answer == nil:
		x.State, x.Reason = state.Sent, ""
	case errors.Is(answer, ErrLost):
		s.lost(x, answer.Error())
		if x.State == state.Waiting {
			x.Next = s.now().Add(backOff[0])
		}
	case errors.As(answer, &no) && !no.Temporary:
		x.State, x.Reason = state.GivenUp, no.Text
		if !no.NoMailbox { // the next report may be taken, and those of other domains
			return
		}
		if err := s.state.Suppress(context.WithoutCancel(ctx), x.Target, reason(no.Text), s.now(), suppressFirst, suppressMost); err != nil {
			s.Log.Warn("an address that refuses reports is not remembered", "target", x.Target, "err", err)
		}
	default:
		x.State, x.Reason = state.Waiting, answer.Error()
		x.Next = s.now().Add(backOff[min(x.Tries, len(backOff))-1])
		if s.now().Sub(p.Made) > tryFor {
			x.State, x.Reason = state.GivenUp, "tried for three days: "+answer.Error()
		}
	}
}

// tally counts an answer to a mail.
func (s *Sender) tally(answer error) {
	var no *Refusal
	switch w := &s.watch; {
	case answer == nil:
		w.sent.Add(1)
	case errors.Is(answer, ErrLost):
		w.lost.Add(1)
	case errors.As(answer, &no) && !no.Temporary:
		w.refused.Add(1)
	default:
		w.putOff.Add(1)
	}
}

// Mail is a report of the outbox as it leaves for a target, signed by the keys of the
// settings.
func (s *Sender) Mail(p *state.Part, to string) ([]byte, error) { return s.mail(p, to) }

// mail is the report as it leaves for a target: the same each time.
func (s *Sender) mail(p *state.Part, to string) ([]byte, error) {
	if isFailure(p.ID) {
		return s.failureMail(p, to)
	}
	var k kept
	if err := json.Unmarshal(p.About, &k); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	part := aggregate.Part{Report: k.Report, GZIP: p.Data, Messages: k.Messages}
	err := aggregate.WriteMail(&b, &part, aggregate.Envelope{Domain: s.submitter, From: s.From, Name: s.Organization, To: to, Date: p.Made})
	if err != nil {
		return nil, err
	}
	return sign(b.Bytes(), s.submitter, s.Keys)
}
