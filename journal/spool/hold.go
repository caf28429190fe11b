package spool

import (
	"io"
	"path/filepath"

	"alignd/journal/rights"
)

// Hold keeps other processes from writing to the spool of dir until what it returns is
// closed. It is ErrLocked while one does. Without a spool dir is made.
func Hold(dir string) (io.Closer, error) {
	if err := rights.MakeDir(dir); err != nil {
		return nil, err
	}
	return lockDir(filepath.Join(dir, lockFile))
}
