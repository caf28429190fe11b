// Command compare has other filters and alignd judge the messages of
// testdata/cases, and writes what each said into docs/compare.md.
//
//	compare -alignd BINARY [-mox BINARY] [-write FILE] [-only REGEXP]
//
// opendkim with opendmarc, and rspamd, are those that are installed; what is not is
// marked "not run". Each filter gets the messages over the milter protocol as Postfix
// would hand them over, with the client's address of the case, and asks a name server
// that knows the case's zone. As they look for it in /etc/resolv.conf and at port 53,
// all of it runs in namespaces of its own (network, mounts, processes), which needs root and
// reaches nothing outside.
//
// Exit status: 0 when the table was written, 1 when something could not be run.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"alignd/e2e/cases"
)

// dnsAddr is where the name server is in the namespace.
const dnsAddr = "127.0.0.53"

type options struct {
	alignd, mox, write, only, root string
	inside                         bool
}

func main() {
	var o options
	flag.StringVar(&o.alignd, "alignd", "build/alignd", "the alignd to run")
	flag.StringVar(&o.mox, "mox", "", "program of e2e/compare/mox; without it mox is not run")
	flag.StringVar(&o.write, "write", "", "the page whose table is written anew; without it the table is printed")
	flag.StringVar(&o.only, "only", "", "regular expression of the names of cases")
	flag.StringVar(&o.root, "cases", "testdata/cases", "folder of the cases")
	flag.BoolVar(&o.inside, "inside", false, "what compare calls itself with in the namespaces")
	flag.Parse()
	run := outside
	if o.inside {
		run = func() error { return inside(o) }
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

// outside starts this program again in namespaces of its own.
func outside() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The process namespace takes along what the filters start by themselves, however this ends.
	args := append([]string{"-n", "-m", "-p", "-f", "--mount-proc", "--kill-child", self, "-inside"}, os.Args[1:]...)
	cmd := exec.Command("unshare", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// inside runs all filters over all cases.
func inside(o options) error {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := ownNetwork(dir); err != nil {
		return err
	}
	all, err := chosen(o)
	if err != nil {
		return err
	}
	filters, err := installed(o, dir)
	if err != nil {
		return err
	}
	rows, err := judge(all, filters)
	if err != nil {
		return err
	}
	text := page(rows, filters)
	if o.write == "" {
		fmt.Print(text)
		return nil
	}
	return replaceTable(o.write, text)
}

// ownNetwork brings up loopback and has /etc/resolv.conf name our server.
func ownNetwork(dir string) error {
	conf := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver "+dnsAddr+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"mount", "--make-rprivate", "/"},
		{"mount", "--bind", conf, target},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return nil
}

func chosen(o options) ([]*cases.Case, error) {
	all, err := cases.Load(o.root)
	if err != nil || o.only == "" {
		return all, err
	}
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	var some []*cases.Case
	for _, c := range all {
		if pattern.MatchString(c.Name) {
			some = append(some, c)
		}
	}
	return some, nil
}
