//go:build linux || freebsd

package facts

import "golang.org/x/sys/unix"

// space is what is free for users of the file system of path, and all of it, in octets.
func space(path string) (free, all int64) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0, 0
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize)
}
