package milter

import (
	"context"
	"strings"
	"testing"

	protocol "github.com/emersion/go-milter"
)

// noReply are the bits that switch replies off.
const noReply = protocol.OptNoConnReply | protocol.OptNoHeloReply | protocol.OptNoMailReply |
	protocol.OptNoRcptReply | protocol.OptNoDataReply | protocol.OptNoUnknownReply |
	protocol.OptNoHeaderReply | protocol.OptNoEOHReply | protocol.OptNoBodyReply

// Orders of commands as MTAs were seen to send them. O is the negotiation, N the
// whole header.
func TestSessionHearsWholeMessagesWhateverTheOrderOfTheMTA(t *testing.T) {
	const (
		hello   = "connect client.example 4 25 192.0.2.1\nhelo client.example\n"
		begin   = "mail a@example.com [\"SIZE=10\"]\nrcpt b@example.net []\n"
		content = "header Subject:\" hello\"\nend of header\nbody 6\nend of message\n"
		abort   = "abort\n"
		again   = "helo client.example\n"
		bye     = "close"
	)
	tests := []struct {
		name  string
		order string
		want  string
	}{
		{name: "Postfix aborts after every message and before HELO", order: "OCHMRAMRHAAMRNBEAMAAQ",
			want: hello + begin + abort + begin + abort + again + begin + content +
				"mail a@example.com [\"SIZE=10\"]\n" + abort + bye},
		{name: "Sendmail without reply bits sends no abort after a message", order: "OCHMRAMRAHMRNBEMQ",
			want: hello + begin + abort + begin + abort + again + begin + content +
				"mail a@example.com [\"SIZE=10\"]\n" + abort + bye},
		{name: "a HELO within a message ends it", order: "OCHMRAMRHMRNBEMQ",
			want: hello + begin + abort + begin + abort + again + begin + content +
				"mail a@example.com [\"SIZE=10\"]\n" + abort + bye},
		{name: "a MAIL within a message ends it", order: "OCHMRMRNBEQ",
			want: hello + begin + abort + begin + content + bye},
		{name: "MAIL after content without its end starts anew", order: "OCHMRNBMRNBEQ",
			want: hello + begin + strings.Replace(content, "end of message\n", "", 1) + abort + begin + content + bye},
		{name: "several messages need nothing in between", order: "OCHMRNBEMRNBEQ",
			want: hello + begin + content + begin + content + bye},
		{name: "without a body there still is an end", order: "OCHMRNEQ",
			want: hello + begin + strings.Replace(content, "body 6\n", "", 1) + bye},
		{name: "end of header is told when the MTA leaves it out", order: "OCHMRBEQ",
			want: hello + begin + "end of header\nbody 6\nend of message\n" + bye},
		{name: "end of header is told before an end of message that comes at once", order: "OCHMREQ",
			want: hello + begin + "end of header\nend of message\n" + bye},
		{name: "QUIT_NC is followed by another SMTP session", order: "OCHMRNBEKCHMRNBEQ",
			want: hello + begin + content + "close\n" + hello + begin + content + bye},
		{name: "a second CONNECT starts another SMTP session", order: "OCHMRCHQ",
			want: hello + begin + abort + "close\n" + hello + bye},
		{name: "MAIL without HELO and CONNECT has an unknown client", order: "OMREQ",
			want: "connect  U 0 invalid IP\n" + begin + "end of header\nend of message\n" + bye},
		{name: "DATA and unknown commands are answered", order: "OCHTUMRTNBEQ", want: hello + begin + content + bye},
		{name: "a command unknown to us is passed over", order: "OCHMRZNBEQ", want: hello + begin + content + bye},
	}
	for _, without := range []protocol.OptProtocol{0, noReply} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := &recorder{}
				_, addr := serve(t, Options{Handler: r.handler})
				play(t, addr, tt.order, without)
				eventually(t, "close", func() bool {
					got := r.text()
					return strings.HasSuffix(got, "close") && len(got) >= len(tt.want)
				})
				got := r.text()
				if got != tt.want {
					t.Errorf("%s: got\n%s\nwant\n%s", tt.order, got, tt.want)
				}
			})
		}
	}
}

// play sends commands by their letters.
func play(t *testing.T, addr, order string, without protocol.OptProtocol) {
	t.Helper()
	m := greet(t, addr, without)
	for _, letter := range order[1:] {
		switch letter {
		case 'C':
			m.event('C', theConnect)
		case 'H':
			m.event('H', theHelo)
		case 'M':
			m.event('M', theMail)
		case 'R':
			m.event('R', theRcpt)
		case 'N':
			m.event('L', theHeader)
			m.event('N', "")
		case 'B':
			m.event('B', theBody)
		case 'E':
			if _, reply := m.verdict(); reply != "a" {
				t.Fatalf("verdict: got %q, want accept", reply)
			}
		default:
			m.event(byte(letter), "")
		}
	}
	m.closed()
}

// TestPeerClient lets an independent implementation of the protocol talk to us.
func TestPeerClient(t *testing.T) {
	edits := []Edit{
		InsertHeader(0, "X-One", "1\r\n 2"), DeleteHeader("x-old", 1), Quarantine("why"), DeleteHeader("X-Old", 3),
	}
	answer := Response{Edits: edits, Reply: Accept}
	for _, tt := range []struct {
		name    string
		options protocol.OptProtocol
	}{
		{"nothing is offered: every event is answered", 0},
		{"everything is offered: the end of the message is answered", allOptions},
		{"everything but no-reply: every event that comes is answered", allOptions &^ noReply},
		{"no-reply only", noReply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := tt.options
			r := &recorder{}
			_, addr := serve(t, Options{Handler: func(c *Conn) Session {
				r.judge = func(context.Context) Response {
					r.note("queue id %s", c.QueueID())
					return answer
				}
				return r.handler(c)
			}})
			client := protocol.NewClientWithOptions("tcp", addr, protocol.ClientOptions{
				ActionMask: protocol.OptAddHeader | protocol.OptChangeHeader | protocol.OptQuarantine, ProtocolMask: options,
			})
			session, err := client.Session()
			if err != nil {
				t.Fatal(err)
			}
			must := func(act *protocol.Action, err error) {
				t.Helper()
				if err != nil || act.Code != protocol.ActContinue {
					t.Fatalf("event: got %+v, %v, want continue", act, err)
				}
			}
			must(session.Conn("client.example", protocol.FamilyInet6, 25, "IPv6:2001:db8::1"))
			must(session.Helo("client.example"))
			for range 3 {
				must(session.Mail("a@example.com", []string{"SIZE=10"}))
				must(session.Rcpt("b@example.net", nil))
				if err := session.Macros(protocol.CodeEOH, "i", "4XYZ"); err != nil {
					t.Fatal(err)
				}
				must(session.HeaderField("Subject", "hello"))
				must(session.HeaderEnd())
				must(session.BodyChunk([]byte("text")))
				acts, act, err := session.End()
				if err != nil || act.Code != protocol.ActAccept {
					t.Fatalf("end: got %+v, %v", act, err)
				}
				checkPeerEdits(t, acts, options&protocol.OptHeaderLeadingSpace != 0)
			}
			if err := session.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "close", func() bool {
				got := r.text()
				return strings.Count(got, "queue id 4XYZ") == 3 && strings.HasSuffix(got, "close") &&
					strings.HasPrefix(got, "connect client.example 6 25 2001:db8::1\n")
			})
		})
	}
}

func checkPeerEdits(t *testing.T, acts []protocol.ModifyAction, leadingSpace bool) {
	t.Helper()
	value := "1\n 2"
	if leadingSpace {
		value = " " + value
	}
	want := []protocol.ModifyAction{
		{Code: protocol.ActChangeHeader, HeaderIndex: 3, HeaderName: "X-Old"},
		{Code: protocol.ActChangeHeader, HeaderIndex: 1, HeaderName: "x-old"},
		{Code: protocol.ActInsertHeader, HeaderIndex: 0, HeaderName: "X-One", HeaderValue: value},
		{Code: protocol.ActQuarantine, Reason: "why"},
	}
	if len(acts) != len(want) {
		t.Fatalf("edits: got %+v, want %+v", acts, want)
	}
	for i, got := range acts {
		if got.Code != want[i].Code || got.HeaderIndex != want[i].HeaderIndex || got.Reason != want[i].Reason ||
			!strings.EqualFold(got.HeaderName, want[i].HeaderName) || got.HeaderValue != want[i].HeaderValue {
			t.Errorf("edit %d: got %+v, want %+v", i, got, want[i])
		}
	}
}
