package probe

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// early is a filter that wants a reply to each event, and refuses the recipient.
// It says which client it was told of.
func early(c net.Conn) {
	defer c.Close()
	client := ""
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		answer := []byte{'c'}
		switch frame[0] {
		case 'O':
			answer = []byte("O\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00\x00\x00")
		case 'D':
			continue
		case 'C':
			_, rest, _ := strings.Cut(string(frame[1:]), "\x00")
			client = rest[:1] + " " + strings.TrimRight(rest[3:], "\x00")
		case 'R':
			answer = []byte("y550 5.7.1 50%% not " + client + "\x00")
		}
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
	}
}

func TestAnswerBeforeTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go early(c)
		}
	}()
	for client, want := range map[string]string{"": "5.7.1 50% not 4 203.0.113.254", "2001:db8::1": "5.7.1 50% not 6 2001:db8::1"} {
		o := Options{Network: "tcp", Address: l.Addr().String(), Host: "mx.here.test", QueueID: "probe-1", Now: time.Now(), Timeout: 5 * time.Second}
		if client != "" {
			o.Client = netip.MustParseAddr(client)
		}
		r, err := Send(t.Context(), o)
		if err != nil || r.Code != 550 || r.Text != want {
			t.Errorf("%q: %+v, %v", client, r, err)
		}
	}
}

func TestTheMessageIsNobodys(t *testing.T) {
	fields, _ := Message(time.Unix(1, 0), "probe-1")
	for _, f := range fields {
		if strings.Contains(f[1], "@") && !strings.Contains(f[1], "@"+Domain) {
			t.Errorf("%s:%s", f[0], f[1])
		}
	}
	if !strings.HasSuffix(Domain, ".invalid") || !netip.MustParsePrefix("203.0.113.0/24").Contains(Client) {
		t.Error("the names are not reserved")
	}
}

// A filter that sends edits without end costs no memory without end.
func TestAnswersAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go endless(c)
		}
	}()
	o := Options{Network: "tcp", Address: l.Addr().String(), Host: "mx.here.test", QueueID: "probe-1", Now: time.Now(), Timeout: 30 * time.Second}
	if _, err := Send(t.Context(), o); err == nil || !strings.Contains(err.Error(), "more than 4194304 octets") {
		t.Errorf("got %v", err)
	}
}

// endless inserts fields for ever at the end of the message.
func endless(c net.Conn) {
	defer c.Close()
	edit := "i\x00\x00\x00\x00X\x00" + strings.Repeat("x", 60<<10) + "\x00"
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		answer := "c"
		switch frame[0] {
		case 'O':
			answer = "O\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00\x00\x00"
		case 'D':
			continue
		case 'E':
			answer = edit
		}
		for n := 0; n == 0 || answer == edit; n++ {
			if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)); err != nil {
				return
			}
		}
	}
}
