package judge

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"alignd/authres"
	"alignd/evidence"
	"alignd/policy"
)

// reader has Python's authres read one field value a line and write what it
// understood as JSON.
const reader = `
import authres, json, sys
context = authres.all_features()
for line in sys.stdin:
    field = context.parse("Authentication-Results: " + json.loads(line))
    print(json.dumps([field.authserv_id, [
        [r.method, r.result, r.reason or "", [[p.type, p.name, p.value] for p in r.properties]]
        for r in field.results]]))
`

// flat is what a field says, in the shape that reader writes.
func flat(t *testing.T, text string) any {
	t.Helper()
	read, err := authres.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	results := []any{}
	for _, r := range read.Results {
		props := []any{}
		for _, p := range r.Properties {
			props = append(props, []any{p.Type, p.Name, p.Value})
		}
		results = append(results, []any{r.Method, r.Result, r.Reason, props})
	}
	return []any{read.ServID, results}
}

// bare leaves the backslashes out of every text in v: the other reader does not
// undo quoted-pairs.
func bare(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, `\`, "")
	case []any:
		for i := range v {
			v[i] = bare(v[i])
		}
	}
	return v
}

// A reader of other origin takes from our fields what we do.
func TestResultsReadByAnotherReader(t *testing.T) {
	python := ""
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import authres").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("left out: reading by another parser (needs python3-authres; make test installs it)")
	}
	six, null, unsigned, noFrom := full(), full(), full(), full()
	six.Client.Peer = netip.MustParseAddr("2001:db8::1")
	six.ARC.Result = evidence.Fail // the other reader loses a quoted value that another property follows
	null.MailFrom, null.MailFromDomain, null.SPF.MailFrom = "", "", nil
	unsigned.DKIM, unsigned.ARC = nil, evidence.ARC{Result: evidence.None}
	noFrom.From, noFrom.DMARC = evidence.From{Problem: evidence.FromMissing}, nil
	messages := []evidence.Message{full(), six, null, unsigned, noFrom}
	// What a sender writes as he likes.
	for _, text := range []string{"", "a b", `"`, `\`, "(", ")", ";", "a; spf=pass", "x=y", "dkim=pass", "\r\nX: y", "\x00", "\xff", "ü", ",", "()", `\"`, "reason=", strings.Repeat("x", 600)} {
		ev := full()
		ev.DKIM[0].B = text
		if text != "dkim=pass" { // would be quoted, and the other reader loses what is quoted and not last
			ev.DKIM[0].Identity = text + "@example.com"
		}
		ev.DKIM[1].Reason, ev.ARC.Reason, ev.ARC.Sets[0].SealDomain = text, text, text
		ev.SPF.MailFrom.Result, ev.SPF.MailFrom.Reason = evidence.PermError, text
		messages = append(messages, ev)
	}
	var lines bytes.Buffer
	var want []any
	var texts []string
	for i := range messages {
		v := policy.Verdict{Evaluation: min(len(messages[i].DMARC), 1)}
		h := results("mx.example.net", &messages[i], &v)
		for _, text := range []string{h.Unfolded(), strings.ReplaceAll(h.Format(), "\n", "\r\n")} {
			line, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
			texts, want = append(texts, text), append(want, flat(t, text))
		}
	}
	cmd := exec.Command(python, "-c", reader)
	cmd.Stdin = &lines
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("authres: %v\n%s", err, complaint.String())
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, text := range texts {
		var read any
		if i >= len(got) || json.Unmarshal([]byte(got[i]), &read) != nil {
			t.Fatalf("not read: %s", text)
		}
		if !reflect.DeepEqual(bare(read), bare(want[i])) {
			t.Errorf("%s\nread as %v\nwant    %v", text, read, want[i])
		}
	}
	t.Logf("%d fields", len(texts))
}
