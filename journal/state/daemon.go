package state

import "time"

// Daemon is what the daemon of a host tells of itself, as JSON in Told and in what `alignd
// journal status --json` prints of it. There is nothing secret in it: who reads the journal
// reads this.
type Daemon struct {
	Host      string           `json:"host"`
	PID       int              `json:"pid"`
	Program   string           `json:"program"`
	Started   time.Time        `json:"started"`
	At        time.Time        `json:"at"`
	Every     int              `json:"every"` // seconds; one that is late by more is not there any more, or cannot write
	Stopped   bool             `json:"stopped"`
	Config    DaemonConfig     `json:"config"`
	Reload    DaemonReload     `json:"reload"`
	Listeners []DaemonListener `json:"listeners"`
	MTA       DaemonMTA        `json:"mta"`
	DNS       DaemonDNS        `json:"dns"`
	Journal   DaemonJournal    `json:"journal"`
	Metrics   []string         `json:"metrics"` // places of metrics.listen
	LinesLost int64            `json:"log_lines_lost"`
}

// DaemonConfig is the configuration in force.
type DaemonConfig struct {
	File    string    `json:"file"`
	Hash    string    `json:"hash"`
	Mode    string    `json:"mode"`
	Since   time.Time `json:"since"`
	Pending []string  `json:"need_restart"` // changed options that a reload does not take up
}

// DaemonReload is the last reload. What is wrong with a configuration is not in it, as that
// may quote it: the log has it, and alignd config check.
type DaemonReload struct {
	At     time.Time `json:"at,omitzero"` // zero: none since the start
	By     string    `json:"by,omitempty"`
	Failed bool      `json:"failed"` // the old configuration stays
	Times  int       `json:"times"`  // failed ones included
}

// DaemonListener is a place where MTAs find it.
type DaemonListener struct {
	Place string `json:"place"`
	By    string `json:"opened_by"` // alignd or systemd
	Open  bool   `json:"open"`
	Fault string `json:"fault,omitempty"`
}

// DaemonMTA is about connections of MTAs.
type DaemonMTA struct {
	Connections uint64 `json:"connections"` // since the start
	Open        int    `json:"open"`
	Limit       int    `json:"limit"`
	Messages    int    `json:"messages"` // under way
}

// DaemonDNS is about questions to DNS, since the start.
type DaemonDNS struct {
	Servers  []string `json:"servers"`
	Cached   uint64   `json:"from_cache"`
	Asked    uint64   `json:"asked"`
	Sent     uint64   `json:"sent"`
	Failures uint64   `json:"failures"`
	// Lately are those since it told before.
	Lately struct {
		Asked    uint64 `json:"asked"`
		Failures uint64 `json:"failures"`
	} `json:"lately"`
}

// DaemonJournal is about records, since the start, and the spool.
type DaemonJournal struct {
	Written      uint64    `json:"written"`
	Late         uint64    `json:"late"`
	Dropped      uint64    `json:"dropped"`
	Loaded       uint64    `json:"loaded"`
	Octets       int64     `json:"spool_octets"`
	Bound        int64     `json:"spool_limit"`
	Oldest       time.Time `json:"oldest_waiting,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"`
}

// Silent reports whether it is late by more than twice what it should be: it has ended, or
// cannot write.
func (d *Daemon) Silent(now time.Time) bool {
	return !d.Stopped && now.Sub(d.At) > 3*time.Duration(max(d.Every, 1))*time.Second
}
