// Package pages clicks through the pages in Chromium as an admin would.
package pages

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// An admin goes through all pages, wide and narrow, light and dark, with scripts and
// without.
func TestPages(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		name    string
		width   int
		scripts bool
		dark    bool
	}{{name: "1280", width: 1280, scripts: true}, {name: "400", width: 400, scripts: true}, {name: "dark-1280", width: 1280, scripts: true, dark: true},
		{name: "dark-400", width: 400, scripts: true, dark: true}, {name: "noscript", width: 1280}} {
		t.Run(row.name, func(t *testing.T) {
			b := s.browser(t, row.width, row.scripts)
			if row.dark {
				b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
			}
			look := b.looker(row.name, row.scripts)
			b.do(chromedp.Navigate(s.url + "/"))
			b.quiet("login")
			if row.scripts {
				b.shoot("login-" + row.name)
				b.axe("login")
			}
			b.login(s, "demo")
			each(b, look)
			aMessage(b, look)
			fromSourceToEntry(b, look)
			aRuleAndAReport(b, look)
			b.click("Log out")
			b.quiet("log out")
		})
	}
}

type looker func(where string, words ...string)

// looker looks at the page that is shown: it has words, and where scripts run it fits, is
// shot and is for everybody.
func (b *browser) looker(name string, scripts bool) looker {
	return func(where string, words ...string) {
		b.t.Helper()
		b.wants(where, words...)
		if scripts {
			b.fits(where)
			b.shoot(where + "-" + name)
			b.axe(where)
		}
	}
}

// each is each page of the navigation.
func each(b *browser, look looker) {
	look("today", "messages today", "What needs a hand", "old-fax-second", "no-promo", "crm-vendor.example", "expires in", "expired", "decided nothing in", "put off",
		"were given up", "the counts are behind", "a rule needs the Organizational Domain")
	b.click("30 days")
	look("today-30", "What became of mail")
	for _, p := range []struct {
		name  string
		words []string
	}{{"Messages", []string{"newest first"}}, {"Senders", []string{"example.net", "brand.example", "own"}}, {"Rules", []string{"talk-list", "no-promo", "can decide nothing", "spring-trial"}},
		{"Reports", []string{"Being counted", "Suppressions", "dmarc@riverpress.example", "What others report", "crm-vendor.example"}}, {"What if", []string{"Configuration"}},
		{"Domain", []string{"Asks DNS"}}, {"Health", []string{"records", "version", "mx2.example.net", "silent"}}} {
		b.click(p.name)
		look(strings.ToLower(strings.ReplaceAll(p.name, " ", "")), p.words...)
	}
	b.click("Domain")
	b.do(chromedp.SendKeys(`main input[name=name]`, "example.net\n", chromedp.ByQuery), chromedp.WaitVisible(`.tree`, chromedp.ByQuery))
	look("domain-found", "include:_spf.crm-vendor.example", "p=none")
}

// aMessage is one that was refused, and why.
func aMessage(b *browser, look looker) {
	b.click("Messages")
	b.do(chromedp.SetValue(`select[name=delivery]`, "refuse", chromedp.ByQuery))
	b.click("Search")
	look("refused", "refuse")
	b.follow(`(//tbody//a)[1]`)
	b.do(chromedp.WaitVisible(`.way`, chromedp.ByQuery))
	look("message", "Why not delivered?", "Why was it refused", "Who has to change what", "Identifier Alignment", "the sender was told", "Rules considered")
	b.click("Judge again under today's configuration")
	look("again", "Because", "then")
}

// fromSourceToEntry goes from a new source of an own domain to the entry to paste, with its
// effect, to What if and to the file.
func fromSourceToEntry(b *browser, look looker) {
	b.click("Today")
	b.follow(`//section[@id="new"]//a[normalize-space()="crm-vendor.example"]`)
	look("sender", "Samples", "fail")
	b.click("Suggest an entry, with its effect")
	b.do(chromedp.WaitVisible(`.entry`, chromedp.ByQuery))
	look("suggestion", "exceptions:", "would have let in")
	b.click("Open in What if")
	look("whatif-entry", "Configuration")
	if file := b.download("Download"); !strings.Contains(file, "crm-vendor.example-for-example.net") || !strings.Contains(file, "own_domains:") {
		b.t.Errorf("what was downloaded: %.300q", file)
	}
	b.quiet("download")
	b.click("Judge again")
	b.do(chromedp.WaitVisible(`#flips, .stats`, chromedp.ByQuery))
	look("result", "would unmark", "By network of the client")
}

// aRuleAndAReport are an entry, what would be without it, and a report.
func aRuleAndAReport(b *browser, look looker) {
	b.click("Rules")
	b.click("exceptions: no-promo")
	look("rule", "no-promo", "sales")
	b.follow(`//main//form//button[contains(., "ithout")]`)
	b.do(chromedp.WaitVisible(`#flips, .stats`, chromedp.ByQuery))
	look("without", "would let in")
	b.click("Reports")
	b.follow(`(//main//a[contains(@href, "/report?id=")])[1]`)
	look("report", "As a table", "The mail", "MAIL FROM")
}

// On paper there is the page without what is there to be clicked.
func TestPagesOnPaper(t *testing.T) {
	s := start(t)
	b := s.browser(t, 800, true)
	b.login(s, "demo")
	for _, at := range []string{"/today", "/messages?delivery=refuse", "/senders", "/rules", "/reports", "/domain?name=example.net", "/health"} {
		var seen bool
		b.do(chromedp.Navigate(s.url+at), chromedp.WaitVisible(`main h1`, chromedp.ByQuery), emulation.SetEmulatedMedia().WithMedia("print"),
			chromedp.Evaluate(`[...document.querySelectorAll("nav, form, .skip, button, input")].some(e => e.checkVisibility())`, &seen))
		if seen {
			t.Errorf("%s: what can be clicked is printed", at)
		}
		b.fits(at)
		b.shoot("print" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(at))
		b.do(emulation.SetEmulatedMedia().WithMedia(""))
		b.quiet(at)
	}
}

// By keyboard alone: the skip link comes first, each page is reached by Tab and Enter, and
// a search is made.
func TestPagesByKeyboard(t *testing.T) {
	s := start(t)
	b := s.browser(t, 1280, true)
	b.login(s, "demo")
	at := func() (text string) {
		b.do(chromedp.Evaluate(`(document.activeElement.getAttribute("name") || document.activeElement.textContent).trim().slice(0, 60)`, &text))
		return text
	}
	tab := func(wanted string) {
		t.Helper()
		var passed []string
		for range 60 {
			b.do(chromedp.KeyEvent("\t"))
			if passed = append(passed, at()); passed[len(passed)-1] == wanted {
				return
			}
		}
		t.Fatalf("Tab does not lead to %q, but to %q", wanted, passed)
	}
	enter := func() {
		t.Helper()
		if _, err := chromedp.RunResponse(b, chromedp.KeyEvent("\r")); err != nil {
			t.Fatal(err)
		}
	}
	b.do(chromedp.KeyEvent("\t"))
	if first := at(); first != "Skip to the content" {
		t.Errorf("first is %q", first)
	}
	for _, name := range []string{"Senders", "Rules", "Health", "Messages"} {
		tab(name)
		enter()
		b.wants(name, name)
	}
	tab("domain")
	b.do(chromedp.KeyEvent("partner.example"))
	enter()
	b.wants("a search", "no-promo")
}

// Viewers are shown no local part of an address.
func TestViewersSeeNoAddress(t *testing.T) {
	s := start(t)
	b := s.browser(t, 1280, true)
	b.login(s, "viewer")
	b.click("Messages")
	if text := b.text(); regexp.MustCompile(`[a-z0-9]@[a-z]`).MatchString(text) {
		t.Errorf("an address in %.2000s", text)
	}
	b.follow(`(//tbody//a)[1]`)
	b.do(chromedp.WaitVisible(`.way`, chromedp.ByQuery))
	if text := b.text(); regexp.MustCompile(`[a-z0-9]@[a-z]`).MatchString(text) {
		t.Errorf("an address in %.2000s", text)
	}
	b.quiet("viewer")
}
