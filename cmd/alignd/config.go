package main

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alignd/config"
	"alignd/filter/milter"
	"alignd/replay"
)

// readConfig reads a configuration for the daemon, for a reload and for config check
// alike, so that what one of them takes the others take: it also asks the parts of
// the daemon that are made from it.
func readConfig(in config.Input) (*config.Config, error) {
	cfg, err := in.Load()
	if err != nil {
		return nil, err
	}
	var wrong config.Problems
	for i, text := range cfg.PreviewLimit {
		if _, err := replay.ParseBound(text); err != nil {
			option := fmt.Sprintf("preview_limit[%d]", i)
			wrong = append(wrong, config.Problem{Position: cfg.Where(option), Text: option + ": " + err.Error()})
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	unused := func(*milter.Conn) milter.Session { return nil }
	if _, err := milter.New(milterOptions(cfg, unused, slog.New(slog.DiscardHandler))); err != nil {
		return nil, err
	}
	return cfg, nil
}

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check, show or compare configurations, print the default one, or make one of another filter's",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("say which: config check [FILE], config show [FILE], config diff A B, config import FILE... or config defaults")
		},
	}
	c.AddCommand(configCheckCommand(), configShowCommand(), configDiffCommand(), configImportCommand(), &cobra.Command{
		Use:   "defaults",
		Short: "Print every option with its default and what it does",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.DefaultText())
			return err
		},
	})
	return c
}

const whichFile = `Without FILE it is ` + config.DefaultFile + `, which may be absent; - is standard
input. The files of the folder conf.d beside it belong to it.`

// baseDir adds the flag --base-dir.
func baseDir(c *cobra.Command) *string {
	return c.Flags().String("base-dir", "", "folder of conf.d and of file names in the configuration (default: that of the file; of standard input the current one)")
}

// input is what a command line names.
func input(c *cobra.Command, file, base string) config.Input {
	in := config.Input{File: file, Base: base}
	if file == "-" {
		in.File, in.Text = "<stdin>", c.InOrStdin()
	}
	return in
}

func first(args []string) string { return strings.Join(args[:min(1, len(args))], "") }

func configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check [FILE|-]",
		Short: "Tell every fault of a configuration with its line",
		Long: `Tell every fault of a configuration with its line. Keys, passwords and other files
that it names and that are missing or cannot be used are warned of: a configuration
may be checked elsewhere. So are files that are empty or hold comments only, which a
reload refuses where they held something before.

` + whichFile,
		Args: atMostOne,
	}
	base := baseDir(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		in := input(c, first(args), *base)
		cfg, err := readConfig(in)
		if err != nil {
			return err
		}
		for _, w := range slices.Concat(cfg.Warnings, cfg.Empty(), fileWarnings(cfg)) {
			fmt.Fprintf(c.ErrOrStderr(), "warning: %v\n", w)
		}
		name := in.File
		if in.Text == nil {
			name = config.FileOf(in.File)
		}
		if name == "" {
			name = config.DefaultFile + " is absent, the defaults"
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", name)
		return nil
	}
	return c
}

func configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show [FILE|-]",
		Short: "Print what is in force, each value with its origin",
		Long: `Print every option as it is in force, with the origin of each value behind it:
default, or file and line. Secrets are not printed. What is printed is a
configuration that can be read.

` + whichFile,
		Args: atMostOne,
	}
	base := baseDir(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := readConfig(input(c, first(args), *base))
		if err != nil {
			return err
		}
		return cfg.Show(c.OutOrStdout())
	}
	return c
}

func configDiffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Tell what differs in effect between two configurations",
		Long: `Tell each option that has another value in B than in A, one a line: option, value
in A, value in B. Comments, order of options, files and defaults that are
written down do not count. Of secrets only the change is told. Exit status is 0
whether they differ or not. One of A and B may be -, standard input.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("name two configurations, A and B, not %d (%s)", len(args), help(c))
			}
			return nil
		},
	}
	base := baseDir(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if args[0] == "-" && args[1] == "-" {
			return fmt.Errorf("standard input can be one of the two only")
		}
		var cfg [2]*config.Config
		for i, file := range args {
			var err error
			if cfg[i], err = readConfig(input(c, file, *base)); err != nil {
				return err
			}
		}
		changes := config.Diff(cfg[0], cfg[1])
		for _, change := range changes {
			fmt.Fprintln(c.OutOrStdout(), change)
		}
		if len(changes) == 0 {
			_, _ = io.WriteString(c.ErrOrStderr(), "no difference in effect\n")
		}
		return nil
	}
	return c
}

// Bounds of what is told of the changes of a reload; ours.
const (
	maxReloadChanges = 30
	maxReloadText    = 4000 // octets
)

// reloadChanges tells what a reload changed, within bounds.
func reloadChanges(before, after *config.Config) []string {
	changes := config.Diff(before, after)
	var told []string
	length := 0
	for i, change := range changes {
		text := change.String()
		if length += len(text); i == maxReloadChanges || length > maxReloadText {
			return append(told, fmt.Sprintf("and %d more", len(changes)-i))
		}
		told = append(told, text)
	}
	return told
}

// firstLines are the first faults of a configuration, for a line of the log.
func firstLines(faults string) string {
	const most = 30
	lines := strings.Split(faults, "\n")
	if len(lines) <= most {
		return faults
	}
	return strings.Join(lines[:most], "\n") + fmt.Sprintf("\nand %d more; alignd config check tells all", len(lines)-most)
}
