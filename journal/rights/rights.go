// Package rights makes the files and folders of a journal, with the rights that all of
// them have: the daemon writes, its group reads. The umask has no say. What root makes
// in a folder of another user belongs to that user, or the daemon could not write what
// somebody left who tried a command as root.
package rights

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Rights of files and folders.
const (
	FileMode = 0o640
	DirMode  = 0o750
)

// Open opens or makes a file, with flags as os.OpenFile has them.
func Open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, FileMode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm() != FileMode && isOurs(info) {
		err = f.Chmod(FileMode)
	}
	if uid, gid, ok := ownerOf(filepath.Dir(path)); err == nil && ok {
		err = f.Chown(uid, gid)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// MakeDir makes a folder, and those that it lies in. One that is there keeps its rights.
func MakeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, DirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := os.Chmod(dir, DirMode); err != nil {
		return err
	}
	if uid, gid, ok := ownerOf(parent); ok {
		return os.Chown(dir, uid, gid)
	}
	return nil
}

// ownerOf is whom root gives what it makes in a folder; ok is false where there is
// nothing to give.
func ownerOf(dir string) (uid, gid int, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	info, err := os.Stat(dir)
	if err != nil {
		return 0, 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}

func isOurs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
