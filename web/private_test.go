package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"alignd/config"
	"alignd/explain"
	"alignd/journal"
	"alignd/record"
)

// No spelling of an address that a record or a configuration may have shows a viewer its
// local part, in no part of a message's story.
func TestViewersSeeNoSpellingOfAnAddress(t *testing.T) {
	for _, row := range []struct{ name, recipient string }{
		{name: "as usual", recipient: "secretlocal@mx.example.net"},
		{name: "without a domain", recipient: "secretlocal"},
		{name: "quoted", recipient: `"secretlocal x"@mx.example.net`},
		{name: "quoted with an at", recipient: `"secretlocal@home"@mx.example.net`},
		{name: "at a literal", recipient: "secretlocal@[192.0.2.1]"},
		{name: "with a quote that does not end", recipient: `"secretlocal x@mx.example.net`},
		{name: "with spaces", recipient: "secretlocal x@mx.example.net"},
		{name: "with characters that want quotes", recipient: "secretlocal,x@mx.example.net"},
		{name: "with a comment", recipient: "secretlocal(x)@mx.example.net"},
		{name: "with angle brackets", recipient: `"a>secretlocal<"@mx.example.net`},
		{name: "of a route", recipient: "@relay.example:secretlocal@mx.example.net"},
		{name: "with a source route of percent", recipient: "secretlocal%a.example@mx.example.net"},
		{name: "with U+FF20", recipient: "secretlocal\uff20mx.example.net"},
		{name: "percent-encoded", recipient: "secretlocal%40mx.example.net"},
	} {
		list := usual(200)
		r := list[slices.IndexFunc(list, func(r *record.Record) bool { return explain.DMARC(r) == "fail" })]
		r.Evidence.Recipients[0].Address, r.Verdict.Recipient = row.recipient, row.recipient
		r.Verdict.Delivery = "refuse"
		r.Evidence.QueueID, r.Evidence.Token = "QX", ""
		b := plant(t, r)
		cfg, err := config.Parse([]byte("exceptions: [{id: x, action: accept, scope: {author_domains: ["+journal.AuthorOf(r)+"], recipients: [ceo@mx.example.net]}, "+
			"proof: {clients: ["+r.Evidence.Client.IP().String()+"]}, never_expires: true}]\n"), "alignd.yaml", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b.cfg = cfg
		s := serve(t, b, nil)
		for _, path := range []string{"/message?id=QX", "/message.json?id=QX", "/message.csv?id=QX", "/message/again?id=QX", "/message/again.json?id=QX", "/messages", "/messages.csv", "/messages.json", "/messages?rule=" + url.QueryEscape("x")} {
			status, text, _ := s.Get(path)
			if path == "/message?id=QX" && !strings.Contains(text, "scope.recipients wants") {
				t.Fatalf("%s: nothing is said of recipients: %s", row.name, text[max(0, strings.Index(text, "<h2 dir=\"auto\">Rules")):])
			}
			if i := strings.Index(text, "secretlocal"); i >= 0 || status != 200 {
				t.Errorf("%s: %s: %d shows %.120q", row.name, path, status, text[max(0, i-60):])
			}
		}
	}
}

// In JSON each string is hidden in, however it is written, and nothing else changes.
func TestHiddenJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"x","n":12345678901234567890,"b":[1.50,null,true]}`:               `{"a":"x","n":12345678901234567890,"b":[1.50,null,true]}`,
		`"secretlocal@a.example"`:                                               `"@a.example"`,
		`["secretlocal\u0040a.example",{"k":"\"<secretlocal@a.example>\" \\"}]`: `["@a.example",{"k":"\"\u003c@a.example\u003e\" \\"}]`,
		`{"secretlocal@a.example":1}`:                                           `{"@a.example":1}`,
		`"\\"`:                                                                  `"\\"`,
		`""`:                                                                    `""`,
	} {
		if got, err := hiddenJSON(t.Context(), []byte(text)); string(got) != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}
