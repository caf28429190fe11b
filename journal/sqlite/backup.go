package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"alignd/journal/rights"
)

// BackedUp tells what Backup wrote.
type BackedUp struct {
	Files    int // of which Linked share their octets with the journal's
	Linked   int
	Octets   int64
	Problems []error // of files that cannot be read and are not in it
}

// Backup writes the files of a journal to the folder to, beside the process that writes
// them or without one. Each is as it was at one moment, with what it has taken of which
// spool, so what is made of it again goes on from there. A sealed file is never written
// again: it is linked where that can be, else copied.
func Backup(ctx context.Context, dir, to string) (done BackedUp, err error) {
	if err := rights.MakeDir(to); err != nil {
		return done, err
	}
	list, err := files(dir)
	if err != nil {
		return done, err
	}
	// The newest first: once a file is followed by another one of its day nothing is added
	// to it, so what a later file has taken of a spool never hides what an earlier one lacks.
	for _, n := range slices.Backward(list) {
		err := done.file(ctx, dir, to, n)
		if errors.Is(err, fs.ErrNotExist) && !n.sealed { // sealed meanwhile, or removed
			n.sealed = true
			err = done.file(ctx, dir, to, n)
		}
		switch {
		case ctx.Err() != nil:
			return done, ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
		case isDamaged(err), errors.Is(err, ErrForeign):
			done.Problems = append(done.Problems, err)
		case err != nil:
			return done, fmt.Errorf("%s: %w", n, err)
		}
	}
	return done, nil
}

func (b *BackedUp) file(ctx context.Context, dir, to string, n name) error {
	from, into := filepath.Join(dir, n.String()), filepath.Join(to, n.String())
	var err error
	switch {
	case !n.sealed:
		err = snapshotFile(ctx, dir, n, into)
	case os.Link(from, into) == nil:
		b.Linked++
	default:
		err = copyFile(from, into)
	}
	if errors.Is(err, errEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	b.Files++
	b.Octets += sizeOf(into)
	return nil
}

func snapshotFile(ctx context.Context, dir string, n name, to string) (err error) {
	db, conn, _, err := openReading(ctx, dir, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(), db.Close()) }()
	return snapshot(ctx, conn, to)
}

// Snapshot writes a database as it is at one moment to a new file.
func Snapshot(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	db, conn, err := open(ctx, from, "ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(), db.Close()) }()
	return snapshot(ctx, conn, to)
}

func snapshot(ctx context.Context, from *sql.Conn, to string) (err error) {
	part := to + ".new"
	if err := create(part, os.O_EXCL); err != nil {
		return err
	}
	if _, err := from.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return errors.Join(err, remove(part))
	}
	return finish(part, to)
}

// copyFile copies a file that nobody writes.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	part := to + ".new"
	out, err := rights.Open(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return finish(part, to)
}

// finish has a file that is whole take its name, for good.
func finish(part, to string) error {
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	return syncFile(filepath.Dir(to))
}
