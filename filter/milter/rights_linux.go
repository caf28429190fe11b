package milter

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// giveRights gives a socket its group (not below 0) and mode. It holds the file meanwhile:
// whoever may write to the folder could put a link to another file in its place.
func giveRights(path string, mode fs.FileMode, gid int) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if info.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s was replaced by what is no socket", path)
	}
	held := fmt.Sprintf("/proc/self/fd/%d", fd) // a chmod of fd itself is EBADF with O_PATH
	if gid >= 0 {
		if err := os.Chown(held, -1, gid); err != nil {
			return groupFault(path, err)
		}
	}
	if err := os.Chmod(held, mode); err != nil {
		return fmt.Errorf("mode of %s: %w", path, err)
	}
	return nil
}
