package web

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// Every view has a URL, its data as CSV and as JSON, and names the command that says the
// same; what it asks for is in its query, so a link to it shows the same again.
func TestEachViewHasItsDataAndItsCommand(t *testing.T) {
	records := usual(60)
	id := records[59].Evidence.QueueID
	now := time.Now()
	s := serve(t, plant(t, records...), func(o *Options) { asAuditor(o); o.Now = func() time.Time { return now } })
	status, text, header := s.Post("/whatif", "/whatif/try", url.Values{"text": {testConfig}, "since": {"1d"}, "by": {"domain"}})
	job := header.Get("Location")
	s.whenDone(status, text, header)
	_, text, _ = s.Get("/senders")
	pair := regexp.MustCompile(`/sender\?[^"]+`).FindString(text)
	urls := map[string]string{
		"/message": "/message?id=" + id, "/message/again": "/message/again?id=" + id,
		"/messages": "/messages?delivery=refuse", "/rule": "/rule?list=exceptions&id=vendor", "/report": "/report?id=r1", "/domain": "/domain?name=evil.example",
		"/senders": "/senders?domain=author00003-company.example", "/sender": html.UnescapeString(pair), "/job": job,
	}
	for _, v := range s.views() {
		at := v.path
		if urls[at] != "" {
			at = urls[at]
		}
		t.Run(at, func(t *testing.T) {
			status, text, _ := s.Get(at)
			if status != 200 {
				t.Fatalf("%d %.500s", status, text)
			}
			if !regexp.MustCompile(`On the command line: <code>alignd [a-z]`).MatchString(text) {
				t.Error("it names no command")
			}
			csvAt, jsonAt := linkTo(text, "CSV"), linkTo(text, "JSON")
			if csvAt == "" || jsonAt == "" {
				t.Fatalf("it leads to CSV %q and to JSON %q", csvAt, jsonAt)
			}
			status, data, _ := s.Get(jsonAt)
			if status != 200 || !json.Valid([]byte(data)) || len(data) < 5 {
				t.Errorf("%s: %d %.200s", jsonAt, status, data)
			}
			status, data, _ = s.Get(csvAt)
			rows, err := csv.NewReader(strings.NewReader(data)).ReadAll()
			if status != 200 || err != nil || len(rows) == 0 {
				t.Fatalf("%s: %d %v %.200s", csvAt, status, err, data)
			}
			if v.path == "/message" { // the CSV is its line, and the page its story
				rows = [][]string{rows[1][1:]}
			} else if len(rows) == 1 { // which the page says in words
				rows = nil
			}
			shown := html.UnescapeString(text)
			for _, row := range rows[:min(len(rows), 20)] {
				for _, cell := range row {
					if cell = strings.TrimPrefix(cell, "'"); !strings.Contains(shown, cell) {
						t.Errorf("the page does not show %.80q of the CSV", cell)
					}
				}
			}
		})
	}
}

// linkTo is where a link with a text leads.
func linkTo(page, text string) string {
	m := regexp.MustCompile(`<a href="([^"]+)">` + text + `</a>`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

func (s *site) views() []*view { return (&Server{}).pages() }
