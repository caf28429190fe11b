package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const aggregateReport = `<?xml version="1.0"?>
<feedback><report_metadata><org_name>receiver.example</org_name><email>d@receiver.example</email><report_id>1</report_id>
<date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
<policy_published><domain>example.com</domain><p>reject</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>
</policy_evaluated></row><identifiers><header_from>example.com</header_from></identifiers><auth_results/></record>
<record><row><source_ip>192.0.2.9</source_ip><count>5</count><policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
</policy_evaluated></row><identifiers><header_from>example.com</header_from></identifiers><auth_results/></record></feedback>
`

func TestReportShow(t *testing.T) {
	dir := t.TempDir()
	good, bad, box := filepath.Join(dir, "good"), filepath.Join(dir, "bad"), filepath.Join(t.TempDir(), "box")
	const from = "From a@a.example Mon Nov  2 10:00:00 2026\n"
	huge := filepath.Join(t.TempDir(), "huge")
	mail := "Subject: x\nContent-Type: text/xml\n\n" + aggregateReport + "\n"
	for file, text := range map[string]string{good: aggregateReport, huge: strings.NewReplacer("<count>3", "<count>9223372036854775807", "<count>5", "<count>9223372036854775807", "192.0.2.9", "192.0.2.1").Replace(aggregateReport), bad: "nothing of the kind", box: from + mail + from + strings.Replace(mail, "<report_id>1", "<report_id>2", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		want   string // in standard output
	}{
		{name: "a table by source, worst first", args: []string{good}, want: "192.0.2.9  5         0.0 %       0.0 %    0.0 %  5                        example.com\n192.0.2.1  3"},
		{name: "all mails of an mbox", args: []string{box}, want: "192.0.2.9  10  "},
		{name: "by day", args: []string{"--by", "day", good}, want: "2023-11-14  8"},
		{name: "by reporter", args: []string{"--by", "reporter", good}, want: "receiver.example  8"},
		{name: "by domain", args: []string{"--by", "domain", good}, want: "example.com  8"},
		{name: "counts beyond all numbers", args: []string{huge}, want: "192.0.2.1  9223372036854775807  "},
		{name: "a file without a report", args: []string{good, bad}, status: 1, want: "bad: neither XML"},
		{name: "a directory", args: []string{dir}, status: 1, want: "192.0.2.9"},
		{name: "an empty directory", args: []string{t.TempDir()}, status: 1, want: "a directory without files"},
		{name: "a file that is not there", args: []string{filepath.Join(dir, "none")}, status: 1, want: "no such file"},
		{name: "no file", status: 2},
		{name: "an unknown sum", args: []string{"--by", "moon", good}, status: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := alignd(t, "", append([]string{"report", "show"}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.stdout, test.want) {
				t.Errorf("status %d, want %d\n%s%s", got.status, test.status, got.stdout, got.stderr)
			}
		})
	}
}

// A pipe in a directory is not waited for, nor one that a link in it leads to.
func TestReportShowOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skipf("left out: a pipe: %v", err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got := alignd(t, "", "report", "show", dir); got.status != 1 || !strings.Contains(got.stdout, "link: not a file") || !strings.Contains(got.stdout, "pipe: not a file") {
		t.Errorf("status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
}

func TestReportShowPrintsOneObject(t *testing.T) {
	got := alignd(t, aggregateReport, "report", "show", "--json", "-")
	var object struct {
		Reports []struct {
			Domain  string
			Records []struct{ Count int }
		}
		Failures, Problems []any
	}
	if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || got.status != 0 {
		t.Fatalf("status %d, %v\n%s", got.status, err, got.stdout)
	}
	if len(object.Reports) != 1 || object.Reports[0].Domain != "example.com" || object.Reports[0].Records[1].Count != 5 ||
		object.Failures == nil || object.Problems == nil {
		t.Errorf("got %s", got.stdout)
	}
	for _, bare := range []string{"<feedback><record/></feedback>", "<feedback><record><row><count>1</count></row></record></feedback>",
		"<feedback><report_metadata/></feedback><feedback><policy_published/></feedback>"} {
		if got := alignd(t, bare, "report", "show", "--json", "-"); got.status != 0 || !json.Valid([]byte(got.stdout)) {
			t.Errorf("%s: status %d\n%s", bare, got.status, got.stdout)
		}
	}
	if got := alignd(t, "x", "report", "show", "--json", "-"); got.status != 1 || !json.Valid([]byte(got.stdout)) {
		t.Errorf("nothing: status %d\n%s", got.status, got.stdout)
	}
}
