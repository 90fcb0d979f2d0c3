// Command screenshots starts a demo, signs in as a member of staff and takes
// pictures of pages for the documentation: `make screenshots`.
//
//	screenshots -reeve bin/reeve -out docs/images /staff/map=map '/staff/cases>/staff/cases/=case'
//
// A page is PATH=NAME, or PATH>BEGIN=NAME for the first link on PATH that begins so.
// Pictures are cut at a height and kept in few colours, so that they stay small.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/html"

	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

func main() {
	program := flag.String("reeve", "bin/reeve", "the program")
	out := flag.String("out", "docs/images", "folder for the pictures")
	widths := flag.String("widths", "1280", "widths in CSS pixels")
	settle := flag.Duration("settle", 40*time.Second, "how long the demo runs before the first picture")
	flag.Parse()
	if err := run(*program, *out, strings.Fields(*widths), *settle, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(program, out string, widths []string, settle time.Duration, pages []string) error {
	dir, err := os.MkdirTemp("", "reeve-shots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stop, err := startDemo(program, dir)
	if err != nil {
		return err
	}
	defer stop()
	raw, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		return err
	}
	var demo struct {
		BaseURL     string `json:"base_url"`
		StaffSignin string `json:"staff_signin"`
	}
	if err := json.Unmarshal(raw, &demo); err != nil {
		return err
	}
	staff, err := signIn(demo.BaseURL, demo.StaffSignin)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	time.Sleep(settle)
	b, err := webtest.Start()
	if err != nil {
		return err
	}
	defer b.Close()
	return take(b, demo.BaseURL, out, widths, pages, staff)
}

// take takes a picture of every page at every width.
func take(b *webtest.Chrome, base, out string, widths, pages []string, staff []*http.Cookie) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var failed []error
	for _, p := range pages {
		i := strings.LastIndex(p, "=") // the path may have a query
		if i < 0 {
			return fmt.Errorf("%q is not PATH=NAME", p)
		}
		path, name := p[:i], p[i+1:]
		if from, begin, ok := strings.Cut(path, ">"); ok {
			var err error
			if path, err = firstLink(base+from, begin, staff); err != nil {
				return err
			}
		}
		for _, w := range widths {
			width, err := strconv.Atoi(w)
			if err != nil {
				return err
			}
			v := webtest.Visit{URL: base + path, Width: width}
			if strings.HasPrefix(path, "/staff") {
				v.Cookies = staff
			}
			view, err := b.Look(v)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			for _, what := range append(view.Console, problems(view)...) {
				failed = append(failed, fmt.Errorf("%s at %d: %s", path, width, what))
			}
			file := filepath.Join(out, fmt.Sprintf("%s-%d.png", name, width))
			small, err := shrink(view.PNG, tallest)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := os.WriteFile(file, small, 0o644); err != nil {
				return err
			}
			fmt.Println(file)
		}
	}
	return errors.Join(failed...)
}

// firstLink is the first link on a page that begins like this.
func firstLink(page, begin string, who []*http.Cookie) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	for _, c := range who {
		req.AddCookie(c)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	doc, err := html.Parse(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return "", err
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if n.Data == "a" && a.Key == "href" && strings.HasPrefix(a.Val, begin) {
				return a.Val, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no link that begins with %s", page, begin)
}

func problems(view webtest.View) []string {
	var all []string
	if view.Status != http.StatusOK {
		all = append(all, fmt.Sprintf("status %d", view.Status))
	}
	if view.Overflow > 0 {
		all = append(all, fmt.Sprintf("%d px wider than the screen", view.Overflow))
	}
	for _, v := range view.Violations {
		all = append(all, v.String())
	}
	return all
}

// startDemo starts the demo and waits until it says that it is ready.
func startDemo(program, dir string) (stop func(), err error) {
	cmd := exec.Command(program, "demo", "--listen", "127.0.0.1:0", "--data", dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // how it ends does not matter here
	}
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- nil
				_, _ = io.Copy(io.Discard, stdout)
				return
			}
		}
		ready <- errors.New("the demo ended before it was ready")
	}()
	select {
	case err = <-ready:
	case <-time.After(2 * time.Minute):
		err = errors.New("the demo was not ready within two minutes")
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// signIn follows a one-time link: the page it leads to has a form to confirm.
func signIn(base, link string) ([]*http.Cookie, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	site, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	c := &http.Client{Jar: jar, Timeout: time.Minute}
	resp, err := c.Get(link)
	if err != nil {
		return nil, err
	}
	action, fields := form(resp)
	if action != nil {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, action.String(), strings.NewReader(fields.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		again, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		_ = again.Body.Close()
	}
	site.Path = "/staff/"
	cookies := jar.Cookies(site)
	if len(cookies) == 0 {
		return nil, errors.New("the link gave no session")
	}
	return cookies, nil
}

// form is the action and the fields of the first form within a page's main part.
func form(resp *http.Response) (*url.URL, url.Values) {
	defer func() { _ = resp.Body.Close() }()
	doc, err := html.Parse(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, nil
	}
	var action *url.URL
	fields := url.Values{}
	inside, inMain := false, false
	for n := range doc.Descendants() {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "main":
			inMain = true
		case n.Data == "form" && inMain && action == nil && strings.EqualFold(attr["method"], "post"):
			if action, err = resp.Request.URL.Parse(attr["action"]); err != nil {
				return nil, nil
			}
			inside = true
		case n.Data == "form":
			inside = false
		case inside && (n.Data == "input" || n.Data == "button") && attr["name"] != "":
			fields.Set(attr["name"], attr["value"])
		}
	}
	return action, fields
}
