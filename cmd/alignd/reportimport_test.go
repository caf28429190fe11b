package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/evidence"
	"alignd/internal/pgtest"
	"alignd/record"
)

// reportBy is an aggregate report about a domain on the day before today.
func reportBy(org, id, about string, records ...string) string {
	begin := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).Unix()
	return fmt.Sprintf(`<?xml version="1.0"?><feedback><report_metadata><org_name>%s</org_name><email>d@%s</email><report_id>%s</report_id>
<date_range><begin>%d</begin><end>%d</end></date_range></report_metadata><policy_published><domain>%s</domain><p>reject</p></policy_published>%s</feedback>`,
		org, org, id, begin, begin+86399, about, strings.Join(records, ""))
}

func rowOfReport(ip string, count int, dkim, from string) string {
	return fmt.Sprintf(`<record><row><source_ip>%s</source_ip><count>%d</count><policy_evaluated><disposition>none</disposition><dkim>%s</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>%s</header_from></identifiers><auth_results><dkim><domain>signer.example</domain><selector>s</selector><result>pass</result></dkim></auth_results></record>`, ip, count, dkim, from)
}

// mailed is a report in a mail as alignd delivers it.
func mailed(messageID, results, report string) string {
	return fmt.Sprintf("Received: by mda.here.test\r\nAuthentication-Results: other.test; dmarc=pass header.from=other.example\r\nAuthentication-Results: %s\r\nReceived: from x by mx.here.test\r\n"+
		"From: d@receiver.example\r\nMessage-ID: %s\r\nSubject: Report Domain: own.example\r\nMIME-Version: 1.0\r\nContent-Type: text/xml\r\n\r\n%s\r\n", results, messageID, report)
}

const passedAs = "mx.here.test; spf=pass smtp.mailfrom=receiver.example; dmarc=pass header.from=receiver.example"

// receivedReports is a configuration whose journal has mails that reports came in, by
// their Message-IDs.
func receivedReports(t *testing.T, store string) string {
	t.Helper()
	m := openJournal(t, fmt.Sprintf("own_domains: [{id: ours, domains: [own.example, .own.example]}]\njournal: {store: %s, path: DIR}\n", store))
	for i, mail := range []struct {
		id, author string
		result     evidence.Result
	}{
		{id: "<pass@receiver.example>", author: "receiver.example", result: evidence.Pass},
		{id: "<evil@evil.example>", author: "evil.example", result: evidence.Pass},
		{id: "<fail@receiver.example>", author: "receiver.example", result: evidence.Fail},
	} {
		m.sink.Take(&record.Record{
			Evidence: evidence.Message{Schema: evidence.SchemaVersion, Looked: evidence.AllSections, Time: time.Now().Add(-time.Hour), Token: fmt.Sprintf("t%d", i), MessageID: mail.id,
				From: evidence.From{Fields: 1, Domains: []string{mail.author}}, DMARC: []evidence.DMARC{{AuthorDomain: mail.author, Result: mail.result}}},
			Outcome: record.Outcome{End: record.EndAnswered, AuthservID: "mx.here.test"},
		})(true)
	}
	m.close()
	return m.file
}

// importing calls alignd report import.
func importing(t *testing.T, config, stdin string, args ...string) (out string, exit int) {
	t.Helper()
	var b bytes.Buffer
	exit = run(append([]string{"report", "import", "--config", config}, args...), strings.NewReader(stdin), &b, &b)
	return b.String(), exit
}

func elsewhereShown(t *testing.T, config string, args ...string) *elsewhereJSON {
	t.Helper()
	var out, errs bytes.Buffer
	if exit := run(append([]string{"sources", "--json", "--config", config}, args...), strings.NewReader(""), &out, &errs); exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs.String())
	}
	var got sourcesJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Elsewhere == nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return got.Elsewhere
}

func TestReportsOfOthersAreImported(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			options := store
			if store == "postgres" {
				options = "postgres, url: '" + pgtest.Database(t) + "'"
			}
			file := receivedReports(t, options)
			report := reportBy("receiver.example", "1", "own.example", rowOfReport("192.0.2.1", 5, "pass", "own.example"), rowOfReport("198.51.100.1", 2, "fail", "OWN.example"))
			for _, c := range []struct {
				name, mail string
				has        string
				messages   int64
			}{
				{name: "junk", mail: "Subject: hello\r\n\r\nbuy\r\n", has: "stored 0 reports"},
				{name: "another domain", mail: mailed("<pass@receiver.example>", passedAs, reportBy("r", "1", "bank.example")), has: "bank.example is no domain of ours"},
				{name: "a forger with the id of a true mail, past alignd", mail: mailed("<pass@receiver.example>", "mx.here.test; dmarc=fail header.from=receiver.example", report), has: "does not count"},
				{name: "our field, forged past alignd", mail: mailed("<x@receiver.example>", strings.ReplaceAll(passedAs, "mx.here.test", "mx2.here.test"), reportBy("google.example", "9", "own.example", rowOfReport("192.0.2.9", 1000, "fail", "own.example"))), has: "the journal has no such mail"},
				{name: "mail that failed", mail: mailed("<fail@receiver.example>", passedAs, reportBy("google.example", "8", "own.example", rowOfReport("192.0.2.9", 1000, "fail", "own.example"))), has: "its mail failed DMARC"},
				{name: "the true one", mail: mailed("<pass@receiver.example>", passedAs, report), has: "stored 1 report; files: 1", messages: 7},
				{name: "once more", mail: mailed("<pass@receiver.example>", passedAs, report), has: "1 was stored already", messages: 7},
			} {
				args := []string{"-"}
				if strings.Contains(c.name, "past alignd") { // a pipe waits for the journal
					args = []string{filepath.Join(t.TempDir(), "mail")}
					if err := os.WriteFile(args[0], []byte(c.mail), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				out, exit := importing(t, file, c.mail, args...)
				if exit != 0 || !strings.Contains(out, c.has) {
					t.Errorf("%s: exit %d, %q is missing in\n%s", c.name, exit, c.has, out)
				}
				if store == "postgres" && c.messages == 0 {
					continue // the state's own tests count on both
				}
				if e := elsewhereShown(t, file); e.Messages != c.messages {
					t.Errorf("%s: %d messages, want %d", c.name, e.Messages, c.messages)
				}
			}
			e := elsewhereShown(t, file)
			if e.Reports != 1 || e.LeftOut.Reports != 2 || e.Reporters[0].Name != "receiver.example" || len(e.Sources) != 2 || e.Sources[0].Network != "198.51.100.0/24" || e.Sources[0].DKIM[0] != "signer.example" {
				t.Errorf("%+v", e)
			}
			if e := elsewhereShown(t, file, "--unproven"); e.Messages != 2007 || e.LeftOut.Reports != 0 || e.Reports != 3 {
				t.Errorf("all: %+v", e)
			}
			var out bytes.Buffer
			for _, c := range []string{"sources own.example", "stats", "stats --json"} {
				if exit := run(append(strings.Fields(c), "--config", file), strings.NewReader(""), &out, &out); exit != 0 {
					t.Errorf("%s: %s", c, out.String())
				}
			}
			for _, want := range []string{"198.51.100.1", "Elsewhere, by 1 reports of others", "messages 7, 5 (71 %) pass", "Left out, as nobody can tell", `"left_out":{"reports":2,"messages":2000}`} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, out.String())
				}
			}
		})
	}
}

// A report counts for who sent it, whatever it calls itself.
func TestAReportCountsForItsSender(t *testing.T) {
	file := receivedReports(t, "sqlite")
	report := reportBy("receiver.example", "1", "own.example", rowOfReport("192.0.2.1", 5, "pass", "own.example"))
	for _, mail := range []string{
		mailed("<evil@evil.example>", strings.ReplaceAll(passedAs, "receiver.example", "evil.example"), report),
		mailed("<pass@receiver.example>", passedAs, report),
	} {
		if out, exit := importing(t, file, mail, "-"); exit != 0 || !strings.Contains(out, "stored 1 report") {
			t.Errorf("exit %d: %s", exit, out)
		}
	}
	if e := elsewhereShown(t, file); e.Messages != 10 || len(e.Reporters) != 2 || e.Sources[0].Reporters[0] != "evil.example" {
		t.Errorf("%+v", e)
	}
}

func TestFilesOfReportsAreImported(t *testing.T) {
	file := receivedReports(t, "sqlite")
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	row := rowOfReport("192.0.2.1", 5, "pass", "own.example")
	old := strings.NewReplacer(fmt.Sprint(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).Unix()), "1500000000").Replace(reportBy("a.example", "4", "own.example", row))
	for _, c := range []struct {
		name, text string
		args       []string
		exit       int
		has        string
		messages   int64
	}{
		{name: "a file by hand", text: reportBy("a.example", "1", "own.example", row), has: "it is no mail"},
		{name: "and vouched for", text: reportBy("a.example", "1", "own.example", row), args: []string{"--trust"}, has: "stored 1 report; files: 1", messages: 5},
		{name: "a subdomain", text: reportBy("a.example", "2", "news.own.example", rowOfReport("192.0.2.1", 1, "pass", "")), args: []string{"--trust"}, has: "stored 1 report", messages: 6},
		{name: "any domain", text: reportBy("a.example", "3", "other.example", row), args: []string{"--trust", "--any-domain"}, has: "stored 1 report", messages: 11},
		{name: "an old one", text: old, args: []string{"--trust"}, has: "longer ago than reports.keep_others", messages: 11},
		{name: "an mbox", text: "From a@a.example Mon Nov  2 10:00:00 2026\n" + mailed("<a@a>", "x", reportBy("b.example", "5", "own.example", row)) + "\n\nFrom a@a.example Mon Nov  2 10:00:00 2026\n" + mailed("<b@a>", "x", reportBy("b.example", "6", "own.example", row)) + "\n",
			args: []string{"--trust"}, has: "stored 2 reports", messages: 21},
		{name: "nothing", text: "nothing", exit: exitFailure, has: "neither XML", messages: 21},
	} {
		out, exit := importing(t, file, "", append(c.args, write("file", c.text))...)
		if exit != c.exit || !strings.Contains(out, c.has) {
			t.Errorf("%s: exit %d, %q is missing in\n%s", c.name, exit, c.has, out)
		}
		if e := elsewhereShown(t, file); e.Messages != c.messages {
			t.Errorf("%s: %d messages, want %d", c.name, e.Messages, c.messages)
		}
	}
}

// First stored, then moved; a run that was killed between the two counts nothing twice.
func TestAMaildirIsImported(t *testing.T) {
	file := receivedReports(t, "sqlite")
	dir := t.TempDir()
	box := filepath.Join(dir, "Maildir")
	for name, text := range map[string]string{
		"new/1": mailed("<pass@receiver.example>", passedAs, reportBy("receiver.example", "1", "own.example", rowOfReport("192.0.2.1", 5, "pass", "own.example"))),
		"new/2": "Subject: junk\n\nno report\n", "cur/3:2,F": reportBy("b.example", "2", "own.example"), "cur/4:2,S": reportBy("c.example", "3", "own.example"), "tmp/5": "x",
	} {
		path := filepath.Join(box, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(box, "new/link")); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		all, _ := filepath.Glob(filepath.Join(dir, "*/*/*"))
		for i := range all {
			all[i], _ = filepath.Rel(dir, all[i])
		}
		return strings.Join(all, " ")
	}
	if out, exit := importing(t, file, "", box); exit != 0 || !strings.Contains(out, "stored 2 reports") || !strings.Contains(out, "3 files moved") {
		t.Errorf("exit %d: %s", exit, out)
	}
	if got, want := names(), "Maildir/cur/1:2,S Maildir/cur/2:2,S Maildir/cur/3:2,FS Maildir/cur/4:2,S Maildir/new/link Maildir/tmp/5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := os.Rename(filepath.Join(box, "cur/1:2,S"), filepath.Join(box, "new/1")); err != nil { // as if killed before
		t.Fatal(err)
	}
	done := filepath.Join(dir, "done")
	if out, exit := importing(t, file, "", "--move-to", done, box); exit != exitUsage || !strings.Contains(out, "is no directory") {
		t.Errorf("exit %d: %s", exit, out)
	}
	if err := os.Mkdir(done, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, exit := importing(t, file, "", "--move-to", done, box); exit != 0 || !strings.Contains(out, "stored 0 reports, 1 was stored already, 1 file moved") {
		t.Errorf("exit %d: %s", exit, out)
	}
	if _, err := os.Stat(filepath.Join(done, "1:2,S")); err != nil {
		t.Error(err)
	}
	if e := elsewhereShown(t, file); e.Messages != 5 || e.Reports != 1 {
		t.Errorf("%+v", e)
	}
}

// A Maildir whose owner made links of its folders leads nowhere else, whoever runs the import.
func TestAnImportedMaildirDoesNotLeadOutside(t *testing.T) {
	file := receivedReports(t, "sqlite")
	for _, c := range []struct {
		name, link, in string // a link, and the folder that the file outside is in
		exit           int
	}{
		{name: "new is a link", link: "new", in: "", exit: 1},
		{name: "cur is a link", link: "cur", in: "", exit: 1},
		{name: "a file is one", link: "new/1", in: "victim"},
		{name: "a folder of a directory that is no Maildir", link: "more", in: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			outside, box := t.TempDir(), t.TempDir()
			victim := filepath.Join(outside, "victim")
			text := mailed("<pass@receiver.example>", passedAs, reportBy("receiver.example", "1", "own.example", rowOfReport("192.0.2.1", 5, "pass", "own.example")))
			if err := os.WriteFile(victim, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.link != "more" {
				for _, sub := range []string{"new", "cur"} {
					if sub == c.link {
						continue
					}
					if err := os.Mkdir(filepath.Join(box, sub), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.link == "cur" { // what is new would be moved out
				if err := os.WriteFile(filepath.Join(box, "new/1"), []byte("Subject: junk\n\nx\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(filepath.Join(outside, c.in), filepath.Join(box, c.link)); err != nil {
				t.Fatal(err)
			}
			out, exit := importing(t, file, "", box)
			if exit != c.exit || !strings.Contains(out, "stored 0 reports") {
				t.Errorf("exit %d: %s", exit, out)
			}
			if all, err := os.ReadDir(outside); err != nil || len(all) != 1 || all[0].Name() != "victim" {
				t.Errorf("outside: %v, %v", all, err)
			}
		})
	}
}

// What anybody may send is unpacked less far than what somebody vouches for.
func TestImportUnpacksLittleOfWhatAnybodySends(t *testing.T) {
	for _, c := range []struct {
		name  string
		trust bool
		want  int64
	}{
		{name: "mail", want: 64 << 20},
		{name: "vouched for", trust: true}, // the bounds of show
	} {
		im := &importer{flags: &reportImportFlags{trust: c.trust}}
		if got := im.limits().Expanded; got != c.want {
			t.Errorf("%s: %d octets", c.name, got)
		}
	}
}

// A mail that cannot be stored stays with the MTA, and none is ever sent back.
func TestAPipeIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "alignd.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, options string }{
		{name: "a broken configuration", options: "nonsense: 1\n"},
		{name: "no domain of ours", options: "journal: {path: " + dir + "}\n"},
		{name: "no store", options: "own_domains: [{id: ours, domains: [own.example]}]\njournal: {path: " + blocked + "/x}\n"},
		{name: "no journal", options: "own_domains: [{id: ours, domains: [own.example]}]\njournal: {store: none}\n"},
		{name: "no database", options: "own_domains: [{id: ours, domains: [own.example]}]\njournal: {store: postgres, path: " + dir + ", url: 'postgres://u@127.0.0.1:1/x'}\n"},
	} {
		if out, exit := importing(t, write(c.options), mailed("<pass@receiver.example>", passedAs, reportBy("r.example", "1", "own.example")), "-"); exit != exitTempfail {
			t.Errorf("%s: exit %d: %s", c.name, exit, out)
		}
	}
}

// What a report says reaches no terminal as a command.
func TestReportsShowNoControls(t *testing.T) {
	file := receivedReports(t, "sqlite")
	evil := "e\x1b[2Jvil\u202egnp\u200b"
	report := strings.ReplaceAll(reportBy("EVIL", "EVIL", "own.example", rowOfReport("192.0.2.1", 5, "pass", "EVIL.own.example")), "EVIL", "e&#27;[2Jvil\u202egnp")
	out, exit := importing(t, file, report, "--trust", "-")
	if exit != 0 || !strings.Contains(out, "stored 1 report") {
		t.Fatalf("exit %d: %q", exit, out)
	}
	var shown bytes.Buffer
	for _, c := range []string{"sources", "stats", "report import -", "report show -"} {
		run(append(strings.Fields(c), configUnlessShow(c, file)...), strings.NewReader(report+evil), &shown, &shown)
	}
	if strings.ContainsAny(shown.String(), "\x1b\u202e\u200b") {
		t.Errorf("%q", shown.String())
	}
}

func configUnlessShow(command, file string) []string {
	if strings.HasPrefix(command, "report show") {
		return nil
	}
	return []string{"--config", file}
}

// Where nothing is to be proved, no journal has to be there yet.
func TestTrustedReportsNeedNoJournal(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "alignd.yaml")
	if err := os.WriteFile(file, []byte("own_domains: [{id: ours, domains: [own.example]}]\njournal: {path: "+dir+"/state}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report := reportBy("r.example", "1", "own.example", rowOfReport("192.0.2.1", 5, "pass", "own.example"))
	for _, c := range []struct {
		args []string
		exit int
	}{{args: []string{"--trust", "-"}}, {args: []string{"-"}, exit: exitTempfail}} {
		if out, exit := importing(t, file, report, c.args...); exit != c.exit {
			t.Errorf("%v: exit %d: %s", c.args, exit, out)
		}
	}
}

func TestKeepOthersIsAnOption(t *testing.T) {
	m := openJournal(t, "journal: {path: DIR}\nreports: {keep_others: 2d}\n")
	defer m.close()
	cfg, err := readConfig(config.Input{File: m.file})
	if err != nil || cfg.Reports.KeepOthers.Duration != 48*time.Hour {
		t.Errorf("%v, %v", cfg.Reports.KeepOthers, err)
	}
}
