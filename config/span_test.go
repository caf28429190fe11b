package config

import (
	"testing"
	"time"
)

func TestParseSpan(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"500ms", 500 * time.Millisecond},
		{"1h30m", 90 * time.Minute},
		{"7d", 7 * 24 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"0d", 0},
		{"-4h", -4 * time.Hour},
	} {
		if got, err := ParseSpan(c.text); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", "d", "20", "1.5d", "-1d", "+1d", "1d-4h", "1d2d", "1h2d", "d4h", "99999d", "1d2562047h", "7 d", "7D"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// A span is shown as somebody would write it, and is read again.
func TestSpansAreShownShort(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 4 * time.Hour: "4h", 90 * time.Minute: "1h30m", 24 * time.Hour: "24h", 36 * time.Hour: "36h", 30 * 24 * time.Hour: "30d",
	} {
		if got := (Duration{span}).String(); got != want {
			t.Errorf("%d ns: %s, want %s", span, got, want)
		}
		if back, err := ParseSpan(want); err != nil || back != span {
			t.Errorf("%s is read as %v, %v", want, back, err)
		}
	}
}
