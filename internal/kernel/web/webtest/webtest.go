// Package webtest looks at pages in a real browser: does axe find anything, does
// the page fit a phone, does the content security policy complain, and what does
// it look like. It is for tests and for `make screenshots`; the program never
// imports it.
package webtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The widths at which pages are looked at, in CSS pixels.
const (
	Phone = 360
	Desk  = 1280
)

// patience is how long the browser may take for one thing: a busy machine is slow.
const patience = 5 * time.Minute

// Chrome is a browser process. Close it, or it outlives the test.
type Chrome struct {
	ctx  context.Context
	stop func()
	axe  string
}

// ErrNoChromium says that no browser is installed.
var ErrNoChromium = errors.New("webtest: chromium is not installed (Debian: apt-get install chromium)")

// Start starts a browser with a new, empty profile, which Close removes.
func Start() (*Chrome, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, ErrNoChromium
	}
	profile, err := os.MkdirTemp("", "webtest-")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Env("HOME="+profile, "TMPDIR="+profile)) // a machine without a home folder will do, and nothing is left in the common one
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stopTab := chromedp.NewContext(alloc)
	c := &Chrome{ctx: ctx, stop: func() {
		stopTab()
		stopAlloc() // waits until the process has ended
		_ = os.RemoveAll(profile)
	}}
	started := make(chan error, 1)
	go func() { started <- chromedp.Do(ctx) }()
	select {
	case err = <-started:
	case <-time.After(patience):
		err = errors.New("webtest: chromium did not start within five minutes")
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// Close ends the browser.
func (c *Chrome) Close() { c.stop() }

// Browser starts a browser that ends with the test. Without Chromium it skips the
// test, or fails it where REEVE_REQUIRE_CHROMIUM is 1 (make test sets it).
func Browser(t testing.TB) *Chrome {
	t.Helper()
	c, err := Start()
	if errors.Is(err, ErrNoChromium) && os.Getenv("REEVE_REQUIRE_CHROMIUM") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Visit is a page as somebody sees it.
type Visit struct {
	URL      string
	Cookies  []*http.Cookie // who sees it
	Width    int            // CSS pixels; 0 is Desk
	NoScript bool           // with scripts switched off
	Quick    bool           // no picture; both widths in one visit, from Width to Desk
}

// Violation is something axe found.
type Violation struct {
	ID, Impact, Help string
	Nodes            []string // the HTML of the elements
}

func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n\t%s", v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t"))
}

// View is what was seen of a page.
type View struct {
	Status     int64
	Console    []string // errors: scripts, the content security policy, missing files
	Overflow   int      // CSS pixels by which the page is wider than the screen
	Wider      int      // the same at Desk, of a quick visit
	Violations []Violation
	PNG        []byte
}

// Look opens the page in a fresh session (no cookies but the visit's), takes a
// picture of all of it and, unless NoScript, asks axe for WCAG 2.2 AA and best
// practice.
func (c *Chrome) Look(v Visit) (View, error) {
	if v.Width == 0 {
		v.Width = Desk
	}
	var view View
	var mu sync.Mutex
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		view.Console = append(view.Console, s)
	}
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			note("exception: " + e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" {
				note(e.Entry.Text)
			}
		}
	}))
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(v.Width), 900), prepare(v)); err != nil {
		return view, err
	}
	resp, err := chromedp.Run(ctx, chromedp.NavigateResponse(v.URL))
	if err != nil {
		return view, err
	}
	if resp != nil {
		view.Status = resp.Status
	}
	if view.Overflow, err = overflow(ctx, v.Width); err != nil {
		return view, err
	}
	if v.Quick {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(Desk, 900)); err != nil {
			return view, err
		}
		if view.Wider, err = overflow(ctx, Desk); err != nil {
			return view, err
		}
	} else if view.PNG, err = chromedp.Run(ctx, chromedp.FullScreenshot(100)); err != nil {
		return view, err
	}
	if !v.NoScript {
		view.Violations, err = c.runAxe(ctx)
	}
	mu.Lock()
	defer mu.Unlock()
	return view, err
}

// overflow is by how many CSS pixels the page is wider than a screen of width.
func overflow(ctx context.Context, width int) (int, error) {
	m, err := chromedp.Call(ctx, page.GetLayoutMetrics, cdp.Empty{})
	if err != nil {
		return 0, err
	}
	return max(0, int(m.CSSContentSize.Width)-width), nil
}

// prepare sets the visit's cookies and switches scripts off.
func prepare(v Visit) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, ck := range v.Cookies {
			p := network.SetCookieParams{Name: ck.Name, Value: ck.Value, URL: v.URL, Path: "/"}
			if _, err := cdp.Call(ctx, t, network.SetCookie, p); err != nil {
				return err
			}
		}
		if !v.NoScript {
			return nil
		}
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

func (c *Chrome) runAxe(ctx context.Context) ([]Violation, error) {
	if c.axe == "" {
		raw, err := readUp("node_modules/axe-core/axe.min.js")
		if err != nil {
			return nil, err
		}
		c.axe = string(raw)
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](c.axe+";1")); err != nil {
		return nil, err
	}
	const run = `axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map(n => n.html)})))`
	return chromedp.Run(ctx, chromedp.Evaluate[[]Violation](run, chromedp.EvalAwaitPromise))
}

// readUp reads a file of the repository from any folder below its top.
func readUp(name string) ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			return raw, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, fmt.Errorf("%s is not there: run `npm ci --ignore-scripts` at the top of the repository", name)
		}
		dir = up
	}
}

// Check looks at a page at both widths and without scripts, and fails the test
// for anything that axe finds, an error in the console, a page wider than the
// screen, or a status other than want. With REEVE_SHOTS it leaves pictures in
// that folder, named name-360.png and so on.
func (c *Chrome) Check(t testing.TB, name string, v Visit, want int64) {
	t.Helper()
	for _, look := range []struct {
		label    string
		width    int
		noScript bool
	}{{"360", Phone, false}, {"1280", Desk, false}, {"360-noscript", Phone, true}} {
		v.Width, v.NoScript = look.width, look.noScript
		view, err := c.Look(v)
		if err != nil {
			t.Errorf("%s at %s: %v", v.URL, look.label, err)
			continue
		}
		if view.Status != want {
			t.Errorf("%s at %s: status %d, want %d", v.URL, look.label, view.Status, want)
		}
		if view.Overflow > 0 {
			t.Errorf("%s at %s: the page is %d px wider than the screen", v.URL, look.label, view.Overflow)
		}
		for _, line := range view.Console {
			if want >= 400 && strings.Contains(line, "Failed to load resource") {
				continue // the page itself
			}
			t.Errorf("%s at %s: console: %s", v.URL, look.label, line)
		}
		for _, violation := range view.Violations {
			t.Errorf("%s at %s: %v", v.URL, look.label, violation)
		}
		if dir := os.Getenv("REEVE_SHOTS"); dir != "" {
			if err := save(filepath.Join(dir, name+"-"+look.label+".png"), view.PNG); err != nil {
				t.Error(err)
			}
		}
	}
}

// Glance looks at a page once, on a phone and then on a desk, and returns what is
// wrong with it: for tests of many pages. It may run in several goroutines.
func (c *Chrome) Glance(v Visit, want int64) (wrong []string) {
	v.Width, v.Quick = Phone, true
	view, err := c.Look(v)
	if err != nil {
		return []string{err.Error()}
	}
	if view.Status != want {
		wrong = append(wrong, fmt.Sprintf("status %d, want %d", view.Status, want))
	}
	if view.Overflow > 0 {
		wrong = append(wrong, fmt.Sprintf("%d px wider than a phone", view.Overflow))
	}
	if view.Wider > 0 {
		wrong = append(wrong, fmt.Sprintf("%d px wider than a desk", view.Wider))
	}
	for _, line := range view.Console {
		if want < 400 || !strings.Contains(line, "Failed to load resource") {
			wrong = append(wrong, "console: "+line)
		}
	}
	for _, violation := range view.Violations {
		wrong = append(wrong, violation.String())
	}
	return wrong
}

// Eval opens a page and returns what a script makes of it: a text, or the promise of
// one. It is for what the page's own scripts do when somebody uses them.
func (c *Chrome) Eval(t testing.TB, v Visit, script string) string {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(Desk, 900), prepare(v)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.NavigateResponse(v.URL)); err != nil {
		t.Fatal(err)
	}
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// save writes a picture only if it changed, so that a screenshot in git stays.
func save(file string, png []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, png) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644)
}
