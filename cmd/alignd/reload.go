package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"alignd/config"
)

// A signal has no answer. So the daemon writes what became of each reload into a
// file of its runtime directory, where `alignd reload` waits for it. Without a
// runtime directory, as outside systemd, there is the log alone.
const (
	runtimeDirectory = "/run/alignd" // of the unit
	outcomeFile      = "reload.json"
)

// reloadOutcome is what became of the last reload.
type reloadOutcome struct {
	PID     int    `json:"pid"`
	Reloads int    `json:"reloads"` // since the start, those that failed included
	Said    string `json:"said"`    // for a person
	Error   string `json:"error"`   // why the old configuration stays
	// Previewing: a reload waits for its preview.
	Previewing bool `json:"previewing,omitempty"`
}

// writeOutcome puts the outcome in place in one step, for the daemon's user and root:
// an error may quote the configuration.
func writeOutcome(o reloadOutcome) error {
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	if dir == "" {
		return nil
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, outcomeFile)
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// readOutcome is what a running daemon wrote last; the zero one where there is
// no file.
func readOutcome() (o reloadOutcome, err error) {
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	if dir == "" {
		dir = runtimeDirectory
	}
	data, err := os.ReadFile(filepath.Join(dir, outcomeFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return reloadOutcome{}, nil
	case err != nil:
		return reloadOutcome{}, err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return reloadOutcome{}, fmt.Errorf("%s: %w", outcomeFile, err)
	}
	return o, nil
}

// reloadPatience is how long reload waits; 100,000 exceptions take some seconds.
const reloadPatience = 60 * time.Second

func reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload [PID]",
		Short: "Have the running filter read its configuration again, and tell what became of it",
		Long: `Have the running filter read its configuration again, and tell what became of
it: exit status 0 when it is in force, 1 when the old one stays, with the reason.

Without PID it is the filter that systemd runs. Only root and the filter's own
user may.`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			before, err := readOutcome()
			if err != nil {
				return failure{err}
			}
			pid := before.PID
			if len(args) > 0 {
				if pid, err = strconv.Atoi(args[0]); err != nil || pid <= 1 {
					return fmt.Errorf("%q is not the number of a process", args[0])
				}
			} else if pid == 0 {
				return failure{fmt.Errorf("no filter of systemd's runs here (%s has no %s): name its process", runtimeDirectory, outcomeFile)}
			}
			if err := isFilter(pid); err != nil {
				return failure{err}
			}
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return failure{fmt.Errorf("signalling process %d: %w", pid, err)}
			}
			if before.PID != pid {
				fmt.Fprintf(c.OutOrStdout(), "process %d has the signal; its log says what became of it\n", pid)
				return nil
			}
			after, err := awaitOutcome(before, func() {
				fmt.Fprintln(c.ErrOrStderr(), "alignd: past messages are judged by it first; alignd reload, once more, skips that")
			})
			switch {
			case err != nil:
				return failure{err}
			case after.Error != "":
				return failure{fmt.Errorf("%s: %s", after.Said, after.Error)}
			}
			fmt.Fprintln(c.OutOrStdout(), after.Said)
			return nil
		},
	}
}

// isFilter returns an error for a process that is no alignd, which SIGHUP might end:
// a slip of the keyboard, or a number that another one has got since. Where there is
// no /proc nothing is known, and the admin's word holds.
func isFilter(pid int) error {
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	switch {
	case errors.Is(err, os.ErrNotExist): // the signal will tell
		return nil
	case err != nil:
		return fmt.Errorf("process %d: %w", pid, err)
	}
	const replaced = " (deleted)" // by an upgrade
	name := func(path string) string { return filepath.Base(strings.TrimSuffix(path, replaced)) }
	if name(exe) != name(own) {
		return fmt.Errorf("process %d is %s, not %s", pid, name(exe), name(own))
	}
	return nil
}

// awaitOutcome waits for the outcome that follows another one. A reload that begins its
// preview is told of, and waited for as long as that may take.
func awaitOutcome(before reloadOutcome, previewing func()) (reloadOutcome, error) {
	patience := reloadPatience
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		after, err := readOutcome()
		switch {
		case err != nil:
			return reloadOutcome{}, err
		case after.PID == before.PID && after.Reloads > before.Reloads:
			return after, nil
		case after.Previewing && !before.Previewing && patience == reloadPatience:
			patience += previewPatience
			previewing()
		case syscall.Kill(before.PID, 0) != nil:
			return reloadOutcome{}, fmt.Errorf("process %d has ended", before.PID)
		}
	}
	return reloadOutcome{}, fmt.Errorf("process %d has not reloaded within %v", before.PID, patience)
}

// refuse tells that the old configuration stays.
func (d *daemon) refuse(err error) {
	const said = "configuration not reloaded, the old one stays"
	why := firstLines(err.Error())
	d.log.Error(said, "err", why)
	d.telemetry.reloaded(nil, nil, err)
	d.tell(reloadOutcome{Said: said, Error: why})
}

// reload reads the configuration again. All of it is taken, or on a fault
// nothing; messages in progress keep what they began with. Where the new configuration
// wants a preview it is taken up after that, or by a second signal without it.
//
// To read a file may take for ever: a pipe, a share of a network that is down. A signal
// to stop ends the waiting, and is returned.
func (d *daemon) reload(stop <-chan os.Signal) os.Signal {
	d.notify(reloading())
	defer d.notify(sd.SdNotifyReady)
	skip := d.preview != nil
	d.cause = "SIGHUP"
	if skip {
		d.cause = "SIGHUP, a second one that skips the preview"
	}
	d.endPreview()
	read := make(chan reading, 1)
	go func() { read <- d.read() }()
	select {
	case r := <-read:
		d.afterReading(r, skip)
		return nil
	case s := <-stop:
		return s
	}
}

// reading is a configuration as it is now, or why it cannot be taken up.
type reading struct {
	cfg  *config.Config
	file string
	err  error
}

func (d *daemon) read() (r reading) {
	r.file = config.FileOf(d.file)
	if r.cfg, r.err = readConfig(config.Input{File: r.file}); r.err != nil {
		return r
	}
	if emptied := r.cfg.Emptied(d.cfg); len(emptied) > 0 {
		r.err = emptied
	}
	return r
}

// afterReading takes up what was read, or has it previewed.
func (d *daemon) afterReading(r reading, skip bool) {
	if r.err != nil {
		d.refuse(r.err)
		return
	}
	switch wanted, not := d.wantsPreview(r.cfg); {
	case skip && wanted:
		d.log.Warn("the preview of the reload is skipped by a second signal")
	case not != nil && len(r.cfg.PreviewLimit) > 0:
		d.refuse(fmt.Errorf("there is no preview, and preview_limit is set: %w", not))
		return
	case not != nil:
		d.log.Warn("the reload is not previewed", "err", not)
	case wanted:
		d.startPreview(r.cfg, r.file)
		return
	}
	d.takeUp(r.cfg, r.file)
}

// counts are how many entries the lists have whose loss would be felt.
func counts(cfg *config.Config) []any {
	return []any{"exceptions", len(cfg.Exceptions), "networks", len(cfg.NotJudged.Networks),
		"relays", len(cfg.TrustedRelays), "sealers", len(cfg.TrustedSealers), "profiles", len(cfg.Profiles)}
}
