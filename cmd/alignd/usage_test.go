package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestFaultsOfACommandLineAreToldInPlainWords(t *testing.T) {
	for _, row := range []struct {
		name   string
		line   string
		status int // 2 where it is not given
		want   string
	}{
		{name: "a flag that does not exist", line: "check --colour m", want: "check has no flag --colour (see alignd check --help)"},
		{name: "a slip in a flag", line: "check --mailfrom=a m", want: "check has no flag --mailfrom, did you mean --mail-from? (see alignd check --help)"},
		{name: "one dash instead of two", line: "check -zone z m", want: "check has no flag -zone, did you mean --zone? (see alignd check --help)"},
		{name: "a letter that does not exist", line: "check -z m", want: "check has no flag -z (see alignd check --help)"},
		{name: "a flag of another command", line: "serve --zone z", want: "serve has no flag --zone (see alignd serve --help)"},
		{name: "a flag without a command", line: "--config=f", want: "alignd has no flag --config (see alignd --help)"},
		{name: "a flag that is badly written", line: "check --=x m", want: `"--=x" is not how a flag is written, --name or --name=value (see alignd check --help)`},
		{name: "a value that is missing", line: "check m --ip",
			want: "--ip needs a value: address of the SMTP client; without it SPF is none (see alignd check --help)"},
		{name: "a wrong truth value", line: "check --json=maybe m", want: `--json "maybe" is neither true nor false, --json alone is true (see alignd check --help)`},
		{name: "a wrong address", line: "check --ip mx.here.test m", want: `--ip "mx.here.test" is no IP address`},
		{name: "a wrong word", line: "check --mbox old m", want: `--mbox "old" is none of mboxrd, mboxo, mboxcl`},
		{name: "a wrong time", line: "check --now yesterday m", want: `--now "yesterday" is neither RFC 3339 (2026-11-02T10:00:00Z) nor seconds since 1970`},
		{name: "flags that exclude each other", line: "check --dns 127.0.0.1 --zone z m", want: "--dns and --zone exclude each other, give one of them (see alignd check --help)"},
		{name: "no message", line: "check", want: "name a message file, a folder of them, or - for standard input (see alignd check --help)"},
		{name: "no domain", line: "spf", want: "name a domain (see alignd spf --help)"},
		{name: "no report", line: "report show", want: "name a file, a directory, or - for standard input (see alignd report show --help)"},
		{name: "a slip in a command", line: "chekc m", want: `alignd has no command "chekc", did you mean check? (see alignd --help)`},
		{name: "a slip in a command below another", line: "config chek", want: `config has no command "chek", did you mean check? (see alignd config --help)`},
		{name: "a command that takes nothing", line: "serve now", want: `serve takes no argument, but there is "now" (see alignd serve --help)`},
		{name: "one configuration to compare", line: "config diff a", want: "name two configurations, A and B, not 1 (see alignd config diff --help)"},
		{name: "too much", line: "reload 12 13", want: `reload takes one argument, but behind "12" there is "13" (see alignd reload --help)`},
		{name: "no process", line: "reload daemon", want: `"daemon" is not the number of a process`},
		{name: "help for a slip", line: "help config shwo", want: `config has no command "shwo", did you mean show? (see alignd config --help)`},
		{name: "a wrong number", line: "log --limit many", want: `--limit "many" is no number (see alignd log --help)`},
		{name: "no message of the journal", line: "explain", want: "name one message: its queue id, token or Message-ID (see alignd explain --help)"},
		{name: "completion for no shell", line: "completion", want: "say for which shell: completion bash, zsh, fish or powershell"},
		{name: "completion for a slip", line: "completion bahs", want: `completion has no command "bahs", did you mean bash? (see alignd completion --help)`},
		{name: "control characters are not printed", line: "check --a\x1b[2J m", want: `check has no flag --a?[2J (see alignd check --help)`},
		// 1 and 2 are findings there.
		{name: "probe, for monitoring", line: "probe --timeout soon", status: 3, want: `--timeout "soon" is no duration such as 500ms, 5s or 2m (see alignd probe --help)`},
		{name: "probe of two places", line: "probe a b", status: 3, want: `probe takes one argument, but behind "a" there is "b" (see alignd probe --help)`},
		{name: "reports of two domains", line: "report send a.example b.example", want: `report send takes one argument, but behind "a.example" there is "b.example" (see alignd report send --help)`},
		{name: "doctor, flags that exclude each other", line: "doctor --dns 127.0.0.1 --offline", status: 3,
			want: "--dns and --offline exclude each other, give one of them (see alignd doctor --help)"},
		{name: "doctor, an argument", line: "doctor now", status: 3, want: `doctor takes no argument, but there is "now" (see alignd doctor --help)`},
	} {
		t.Run(row.name, func(t *testing.T) {
			want := outcome{status: max(row.status, exitUsage), stderr: "alignd: " + row.want + "\n"}
			if got := alignd(t, "", strings.Fields(row.line)...); got != want {
				t.Errorf("alignd %s: got %+v, want %+v", row.line, got, want)
			}
		})
	}
}

// Each command has one line with a hint for a flag that it does not have, and for
// each of its flags without a value or with a wrong one.
func TestEachFlagTellsWhatIsWrongInOneLine(t *testing.T) {
	flags := 0
	each(command(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		lines := []string{"--no-such-flag"}
		c.InheritedFlags()
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			if f.Value.Type() == "bool" {
				lines = append(lines, "--"+f.Name+"=perhaps")
				return
			}
			lines = append(lines, "--"+f.Name)
			if kind := f.Value.Type(); kind == "duration" || kind == "int" {
				lines = append(lines, "--"+f.Name+"=perhaps")
			}
		})
		for _, flag := range lines {
			got := alignd(t, "", append(path[:len(path):len(path)], flag)...)
			status := exitUsage
			if own, ok := ownUsageStatus[c.Name()]; ok {
				status = own
			}
			if got.status != status || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 ||
				!strings.HasSuffix(got.stderr, " (see "+c.CommandPath()+" --help)\n") || strings.Contains(got.stderr, "strconv") {
				t.Errorf("%s %s: %+v", c.CommandPath(), flag, got)
			}
		}
	})
	if flags < 40 {
		t.Errorf("only %d flags were found", flags)
	}
}

// each calls do with a command and all below it.
func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, below := range c.Commands() {
		each(below, do)
	}
}
