package facts

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// withoutRecord is how large a segment of the spool without a record is at most, in
// octets. The number is ours: a header and the few frames that hold nothing take 94,
// and the smallest record far more than the rest.
const withoutRecord = 256

// journal looks at the folder of the journal.
func (g *gatherer) journal() {
	if s := g.facts.Alignd.JournalStore; s == "" || s == "none" {
		return
	}
	j := &g.facts.Journal
	path := g.Root + g.facts.Alignd.JournalPath
	j.Folder = fileOf(path)
	if j.Folder.Missing || j.Folder.Unknown != "" {
		return
	}
	j.Free, j.All = space(path)
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != j.Folder.UID && j.Foreign == "" {
			j.Foreign = strings.TrimPrefix(file, g.Root)
		}
		name := d.Name()
		switch {
		case d.IsDir():
		case strings.HasSuffix(name, ".seg") && info.Size() <= withoutRecord: // each start begins one
		case strings.HasSuffix(name, ".seg"):
			j.Spooled = later(j.Spooled, info.ModTime())
		case strings.Contains(name, ".db.damaged") && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm"):
			j.Damaged = append(j.Damaged, strings.TrimPrefix(file, g.Root))
		case filepath.Base(filepath.Dir(file)) == "journal" && !strings.HasSuffix(name, "-shm"): // which readers write
			j.Loaded = later(j.Loaded, info.ModTime())
		}
		return nil
	})
	if err != nil {
		j.Folder.Unknown = err.Error()
		if os.IsPermission(err) {
			j.Folder.Unknown += "; doctor needs root or the journal's group"
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
