package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"alignd/config"
)

// Unreadable says of a journal that cannot be read what to do about it. ErrNone stays as
// it is.
func Unreadable(cfg *config.Config, err error) error {
	if errors.Is(err, ErrNone) {
		return err
	}
	err = fmt.Errorf("reading the journal: %w", err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		group := groupOf(cfg.Journal.Path)
		return fmt.Errorf("%w; who reads it is of the group %s: sudo usermod -aG %s USER, then log in anew; or use sudo", err, group, group)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; alignd serve makes it, with the same journal.path and rights to write there; its log says journal= at the start", err)
	}
	return err
}

// mayList says why a folder cannot be looked into.
func mayList(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return f.Close()
}

// groupOf is the group of a folder; that of the unit, where nobody can tell.
func groupOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "alignd"
	}
	gid := strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Gid), 10)
	if g, err := user.LookupGroupId(gid); err == nil {
		return g.Name
	}
	return gid
}
