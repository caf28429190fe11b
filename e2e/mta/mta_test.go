package mta

import (
	"bufio"
	"bytes"
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func TestCopyLinesGivesCRLFAndStuffsDots(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	for _, c := range []struct{ name, in, want string }{
		{name: "LF becomes CRLF", in: "a\nb\n", want: "a\r\nb\r\n"},
		{name: "CRLF stays", in: "a\r\nb\r\n", want: "a\r\nb\r\n"},
		{name: "a bare CR stays", in: "a\rb\n", want: "a\rb\r\n"},
		{name: "an empty line is kept", in: "a\n\nb\n", want: "a\r\n\r\nb\r\n"},
		{name: "a dot at the start of a line is doubled", in: ".\n..a\nb.\n", want: "..\r\n...a\r\nb.\r\n"},
		{name: "a last line without end gets one", in: "a\nb", want: "a\r\nb\r\n"},
		{name: "a line longer than any buffer stays one line", in: long + "\n.\n", want: long + "\r\n..\r\n"},
		{name: "nothing stays nothing"},
	} {
		var got bytes.Buffer
		w := bufio.NewWriter(&got)
		if err := copyLines(w, strings.NewReader(c.in)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		w.Flush()
		if got.String() != c.want {
			t.Errorf("%s: input %.40q\n got %.80q\nwant %.80q", c.name, c.in, got.String(), c.want)
		}
		unstuffed := strings.ReplaceAll("\r\n"+c.want, "\r\n.", "\r\n")[2:]
		back, err := readData(bufio.NewReader(strings.NewReader(got.String() + ".\r\n")))
		if err != nil || string(back) != unstuffed {
			t.Errorf("%s: read back %.80q, %v, want %.80q", c.name, back, err, unstuffed)
		}
	}
}

func TestQueueIDComesFromOwnReceivedField(t *testing.T) {
	data := "Authentication-Results: mx\r\n" +
		"Received: from a (b [192.0.2.1])\r\n\tby " + Hostname + " (Postfix) with ESMTPS id 4F2A9\r\n\tfor <x@here.test>; now\r\n" +
		"Received: by other (Postfix) with ESMTP id WRONG; then\r\n\r\n"
	if got := queueID([]byte(data)); got != "4F2A9" {
		t.Errorf("got %q", got)
	}
	if got := queueID([]byte("Subject: none\r\n\r\n")); got != "" {
		t.Errorf("without Received: got %q", got)
	}
}

func TestXCLIENTNamesTheFamily(t *testing.T) {
	peer := Peer{Addr: netip.MustParseAddr("2001:db8::1"), User: "joe"}
	if got, want := xclient(peer), "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 LOGIN=joe"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPostfixDeliversByteForByte runs the harness alone, without a milter.
func TestPostfixDeliversByteForByte(t *testing.T) {
	if os.Getenv("ALIGND_E2E") == "" {
		t.Skip("left out: the real Postfix (make test runs it; it sets ALIGND_E2E=1)")
	}
	p, err := Start([]Line{{Name: "bare"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
			t.Errorf("%s was left behind", p.dir)
		}
		if t.Failed() {
			t.Log(p.Log())
		}
	}()
	message := []byte("Subject:  two spaces\r\nFrom:none\r\nX-Fold: a\r\n \tb\r\n\r\n.dot\r\n\r\n\xe4\r\n")
	for _, addr := range []string{"192.0.2.7", "2001:db8::7"} {
		c, err := Dial(p.Addr("bare"), Peer{Addr: netip.MustParseAddr(addr), Name: "client.example"})
		if err != nil {
			t.Fatal(err)
		}
		id := transaction(t, c, message)
		c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		d, err := p.Sink().Wait(ctx, id)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(d.Data, message) {
			t.Errorf("delivered %q\nwant the end %q", d.Data, message)
		}
		if !strings.Contains(string(d.Data), addr) {
			t.Errorf("no trace of %s in %q", addr, d.Data)
		}
	}
}

func transaction(t *testing.T, c *Client, message []byte) (queueID string) {
	t.Helper()
	for _, cmd := range []string{"EHLO a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@" + Domain + ">"} {
		if err := expect(250)(c.Command("%s", cmd)); err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
	}
	reply, err := c.Data(message)
	if err != nil || reply.QueueID() == "" {
		t.Fatalf("DATA: %s, %v", reply, err)
	}
	return reply.QueueID()
}
