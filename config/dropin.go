package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dropInFolder holds further configuration files, beside the configuration: those
// that tools write, each its own. They are read in the order of their names. Lists
// grow by what they say; any other option has one place.
const dropInFolder = "conf.d"

// dropIns reads the files of a folder that may be absent. What cannot be read is a
// fault: entries that are silently not there may be those that keep mail out, or
// let it in.
func (k *checker) dropIns(folder string) {
	entries, err := os.ReadDir(folder)
	switch _, none := os.Lstat(folder); {
	case err == nil:
	case errors.Is(none, fs.ErrNotExist):
		return
	default:
		k.unreadable(folder, err)
		return
	}
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		switch {
		case isDropIn(e.Name()):
			k.dropIn(name)
		case looksLikeYAML(e.Name()):
			k.cfg.Warnings = append(k.cfg.Warnings, Problem{Position: Position{File: name}, Text: "is not read; a file of conf.d has a name that ends in .yaml"})
		}
	}
}

func (k *checker) dropIn(name string) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	var data []byte
	if err == nil {
		data, err = readFile(name, maxFile)
	}
	if err != nil {
		k.unreadable(name, err)
		return
	}
	k.read(name, dropInFile, data)
}

func (k *checker) unreadable(name string, err error) {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the name stands in front
	}
	k.problems = append(k.problems, Problem{Position: Position{File: name}, Text: "cannot be read: " + err.Error()})
}

// isDropIn tells files that count from hidden ones and what editors, package managers
// and tools leave beside them: a.yaml~, #a.yaml#, .a.yaml.swp, a.yaml.dpkg-old.
func isDropIn(name string) bool {
	return strings.HasSuffix(name, ".yaml") && name[0] != '.' && name[0] != '#'
}

// looksLikeYAML reports whether somebody may think that a file is read.
func looksLikeYAML(name string) bool {
	lower := strings.ToLower(name)
	return (strings.HasSuffix(lower, ".yml") || strings.HasSuffix(lower, ".yaml")) && name[0] != '.' && name[0] != '#'
}
