package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Trust is how it is known who sent a report.
type Trust string

// The ways. Those of the first two count (Proven).
const (
	// TrustPass: its mail came through alignd and passed DMARC as Sender.
	TrustPass Trust = "pass"
	// TrustVouched: an admin handed it over, and said that it is true.
	TrustVouched Trust = "vouched"
	// TrustFail: its mail did not pass.
	TrustFail Trust = "fail"
	// TrustUnknown: nobody can tell.
	TrustUnknown Trust = "unknown"
)

// Proven reports whether a report counts.
func (t Trust) Proven() bool { return t == TrustPass || t == TrustVouched }

// proven are the words of Proven in SQL.
const proven = "('pass', 'vouched')"

// Other is an aggregate report that somebody else sent about a domain of ours. Texts are
// from outside: they are valid UTF-8 without controls, and bounded by who fills it in.
type Other struct {
	Domain     string // policy_published, in its A-label form
	Org, Email string // as the report says itself
	ReportID   string
	Version    string
	Start      time.Time // of the period
	Until      time.Time
	Trust      Trust
	Sender     string // the Author Domain that passed, with TrustPass
	Reporter   string // by whom it counts: the organization of Sender, else Org
	Stored     time.Time
	Rows       []OtherRow
	// Beyond is how many rows of the report were added up in one without source.
	Beyond int64
}

// OtherRow is mail as one other receiver saw it. An empty Source is all that had no room.
type OtherRow struct {
	Source      string // an address
	Network     string // its /24 or /48
	Author      string // header_from
	DKIM, SPF   bool   // passes, aligned
	Disposition string // none, pass, quarantine, reject or empty
	Signers     string // domains of passing signatures, with blanks between
	Sender      string // domain of a passing SPF
	Messages    int64
}

// MaxOtherMessages is the most that a row may count, so that no sum overflows; ours.
const MaxOtherMessages = 1_000_000_000

// Bounds of what is stored in a day of UTC; ours. Reports that an admin vouches for have
// none. Those of one sender are kept from taking the room of the others, and those
// without proof from taking that of the proven.
const (
	othersOfSender = 1_000
	othersProven   = 20_000
	othersUnproven = 2_000
	linesOfSender  = 50_000
	linesProven    = 500_000
	linesUnproven  = 20_000
)

// What keeps a report from being stored.
var (
	// ErrStored: it is there already.
	ErrStored = errors.New("it is stored already")
	// ErrFull: a bound of the day is reached.
	ErrFull = errors.New("too many reports were stored today")
)

// keys are what a report is found by: same whoever sent it, id with its sender. One
// without an id of its own goes by its rows.
func (o *Other) keys() (id, same [32]byte) {
	parts := []string{o.Org, o.ReportID, o.Domain, strconv.FormatInt(o.Start.Unix(), 10), strconv.FormatInt(o.Until.Unix(), 10)}
	if o.ReportID == "" {
		parts = append(parts, fmt.Sprintf("%+v", o.Rows))
	}
	same = sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	id = sha256.Sum256(append(same[:], o.Sender...))
	return id, same
}

// AddOther stores a report, whole or not at all. It returns ErrStored for one that is
// there, and ErrFull. A proven one takes the place of those without proof that look the
// same, and who forges one never keeps the true one out: each sender has its own.
func (s *State) AddOther(ctx context.Context, o *Other) error {
	id, same := o.keys()
	return s.changeShared(ctx, func(tx *sql.Tx) error {
		if err := s.makeRoom(ctx, tx, o, same[:]); err != nil {
			return err
		}
		lines, messages := o.Rows, int64(0)
		for i := range o.Rows {
			messages += o.Rows[i].Messages
		}
		short, err := s.roomFor(ctx, tx, o)
		if err != nil {
			return err
		}
		beyond := o.Beyond
		if short && len(o.Rows) > 1 {
			lines, beyond = []OtherRow{{Messages: messages}}, beyond+int64(len(o.Rows))
		}
		day := o.Stored.UTC().Truncate(24 * time.Hour).Unix()
		_, err = s.exec(ctx, tx, "INSERT INTO state_others VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", id[:], same[:], o.Domain, o.Org, o.Email,
			o.ReportID, o.Version, o.Start.Unix(), o.Until.Unix(), string(o.Trust), o.Sender, o.Reporter, day, len(lines), messages, beyond)
		for i := range lines {
			if err != nil {
				return err
			}
			r := &lines[i]
			_, err = s.exec(ctx, tx, "INSERT INTO state_other_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", id[:], i, r.Source, r.Network, r.Author,
				bit(r.DKIM), bit(r.SPF), r.Disposition, r.Signers, r.Sender, r.Messages)
		}
		return err
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// makeRoom finds out whether a report is there, and removes those that it replaces.
func (s *State) makeRoom(ctx context.Context, tx *sql.Tx, o *Other, same []byte) error {
	var replaced [][]byte
	stored := false
	err := s.rows(ctx, tx, func(r *sql.Rows) error {
		var id []byte
		var trust Trust
		var sender string
		err := r.Scan(&id, &trust, &sender)
		switch {
		case !o.Trust.Proven(), trust == TrustVouched, trust == TrustPass && (sender == o.Sender || o.Trust == TrustVouched):
			stored = true
		case !trust.Proven():
			replaced = append(replaced, id)
		}
		return err
	}, "SELECT id, trust, sender FROM state_others WHERE same = ?", same)
	if err == nil && stored {
		err = ErrStored
	}
	for _, id := range replaced {
		for _, table := range []string{"state_other_rows", "state_others"} {
			if err == nil {
				_, err = s.exec(ctx, tx, "DELETE FROM "+table+" WHERE id = ?", id)
			}
		}
	}
	return err
}

// roomFor reports whether a report has to do with one row, or returns ErrFull.
func (s *State) roomFor(ctx context.Context, tx *sql.Tx, o *Other) (short bool, err error) {
	if o.Trust == TrustVouched {
		return false, nil
	}
	day := o.Stored.UTC().Truncate(24 * time.Hour).Unix()
	type bound struct {
		where          string
		args           []any
		reports, lines int64
	}
	bounds := []bound{{"trust <> 'pass' AND trust <> 'vouched'", nil, othersUnproven, linesUnproven}}
	if o.Trust == TrustPass {
		bounds = []bound{{"trust = 'pass' AND sender = ?", []any{o.Sender}, othersOfSender, linesOfSender}, {"trust = 'pass'", nil, othersProven, linesProven}}
	}
	for _, b := range bounds {
		var reports, lines int64
		one := func(r *sql.Rows) error { return r.Scan(&reports, &lines) }
		err := s.rows(ctx, tx, one, "SELECT count(*), CAST(coalesce(sum(lines), 0) AS bigint) FROM state_others WHERE day = ? AND "+b.where, append([]any{day}, b.args...)...)
		switch {
		case err != nil:
			return false, err
		case reports >= b.reports:
			return false, ErrFull
		}
		short = short || lines+int64(len(o.Rows)) > b.lines
	}
	return short, nil
}

// forgetOthers removes reports of others that are too old.
func (s *State) forgetOthers(ctx context.Context, now time.Time) error {
	before := now.Add(-s.others).Unix()
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := s.exec(ctx, tx, "DELETE FROM state_other_rows WHERE id IN (SELECT id FROM state_others WHERE start < ?)", before)
		if err == nil {
			_, err = s.exec(ctx, tx, "DELETE FROM state_others WHERE start < ?", before)
		}
		return err
	})
}
