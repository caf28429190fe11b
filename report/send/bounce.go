package send

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"alignd/journal/state"
)

// A report leaves with an envelope sender of its own, ADDRESS+TOKEN@DOMAIN, where
// Settings.Bounces is set. The token is keyed, so nobody but who got the report can make
// a notification that is believed.

// A token is the name of a report to a target and a proof of that name, so that no
// database is asked whether a token is one of ours. Each is tokenHalf characters.
const (
	tokenHalf   = 12 // 48 bits: nobody guesses a proof by sending mail
	tokenLength = 2 * tokenHalf
)

func (s *Sender) token(id, target string) string {
	name := s.keyed("report %s %s", id, target)
	return name + s.keyed("token %s", name)
}

func (s *Sender) keyed(format string, args ...any) string {
	m := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(m, format, args...)
	return hex.EncodeToString(m.Sum(nil))[:tokenHalf]
}

// tokenOf is the token of an address, empty where it has none that is ours.
func (s *Sender) tokenOf(address string) string {
	local, host, ok := strings.Cut(strings.ToLower(s.Bounces), "@")
	at := strings.LastIndexByte(address, '@')
	if !ok || len(s.Key) == 0 || at < 0 || !strings.EqualFold(address[at+1:], host) {
		return ""
	}
	token, found := strings.CutPrefix(strings.ToLower(address[:at]), local+s.Delimiter)
	if !found || len(token) != tokenLength || !hmac.Equal([]byte(token[tokenHalf:]), []byte(s.keyed("token %s", token[:tokenHalf]))) {
		return ""
	}
	return token
}

// Expects reports whether an address is the envelope sender of a report. It does no I/O
// and is safe for concurrent use.
func (s *Sender) Expects(address string) bool { return s.tokenOf(address) != "" }

// envelopeFrom is the reverse-path of a report to a target.
func (s *Sender) envelopeFrom(x *state.Item) string { return s.EnvelopeFrom(s.token(x.ID, x.Target)) }

// EnvelopeFrom is the reverse-path of a report with a token.
func (s *Settings) EnvelopeFrom(token string) string {
	local, host, ok := strings.Cut(s.Bounces, "@")
	if !ok {
		return s.From
	}
	return local + s.Delimiter + token + "@" + host
}

// ErrNoBounce: a message is no notification that a report failed, or not one of ours.
var ErrNoBounce = errors.New("it is no notification about a report of ours")

// Bounced is what a notification says.
type Bounced struct {
	ID, Target string
	Status     string // RFC 3463; as written
	// Permanent: the address gets nothing for a while. Else the notification is about a
	// delay, which is nothing to us.
	Permanent bool
}

// maxActions is how many blocks of a delivery status are read; ours.
const maxActions = 100

// maxNotification is how much of a notification is read, in octets.
const maxNotification = 1 << 20

// Bounce takes a notification (RFC 3464) that came back for a report, and has its address
// get nothing for a while. recipients are the addresses that it was delivered to, where
// the caller knows them; else the header is asked. The error wraps ErrNoBounce where the
// message is none.
func (s *Sender) Bounce(ctx context.Context, r io.Reader, recipients []string) (*Bounced, error) {
	e, err := message.Read(bufio.NewReader(io.LimitReader(r, maxNotification)))
	if err != nil && !message.IsUnknownCharset(err) {
		return nil, fmt.Errorf("%w: %w", ErrNoBounce, err)
	}
	if len(recipients) == 0 {
		recipients = recipientsOf(&e.Header)
	}
	if !nullPath(&e.Header) {
		return nil, fmt.Errorf("%w: its envelope sender is not the null reverse-path", ErrNoBounce)
	}
	item, err := s.itemOf(ctx, recipients)
	if err != nil {
		return nil, err
	}
	b := &Bounced{ID: item.ID, Target: item.Target}
	if b.Status, b.Permanent, err = statusOf(e); err != nil {
		return nil, err
	}
	s.watch.bounces.Add(1)
	if !b.Permanent {
		return b, nil
	}
	return b, s.suppress(ctx, item, reason("a notification came back: "+b.Status))
}

// suppress has the address of a report that came back get nothing for a while: twice as
// long as the last time, where that is over. A further copy of a notification, and those
// about other reports that left before the first one came, change nothing.
func (s *Sender) suppress(ctx context.Context, item *state.Item, why string) error {
	if item.State == state.Bounced || item.State == state.GivenUp {
		return nil
	}
	no, err := s.state.Suppressed(ctx, item.Target, s.now())
	if err == nil && no.Target == "" {
		err = s.state.Suppress(ctx, item.Target, why, s.now(), suppressFirst, suppressMost)
	}
	if err != nil {
		return err
	}
	if was := item.State; was.Over() { // else its sender finds the address suppressed
		item.State, item.Reason, item.Changed = state.Bounced, why, s.now()
		if err := s.state.SetItem(ctx, was, item); err != nil && !errors.Is(err, state.ErrUnknown) {
			return err
		}
	}
	s.Log.Info("report to a domain owner", "report_id", item.ID, "target", item.Target, "state", string(item.State), "reason", why, "tries", item.Tries)
	return nil
}

// nullPath: a notification has the null reverse-path (RFC 3464 section 2), which the MTA
// may have noted; as <>, or as the name that it goes by there.
func nullPath(h *message.Header) bool {
	path := strings.Trim(strings.TrimSpace(h.Get("Return-Path")), "<>")
	local, _, _ := strings.Cut(path, "@")
	return path == "" || strings.EqualFold(local, "MAILER-DAEMON")
}

// recipientsOf are addresses to which a message says that it was delivered.
func recipientsOf(h *message.Header) (list []string) {
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To"} {
		for f := h.FieldsByKey(name); f.Next(); {
			if all, err := mail.ParseAddressList(f.Value()); err == nil {
				for _, a := range all {
					list = append(list, a.Address)
				}
			}
		}
	}
	return list
}

// itemOf is the report whose token one of the addresses has.
func (s *Sender) itemOf(ctx context.Context, addresses []string) (*state.Item, error) {
	if s.Bounces == "" {
		return nil, errors.New("reports.bounces is not set")
	}
	tokens := map[string]bool{}
	for _, a := range addresses {
		if token := s.tokenOf(a); token != "" {
			tokens[token] = true
		}
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%w: no report left with an address that it came to", ErrNoBounce)
	}
	items, err := s.state.Items(ctx)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if tokens[s.token(items[i].ID, items[i].Target)] {
			return &items[i], nil
		}
	}
	return nil, fmt.Errorf("%w: the report is no longer kept", ErrNoBounce)
}

// statusOf finds what became of the delivery: the first message/delivery-status part
// says so (RFC 3464 section 2.3).
func statusOf(e *message.Entity) (status string, permanent bool, err error) {
	parts := e.MultipartReader()
	if parts == nil {
		return "", false, fmt.Errorf("%w: it is no multipart/report", ErrNoBounce)
	}
	defer parts.Close()
	for range 20 {
		p, err := parts.NextPart()
		if err != nil && !message.IsUnknownCharset(err) {
			break
		}
		kind, _, _ := p.Header.ContentType()
		if kind != "message/delivery-status" && kind != "message/global-delivery-status" {
			continue
		}
		if status, permanent, ok := actionsOf(p.Body); ok {
			return status, permanent, nil
		}
	}
	return "", false, fmt.Errorf("%w: it has no delivery status", ErrNoBounce)
}

// actionsOf reads a delivery status: a block for the message, and one for each recipient
// (RFC 3464 section 2.1). A report has one recipient, which may have become several.
// Where one of them has it, the address works.
func actionsOf(r io.Reader) (status string, permanent, ok bool) {
	in := textproto.NewReader(bufio.NewReader(r))
	for range maxActions {
		fields, err := in.ReadMIMEHeader()
		said := strings.TrimSpace(fields.Get("Status") + " " + fields.Get("Diagnostic-Code"))
		switch action := strings.ToLower(strings.TrimSpace(fields.Get("Action"))); {
		case action == "":
		case action == "failed":
			if !permanent {
				status = said
			}
			permanent, ok = true, true
		case !slices.Contains([]string{"delivered", "relayed", "expanded", "delayed"}, action):
		case action != "delayed":
			return said, false, true
		default:
			if !permanent {
				status = said
			}
			ok = true
		}
		if err != nil {
			break
		}
	}
	return status, permanent, ok
}
