package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"alignd/authres"
	"alignd/domain"
	"alignd/evidence"
	"alignd/header"
	"alignd/verify"
	"alignd/verify/relay"
)

// complete takes what no flag gives from the trace of the message, if --from-trace
// says so, and notes what is left out: without it a check says less than the daemon.
func (k *checker) complete(env *verify.Envelope, c *checked) {
	given := k.flags.given
	var t trace
	if k.flags.fromTrace && c.fields != nil {
		t = k.traceOf(c.fields, env.MTA)
		c.notes = append(c.notes, t.notes...)
	}
	if !given("ip") {
		env.Client.Peer = t.client
	}
	if !given("helo") {
		env.Client.HELO = t.helo
	}
	if !given("mail-from") {
		env.MailFrom = t.mailFrom
	}
	if t.login {
		env.AuthType = loginType
	}
	if t.below > 0 {
		c.fields = below(c.fields, t.below)
	}
	how := "no --%s was given: %s"
	if k.flags.fromTrace {
		how = "no --%s was given and the message does not tell: %s"
	}
	if !env.Client.Peer.IsValid() {
		c.note(fmt.Sprintf(how, "ip", "SPF is none, and no rule that looks at the client holds"))
	}
	if env.Client.HELO == "" {
		c.note(fmt.Sprintf(how, "helo", "the HELO name is not checked"))
	}
	if !given("mail-from") && !t.hasPath {
		c.note(fmt.Sprintf(how, "mail-from", "the reverse-path is taken for null (<>), and SPF checks the HELO name"))
	}
}

// loginType stands for the mechanism of a login, which no Received field tells.
const loginType = "unknown"

// trace is what the fields of our own MTA tell of the session.
type trace struct {
	client   netip.Addr
	helo     string
	mailFrom string
	hasPath  bool // mailFrom was told, and may be empty
	login    bool // the client had logged in
	below    int  // how many fields, from the top, our hosts put on after alignd saw the message
	notes    []string
}

func (t *trace) note(format string, args ...any) {
	t.notes = append(t.notes, "--from-trace: "+fmt.Sprintf(format, args...))
}

// traceOf reads the topmost Received field that our MTA wrote when it took the
// message from outside. Above it may stand those of our own hosts only, as a sender
// writes what he likes below (RFC 5321 section 4.4).
func (k *checker) traceOf(fields *header.Fields, mta string) (t trace) {
	at := fields.AppendNamed(nil, "Received")
	hops := relay.Chain(fields, evidence.MaxHops)
	site := k.site(mta)
	inside := -1 // the field by which the message came to our MTA from a host of our own
	for i := range hops {
		h := &hops[i]
		text := fmt.Sprintf("Received field number %d, %s", i+1, quoted(fields.At(at[i]).Value()))
		switch by, err := domain.Normalize(h.By); {
		case h.By == "localhost" && h.Addr.IsLoopback(): // a content filter of this host, amavisd-new say
			t.note("passed over, as the message was inside the site: %s", text)
			continue
		case err != nil || !site.has(by):
			t.note("nothing was taken: %s was written by %q and not by %s or a host beside it. --authserv-id names the MTA", text, h.By, mta)
			return t
		case h.Queued || h.Socket || h.With == "lmtp" || site.local(h.Addr) || !h.Addr.IsValid() && h.Problem == "":
			t.note("passed over, as the message was inside the site: %s", text)
			if h.Addr.IsValid() && !h.Queued && h.With != "lmtp" && (by == mta || by == site.mta) {
				inside = i
			}
			continue
		case by != mta && by != site.mta:
			t.note("passed over, as another host of the site wrote it: %s", text)
			continue
		case !h.Addr.IsValid():
			t.note("nothing was taken: %s: %s", text, h.Problem)
			return t
		}
		t.take(h, fields, at[i], text)
		return t
	}
	if inside >= 0 { // it came from there: not from outside by a filter
		t.take(&hops[inside], fields, at[inside], fmt.Sprintf("Received field number %d, as it tells of no host outside", inside+1))
		return t
	}
	t.note("nothing was taken: no Received field tells from whom %s took the message", mta)
	return t
}

// take takes the client from h, the field at index at, and MAIL FROM from above it.
func (t *trace) take(h *evidence.Hop, fields *header.Fields, at int, text string) {
	t.client, t.helo, t.login, t.below = h.Addr, h.From, h.With == "login", at+1
	t.note("client %s and HELO %q were taken from %s", h.Addr, h.From, text)
	if t.login {
		t.note("the client had logged in")
	}
	t.returnPath(fields, at)
}

// returnPath takes Return-Path, if it stands above the Received field at index
// received: final delivery writes it there (RFC 5321 section 4.4), and what stands
// below came with the message.
func (t *trace) returnPath(fields *header.Fields, received int) {
	at := fields.AppendNamed(nil, "Return-Path")
	switch {
	case len(at) == 0:
		t.note("there is no Return-Path field")
	case at[0] > received:
		t.note("Return-Path was not taken: it stands below the Received field, so that the sender may have written it")
	default:
		value := fields.At(at[0]).Value()
		t.mailFrom, t.hasPath = mailboxOf(string(value)), true
		t.note("MAIL FROM <%s> was taken from Return-Path", t.mailFrom)
	}
}

// ownSite knows the hosts whose fields are believed.
type ownSite struct {
	mta      string // the configured authserv-id, where it names a host
	names    []string
	networks []netip.Prefix
}

func (k *checker) site(mta string) ownSite {
	cfg := k.sides[0].cfg
	s := ownSite{networks: cfg.NotJudged.Networks}
	s.mta, _ = domain.Normalize(cfg.AuthservID)
	names := append([]string{mta, cfg.AuthservID}, cfg.OwnAuthservIDs...)
	if cfg.AuthservIDCovers != "name" {
		names = append(names, authres.Site(mta), authres.Site(cfg.AuthservID))
	}
	for _, name := range names {
		if name, err := domain.Normalize(name); err == nil {
			s.names = append(s.names, name)
		}
	}
	return s
}

func (s *ownSite) has(host string) bool {
	return slices.ContainsFunc(s.names, func(name string) bool { return host == name || domain.IsBelow(host, name) })
}

func (s *ownSite) local(ip netip.Addr) bool {
	return ip.IsValid() && (ip.IsLoopback() || slices.ContainsFunc(s.networks, func(n netip.Prefix) bool { return n.Contains(ip) }))
}

// quoted shows the beginning of a field's value on one line.
func quoted(value []byte) string {
	const longest = 160
	text := strings.Join(strings.Fields(string(value)), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return fmt.Sprintf("%q", text)
}

// below are the fields from the one with index first: a milter sees neither the
// Received field that its MTA writes nor what is put above it later.
func below(fields *header.Fields, first int) *header.Fields {
	rest := new(header.Fields)
	for i := first; i < fields.Len(); i++ {
		f := fields.At(i)
		rest.Add(f.Name(), f.Value())
	}
	return rest
}
