package config

import (
	"fmt"
	"slices"
)

// File is a file that a configuration was read from.
type File struct {
	Name string
	// Written is how much stands in it: keys with a value, or addresses.
	Written int
	kind    fileKind
}

// fileKind is what a file holds.
type fileKind int

const (
	configurationFile fileKind = iota
	exceptionsFile
	recipientsFile
	dropInFile
)

func (c *Config) note(name string, kind fileKind, written int) {
	c.Files = append(c.Files, File{Name: name, Written: written, kind: kind})
}

// meant is what to write where a file shall hold nothing.
var meant = map[fileKind]string{
	configurationFile: "write \"mode: enforce\" if the defaults are meant",
	exceptionsFile:    "write \"exceptions: []\" if there shall be none",
	dropInFile:        "take the file away if nothing shall stand in it",
	recipientsFile:    "take the profile's file out if there shall be none",
}

// Emptied are the files of the configuration before that held something and now
// hold nothing, or comments only: a full disk, a slip or a template that failed
// leaves such a file, and the defaults, or no exceptions, would take its place.
// A file that was empty before is none, so one that was never filled may stay so.
func (c *Config) Emptied(before *Config) Problems {
	var all Problems
	for _, f := range c.Files {
		had := slices.ContainsFunc(before.Files, func(b File) bool { return b.Name == f.Name && b.Written > 0 })
		if had && f.Written == 0 {
			all = append(all, Problem{Position{File: f.Name, Line: 1, Column: 1},
				fmt.Sprintf("the file is empty or holds comments only, and it did not before; %s", meant[f.kind])})
		}
	}
	return all
}

// Empty are the files that hold nothing, or comments only. They can be read, and
// Emptied refuses them where they held something before.
func (c *Config) Empty() Problems {
	var all Problems
	for _, f := range c.Files {
		if f.Written == 0 && f.Name != "" { // without a name: it is absent
			all = append(all, Problem{Position{File: f.Name, Line: 1, Column: 1},
				fmt.Sprintf("the file is empty or holds comments only; if it held something before, a reload refuses it: %s", meant[f.kind])})
		}
	}
	return all
}
