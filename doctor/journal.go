package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Journal is what is found in the folder of the journal.
type Journal struct {
	Folder File
	// Foreign is a file there that another user than the folder's owner has; empty for
	// none.
	Foreign string
	// Free and All are octets of its file system; All is 0 where they are not known.
	Free, All int64
	// Spooled and Loaded are when a record came into the spool and into the files of a
	// store last; zero where none did.
	Spooled, Loaded time.Time
	// Damaged are files that were put aside.
	Damaged []string
}

// journalChecks are about the folder of the journal.
var journalChecks = []check{
	{id: "journal-folder", fine: "alignd can write its journal, and its group can read it", applies: withJournal, run: journalFolder},
	{id: "journal-space", fine: "the disk of the journal has room", applies: withJournal, run: journalSpace},
	{id: "journal-loaded", fine: "the journal's store takes records", applies: withFiles, run: journalLoaded},
	{id: "journal-damaged", fine: "no file of the journal is damaged", applies: withFiles, run: journalDamaged},
}

func withJournal(f *Facts) bool {
	return f.Alignd.JournalStore != "" && f.Alignd.JournalStore != "none"
}
func withFiles(f *Facts) bool { return f.Alignd.JournalStore == "sqlite" }

func journalFolder(f *Facts) (found []Finding) {
	path, dir := f.Alignd.JournalPath, f.Journal.Folder
	if f.Unit != nil && !f.Unit.mayWrite(path) {
		var folder []string
		if dir.Missing { // a unit with a path that is not there does not start
			folder = []string{"install -d -o " + f.Unit.user() + " -g " + cmp.Or(f.Unit.Group, f.Unit.user()) + " -m 0750 " + path}
		}
		found = append(found, Finding{
			Severity: Warning, What: "the unit does not let alignd write to " + path, Why: "no journal is kept", Where: f.Unit.File,
			Cure: slices.Concat(folder, dropIn("alignd", "Service", "ReadWritePaths="+path), []string{restart}),
		})
	}
	switch {
	case dir.Unknown != "":
		return append(found, Finding{Severity: Note, What: "cannot tell what is in " + path + ": " + dir.Unknown})
	case dir.Missing && asked(f) && f.Unit.Active == "active":
		return append(found, Finding{Severity: Warning, What: path + " is not there, though alignd runs", Why: "no journal is kept",
			Cure: []string{"systemctl restart alignd", "journalctl -u alignd -n 20"}})
	case dir.Missing:
		return append(found, Finding{Severity: Note, What: path + " is not there yet; alignd makes it where it may"})
	}
	if f.Journal.Foreign != "" {
		found = append(found, Finding{
			Severity: Warning, What: f.Journal.Foreign + " belongs to another user than " + path, Why: "alignd may be unable to write there",
			Cure: []string{fmt.Sprintf("chown -R --reference=%s %s", path, path), "systemctl restart alignd"},
		})
	}
	switch mode := dir.Mode.Perm(); {
	case mode&0o007 != 0:
		found = append(found, Finding{Severity: Note, What: fmt.Sprintf("%s has the mode %04o, so all users see its files", path, mode),
			Why: "the files themselves are for alignd's group only", Cure: []string{"chmod 0750 " + path}})
	case mode&0o050 != 0o050 && !dir.ACL:
		found = append(found, Finding{Severity: Note, What: fmt.Sprintf("%s has the mode %04o, so nobody in its group can read it", path, mode),
			Why: "alignd log and explain then need root", Cure: []string{"chmod 0750 " + path}})
	}
	return found
}

// mayWrite: the sandbox lets alignd write to a folder.
func (u *Unit) mayWrite(path string) bool {
	for _, w := range u.Writable {
		if w == "/" || w == path || strings.HasPrefix(path, strings.TrimSuffix(w, "/")+"/") {
			return true
		}
	}
	return len(u.Writable) == 0 // not known
}

// journalSpace: 5 % stay free for others, so a spool on a fuller disk drops records.
func journalSpace(f *Facts) []Finding {
	free, all := f.Journal.Free, f.Journal.All
	if all == 0 || float64(free) >= 0.1*float64(all) {
		return nil
	}
	s, why := Warning, "the journal drops new records below 5 %"
	return []Finding{{Severity: s, What: fmt.Sprintf("%d %% of the disk of %s are free", free*100/all, f.Alignd.JournalPath), Why: why,
		Cure: []string{"du -xh --max-depth=2 / | sort -h | tail", "journal: {keep: 168h, size: 2GiB}", restart}, Where: f.Alignd.File}}
}

// loadedWithin is how much later than the spool a store may be written. The number is
// ours: a hundred times what is usual.
const loadedWithin = 10 * time.Minute

func journalLoaded(f *Facts) []Finding {
	j := f.Journal
	if j.Spooled.IsZero() || j.Spooled.Sub(j.Loaded) < loadedWithin {
		return nil
	}
	what := "the journal's store has never been written, while the spool is"
	if !j.Loaded.IsZero() {
		what = fmt.Sprintf("the journal's store was written last %s before its spool", j.Spooled.Sub(j.Loaded).Round(time.Minute))
	}
	return []Finding{{Severity: Warning, What: what, Why: "records wait in the spool; at spool.max new ones are dropped",
		Cure: []string{"journalctl -u alignd -p warning"}}}
}

func journalDamaged(f *Facts) (found []Finding) {
	for _, file := range f.Journal.Damaged {
		found = append(found, Finding{Severity: Warning, What: file + " was put aside as it is damaged", Why: "the disk, or its memory, may be failing",
			Cure: []string{"sqlite3 " + file + " .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 recovered.db   # what is left", "rm " + file}})
	}
	return found
}
