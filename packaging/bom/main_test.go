package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
)

// made is what a binary says of itself.
func made() *debug.BuildInfo {
	return &debug.BuildInfo{
		GoVersion: "go1.26.0",
		Path:      "alignd/cmd/alignd",
		Main:      debug.Module{Path: "alignd", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "github.com/miekg/dns", Version: "v1.1.73", Sum: "h1:abc="},
			{Path: "old.example/x", Version: "v1.0.0", Replace: &debug.Module{Path: "new.example/x", Version: "v1.0.1+incompatible"}},
		},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}},
	}
}

func TestEachModuleIsInTheBillOfMaterials(t *testing.T) {
	var out, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&out, &again} {
		if err := cyclonedx(w, made(), "1.2.3-rc1"); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != again.String() {
		t.Error("the same binary gave two bills")
	}
	var doc document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if c := doc.Metadata.Component; c.Name != "alignd" || c.Version != "1.2.3-rc1" || len(c.Properties) != 1 {
		t.Errorf("the subject is %+v", c)
	}
	var purls []string
	for _, c := range doc.Components {
		purls = append(purls, c.PURL)
	}
	const want = "pkg:golang/std@1.26.0 pkg:golang/github.com/miekg/dns@v1.1.73 pkg:golang/new.example/x@v1.0.1%2Bincompatible"
	if got := strings.Join(purls, " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestWhichFilesAreLicences(t *testing.T) {
	for _, row := range []struct {
		file string
		want bool
	}{
		{file: "LICENSE", want: true},
		{file: "LICENSE.md", want: true},
		{file: "LICENSE-SQLITE", want: true},
		{file: "COPYING.txt", want: true},
		{file: "NOTICE", want: true},
		{file: "PATENTS", want: true},
		{file: "README.md", want: false},
		{file: "license_test.go", want: false},
	} {
		if got := isLicense(row.file); got != row.want {
			t.Errorf("%s: got %v, want %v", row.file, got, row.want)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{}, {"licenses"}, {"licenses", "/nonexistent"}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
