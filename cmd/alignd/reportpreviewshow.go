package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal/place"
	"alignd/journal/state"
	"alignd/report/aggregate"
	"alignd/report/send"
)

// leftBefore are the reports of the outbox that are on the same domain and day. Where no
// reports are sent there are none.
func leftBefore(ctx context.Context, cfg *config.Config, p *preview) ([]outboxStatus, error) {
	if cfg.Reports.From == "" {
		return nil, nil
	}
	st, err := place.ReadState(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var all reportStatus
	err = all.newest(ctx, st, state.ItemQuery{Domain: p.domain}, math.MaxInt32)
	return slices.DeleteFunc(all.Outbox, func(o outboxStatus) bool { return o.Day != p.day.Format(time.DateOnly) }), err
}

// show prints the reports, and on standard error what they are.
func (p *preview) show(c *cobra.Command, drafts []aggregate.Draft, left []outboxStatus) error {
	told := c.ErrOrStderr()
	fmt.Fprintln(told, "alignd: this is all that the journal has of the day, imported records too, which no report has that leaves")
	for _, o := range left {
		fmt.Fprintf(told, "alignd: of this day, report %s (%s) to %s is %s", o.ID, printable(o.Policy), printable(o.Target), o.State)
		if o.Next != "" {
			fmt.Fprintf(told, ", next %s", o.Next)
		}
		if o.Reason != "" {
			fmt.Fprintf(told, ": %s", printable(o.Reason))
		}
		fmt.Fprintln(told)
	}
	for i := range drafts {
		if err := p.print(c, &drafts[i]); err != nil {
			return err
		}
	}
	return nil
}

// previewObject is the object of --json.
type previewObject struct {
	Domain  string          `json:"policy_domain"`
	Day     string          `json:"day"`
	Reports []previewReport `json:"reports"`
	// Outbox are those on the day that were cut before.
	Outbox []outboxStatus `json:"outbox"`
}

type previewReport struct {
	Policy   string   `json:"policy"`
	RUA      []string `json:"rua"` // addresses, as published
	Rows     int      `json:"rows"`
	Messages int64    `json:"messages"`
	File     string   `json:"file"`
	Size     int      `json:"size"` // of the XML compressed, in octets
	XML      string   `json:"xml"`
}

func (p *preview) showJSON(c *cobra.Command, drafts []aggregate.Draft, left []outboxStatus) error {
	all := previewObject{Domain: p.domain, Day: p.day.Format(time.DateOnly), Reports: []previewReport{}, Outbox: append([]outboxStatus{}, left...)}
	for i := range drafts {
		parts, err := p.split(&drafts[i])
		if err != nil {
			return err
		}
		for j := range parts {
			part := &parts[j]
			var text bytes.Buffer
			if err := aggregate.Encode(&text, part.Report, p.schema); err != nil {
				return err
			}
			all.Reports = append(all.Reports, previewReport{
				Policy: send.PolicyWords(&part.Report.Scope), RUA: append([]string{}, mailTargets(drafts[i].RUA)...), Rows: len(part.Report.Rows),
				Messages: part.Messages, File: part.Report.FileName(p.env.Domain) + ".gz", Size: len(part.GZIP), XML: text.String(),
			})
		}
	}
	return json.NewEncoder(c.OutOrStdout()).Encode(&all)
}
