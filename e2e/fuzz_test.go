package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGo stands in for the go command: what it says of a target is in the file
// with the target's name.
const fakeGo = `#!/bin/sh
while [ "$1" != -fuzz ]; do shift; done
name=${2#^}
. "$ANSWERS/${name%$}"
`

// What e2e/fuzz makes of the ways in which go test can end.
func TestFuzzRunsAllTargetsAndTellsFindingsFromALateEnd(t *testing.T) {
	script, err := filepath.Abs("fuzz")
	if err != nil {
		t.Fatal(err)
	}
	const progress = "echo 'fuzz: elapsed: 0s, gathering baseline coverage: 0/9 completed'\necho 'fuzz: elapsed: 3s, execs: 4 (1/sec), new interesting: 0 (total: 9)'\n"
	const late = progress + "echo '--- FAIL: FuzzA (3.01s)'\necho '    context deadline exceeded'\necho FAIL\necho 'exit status 1'\necho 'FAIL	alignd/a	3.02s'\nexit 1\n"
	const good = progress + "echo PASS\nexit 0\n"
	for _, tt := range []struct {
		name, answer string // to the first of two targets
		found        bool
	}{
		{name: "nothing found", answer: good},
		{name: "a late end is no finding", answer: late},
		{name: "an input that fails",
			answer: "echo '--- FAIL: FuzzA (0.1s)'\necho '    --- FAIL: FuzzA (0.00s)'\necho '        a_test.go:9: wrong'\necho '    Failing input written to testdata/fuzz/FuzzA/1'\nexit 1\n",
			found:  true},
		{name: "an input that takes too long, then a late end",
			answer: strings.Replace(late, "echo FAIL", "echo '    Failing input written to testdata/fuzz/FuzzA/1'\necho FAIL", 1),
			found:  true},
		{name: "an input written without a word", answer: "mkdir -p a/testdata/fuzz/FuzzA\n: > a/testdata/fuzz/FuzzA/1\n" + late, found: true},
		{name: "a test that says the same words of its own", answer: strings.Replace(late, "    context", "    a_test.go:9: context", 1), found: true},
		{name: "a package that does not build",
			answer: "echo '# alignd/a'\necho 'a_test.go:3: undefined: x'\necho 'FAIL	alignd/a [build failed]'\nexit 1\n",
			found:  true},
		{name: "a go command that cannot be run", answer: "exit 127\n", found: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"bin/go": fakeGo, "answers/FuzzA": tt.answer, "answers/FuzzB": good,
				"tree/a/a_test.go": "package a\n\nfunc FuzzA(f *testing.F) {}\n",
				"tree/b/b_test.go": "package b\n\nfunc FuzzB(f *testing.F) {}\n",
			} {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(script, "1s")
			cmd.Dir = filepath.Join(dir, "tree")
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "ANSWERS="+filepath.Join(dir, "answers"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != tt.found || strings.Contains(string(out), "these failed:\n  ./a/a_test.go FuzzA\n") != tt.found {
				t.Errorf("got %v, want a finding: %t\n%s", err, tt.found, out)
			}
			if !strings.Contains(string(out), "./b/b_test.go FuzzB\n") {
				t.Errorf("the second target did not run\n%s", out)
			}
		})
	}
}
