package verify

import (
	"time"

	"alignd/domain"
	"alignd/evidence"
	"alignd/verify/spf"
)

// Envelope is what is known of a message at MAIL FROM.
type Envelope struct {
	Client evidence.Client
	// MTA is our own host name, macro {j}: SPF's %{r}, and the default authserv-id.
	MTA string
	// Token names the message; see evidence.Message.
	Token              string
	AuthUser, AuthType string // of the login, if there was one
	MailFrom           string // reverse-path without angle brackets; empty for <>
	MailArgs           []string
	// LeadingSpaceLost: the MTA does not hand on the space after the colon of
	// header fields; Header gets one in its place.
	LeadingSpaceLost bool
	// Unchecked: the message will not be judged, so only the header is looked at
	// and DNS is not asked.
	Unchecked bool
}

// Evidence is what the envelope tells by itself. All evidence begins here.
func (env *Envelope) Evidence(now time.Time) evidence.Message {
	ev := evidence.Message{
		Schema: evidence.SchemaVersion,
		// To the microsecond, as a record keeps it; Truncate would lose the monotonic clock.
		Time:     now.Add(-time.Duration(now.Nanosecond() % 1000)),
		Token:    env.Token,
		MTA:      env.MTA,
		Client:   env.Client,
		AuthUser: env.AuthUser,
		AuthType: env.AuthType,
		MailFrom: env.MailFrom,
		MailArgs: env.MailArgs,
		Sample:   -1,
	}
	if d, err := domain.Normalize(spf.Domain(env.MailFrom)); err == nil {
		ev.MailFromDomain = d
	}
	return ev
}

// Recipient adds a recipient of the envelope, as the MTA resolved it or as it was
// given; its domain is normalized where it can be.
func (m *Message) Recipient(address string) {
	m.ev.Recipients = append(m.ev.Recipients, evidence.Recipient{Address: domain.NormalizeAddress(address)})
}

// QueueID names the message by the MTA's id, which comes after MAIL FROM.
func (m *Message) QueueID(id string) { m.ev.QueueID = id }
