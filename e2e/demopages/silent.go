package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"alignd/journal"
	"alignd/journal/spool"
	"alignd/journal/state"
)

const (
	// silent is for how many hours nothing is heard of the second host.
	silent = 3
	// secondHost is how many messages it judged before that, one a minute.
	secondHost = 20
)

// second is a host that shares the journal.
var second = spool.ID{2}

// silence is since when nothing is heard of it.
func (e *engine) silence() time.Time { return e.end.Add(-silent * time.Hour).Truncate(time.Second) }

// lastOfSecond are the messages that it judged.
func (e *engine) lastOfSecond() (batch []journal.Raw) {
	for i := range secondHost {
		at := e.silence().Add(time.Duration(i-secondHost) * time.Minute)
		batch = append(batch, raw(i+1, e.message(e.n+i, at, int(at.Sub(e.begin)/time.Hour))))
	}
	return batch
}

// silenced has the second host say through when it counted, and what its daemon told last.
func (e *engine) silenced(ctx context.Context, counts *state.State) error {
	last := e.silence()
	if err := counts.Take(ctx, second, nil); err != nil {
		return err
	}
	if err := counts.Tidy(ctx, last); err != nil {
		return err
	}
	// The keys are those of cmd/alignd, as far as Health shows them.
	type object = map[string]any
	told, err := json.Marshal(object{"host": "mx2.example.net", "pid": 812, "program": "alignd demo", "started": e.begin.Truncate(time.Second), "at": last, "every": 60,
		"config": object{"file": "/etc/alignd/alignd.yaml", "hash": fmt.Sprintf("%x", e.settings[1].Basis.Config), "mode": "enforce", "since": e.begin.AddDate(0, 0, reloadDay).Truncate(time.Second)},
		"reload": object{"at": e.begin.AddDate(0, 0, reloadDay).Truncate(time.Second), "by": "SIGHUP", "times": 1}})
	if err != nil {
		return err
	}
	return counts.Tell(ctx, &state.Told{Spool: second, At: last, Data: told})
}
