package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// site is alignd web over a planted world.
type site struct{ url string }

// planted is the one world of all tests; end stops showing it.
var planted struct {
	once sync.Once
	site *site
	err  error
	end  func()
}

func TestMain(m *testing.M) {
	status := m.Run()
	if planted.end != nil {
		planted.end()
	}
	os.Exit(status)
}

// start plants the world and serves it, once.
func start(t *testing.T) *site {
	t.Helper()
	if os.Getenv("ALIGND_PAGES") == "" {
		t.Skip("left out: the pages in Chromium (make pages runs it)")
	}
	planted.once.Do(func() { planted.site, planted.err = plant() })
	if planted.err != nil {
		t.Fatal(planted.err)
	}
	return planted.site
}

// plant runs the demo. Pictures are taken of the whole of its world, in a folder whose name
// may be seen in them.
func plant() (*site, error) {
	dir, err := os.MkdirTemp("", "alignd-pages-")
	if err != nil {
		return nil, err
	}
	planted.end = func() { _ = os.RemoveAll(dir) }
	world, n := filepath.Join(dir, "demo-pages"), "20000"
	if os.Getenv("ALIGND_SCREENSHOTS") != "" { // which show its name
		world, n = filepath.Join(os.TempDir(), "demo-pages"), "200000"
	}
	demo, alignd := filepath.Join(dir, "demopages"), os.Getenv("ALIGND_BINARY")
	builds := map[string]string{demo: "alignd/e2e/demopages"}
	if alignd == "" {
		alignd = filepath.Join(dir, "alignd")
		builds[alignd] = "alignd/cmd/alignd"
	}
	for out, pkg := range builds {
		if text, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
		}
	}
	const anywhere = "127.0.0.1:0"
	c := exec.Command(demo, "-dir", world, "-n", n, "-alignd", alignd, "-listen", anywhere, "-dns", anywhere, "-metrics", anywhere, "-milter", anywhere)
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	planted.end = func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
		_ = os.RemoveAll(dir)
		_ = os.RemoveAll(world)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`^https?://\S+`).FindString(lines.Text()); m != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return &site{strings.TrimSuffix(m, "/")}, nil
		}
	}
	return nil, errors.New("the demo told no address")
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

// download clicks, and is the file that comes.
func (b *browser) download(text string) string {
	b.t.Helper()
	dir, done := b.t.TempDir(), make(chan struct{}, 4)
	chromedp.ListenTarget(b, func(ev any) {
		if p, ok := ev.(*cdpbrowser.EventDownloadProgress); ok && p.State == cdpbrowser.DownloadProgressStateCompleted {
			done <- struct{}{}
		}
	})
	b.do(cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir).WithEventsEnabled(true),
		chromedp.Click(fmt.Sprintf(`//button[normalize-space()=%q]`, text), chromedp.BySearch))
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		b.t.Fatal("no file came")
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(found) != 1 {
		b.t.Fatalf("%q, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// fits fails where a page is wider than the window, so that it would be pushed aside to be
// read, and where text of one cell lies over the next.
func (b *browser) fits(where string) {
	b.t.Helper()
	var wide string
	b.do(chromedp.Evaluate(`(() => {
		const clipped = e => { for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; };
		const most = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= most) return "";
		return [...document.querySelectorAll("main *, header *, footer *")].filter(e => e.getBoundingClientRect().right > most + 1 && !clipped(e))
			.slice(0, 3).map(e => e.outerHTML.slice(0, 200)).join("\n") || "something";
	})()`, &wide))
	if wide != "" {
		b.t.Errorf("%s is wider than the window: %s", where, wide)
	}
}
