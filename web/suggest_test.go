package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The page of a survey says what is with the pair that was asked about, what an entry does,
// and takes whom the admin knows.
func TestASuggestionHasItsEffect(t *testing.T) {
	b := plant(t, usual(3)...)
	s := serve(t, b, asAuditor)
	ask := url.Values{"domain": {"A.example"}, "source": {"<b>x"}, "trust": {" Vendor.example  list.club.example"}}
	text := s.whenDone(s.Post("/sender?domain=a.example&source=x", "/sender/measure", ask))
	for _, want := range []string{"a.example from &lt;b&gt;x: 0 messages, 0 fail. No entry is suggested: why.", "id: v", "of them without the proofs", "Others who have the same proofs: none",
		`href="/whatif?entry=exceptions`, "alignd sources --trust vendor.example --trust list.club.example a.example", `value="vendor.example list.club.example"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if b.asked.Domain != "a.example" || b.asked.Source != "<b>x" || !slices.Equal(b.asked.Trust, []string{"vendor.example", "list.club.example"}) {
		t.Errorf("asked was %+v", b.asked)
	}
	if status, text, _ := s.Post("/sender?domain=a.example&source=x", "/sender/measure", url.Values{"domain": {"a.example"}, "trust": {"a..b <script>"}}); status != 400 || strings.Contains(text, "<script>") {
		t.Errorf("a domain that is none: %d %.300s", status, text)
	}
}
