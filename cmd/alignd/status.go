package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// ended ends a command with an exit status of its own. err is told, where there is one.
type ended struct {
	status int
	err    error
}

func (e ended) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e ended) Unwrap() error { return e.err }

// unknownFlags has wrong flags end with UNKNOWN, as 1 and 2 have a meaning of their own
// for monitoring.
func unknownFlags(_ *cobra.Command, err error) error { return ended{exitUnknown, err} }

// unknownArgs does so for arguments.
func unknownArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return ended{exitUnknown, errors.New(err.Error())}
		}
		return nil
	}
}
