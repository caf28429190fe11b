// Package pages clicks through the pages in Chromium as an admin would.
package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// site is alignd web over a planted world.
type site struct{ url string }

// start plants a world and serves it.
func start(t *testing.T) *site {
	t.Helper()
	if os.Getenv("ALIGND_PAGES") == "" {
		t.Skip("left out: the pages in Chromium (make pages runs it)")
	}
	dir := t.TempDir()
	build := func(name, pkg string) string {
		out := filepath.Join(dir, name)
		if text, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, text)
		}
		return out
	}
	alignd, demo := os.Getenv("ALIGND_BINARY"), build("demopages", "alignd/e2e/demopages")
	if alignd == "" {
		alignd = build("alignd", "alignd/cmd/alignd")
	}
	c := exec.Command(demo, "-dir", filepath.Join(dir, "world"), "-n", "20000", "-alignd", alignd, "-listen", "127.0.0.1:0")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Signal(syscall.SIGTERM); _ = c.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`^https?://\S+`).FindString(lines.Text()); m != "" {
			go func() {
				for lines.Scan() {
				}
			}()
			return &site{strings.TrimSuffix(m, "/")}
		}
	}
	t.Fatal("the demo told no address")
	return nil
}

// browser is a Chromium whose complaints are kept.
type browser struct {
	context.Context
	t  *testing.T
	mu sync.Mutex
	// said are errors of the console, and requests to anywhere else.
	said []string
}

func (s *site) browser(t *testing.T, width int, scripts bool) *browser {
	t.Helper()
	opt := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(width, 900))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opt...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 6*time.Minute)
	t.Cleanup(cancel)
	b := &browser{Context: ctx, t: t}
	note := func(format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.said = append(b.said, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdplog.EventEntryAdded:
			if ev.Entry.Level == cdplog.LevelError {
				note("%s %s", ev.Entry.Text, ev.Entry.URL)
			}
		case *page.EventJavascriptDialogOpening:
			note("a dialog: %s", ev.Message)
		case *cdpruntime.EventExceptionThrown:
			note("exception: %s", ev.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			if u := ev.Request.URL; !strings.HasPrefix(u, s.url) && !strings.HasPrefix(u, "data:") {
				note("a request to %s", u)
			}
		}
	})
	b.do(network.Enable(), page.Enable(), chromedp.EmulateViewport(int64(width), 900), emulation.SetScriptExecutionDisabled(!scripts))
	return b
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails where Chromium complained.
func (b *browser) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.said {
		b.t.Errorf("%s: %s", where, s)
	}
	b.said = nil
}

func (b *browser) login(s *site, name string) {
	b.t.Helper()
	b.do(chromedp.Navigate(s.url+"/"), chromedp.WaitVisible(`input[name=password]`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name=name]`, name, chromedp.ByQuery), chromedp.SendKeys(`input[name=password]`, "look at mail\n", chromedp.ByQuery),
		chromedp.WaitVisible(`nav`, chromedp.ByQuery))
}

// click follows a link or button with a text.
func (b *browser) click(text string) {
	b.t.Helper()
	b.follow(fmt.Sprintf(`(//a[normalize-space()=%[1]q] | //button[normalize-space()=%[1]q])[1]`, text))
}

// follow clicks, and waits until the next page is there.
func (b *browser) follow(xpath string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b, chromedp.Click(xpath, chromedp.BySearch)); err != nil {
		b.t.Fatalf("%s: %v", xpath, err)
	}
}

func (b *browser) text() (text string) {
	b.t.Helper()
	b.do(chromedp.Text(`main`, &text, chromedp.ByQuery))
	return text
}

// wants says what a page should tell.
func (b *browser) wants(where string, words ...string) {
	b.t.Helper()
	text := strings.ToLower(b.text())
	for _, w := range words {
		if !strings.Contains(text, strings.ToLower(w)) {
			b.t.Errorf("%s: no %q in\n%.1500s", where, w, text)
		}
	}
	b.quiet(where)
}

// shoot takes pictures of what is seen first and of the whole page, where somebody wants
// them.
func (b *browser) shoot(name string) {
	dir := os.Getenv("ALIGND_SCREENSHOTS")
	if dir == "" {
		return
	}
	var view, whole []byte
	b.do(chromedp.CaptureScreenshot(&view), chromedp.FullScreenshot(&whole, 100))
	for name, png := range map[string][]byte{name: view, name + "-whole": whole} {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// axe has axe-core look at the page; serious findings fail.
func (b *browser) axe(where string) {
	b.t.Helper()
	source, err := os.ReadFile(os.Getenv("ALIGND_AXE"))
	if err != nil {
		b.t.Logf("left out: axe-core (ALIGND_AXE): %v", err)
		return
	}
	var raw string
	b.do(chromedp.Evaluate(string(source)+";0", nil),
		chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary)}))))`,
			&raw, func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, f := range found {
		if f.Impact == "serious" || f.Impact == "critical" {
			b.t.Errorf("%s: axe: %s: %s %.800q", where, f.ID, f.Help, f.Nodes)
		} else {
			b.t.Logf("%s: axe: %s (%s): %s", where, f.ID, f.Impact, f.Help)
		}
	}
}

// An admin goes through all pages, wide and narrow, with scripts and without.
func TestPages(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		name    string
		width   int
		scripts bool
	}{{"1280", 1280, true}, {"400", 400, true}, {"noscript", 1280, false}} { // the last: as somebody without JavaScript
		t.Run(row.name, func(t *testing.T) {
			b := s.browser(t, row.width, row.scripts)
			look := func(where string, words ...string) {
				t.Helper()
				b.wants(where, words...)
				if row.scripts {
					b.shoot(where + "-" + row.name)
					b.axe(where)
				}
			}
			b.do(chromedp.Navigate(s.url + "/"))
			b.shoot("login-" + row.name)
			b.login(s, "demo")
			look("today", "messages today", "What needs a hand", "old-fax-second", "no-promo", "crm-vendor.example")
			b.click("30 days")
			look("today-30", "What became of mail")
			for _, p := range []struct {
				name  string
				words []string
			}{{"Messages", []string{"newest first"}}, {"Senders", []string{"example.net", "own"}}, {"Rules", []string{"talk-list", "no-promo", "can decide nothing"}},
				{"Reports", []string{"Being counted", "Suppressions"}}, {"What if", []string{"Configuration"}}, {"Domain", []string{"Asks DNS"}}, {"Health", []string{"records", "20000"}}} {
				b.click(p.name)
				look(strings.ToLower(strings.ReplaceAll(p.name, " ", "")), p.words...)
			}
			// A refused message, and why.
			b.click("Messages")
			b.do(chromedp.SetValue(`select[name=delivery]`, "refuse", chromedp.ByQuery))
			b.click("Search")
			look("refused", "refuse")
			b.follow(`(//tbody//a)[1]`)
			b.do(chromedp.WaitVisible(`.way`, chromedp.ByQuery))
			look("message", "Why not delivered?", "Why was it refused", "Who has to change what", "Identifier Alignment", "the sender was told", "Rules considered")
			b.click("Judge again under today's configuration")
			look("again", "Because", "then")
			// From a new source to the entry to paste, with its effect, to What if.
			b.click("Today")
			b.follow(`//section[@id="new"]//a[normalize-space()="crm-vendor.example"]`)
			look("sender", "Samples", "fail")
			b.click("Suggest an entry, with its effect")
			b.do(chromedp.WaitVisible(`.entry`, chromedp.ByQuery))
			look("suggestion", "exceptions:", "would have let in")
			b.click("Open in What if")
			look("whatif-entry", "Configuration")
			b.click("Judge again")
			b.do(chromedp.WaitVisible(`#flips, .stats`, chromedp.ByQuery))
			look("result", "would let in", "By domain")
			b.click("Rules")
			b.click("exceptions: no-promo")
			look("rule", "no-promo", "sales")
			b.click("Log out")
			b.quiet("log out")
		})
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

// What senders wrote into HELO, MAIL FROM and List-Id to have it act does nothing.
func TestHostileMailDoesNothing(t *testing.T) {
	s := start(t)
	b := s.browser(t, 1280, true)
	b.login(s, "demo")
	b.do(chromedp.Navigate(s.url+"/messages?mail-from=cheap-vps.example&client=100.64.0.0%2F10"), chromedp.WaitVisible(`table`, chromedp.ByQuery))
	b.wants("hostile mail", "cheap-vps.example")
	var links []string
	b.do(chromedp.Evaluate(`[...document.querySelectorAll("tbody tr")].filter(r => /[<"=:?{W]/.test(r.cells[3].textContent)).slice(0, 12).map(r => r.cells[0].querySelector("a").href)`, &links))
	if len(links) < 5 {
		t.Errorf("only %d hostile messages", len(links))
	}
	for _, href := range links {
		b.do(chromedp.Navigate(href), chromedp.WaitVisible(`.way`, chromedp.ByQuery))
		var elements int
		b.do(chromedp.Evaluate(`document.querySelectorAll("img, iframe, object, svg[onload], main script").length`, &elements))
		if elements > 0 {
			t.Errorf("%s: %d elements that nobody of us wrote", href, elements)
		}
		b.quiet(href)
	}
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
