package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"alignd/config"
	"alignd/header"
	"alignd/internal/mailbox"
	"alignd/judge"
	"alignd/resolver"
	"alignd/verify"
)

// checker judges messages as the daemon would, by one configuration, or by two for
// --diff.
type checker struct {
	flags *checkFlags
	now   time.Time
	sides []*side
	close func()
}

// side is one configuration.
type side struct {
	file   string
	cfg    *config.Config
	s      *judge.Settings
	opt    verify.Options
	lookup resolver.Lookuper
}

// checked is a message that was judged.
type checked struct {
	file   string
	number int // in an mbox file, from 1; else 0
	name   string
	// notes say what of the input a reader has to know: what was left out, where it
	// was taken from.
	notes  []string
	fields *header.Fields // nil where the header was too large
	by     []judged       // for each side
}

// judged is a message as one configuration judges it.
type judged struct {
	s         *judge.Settings
	j         judge.Judgement
	questions []resolver.Question
}

func newChecker(f *checkFlags) (*checker, error) {
	now, err := f.at()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(mailbox.Quotings(), f.mbox) {
		return nil, fmt.Errorf("--mbox %q is none of %s", f.mbox, strings.Join(mailbox.Quotings(), ", "))
	}
	if _, err := f.envelope(); err != nil {
		return nil, err
	}
	k := &checker{flags: f, now: now, close: func() {}}
	files := []string{f.config}
	if f.given("diff") {
		files = append(files, f.diff)
	}
	for _, file := range files {
		if err := k.side(file); err != nil {
			k.close()
			return nil, err
		}
	}
	return k, nil
}

// side takes a configuration. Both ask the same resolver, so that they see one DNS,
// unless they name different servers.
func (k *checker) side(file string) error {
	cfg, err := k.flags.loadConfig(file)
	if err != nil {
		return err
	}
	d := &side{file: config.FileOf(file), cfg: cfg, s: settings(cfg)}
	d.s.Basis.Options.LeadingSpace = true // a file has it
	d.opt = d.s.Verify
	d.opt.Now = func() time.Time { return k.now }
	d.opt.Budget.Timed = true
	if first := k.sides; len(first) > 0 && (k.flags.zone != "" || k.flags.dns != "" || reflect.DeepEqual(first[0].cfg.DNS, cfg.DNS)) {
		d.lookup = first[0].lookup
	} else {
		lookup, done, err := k.flags.lookuper(cfg)
		if err != nil {
			return err
		}
		before := k.close
		d.lookup, k.close = lookup, func() { before(); done() }
	}
	k.sides = append(k.sides, d)
	return nil
}

// check judges a message with each configuration. Its error is that of reading it.
func (k *checker) check(ctx context.Context, m *mailbox.Message) (*checked, error) {
	out := &checked{file: m.File, number: m.Number, name: m.Name()}
	out.note(markNotes[m.Mark])
	limits := k.limits()
	fields, body, err := header.Read(bufio.NewReaderSize(m, 64<<10), limits)
	if err != nil && !errors.Is(err, header.ErrTooLarge) {
		return nil, err
	}
	out.fields = fields
	env, _ := k.flags.envelope() // looked at before
	k.complete(&env, out)
	fields = out.fields
	var running []*verify.Message
	for _, d := range k.sides {
		v := verify.Begin(ctx, d.lookup, &d.opt, env)
		defer v.Release()
		for _, r := range k.flags.rcpt {
			v.Recipient(mailboxOf(r))
		}
		running = append(running, v)
	}
	size, err := feed(running, fields, body)
	if err != nil {
		return nil, err
	}
	for i, d := range k.sides {
		ev := running[i].Finish(ctx)
		j := d.s.Judge(ev, running[i], d.s.MarksOf(ev.MTA, running[i].Fields()), nil)
		if over := d.over(fields, size, len(k.flags.rcpt)); over != "" {
			d.s.OverLimit(&j, over)
		}
		out.by = append(out.by, judged{d.s, j, running[i].Questions()})
	}
	return out, nil
}

// note keeps what is not empty.
func (c *checked) note(text string) {
	if text != "" {
		c.notes = append(c.notes, text)
	}
}

// markNotes are what is said of a byte order mark.
var markNotes = map[string]string{
	"UTF-8": "the file begins with a byte order mark (EF BB BF), which an editor wrote and which was read past. " +
		"In a message that comes by SMTP it would end the header (RFC 5322 section 2.2)",
	"UTF-16": "the file begins with a byte order mark of UTF-16: it is not the message as it was sent. Save it as it came",
}

// limits are what is read of a header: the most that a configuration lets by.
func (k *checker) limits() header.Limits {
	lim := header.Limits{Fields: header.DefaultMaxFields, Bytes: header.DefaultMaxBytes}
	for _, d := range k.sides {
		lim.Fields = max(lim.Fields, d.cfg.Limits.Fields)
		lim.Bytes = max(lim.Bytes, int(d.cfg.Limits.HeaderSize)+4*d.cfg.Limits.Fields)
	}
	return lim
}

// over says which limit of the daemon the message exceeds, if any; the last one that
// it would meet. Such a message is looked at all the same.
func (d *side) over(fields *header.Fields, size int64, recipients int) (over string) {
	limits := &d.cfg.Limits
	switch {
	case fields == nil:
		over = "a header section too large to read"
	case fields.Len() > limits.Fields:
		over = fmt.Sprintf("more than %d header fields", limits.Fields)
	case fields.Size()+fields.Len() > int(limits.HeaderSize): // as the protocol counts
		over = fmt.Sprintf("a header section of more than %d octets", limits.HeaderSize)
	}
	if limits.MessageSize > 0 && size > int64(limits.MessageSize) {
		over = fmt.Sprintf("a body of more than %d octets", limits.MessageSize)
	}
	if recipients > limits.Recipients {
		over = fmt.Sprintf("more than %d recipients", limits.Recipients)
	}
	return over
}

// feed runs a message through the checks as the milter events would, and returns
// the size of its body. fields are nil where the header was too large to be read.
func feed(messages []*verify.Message, fields *header.Fields, body io.Reader) (size int64, err error) {
	if fields == nil {
		for _, m := range messages {
			m.HeaderUnread()
		}
		return 0, nil
	}
	for _, m := range messages {
		for i := range fields.Len() {
			f := fields.At(i)
			m.Header(f.Name(), f.Value())
		}
		m.EndOfHeader()
	}
	return io.Copy(bodyWriter(messages), body)
}

// bodyWriter is the Body event as an io.Writer.
type bodyWriter []*verify.Message

func (w bodyWriter) Write(p []byte) (int, error) {
	for _, m := range w {
		m.Body(p)
	}
	return len(p), nil
}
