package explain

import (
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/journal"
	"alignd/policy"
	"alignd/record"
)

// A client may be unknown to the MTA too, as where mail is submitted on the host itself.
func TestWhyTheClientIsUnknown(t *testing.T) {
	unfound := evidence.Client{Unknown: true, Relay: "gw"}
	for _, row := range []struct {
		name   string
		client evidence.Client
		past   bool
		want   string
	}{
		{name: "a message of the command line", want: "unknown: no --ip was given"},
		{name: "a past message", past: true, want: "unknown: the MTA told no address"},
		{name: "a past message behind a relay", client: unfound, past: true, want: "unknown: not found behind the trusted relay"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &record.Record{Evidence: evidence.Message{Client: row.client}}
			e := New(&r.Evidence, &r.Verdict)
			e.Section("Message")
			e.From()
			list := e.Sections()
			if row.past {
				list = Record(&journal.Entry{Record: r}, policy.Defaults(), "")
			}
			var b strings.Builder
			if err := Write(&b, list); err != nil {
				t.Fatal(err)
			}
			if text := b.String(); !strings.Contains(text, row.want) || strings.Count(text, "  client ") != 1 {
				t.Errorf("%q is missing in\n%s", row.want, text)
			}
		})
	}
}
