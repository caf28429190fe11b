package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/journal"
	"alignd/journal/place"
	"alignd/journal/privacy"
	"alignd/replay"
	"alignd/web"
)

// What a job of the pages may take; the numbers are ours. It is a process of its own, so
// that it has a priority of its own, can be ended at any moment, and what it takes of
// memory goes with it.
const (
	behindMail = 10 // the priority of a command that somebody waits for
	// jobMemory is where a job collects its garbage more often; of the unit's 512 MiB.
	jobMemory = "128MiB"
	// maxJobOutput bounds what is read of one, in octets.
	maxJobOutput = 64 << 20
	jobSamples   = 10
	jobGroups    = 1000
	// jobTells is how often it tells how far it is.
	jobTells = 200 * time.Millisecond
)

// afterMail is for commands that may read all of the journal: mail comes first.
func afterMail() {
	if ownProcess {
		lowerPriority(behindMail)
	}
}

// jobAsk is what a job is asked on standard input.
type jobAsk struct {
	Replay *web.ReplayAsk `json:"replay,omitempty"`
	Survey *web.SurveyAsk `json:"survey,omitempty"`
}

// jobSays is what it answers: some times how far it is, then the result or why there is
// none.
type jobSays struct {
	Newest  time.Time       `json:"newest,omitzero"`
	Records uint64          `json:"records,omitempty"`
	Of      uint64          `json:"of,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// webJobCommand is what alignd web runs beside itself. Nobody types it.
func webJobCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:    "job [flags]",
		Short:  "Do what the pages ask for on standard input",
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if ownProcess {
				lowerPriority(lowestPriority)
			}
			var ask jobAsk
			if err := json.NewDecoder(c.InOrStdin()).Decode(&ask); err != nil {
				return fmt.Errorf("what is asked: %w", err)
			}
			says := json.NewEncoder(c.OutOrStdout())
			told := time.Time{}
			result, err := doJob(c.Context(), file, &ask, func(newest time.Time, records, of uint64) {
				if time.Since(told) >= jobTells {
					told = time.Now()
					_ = says.Encode(jobSays{Newest: newest, Records: records, Of: of}) // it ends where nobody listens
				}
			})
			if err != nil {
				return says.Encode(jobSays{Error: web.Told(err)})
			}
			return says.Encode(jobSays{Result: result})
		},
	}
	configFlag(c, &file)
	return c
}

func doJob(ctx context.Context, file string, ask *jobAsk, p web.Progress) (json.RawMessage, error) {
	cfg, err := readConfig(config.Input{File: file})
	if err != nil {
		return nil, err
	}
	b, err := newWebBackend(file, cfg)
	switch {
	case err != nil:
		return nil, err
	case ask.Replay != nil:
		found, err := b.replayHere(ctx, ask.Replay, p)
		if err != nil {
			return nil, err
		}
		return json.Marshal(found)
	case ask.Survey != nil:
		return b.surveyHere(ctx, ask.Survey, p)
	}
	return nil, errors.New("nothing is asked")
}

// job has a process of its own do what is asked.
func (b *webBackend) job(ctx context.Context, ask *jobAsk, p web.Progress) (json.RawMessage, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	question, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	args := []string{"web", "job"}
	if b.file != "" {
		args = append(args, "--config", b.file)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	// Half of the processors stay for the mail.
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/2)), "GOMEMLIMIT="+jobMemory, "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	said := bounded{left: 4 << 10}
	cmd.Stdin, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(question), &said, 5*time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	result, err := heard(io.LimitReader(out, maxJobOutput), p)
	_, _ = io.Copy(io.Discard, out)
	ended := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errSilent): // it ended before
		return nil, fmt.Errorf("the job ended: %w", errors.Join(ended, errors.New(firstLines(said.String()))))
	}
	return result, err
}

var errSilent = errors.New("no result")

// heard is what a job says in the end.
func heard(in io.Reader, p web.Progress) (json.RawMessage, error) {
	d := json.NewDecoder(in)
	for {
		var says jobSays
		switch err := d.Decode(&says); {
		case err != nil:
			return nil, errSilent
		case says.Error != "":
			return nil, errors.New(says.Error)
		case says.Result != nil:
			return says.Result, nil
		}
		p(says.Newest, says.Records, says.Of)
	}
}

// Replay implements web.Backend.
func (b *webBackend) Replay(ctx context.Context, ask *web.ReplayAsk, p web.Progress) (*web.Replayed, error) {
	raw, err := b.job(ctx, &jobAsk{Replay: ask}, p)
	if err != nil {
		return nil, err
	}
	found := new(web.Replayed)
	return found, json.Unmarshal(raw, found)
}

// replayHere is alignd replay --json, with what the journal has beside.
func (b *webBackend) replayHere(ctx context.Context, ask *web.ReplayAsk, p web.Progress) (*web.Replayed, error) {
	cfg, err := b.asked(ask)
	if err != nil {
		return nil, err
	}
	found := &web.Replayed{Since: ask.Since}
	reader, err := b.Reader(func(error) { found.UnreadFiles++ })
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	of := spanOf(ctx, reader, found)
	if ask.Newest > 0 {
		of = min(of, uint64(ask.Newest))
	}
	f := &replayFlags{at: "then", groups: jobGroups}
	o := &replay.RunOptions{Options: replayOptions(cfg), Since: ask.Since, Samples: jobSamples, Workers: runtime.GOMAXPROCS(0),
		By:       []replay.Dimension{replay.ByDomain, replay.ByClient, replay.ByRule},
		Progress: func(newest time.Time, records uint64) { p(newest, records, of) }}
	s := &replaySource{reader: reader}
	if s.key, err = privacy.FindKey("", place.AddressKeyFile(b.begun)); err != nil {
		return nil, err
	}
	if err := privacy.Replay(&o.Options, cfg, s.key); err != nil {
		return nil, err
	}
	if found.AgainstRunning = ask.Text == nil; found.AgainstRunning {
		running, err := b.Config()
		if err != nil {
			return nil, err
		}
		compared := replayOptions(running)
		if err := privacy.Replay(&compared, running, s.key); err != nil {
			return nil, err
		}
		o.Against = &compared
	}
	feed := s.feed(ctx, o.Since, o.Until)
	if ask.Newest > 0 {
		feed = newest(feed, ask.Newest, timeSpan{since: o.Since}, func(n int) { found.Older = uint64(n) })
	}
	res, err := replay.Run(o, feed)
	if err != nil {
		return nil, err
	}
	if res.Problem != nil {
		found.Problem = res.Problem.Error()
	}
	// The page has what the command prints, so it is read from the JSON of the command.
	raw, err := json.Marshal((&replayed{Result: res, cfg: cfg, flags: f, bounds: []checkedBound{}}).object())
	if err == nil {
		err = json.Unmarshal(raw, &found.Replay)
	}
	return found, err
}

// asked is the configuration that is judged by.
func (b *webBackend) asked(ask *web.ReplayAsk) (*config.Config, error) {
	if ask.Text != nil {
		return b.Parse([]byte(*ask.Text))
	}
	return b.Without(ask.Without)
}

// spanOf tells what the journal holds, and about how many records of it are as new as is
// asked for; 0 where a store cannot tell. A day that is asked for in part counts in part.
func spanOf(ctx context.Context, r journal.Reader, found *web.Replayed) uint64 {
	asked, ok := r.(journal.Surveyor)
	if !ok {
		return 0
	}
	survey, err := asked.Survey(ctx)
	if err != nil {
		return 0 // the replay meets it, too, and tells
	}
	found.Journal = web.JournalSpan{Oldest: survey.Oldest, Newest: survey.Newest, Records: uint64(max(0, survey.Records()))}
	sum := 0.0
	for i := range survey.Parts {
		part := &survey.Parts[i]
		day, err := time.Parse(time.DateOnly, part.Day)
		if err != nil || !day.AddDate(0, 0, 1).After(found.Since) {
			continue
		}
		share := 1.0
		if found.Since.After(day) {
			share = day.AddDate(0, 0, 1).Sub(found.Since).Hours() / 24
		}
		sum += share * float64(part.Records)
	}
	return uint64(sum)
}

// Survey implements web.Backend.
func (b *webBackend) Survey(ctx context.Context, ask *web.SurveyAsk, p web.Progress) (json.RawMessage, error) {
	return b.job(ctx, &jobAsk{Survey: ask}, p)
}
