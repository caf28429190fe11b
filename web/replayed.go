package web

import (
	"encoding/json"
	"time"

	"alignd/replay"
)

// ReplayAsk says what is judged again, and by what.
type ReplayAsk struct {
	// Text is a configuration in place of the running one, compared with what the MTA was
	// told; nil is the running one without the entry Without, compared with it as it is.
	Text    *string   `json:"text,omitempty"`
	Without EntryName `json:"without,omitzero"`
	Since   time.Time `json:"since"`
	// Newest is how many messages are judged at most, those that came last; 0 is all.
	Newest int `json:"newest,omitempty"`
}

// EntryName names an entry of the configuration.
type EntryName struct {
	List string `json:"list"`
	ID   string `json:"id"`
}

// Replay is what alignd replay --json prints; docs/replay.md has its keys.
type Replay struct {
	Config   string            `json:"config"`
	First    time.Time         `json:"first,omitzero"`
	Last     time.Time         `json:"last,omitzero"`
	At       string            `json:"at"`
	Enforced bool              `json:"enforced"`
	Counters replay.Counters   `json:"counters"`
	Flips    []replay.Flip     `json:"flips"`
	Unknown  []replay.Unknown  `json:"cannot_tell"`
	By       replay.Dimension  `json:"by"`
	Groups   []replay.Group    `json:"groups"`
	Also     []replay.Grouping `json:"also"`
	Bounds   json.RawMessage   `json:"bounds"`
}

// Replayed is that, with what was asked of the journal and what it has.
type Replayed struct {
	Replay
	Since   time.Time   `json:"since"`
	Journal JournalSpan `json:"journal"`
	// Older are those that were left out, as no more than the newest were asked for.
	Older       uint64 `json:"older_not_judged"`
	UnreadFiles int    `json:"unread_files"`
	Problem     string `json:"problem,omitempty"` // the first that could not be read
	// AgainstRunning: it is compared with what the running configuration would do, not with
	// what the MTA was told.
	AgainstRunning bool `json:"against_running"`
}

// JournalSpan is what the journal holds.
type JournalSpan struct {
	Oldest  time.Time `json:"oldest,omitzero"`
	Newest  time.Time `json:"newest,omitzero"`
	Records uint64    `json:"records"`
}

// groupings are all dimensions.
func (r *Replay) groupings() []replay.Grouping {
	return append([]replay.Grouping{{By: r.By, Groups: r.Groups}}, r.Also...)
}
