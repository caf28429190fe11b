package policy

import (
	"time"

	"alignd/evidence"
)

// StageName is a stage of a rollout, the most that may be done.
type StageName string

// The stages, in the order of a rollout.
const (
	StageMonitor    StageName = "monitor"
	StageTag        StageName = "tag"
	StageQuarantine StageName = "quarantine"
	StageReject     StageName = "reject"
)

// Stage is one step of a rollout. The stage that holds is the last one that
// has begun; before the first one it is StageMonitor.
type Stage struct {
	Name StageName
	// Start is when it begins; zero means that it has begun.
	Start time.Time
	// Percent of the mail is under this stage, chosen by Evidence.Sample, and
	// the rest under the stage before. 0 means 100.
	Percent int
	// StopIf stops it; nil: nothing does. ID names it then, in Message.Stopped.
	StopIf *StopIf
	ID     string
	Source Source
}

// coverage says what a stage of a rollout is to a message.
type coverage uint8

const (
	stageHolds   coverage = iota
	stageAhead            // it has not begun
	stageStopped          // it was stopped, and none begins behind it
	stageSpares           // the message is not of the share that it covers
)

// covers says what the stage is to a message by itself.
func (g *Stage) covers(ev *evidence.Message) (coverage, facts) {
	switch {
	case ev.Time.Before(g.Start):
		return stageAhead, noFacts
	case g.isStopped(ev.Stopped):
		return stageStopped, noFacts
	case g.Percent <= 0 || g.Percent >= 100:
		return stageHolds, noFacts
	case ev.Sample < 0:
		return stageSpares, noSample
	case ev.Sample >= g.Percent:
		return stageSpares, noFacts
	}
	return stageHolds, noFacts
}
