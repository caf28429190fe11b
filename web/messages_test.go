package web

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alignd/record"
)

// Where rows are long a page has fewer of them, and older and newer ones go on from there:
// on the way to the end and back each message is seen once.
func TestNoMessageIsBetweenPages(t *testing.T) {
	const all = 230
	long := strings.Repeat(`<"`, 79)
	var records []*record.Record
	for i, r := range usual(all) {
		r.Evidence.Token, r.Evidence.QueueID = "", fmt.Sprintf("Q%d", i)
		if i%3 > 0 {
			r.Verdict.Reason, r.Verdict.Rule, r.Evidence.MailFrom, r.Evidence.MailFromDomain, r.Evidence.From.Domains = long, long, "a@"+long, long, []string{long}
			r.Outcome.Reply.Code, r.Outcome.Reply.Text = 550, long
		}
		records = append(records, r)
	}
	s := serve(t, plant(t, records...), asAuditor)
	ids := func(text string) (list []string) {
		for _, m := range regexp.MustCompile(`data-name="Queue id">(Q\d+)<`).FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	// leads is where a link with a text does; empty: there is none.
	leads := func(page, text string) string {
		if m := regexp.MustCompile(`<a href="([^"]+)">` + text).FindStringSubmatch(page); m != nil {
			return html.UnescapeString(m[1])
		}
		return ""
	}
	var seen []string
	at, text, pages := "/messages", "", 0
	for ; at != ""; at = leads(text, "older") {
		_, text, _ = s.Get(at)
		if list := ids(text); len(list) == 0 || len(text) > 300_000 {
			t.Fatalf("%s: %d rows, %d octets", at, len(list), len(text))
		}
		seen = append(seen, ids(text)...)
		pages++
	}
	if pages < 4 {
		t.Errorf("%d pages: none was cut", pages)
	}
	var wanted []string
	for i := range all {
		wanted = append(wanted, fmt.Sprintf("Q%d", all-1-i))
	}
	if !slices.Equal(seen, wanted) {
		t.Errorf("forth: %d messages of %d: %q", len(seen), all, seen)
	}
	back := ids(text)
	for at = leads(text, "← newer"); at != ""; at = leads(text, "← newer") {
		_, text, _ = s.Get(at)
		back = append(ids(text), back...)
	}
	if !slices.Equal(back, wanted) {
		t.Errorf("back: %d messages of %d: %q", len(back), all, back)
	}
}
