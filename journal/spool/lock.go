package spool

import (
	"errors"
	"os"
	"syscall"

	"alignd/journal/rights"
)

// lockDir takes the lock that the file stands for; it goes with the process.
func lockDir(path string) (*os.File, error) {
	f, err := rights.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}
