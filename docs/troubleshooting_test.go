package docs

import (
	"os"
	"strings"
	"testing"

	"alignd/policy"
)

// Whoever has a refusal in hand finds its text on the page, word by word.
func TestEveryReplyIsExplained(t *testing.T) {
	page, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	replies := policy.DefaultReplies()
	for name, r := range map[string]policy.ReplyTemplate{
		"dmarc": replies.DMARC, "unauthenticated": replies.Unauthenticated, "permerror": replies.PermError, "spf": replies.SPF,
		"from": replies.From, "block": replies.Block, "temperror": replies.TempError, "defer": replies.Defer,
		"limit": replies.Limit, "internal": replies.Internal,
	} {
		text := strings.ReplaceAll(r.Text, "{domain}", "example.com")
		text, _, _ = strings.Cut(text, "{reason}")
		if want := r.Enhanced + " " + text; !strings.Contains(string(page), want) {
			t.Errorf("%s: the page does not have %q", name, want)
		}
	}
}
