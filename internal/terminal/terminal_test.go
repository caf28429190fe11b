package terminal

import "testing"

func TestLine(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{name: "text", text: "v=spf1 -all Jörg 日本", want: "v=spf1 -all Jörg 日本"},
		{name: "an escape sequence", text: "\x1b[2J\x9b2J", want: "?[2J?2J"},
		{name: "a control of one octet in UTF-8", text: "\u009b2J", want: "?2J"},
		{name: "line ends", text: "a\r\nb\u2028c", want: "a??b?c"},
		{name: "marks of direction", text: "a\u202eb\u2066c\u200fd\u061c", want: "a?b?c?d?"},
		{name: "characters without width", text: "a\u200bb\ufeffc\u00add", want: "a?b?c?d"},
		{name: "tag characters", text: "a\U000e0041", want: "a?"},
		{name: "a non-breaking space", text: "a\u00a0b", want: "a?b"},
	} {
		if got := Line(row.text); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
