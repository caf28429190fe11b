package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/replay"
)

// replayFlags are those of alignd replay.
type replayFlags struct {
	config, against              string
	journal, since, until, input string
	at, by, explain, keyFile     string
	samples, newest, groups      int
	failIf                       []string
	json, enforced               bool
}

// exitBound is the status of a replay that is outside of a bound.
const exitBound = 2

func replayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay --config NEW.yaml [flags]",
		Short: "Judge past messages again under another configuration",
		Long: `Judge the messages of the journal again under the configuration NEW.yaml, and
count what would change: what would be refused, let in, marked. No DNS is asked;
where the new rules need what was not looked up, that is said. Nothing is changed.

The journal is that of the configuration in force (--journal), or a file that
"alignd journal export" wrote (--input, - is standard input).

A bound (--fail-if) compares a counter with a number or with a share of all
messages: would_refuse_passing>0, cannot_tell>=1%. docs/replay.md lists the counters.

Times are RFC 3339 or a span back from now: 14d, 6h, 90m.

Exit status 0: within the bounds, or none was given; 2: a bound is exceeded; 1: an
error, wrong usage too.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			afterMail()
			if err := f.run(c, time.Now()); err != nil {
				return asStatus(err, exitFailure)
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "the new configuration (default: the one in force)")
	flags.StringVar(&f.against, "against", "", "compare with what this configuration would do, in place of what the MTA was told")
	flags.StringVar(&f.journal, "journal", "", "configuration file that names the journal (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.input, "input", "", "read an export in place of the journal; - is standard input")
	flags.StringVar(&f.keyFile, "key-file", "", "the key of hashed addresses (default: that of the journal, or the one in the export)")
	flags.StringVar(&f.since, "since", "", "messages that began at this time or later")
	flags.StringVar(&f.until, "until", "", "messages that began before this time")
	flags.IntVar(&f.newest, "newest", 0, "judge so many messages at most, those that came last; 0 is all")
	flags.StringVar(&f.at, "at", "then", "for expiries and rollout dates: then, the time of each message, or now")
	flags.StringVar(&f.by, "by", "", "count changes by domain, client or rule, too; or by several, as in domain,rule")
	flags.IntVar(&f.groups, "groups", 0, "show so many of each --by, those of most messages; 0 is 50, and all with --json")
	flags.IntVar(&f.samples, "samples", 3, "messages to show of each change; 0 is none")
	flags.StringArrayVar(&f.failIf, "fail-if", nil, "exit with 2 if this holds, such as would_refuse_passing>0; may be given several times")
	flags.BoolVar(&f.enforced, "enforced", false, "compare what would be done without monitor mode and rollout")
	flags.StringVar(&f.explain, "explain", "", "show both verdicts of one message: its token, queue id or Message-ID")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// judging is how cfg judges the records of a source.
func (f *replayFlags) judging(cfg *config.Config, source *replaySource, now time.Time) (replay.Options, error) {
	o := replayOptions(cfg)
	o.Enforced = f.enforced
	if f.at == "now" {
		o.Now = now
	}
	return o, privacy.Replay(&o, cfg, source.key)
}

// asStatus ends with a status of its own, unless err has one.
func asStatus(err error, status int) error {
	if own := (ended{}); errors.As(err, &own) {
		return err
	}
	return ended{status, err}
}

func (f *replayFlags) run(c *cobra.Command, now time.Time) error {
	o, bounds, err := f.options(now)
	if err != nil {
		return err
	}
	cfg, err := readConfig(input(c, f.config, ""))
	if err != nil {
		return err
	}
	source, err := f.source(c)
	if err != nil {
		return err
	}
	defer source.close()
	if o.Options, err = f.judging(cfg, source, now); err != nil {
		return err
	}
	if f.against != "" {
		before, err := readConfig(config.Input{File: f.against})
		if err != nil {
			return fmt.Errorf("--against: %w", err)
		}
		compared, err := f.judging(before, source, now)
		if err != nil {
			return err
		}
		o.Against = &compared
	}
	if f.explain != "" {
		return f.explainOne(c, source, o)
	}
	bar := newProgress(c.ErrOrStderr(), now)
	o.Progress = bar.show
	defer collectLess()()
	feed := source.feed(c.Context(), o.Since, o.Until)
	if f.newest > 0 {
		feed = newest(feed, f.newest, timeSpan{o.Since, o.Until}, nil)
	}
	res, err := replay.Run(o, feed)
	bar.end()
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	show := showReplay
	if f.json {
		show = printReplay
	}
	exceeded := check(bounds, &res.Counters)
	if err := show(c.OutOrStdout(), &replayed{res, cfg, f, exceeded}); err != nil {
		return err
	}
	return f.status(source, res, exceeded)
}

// replayMemory is what a replay's heap takes before it is collected more often, in octets;
// ours. The resident set is some 40 MiB more.
const replayMemory = 110 << 20

// collectLess has garbage collected a tenth as often, within replayMemory: a replay makes
// much and keeps little, so that saves a fifth of its time. Who set GOGC is obeyed.
func collectLess() (again func()) {
	limit := debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), replayMemory))
	if os.Getenv("GOGC") != "" {
		return func() { debug.SetMemoryLimit(limit) }
	}
	before := debug.SetGCPercent(1000)
	return func() {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(limit)
	}
}

// status is how a replay ends: what could not be read weighs more than a bound.
func (f *replayFlags) status(source *replaySource, res *replay.Result, bounds []checkedBound) error {
	switch {
	case res.Counters.Unreadable > 0:
		return fmt.Errorf("records or blocks of the journal that cannot be read: %d; the first: %w", res.Counters.Unreadable, res.Problem)
	case source.unread.n > 0:
		return fmt.Errorf("files of the journal that cannot be read: %d", source.unread.n)
	}
	var over []string
	for _, b := range bounds {
		if b.Exceeded {
			over = append(over, fmt.Sprintf("%s (it is %s)", b.Bound, b.shown()))
		}
	}
	if len(over) > 0 {
		return ended{exitBound, fmt.Errorf("outside of the bounds: %s", strings.Join(over, ", "))}
	}
	return nil
}

// options are what the flags say of themselves.
func (f *replayFlags) options(now time.Time) (*replay.RunOptions, []replay.Bound, error) {
	o := &replay.RunOptions{Samples: f.samples, Workers: runtime.GOMAXPROCS(0)}
	var err error
	if o.By, err = dimensions(f.by); err != nil {
		return nil, nil, err
	}
	if o.Since, err = pointInTime("since", f.since, now); err != nil {
		return nil, nil, err
	}
	if o.Until, err = pointInTime("until", f.until, now); err != nil {
		return nil, nil, err
	}
	if f.at != "then" && f.at != "now" {
		return nil, nil, fmt.Errorf("--at %q is neither then nor now", f.at)
	}
	if f.samples < 0 || f.samples > maxSamples {
		return nil, nil, fmt.Errorf("--samples %d is not from 0 to %d", f.samples, maxSamples)
	}
	if f.groups < 0 {
		return nil, nil, fmt.Errorf("--groups %d is below 0", f.groups)
	}
	if f.newest < 0 {
		return nil, nil, fmt.Errorf("--newest %d is below 0", f.newest)
	}
	if f.against != "" && f.explain != "" {
		return nil, nil, errors.New("--explain shows what the MTA was told, so --against is not for it")
	}
	if f.newest > 0 && f.input != "" {
		return nil, nil, errors.New("--newest reads twice, so it is not for --input")
	}
	var bounds []replay.Bound
	for _, text := range f.failIf {
		b, err := replay.ParseBound(text)
		if err != nil {
			return nil, nil, fmt.Errorf("--fail-if %w", err)
		}
		bounds = append(bounds, b)
	}
	return o, bounds, nil
}

// dimensions are those of --by, each once.
func dimensions(text string) (list []replay.Dimension, err error) {
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		switch d := replay.Dimension(word); d {
		case replay.ByDomain, replay.ByClient, replay.ByRule:
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		default:
			return nil, fmt.Errorf("--by %q is none of domain, client, rule", word)
		}
	}
	return list, nil
}

// maxSamples bounds the memory that samples take; ours.
const maxSamples = 1000

// replayOptions are those of a configuration.
func replayOptions(cfg *config.Config) replay.Options {
	opt := verifyOptions(cfg)
	return replay.Options{Rules: cfg.Rules, Shape: basisOptions(cfg, &opt), Relays: relays(cfg)}
}

// replaySource is where records come from: a store, or an export.
type replaySource struct {
	reader journal.Reader
	export *journal.ExportReader
	close  func()
	unread unread // files of the store
	key    []byte // of hashed addresses; nil where it is not known
}

func (f *replayFlags) source(c *cobra.Command) (*replaySource, error) {
	s := &replaySource{close: func() {}, unread: unread{out: c.ErrOrStderr()}}
	if f.input == "" {
		cfg, err := readConfig(config.Input{File: f.journal})
		if err != nil {
			return nil, err
		}
		if s.reader, err = place.OpenReader(cfg, s.unread.tell); err != nil {
			return nil, err
		}
		s.close = func() { s.reader.Close() }
		s.key, err = privacy.FindKey(f.keyFile, place.AddressKeyFile(cfg))
		return s, err
	}
	in := c.InOrStdin()
	if f.input != "-" {
		file, err := os.Open(f.input)
		if err != nil {
			return nil, err
		}
		s.close = func() { file.Close() }
		in = file
	}
	var err error
	if s.export, err = journal.NewExportReader(in); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", f.input, err)
	}
	if secret := s.export.Header.Secret; secret != "" && f.keyFile == "" {
		s.key, err = privacy.ParseKey(f.input, secret)
		return s, err
	}
	s.key, err = privacy.FindKey(f.keyFile, "")
	return s, err
}

// feed hands all blocks to a replay.
func (s *replaySource) feed(ctx context.Context, since, until time.Time) func(func(replay.Batch)) error {
	return func(add func(replay.Batch)) error {
		return s.scan(ctx, since, until, func(b journal.Block) error {
			add(packed(b))
			return nil
		})
	}
}

func (s *replaySource) scan(ctx context.Context, since, until time.Time, each func(journal.Block) error) error {
	if s.export == nil {
		return s.reader.Scan(context.WithoutCancel(ctx), since, until, each)
	}
	for {
		b, err := s.export.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = each(b)
		}
		if err != nil {
			return err
		}
	}
}

// packed is a block as a replay takes it.
type packed journal.Block

// unpackers are for as many blocks as are unpacked at once.
var unpackers = sync.Pool{New: func() any { return new(journal.Unpacker) }}

// Records implements replay.Batch.
func (p packed) Records(found func([]byte)) error {
	u := unpackers.Get().(*journal.Unpacker)
	defer unpackers.Put(u)
	return u.Each(journal.Block(p), func(i journal.Item) { found(i.Encoded()) })
}
