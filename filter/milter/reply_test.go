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
		{"accept", Accept, "a", "accept"},
		{"code, enhanced code and text", Text(550, "5.7.26", "Refused"), "y550 5.7.26 Refused\x00", "550 5.7.26 Refused"},
		{"without enhanced code", Text(451, "", "Later"), "y451 Later\x00", "451 Later"},
		{"without text", Text(451, "4.3.0", ""), "y451 4.3.0 \x00", "451 4.3.0 "},
		{"a percent sign is doubled", Text(550, "5.7.1", "50% off"), "y550 5.7.1 50%% off\x00", "550 5.7.1 50% off"},
		{"several lines repeat both codes", Text(550, "5.7.1", "one\ntwo\r\nthree"),
			"y550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\x00", "550 5.7.1 one / two / three"},
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
		{"no reply at all", Reply{}, "reply is empty"},
		{"a success", Text(250, "2.0.0", "ok"), "neither 4xx nor 5xx"},
		{"a code with a second digit over 5 (RFC 5321 section 4.2)", Text(560, "5.0.0", "x"), "neither 4xx nor 5xx"},
		{"a code of four digits", Text(5500, "5.0.0", "x"), "neither 4xx nor 5xx"},
		{"a negative code", Text(-550, "5.0.0", "x"), "neither 4xx nor 5xx"},
		{"two classes", Text(550, "4.7.1", "x"), `"4.7.1" is not of the form 5.x.y`},
		{"an enhanced code of two parts", Text(550, "5.7", "x"), "not of the form"},
		{"an enhanced code of four parts", Text(550, "5.7.1.1", "x"), "not of the form"},
		{"an enhanced code with a leading zero", Text(550, "5.07.1", "x"), "not of the form"},
		{"an enhanced code of four digits", Text(550, "5.7.1000", "x"), "not of the form"},
		{"an enhanced code with a sign", Text(550, "5.+7.1", "x"), "not of the form"},
		{"8-bit text", Text(550, "5.7.1", "caf\u00e9"), "not printable US-ASCII"},
		{"a lone CR", Text(550, "5.7.1", "a\rb"), "not printable US-ASCII"},
		{"NUL", Text(550, "5.7.1", "a\x00b"), "not printable US-ASCII"},
		{"a tab", Text(550, "5.7.1", "a\tb"), "not printable US-ASCII"},
		{"an overlong line (RFC 5321 section 4.5.3.1.5)", Text(550, "5.7.1", strings.Repeat("x", 501)), "reply line has 513 octets"},
		{"too many lines", Text(550, "5.7.1", strings.Repeat("\n", 32)), "reply has 33 lines"},
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
