package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"alignd/internal/mailbox"
	"alignd/journal"
	"alignd/journal/state"
	"alignd/report/others"
	"alignd/report/read"
)

// importer stores the reports of one call. It is the read.Sink of one mail at a time.
type importer struct {
	ctx     context.Context
	out     io.Writer
	flags   *reportImportFlags
	piped   bool
	state   *state.State
	journal journal.Reader
	collect *others.Collector
	move    mover

	name  string // of the file
	proof others.Proof
	keep  bool // this file stays where it is: it was not read, or had no room

	files, moved                            int
	counting, unproven, again, left, failed int
	told                                    int
}

// maxImportTold is how many lines tell of what was left out; ours.
const maxImportTold = 1_000

// How long the journal is waited for where a mail has just come, and says that it passed:
// the loader follows within a second or so. Ours.
const (
	journalWait = 15 * time.Second
	journalPoll = 500 * time.Millisecond
)

func (im *importer) tell(format string, args ...any) {
	if im.told++; im.told <= maxImportTold {
		fmt.Fprintln(im.out, printable(fmt.Sprintf(format, args...)))
	}
}

// all reads what is named, and counts named files without a report.
func (im *importer) all(args []string, stdin io.Reader) (without int, err error) {
	for _, arg := range args {
		if arg == "-" {
			n, err := im.stream("-", stdin)
			if err != nil {
				return without, err
			}
			if n == 0 {
				without++
			}
			continue
		}
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			im.tell("%s", err)
			without++
		case info.IsDir():
			err = im.folder(arg)
		default:
			var n int
			if n, err = im.file(arg); n == 0 && err == nil {
				without++
			}
		}
		if err != nil && info != nil {
			return without, err
		}
	}
	return without, nil
}

// folder reads a Maildir, and moves what is stored, or any other directory with all below
// it. What is no file is left out: others may write there.
func (im *importer) folder(dir string) error {
	box, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer box.close()
	if box.isMaildir() {
		return im.maildir(box)
	}
	return fs.WalkDir(box.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			im.tell("%s", err)
		case d.Type().IsRegular():
			_, err = im.within(box, path)
			return err
		}
		return nil
	})
}

func (im *importer) maildir(box *folder) error {
	var stay strayFiles
	for _, sub := range []string{"new", "cur"} {
		names, err := box.files(sub)
		if err != nil {
			return err
		}
		for _, name := range names {
			if sub == "cur" && hasFlag(name, 'S') && !im.flags.seen {
				continue
			}
			path := filepath.Join(sub, name)
			if read, err := im.within(box, path); err != nil {
				return err
			} else if !read || im.keep {
				continue
			}
			done, err := im.move.done(box, path)
			if stay.note(err); done {
				im.moved++
			}
		}
	}
	return stay.fault(box)
}

// within reads a file of a folder, and reports whether there was one.
func (im *importer) within(box *folder, path string) (read bool, err error) {
	f, err := box.open(path)
	if err != nil {
		im.tell("%s", err)
	}
	if f == nil {
		return false, nil
	}
	defer f.Close()
	_, err = im.stream(filepath.Join(box.name, path), f)
	return true, err
}

// file reads one that was named, and returns how many reports it held.
func (im *importer) file(path string) (reports int, err error) {
	f, err := os.Open(path)
	if err != nil {
		im.tell("%s", err)
		return 0, nil
	}
	defer f.Close()
	return im.stream(path, f)
}

// stream reads the mails of a file, or what else it is.
func (im *importer) stream(name string, in io.Reader) (reports int, err error) {
	im.files++
	im.keep = false
	box := mailbox.Reader{Stdin: in,
		Message: func(m *mailbox.Message) error {
			m.File = name
			n, err := im.one(m)
			reports += n
			return err
		},
		Unreadable: func(_ string, err error) error {
			if im.piped {
				return err
			}
			im.keep = true
			im.tell("%s: %s", name, err)
			return nil
		},
	}
	err = box.Read("-")
	return reports, err
}

// one reads a mail or file. Each has a reader of its own: what looks the same counts by
// who sent it.
func (im *importer) one(m *mailbox.Message) (reports int, err error) {
	buf := bufio.NewReaderSize(m, others.MaxHeader)
	begin, _ := buf.Peek(others.MaxHeader)
	im.name = m.Name()
	if im.proof, err = im.prove(begin); err != nil {
		return 0, err
	}
	return read.New(im, im.limits()).File(im.name, buf)
}

// maxUnpacked is the octets of all that is unpacked from one mail; ours. Anybody may send
// one, and a thousand times what true reports have would take a minute of CPU.
const maxUnpacked = 64 << 20

// limits are tighter than where somebody looks at files of their choice.
func (im *importer) limits() read.Limits {
	if im.flags.trust {
		return read.Limits{}
	}
	return read.Limits{Expanded: maxUnpacked}
}

func (im *importer) prove(begin []byte) (others.Proof, error) {
	if im.flags.trust {
		return others.Proof{Trust: state.TrustVouched, Why: "you vouch for it"}, nil
	}
	claim := others.ClaimOf(begin)
	return claim.Prove(func(id string) (seen []others.Seen, err error) {
		for end := time.Now().Add(journalWait); ; time.Sleep(journalPoll) {
			seen, err = im.find(id)
			if err != nil || len(seen) > 0 || !im.piped || !claim.Passes() || time.Now().After(end) {
				return seen, err
			}
		}
	})
}

// maxSeen is how many messages with one Message-ID are looked at; ours.
const maxSeen = 20

func (im *importer) find(id string) (seen []others.Seen, err error) {
	err = im.journal.Search(im.ctx, journal.Query{MessageID: id, Limit: maxSeen}, func(e *journal.Entry) error {
		seen = append(seen, others.Seen{AuthservID: e.Record.Outcome.AuthservID, Authors: e.Record.Evidence.DMARC})
		return nil
	})
	return seen, err
}

// Aggregate implements read.Sink.
func (im *importer) Aggregate(head *read.Aggregate, records *read.Records) error {
	o, err := im.collect.Collect(head, records, im.proof)
	if err == nil {
		err = im.state.AddOther(im.ctx, o)
	}
	what := fmt.Sprintf("report %s of %s about %s", short(head.ReportID), short(head.OrgName), short(head.Domain))
	switch {
	case errors.Is(err, state.ErrStored):
		im.again++
	case errors.Is(err, others.ErrNotKept), errors.Is(err, state.ErrFull):
		im.left++
		im.keep = im.keep || errors.Is(err, state.ErrFull)
		im.tell("%s: %s: %s", im.name, what, err)
	case err != nil:
		return err
	case o.Trust.Proven():
		im.counting++
	default:
		im.unproven++
		im.tell("%s: %s is stored and does not count: %s", im.name, what, im.proof.Why)
	}
	return nil
}

// short is a text of a report in a line.
func short(s string) string {
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return s
}

// Failure implements read.Sink. Failure reports hold addresses of people, so they are not
// stored.
func (im *importer) Failure(*read.Failure) error {
	im.failed++
	return nil
}

// Problem implements read.Sink.
func (im *importer) Problem(p read.Problem) {
	if p.Part != "" {
		p.File += " (" + p.Part + ")"
	}
	im.tell("%s: %s", p.File, p.Problem)
}

// sum tells what became of all.
func (im *importer) sum() {
	if im.told > maxImportTold {
		fmt.Fprintf(im.out, "and %d further lines\n", im.told-maxImportTold)
	}
	parts := []string{"stored " + several(im.counting+im.unproven, "report", "reports")}
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{im.unproven, "of them without proof of who sent it", "of them without proof of who sent them"},
		{im.again, "was stored already", "were stored already"}, {im.left, "left out", "left out"},
		{im.failed, "failure report, which is not stored", "failure reports, which are not stored"}, {im.moved, "file moved", "files moved"},
	} {
		if p.n > 0 {
			parts = append(parts, several(p.n, p.one, p.many))
		}
	}
	fmt.Fprintf(im.out, "%s; files: %d\n", strings.Join(parts, ", "), im.files)
}
