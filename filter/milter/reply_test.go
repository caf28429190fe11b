package milter

import (
	"strings"
	"testing"
)

func TestReplyOnTheWire(t *testing.T) {
	tests := []struct {
		name  string
		reply Reply
		want  string // frame without its length
		str   string
	}{
		{name: "accept", reply: Accept, want: "a", str: "accept"},
		{name: "code, enhanced code and text", reply: Text(550, "5.7.26", "Refused"), want: "y550 5.7.26 Refused\x00", str: "550 5.7.26 Refused"},
		{name: "without enhanced code", reply: Text(451, "", "Later"), want: "y451 Later\x00", str: "451 Later"},
		{name: "without text", reply: Text(451, "4.3.0", ""), want: "y451 4.3.0 \x00", str: "451 4.3.0 "},
		{name: "a percent sign is doubled", reply: Text(550, "5.7.1", "50% off"), want: "y550 5.7.1 50%% off\x00", str: "550 5.7.1 50% off"},
		{name: "several lines repeat both codes", reply: Text(550, "5.7.1", "one\ntwo\r\nthree"),
			want: "y550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\x00", str: "550 5.7.1 one / two / three"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := CheckReply(tt.reply); err != nil {
				t.Fatalf("CheckReply: %v", err)
			}
			if got := string(tt.reply.append(nil)[frameHeader:]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := tt.reply.String(); got != tt.str {
				t.Errorf("for logs: got %q, want %q", got, tt.str)
			}
		})
	}
}

func TestCheckReplyRefuses(t *testing.T) {
	tests := []struct {
		name  string
		reply Reply
		want  string
	}{
		{name: "no reply at all", reply: Reply{}, want: "reply is empty"},
		{name: "a success", reply: Text(250, "2.0.0", "ok"), want: "neither 4xx nor 5xx"},
		{name: "a code with a second digit over 5 (RFC 5321 section 4.2)", reply: Text(560, "5.0.0", "x"), want: "neither 4xx nor 5xx"},
		{name: "a code of four digits", reply: Text(5500, "5.0.0", "x"), want: "neither 4xx nor 5xx"},
		{name: "a negative code", reply: Text(-550, "5.0.0", "x"), want: "neither 4xx nor 5xx"},
		{name: "two classes", reply: Text(550, "4.7.1", "x"), want: `"4.7.1" is not of the form 5.x.y`},
		{name: "an enhanced code of two parts", reply: Text(550, "5.7", "x"), want: "not of the form"},
		{name: "an enhanced code of four parts", reply: Text(550, "5.7.1.1", "x"), want: "not of the form"},
		{name: "an enhanced code with a leading zero", reply: Text(550, "5.07.1", "x"), want: "not of the form"},
		{name: "an enhanced code of four digits", reply: Text(550, "5.7.1000", "x"), want: "not of the form"},
		{name: "an enhanced code with a sign", reply: Text(550, "5.+7.1", "x"), want: "not of the form"},
		{name: "8-bit text", reply: Text(550, "5.7.1", "caf\u00e9"), want: "not printable US-ASCII"},
		{name: "a lone CR", reply: Text(550, "5.7.1", "a\rb"), want: "not printable US-ASCII"},
		{name: "NUL", reply: Text(550, "5.7.1", "a\x00b"), want: "not printable US-ASCII"},
		{name: "a tab", reply: Text(550, "5.7.1", "a\tb"), want: "not printable US-ASCII"},
		{name: "an overlong line (RFC 5321 section 4.5.3.1.5)", reply: Text(550, "5.7.1", strings.Repeat("x", 501)), want: "reply line has 513 octets"},
		{name: "too many lines", reply: Text(550, "5.7.1", strings.Repeat("\n", 32)), want: "reply has 33 lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckReply(tt.reply)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v: got error %v, want %q", tt.reply, err, tt.want)
			}
		})
	}
	if err := CheckReply(Text(550, "5.7.1", strings.Repeat("x", 500))); err != nil {
		t.Errorf("a line of 512 octets: %v", err)
	}
}

// FuzzReply: a reply that passes the check is lines of the same code, and what
// stands in them is the text.
func FuzzReply(f *testing.F) {
	f.Add(550, "5.7.1", "text 100%")
	f.Add(451, "", "two\nlines")
	f.Add(250, "2.0.0", "\r\n")
	f.Fuzz(func(t *testing.T, code int, enhanced, text string) {
		r := Text(code, enhanced, text)
		if CheckReply(r) != nil {
			return
		}
		wire := string(r.append(nil))
		wire = wire[frameHeader+1:]
		if strings.IndexByte(wire, 0) != len(wire)-1 {
			t.Fatalf("NUL within %q", wire)
		}
		var lines []string
		for _, line := range strings.Split(wire[:len(wire)-1], "\r\n") {
			if len(line) < 4 || line[:3] != wire[:3] {
				t.Fatalf("line %q of %q has another code", line, wire)
			}
			line = strings.TrimPrefix(line[4:], enhanced)
			if enhanced != "" {
				line = strings.TrimPrefix(line, " ")
			}
			lines = append(lines, strings.ReplaceAll(line, "%%", "%"))
		}
		if got, want := strings.Join(lines, "\n"), strings.ReplaceAll(text, "\r\n", "\n"); got != want {
			t.Fatalf("got text %q, want %q", got, want)
		}
	})
}
