package pages

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What senders and reporters wrote to have it act does nothing, on each page that shows
// text of theirs: no dialog, no script, no element, no request elsewhere, no complaint of
// the browser, and no page that is wider than a narrow window.
func TestHostileTextDoesNothing(t *testing.T) {
	s := start(t)
	b := s.browser(t, 400, true)
	b.login(s, "demo")
	for _, page := range []struct{ at, says string }{
		{at: "/today"}, {at: "/today?span=30d"}, {at: "/messages?domain=odd-reason.example", says: "odd-reason.example"}, {at: "/messages?mail-from=odd-helo.example"},
		{at: "/senders?domain=odd-reason.example", says: "odd-reason.example"}, {at: "/rules"}, {at: "/rule?list=exceptions&id=no-promo"}, {at: "/reports"},
		{at: "/reports/others?by=source"}, {at: "/reports/others?by=reporter", says: "gnp.exe"},
		{at: "/reports/others?by=day"}, {at: "/domain?name=odd-reason.example", says: "alert(1)"}, {at: "/domain?name=s2026._domainkey.odd-reason.example", says: "alert(1)"},
		{at: "/health"}, {at: "/health/journal"}, {at: "/health/metrics"}, {at: "/jobs"},
	} {
		b.open(s.url + page.at)
		b.harmless(page.at, page.says)
	}
	b.hostileMessages(s)
	b.open(s.url + "/reports")
	b.follow(`(//main//a[contains(@href, "/report?id=")])[1]`)
	b.harmless("a report", "The mail")
	b.open(s.url + "/reports/others?by=reporter")
	b.follow(`//main//tbody//a[contains(., "gnp.exe")]`)
	b.harmless("a reporter", "Author Domain")
	b.open(s.url + "/senders?domain=odd-reason.example")
	b.follow(`(//main//a[contains(@href, "/sender?")])[1]`)
	b.harmless("a pair", "odd-reason.example")
	b.click("Suggest an entry, with its effect")
	b.do(chromedp.WaitVisible(`//h2[.="All that send as it"]`, chromedp.BySearch))
	b.harmless("entries", "odd-reason.example")
	b.open(s.url + "/whatif")
	b.judge("", "\nexceptions: [{id: odd, kind: block, action: reject, scope: {author_domains: [odd-reason.example]}, never_expires: true}]\n")
	b.harmless("a result", "would refuse")
	b.sideBySide("mode: monitor\n")
	b.harmless("side by side")
	b.open(s.url + "/jobs")
	b.harmless("jobs", "odd-reason.example")
}

// open goes to a page.
func (b *browser) open(at string) {
	b.t.Helper()
	b.do(chromedp.Navigate(at), chromedp.WaitVisible(`main h1`, chromedp.ByQuery))
}

// hostileMessages are those of each kind, and each judged again.
func (b *browser) hostileMessages(s *site) {
	b.t.Helper()
	var links []string
	for _, at := range []string{"/messages?mail-from=odd-helo.example", "/messages?domain=odd-reason.example"} {
		var some []string
		b.open(s.url + at)
		b.do(chromedp.Evaluate(`[...document.querySelectorAll("tbody tr")].slice(0, 10).map(r => r.cells[0].querySelector("a").href)`, &some))
		links = append(links, some...)
	}
	if len(links) < 8 {
		b.t.Errorf("only %d hostile messages", len(links))
	}
	for i, href := range links {
		b.open(href)
		b.harmless(href)
		if i%5 == 0 {
			b.click("Judge again under today's configuration")
			b.harmless(href + ", judged again")
		}
	}
}

// harmless fails where something of a page acts, or what should be there is not.
func (b *browser) harmless(where string, says ...string) {
	b.t.Helper()
	var found []string
	b.do(chromedp.Evaluate(`(() => {
		const found = [];
		for (const e of document.querySelectorAll("*")) {
			const n = e.localName;
			if (/^(img|iframe|frame|object|embed|base|style|video|audio|marquee|applet|template|math)$/.test(n) ||
				n === "script" && e.getAttribute("src") !== "/static/alignd.js" || n === "link" && !e.getAttribute("href").startsWith("/static/"))
				found.push(e.outerHTML.slice(0, 200));
			for (const a of e.attributes) {
				if (/^on|^style$|^srcdoc$/.test(a.name) || /^(href|src|action|formaction)$/.test(a.name) && !/^[\/#]/.test(a.value))
					found.push(n + " " + a.name + "=" + a.value.slice(0, 100));
			}
		}
		const odd = document.documentElement.textContent.match(/[\u0000-\u0008\u000e-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
		if (odd) found.push("U+" + odd[0].charCodeAt(0).toString(16));
		return found;
	})()`, &found))
	for _, f := range found {
		b.t.Errorf("%s: %s", where, f)
	}
	text := b.text()
	for _, word := range says {
		if !strings.Contains(text, word) {
			b.t.Errorf("%s: no %q in\n%.1000s", where, word, text)
		}
	}
	b.fits(where)
	b.quiet(where)
}

// judge puts text behind what is in the editor, chooses a result to stand beside, and waits
// for the result.
func (b *browser) judge(against, more string) {
	b.t.Helper()
	var text string
	b.do(chromedp.Value(`textarea`, &text, chromedp.ByQuery))
	if strings.HasPrefix(more, "\nexceptions:") {
		text, _, _ = strings.Cut(text, "\nexceptions:")
		more += "listen: [\"inet:127.0.0.1:0\"]\n"
	}
	if strings.HasPrefix(more, "mode:") {
		text = strings.Replace(text, "mode: enforce\n", "", 1)
	}
	b.do(chromedp.SetValue(`textarea`, text+more, chromedp.ByQuery), chromedp.SetValue(`select[name=since]`, "1d", chromedp.ByQuery), chromedp.SetValue(`select[name=against]`, against, chromedp.ByQuery))
	b.click("Judge again")
	b.do(chromedp.WaitVisible(`.stats`, chromedp.ByQuery))
}

// sideBySide goes on from a result, and has another one beside it.
func (b *browser) sideBySide(more string) {
	b.t.Helper()
	var number string
	b.do(chromedp.Evaluate(`document.querySelector("h1").textContent.match(/job (\d+)/)[1]`, &number))
	b.click("Change it further")
	b.judge(number, more)
	b.do(chromedp.WaitVisible(`.beside`, chromedp.ByQuery))
	b.wants("side by side", "Differences", fmt.Sprintf("(job %s)", number), "What is not the same")
}

// Two results stand side by side, and reports of others are seen by source, reporter and
// day, wide and narrow, with scripts and without.
func TestResultsAndReportsOfOthers(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		name    string
		width   int
		scripts bool
	}{{name: "400", width: 400, scripts: true}, {name: "noscript", width: 1280}} {
		t.Run(row.name, func(t *testing.T) {
			b := s.browser(t, row.width, row.scripts)
			b.login(s, "demo")
			look := b.looker(row.name, row.scripts)
			b.click("Reports")
			b.click("Those of others")
			look("others-source", "beside it what came here", "crm-vendor.example", "Here")
			b.click("By reporter")
			look("others-reporter", "bigmail.example", "Metro Internet")
			b.click("By day")
			look("others-day", "Fail here", "By day")
			b.click("By reporter")
			b.click("Metro Internet")
			look("others-of-one", "Sources, those with the most failing mail first")
			b.follow(`(//main//tbody//a[contains(@href, "by=day")])[1]`)
			look("others-network", "Fail here")
			b.click("What if")
			b.judge("", "honor: {reject: accept}\n")
			b.wants("a result", "would let in")
			b.sideBySide("mode: monitor\n")
			look("side-by-side", "Alone, with samples", "would let in")
			b.click("Alone, with samples")
			b.wants("alone", "would let in")
			b.click("All results")
			look("jobs", "What if", "done")
		})
	}
}
