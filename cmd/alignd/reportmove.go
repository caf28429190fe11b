package main

import (
	"fmt"
	"path/filepath"
)

// mover puts mail of a Maildir aside whose reports are stored. A kill between the two
// leaves it where it was, and the next run finds its reports stored.
type mover struct{ to *folder } // nil: cur of the same Maildir

// set says where to.
func (m *mover) set(dir string) (err error) {
	switch {
	case dir == "":
		return nil
	case isFolder(filepath.Join(dir, "cur")):
		dir = filepath.Join(dir, "cur")
	case !isFolder(dir):
		return fmt.Errorf("--move-to %q is no directory", dir)
	}
	m.to, err = openFolder(dir)
	return err
}

func (m *mover) close() {
	if m.to != nil {
		m.to.close()
	}
}

// done marks a file of a Maildir as seen, and moves it. It reports whether it did.
func (m *mover) done(box *folder, path string) (bool, error) {
	name := withFlags(filepath.Base(path), "S")
	if m.to != nil {
		return box.move(path, m.to, name)
	}
	if name = filepath.Join("cur", name); name == path {
		return false, nil
	}
	return box.move(path, box, name)
}
