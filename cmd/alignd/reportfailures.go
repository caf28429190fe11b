package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/domain"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/report/send"
)

// failureStatus is a failure report that is held.
type failureStatus struct {
	Domain   string `json:"policy_domain"`
	Since    string `json:"since"`
	Due      string `json:"due"`
	Messages int64  `json:"messages"`
}

// failures are those that are held; where others are stands in the outbox.
func (s *reportStatus) failures(ctx context.Context, st *state.State) error {
	list, err := st.Failures(ctx, time.Now().Add(48*time.Hour))
	for _, f := range list {
		s.Failures = append(s.Failures, failureStatus{f.Domain, f.Opened.Format(time.RFC3339), f.Due.Format(time.RFC3339), f.Incidents})
	}
	return err
}

func (s *reportStatus) printFailures(w io.Writer) {
	if len(s.Failures) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFAILURES OF\tSINCE\tLEAVES\tMESSAGES")
	for _, f := range s.Failures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", printable(f.Domain), f.Since, f.Due, f.Messages)
	}
}

// previewFailures prints the failure reports that are held for a Policy Domain.
func previewFailures(c *cobra.Command, file, name string) error {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return err
	}
	if name, err = domain.Normalize(name); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if cfg.Reports.From == "" {
		return failure{errNoReports}
	}
	ctx := context.WithoutCancel(c.Context())
	st, err := place.ReadState(ctx, cfg)
	if err != nil {
		return failure{place.Unreadable(cfg, err)}
	}
	defer st.Close()
	settings, err := reportSettings(cfg, nil, nil)
	if err != nil {
		return failure{err}
	}
	list, err := st.Failures(ctx, time.Now().Add(48*time.Hour))
	if err != nil {
		return failure{err}
	}
	sender, found := send.New(st, settings), false
	for i := range list {
		if list[i].Domain != name {
			continue
		}
		mail, to, err := sender.PreviewFailure(&list[i])
		if err != nil {
			return failure{err}
		}
		if found = true; len(to) > 1 {
			fmt.Fprintf(c.ErrOrStderr(), "alignd: it would go to: %s\n", printable(strings.Join(to, ", ")))
		}
		if _, err := c.OutOrStdout().Write(bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n"))); err != nil {
			return failure{err}
		}
	}
	if !found {
		return failure{fmt.Errorf("no failure report on %s is held", name)}
	}
	return nil
}
