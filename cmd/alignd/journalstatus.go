package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/running"
	"alignd/journal/spool"
)

func journalStatusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Tell where the journal is, what it holds and how far it is",
		Long: `Tell where the journal is, what it holds, what it takes on disk, and how far the
store is behind what was written for it.

Exit status 0: the journal can be read; 1: it cannot, or not all of it; 2: wrong usage.`,
		Args: noArgs,
	}
	file := journalFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := readConfig(config.Input{File: *file})
		if err != nil {
			return err
		}
		s, err := journalStatusOf(c.Context(), cfg)
		if err != nil {
			return failure{err}
		}
		if asJSON {
			err = json.NewEncoder(c.OutOrStdout()).Encode(s)
		} else {
			err = s.show(c.OutOrStdout())
		}
		if err != nil {
			return failure{err}
		}
		return s.fault()
	}
	return c
}

// journalStatus is what `alignd journal status --json` prints.
type journalStatus struct {
	Store   string `json:"store"`
	Path    string `json:"path"`
	Version int    `json:"version"` // of the schema; 0 without files
	Keep    string `json:"keep"`
	Size    int64  `json:"size"` // octets that all may take

	Records   int64          `json:"records"`
	Octets    int64          `json:"octets"`
	PerRecord float64        `json:"octets_per_record"`
	Oldest    string         `json:"oldest"`
	Newest    string         `json:"newest"`
	Parts     []journalPart  `json:"parts"`
	Taken     []journalTaken `json:"watermarks"`
	Spool     *journalSpool  `json:"spool,omitempty"`  // absent where this host has none
	Daemon    *running.Told  `json:"daemon,omitempty"` // absent where none has run here
	Hosts     []hostTold     `json:"hosts,omitempty"`  // what the daemons of all hosts told last
	Error     string         `json:"error,omitempty"`  // why the store does not answer
}

type journalPart struct {
	Name    string `json:"name"`
	Day     string `json:"day"`
	Sealed  bool   `json:"sealed"`
	Records int64  `json:"records"`
	Octets  int64  `json:"octets"`
	Problem string `json:"problem,omitempty"`
}

type journalTaken struct {
	Spool  string `json:"spool"`
	Number uint64 `json:"number"`
}

type journalSpool struct {
	Path     string `json:"path"`
	ID       string `json:"id"`
	Segments int    `json:"segments"`
	Octets   int64  `json:"octets"`
	Max      int64  `json:"max"`
	Waiting  int    `json:"waiting"`   // records that the store has not yet; all, where it does not answer
	Damaged  int    `json:"damaged"`   // places among them that hold no whole frame
	Aside    int    `json:"set_aside"` // records that a store fails on, as files
}

// journalStatusOf asks the store and the spool. Where the store does not answer, what is
// known without it.
func journalStatusOf(ctx context.Context, cfg *config.Config) (*journalStatus, error) {
	s := &journalStatus{
		Store: cfg.Journal.Store, Path: cfg.Journal.Path, Keep: cfg.Journal.Keep.String(), Size: int64(cfg.Journal.Size),
		Parts: []journalPart{}, Taken: []journalTaken{}, Daemon: running.ReadTold(cfg),
	}
	s.Hosts = readHosts(ctx, cfg)
	survey, err := s.askStore(ctx, cfg)
	if err == nil {
		return s, s.askSpool(cfg, survey)
	}
	s.Error = err.Error()
	if s.askSpool(cfg, &journal.Survey{}) != nil { // who may not read the journal is told of that
		return nil, err
	}
	return s, nil
}

func (s *journalStatus) askStore(ctx context.Context, cfg *config.Config) (*journal.Survey, error) {
	r, err := place.OpenReader(cfg, func(error) {})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	asked, ok := r.(journal.Surveyor)
	if !ok {
		return nil, errNoSurvey
	}
	survey, err := asked.Survey(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	s.Version, s.Records, s.Octets = survey.Version, survey.Records(), survey.Octets()
	s.Oldest, s.Newest = timeText(survey.Oldest), timeText(survey.Newest)
	if s.Records > 0 {
		s.PerRecord = float64(s.Octets) / float64(s.Records)
	}
	for _, p := range survey.Parts {
		s.Parts = append(s.Parts, journalPart(p))
	}
	for _, w := range survey.Watermarks {
		s.Taken = append(s.Taken, journalTaken{Spool: w.Spool.String(), Number: uint64(w.Number)})
	}
	return survey, nil
}

func (s *journalStatus) askSpool(cfg *config.Config, survey *journal.Survey) error {
	dir := place.SpoolDir(cfg)
	id, err := spool.ReadID(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	found, err := spool.Look(dir, survey.Taken(id))
	if err != nil {
		return fmt.Errorf("reading the spool: %w", err)
	}
	s.Spool = &journalSpool{
		Path: dir, ID: id.String(), Segments: found.Segments, Octets: found.Octets, Max: int64(cfg.Journal.Spool.Max),
		Waiting: found.Waiting, Damaged: found.Damaged, Aside: journal.SetAside(dir),
	}
	return nil
}

// fault is an error where not all of the journal can be read.
func (s *journalStatus) fault() error {
	if s.Error != "" {
		return failure{errors.New(s.Error)}
	}
	n := 0
	for i := range s.Parts {
		if s.Parts[i].Problem != "" {
			n++
		}
	}
	if n > 0 {
		return failure{fmt.Errorf("parts of the journal that cannot be read: %d", n)}
	}
	return nil
}

// timeText is a time as all commands print it, in UTC, or "" for none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// lineWriter writes a line of two columns for people; what may be empty, below the line
// that it belongs to.
type lineWriter func(what, format string, args ...any)

// show writes it for people.
func (s *journalStatus) show(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var line lineWriter = func(what, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", what, printable(fmt.Sprintf(format, args...)))
	}
	if s.Error != "" {
		line("store", "%s, %s, does not answer", s.Store, s.Path)
	} else {
		line("store", "%s, %s, schema %d", s.Store, s.Path, s.Version)
		line("messages", "%d", s.Records)
	}
	if s.Records > 0 {
		line("", "%s to %s", s.Oldest, s.Newest)
		line("on disk", "%s of %s, %.0f octets a message, kept for %s", sizeText(s.Octets), sizeText(s.Size), s.PerRecord, s.Keep)
	}
	if s.Spool != nil {
		s.Spool.show(line, s.Error == "")
	}
	if s.Daemon != nil {
		showDaemon(s.Daemon, line)
	}
	for i := range s.Hosts {
		s.Hosts[i].show(line)
	}
	if s.Error == "" {
		fmt.Fprintf(w, "parts\t%d\n", len(s.Parts))
	}
	for _, p := range s.Parts {
		state := "in use"
		if p.Sealed {
			state = "sealed"
		}
		if p.Problem != "" {
			state = "cannot be read: " + p.Problem
		}
		line("  "+p.Name, "%d messages, %s, %s", p.Records, sizeText(p.Octets), state)
	}
	return w.Flush()
}

// showDaemon tells of the daemon of this host.
func showDaemon(d *running.Told, line lineWriter) {
	state := "stopped"
	if !d.Stopped {
		state = fmt.Sprintf("process %d, as of %s", d.PID, timeText(d.At))
	}
	line("daemon", "%s, %s", d.Program, state)
	line("", "since %s: %d records, %d late, %d dropped", timeText(d.Since), d.Written, d.Late, d.Dropped)
	if d.Missing+d.Unreadable+d.Damages > 0 {
		line("", "of the spool: %d records missing, %d unreadable, %d places damaged", d.Missing, d.Unreadable, d.Damages)
	}
	if !d.FailingSince.IsZero() {
		line("", "not all is taken from the spool since %s: %s", timeText(d.FailingSince), d.Err)
	}
}

// show writes it for people. known: the store says what it has.
func (p *journalSpool) show(line lineWriter, known bool) {
	line("spool", "%s of %s in %d segments, id %s", sizeText(p.Octets), sizeText(p.Max), p.Segments, p.ID)
	if !known {
		line("", "%d messages, of which the store may have some", p.Waiting)
	} else {
		line("", "%d messages wait for the store", p.Waiting)
	}
	if p.Damaged > 0 {
		line("", "%d places hold no whole frame", p.Damaged)
	}
	if p.Aside > 0 {
		line("", "%d records are set aside, as a store fails on them (%s)", p.Aside, filepath.Join(p.Path, "aside"))
	}
}

// sizeText is a number of octets for people.
func sizeText(n int64) string {
	const units = "KMGT"
	if n < 1<<10 {
		return fmt.Sprintf("%d octets", n)
	}
	v, i := float64(n)/1024, 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}
