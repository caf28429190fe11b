package read

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// kept is a Sink that keeps everything.
type kept struct {
	heads    []Aggregate
	records  [][]Record
	failures []Failure
	problems []string
}

func (k *kept) Aggregate(head *Aggregate, records *Records) error {
	k.heads = append(k.heads, *head)
	var list []Record
	for rec, err := range records.All() {
		if err != nil {
			return err
		}
		list = append(list, *rec)
	}
	k.records = append(k.records, list)
	return nil
}
func (k *kept) Failure(f *Failure) error { k.failures = append(k.failures, *f); return nil }
func (k *kept) Problem(p Problem) {
	k.problems = append(k.problems, strings.TrimPrefix(p.Part+": "+p.Problem, ": "))
}

func readAll(t *testing.T, limits Limits, files ...string) (k *kept, reports []int) {
	t.Helper()
	k = new(kept)
	r := New(k, limits)
	for i, text := range files {
		n, err := r.File(fmt.Sprintf("file%d", i+1), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, n)
	}
	return k, reports
}

const record = `
 <record>
  <row><source_ip>192.0.2.1</source_ip><count>3</count>
   <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>
    <reason><type>local_policy</type><comment>arc=pass</comment></reason></policy_evaluated></row>
  <identifiers><header_from>example.com</header_from><envelope_from></envelope_from></identifiers>
  <auth_results><dkim><domain>example.com</domain><selector>s1</selector><result>pass</result><human_result>fine</human_result></dkim>
   <spf><domain>mail.example.com</domain><scope>mfrom</scope><result>softfail</result></spf></auth_results>
 </record>`

// report9990 is a report by the schema of RFC 9990 appendix A.
func report9990(id string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
 <version>1.0</version>
 <report_metadata><org_name>receiver.example</org_name><email>dmarc@receiver.example</email><report_id>` + id + `</report_id>
  <date_range><begin>1700000000</begin><end>1700086399</end></date_range><error>two records</error><generator>made by hand</generator></report_metadata>
 <policy_published><domain>example.com</domain><p>reject</p><sp>none</sp><np>reject</np><adkim>r</adkim><aspf>s</aspf><fo>1</fo>
  <testing>n</testing><discovery_method>treewalk</discovery_method></policy_published>` + record + "\n</feedback>\n"
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal("gzip")
	}
	return b.String()
}

func zipped(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, text := range members {
		w, err := z.Create(fmt.Sprintf("%d.bin", i))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func mailWith(contentType, data string) string {
	var lines strings.Builder
	for text := base64.StdEncoding.EncodeToString([]byte(data)); text != ""; text = text[min(60, len(text)):] {
		lines.WriteString(text[:min(60, len(text))] + " \r\n") // blanks at the end, as some gateways add
	}
	return "From: a@receiver.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n" +
		"--=_b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--=_b\r\nContent-Type: " + contentType +
		"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines.String() + "--=_b--\r\n"
}

func TestAReportBySchemaIsReadWhole(t *testing.T) {
	k, n := readAll(t, Limits{}, report9990("r1"))
	head := Aggregate{OrgName: "receiver.example", Email: "dmarc@receiver.example", ReportID: "r1", Begin: "2023-11-14T22:13:20Z",
		End: "2023-11-15T22:13:19Z", Domain: "example.com", Version: "1.0", Generator: "made by hand", Errors: []string{"two records"},
		Policy: Policy{P: "reject", SP: "none", NP: "reject", ADKIM: "r", ASPF: "s", FO: "1", Testing: "n", Discovery: "treewalk"}}
	three, null := int64(3), ""
	rec := Record{SourceIP: "192.0.2.1", Count: &three, Disposition: "none", DKIM: "pass", SPF: "fail",
		Reasons: []Reason{{Type: "local_policy", Comment: "arc=pass"}}, HeaderFrom: "example.com", EnvelopeFrom: &null,
		AuthResults: AuthResults{DKIM: []DKIMResult{{Domain: "example.com", Selector: "s1", Result: "pass", Human: "fine"}}, SPF: []SPFResult{{Domain: "mail.example.com",
			Scope: "mfrom", Result: "softfail"}}}}
	got, _ := json.Marshal([]any{k.heads, k.records, k.problems, n})
	want, _ := json.Marshal([]any{[]Aggregate{head}, [][]Record{{rec}}, []string(nil), []int{1}})
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReportsAreFoundByTheirContent(t *testing.T) {
	r := report9990("r1")
	utf16 := "\xff\xfe"
	for _, c := range strings.Replace(r, "UTF-8", "UTF-16", 1) {
		utf16 += string([]byte{byte(c), 0})
	}
	for _, test := range []struct {
		name, file string
		want       int
	}{
		{name: "plain XML", file: r, want: 1},
		{name: "a byte order mark", file: "\ufeff" + r, want: 1},
		{name: "blank lines in front", file: "\r\n\n  " + r, want: 1},
		{name: "no XML declaration", file: r[strings.Index(r, "<feedback"):], want: 1},
		{name: "no namespace", file: strings.Replace(r, ` xmlns="urn:ietf:params:xml:ns:dmarc-2.0"`, "", 1), want: 1},
		{name: "another namespace with a prefix",
			file: strings.NewReplacer("<feedback xmlns=", "<d:feedback xmlns:d=", "</feedback>", "</d:feedback>").Replace(r),
			want: 1},
		{name: "UTF-16 with a byte order mark", file: utf16, want: 1},
		{name: "gzip", file: packed(t, r), want: 1},
		{name: "gzip behind many empty members", file: strings.Repeat(packed(t, ""), 500) + packed(t, r), want: 1},
		{name: "gzip with many empty members within", file: packed(t, r[:300]) + strings.Repeat(packed(t, ""), 500) + packed(t, r[300:]), want: 1},
		{name: "gzip in gzip", file: packed(t, packed(t, r)), want: 1},
		{name: "zip", file: zipped(t, r), want: 1},
		{name: "zip of two, one of them gzip", file: zipped(t, r, packed(t, report9990("r2"))), want: 2},
		{name: "two reports in one text", file: r + report9990("r2"), want: 2},
		{name: "a mail with gzip, called something else", file: mailWith("application/octet-stream", packed(t, r)), want: 1},
		{name: "a mail with zip", file: mailWith("application/zip; name=r.zip", zipped(t, r)), want: 1},
		{name: "a mail with XML", file: mailWith("text/xml", r), want: 1},
		{name: "a mail that is the gzip itself", file: "Subject: x\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString([]byte(packed(t, r))) + "\r\n", want: 1},
		{name: "a mail forwarded as an attachment",
			file: "From: x\nContent-Type: message/rfc822\n\n" + mailWith("application/gzip", packed(t, r)), want: 1},
		{name: "one that an mbox quoted", file: ">From x@y Thu Jan  1 00:00:00 2026\n" + mailWith("application/gzip", packed(t, r)), want: 1},
		{name: "a mail whose words stand in brackets", file: strings.Replace(mailWith("application/gzip", packed(t, r)), "A report.", "[A report.]", 1), want: 1},
		{name: "one of mbox", file: "From x@y Thu Jan  1 00:00:00 2026\n" + mailWith("application/gzip", packed(t, r)), want: 1},
		{name: "one of Apple Mail", file: "1234      \n" + mailWith("application/gzip", packed(t, r)) + "<?xml version=\"1.0\"?>\n<plist/>\n", want: 1},
		{name: "gzip with something behind it", file: packed(t, r) + "\x00\x00", want: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, n := readAll(t, Limits{}, test.file)
			if n[0] != test.want || len(k.heads) != test.want || k.heads[0].OrgName != "receiver.example" || len(k.records[0]) != 1 {
				t.Errorf("got %d reports, %+v, problems %q", n[0], k.heads, k.problems)
			}
		})
	}
}

func TestWhatIsOddIsReadAndTold(t *testing.T) {
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(report9990("r1")) }
	for _, test := range []struct {
		name, file string
		want       string // in a problem
		see        func(*kept) bool
	}{
		{name: "upper case is mapped", file: swap("<p>reject", "<p>Reject"), want: `line 6: p "Reject" is read as "reject"`,
			see: func(k *kept) bool { return k.heads[0].Policy.P == "reject" }},
		{name: "an unknown word is kept", file: swap("softfail", "hardfail"), want: `spf result "hardfail" is an unknown word`,
			see: func(k *kept) bool { return k.records[0][0].AuthResults.SPF[0].Result == "hardfail" }},
		{name: "a record without address is kept", file: swap("<source_ip>192.0.2.1</source_ip>", ""), want: "line 8: a record without source_ip",
			see: func(k *kept) bool { return len(k.records[0]) == 1 && k.records[0][0].SourceIP == "" }},
		{name: "an address that is none is kept", file: swap("192.0.2.1", "unknown"), want: `source_ip "unknown" is not an address`,
			see: func(k *kept) bool { return k.records[0][0].SourceIP == "unknown" }},
		{name: "a count that is no number is left out", file: swap("<count>3", "<count>some"), want: `count "some" is not a number`,
			see: func(k *kept) bool { return k.records[0][0].Count == nil }},
		{name: "an unknown element", file: swap("<version>", "<surprise>1</surprise><version>"), want: `unknown element "surprise"`,
			see: func(k *kept) bool { return k.heads[0].Version == "1.0" }},
		{name: "no metadata", file: swap("report_metadata>", "other>", "org_name>", "x>", "report_id>", "y>"), want: "org_name is missing",
			see: func(k *kept) bool { return k.heads[0].Domain == "example.com" }},
		{name: "a date in words", file: swap("1700000000", "2023-11-14 22:13:20"), want: "is not in seconds since 1970",
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T22:13:20Z" }},
		{name: "milliseconds", file: swap("1700000000", "1700000000000"), want: "is taken for milliseconds",
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T22:13:20Z" }},
		{name: "microseconds", file: swap("1700000000", "1700000000000000"), want: "is taken for microseconds",
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T22:13:20Z" }},
		{name: "a number that is no time", file: swap("1700000000", "9223372036854775807"), want: `begin "9223372036854775807" is not a time`,
			see: func(k *kept) bool { return k.heads[0].Begin == "" }},
		{name: "a date of digits", file: swap("1700000000", "20231114"), want: `begin "20231114" is not in seconds since 1970`,
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T00:00:00Z" }},
		{name: "a time of digits", file: swap("1700000000", "20231114221320"), want: `begin "20231114221320" is not in seconds since 1970`,
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T22:13:20Z" }},
		{name: "a date with slashes, the year first", file: swap("1700000000", "2023/11/14"), want: `begin "2023/11/14" is not in seconds since 1970`,
			see: func(k *kept) bool { return k.heads[0].Begin == "2023-11-14T00:00:00Z" }},
		{name: "the time of the RFC's example", file: swap("1700000000", "302832000"),
			see: func(k *kept) bool { return k.heads[0].Begin == "1979-08-07T00:00:00Z" }},
		{name: "cut off within a record", file: report9990("r1")[:900] + "", want: "what stands before it was read",
			see: func(k *kept) bool { return k.heads[0].OrgName == "receiver.example" }},
		{name: "octets that are no UTF-8", file: swap("made by hand", "m\xe4de\x01"), want: "octets or characters that are not XML were replaced: 2",
			see: func(k *kept) bool { return k.heads[0].Generator == "m\ufffdde\ufffd" }},
		{name: "a bare ampersand", file: swap("made by hand", "A & B"), see: func(k *kept) bool { return k.heads[0].Generator == "A & B" }},
		{name: "a second row is told", file: swap("</row>", "</row><row><source_ip>192.0.2.2</source_ip><count>4</count></row>"), want: "count stands there once more; the first one is kept",
			see: func(k *kept) bool { return *k.records[0][0].Count == 3 && k.records[0][0].SourceIP == "192.0.2.1" }},
		{name: "of two policies nothing is mixed", file: swap("<record>", "<policy_published><domain>b.example</domain><p>none</p></policy_published><record>"), want: "the last one is kept",
			see: func(k *kept) bool { return k.heads[0].Domain == "b.example" && k.heads[0].Policy == Policy{P: "none"} }},
		{name: "a period that ends before it begins", file: swap("<begin>1700000000", "<begin>1800000000"), want: "date_range ends before it begins",
			see: func(k *kept) bool { return k.heads[0].End == "2023-11-15T22:13:19Z" }},
		{name: "a record without results", file: swap("<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>", ""), want: "line 8: a record without disposition",
			see: func(k *kept) bool { return k.records[0][0].DKIM == "" && *k.records[0][0].Count == 3 }},
		{name: "no policy", file: swap("<p>reject</p>", ""), want: "policy_published p is missing", see: func(k *kept) bool { return k.heads[0].Policy.P == "" }},
		{name: "no address of the reporter", file: swap("<email>dmarc@receiver.example</email>", "<email/>"), want: "email is missing",
			see: func(k *kept) bool { return k.heads[0].Email == "" }},
		{name: "pct with a sign", file: swap("<np>reject</np>", "<pct>50%</pct>"), want: `pct "50%" is read as 50`, see: func(k *kept) bool { return *k.heads[0].Policy.Pct == 50 }},
		{name: "pct as a float", file: swap("<np>reject</np>", "<pct>100.0</pct>"), want: `pct "100.0" is read as 100`, see: func(k *kept) bool { return *k.heads[0].Policy.Pct == 100 }},
		{name: "pct over 100", file: swap("<np>reject</np>", "<pct>150</pct>"), want: `pct "150" is not between 0 and 100`, see: func(k *kept) bool { return *k.heads[0].Policy.Pct == 150 }},
		{name: "pct that is no number", file: swap("<np>reject</np>", "<pct>NaN</pct>"), want: `pct "NaN" is not a number`, see: func(k *kept) bool { return k.heads[0].Policy.Pct == nil }},
		{name: "a raw result that is a word alone", file: swap("<domain>example.com</domain><selector>s1</selector><result>pass</result><human_result>fine</human_result>", "none"), want: "",
			see: func(k *kept) bool { return k.records[0][0].AuthResults.DKIM[0] == DKIMResult{Result: "none"} }},
		{name: "an aligned result in an element", file: swap("<dkim>pass</dkim>", "<dkim><result>pass</result></dkim>"), want: "",
			see: func(k *kept) bool {
				return k.records[0][0].DKIM == "pass" && len(k.records[0][0].AuthResults.DKIM) == 1
			}},
		{name: "an address with a zone", file: swap("192.0.2.1", "fe80::1%eth0"), want: "is not an address", see: func(k *kept) bool { return k.records[0][0].SourceIP == "fe80::1%eth0" }},
		{name: "an end without its first sign", file: swap("</report_id>", "/report_id>"), want: "<report_id> is not closed",
			see: func(k *kept) bool { return k.heads[0].ReportID == "r1" && k.heads[0].Begin != "" }},
		{name: "another order", file: swap("<version>1.0</version>", record, record, ""), want: "",
			see: func(k *kept) bool { return k.heads[0].ReportID == "r1" && len(k.records[0]) == 1 }},
		{name: "ISO 8859-1 as declared", file: swap("UTF-8", "iso-8859-1", "made by hand", "m\xe4de"), want: "",
			see: func(k *kept) bool { return k.heads[0].Generator == "m\u00e4de" }},
		{name: "the elements of RFC 7489", file: swap("<np>reject</np>", "<pct>50</pct>", "local_policy", "sampled_out"), want: "",
			see: func(k *kept) bool {
				return *k.heads[0].Policy.Pct == 50 && k.records[0][0].Reasons[0].Type == "sampled_out"
			}},
		{name: "results without auth_results around", file: swap("<auth_results>", "", "</auth_results>", ""), want: "",
			see: func(k *kept) bool {
				r := k.records[0][0]
				return r.DKIM == "pass" && len(r.AuthResults.DKIM) == 1 && len(r.AuthResults.SPF) == 1
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, n := readAll(t, Limits{}, test.file)
			if n[0] != 1 || !test.see(k) {
				t.Errorf("got %d reports, %+v %+v, problems %q", n[0], k.heads, k.records, k.problems)
			}
			if test.want == "" && len(k.problems) > 0 || test.want != "" && !slices.ContainsFunc(k.problems, func(p string) bool { return strings.Contains(p, test.want) }) {
				t.Errorf("problems: got %q, want %q", k.problems, test.want)
			}
		})
	}
}

const tlsReport = `{"organization-name":"Receiver","date-range":{"start-datetime":"2026-11-20T00:00:00Z","end-datetime":"2026-11-20T23:59:59Z"},` +
	`"contact-info":"tls@receiver.example","report-id":"x1","policies":[]}`

// zipChanged is an archive of a report that says of it other flags and another method.
func zipChanged(t *testing.T, flags, method byte) string {
	b := []byte(zipped(t, report9990("r1")))
	central := bytes.LastIndex(b, []byte("PK\x01\x02"))
	b[6], b[8], b[central+8], b[central+10] = b[6]|flags, method, b[central+8]|flags, method
	return string(b)
}

func TestWhatIsNoReportIsTold(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{name: "nothing", want: "empty"},
		{name: "a picture", file: "\x89PNG\r\n\x1a\n\x00\x00", want: "neither XML nor gzip, zip or mail"},
		{name: "a TLS report", file: tlsReport, want: "a TLS report (RFC 8460), not a DMARC report"},
		{name: "a TLS report over lines", file: "\ufeff" + strings.ReplaceAll(tlsReport, ",", ",\r\n  "), want: "a TLS report (RFC 8460), not a DMARC report"},
		{name: "a TLS report in gzip", file: packed(t, tlsReport), want: "gzip: a TLS report (RFC 8460)"},
		{name: "another JSON", file: `[{"a": 1}]`, want: "JSON, which no DMARC report is"},
		{name: "bzip2", file: "BZh91AY&SY", want: "neither XML nor gzip, zip or mail: it is bzip2"},
		{name: "an Outlook message", file: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", want: "it is an Outlook message (.msg)"},
		{name: "uuencode", file: "begin 644 r.xml.gz\n", want: "it is uuencode"},
		{name: "PGP", file: "-----BEGIN PGP MESSAGE-----\n\nabc\n", want: "it is PGP"},
		{name: "S/MIME", file: "\x30\x82\x05\x00\x06\x09", want: "it is PKCS #7 (S/MIME)"},
		{name: "numbers", file: "123\n456\n", want: "neither XML nor gzip, zip or mail"},
		{name: "an encrypted zip", file: zipChanged(t, 1, 8), want: `zip member "0.bin": zip: it is encrypted`},
		{name: "an encrypted zip by AES", file: zipChanged(t, 1, 99), want: "zip: it is encrypted"},
		{name: "a zip in Deflate64", file: zipChanged(t, 0, 9), want: "zip: compression method 9 is not known: Deflate64"},
		{name: "a zip by a method without name", file: zipChanged(t, 0, 77), want: "zip: compression method 77 is not known"},
		{name: "another XML", file: "<html><body/></html>", want: "XML, but not a DMARC report"},
		{name: "a sentence in brackets", file: "From: a@x\n\n[This was made by a program.]\n", want: "a mail without a report"},
		{name: "a mail without a report", file: "From: a@x\n\nHello.\n", want: "a mail without a report"},
		{name: "broken gzip", file: "\x1f\x8b\x08\x00", want: "gzip: unexpected EOF"},
		{name: "broken zip", file: "PK\x03\x04xxxx", want: "zip: not a valid zip file"},
		{name: "DOCTYPE", file: strings.Replace(report9990("r1"), "<feedback", "<!DOCTYPE feedback [<!ENTITY x \"y\">]>\n<feedback", 1),
			want: "DOCTYPE is refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, n := readAll(t, Limits{}, test.file)
			if n[0] != 0 || len(k.problems) != 1 || !strings.Contains(k.problems[0], test.want) {
				t.Errorf("got %d reports, problems %q, want %q", n[0], k.problems, test.want)
			}
		})
	}
}

func TestBoundsAreNamed(t *testing.T) {
	r := report9990("r1")
	deep := packed(t, packed(t, packed(t, r)))
	for _, test := range []struct {
		name, file string
		limits     Limits
		want       string
	}{
		{name: "size of the file", file: r, limits: Limits{File: 500}, want: "octets of one file"},
		{name: "size unpacked", file: packed(t, r), limits: Limits{Expanded: 500}, want: "all that is unpacked"},
		{name: "ratio", file: packed(t, strings.Repeat("<a>"+strings.Repeat("x", 1000)+"</a>", ratioFloor/1000)), limits: Limits{Text: 100 << 20}, want: "the ratio of unpacking"},
		{name: "depth", file: deep, limits: Limits{Depth: 2}, want: "containers in each other"},
		{name: "parts", file: zipped(t, r, r, r), limits: Limits{Parts: 2}, want: "parts of one file"},
		{name: "reports", file: report9990("r1") + report9990("r2") + report9990("r3"), limits: Limits{Reports: 2}, want: "reports of one file"},
		{name: "records", file: strings.Replace(r, record, record+record, 1), limits: Limits{Records: 1}, want: "records of one report"},
		{name: "elements", file: "<feedback>" + strings.Repeat("<a>", 100), limits: Limits{}, want: "elements in each other"},
		{name: "one text", file: strings.Replace(r, "made by hand", strings.Repeat("x", 2<<20), 1), limits: Limits{}, want: "octets of one text or tag"},
		{name: "one comment", file: strings.Replace(r, "<version>", "<!--"+strings.Repeat("<x>", 1<<20)+"--><version>", 1),
			limits: Limits{}, want: "octets of one text or tag"},
		{name: "reasons", file: strings.Replace(r, "<reason>", strings.Repeat("<reason><type>other</type></reason>", 5)+"<reason>", 1),
			limits: Limits{Items: 3}, want: "reasons of one record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, n := readAll(t, test.limits, test.file)
			last := strings.Join(k.problems, "\n")
			if len(k.heads) > 2 || test.name != "parts" && test.name != "reports" && n[0] != 0 || !strings.Contains(last, "over the limit of "+test.want) &&
				!strings.Contains(last, test.want) {
				t.Errorf("got %d reports, problems %q, want %q", n[0], k.problems, test.want)
			}
		})
	}
}

// What a zip says of its members is held, so there is a bound for it. Members in front are
// read all the same.
func TestZipOfManyMembers(t *testing.T) {
	const most = 100_000
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("r.xml")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, report9990("r1"))
	for i := range most {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	k, n := readAll(t, Limits{}, b.String())
	if told := strings.Join(k.problems, "\n"); n[0] != 1 || !strings.Contains(told, "over the limit of the octets of the directories of archives") {
		t.Errorf("got %d reports, problems %.300q", n[0], told)
	}
}

// A report whose rows are alike is packed as well as a bomb.
func TestALongReportIsNoBomb(t *testing.T) {
	const rows = 60
	alike := strings.Replace(record, "fine", strings.Repeat("x", 1<<19), 1)
	c := new(counting)
	n, err := New(c, Limits{}).File("long", strings.NewReader(packed(t, strings.Replace(report9990("r1"), record, strings.Repeat(alike, rows), 1))))
	if err != nil || n != 1 || c.records != rows {
		t.Errorf("got %d reports, %d records, %v", n, c.records, err)
	}
}

func TestACopyIsLeftOut(t *testing.T) {
	k, n := readAll(t, Limits{}, report9990("r1"), packed(t, report9990("r1")), report9990("r2"))
	if len(k.heads) != 2 || n[1] != 1 || len(k.problems) != 1 || !strings.Contains(k.problems[0], "was read already") {
		t.Errorf("got %d reports, %v, problems %q", len(k.heads), n, k.problems)
	}
}

func TestFailureReports(t *testing.T) {
	arf := "From: d@receiver.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n" +
		"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: auth-failure\nVersion: 1\nAuth-Failure: dmarc\nReported-Domain: example.com\n" +
		"Source-IP: 2001:db8::1\nOriginal-Mail-From: <x@evil.example>\nArrival-Date: Thu, 1 Jan 2026 00:00:00 +0000\nIdentity-Alignment: dkim,\n spf\n" +
		"Original-Rcpt-To: <a@example.net>\nOriginal-Rcpt-To: <b@example.net>\n\n--b\nContent-Type: text/rfc822-headers\n\nFrom: x\n\n--b--\n"
	k, n := readAll(t, Limits{}, arf)
	if n[0] != 1 || len(k.problems) != 0 {
		t.Fatalf("got %d, problems %q", n[0], k.problems)
	}
	got := k.failures[0]
	if got.FeedbackType != "auth-failure" || got.AuthFailure != "dmarc" || got.ReportedDomain != "example.com" || got.SourceIP != "2001:db8::1" ||
		got.OriginalMailFrom != "<x@evil.example>" || got.ArrivalDate != "Thu, 1 Jan 2026 00:00:00 +0000" || got.IdentityAlignment != "dkim, spf" ||
		got.Fields["original-rcpt-to"] != "<a@example.net>\n<b@example.net>" {
		t.Errorf("got %+v", got)
	}
	k, n = readAll(t, Limits{}, "From: x@y\nContent-Type: text/plain\n\nAn authentication failure report.\nSender Domain: example.com\nSender IP Address: 192.0.2.7\nReceived Date: today\n")
	if n[0] != 1 || k.failures[0].SourceIP != "192.0.2.7" || k.failures[0].ReportedDomain != "example.com" || k.failures[0].ArrivalDate != "today" {
		t.Errorf("text only: got %d, %+v, problems %q", n[0], k.failures, k.problems)
	}
}

// counting is a Sink that keeps nothing. It calls held, if set, while all of a report
// is there.
type counting struct {
	records int
	held    func()
}

func (c *counting) Aggregate(_ *Aggregate, r *Records) error {
	c.records += r.Len()
	if c.held != nil {
		c.held()
	}
	return r.WriteJSON(io.Discard)
}
func (c *counting) Failure(*Failure) error { return nil }
func (c *counting) Problem(Problem)        {}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const records = 20_000 // 15 MB
	begin, end, _ := strings.Cut(report9990("r1"), record)
	parts := []io.Reader{strings.NewReader(begin)}
	for range records {
		parts = append(parts, strings.NewReader(record))
	}
	live := func() int64 { // without what nobody has freed yet
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	c := new(counting)
	before, during := live(), int64(0)
	c.held = func() { during = live() }
	n, err := New(c, Limits{}).File("large", io.MultiReader(append(parts, strings.NewReader(end))...))
	if err != nil || n != 1 || c.records != records {
		t.Fatalf("got %d reports, %d records, %v", n, c.records, err)
	}
	if grown := during - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
}

// FuzzFile: whatever comes, it is read without a panic, and what is handed on can
// be written as JSON.
func FuzzFile(f *testing.F) {
	f.Add([]byte(report9990("r1")))
	f.Add([]byte("From: a@b\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nA: b\n--b--"))
	f.Add([]byte("<feedback><record><row><dkim>pass</dkim></row></feedback></record>"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k := new(kept)
		n, err := New(k, Limits{Expanded: 1 << 20, Text: 1 << 16}).File("f", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 && len(k.problems) == 0 {
			t.Error("no report and no problem")
		}
		if _, err := json.Marshal([]any{k.heads, k.records, k.failures}); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkAverageReport(b *testing.B) {
	begin, end, _ := strings.Cut(report9990("r1"), record)
	text := begin + strings.Repeat(record, 6) + end // 5 KB
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := New(new(counting), Limits{}).File("f", strings.NewReader(text)); n != 1 || err != nil {
			b.Fatal(n, err)
		}
	}
}
