package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
)

// newLogger writes one line a record to w. Where the journal reads them, the
// time is left to it and the level is given as the <N> prefix of sd-daemon(3).
func newLogger(w io.Writer, level slog.Leveler, toJournal bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if !toJournal {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	h := journal{byPriority: map[string]slog.Handler{}}
	for _, prefix := range []string{"<3>", "<4>", "<6>", "<7>"} {
		h.byPriority[prefix] = slog.NewTextHandler(prefixed{w, prefix}, opts)
	}
	return slog.New(h)
}

// newDaemonLogger is newLogger over a backlog, to be closed at the end.
func newDaemonLogger(w io.Writer, level slog.Leveler, toJournal bool) (*slog.Logger, *backlog) {
	lines := newBacklog(w, func(lost int) []byte {
		var line bytes.Buffer
		newLogger(&line, level, toJournal).Warn("lines of the log are missing, nobody read it", "lines", lost)
		return line.Bytes()
	})
	return newLogger(lines, level, toJournal), lines
}

// journal sends each record to the handler with its priority's prefix.
type journal struct {
	byPriority map[string]slog.Handler
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

func (j journal) Enabled(ctx context.Context, l slog.Level) bool {
	return j.byPriority[priority(l)].Enabled(ctx, l)
}

func (j journal) Handle(ctx context.Context, r slog.Record) error {
	return j.byPriority[priority(r.Level)].Handle(ctx, r)
}

func (j journal) with(f func(slog.Handler) slog.Handler) slog.Handler {
	next := journal{byPriority: map[string]slog.Handler{}}
	for prefix, h := range j.byPriority {
		next.byPriority[prefix] = f(h)
	}
	return next
}

func (j journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return j.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (j journal) WithGroup(name string) slog.Handler {
	return j.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

// prefixed puts the prefix before each write; slog writes a record at once.
type prefixed struct {
	w      io.Writer
	prefix string
}

func (p prefixed) Write(b []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
