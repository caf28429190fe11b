package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"alignd/internal/mailbox"
	"alignd/report/read"
)

func reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "Read the DMARC reports of others, and send our own",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to do: report show, import, preview, status, mail, send, bounce, release or dns")
		},
	}
	c.AddCommand(reportShowCommand(), reportImportCommand(), reportPreviewCommand(), reportStatusCommand(), reportMailCommand(), reportSendCommand(), reportBounceCommand(), reportReleaseCommand(), reportDNSCommand())
	return c
}

// showMemory is how much the runtime may take before it collects what is not used any more: with
// the program itself that is below 64 MiB, also where texts are as long as the bounds allow.
const showMemory = 18 << 20

func reportShowCommand() *cobra.Command {
	var asJSON bool
	by := "source"
	c := &cobra.Command{
		Use:   "show [--json] [--by source|day|reporter|domain] FILE...|-",
		Short: "Show the DMARC reports in files",
		Long: `Show the DMARC reports in files, or on standard input (-).

A file may be XML, gzip, zip, a mail with a report attached, or a directory of such
files (a Maildir, say). What it is is told by its content. Aggregate reports (RFC
9990, RFC 7489) are added up; failure reports (RFC 9991, RFC 6591) are listed.

Exit status 0 when every file gave a report, 1 when one gave none.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a file, a directory, or - for standard input (%s)", help(c))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), showMemory)))
			out := bufio.NewWriter(c.OutOrStdout())
			var show reportSink
			if asJSON {
				show = newReportJSON(out)
			} else {
				table, err := newReportTable(out, by)
				if err != nil {
					return err
				}
				show = table
			}
			without, err := showReports(show, args, c.InOrStdin())
			if err == nil {
				err = errors.Join(show.end(), out.Flush())
			}
			switch {
			case err != nil:
				return failure{err}
			case without > 0:
				return failure{fmt.Errorf("files without a report: %d", without)}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object instead of tables")
	c.Flags().StringVar(&by, "by", by, "what the table is added up by: source, day, reporter or domain")
	return c
}

// reportSink shows what is read.
type reportSink interface {
	read.Sink
	// end writes what had to wait.
	end() error
}

// isFile reports whether a path, or what a link leads to, is none of those that may be waited
// for without end, as a pipe is. What cannot be looked at is told when it is opened.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) == 0
}

// showReports reads all files and counts those without a report.
func showReports(show reportSink, args []string, stdin io.Reader) (without int, err error) {
	x := reportReading{show: show, reader: read.New(show, read.Limits{})}
	for _, arg := range args {
		if arg == "-" {
			err = x.file("-", stdin)
		} else {
			err = x.below(arg)
		}
		if err != nil {
			break
		}
	}
	return x.without, err
}

// reportReading reads files one after the other.
type reportReading struct {
	show    reportSink
	reader  *read.Reader
	without int // files without a report
}

// file reads one file: a report, a mail, or a mailbox.
func (x *reportReading) file(name string, in io.Reader) error {
	n := 0
	box := mailbox.Reader{Stdin: in,
		Message: func(m *mailbox.Message) error {
			m.File = name
			more, err := x.reader.File(m.Name(), m)
			n += more
			return err
		},
		Unreadable: func(_ string, err error) error {
			x.problem(name, err.Error())
			return nil
		},
	}
	err := box.Read("-")
	if n == 0 {
		x.without++
	}
	return err
}

// below reads a file, or all files below a directory.
func (x *reportReading) below(root string) error {
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return nil
		}
		files++
		var f *os.File
		if err == nil && path != root && !isFile(path) {
			err = errors.New("not a file")
		}
		if err == nil {
			f, err = os.Open(path)
		}
		if err != nil { // it cannot be read: a file without a report
			x.problem(path, err.Error())
			x.without++
			return nil
		}
		defer f.Close()
		return x.file(path, f)
	})
	if err == nil && files == 0 {
		x.problem(root, "a directory without files")
		x.without++
	}
	return err
}

func (x *reportReading) problem(file, what string) {
	x.show.Problem(read.Problem{File: file, Problem: what})
}
