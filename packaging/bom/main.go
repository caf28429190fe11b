// Command bom tells what a binary of Go was made of, from the binary itself, which
// holds what go version -m prints.
//
//	bom licenses BINARY             the licence of each module, and of Go
//	bom cyclonedx BINARY VERSION    a bill of materials, CycloneDX 1.5
//
// It reads the licences from the module cache and asks no one. The same binary gives
// the same bytes.
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bom:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	if len(args) < 2 {
		return errUsage
	}
	info, err := buildinfo.ReadFile(args[1])
	switch {
	case err != nil:
		return err
	case args[0] == "licenses" && len(args) == 2:
		return licenses(w, info)
	case args[0] == "cyclonedx" && len(args) == 3:
		return cyclonedx(w, info, args[2])
	}
	return errUsage
}

var errUsage = errors.New("usage: bom licenses BINARY | cyclonedx BINARY VERSION")

// modules are those that the binary holds code of, besides its own. A replaced one
// is what replaces it.
func modules(info *debug.BuildInfo) []*debug.Module {
	var all []*debug.Module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, m)
	}
	return all
}

// licenses prints the texts that must come with a copy of each module.
func licenses(w io.Writer, info *debug.BuildInfo) error {
	root, err := goSays("env", "GOROOT")
	if err != nil {
		return err
	}
	if err := texts(w, "Go and its standard library, "+info.GoVersion, root); err != nil {
		return err
	}
	for _, m := range modules(info) {
		dir, err := goSays("list", "-m", "-f", "{{.Dir}}", m.Path+"@"+m.Version)
		if err != nil {
			return err
		}
		if err := texts(w, m.Path+" "+m.Version, dir); err != nil {
			return err
		}
	}
	return nil
}

// texts prints the licence and notices of what lies in dir; none is an error.
func texts(w io.Writer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !isLicense(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = true
		title := name + ": " + e.Name()
		if _, err := fmt.Fprintf(w, "%s\n%s\n\n%s\n\n", title, strings.Repeat("=", len(title)), strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", name, dir)
	}
	return nil
}

// isLicense tells from its name whether a file must come with a copy.
func isLicense(file string) bool {
	name, _, _ := strings.Cut(strings.ToUpper(file), ".")
	name, _, _ = strings.Cut(name, "-")
	return slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "PATENTS", "UNLICENSE"}, name)
}

func goSays(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
