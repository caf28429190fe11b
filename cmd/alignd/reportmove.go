package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mover puts mail of a Maildir aside whose reports are stored. A kill between the two
// leaves it where it was, and the next run finds its reports stored.
type mover struct{ to string } // a folder; empty: cur of the same Maildir

// set says where to.
func (m *mover) set(dir string) error {
	switch {
	case dir == "":
		return nil
	case isFolder(filepath.Join(dir, "cur")):
		m.to = filepath.Join(dir, "cur")
	case isFolder(dir):
		m.to = dir
	default:
		return fmt.Errorf("--move-to %q is no directory", dir)
	}
	return nil
}

// done marks a file of a Maildir as seen, and moves it. It reports whether it did.
func (m *mover) done(maildir, path string) (bool, error) {
	to := m.to
	if to == "" {
		to = filepath.Join(maildir, "cur")
	}
	to = filepath.Join(to, withFlags(filepath.Base(path), "S"))
	if to == path {
		return false, nil
	}
	if _, err := os.Lstat(to); err == nil {
		return false, fmt.Errorf("%s is there already, so %s stays", to, path)
	}
	err := os.Rename(path, to)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Lstat(path); errors.Is(gone, fs.ErrNotExist) {
			return false, nil // another one was faster
		}
	}
	return err == nil, err
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
