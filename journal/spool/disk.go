package spool

import (
	"io"
	"os"

	"alignd/journal/rights"
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

// create makes a file, for writing at its end.
func create(path string) (*os.File, error) {
	return rights.Open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL)
}

func (realDisk) Free(dir string) (free, all int64, err error) { return freeSpace(dir) }
