package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"alignd/e2e/daemon"
	"alignd/e2e/mta"
	"alignd/e2e/port"
	"alignd/e2e/sendmail"
	"alignd/filter/milter"
)

// inFront is a filter in front of alignd: it inserts fields, and keeps what it was shown.
type inFront struct {
	addr string

	mu     sync.Mutex
	insert []milter.Edit
}

// startInFront listens on a free port.
func startInFront(t *testing.T) *inFront {
	t.Helper()
	f := new(inFront)
	server, err := milter.New(milter.Options{Handler: func(*milter.Conn) milter.Session { return &frontSession{filter: f} }})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the MTA may keep connections
		_ = server.Shutdown(ctx)
		<-done
	})
	return f
}

// inserts has the filter insert these into the next message, the last one first.
func (f *inFront) inserts(index int, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.insert = nil
	for _, v := range values {
		f.insert = append(f.insert, milter.InsertHeader(index, "Authentication-Results", v))
	}
}

type frontSession struct{ filter *inFront }

func (s *frontSession) Connect(milter.Connect)                {}
func (s *frontSession) Helo(string)                           {}
func (s *frontSession) Mail(milter.Mail)                      {}
func (s *frontSession) Rcpt(milter.Rcpt)                      {}
func (s *frontSession) Header(name, value []byte)             {}
func (s *frontSession) EndOfHeader()                          {}
func (s *frontSession) Body([]byte)                           {}
func (s *frontSession) Abort()                                {}
func (s *frontSession) Close()                                {}
func (s *frontSession) Done(milter.Outcome) (sent func(bool)) { return nil }
func (s *frontSession) EndOfMessage(context.Context) milter.Response {
	s.filter.mu.Lock()
	defer s.filter.mu.Unlock()
	return milter.Response{Edits: s.filter.insert, Reply: milter.Accept}
}

const shadowZone = `
example.com         TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com  TXT "v=DMARC1; p=quarantine"
`

const (
	theirDMARC = "mx.here.test; dmarc=pass header.from=example.com"
	theirSPF   = "mx.here.test; spf=softfail smtp.mailfrom=example.com"
	forgedSPF  = "mx.here.test; spf=pass smtp.mailfrom=example.com"
)

// shadowMail is a message with a forged field, that the client wrote at its top.
const shadowMail = "Authentication-Results: " + forgedSPF + "\nFrom: a@example.com\nTo: bob@here.test\nSubject: x\n" +
	"Date: Mon, 01 Dec 2025 09:00:00 +0100\nMessage-ID: <1@x>\n\nx\n"

// shadowRows are what is so with both MTAs.
var shadowRows = []struct {
	name    string
	index   int
	values  []string
	differs string // of the log; empty: none
	stay    []string
	gone    []string
}{
	{name: "two fields below the MTA's Received", index: 1, values: []string{theirSPF, theirDMARC},
		differs: "differs=spf:softfail/fail,dmarc:pass/fail", stay: []string{theirDMARC, theirSPF}, gone: []string{forgedSPF}},
	{name: "two fields above it", index: 0, values: []string{theirSPF, theirDMARC},
		differs: "differs=spf:softfail/fail,dmarc:pass/fail", stay: []string{theirDMARC, theirSPF}, gone: []string{forgedSPF}},
	{name: "one field with all", index: 1, values: []string{theirSPF + "; dmarc=fail header.from=example.com"},
		differs: "differs=spf:softfail/fail", stay: []string{theirSPF + "; dmarc=fail header.from=example.com"}, gone: []string{forgedSPF}},
	// Where the filter wrote nothing, the forged field stands in its place.
	{name: "nothing", index: 1, differs: "differs=spf:pass/fail", stay: []string{forgedSPF}},
}

// Postfix shows alignd the fields that a filter in front inserted, on top of all others.
func TestBesideAFilterInFrontOfPostfix(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: a filter in front, with the real Postfix (make test runs it; it sets ALIGND_E2E=1)")
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	front := startInFront(t)
	// As a policy server does, such as policyd-spf with Header_Type = AR.
	prepend := writeFile(t, "prepend", "/./ PREPEND Authentication-Results: "+theirSPF+"\n")
	p, err := mta.Start([]mta.Line{
		{Name: "two", Milter: "inet:" + front.addr + ",inet:" + addr},
		{Name: "policy", Milter: "inet:" + front.addr + ",inet:" + addr, Options: []string{"smtpd_sender_restrictions=check_sender_access,regexp:" + prepend}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	d := serve(t, raceBinary(t), "inet:"+addr, shadowZone, "compare_with: mx.here.test\nmode: monitor")
	for i, row := range shadowRows {
		t.Run(row.name, func(t *testing.T) {
			front.inserts(row.index, row.values...)
			reply := transaction(t, dial(t, p, "two", "198.51.100.66"), "x@example.com", strings.NewReader(shadowMail))
			checkShadow(t, p.Sink(), reply, row.stay, row.gone)
			checkDiffers(t, d, i+1, row.differs)
		})
	}
	t.Run("a policy server's field is shown too", func(t *testing.T) {
		front.inserts(1, theirDMARC)
		reply := transaction(t, dial(t, p, "policy", "198.51.100.66"), "x@example.com", strings.NewReader(shadowMail))
		checkShadow(t, p.Sink(), reply, []string{theirDMARC, theirSPF}, []string{forgedSPF})
		checkDiffers(t, d, len(shadowRows)+1, "differs=spf:softfail/fail,dmarc:pass/fail")
	})
}

// So does Sendmail.
func TestBesideAFilterInFrontOfSendmail(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: a filter in front, with the real Sendmail (make test runs it; it sets ALIGND_E2E=1)")
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	front := startInFront(t)
	s, err := sendmail.Start("../build/sendmail", "inet:"+front.addr+",inet:"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	// The site's own name is another one here, and so is alignd's id.
	d := serve(t, raceBinary(t), "inet:"+addr, shadowZone,
		"compare_with: mx.here.test\nauthserv_id: alignd-shadow.here.test\nmode: monitor\nnot_judged: {loopback: false}")
	c := sendmailClient(t, s)
	for i, row := range shadowRows {
		t.Run(row.name, func(t *testing.T) {
			front.inserts(row.index, row.values...)
			reply := transaction(t, c, "x@example.com", strings.NewReader(shadowMail))
			checkShadow(t, s.Sink(), reply, row.stay, row.gone)
			checkDiffers(t, d, i+1, row.differs)
		})
	}
}

// checkDiffers looks at the line of the nth message.
func checkDiffers(t *testing.T, d *daemon.Daemon, n int, differs string) {
	t.Helper()
	waitLog(t, d, n, "message judged")
	if line := lastLine(d.Log()); !strings.Contains(line, " "+differs+" ") {
		t.Errorf("want %s, got %s", differs, line)
	}
}

func lastLine(log string) string {
	last := ""
	for line := range strings.Lines(log) {
		if strings.Contains(line, "message judged") {
			last = line
		}
	}
	return last
}

// checkShadow looks for the fields in what was delivered, and for alignd's own.
func checkShadow(t *testing.T, sink *mta.Sink, reply mta.Reply, stay, gone []string) {
	t.Helper()
	if reply.Code != 250 {
		t.Fatalf("got %s", reply)
	}
	d, err := waitDelivery(t, sink, reply.QueueID())
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := bytes.Cut(d.Data, []byte("\r\n\r\n"))
	text := strings.ReplaceAll(strings.ReplaceAll(string(header), "\r\n", "\n"), "\n\t", " ")
	for _, want := range append(stay, "alignd-shadow.here.test; spf=fail") {
		if n := strings.Count(text, "Authentication-Results: "+want); n != 1 {
			t.Errorf("%d of %q in\n%s", n, want, text)
		}
	}
	for _, field := range gone {
		if strings.Contains(text, field) {
			t.Errorf("%q is in\n%s", field, text)
		}
	}
}

// What a user's rule reads does not change: it is run by a real Sieve interpreter over the
// message as the filter in front left it, and as alignd did behind it.
func TestUsersRulesReadTheSameBesideAFilterInFront(t *testing.T) {
	if _, err := exec.LookPath("sieve-test"); err != nil {
		if os.Getenv("ALIGND_E2E") != "" {
			t.Fatal(err)
		}
		t.Skip("left out: rules beside a filter in front (needs sieve-test of dovecot-sieve; make test installs it)")
	}
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	serve(t, raceBinary(t), "inet:"+addr, shadowZone, "compare_with: mx.here.test\nmode: monitor")
	const rest = "From: a@example.com\n\nx\n"
	for _, theirs := range []string{
		theirDMARC, theirSPF + "; dmarc=fail header.from=example.com", "mx.here.test; none",
		"mx.here.test;\n\tdmarc=fail (p=none dis=none) header.from=example.com", "mx.here.test/4ZQ; dmarc=fail header.from=example.com",
	} {
		before := "Authentication-Results: " + theirs + "\n" + rest
		after := deliver(t, addr, before)
		if !strings.Contains(string(after), "alignd-shadow.here.test;") {
			t.Fatalf("alignd wrote nothing:\n%s", after)
		}
		for _, test := range []string{
			`header :contains "Authentication-Results" "mx.here.test; dmarc=fail"`,
			`header :matches "Authentication-Results" "mx.here.test*dmarc=fail*"`,
			`header :matches "Authentication-Results" "*mx.here.test;*dmarc=pass*"`,
			`header :regex "Authentication-Results" "mx\\.here\\.test;.*spf=(soft)?fail"`,
			`allof (header :contains "Authentication-Results" "mx.here.test", not header :contains "Authentication-Results" "mx.here.test; dmarc=pass")`,
		} {
			script := fmt.Sprintf("require [\"fileinto\", \"regex\"];\nif %s { fileinto \"Junk\"; }\n", test)
			if was, is := filed(sieveWith(t, script, []byte(before))), filed(sieveWith(t, script, after)); was != is {
				t.Errorf("%s: %q before, %q behind alignd\n%s", test, was, is, after)
			}
		}
	}
}

// filed is the folder of what sieve-test prints.
func filed(out string) string {
	_, folder, _ := strings.Cut(out, "store message in folder: ")
	folder, _, _ = strings.Cut(folder, "\n")
	return folder
}
