package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/evidence"
	"alignd/policy"
)

const (
	plainMessage = "From: Alice <alice@example.com>\nSubject: hello\n\nhello\n"
	plainZone    = "example.com TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n"
)

// sealed is a message with a DKIM signature and an ARC Set, its zone, and what
// else check has to be told about it.
func sealed() []string {
	dir := filepath.Join("..", "..", "testdata", "cases", "37-trusted-sealer")
	return []string{
		"check", "--config", "testdata/config.yaml", "--zone", filepath.Join(dir, "zone"), "--authserv-id", "mx.here.test",
		"--ip", "203.0.113.5", "--helo", "lists.example.org", "--mail-from", "hikers-bounces@lists.example.org",
		"--rcpt", "bob@here.test", "--now", "1764576000", filepath.Join(dir, "message.eml"),
	}
}

// contract is what scripts rely on: these keys and types stay.
const contract = `
spf.result string
spf.domain string
spf.identity string
dkim.0.result string
dkim.0.domain string
dkim.0.selector string
dkim.0.identity string
dkim.0.algorithm string
dkim.0.b string
dkim.0.reason string
arc.result string
arc.instances number
arc.oldest_pass number
arc.seals.0.instance number
arc.seals.0.domain string
arc.seals.0.selector string
arc.seals.0.cv string
dmarc.result string
dmarc.from_domain string
dmarc.policy_domain string
dmarc.policy string
dmarc.spf_aligned bool
dmarc.dkim_aligned bool
dmarc.pct number
dmarc.testing bool
disposition.action string
disposition.delivery string
disposition.requested string
disposition.rule string
disposition.reason string
disposition.override string
authentication_results string
`

func TestCheckPrintsTheContract(t *testing.T) {
	got := alignd(t, "", append(sealed(), "--json")...)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("status %d: %s", got.status, got.stderr)
	}
	if strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("not one line: %q", got.stdout)
	}
	var all any
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	typesOf(all, "", types)
	for line := range strings.Lines(strings.TrimSpace(contract)) {
		key, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if types[key] != want {
			t.Errorf("%s: got %q, want a %s", key, types[key], want)
		}
	}
	for key := range types {
		if key != strings.ToLower(key) {
			t.Errorf("key %s is not in lower case", key)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(got.stdout), "", "  "); err != nil {
		t.Fatal(err)
	}
	// Any new option changes the hash of the configuration.
	text := regexp.MustCompile(`"config": "[0-9a-f]{64}"`).ReplaceAllString(indented.String(), `"config": "(hash)"`)
	golden(t, "sealed.json", text)
}

func typesOf(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			typesOf(item, strings.TrimPrefix(path+"."+key, "."), into)
		}
	case []any:
		for i, item := range v {
			typesOf(item, fmt.Sprintf("%s.%d", path, i), into)
		}
	case string:
		into[path] = "string"
	case float64:
		into[path] = "number"
	case bool:
		into[path] = "bool"
	default:
		into[path] = fmt.Sprintf("%T", v)
	}
}

// Lists are never null, and the objects of the contract never missing, however
// little there is to say.
func TestCheckPrintsTheContractForAnEmptyMessage(t *testing.T) {
	got := alignd(t, "", "check", "--json", "--zone", write(t, "zone", ""), "-")
	var all map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("status %d, %s: %v", got.status, got.stderr, err)
	}
	types := map[string]string{}
	typesOf(all, "", types)
	for line := range strings.Lines(strings.TrimSpace(contract)) {
		key, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(key, ".0.") {
			continue
		}
		if types[key] != want {
			t.Errorf("%s: got %q, want a %s", key, types[key], want)
		}
	}
	seals := all["arc"].(map[string]any)["seals"]
	for name, list := range map[string]any{"dkim": all["dkim"], "arc.seals": seals} {
		if l, ok := list.([]any); !ok || len(l) != 0 {
			t.Errorf("%s: got %v, want []", name, list)
		}
	}
}

func TestCheckExplains(t *testing.T) {
	got := alignd(t, "", sealed()...)
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("status %d: %s", got.status, got.stderr)
	}
	golden(t, "sealed.txt", withSortedDNS(got.stdout))
}

// withSortedDNS puts the questions in one order: checks run side by side.
func withSortedDNS(text string) string {
	before, rest, _ := strings.Cut(text, "DNS\n")
	questions, after, _ := strings.Cut(rest, "\n\n")
	lines := strings.Split(questions, "\n")
	slices.Sort(lines)
	return before + "DNS\n" + strings.Join(lines, "\n") + "\n\n" + after
}

func TestCheckReadsItsInputHoweverItComes(t *testing.T) {
	zone, lf := write(t, "zone", plainZone), write(t, "message", plainMessage)
	crlf := write(t, "message", strings.ReplaceAll(plainMessage, "\n", "\r\n"))
	config := write(t, "alignd.yaml", "sampling_secret: x\n")
	common := []string{"--config", config, "--json", "--now", "1700000000", "--authserv-id", "mx.example", "--mail-from", "a@example.com", "--ip", "192.0.2.1"}
	args := func(more ...string) []string { return append(append([]string{"check"}, common...), more...) }
	want := alignd(t, "", args("--zone", zone, lf)...)
	if want.status != 0 || !strings.Contains(want.stdout, `"dmarc":{"result":"pass"`) {
		t.Fatalf("%+v", want)
	}
	for name, got := range map[string]outcome{
		"CRLF":                        alignd(t, "", args("--zone", zone, crlf)...),
		"standard input":              alignd(t, plainMessage, args("--zone", zone, "-")...),
		"flags behind the message":    alignd(t, "", append([]string{"check", lf, "--zone", zone}, common...)...),
		"flags with =":                alignd(t, "", args("--zone="+zone, lf)...),
		"a message behind --":         alignd(t, "", args("--zone", zone, "--", lf)...),
		"a path in angle brackets":    alignd(t, "", args("--zone", zone, "--mail-from", "<a@example.com>", lf)...),
		"a zone with byte order mark": alignd(t, "", args("--zone", write(t, "zone", "\ufeff"+plainZone), lf)...),
		"a zone with CRLF":            alignd(t, "", args("--zone", write(t, "zone", strings.ReplaceAll(plainZone, "\n", "\r\n")), lf)...),
		"a zone without last newline": alignd(t, "", args("--zone", write(t, "zone", strings.TrimSpace(plainZone)), lf)...),
		"an IPv4-mapped address":      alignd(t, "", args("--zone", zone, "--ip", "::ffff:192.0.2.1", lf)...),
	} {
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

// The identity is helo for the null reverse-path in each of its spellings, and
// without --ip nothing is known of the client.
func TestCheckNamesTheIdentity(t *testing.T) {
	zone := write(t, "zone", plainZone+"mail.example.com TXT \"v=spf1 ip4:192.0.2.1 -all\"\n")
	message := write(t, "message", plainMessage)
	ip := []string{"--ip", "192.0.2.1", "--helo", "mail.example.com"}
	for _, row := range []struct {
		name, want string
		args       []string
	}{
		{name: "no --mail-from", want: "pass helo mail.example.com aligned", args: ip},
		{name: "an empty one", want: "pass helo mail.example.com aligned", args: append(ip, "--mail-from", "")},
		{name: "the null reverse-path", want: "pass helo mail.example.com aligned", args: append(ip, "--mail-from", "<>")},
		{name: "an address", want: "pass mailfrom example.com aligned", args: append(ip, "--mail-from", "a@example.com")},
		{name: "a quoted local part with @", want: "pass mailfrom example.com aligned", args: append(ip, "--mail-from", `"a@b"@EXAMPLE.com.`)},
		{name: "a pass of HELO beside a MAIL FROM aligns nothing", want: "none mailfrom other.example", args: append(ip, "--mail-from", "a@other.example")},
		{name: "an address without domain", want: "none mailfrom ", args: append(ip, "--mail-from", "root")},
		{name: "no --ip", want: "none mailfrom example.com", args: []string{"--mail-from", "a@example.com"}},
		{name: "nothing", want: "none helo "},
	} {
		got := alignd(t, "", append([]string{"check", "--json", "--zone", zone, message}, row.args...)...)
		var r struct {
			SPF   spfReport   `json:"spf"`
			DMARC dmarcReport `json:"dmarc"`
		}
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
			t.Fatalf("%s: %+v", row.name, got)
		}
		text := fmt.Sprintf("%s %s %s", r.SPF.Result, r.SPF.Identity, r.SPF.Domain)
		if r.DMARC.SPFAligned {
			text += " aligned"
		}
		if text != row.want {
			t.Errorf("%s: got %q, want %q", row.name, text, row.want)
		}
	}
}

// The macros of an explanation (RFC 7208 section 7.2) take their values from
// the flags.
func TestCheckExpandsTheExplanation(t *testing.T) {
	zone := write(t, "zone", "example.com TXT \"v=spf1 -all exp=why.example.com\"\nwhy.example.com TXT \"%{l} %{h} %{c} %{r} %{t}\"\n")
	got := alignd(t, plainMessage, "check", "--json", "--zone", zone, "--ip", "192.0.2.1", "--helo", "h.example",
		"--mail-from", "alice@example.com", "--authserv-id", "MX.example.net", "--now", "1764576000", "-")
	const want = `"explanation":"alice h.example 192.0.2.1 mx.example.net 1764576000"`
	if !strings.Contains(got.stdout, want) {
		t.Errorf("want %s in %+v", want, got)
	}
}

// 0 is a time: a signature of today is from the future then.
func TestCheckTakesTheTimeItIsGiven(t *testing.T) {
	args := append(sealed(), "--json")
	at := slices.Index(args, "--now") + 1
	for now, want := range map[string]string{
		"1764576000": "", "2025-12-01T08:00:00Z": "", "2025-12-01T09:00:00+01:00": "", "0": "future", "1970-01-01T00:00:00Z": "future",
	} {
		args[at] = now
		got := alignd(t, "", args...)
		if strings.Contains(got.stdout, "future") != (want != "") {
			t.Errorf("--now %s: %s", now, got.stdout)
		}
	}
}

func TestCheckExitStatus(t *testing.T) {
	zone, message := write(t, "zone", plainZone), write(t, "message", plainMessage)
	bad := write(t, "bad.yaml", "policy: 1\n")
	for _, row := range []struct {
		name   string
		args   []string
		status int
		stderr string // what standard error must say
	}{
		{name: "a refused message is a verdict", args: []string{"--zone", zone, message}},
		{name: "a message without From is a verdict", args: []string{"--zone", zone, "-"}},
		{name: "no message", args: []string{"--zone", zone}, status: 2, stderr: "name a message file, a folder of them, or - for standard input"},
		{name: "two messages", args: []string{"--zone", zone, message, message}},
		{name: "a message that does not exist", args: []string{"--zone", zone, message + "x"}, status: 2, stderr: "no such file"},
		{name: "a folder without messages", args: []string{"--zone", zone, t.TempDir()}, status: 2, stderr: "no message was found"},
		{name: "a quoting that is none", args: []string{"--zone", zone, "--mbox", "mmdf", message}, status: 2, stderr: `"mmdf"`},
		{name: "a second configuration that does not exist", args: []string{"--zone", zone, "--diff", zone + "x", message}, status: 2,
			stderr: "no such file"},
		{name: "a zone that does not exist", args: []string{"--zone", zone + "x", message}, status: 2, stderr: "no such file"},
		{name: "a faulty zone is told with its line", args: []string{"--zone", write(t, "zone", "example.com A 1.2\n"), message},
			status: 2, stderr: "line: 1"},
		{name: "a zone and a server", args: []string{"--zone", zone, "--dns", "127.0.0.1:53", message}, status: 2, stderr: "--dns and --zone exclude each other"},
		{name: "a server that is none", args: []string{"--dns", "nowhere", message}, status: 2, stderr: `"nowhere"`},
		{name: "an address that is none", args: []string{"--zone", zone, "--ip", "192.0.2", message}, status: 2, stderr: "--ip"},
		{name: "a time that is none", args: []string{"--zone", zone, "--now", "today", message}, status: 2, stderr: `"today"`},
		{name: "an unknown flag", args: []string{"--zone", zone, "--verbose", message}, status: 2, stderr: "--verbose"},
		{name: "a configuration that does not exist", args: []string{"--zone", zone, "--config", zone + "x", message}, status: 2, stderr: "no such file"},
		{name: "a faulty configuration is told with its place", args: []string{"--zone", zone, "--config", bad, message}, status: 2,
			stderr: "bad.yaml:1:1"},
	} {
		for _, format := range []string{"--json", "--json=false"} {
			got := alignd(t, "", append([]string{"check", format}, row.args...)...)
			if got.status != row.status || !strings.Contains(got.stderr, row.stderr) || (got.stderr == "") != (row.stderr == "") {
				t.Errorf("%s: got status %d and %q, want %d and %q", row.name, got.status, got.stderr, row.status, row.stderr)
			}
			if (got.stdout == "") != (row.status != 0) {
				t.Errorf("%s: printed %q", row.name, got.stdout)
			}
		}
	}
}

// A message above a limit of the daemon gets the daemon's verdict.
func TestCheckRefusesWhatIsOverALimit(t *testing.T) {
	zone := write(t, "zone", plainZone)
	limits := "limits:\n  fields: 10\n  header_size: 1KiB\n  recipients: 1\n  message_size: 1KiB\n"
	for _, row := range []struct {
		name, message, config, want string
		args                        []string
		unread                      bool // no header, so nothing is said of it
	}{
		{name: "all below", message: plainMessage, config: limits, want: "reject policy "},
		{name: "fields", message: strings.Repeat("A: b\n", 10) + plainMessage, config: limits, want: "reject limit 10 header fields"},
		{name: "too many fields to read", message: strings.Repeat("A: b\n", 10_001) + plainMessage, config: limits, unread: true, want: "reject limit too large to read"},
		{name: "too many octets to read", message: "A: " + strings.Repeat("b", 4<<20) + "\n" + plainMessage, config: limits, unread: true, want: "reject limit too large to read"},
		{name: "octets of the header", message: "A: " + strings.Repeat("b", 1000) + "\n" + plainMessage, config: limits, want: "reject limit 1024 octets"},
		{name: "octets of the body", message: plainMessage + strings.Repeat("body\n", 200), config: limits, want: "reject limit a body of more"},
		{name: "recipients", message: plainMessage, config: limits, args: []string{"--rcpt", "a@b.example", "--rcpt", "b@b.example"}, want: "reject limit 1 recipients"},
		{name: "monitor mode too, as it was not judged", message: strings.Repeat("A: b\n", 10) + plainMessage, config: "mode: monitor\n" + limits, want: "reject limit 10 header fields"},
	} {
		args := append([]string{"check", "--json", "--zone", zone, "--config", write(t, "alignd.yaml", row.config), "-"}, row.args...)
		got := alignd(t, row.message, args...)
		var r checkReport
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
			t.Fatalf("%s: %+v", row.name, got)
		}
		d := r.Disposition
		if row.unread != (strings.Contains(r.AuthenticationResults, `dmarc=permerror reason="header section over the limit"`) &&
			!strings.Contains(r.AuthenticationResults, "dkim=") && r.ARC.Result == evidence.None && r.From.Problem == evidence.FromUnread) {
			t.Errorf("%s: %s, From %+v, ARC %+v", row.name, r.AuthenticationResults, r.From, r.ARC)
		}
		if read := !row.unread; (r.DMARC.FromDomain != "") != read || read && r.DMARC.Result != evidence.Fail {
			t.Errorf("%s: the result of DMARC is lost: %+v", row.name, r.DMARC)
		}
		want, why := strings.Fields(row.want), ""
		if len(want) > 2 {
			why = strings.Join(want[2:], " ")
		}
		if string(d.Action) != want[0] || !strings.Contains(string(d.Step), want[1]) || !strings.Contains(d.Reason, why) || d.Delivery != policy.Refuse || d.Reply == "" {
			t.Errorf("%s: got %+v, want %s", row.name, d, row.want)
		}
	}
}

// Nothing from outside gets into the field or onto a terminal as it is.
func TestCheckOutputIsSafe(t *testing.T) {
	zone := write(t, "zone", "example.com TXT \"v=spf1 -all exp=why.example.com\"\nwhy.example.com TXT \"\\027[2J red\"\n")
	message := "From: \x1b]0;x\x07 <a@example.com>\nDKIM-Signature: v=1; a=rsa-sha256; d=x\x1b[1m; s=y\n\nhello\n"
	args := []string{"check", "--zone", zone, "--ip", "192.0.2.1", "--mail-from", "a@example.com", "--helo", "x\x1b[2J\r\nX: y", "-"}
	text := alignd(t, message, args...)
	if i := strings.IndexFunc(text.stdout, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }); i >= 0 || text.status != 0 {
		t.Errorf("status %d, control character at %d of %q", text.status, i, text.stdout)
	}
	var r checkReport
	if err := json.Unmarshal([]byte(alignd(t, message, append(args, "--json")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(r.AuthenticationResults, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		t.Errorf("%q", r.AuthenticationResults)
	}
}

func TestMailboxOfAPath(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "<>": "", " < > ": "", "a@b.example": "a@b.example", "<a@b.example": "a@b.example", " <a@b.example> ": "a@b.example",
		"<@r.example,@s.example:a@b.example>": "a@b.example", `"a:b"@b.example`: `"a:b"@b.example`,
	} {
		if got := mailboxOf(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

// What claims to be ours goes (RFC 8601 section 5), and check says which fields.
func TestCheckTellsWhichFieldsGo(t *testing.T) {
	message := "Authentication-Results: mx.other.example; spf=pass\nAuthentication-Results: mx.here.test; dmarc=pass\n" +
		"X-Alignd-Disposition: none\nAuthentication-Results: MX2.here.test; none\n" + plainMessage
	args := []string{"check", "--zone", os.DevNull, "--authserv-id", "mx.here.test", "--ip", "192.0.2.1"}
	var got struct {
		Deleted []string `json:"deleted_fields"`
	}
	if err := json.Unmarshal([]byte(alignd(t, message, append(args, "--json", "-")...).stdout), &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Authentication-Results 3", "Authentication-Results 2", "X-Alignd-Disposition 1"}; !slices.Equal(got.Deleted, want) {
		t.Errorf("got %q, want %q", got.Deleted, want)
	}
	text := alignd(t, message, append(args, "-")...).stdout
	if !strings.Contains(text, "deleted      Authentication-Results, number 2 of that name, as a reader may take it for ours: \"mx.here.test; dmarc=pass\"\n") {
		t.Errorf("got %s", text)
	}
	local := alignd(t, plainMessage, "check", "--zone", os.DevNull, "--authserv-id", "mx.here.test", "--ip", "127.0.0.1", "-").stdout
	if !strings.Contains(local, "added        nothing") {
		t.Errorf("a client that is not judged: %s", local)
	}
}
