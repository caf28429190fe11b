package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"alignd/config"
	"alignd/internal/owned"
	"alignd/replay"
)

// The numbers of a preview are ours.
const (
	// previewMost is how many messages are judged again at most, the newest.
	previewMost = 1_000_000
	// previewPatience is how long that may take.
	previewPatience = 5 * time.Minute
	// previewSamples are shown of each change.
	previewSamples = 2
)

// reloadPreview is a reload that waits to hear what it would change. A child process judges
// past messages again; mail goes on meanwhile under the configuration in force.
type reloadPreview struct {
	cfg    *config.Config // that is to be taken up
	file   string
	cancel context.CancelFunc
	done   chan previewed
}

// previewed is what came of it.
type previewed struct {
	*previewResult
	err error
}

// previewResult is what alignd replay --json prints.
type previewResult struct {
	Config   string           `json:"config"`
	Counters replay.Counters  `json:"counters"`
	Flips    []replay.Flip    `json:"flips"`
	Unknown  []replay.Unknown `json:"cannot_tell"`
	Bounds   []checkedBound   `json:"bounds"`
}

// wantsPreview says whether cfg is to be previewed, and why it cannot be.
func (d *daemon) wantsPreview(cfg *config.Config) (wanted bool, not error) {
	switch {
	case cfg.Preview.Duration == 0 || cfg.Hash() == d.cfg.Hash():
		return false, nil
	case d.memory == nil:
		return true, errors.New("no journal is kept")
	}
	for _, option := range needsRestart(d.begun, cfg) {
		if option == "journal" {
			return true, errors.New("it names another journal, which a restart begins")
		}
	}
	return true, nil
}

// startPreview begins to judge past messages under cfg, which stands in file.
func (d *daemon) startPreview(cfg *config.Config, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), previewPatience)
	p := &reloadPreview{cfg: cfg, file: file, cancel: cancel, done: make(chan previewed, 1)}
	d.preview = p
	d.log.Info("reload waits for its preview; a second SIGHUP skips it", "config", file, "span", cfg.Preview.Duration.String())
	d.report(reloadOutcome{Said: "a reload waits for its preview", Previewing: true})
	d.notify("STATUS=a reload waits for its preview")
	go func() {
		var result *previewResult
		err := owned.Tried(d.log, "the preview of a reload", func() (err error) {
			result, err = runPreview(ctx, cfg, file)
			return err
		})
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it took more than %v", previewPatience)
		}
		p.done <- previewed{result, err}
	}()
}

// previewDone is where a preview that runs is heard; nil while none does.
func (d *daemon) previewDone() <-chan previewed {
	if d.preview == nil {
		return nil
	}
	return d.preview.done
}

// endPreview ends the child, if there is one, and waits for it.
func (d *daemon) endPreview() {
	if d.preview != nil {
		d.preview.cancel()
		<-d.preview.done
		d.preview = nil
	}
}

// runPreview asks a child, so that what it takes of memory goes with it.
func runPreview(ctx context.Context, cfg *config.Config, file string) (*previewResult, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"replay", "--json", "--since", cfg.Preview.Duration.String(), "--newest", strconv.Itoa(previewMost), "--samples", strconv.Itoa(previewSamples), "--at", "now"}
	if file != "" {
		args = append(args, "--config", file, "--journal", file)
	}
	for _, bound := range cfg.PreviewLimit {
		args = append(args, "--fail-if", bound)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	// Half of the processors stay for the mail.
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/2)))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitBound) {
		if text := firstLines(strings.TrimSpace(errs.String())); text != "" {
			err = errors.New(text)
		}
		return nil, err
	}
	var result previewResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return nil, fmt.Errorf("the output of alignd replay: %w", err)
	}
	if hash := cfg.Hash(); result.Config != hex.EncodeToString(hash[:]) {
		return nil, errors.New("the configuration was changed meanwhile, so it is another one that was judged by")
	}
	return &result, nil
}

// afterPreview takes up the configuration, or says why not. Without an answer it is taken
// up where no limit is set.
func (d *daemon) afterPreview(p previewed) {
	d.cause = "SIGHUP, after its preview"
	cfg, file := d.preview.cfg, d.preview.file
	d.preview.cancel()
	d.preview = nil
	if p.err != nil {
		if len(cfg.PreviewLimit) > 0 {
			d.refuse(fmt.Errorf("there is no preview, and preview_limit is set: %w", p.err))
			return
		}
		d.log.Warn("the reload is not previewed", "err", p.err)
		d.takeUp(cfg, file)
		return
	}
	c := &p.Counters
	d.log.Info("preview of the reload", "messages", c.Total, "changes", c.Changed, "would_refuse", c.WouldRefuse, "would_refuse_passing", c.RefusePassing,
		"would_let_in", c.WouldLetIn, "would_mark", c.WouldMark, "cannot_tell", c.CannotTell, "flips", flipsText(p.Flips))
	var over []string
	for _, b := range p.Bounds {
		if b.Exceeded {
			over = append(over, fmt.Sprintf("%s (it is %s)", b.Bound, b.shown()))
		}
	}
	if len(over) > 0 {
		d.refuse(fmt.Errorf("its preview is outside of preview_limit: %s; of %d messages: %s", strings.Join(over, ", "), c.Total, flipsText(p.Flips)))
		return
	}
	d.takeUp(cfg, file)
}

// flipsText are the ways in which outcomes change, with a message of each.
func flipsText(list []replay.Flip) string {
	var b strings.Builder
	for i := range list {
		f := &list[i]
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s -> %s: %d", f.From, f.To, f.Count)
		for k, s := range f.Samples {
			if k == 0 {
				b.WriteString(", as ")
			} else {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s (%s)", s.Token, s.Domain)
		}
	}
	return shortened(b.String(), 2000)
}
