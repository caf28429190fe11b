package read

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"mime/quotedprintable"
	"strings"
	"testing"
	"unicode/utf16"
)

func u16(s string, big, bom bool) string {
	var b bytes.Buffer
	units := utf16.Encode([]rune(s))
	if bom {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			binary.Write(&b, binary.BigEndian, u)
		} else {
			binary.Write(&b, binary.LittleEndian, u)
		}
	}
	return b.String()
}

func qp(s string) string {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func deflated(s string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	w.Write([]byte(s))
	w.Close()
	return b.Bytes()
}

func zipDirs(t *testing.T, r string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.Create("dir/")
	w, _ := z.Create("dir/a.xml")
	w.Write([]byte(r))
	z.Create("__MACOSX/")
	w, _ = z.Create("__MACOSX/._a.xml")
	w.Write([]byte("\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"))
	z.Close()
	return b.String()
}

func zipLocal(r string) string { // a local header with sizes, cut before the directory
	d := deflated(r)
	h := make([]byte, 30)
	copy(h, "PK\x03\x04")
	binary.LittleEndian.PutUint16(h[8:], 8)
	binary.LittleEndian.PutUint32(h[14:], crc32.ChecksumIEEE([]byte(r)))
	binary.LittleEndian.PutUint32(h[18:], uint32(len(d)))
	binary.LittleEndian.PutUint32(h[22:], uint32(len(r)))
	binary.LittleEndian.PutUint16(h[26:], 5)
	return string(h) + "a.xml" + string(d)
}

// What reporters and the ways of mail make of a report: what can be read is read, and what
// cannot is told.
func TestReportsAsTheyCome(t *testing.T) {
	r := report9990("r1")
	sw := func(p ...string) string { return strings.NewReplacer(p...).Replace(r) }
	b64 := base64.StdEncoding.EncodeToString([]byte(packed(t, r)))
	gz := packed(t, r)
	m := func(h, body string) string { return "From: a@b.example\r\nSubject: x\r\n" + h + "\r\n" + body }
	noDecl := r[strings.Index(r, "<feedback"):]
	noCount := func(k *kept) bool {
		return len(k.records) == 1 && k.records[0][0].Count == nil && k.records[0][0].SourceIP == "192.0.2.1"
	}
	any := func(k *kept) bool { return len(k.records) == 1 && *k.records[0][0].Count == 3 }
	whole := func(k *kept) bool {
		x := k.records[0][0]
		return x.SourceIP == "192.0.2.1" && x.Count != nil && *x.Count == 3 && x.HeaderFrom == "example.com" && k.heads[0].OrgName != "" && k.heads[0].Domain == "example.com" && k.heads[0].Begin != "" && k.heads[0].End != ""
	}
	for _, c := range []struct {
		name, file string
		reports    int                // 0 is one; -1 is none
		problem    string             // is told
		see        func(k *kept) bool // nil: all of it is read
	}{
		{name: "utf16le no bom", file: u16(sw("UTF-8", "UTF-16"), false, false)},
		{name: "utf16be no bom", file: u16(sw("UTF-8", "UTF-16"), true, false)},
		{name: "utf16le no bom no decl", file: u16(noDecl, false, false)},
		{name: "utf16be no bom no decl", file: u16(noDecl, true, false)},
		{name: "utf16be bom", file: u16(r, true, true)},
		{name: "utf16le bom gz", file: packed(t, u16(r, false, true))},
		{name: "utf16 blank first", file: u16("\n"+r, false, true)},
		{name: "declared utf-16 is utf8", file: sw("UTF-8", "UTF-16")},
		{name: "bogus encoding", file: sw("UTF-8", "bogus-9")},
		{name: "windows-1252", file: sw("UTF-8", "windows-1252", "made by hand", "m\xe4de \x80")},
		{name: "double bom", file: "\ufeff\ufeff" + r},
		{name: "xml 1.1", file: sw(`version="1.0" encoding`, `version="1.1" encoding`)},
		{name: "xml decl single quotes", file: sw(`<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>`)},
		{name: "xml decl broken", file: sw(`<?xml version="1.0" encoding="UTF-8"?>`, `<?xml?>`)},
		{name: "xml decl broken2", file: sw(`<?xml version="1.0" encoding="UTF-8"?>`, `<? xml version="1.0" ?>`)},
		{name: "xml decl version missing", file: sw(`<?xml version="1.0" encoding="UTF-8"?>`, `<?xml encoding="UTF-8"?>`)},
		{name: "stylesheet", file: sw("<feedback", "<?xml-stylesheet href='x'?><feedback")},
		{name: "angle in email", file: sw("<email>dmarc@receiver.example", "<email>Reports <dmarc@receiver.example>"), problem: "begin no element"},
		{name: "angle in org", file: sw("<org_name>receiver.example", "<org_name>a < b")},
		{name: "angle url", file: sw("made by hand", "<http://x.example/a?b=c&d=e>")},
		{name: "bad attr", file: sw("<feedback", "<feedback a=b c d='x"), problem: "not well-formed", reports: -1},
		{name: "bad attr2", file: sw("<feedback", "<feedback a=b c")},
		{name: "undefined prefix", file: sw("<version>1.0</version>", "<x:version>1.0</x:version>")},
		{name: "two colons", file: sw("<version>1.0</version>", "<x:y:version>1.0</x:y:version>"), problem: "not well-formed", reports: -1},
		{name: "nbsp", file: sw("made by hand", "a&nbsp;b&#xZZ;&#99999999;&;")},
		{name: "nul", file: sw("made by hand", "a\x00b")},
		{name: "trailing nuls", file: r + "\x00\x00\x00"},
		{name: "trailing text", file: r + "\nhello world"},
		{name: "leading blanks, many", file: strings.Repeat("\r\n", 3000) + r},
		{name: "leading blanks, many, and gz", file: strings.Repeat("\n", 3000) + gz},
		{name: "leading blanks, many, in utf16", file: u16(strings.Repeat("\n", 3000)+r, true, true)},
		{name: "leading text, long", file: strings.Repeat("hello world\n", 300) + r, problem: "text stands before"},
		{name: "leading text", file: "hello world\n" + r, problem: "text stands before"},
		{name: "count spaces", file: sw("<count>3", "<count> 3 \n")},
		{name: "count comma", file: sw("<count>3", "<count>1,234"), problem: "is not a number of messages", see: noCount},
		{name: "count float", file: sw("<count>3", "<count>3.0")},
		{name: "count neg", file: sw("<count>3", "<count>-3"), problem: "is not a number of messages", see: noCount},
		{name: "count huge", file: sw("<count>3", "<count>99999999999999999999"), problem: "is not a number of messages", see: noCount},
		{name: "count plus", file: sw("<count>3", "<count>+3")},
		{name: "count empty", file: sw("<count>3", "<count>"), problem: "a record without count", see: noCount},
		{name: "count cdata", file: sw("<count>3", "<count><![CDATA[3]]>")},
		{name: "count comment", file: sw("<count>3", "<count><!-- x -->3")},
		{name: "count comment with --", file: sw("<count>3", "<count><!-- a -- b -->3")},
		{name: "ip brackets", file: sw("192.0.2.1", "[2001:db8::1]"), problem: "is not an address", see: any},
		{name: "ip mapped", file: sw("192.0.2.1", "::ffff:192.0.2.1"), see: any},
		{name: "ip prefix", file: sw("192.0.2.1", "IPv6:2001:db8::1"), problem: "is not an address", see: any},
		{name: "ip zeros", file: sw("192.0.2.1", "192.000.002.001"), problem: "is not an address", see: any},
		{name: "ip slash", file: sw("192.0.2.1", "192.0.2.1/32"), problem: "is not an address", see: any},
		{name: "ip zone", file: sw("192.0.2.1", "fe80::1%eth0"), see: any},
		{name: "iso dates", file: sw("1700000000", "2023-11-14T22:13:20.123Z", "1700086399", "2023-11-15 22:13:19 +0000"), problem: "is not in seconds"},
		{name: "date us", file: sw("1700000000", "11/14/2023", "1700086399", "Tue Nov 14 22:13:20 2023"), problem: "is not a time", see: any},
		{name: "date iso tz", file: sw("1700000000", "2023-11-14T22:13:20+01:00", "1700086399", "2023-11-15T22:13+01:00")},
		{name: "date neg", file: sw("1700000000", "-1"), problem: "is not a time", see: any},
		{name: "date attr", file: sw("<date_range><begin>1700000000</begin><end>1700086399</end></date_range>", `<date_range begin="1700000000" end="1700086399"/>`), problem: "date_range is missing", see: any},
		{name: "two policies", file: sw("<policy_published>", "<policy_published><domain>first.example</domain><p>none</p></policy_published><policy_published>"), problem: "once more"},
		{name: "no header_from", file: sw("<header_from>example.com</header_from>", ""), problem: "a record without header_from", see: any},
		{name: "upper tags", file: strings.NewReplacer("feedback", "FEEDBACK", "record>", "Record>", "source_ip", "Source_IP").Replace(r)},
		{name: "camel tags", file: strings.NewReplacer("source_ip", "sourceIp", "header_from", "headerFrom", "org_name", "orgName").Replace(r), problem: `unknown element "sourceip"`, see: any},
		{name: "mismatched tags", file: sw("</row>", "</rows>"), problem: "</rows> closes nothing"},
		{name: "unclosed tag", file: sw("</source_ip>", "")},
		{name: "unclosed record", file: sw("</record>", "")},
		{name: "duplicate feedback open", file: sw("<feedback", "<feedback><feedback")},
		{name: "zip dirs", file: zipDirs(t, r)},
		{name: "zip cut", file: zipLocal(r), problem: "directory cannot be read"},
		{name: "zip of two by a stream, cut", file: zipped(t, r, report9990("r2"))[:len(zipped(t, r, report9990("r2")))-40], reports: 2, problem: "directory cannot be read"},
		{name: "zip with prefix", file: "junk" + zipped(t, r), problem: "neither XML", reports: -1},
		{name: "zip trailing", file: zipped(t, r) + "\r\n\r\n"},
		{name: "zip trailing big", file: zipped(t, r) + strings.Repeat("x", 70000)},
		{name: "gz cut", file: gz[:len(gz)-20], problem: "ends early", see: func(k *kept) bool { return len(k.heads) == 1 }},
		{name: "gz bad crc", file: gz[:len(gz)-8] + "\x00\x00\x00\x00" + gz[len(gz)-4:], problem: "invalid checksum"},
		{name: "gz leading newline", file: "\r\n" + gz},
		{name: "gz trailing text", file: gz + "rubbish", problem: "what follows its end is left out"},
		{name: "two gz", file: gz + packed(t, report9990("r2")), reports: 2},
		{name: "raw base64 file", file: b64},
		{name: "mail leading blank", file: "\r\n" + mailWith("application/gzip", gz)},
		{name: "mail bom", file: "\ufeff" + m("Content-Type: text/xml\r\n", r)},
		{name: "mail LF", file: strings.ReplaceAll(mailWith("application/gzip", gz), "\r\n", "\n")},
		{name: "mail CR only", file: strings.ReplaceAll(mailWith("application/gzip", gz), "\r\n", "\r"), problem: "without a report", reports: -1},
		{name: "mail qp", file: m("Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n", qp(r))},
		{name: "mail qp broken", file: m("Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n", r)},
		{name: "mail cte upper", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: BASE64\r\n", b64)},
		{name: "mail cte comment", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64 (x)\r\n", b64)},
		{name: "mail cte missing", file: m("Content-Type: application/gzip\r\n", b64)},
		{name: "mail cte bogus", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: x-bogus\r\n", b64)},
		{name: "mail cte 8bit b64", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: 8bit\r\n", b64)},
		{name: "mail b64 junk", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n", "!!"+b64[:40]+" \x80\r\n"+b64[40:]+"\r\n-- \r\nfooter of a list")},
		{name: "mail binary gz", file: m("Content-Type: application/gzip\r\nContent-Transfer-Encoding: binary\r\n", gz)},
		{name: "mail binary gz in a part", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\nContent-Type: application/gzip\r\n\r\n"+gz+"\r\n--xx--\r\n")},
		{name: "mail no ct b64", file: m("Content-Transfer-Encoding: base64\r\n", b64)},
		{name: "mail image type", file: m("Content-Type: image/png; name=r.xml.gz\r\nContent-Transfer-Encoding: base64\r\n", b64)},
		{name: "mail html type", file: m("Content-Type: text/html; name=r.xml.gz\r\nContent-Transfer-Encoding: base64\r\n", b64)},
		{name: "mail broken ct", file: m("Content-Type: application/gzip; name=a b!c d.gz;;\r\nContent-Transfer-Encoding: base64\r\n", b64)},
		{name: "mail mp no boundary", file: m("Content-Type: multipart/mixed\r\n", "--xx\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp wrong boundary", file: m("Content-Type: multipart/mixed; boundary=yy\r\n", "--xx\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp no end", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n")},
		{name: "mail mp preamble", file: m("Content-Type: multipart/mixed; boundary=\"x x\"\r\n", "This is MIME\r\n\r\n--x x\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--x x--\r\n")},
		{name: "mail mp boundary ?", file: m("Content-Type: multipart/mixed; boundary=a=b?c/d\r\n", "--a=b?c/d\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--a=b?c/d--\r\n")},
		{name: "mail mp part no header", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\n\r\n"+r+"\r\n--xx--\r\n")},
		{name: "mail mp bad part header", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\nno header line\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp an unfolded parameter", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\nContent-Type: application/gzip;\r\nname=\"r.xml.gz\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp a bad header in another part", file: m("Content-Type: multipart/mixed; boundary=xx\r\n", "--xx\r\nContent-Type text/plain\r\n\r\nhello\r\n--xx\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp blanks where lines are empty", file: strings.ReplaceAll(mailWith("application/gzip", gz), "\r\n\r\n", "\r\n \r\n")},
		{name: "mail mp without a content-type", file: m("", "--xx\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64+"\r\n--xx--\r\n")},
		{name: "mail mp in base64 as a whole", file: m("Content-Type: multipart/mixed; boundary=xx\r\nContent-Transfer-Encoding: base64\r\n", base64.StdEncoding.EncodeToString([]byte("--xx\r\nContent-Type: application/gzip\r\n\r\n"+gz+"\r\n--xx--\r\n")))},
		{name: "mail mp digest", file: m("Content-Type: multipart/digest; boundary=xx\r\n", "--xx\r\n\r\n"+mailWith("application/gzip", gz)+"\r\n--xx\r\n\r\n"+mailWith("application/gzip", packed(t, report9990("r2")))+"\r\n--xx--\r\n"), reports: 2},
		{name: "mail forwarded three times", file: forwarded(forwarded(forwarded(mailWith("application/gzip", gz))))},
		{name: "mail rfc822 b64", file: m("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n", base64.StdEncoding.EncodeToString([]byte(mailWith("application/gzip", gz))))},
		{name: "mail two ct", file: m("Content-Type: text/plain\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n", b64)},
		{name: "mail content-type plain xml", file: m("Content-Type: text/plain\r\n", "Hello, here is your report.\r\n\r\n"+r)},
		{name: "mail uuencode", file: m("Content-Type: text/plain\r\n", "begin 644 r.xml.gz\r\n"+uu(gz)+"`\r\nend\r\n"), problem: "without a report", reports: -1},
		{name: "mail forwarded inline in octet eml", file: m("Content-Type: application/octet-stream; name=a.eml\r\nContent-Transfer-Encoding: base64\r\n", base64.StdEncoding.EncodeToString([]byte(mailWith("application/gzip", gz))))},
		{name: "tar", file: tarred(t, r, packed(t, report9990("r2"))), reports: 2},
	} {
		k, n := readAll(t, Limits{}, c.file)
		want := max(c.reports, 0)
		if c.reports == 0 {
			want = 1
		}
		see := c.see
		if see == nil {
			see = whole
		}
		if told := strings.Join(k.problems, "\n"); n[0] != want || !strings.Contains(told, c.problem) || want == 0 && told == "" || want > 0 && (len(k.records) == 0 || !see(k)) {
			t.Errorf("%s: %d reports, want %d; %+v %+v\n%s", c.name, n[0], want, k.heads, k.records, told)
		}
	}
}

// forwarded is a mail with another one attached.
func forwarded(mail string) string {
	boundary := fmt.Sprintf("b%d", len(mail))
	return "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n\r\nSee below.\r\n--" +
		boundary + "\r\nContent-Type: message/rfc822\r\n\r\n" + mail + "\r\n--" + boundary + "--\r\n"
}

func tarred(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: "r", Typeflag: tar.TypeReg, Size: int64(len(m)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func uu(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(45, len(s))
		line := s[:n]
		s = s[n:]
		b.WriteByte(byte(32 + n))
		for i := 0; i < n; i += 3 {
			var x [3]byte
			copy(x[:], line[i:])
			v := uint(x[0])<<16 | uint(x[1])<<8 | uint(x[2])
			for sh := 18; sh >= 0; sh -= 6 {
				c := byte(v>>uint(sh)&63) + 32
				if c == 32 {
					c = '`'
				}
				b.WriteByte(c)
			}
		}
		b.WriteString("\r\n")
	}
	return b.String()
}
