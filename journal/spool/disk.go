package spool

import (
	"errors"
	"io"
	"os"
)

// file is what the writer does to a segment.
type file interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// disk is the file system as the writer sees it.
type disk interface {
	// Create makes a file that is not there yet, for writing at its end.
	Create(path string) (file, error)
	// Free returns the octets that are free for us, and those of the whole file system.
	Free(dir string) (free, all int64, err error)
}

type realDisk struct{}

func (realDisk) Create(path string) (file, error) {
	return create(path)
}

// create makes a file for the group to read, whatever the umask.
func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(fileMode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (realDisk) Free(dir string) (free, all int64, err error) { return freeSpace(dir) }

// makeDir makes a folder that the group may enter, whatever the umask. One that is
// there keeps its rights.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	return os.Chmod(dir, dirMode)
}
