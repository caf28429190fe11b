package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"alignd/journal"
)

// Newest implements journal.Finder: each file is opened once for all queries. Files that
// cannot be read are passed over, and told of.
func (r *Reader) Newest(ctx context.Context, list []journal.Query, found func(i int, e *journal.Entry)) error {
	all, err := files(r.dir)
	if err != nil {
		return err
	}
	left := make([]int, len(list))
	for i := range left {
		left[i] = i
	}
	for _, n := range slices.Backward(all) {
		here := slices.DeleteFunc(slices.Clone(left), func(i int) bool { return !mayHold(n, list[i].Since, list[i].Until) })
		if len(here) == 0 {
			continue
		}
		err := r.inEither(n, func(n name) (handed bool, err error) {
			err = r.newestIn(ctx, n, list, here, func(i int, e *journal.Entry) {
				handed = true
				left = slices.DeleteFunc(left, func(k int) bool { return k == i })
				found(i, e)
			})
			return handed, err
		})
		if stop, err := r.after(ctx, err); stop {
			return err
		}
	}
	return nil
}

// newestIn looks for those of the queries that are in here.
func (r *Reader) newestIn(ctx context.Context, n name, list []journal.Query, here []int, found func(i int, e *journal.Entry)) (err error) {
	f, err := r.open(ctx, n)
	if errors.Is(err, errEmpty) { // about to be made
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { r.done(f, err) }()
	var network *sql.Stmt
	if n.sealed && f.layout > 1 {
		if network, err = f.conn.PrepareContext(ctx, "SELECT EXISTS (SELECT 1 FROM records WHERE client BETWEEN ? AND ?)"); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
		defer network.Close()
	}
	var faults []error // those of one query may be about one record
	for _, i := range here {
		q := list[i]
		if network != nil && q.Client.IsValid() {
			some, first, last := false, int64(0), int64(0)
			first, last = journal.NumbersOf(q.Client)
			if err := network.QueryRowContext(ctx, first, last).Scan(&some); err != nil {
				return fmt.Errorf("%s: %w", n, err)
			}
			if !some {
				continue
			}
		}
		err := f.search(ctx, &q, func(e *journal.Entry) error {
			found(i, e)
			return journal.ErrEnough
		})
		if err != nil && !errors.As(err, new(foundError)) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
