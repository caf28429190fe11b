package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"alignd/config"
)

// plainUsage has each fault of a command line told in one plain line with a hint, by
// root and all commands below it.
func plainUsage(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return wrongUsage(c, plainFlag(c, err))
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			c.Args, c.RunE = noArgs, func(c *cobra.Command, _ []string) error {
				return wrongUsage(c, errors.New("say for which shell: completion bash, zsh, fish or powershell"))
			}
			for _, shell := range c.Commands() {
				shell.Args = noArgs
			}
		case "help":
			show := c.Run
			c.Args = func(c *cobra.Command, args []string) error {
				if of, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return noArgs(of, rest)
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, args []string) error { show(c, args); return nil }
		}
	}
}

// ownUsageStatus names the commands whose statuses 1 and 2 have a meaning of their own:
// for monitoring what was asked wrongly is UNKNOWN, and of replay a slip in a bound is
// no bound that is exceeded.
var ownUsageStatus = map[string]int{"probe": exitUnknown, "doctor": exitUnknown, "replay": exitFailure}

// wrongUsage ends c with the status that it has for wrong usage.
func wrongUsage(c *cobra.Command, err error) error {
	if status, own := ownUsageStatus[c.Name()]; own {
		return ended{status, err}
	}
	return err
}

// named is a command as its own errors call it, behind "alignd: ".
func named(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "alignd ") }

// help is where a command tells what it takes.
func help(c *cobra.Command) string { return fmt.Sprintf("see %s --help", c.CommandPath()) }

// plainFlag says what pflag found wrong.
func plainFlag(c *cobra.Command, err error) error {
	var (
		none    *pflag.NotExistError
		value   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &none):
		name := "--" + none.GetSpecifiedName()
		slip := none.GetSpecifiedName()
		if letters := none.GetSpecifiedShortnames(); letters != "" {
			name, slip = "-"+letters, letters
		}
		return fmt.Errorf("%s has no flag %s%s (%s)", named(c), printable(name), meantFlag(c, slip), help(c))
	case errors.As(err, &value):
		f := value.GetFlag()
		return fmt.Errorf("--%s needs a value: %s (%s)", f.Name, f.Usage, help(c))
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return fmt.Errorf("--%s %q %s (%s)", f.Name, invalid.GetValue(), wanted(f), help(c))
	case errors.As(err, &syntax):
		return fmt.Errorf("%q is not how a flag is written, --name or --name=value (%s)", syntax.GetSpecifiedFlag(), help(c))
	}
	return fmt.Errorf("%s (%s)", printable(err.Error()), help(c))
}

// wanted says what a value is not, by the kind of flag. Text takes any value.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return fmt.Sprintf("is neither true nor false, --%s alone is true", f.Name)
	case "duration":
		return "is no duration such as 500ms, 5s or 2m"
	}
	return "is no number"
}

// meantFlag asks for the flag that name is a slip of.
func meantFlag(c *cobra.Command, name string) string {
	name, _, _ = strings.Cut(name, "=")
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, strings.ReplaceAll(f.Name, "-", "_")) })
	if near := config.Nearest(name, known); near != "" {
		return ", did you mean --" + strings.ReplaceAll(near, "_", "-") + "?"
	}
	return ""
}

// noArgs is for commands that take nothing but other commands, or nothing at all.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !c.HasAvailableSubCommands() {
		return wrongUsage(c, fmt.Errorf("%s takes no argument, but there is %q (%s)", named(c), args[0], help(c)))
	}
	var known []string
	for _, below := range c.Commands() {
		known = append(known, below.Name())
	}
	meant := ""
	if near := config.Nearest(args[0], known); near != "" {
		meant = ", did you mean " + near + "?"
	}
	return wrongUsage(c, fmt.Errorf("%s has no command %q%s (%s)", named(c), args[0], meant, help(c)))
}

// atMostOne is for commands with one argument that may be left out.
func atMostOne(c *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return wrongUsage(c, fmt.Errorf("%s takes one argument, but behind %q there is %q (%s)", named(c), args[0], args[1], help(c)))
}

// exactlyOne is for commands with one argument: what is what they ask for where it is
// missing, valid, if not nil, whether it will do.
func exactlyOne(what string, valid func(arg string) bool) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 || valid != nil && !valid(args[0]) {
			return fmt.Errorf("name one %s (%s)", what, help(c))
		}
		return nil
	}
}

func notEmpty(arg string) bool { return arg != "" }

// configFlag adds the flag that names the configuration.
func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "config", "", "configuration file (default "+config.DefaultFile+", if it exists)")
}

// several says how many there are of what, one or many.
func several(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// notBoth forbids two flags together.
func notBoth(c *cobra.Command, a, b string) {
	c.MarkFlagsMutuallyExclusive(a, b) // completion then leaves the other out
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if c.Flags().Changed(a) && c.Flags().Changed(b) {
			return wrongUsage(c, fmt.Errorf("--%s and --%s exclude each other, give one of them (%s)", a, b, help(c)))
		}
		if before != nil {
			return before(c, args)
		}
		return nil
	}
}
