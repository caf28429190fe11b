package main

import "golang.org/x/sys/unix"

// shrinkPipe makes a pipe hold less, so that it is full sooner.
func shrinkPipe(fd uintptr) error {
	_, err := unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 8192)
	return err
}
