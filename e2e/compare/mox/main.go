// Command mox judges one message by mox's packages spf, dkim and dmarc, as its SMTP
// server calls them, and prints the results. It is a module of its own, so that
// alignd's knows nothing of mox.
//
// Standard input holds a JSON object with the envelope and the message; DNS is that of
// /etc/resolv.conf. What mox does besides, such as judging by reputation and content,
// is left out.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mjl-/mox/dkim"
	"github.com/mjl-/mox/dmarc"
	"github.com/mjl-/mox/dns"
	"github.com/mjl-/mox/message"
	"github.com/mjl-/mox/smtp"
	"github.com/mjl-/mox/spf"
)

type letter struct {
	IP, HELO, From string
	Text           []byte // CRLF
}

type said struct {
	SPF, DMARC string
	DKIM       []string
	Refused    bool
}

func main() {
	var l letter
	if err := json.NewDecoder(os.Stdin).Decode(&l); err != nil {
		slog.Error("reading the message", "err", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(judge(l)); err != nil {
		os.Exit(1)
	}
}

func judge(l letter) said {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	resolver := dns.StrictResolver{Log: log}
	text := bytes.NewReader(l.Text)

	signatures, err := dkim.Verify(ctx, log, resolver, true, dkim.DefaultPolicy, text, false)
	var out said
	for _, s := range signatures {
		out.DKIM = append(out.DKIM, string(s.Status))
	}
	if len(out.DKIM) == 0 && err == nil {
		out.DKIM = []string{"none"}
	}

	args := spf.Args{RemoteIP: net.ParseIP(l.IP)}
	if ip := net.ParseIP(strings.Trim(l.HELO, "[]")); ip != nil {
		args.HelloDomain = dns.IPDomain{IP: ip}
	} else if d, err := dns.ParseDomain(l.HELO); err == nil {
		args.HelloDomain = dns.IPDomain{Domain: d}
	}
	if addr, err := smtp.ParseAddress(l.From); err == nil {
		args.MailFromLocalpart, args.MailFromDomain = addr.Localpart, addr.Domain
	}
	received, _, _, _, _ := spf.Verify(ctx, log, resolver, args)
	out.SPF = string(received.Result)
	var identity *dns.Domain
	switch {
	case received.Identity == spf.ReceivedHELO && len(args.HelloDomain.IP) == 0:
		identity = &args.HelloDomain.Domain
	case received.Identity == spf.ReceivedMailFrom:
		identity = &args.MailFromDomain
	}

	from, _, _, err := message.From(log, false, text, nil)
	if err != nil || from.IsZero() { // mox then has no result, and delivers
		out.DMARC = string(dmarc.StatusNone)
		return out
	}
	_, result := dmarc.Verify(ctx, log, resolver, from.Domain, signatures, received.Result, identity, false)
	out.DMARC, out.Refused = string(result.Status), result.Reject
	return out
}
