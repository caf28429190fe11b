package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"alignd/journal/state"
	"alignd/report/aggregate"
	"alignd/report/send"
)

// post is the relay that takes our reports, and says no to some. It keeps none.
type post struct {
	mu sync.Mutex
	// sent is the envelope sender of the last mail to an address.
	sent map[string]string
}

// Send implements send.Transport.
func (p *post) Send(_ context.Context, from, to string, _ []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch domainOf(to) {
	case "oldmill.example", "highclinic.example":
		return &send.Refusal{NoMailbox: true, Text: "550 5.1.1 no such user"}
	case "cityschool.example":
		return &send.Refusal{Temporary: true, Text: "452 4.2.2 the mailbox is full"}
	case "greenworks.example":
		return &send.Refusal{Temporary: true, Text: "451 4.7.1 try again later"}
	case "openmarket.example":
		return fmt.Errorf("%w: the connection was reset", send.ErrLost)
	}
	p.sent[to] = from
	return nil
}

// returned is whose reports are taken, and come back.
const returned = "dmarc@riverpress.example"

// sending is for how many days the site sends reports.
const sending = 6

// sendReports does what the daemon does with what was counted, hour after hour of the last
// days.
func (e *engine) sendReports(ctx context.Context, counts *state.State) error {
	relay, now := &post{sent: map[string]string{}}, time.Time{}
	s := send.New(counts, send.Settings{From: "dmarc@example.net", Organization: "example.net", Generator: "alignd demo", Schema: aggregate.RFC9990,
		Bounces: "dmarc-bounces@example.net", Delimiter: "+", Key: []byte("demo"), Own: own,
		To: send.Audience{Deserving: true}, Transport: relay, DNS: e.dns.usual, PSLGuard: true, Limits: send.Limits{PerMinute: 60, PerDay: 20000, PerOrganization: 200},
		KeepSent: 7 * 24 * time.Hour, Holder: "demo", Hello: "mx.example.net", Now: func() time.Time { return now }})
	if err := counts.Drop(ctx, e.end.AddDate(0, 0, -sending).Truncate(24*time.Hour)); err != nil {
		return err
	}
	for now = e.end.AddDate(0, 0, -sending); !now.After(e.end); now = now.Add(time.Hour) {
		if err := s.Step(ctx); err != nil {
			return err
		}
		if to := relay.sent[returned]; to != "" && now.After(e.end.AddDate(0, 0, -2)) {
			if _, err := s.Bounce(ctx, strings.NewReader(notification(to)), []string{to}); err != nil && !errors.Is(err, send.ErrNoBounce) {
				return err
			}
			delete(relay.sent, returned)
		}
	}
	return nil
}

// notification is what comes back to an address (RFC 3464).
func notification(to string) string {
	return strings.ReplaceAll(`Return-Path: <>
From: MAILER-DAEMON@riverpress.example
To: `+to+`
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.riverpress.example

Final-Recipient: rfc822; `+returned+`
Action: failed
Status: 5.2.1

--x--
`, "\n", "\r\n")
}
