// Command alignd verifies inbound mail between Postfix or Sendmail and the
// mailbox: SPF, DKIM, ARC and DMARC, as one milter.
//
// The filter:
//
//	alignd serve                    run it
//	alignd reload                   have it read its configuration again, and tell what became of it
//	alignd probe [ADDRESS]          send a message through it, for monitoring
//	alignd doctor                   say what is wrong around it, and the line that cures it
//
// The configuration:
//
//	alignd config check [FILE]      tell what is wrong with one
//	alignd config show [FILE]       print what is in force, with the origin of each value
//	alignd config defaults          print the whole default configuration, annotated
//	alignd config diff A B          tell what differs in effect between two
//	alignd config import FILE...    make one of those of opendmarc, opendkim and others
//	alignd rollout status           show which stages of rollouts are stopped; resume ID
//
// Mail, past and to come:
//
//	alignd check MESSAGE            explain what the filter would say of a message
//	alignd dmarc|spf|dkim NAME      show what a domain publishes, and what is wrong with it
//	alignd log                      list what became of past messages
//	alignd explain ID               explain what became of one, and why
//	alignd stats                    count what became of mail, today against yesterday
//	alignd sources [DOMAIN]         tell who sends as a domain, and how much of it passes
//	alignd replay --config NEW      judge past messages again under another configuration
//	alignd journal status           tell what the journal holds; export, import, self-test, backup, pseudonym
//	alignd web                      serve pages that show the journal; web passwd NAME
//	alignd report show FILE         show the DMARC reports that others send
//	alignd report status            tell where our own stand; preview, send, bounce, dns
//	alignd completion SHELL         print what makes a shell complete calls of alignd
//
// Exit status: 0 done; 1 the daemon failed at its work; 2 wrong usage,
// unreadable input or a faulty configuration. probe, doctor and replay have their own.
//
// # Names of files
//
// A command is in the file of its name, with what belongs to it in files that begin with
// that name. Of the daemon there are besides
//
//	servereload, preview    a reload, and what it would change
//	servejournal            its journal; selftestrun: records judged again now and then
//	sockets, vanished       sockets of systemd and its own, and those whose file is gone
//	descriptors, watchdog   how many connections there may be; signs of life
//	expiry, metrics         entries that end; what Prometheus is told
//	wire, hosttold          settings of a configuration; what a host tells of itself
//
// follow is alignd log --follow, elsewhere the reports of others in sources and stats, maildir
// the folders of report import. usage, printable, patience and unread serve several commands.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the Makefile (-ldflags -X main.version=...).
var version = "0.1.0-dev"

// Exit statuses that scripts rely on.
const (
	exitFailure = 1
	exitUsage   = 2
)

// failure is an error of alignd's own work rather than of its input.
type failure struct{ err error }

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

func main() {
	ownProcess = true
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// ownProcess is false in tests, which run commands beside each other.
var ownProcess bool

// run is one call of alignd; it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := command()
	c.SetArgs(args)
	c.SetIn(stdin)
	c.SetOut(stdout)
	c.SetErr(stderr)
	err := c.Execute()
	if err == nil {
		return 0
	}
	end := ended{}
	if !errors.As(err, &end) || end.err != nil {
		fmt.Fprintf(stderr, "alignd: %s\n", printableLines(err.Error()))
	}
	if end.status != 0 {
		return end.status
	}
	if f := (failure{}); errors.As(err, &f) {
		return exitFailure
	}
	return exitUsage
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "alignd",
		Short:         "Verify inbound mail: SPF, DKIM, ARC and DMARC in one milter",
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("say what to do: serve, reload, check, log, explain, replay, stats, sources, rollout, journal, dmarc, spf, dkim, report, probe, doctor, web or config (see alignd --help)")
		},
	}
	root.SetVersionTemplate("alignd {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), logCommand(), explainCommand(), replayCommand(), statsCommand(), sourcesCommand(), rolloutCommand(), journalCommand(), reloadCommand(), checkCommand(), configCommand(), reportCommand(),
		probeCommand(), doctorCommand(), webCommand())
	root.AddCommand(domainCommands()...)
	plainUsage(root)
	return root
}

func versionText() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return version + " (" + info.GoVersion + ")"
	}
	return version
}
