package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// folder is one that others may write to, while we may do more than they: nothing outside of
// it is read or moved, whatever links lead there (os.Root), and what is no file is left.
type folder struct {
	name string
	root *os.Root
}

func openFolder(name string) (*folder, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &folder{name, root}, nil
}

func (f *folder) close() { f.root.Close() }

// isMaildir reports whether it has new and cur.
func (f *folder) isMaildir() bool {
	for _, sub := range []string{"new", "cur"} {
		if info, err := f.root.Lstat(sub); err != nil || !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
			return false
		}
	}
	return true
}

// files are the names in a folder below it. Hidden ones are left out.
func (f *folder) files(sub string) (names []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), sub)
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// open opens a file. It may have become something else since it was listed: a link is not
// followed, and a FIFO does not keep us waiting. Without an error nil is what is no file, or
// is gone, as another one was faster.
func (f *folder) open(path string) (*os.File, error) {
	file, err := f.root.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, err
	}
	return file, nil
}

// move gives a file another name in a folder, which may be that of another one. It
// reports whether it did: another process may have been faster.
func (f *folder) move(from string, to *folder, name string) (bool, error) {
	if _, err := to.root.Lstat(name); err == nil {
		return false, fmt.Errorf("%s is there already, so %s stays", filepath.Join(to.name, name), filepath.Join(f.name, from))
	}
	// By open folders, as these may be links by now. Neither name is one that is followed.
	sub, last := filepath.Split(from)
	source, err := f.root.Open(filepath.Clean("./" + sub))
	if err != nil {
		return false, err
	}
	defer source.Close()
	sub, name = filepath.Split(name)
	target, err := to.root.Open(filepath.Clean("./" + sub))
	if err != nil {
		return false, err
	}
	defer target.Close()
	err = unix.Renameat(int(source.Fd()), last, int(target.Fd()), name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		err = &os.LinkError{Op: "rename", Old: filepath.Join(f.name, from), New: filepath.Join(to.name, sub, name), Err: err}
	}
	return err == nil, err
}

// strayFiles are files of a Maildir that cannot be opened or moved. They keep none of the
// others: each run would end at the same one.
type strayFiles struct {
	n     int
	first error
}

func (s *strayFiles) note(err error) {
	if err == nil {
		return
	}
	if s.n++; s.n == 1 {
		s.first = err
	}
}

// fault is nil where there are none.
func (s *strayFiles) fault(box *folder) error {
	if s.n == 0 {
		return nil
	}
	return fmt.Errorf("files of %s that stay as they are: %d; the first: %w", box.name, s.n, s.first)
}

// maildirInfo divides the flags from the name of a file in a Maildir.
const maildirInfo = ":2,"

func hasFlag(name string, flag rune) bool {
	_, flags, _ := strings.Cut(name, maildirInfo)
	return strings.ContainsRune(flags, flag)
}

// withFlags adds flags; they stand in the order of their letters.
func withFlags(name, more string) string {
	base, flags, _ := strings.Cut(name, maildirInfo)
	all := []rune(flags)
	for _, flag := range more {
		if !slices.Contains(all, flag) {
			all = append(all, flag)
		}
	}
	slices.Sort(all)
	return base + maildirInfo + string(all)
}
