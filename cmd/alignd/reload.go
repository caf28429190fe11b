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

	"github.com/spf13/cobra"
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
