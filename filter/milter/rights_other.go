//go:build !linux

package milter

import (
	"io/fs"
	"os"
)

// giveRights gives a socket its group (not below 0) and mode. Nobody else may write to
// the folder: a link that is put there in between would be followed.
func giveRights(path string, mode fs.FileMode, gid int) error {
	if gid >= 0 {
		if err := os.Lchown(path, -1, gid); err != nil {
			return groupFault(path, err)
		}
	}
	return os.Chmod(path, mode)
}
