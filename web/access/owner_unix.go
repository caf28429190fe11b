//go:build unix

package access

import (
	"os"
	"syscall"
)

// keepOwner gives a file the owner and group of another one, as far as it may.
func keepOwner(f *os.File, as os.FileInfo) {
	if stat, ok := as.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(stat.Uid), int(stat.Gid))
	}
}
