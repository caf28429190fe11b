package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// A panic where a configuration is read or taken up ends no daemon: SIGHUP never does.
func TestAPanicInAReloadEndsNothing(t *testing.T) {
	var said bytes.Buffer
	d := &daemon{log: slog.New(slog.NewTextHandler(&said, nil)), file: write(t, "alignd.yaml", "mode: monitor\n")} // without the configuration in force
	if s := d.reload(make(chan os.Signal)); s != nil {
		t.Errorf("ended by %v", s)
	}
	for _, want := range []string{`part="reading the configuration" panic=`, "configuration not reloaded, the old one stays", `part="the reload" panic=`} {
		if strings.Count(said.String(), want) != 1 {
			t.Errorf("want %q once, got %s", want, said.String())
		}
	}
}
