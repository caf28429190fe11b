package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/filter/milter"
	"alignd/header"
	"alignd/resolver"
	"alignd/verify"
)

// checkFlags are what a message file does not tell.
type checkFlags struct {
	json       bool
	config     string
	dns        string
	zone       string
	ip         string
	helo       string
	mailFrom   string
	rcpt       []string
	authservID string
	now        int64
	nowGiven   bool // 0 is a time too
}

func checkCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check [flags] MESSAGE|-",
		Short: "Explain what the filter would say of a message",
		Long: `Explain what the filter would say of a message in a file, or on standard input (-).

Lines may end with LF or CRLF. Exit status 0 means that a verdict was reached,
whatever it is; 2 means wrong usage or unreadable input.

--zone answers from a zone file (RFC 1035) instead of DNS. A name that is not in
it does not exist. Besides records it knows "NAME SERVFAIL" and "NAME TIMEOUT",
which may be followed by the record types that fail.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one message file, or - for standard input; got %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.nowGiven = c.Flags().Changed("now")
			return runCheck(c.Context(), &f, args[0], c.InOrStdin(), c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the explanation")
	flags.StringVar(&f.config, "config", "", "configuration file (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.dns, "dns", "", "DNS server to ask, HOST:PORT")
	flags.StringVar(&f.zone, "zone", "", "zone file to answer from instead of DNS")
	flags.StringVar(&f.ip, "ip", "", "address of the SMTP client; without it SPF is none")
	flags.StringVar(&f.helo, "helo", "", "name that the client gave in HELO or EHLO")
	flags.StringVar(&f.mailFrom, "mail-from", "", "reverse-path; empty or <> is the null reverse-path")
	flags.StringArrayVar(&f.rcpt, "rcpt", nil, "recipient; may be repeated")
	flags.StringVar(&f.authservID, "authserv-id", "", "authserv-id of the field (default: the host name)")
	flags.Int64Var(&f.now, "now", 0, "time of the check in seconds since 1970 (default: now)")
	c.MarkFlagsMutuallyExclusive("dns", "zone")
	return c
}

func runCheck(ctx context.Context, f *checkFlags, file string, stdin io.Reader, out io.Writer) error {
	env, err := f.envelope()
	if err != nil {
		return err
	}
	now := time.Now()
	if f.nowGiven {
		now = time.Unix(f.now, 0)
	}
	cfg, err := f.loadConfig()
	if err != nil {
		return err
	}
	lookup, closeLookup, err := f.lookuper(cfg)
	if err != nil {
		return err
	}
	defer closeLookup()
	input, err := openMessage(file, stdin)
	if err != nil {
		return err
	}
	defer input.Close()

	s := settings(cfg)
	s.Basis.Options.LeadingSpace = true // a file has it
	opt := s.Verify
	opt.Now = func() time.Time { return now }
	opt.Budget.Timed = true
	m := verify.Begin(ctx, lookup, &opt, env)
	defer m.Release()
	for _, r := range f.rcpt {
		m.Recipient(mailbox(r))
	}
	over, err := feed(m, input, cfg.Limits)
	if err != nil {
		return fmt.Errorf("reading the message: %w", err)
	}
	if len(f.rcpt) > cfg.Limits.Recipients {
		over = fmt.Sprintf("more than %d recipients", cfg.Limits.Recipients)
	}
	ev := m.Finish(ctx)
	j := s.Judge(ev, m, s.MarksOf(ev.MTA, m.Fields()), nil)
	if over != "" {
		s.OverLimit(&j, over)
	}
	if !f.json {
		return explain(out, &j, m.Questions())
	}
	_, err = out.Write(append(report(s, &j, m.Questions()), '\n'))
	return err
}

func (f *checkFlags) envelope() (verify.Envelope, error) {
	env := verify.Envelope{MailFrom: mailbox(f.mailFrom), MTA: f.hostName()}
	env.Client.HELO = f.helo
	if f.ip == "" {
		return env, nil
	}
	ip, err := verify.ClientIP(f.ip)
	if err != nil {
		return env, fmt.Errorf("--ip: %w", err)
	}
	env.Client.Peer = ip
	return env, nil
}

// mailbox is the address of a path as a person writes it, with or without brackets.
func mailbox(path string) string {
	path = strings.TrimSpace(path)
	if rest, ok := strings.CutPrefix(path, "<"); ok {
		path = strings.TrimSpace(strings.TrimSuffix(rest, ">"))
	}
	return milter.Mailbox(path)
}

func (f *checkFlags) loadConfig() (*config.Config, error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	if f.authservID != "" {
		if cfg.AuthservID, err = config.AuthservID(f.authservID); err != nil {
			return nil, fmt.Errorf("--authserv-id %q: %w", f.authservID, err)
		}
	}
	return cfg, nil
}

// hostName is the name of the host that would have received the message: the
// authserv-id stands for the MTA's own name, if it is one.
func (f *checkFlags) hostName() string {
	if name, err := domain.Normalize(f.authservID); err == nil {
		return name
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		return host
	}
	return "localhost"
}

// lookuper answers from the zone file, the named server, or the configured ones.
func (f *checkFlags) lookuper(cfg *config.Config) (resolver.Lookuper, func(), error) {
	if f.zone != "" {
		r, err := os.Open(f.zone)
		if err != nil {
			return nil, nil, err
		}
		defer r.Close()
		zone, err := resolver.ParseZone(r, f.zone)
		return zone, func() {}, err
	}
	opt := resolverOptions(cfg, nil)
	if f.dns != "" {
		opt.Servers = []string{f.dns}
	}
	dns, err := resolver.New(opt)
	if err != nil {
		return nil, nil, err
	}
	return dns, func() { dns.Close() }, nil
}

func openMessage(file string, stdin io.Reader) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(file)
}

// byteOrderMark is what some editors write before UTF-8 text. No MTA does, so
// the daemon does not look for it.
const byteOrderMark = "\ufeff"

// feed runs a message file through the checks as the milter events would. over
// says which limit of the daemon the message exceeds, if any. It is looked at
// all the same; only a header section too large to read is left out.
func feed(m *verify.Message, r io.Reader, limits config.Limits) (over string, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark)) // it was read already
	}
	fields, body, err := header.Read(in, header.Limits{
		Fields: max(limits.Fields, header.DefaultMaxFields),
		Bytes:  max(int(limits.HeaderSize)+4*limits.Fields, header.DefaultMaxBytes),
	})
	switch {
	case errors.Is(err, header.ErrTooLarge):
		m.HeaderUnread()
		return "a header section too large to read", nil
	case err != nil:
		return "", err
	case fields.Len() > limits.Fields:
		over = fmt.Sprintf("more than %d header fields", limits.Fields)
	case fields.Size()+fields.Len() > int(limits.HeaderSize): // as the protocol counts
		over = fmt.Sprintf("a header section of more than %d octets", limits.HeaderSize)
	}
	for i := range fields.Len() {
		f := fields.At(i)
		m.Header(f.Name(), f.Value())
	}
	m.EndOfHeader()
	size, err := io.Copy(bodyWriter{m}, body)
	if limits.MessageSize > 0 && size > int64(limits.MessageSize) {
		over = fmt.Sprintf("a body of more than %d octets", limits.MessageSize)
	}
	return over, err
}

// bodyWriter is the Body event as an io.Writer.
type bodyWriter struct{ m *verify.Message }

func (w bodyWriter) Write(p []byte) (int, error) {
	w.m.Body(p)
	return len(p), nil
}
