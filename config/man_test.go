package config

import (
	"os"
	"strings"
	"testing"
)

const manPage = "../docs/man/alignd.yaml.5"

// manText is the page alignd.yaml(5): defaults.yaml as it stands, so that no
// default can differ between the page and the program.
func manText() string {
	var b strings.Builder
	b.WriteString(`.\" Made from config/defaults.yaml: go test ./config -update
.Dd November 22, 2026
.Dt ALIGND.YAML 5
.Os
.Sh NAME
.Nm alignd.yaml
.Nd configuration of alignd
.Sh DESCRIPTION
The file is YAML and read strictly: an unknown key, a wrong type or a contradiction is an error that names file, line
and column. It holds only what differs from the defaults; without it alignd runs on those.
.Ic alignd config check
tells every fault at once,
.Ic alignd config show
what is in force and from where.
.Pp
Files of the folder
.Pa conf.d
beside it whose names end in .yaml belong to it; they are for entries that tools write.
They are read after it in the order of their names.
Lists grow by what they say; any other option has one place, and a second one is an error that names both.
Hidden files and those that editors leave are not looked at; one that cannot be read is an error.
Relative file names in all of them are those of the folder of
.Nm .
.Pp
This is every option with its default and what it does. Lines that begin with a number sign and two blanks or more are
examples of entries.
.Bd -literal
`)
	for line := range strings.Lines(string(defaultText)) {
		line = strings.ReplaceAll(line, `\`, `\e`)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		b.WriteString(line)
	}
	b.WriteString(".Ed\n.Sh SEE ALSO\n.Xr alignd 8\n")
	return b.String()
}

func TestTheManPageShowsTheDefaults(t *testing.T) {
	if *update {
		if err := os.WriteFile(manPage, []byte(manText()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != manText() {
		t.Errorf("%s is not what defaults.yaml makes of it; run go test ./config -update", manPage)
	}
}
