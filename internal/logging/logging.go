// Package logging writes the log of a process that must not wait for who reads it: each
// line goes through a Backlog, bounded, and what is lost of it is counted and told. It
// knows the formats of the option log_format, and the protocols of systemd's journal.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	sdjournal "github.com/coreos/go-systemd/v22/journal"
)

// Format says how the log is written; the option log_format.
type Format string

// The formats.
const (
	Auto     Format = "auto"     // journald where it reads standard error, else text
	Text     Format = "text"     // key=value
	JSON     Format = "json"     // one object a line
	Journald Format = "journald" // the journal's own protocol: each key is a field
	// forStream is text for a journal that reads standard error: it keeps the time,
	// and takes the level from the prefix <N> of sd-daemon(3).
	forStream Format = "stream"
)

// New makes a log that is written to w, or in the journal's own protocol, through a
// Backlog that is to be closed at the end.
func New(w io.Writer, level slog.Leveler, format Format) (*slog.Logger, *Backlog) {
	write, together := writer((&lineWriter{w: w}).write), linesTogether
	wanted := format
	if format = chosen(format); format == Journald {
		write, together = toJournal, 1
	}
	var own entry // of the backlog
	ownLog := slog.New(newHandler(level, format, func(got entry) { own = got }))
	b := newBacklog(write, together, func(lost int) entry {
		ownLog.Warn("lines of the log are missing, they could not be written", "lines", lost)
		return own
	}, func(p any, stack []byte) entry {
		ownLog.Error("panic while the log is written", "panic", fmt.Sprint(p), "stack", string(stack))
		return own
	})
	log := slog.New(newHandler(level, format, b.put))
	if wanted == Journald && format != Journald {
		log.Warn("the journal cannot be reached, the log goes to standard error", "log_format", string(wanted))
	}
	return log, b
}

// chosen decides what auto and text mean where the journal reads standard error, and
// what journald means where there is no journal: a log that nobody gets is none.
// JOURNAL_STREAM alone says nothing: it is also set where only standard output is
// the journal's (systemd.exec(5)).
func chosen(format Format) Format {
	stream, err := sdjournal.StderrIsJournalStream()
	stream = stream && err == nil
	if format == Journald || format == Auto && stream {
		if sdjournal.Enabled() {
			return Journald
		}
		format = Text
	}
	switch {
	case format == JSON:
		return JSON
	case stream:
		return forStream
	}
	return Text
}

// handler renders each record as an entry.
type handler struct {
	level slog.Leveler
	put   func(entry)
	// lines make the lines of records of each priority; nil for the journal's protocol.
	lines *[sdjournal.PriDebug + 1]slog.Handler
	attrs []slog.Attr
}

func newHandler(level slog.Leveler, format Format, put func(entry)) *handler {
	h := &handler{level: level, put: put}
	if format == Journald {
		return h
	}
	h.lines = new([sdjournal.PriDebug + 1]slog.Handler)
	for p := range h.lines {
		switch format {
		case JSON:
			h.lines[p] = slog.NewJSONHandler(sink{put: put}, &slog.HandlerOptions{Level: level})
		case forStream:
			prefix := "<" + strconv.Itoa(p) + ">"
			h.lines[p] = slog.NewTextHandler(sink{put: put, prefix: prefix}, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTimeAndLevel})
		default:
			h.lines[p] = slog.NewTextHandler(sink{put: put}, &slog.HandlerOptions{Level: level})
		}
	}
	return h
}

// sink takes the lines that a slog.Handler has made, each in one Write.
type sink struct {
	put    func(entry)
	prefix string
}

func (s sink) Write(line []byte) (int, error) {
	s.put(entry{line: append([]byte(s.prefix), line...)})
	return len(line), nil
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(h.attrs...)
	p := priority(r.Level)
	if h.lines != nil {
		return h.lines[p].Handle(ctx, r)
	}
	var line bytes.Buffer
	text := slog.NewTextHandler(&line, &slog.HandlerOptions{Level: h.level, ReplaceAttr: withoutTimeAndLevel})
	if err := text.Handle(ctx, r); err != nil {
		return err
	}
	h.put(entry{line: line.Bytes(), priority: p, fields: journalFields(&r)})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return &next
}

// WithGroup implements slog.Handler. The log has one level of keys: a group is not
// kept.
func (h *handler) WithGroup(string) slog.Handler { return h }

// withoutTimeAndLevel leaves out what the journal keeps by itself.
func withoutTimeAndLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

func priority(l slog.Level) sdjournal.Priority {
	switch {
	case l >= slog.LevelError:
		return sdjournal.PriErr
	case l >= slog.LevelWarn:
		return sdjournal.PriWarning
	case l >= slog.LevelInfo:
		return sdjournal.PriInfo
	}
	return sdjournal.PriDebug
}

// facilityMail is "mail" of syslog (RFC 5424 section 6.2.1), where the lines of
// MTAs are looked for.
const facilityMail = 2

// journalFields gives each key as a field of its own: queue_id is ALIGND_QUEUE_ID
// (systemd.journal-fields(7): capitals, digits, underscores).
func journalFields(r *slog.Record) map[string]string {
	fields := make(map[string]string, r.NumAttrs()+4)
	fields["SYSLOG_FACILITY"] = strconv.Itoa(facilityMail)
	fields["SYSLOG_IDENTIFIER"] = "alignd"
	fields["SYSLOG_PID"] = strconv.Itoa(os.Getpid())
	fields["ALIGND_MSG"] = r.Message
	r.Attrs(func(a slog.Attr) bool {
		few := [1]slog.Attr{a}
		attrs := few[:]
		if a.Value.Kind() == slog.KindGroup { // the line of a message
			attrs = a.Value.Group()
		}
		for _, a := range attrs {
			fields["ALIGND_"+strings.ToUpper(a.Key)] = a.Value.String()
		}
		return true
	})
	return fields
}

// toJournal sends entries in the journal's own protocol.
func toJournal(entries []entry) (lost int) {
	for _, e := range entries {
		if sdjournal.Send(strings.TrimSuffix(string(e.line), "\n"), e.priority, e.fields) != nil {
			lost++
		}
	}
	return lost
}
