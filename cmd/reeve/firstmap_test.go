package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

// TestFirstMap runs the commands of docs/first-map.md as a reader would, looks at
// the pages that it names, and holds it to what it says is printed.
func TestFirstMap(t *testing.T) {
	text, root := document(t, "first-map.md")
	dir, bin := shortDir(t), program(t)
	addr := address(t)
	lists := filepath.Join(dir, "lists")
	today(t, filepath.Join(root, "examples", "first-map"), lists)
	in := strings.NewReplacer("make build\n", "", "bin/reeve ", bin+" ", "127.0.0.1:8090", addr, "/tmp/town", dir, "examples/first-map", lists)
	guest := &reader{t: t, addr: addr}
	printed := walk(t, "first-map.md", in, func(s step) {
		if strings.Contains(s.script, "git log") { // the reader has chosen a standard
			guest.choose("SPD-04")
		}
	}, func(s step, out string) {
		switch {
		case strings.Contains(s.script, "staff invite"):
			guest.signIn(out)
			guest.sees("/staff/estate", "6 systems in use of 7", "£71,500.50", "What nobody has told", "what it costs a year", "where it runs", "how sensitive its data is")
			guest.sees("/staff/estate/map", "Billing residents", "Lending books", "No flow is declared or seen here")
			guest.sees("/staff/estate/owners", "3 without an owner")
			guest.sees("/staff/estate/spend/contracts", "Notice date passed", "Library catalogue from Shelfwise")
		case strings.Contains(s.script, "import devices") && !strings.Contains(s.script, "import systems"):
			guest.sees("/staff/estate/assets", "3 assets", "FB-LT-002", "No longer there")
			guest.sees("/staff/estate/spend/unmatched", "1 line of £1,188")
			guest.sees("/staff/estate/owners", "person-jane-smith", "Not in the directory")
		case strings.Contains(s.script, "git log"):
			guest.sees("/staff/estate/owners", "Jane Smith", "3 without an owner")
		}
	})
	guest.opens("first-map.md", "readers/architect.md", "readers/cio.md", "readers/security-officer.md", "readers/service-owner.md", "readers/elected-member.md", "asks.md", "../README.md")
	prints(t, printed, said(text)...)
	prints(t, printed, "Would be written", "changed System/sys-cemetery-records", "you: Hold the estate to SPD-04", "1 not met, 2 not known, 0 waived, 2 met", "ended with 1", "spec.owner: person-jane-smith -> jane.smith")
}

// written is the day on which docs/first-map.md looks at its lists.
var written = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

var day = regexp.MustCompile(`\b\d{2}/\d{2}/\d{4}\b`)

// today copies lists, with the days in them moved so that they are as far from
// today as they were from the day on which the document was written.
func today(t *testing.T, from, to string) {
	t.Helper()
	moved := int(time.Since(written).Hours() / 24)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	lists, err := filepath.Glob(filepath.Join(to, "*.csv"))
	if err != nil || len(lists) == 0 {
		t.Fatalf("%s has no lists: %v", from, err)
	}
	for _, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b = day.ReplaceAllFunc(b, func(old []byte) []byte {
			const form = "02/01/2006"
			d, err := time.Parse(form, string(old))
			if err != nil {
				return old // a day that does not exist stays one
			}
			return []byte(d.AddDate(0, 0, moved).Format(form))
		})
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// address is one that nobody listens on.
func address(t *testing.T) string {
	t.Helper()
	return connectortest.FreeAddress(t)
}

// step is a block of commands in a document.
type step struct {
	script string
	said   []string // what it says that they print, before the next block
	looks  bool     // it looks at what becomes of something meanwhile, and changes nothing
}

func steps(text string) (all []step) {
	at := fenced.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		if text[m[2]:m[3]] != "sh" {
			continue
		}
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		s := step{script: text[m[6]:m[7]], said: said(text[m[1]:end])}
		s.looks = looking.MatchString(s.script)
		all = append(all, s)
	}
	return all
}

var looking = regexp.MustCompile(`^(sqlite3 \S+ ['"]select|cat [^>]|curl -s |\S+ replay \S+ --dry-run|\S+ replay list)`)

// walk runs the commands of a document in their order, as a reader would, from the
// root of the project; in puts the test's own addresses and folders in. What ends with
// & runs until the test ends. Where a block only looks, it looks again until it sees
// what the document says.
func walk(t *testing.T, name string, in *strings.Replacer, before func(step), after func(s step, out string)) (printed string) {
	t.Helper()
	text, root := document(t, name)
	bash := func(script string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", in.Replace(script))
		cmd.Dir = root
		return cmd
	}
	for i, s := range steps(text) {
		if script, ok := strings.CutSuffix(s.script, "&\n"); ok {
			ready := ""
			if m := dataFolder.FindStringSubmatch(script); m != nil {
				ready = filepath.Join(in.Replace(m[1]), "reeve.sock")
			}
			background(t, bash("exec env "+script), ready)
			continue
		}
		before(s)
		var out []byte
		err := eventually(func() (err error) {
			out, err = bash(s.script).CombinedOutput()
			for _, want := range s.said {
				if err == nil && s.looks && !strings.Contains(string(out), want) {
					return fmt.Errorf("it does not say %q", want)
				}
			}
			if err != nil && !s.looks {
				t.Fatalf("block %d of docs/%s fails: %v\n%s\n%s", i+1, name, err, s.script, out)
			}
			return err
		})
		if err != nil {
			t.Fatalf("block %d of docs/%s: %v\n%s\n%s", i+1, name, err, s.script, out)
		}
		printed += string(out)
		after(s, string(out))
	}
	return printed
}

var dataFolder = regexp.MustCompile(`--data (\S+)`)

// background runs a command until the test ends, and waits until a file is there, unless ready is "".
func background(t *testing.T, cmd *exec.Cmd, ready string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); <-ended })
	if ready == "" {
		return
	}
	if err := eventually(func() error { _, err := os.Stat(ready); return err }); err != nil {
		t.Fatal(err)
	}
}

// reader is somebody with a browser.
type reader struct {
	t      *testing.T
	addr   string
	client http.Client
}

func (r *reader) do(method, path string) string {
	r.t.Helper()
	status, body := r.ask(method, path)
	if status != http.StatusOK {
		r.t.Fatalf("%s %s answers %d", method, path, status)
	}
	return body
}

func (r *reader) ask(method, path string) (status int, body string) {
	r.t.Helper()
	return r.fill(method, path, nil)
}

// fill sends a form.
func (r *reader) fill(method, path string, form url.Values) (status int, body string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := r.client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	text := new(strings.Builder)
	if _, err := io.Copy(text, a.Body); err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, text.String()
}

// signIn opens the link that an invitation printed.
func (r *reader) signIn(printed string) {
	r.t.Helper()
	link := regexp.MustCompile(`/staff/sign-in/\S+`).FindString(printed)
	if link == "" {
		r.t.Fatalf("no link was printed:\n%s", printed)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.client.Jar = jar
	r.do(http.MethodPost, link)
}

// choose takes a standard of the library.
func (r *reader) choose(code string) {
	r.t.Helper()
	r.do(http.MethodPost, "/staff/estate/standards/library/"+code+"/choose")
}

// page is the address of a page in a document, as `/staff/estate`.
var page = regexp.MustCompile("`(/(?:staff|services)[^`]*)`")

// opens opens every page that documents name; some are for other roles.
func (r *reader) opens(names ...string) {
	r.t.Helper()
	seen := map[string]bool{}
	for _, name := range names {
		text, _ := document(r.t, name)
		for _, m := range page.FindAllStringSubmatch(text, -1) {
			if path := strings.ReplaceAll(m[1], "retire=ID", "retire=sys-e-forms"); !seen[path] && !strings.ContainsAny(path, "{…") {
				seen[path] = true
				if status, _ := r.ask(http.MethodGet, path); status != http.StatusOK && status != http.StatusForbidden {
					r.t.Errorf("%s, which docs/%s names, answers %d", path, name, status)
				}
			}
		}
	}
	if len(seen) < 40 {
		r.t.Errorf("the documents name only %d pages", len(seen))
	}
}

var tags = regexp.MustCompile(`<[^>]*>|\s+`)

// sees waits until a page says all that is wanted: a changed folder is taken up a
// moment later.
func (r *reader) sees(path string, wanted ...string) {
	r.t.Helper()
	var text string
	err := eventually(func() error {
		text = strings.Join(strings.Fields(tags.ReplaceAllString(r.do(http.MethodGet, path), " ")), " ")
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				return os.ErrNotExist
			}
		}
		return nil
	})
	for _, want := range wanted {
		if err != nil && !strings.Contains(text, want) {
			r.t.Errorf("%s does not say %q:\n%s", path, want, text)
		}
	}
}
