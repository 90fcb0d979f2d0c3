package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// What strangers may do to the door, against the real program in a process of its
// own. Whatever they send: a clear 4xx, or a receipt for every record; never a
// 5xx, never a record lost, never more memory than this.
const maxMemory = 300 << 20

// hostileDefinitions is a town whose door takes five types: pupils (small, with
// key), anything at all, real patients, real planning applications, and one whose
// agreement has ended. All of them flow on into files.
const hostileDefinitions = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-other, name: Another partner}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-any.v1, name: Anything}
spec: {schema: any.json, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-keyed.v1, name: Anything with a key, formerly: [rec-once.v1]}
spec: {schema: any.json, key: /id, order: strict, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-patient.v1, name: Patient}
spec: {schema: patient.json, key: /id, classification: {level: restricted, personal: true}, lawfulBasis: {article6: e}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-application.v1, name: Planning application}
spec: {schema: application.json, key: /metadata/id, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-ended.v1, name: Whose agreement has ended}
spec: {schema: any.json, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-hostile, name: Much}
spec:
  from: org-school
  to: org-town
  records:
  - {type: rec-any.v1, fields: ["/"], purposes: [library-card]}
  - {type: rec-keyed.v1, fields: ["/id", "/a", "/n"], purposes: [library-card]}
  - {type: rec-patient.v1, fields: [/id, /name, /birthDate, /deceasedDateTime], where: has(record.deceasedDateTime), purposes: [library-card]}
  - {type: rec-application.v1, fields: ["/"], purposes: [library-card]}
  starts: 2020-01-01
  ends: 2040-01-01
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-ended, name: Ended}
spec:
  from: org-school
  to: org-town
  records: [{type: rec-ended.v1, fields: ["/"], purposes: [library-card]}]
  starts: 2020-01-01
  ends: 2021-01-01
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-on, name: And on it goes}
spec:
  from: org-town
  to: org-library
  records:
  - {type: rec-any.v1, fields: [/id, /a, /n], purposes: [library-card]}
  - {type: rec-keyed.v1, fields: [/id, /a, /n], purposes: [library-card]}
  - {type: rec-patient.v1, fields: [/id, /name], purposes: [library-card]}
  - {type: rec-application.v1, fields: [/metadata, /data/proposal], purposes: [library-card]}
  starts: 2020-01-01
  ends: 2040-01-01
`

const hostileFlow = `---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-%[1]s, name: On with %[1]s}
spec: {from: if-school, to: if-library, record: rec-%[1]s.v1, agreement: agr-on, purpose: library-card, start: beginning, filter: '%[2]s', map: %[1]s.blobl}
`

// besieged is a running house and whoever besieges it.
type besieged struct {
	*testing.T
	r     *rig.Reeve
	token string
}

func besiege(t *testing.T, database string) *besieged {
	dir := exampleDefinitions(t)
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	for name, from := range map[string]string{"patient.json": "fhir/patient.json", "application.json": "planning/application.schema.json"} {
		b, err := os.ReadFile("../../internal/exchange/testdata/real/" + from)
		must(t, err)
		write(name, string(b))
	}
	text := hostileDefinitions
	for _, f := range [][2]string{{"any", "has(record.id)"}, {"keyed", "record.n > 0"}, {"patient", "has(record.name)"}, {"application", "has(record.data.proposal)"}} {
		text += fmt.Sprintf(hostileFlow, f[0], f[1])
	}
	write("hostile.yaml", text)
	write("any.json", `{"type":"object","properties":{"n":{"type":"integer"},"a":{"maxLength":50}}}`)
	write("any.blobl", "root.pupil = this.id.string()\nroot.name = this.a.string() | \"none\"\nroot.starts = this.n.string() | \"\"\n")
	write("keyed.blobl", "root.pupil = this.id.string()\nroot.name = this.a.string() | \"none\"\nroot.starts = this.n.string() | \"\"\n")
	write("patient.blobl", "root.pupil = this.id\nroot.name = this.name.index(0).family.uppercase()\nroot.starts = \"\"\n")
	write("application.blobl", "root.pupil = this.metadata.id\nroot.name = this.data.proposal.description\nroot.starts = \"\"\n")
	// if-library takes whatever comes.
	folder := filepath.Join(t.TempDir(), "library")
	must(t, os.MkdirAll(folder, 0o755))
	r := serve(t, dir, database, map[string]string{"LIBRARY_FOLDER": "file://" + folder})
	return &besieged{T: t, r: r, token: token(t, r, "org-school")}
}

type door struct {
	status   int
	body     string
	receipts []receiptLine
	problem  struct {
		Title, Detail, Receipts string
		Counts                  struct{ Records, Accepted, Held, Duplicate, Refused int }
	}
}

type receiptLine struct {
	ID       string
	Seq      int64
	Status   string
	Problems []struct{ Path, Message string }
}

func (d door) statuses() string {
	by := map[string]int{}
	for _, r := range d.receipts {
		by[r.Status]++
	}
	var parts []string
	for _, s := range []string{"accepted", "held", "duplicate", "refused"} {
		if by[s] > 0 {
			parts = append(parts, fmt.Sprint(by[s], " ", s))
		}
	}
	return strings.Join(parts, ", ")
}

// post sends a body to the door of a type. A 5xx, or an answer that cannot be
// read, fails the test.
func (b *besieged) post(typ, tok, contentType string, body io.Reader, header ...string) door {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.r.URL+"/v1/records/"+typ, body)
	must(b.T, err)
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	req.Header.Set("Content-Type", contentType)
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	res, err := hearing.Do(req)
	if err != nil {
		b.Fatal("no answer: ", err)
	}
	defer res.Body.Close()
	return b.read(res)
}

// hearing is a client that hears the answer of a program that gives it, and hangs up,
// before it was sent everything. Go's own takes that for an error where it is slow to read:
// it cannot write, and looks no further.
var hearing = &http.Client{Transport: &http.Transport{IdleConnTimeout: 30 * time.Second, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return deaf{c}, err
}}}

// deaf is a connection that does not notice that nobody reads what it writes.
type deaf struct{ net.Conn }

func (c deaf) Write(p []byte) (int, error) {
	_, _ = c.Conn.Write(p)
	return len(p), nil
}

func (b *besieged) read(res *http.Response) (d door) {
	b.Helper()
	d.status = res.StatusCode
	switch {
	case d.status >= 500 || d.status != 202 && d.status < 400:
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		b.Fatalf("answered %d: %s", d.status, text)
	case d.status != 202:
		text, err := io.ReadAll(res.Body)
		must(b.T, err)
		d.body = string(text)
		if err := json.Unmarshal(text, &d.problem); err != nil || d.problem.Title == "" || d.problem.Detail == "" {
			b.Fatalf("%d without a problem document: %.300s", d.status, text)
		}
		return d
	}
	in := bufio.NewReader(res.Body)
	if first, _ := in.Peek(1); string(first) == "[" {
		must(b.T, json.NewDecoder(in).Decode(&d.receipts))
		return d
	}
	for dec := json.NewDecoder(in); ; {
		var l receiptLine
		err := dec.Decode(&l)
		if err == io.EOF {
			return d
		}
		must(b.T, err)
		d.receipts = append(d.receipts, l)
	}
}

// kept makes sure that what was acknowledged is there, and readable for its sender.
func (b *besieged) kept(rs []receiptLine, step int) {
	b.Helper()
	for i := 0; i < len(rs); i += step {
		if rs[i].Status == "accepted" || rs[i].Status == "held" {
			if code, text := b.get("/v1/records/"+rs[i].ID, b.token); code != 200 || !strings.Contains(text, rs[i].ID) {
				b.Fatalf("acknowledged %+v, and then %d %s", rs[i], code, text)
			}
		}
	}
}

func (b *besieged) get(path, tok string) (int, string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.r.URL+path, nil)
	must(b.T, err)
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	res, err := http.DefaultClient.Do(req)
	must(b.T, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.T, err)
	return res.StatusCode, string(text)
}

var failures = regexp.MustCompile(`(?m)^reeve_(worker_failures_total|events_failing)\{.*\} [^0].*$`)

// well makes sure that the house took no harm: it answers, no worker failed,
// nothing panicked, the journal holds, and memory stayed below its bound.
func (b *besieged) well() {
	b.Helper()
	if code, text := b.get("/readyz", ""); code != 200 {
		b.Error("not ready: ", text)
	}
	code, text := b.get("/metrics", "")
	if failed := failures.FindAllString(text, -1); code != 200 || len(failed) > 0 {
		b.Error("figures of failure: ", code, failed)
	}
	if log := b.r.Logs(); strings.Contains(log, "panic") || strings.Contains(log, `"level":"ERROR"`) {
		b.Error("the log tells of faults")
	}
	if out, err := b.r.Command(b.Context(), "journal", "verify"); err != nil {
		b.Error("the journal does not hold: ", out, err)
	}
	_, peak, err := b.r.Memory()
	must(b.T, err)
	b.Logf("peak memory %d MB", peak>>20)
	if peak > maxMemory {
		b.Errorf("memory went up to %d MB", peak>>20)
	}
}

// settled waits until the flows have read everything and are done with it.
func (b *besieged) settled() {
	b.Helper()
	for range 12_000 {
		_, text := b.get("/metrics", "")
		waiting := !strings.Contains(text, "\nreeve_flow_lag_records{") // a scrape leaves out what takes too long
		for line := range strings.Lines(text) {
			if (strings.HasPrefix(line, "reeve_flow_lag_records") || strings.Contains(line, `state="waiting"`)) && !strings.HasSuffix(strings.TrimSpace(line), " 0") {
				waiting = true
			}
		}
		if !waiting {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Error("the flows do not get done")
}

func onBoth(t *testing.T, fn func(b *besieged)) {
	t.Run("sqlite", func(t *testing.T) { fn(besiege(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(besiege(t, storetest.Postgres(t))) })
}

const pupil = `{"pupil":"P0001","name":{"given":"Ada","family":"Byron"},"starts":"2026-09-01"}`

// oddities are bodies, and what must become of each: a status, and the receipts
// where it is 202.
var oddities = []struct {
	name, typ, contentType, body string
	status                       int
	receipts                     string
}{
	{"nothing", "rec-any.v1", "application/json", "", 400, ""},
	{"space", "rec-any.v1", "application/json", " \r\n\t ", 400, ""},
	{"an empty list", "rec-any.v1", "application/json", "[]", 400, ""},
	{"half an object", "rec-any.v1", "application/json", `{"id":1`, 400, ""},
	{"two objects as one", "rec-any.v1", "application/json", `{"id":1}{"id":2}`, 400, ""},
	{"words", "rec-any.v1", "application/json", `hello`, 400, ""},
	{"a number", "rec-any.v1", "application/json", `42`, 400, ""},
	{"null", "rec-any.v1", "application/json", `null`, 400, ""},
	{"a list of no objects", "rec-any.v1", "application/json", `[1,"x",null,[{}]]`, 400, ""},
	{"a list with one object", "rec-any.v1", "application/json", `[1,{"id":1},null]`, 202, "1 accepted, 2 refused"},
	{"a list without end", "rec-any.v1", "application/json", `[{"id":1},{"id":2}`, 400, ""},
	{"a list and more", "rec-any.v1", "application/json", `[{"id":1}] {"id":2}`, 400, ""},
	{"XML", "rec-any.v1", "application/xml", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, 400, ""},
	{"a form", "rec-any.v1", "application/x-www-form-urlencoded", `id=1&a=2`, 400, ""},
	{"a file by form", "rec-any.v1", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n{}\r\n--x--\r\n", 400, ""},
	{"a broken media type", "rec-any.v1", "application/; json;;", `{"id":1}`, 202, "1 accepted"},
	{"the wrong type", "rec-pupil.v1", "application/json", `{"id":1}`, 202, "1 held"},
	{"right and wrong", "rec-pupil.v1", "application/x-ndjson", pupil + "\n{\"pupil\":7}\nnonsense\n", 202, "1 accepted, 1 held, 1 refused"},
	{"a byte order mark", "rec-any.v1", "application/json", "\xef\xbb\xbf{\"id\":1}", 202, "1 accepted"},
	{"half a byte order mark", "rec-any.v1", "application/json", "\xef\xbb{\"id\":1}", 400, ""},
	{"UTF-16", "rec-any.v1", "application/json", "\xff\xfe{\x00}\x00", 400, ""},
	{"line ends of Windows", "rec-any.v1", "application/x-ndjson", "{\"id\":1}\r\n\r\n{\"id\":2}\r\n", 202, "2 accepted"},
	{"invalid UTF-8 in a value", "rec-any.v1", "application/x-ndjson", "{\"id\":\"\xc3\x28\"}\n{\"id\":\"\xed\xa0\x80\"}\n{\"id\":2}\n", 202, "1 accepted, 2 refused"},
	{"invalid UTF-8 in a name", "rec-any.v1", "application/x-ndjson", "{\"\xff\":1}\n{\"id\":2}\n", 202, "1 accepted, 1 refused"},
	{"a NUL byte", "rec-any.v1", "application/x-ndjson", "{\"id\":\"a\x00b\"}\n\x00\n{\"id\":2}\n", 202, "1 accepted, 2 refused"},
	{"NUL written out, in a key", "rec-keyed.v1", "application/x-ndjson", `{"id":"a\u0000b","n":1}` + "\n" + `{"id":"\u0000","n":2}`, 202, "2 accepted"},
	{"NUL written out, in a value", "rec-any.v1", "application/x-ndjson", `{"id":"a\u0000b","a":"\u0000","n":1}`, 202, "1 accepted"},
	{"NUL written out, in a name", "rec-any.v1", "application/x-ndjson", `{"i\u0000d":1,"id":"x"}`, 202, "1 accepted"},
	{"NUL in what breaks the contract", "rec-any.v1", "application/x-ndjson", `{"n":"\u0000","i\u0000d":1,"a":"` + strings.Repeat(`\u0000`, 60) + `"}`, 202, "1 held"},
	{"half a surrogate pair", "rec-any.v1", "application/x-ndjson", `{"id":"\ud800"}` + "\n" + `{"id":"\ud83d\ude00"}`, 202, "1 accepted, 1 refused"},
	{"a key given twice", "rec-any.v1", "application/json", `{"id":1,"id":2}`, 400, ""},
	{"a huge number", "rec-any.v1", "application/x-ndjson", `{"id":` + strings.Repeat("9", 5000) + "}\n{\"id\":1e999999999}\n{\"id\":3}", 202, "1 accepted, 2 refused"},
	{"a number where text is a key", "rec-keyed.v1", "application/x-ndjson", `{"id":17,"n":1}` + "\n" + `{"id":{"x":[1]},"n":1}` + "\n" + `{"id":null,"n":1}`, 202, ""},
	{"a key of 100,000 letters", "rec-keyed.v1", "application/json", `{"id":"` + strings.Repeat("k", 100_000) + `","n":1}`, 202, ""},
	{"text as long as may be", "rec-any.v1", "application/json", `{"id":"` + strings.Repeat("x", 1<<20-9) + `"}`, 202, "1 accepted"},
	{"one byte too long", "rec-any.v1", "application/json", `{"id":"` + strings.Repeat("x", 1<<20-8) + `"}`, 413, ""},
	{"one too long among others", "rec-any.v1", "application/x-ndjson", "{\"id\":1}\n{\"id\":\"" + strings.Repeat("x", 3<<20) + "\"}\n{\"id\":2}\n", 202, "2 accepted, 1 refused"},
	{"nesting 100,000 deep", "rec-any.v1", "application/json", `{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", 400, ""},
	{"objects 100,000 deep", "rec-any.v1", "application/json", strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), 400, ""},
	{"nesting 100,000 deep and no end", "rec-any.v1", "application/json", strings.Repeat("[", 100_000), 400, ""},
	{"nesting among others", "rec-any.v1", "application/x-ndjson", "{\"id\":1}\n{\"a\":" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}\n{\"id\":2}", 202, "2 accepted, 1 refused"},
	{"100,000 fields", "rec-any.v1", "application/json", "{" + manyFields(50_000) + `"id":1}`, 202, "1 accepted"},
	{"an unknown type", "rec-nothing.v1", "application/json", `{"id":1}`, 404, ""},
	{"a type that cannot be", "..%2f..%2fetc%2fpasswd", "application/json", `{"id":1}`, 404, ""},
	{"a type with NUL", "rec%00any", "application/json", `{"id":1}`, 404, ""},
	{"a type that is not UTF-8", "rec%ff%fe", "application/json", `{"id":1}`, 404, ""},
	{"an agreement that has ended", "rec-ended.v1", "application/json", `{"id":1}`, 403, ""},
	{"a former name", "rec-once.v1", "application/json", `{"id":"former","n":1}`, 202, "1 accepted"},
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":%d,`, i, i)
	}
	return b.String()
}

func TestOddBodies(t *testing.T) {
	onBoth(t, func(b *besieged) {
		for _, o := range oddities {
			b.Run(o.name, func(t *testing.T) {
				b := &besieged{t, b.r, b.token}
				d := b.post(o.typ, b.token, o.contentType, strings.NewReader(o.body))
				if d.status != o.status || o.receipts != "" && d.statuses() != o.receipts {
					t.Errorf("%d %s %.500s, want %d %s", d.status, d.statuses(), d.body, o.status, o.receipts)
				}
				for _, r := range d.receipts {
					if r.ID == "" || (r.Status == "held" || r.Status == "refused") != (len(r.Problems) > 0) {
						t.Errorf("a strange receipt: %+v", r)
					}
				}
				b.kept(d.receipts, 1)
			})
		}
		b.settled()
		b.well()
	})
}

func TestWhoMaySend(t *testing.T) {
	onBoth(t, func(b *besieged) {
		other := token(b.T, b.r, "org-other")
		short := command(b.T, b.r, "token", "create", "org-school", "--for", "1ms")
		gone := command(b.T, b.r, "token", "create", "org-school", "--label", "leak", "--json")
		var t struct{ ID, Token string }
		must(b.T, json.Unmarshal([]byte(gone), &t))
		if d := b.post("rec-any.v1", t.Token, "application/json", strings.NewReader(`{"id":1}`)); d.status != 202 {
			b.Error("a good token", d.status, d.body)
		}
		command(b.T, b.r, "token", "revoke", t.ID)
		for name, c := range map[string]struct {
			token  string
			status int
		}{
			"no token":        {"", 401},
			"a made-up one":   {"rvt_" + strings.Repeat("A", 40), 401},
			"not even ASCII":  {"\xff\xfe naïve", 401},
			"a huge one":      {strings.Repeat("x", 20_000), 401},
			"SQL":             {"' or '1'='1", 401},
			"one of another":  {other, 403},
			"one that ended":  {short, 401},
			"one revoked":     {t.Token, 401},
			"one cut short":   {b.token[:len(b.token)-1], 401},
			"one and another": {b.token + "," + b.token, 401},
		} {
			if d := b.post("rec-any.v1", c.token, "application/json", strings.NewReader(`{"id":1}`)); d.status != c.status || len(d.receipts) > 0 {
				b.Errorf("%s: %d %s", name, d.status, d.body)
			}
		}
		for _, h := range []string{"Authorization: Basic dXNlcjpwYXNz", "Authorization: Bearer", "Authorization: ", "Authorization: Bearer " + b.token + " x", "Idempotency-Key: " + strings.Repeat("k", 201), "Idempotency-Key: n\u00e9", "Content-Encoding: gzip"} {
			tok := b.token
			if d := b.post("rec-any.v1", tok, "application/json", strings.NewReader(`{"id":1}`), h); d.status < 400 {
				b.Errorf("%s: %d", h, d.status)
			}
		}
		// What the school sent is nobody else's to see.
		d := b.post("rec-any.v1", b.token, "application/json", strings.NewReader(`{"id":"mine","n":"held"}`))
		ok := b.post("rec-any.v1", b.token, "application/json", strings.NewReader(`{"id":"mine"}`))
		for _, id := range []string{d.receipts[0].ID, ok.receipts[0].ID} {
			if code, text := b.get("/v1/records/"+id, other); code != 404 && code != 403 {
				b.Error("another partner reads a record: ", code, text)
			}
			if code, _ := b.get("/v1/records/"+id, ""); code != 401 {
				b.Error("anyone reads a record: ", code)
			}
		}
		for _, id := range []string{"r1-0", "r1-99999999999999999999", "r0-1", "r9-1", "x1-0", "x1-99999999", "%00", "%ff", "r1-1%00", "..%2f..", "r1--1", strings.Repeat("9", 5000)} {
			if code, text := b.get("/v1/records/"+id, b.token); code != 404 && code != 400 {
				b.Errorf("record %.20s: %d %s", id, code, text)
			}
			if code, text := b.get("/v1/submissions/"+id+"/receipts", b.token); code != 404 && code != 400 {
				b.Errorf("submission %.20s: %d %s", id, code, text)
			}
		}
		b.well()
	})
}

// raw writes bytes to the program, hangs up on its own side unless the request
// asks that the answer ends the connection, and reads the whole answer.
func (b *besieged) raw(request string) string {
	b.Helper()
	conn := b.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, request) // the program may answer and hang up before it was all written
	if !strings.Contains(request, "\r\nConnection: close\r\n") {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	all, _ := io.ReadAll(conn)
	return string(all)
}

func (b *besieged) dial() net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.r.URL, "http://"))
	must(b.T, err)
	must(b.T, conn.SetDeadline(time.Now().Add(10*time.Minute))) // a hang is a failure, not a wait
	return conn
}

func (b *besieged) head(rest string) string {
	return "POST /v1/records/rec-any.v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b.token + "\r\nContent-Type: application/x-ndjson\r\n" + rest
}

func TestBrokenConnections(t *testing.T) {
	b := besiege(t, "")
	for name, c := range map[string]struct{ request, want string }{
		"half-way, nothing whole":     {b.head("Content-Length: 100\r\n\r\n{\"id\":1"), "HTTP/1.1 400"},
		"half-way, two whole records": {b.head("Content-Length: 1000\r\n\r\n{\"id\":1}\n{\"id\":2}\n{\"id\":3"), `"accepted":2`},
		"half a chunk":                {b.head("Transfer-Encoding: chunked\r\n\r\n20\r\n{\"id\":1}\n{\"id"), `"accepted":1`},
		"a broken chunk":              {b.head("Transfer-Encoding: chunked\r\n\r\n9\r\n{\"id\":1}\n\r\nzz\r\n"), `"accepted":1`},
		"a length and chunks":         {b.head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "HTTP/1.1 400"},
		"two lengths":                 {b.head("Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}\n{}\n"), "HTTP/1.1 400"},
		"a length below nought":       {b.head("Content-Length: -1\r\n\r\n{}"), "HTTP/1.1 400"},
		"huge headers":                {b.head("X-Huge: " + strings.Repeat("x", 200<<10) + "\r\n\r\n"), "HTTP/1.1 431"},
		"many headers":                {b.head(strings.Repeat("X-Many: x\r\n", 20_000) + "\r\n"), "HTTP/1.1 431"},
		"a header with NUL":           {b.head("X-Nul: a\x00b\r\n\r\n"), "HTTP/1.1 400"},
		"no host":                     {"POST /v1/records/rec-any.v1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		"not HTTP":                    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", "HTTP/1.1 400"},
		"another method":              {strings.Replace(b.head("Connection: close\r\n\r\n"), "POST", "BREW", 1), "HTTP/1.1 405"},
		"a path that climbs":          {strings.Replace(b.head("\r\n"), "/v1/records/rec-any.v1", "/v1/records/../../../etc/passwd", 1), "HTTP/1.1 4"},
		"an unknown expectation":      {b.head("Expect: 200-ok\r\nContent-Length: 3\r\n\r\n{}\n"), "HTTP/1.1 417"},
	} {
		if got := b.raw(c.request); !strings.Contains(got, c.want) || strings.HasPrefix(got, "HTTP/1.1 5") || got == "" {
			t.Errorf("%s: %.600q, want %s", name, got, c.want)
		}
	}
	// Two hundred clients who begin, and never go on, are in nobody's way.
	for i := range 200 {
		conn := b.dial()
		defer conn.Close()
		parts := []string{"POST /v1/rec", b.head(""), b.head("Content-Length: 100000\r\n\r\n{\"id\":1}\n{\"a")}
		_, err := io.WriteString(conn, parts[i%len(parts)])
		must(t, err)
	}
	if d := b.post("rec-any.v1", b.token, "application/json", strings.NewReader(`{"id":"still"}`)); d.statuses() != "1 accepted" {
		t.Error(d.status, d.body)
	}
	b.well()
}

// A client that writes everything before it reads a byte gets every receipt.
func TestWritesHundredThousandBeforeReading(t *testing.T) {
	b := besiege(t, "")
	const n = 100_000
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, `{"id":"k%06d","n":%d,"a":"some words that are as long as words of records may be"}`+"\n", i, i%7)
	}
	conn := b.dial()
	defer conn.Close()
	_, err := io.WriteString(conn, b.head(fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n\r\n", body.Len())))
	must(t, err)
	_, err = conn.Write(body.Bytes())
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	d := b.read(res)
	if len(d.receipts) != n {
		t.Fatalf("%d with %d receipts %s", d.status, len(d.receipts), d.statuses())
	}
	last := int64(0)
	for i, r := range d.receipts {
		if r.Seq <= last && r.Status != "refused" {
			t.Fatalf("receipt %d is out of order: %+v", i, r)
		}
		last = max(last, r.Seq)
	}
	b.kept(d.receipts, n/20)
	b.settled()
	b.well()
}

// stream is a body of one line again and again, as long as asked for.
type stream struct {
	line []byte
	left int64
	off  int
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		k := copy(p[n:], s.line[s.off:])
		n += k
		s.off = (s.off + k) % len(s.line)
	}
	s.left -= int64(n)
	return n, nil
}

// Bodies of any size leave memory as it was. REEVE_HUGE_MB sets the size; `make
// test` sends a smaller one than the 2 GB that were tried.
func TestHugeBodies(t *testing.T) {
	size := int64(32 << 20)
	if mb, err := strconv.ParseInt(os.Getenv("REEVE_HUGE_MB"), 10, 64); err == nil {
		size = mb << 20
	}
	b := besiege(t, "")
	tooLong := `{"id":"` + strings.Repeat("x", 2<<20) + `"}` + "\n"
	for _, c := range []struct {
		name, token, contentType, line string
		status                         int
	}{
		{"records of 1 kB", b.token, "application/x-ndjson", `{"id":"same","a":"x","more":"` + strings.Repeat("x", 1000) + `"}` + "\n", 202},
		{"records too long", b.token, "application/x-ndjson", tooLong, 413},
		{"one word without end", b.token, "application/json", strings.Repeat("{\"id\":{\"x\":[", 1<<13), 413},
		{"brackets", b.token, "application/json", strings.Repeat("[", 1<<16), 400},
		{"nothing but space", b.token, "application/json", strings.Repeat(" \n", 1<<15), 400},
		{"noise", b.token, "application/x-ndjson", strings.Repeat("\x00\xff{", 1<<15) + "\n", 400},
		{"from nobody", "", "application/x-ndjson", strings.Repeat("x", 1<<16), 401},
	} {
		began := time.Now()
		d := b.huge(c.token, c.contentType, &stream{line: []byte(c.line), left: size})
		now, peak, err := b.r.Memory()
		must(t, err)
		t.Logf("%s: %d in %v; memory %d MB, at most %d MB", c.name, d, time.Since(began).Round(time.Millisecond), now>>20, peak>>20)
		if d != c.status {
			t.Errorf("%s: %d, want %d", c.name, d, c.status)
		}
	}
	b.well()
}

// huge posts without keeping the receipts.
func (b *besieged) huge(tok, contentType string, body io.Reader) int {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.r.URL+"/v1/records/rec-any.v1", body)
	must(b.T, err)
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := hearing.Do(req)
	must(b.T, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	must(b.T, err)
	return res.StatusCode
}

// Ten thousand random changes to real records, in the company of good ones: a
// receipt for each, in order, and what was accepted can be read. They go on
// through filter and mapping, and do no harm there either.
func TestMutatedRecords(t *testing.T) {
	onBoth(t, func(b *besieged) {
		n := 10_000
		if strings.HasSuffix(b.Name(), "postgres") {
			n = 1_000
		}
		rnd := rand.New(rand.NewPCG(7, 11))
		real := realRecords(b.T)
		for typ, recs := range real {
			var all [][]byte
			for range n / len(real) {
				all = append(all, mutate(rnd, recs[rnd.IntN(len(recs))]))
			}
			for len(all) > 0 {
				part := all[:min(len(all), 1+rnd.IntN(900))]
				all = all[len(part):]
				d := b.post(typ, b.token, "application/x-ndjson", bytes.NewReader(append(bytes.Join(part, []byte("\n")), '\n')))
				switch {
				case d.status == 202 && len(d.receipts) == len(part):
				case d.status < 500 && d.status >= 400 && d.problem.Counts.Records == len(part) && d.problem.Counts.Refused == len(part):
				default:
					b.Fatalf("%s: %d with %d receipts for %d records: %.500s", typ, d.status, len(d.receipts), len(part), d.body)
				}
				b.kept(d.receipts, 100)
			}
			for range 30 { // alone, as whatever they look like
				m := mutate(rnd, recs[rnd.IntN(len(recs))])
				d := b.post(typ, b.token, "application/json", bytes.NewReader(m))
				b.kept(d.receipts, 1)
			}
		}
		b.settled()
		b.well()
	})
}

func realRecords(t *testing.T) map[string][][]byte {
	t.Helper()
	patients, err := os.ReadFile("../../internal/exchange/testdata/real/fhir/patients.ndjson")
	must(t, err)
	files, err := filepath.Glob("../../internal/exchange/testdata/real/planning/examples/*.json")
	must(t, err)
	out := map[string][][]byte{"rec-patient.v1": bytes.Split(bytes.TrimSpace(patients), []byte("\n"))}
	out["rec-any.v1"] = out["rec-patient.v1"]
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		var line bytes.Buffer
		must(t, json.Compact(&line, b))
		out["rec-application.v1"] = append(out["rec-application.v1"], line.Bytes())
	}
	return out
}

// mutate changes a record in one to five places; it stays on one line.
func mutate(rnd *rand.Rand, rec []byte) []byte {
	pieces := []string{`\u0000`, `\ud800`, "\x00", "\xff", `"`, "{", "}", "[", "]", ",", ":", "null", "1e400", `\`, "-", "\u202e", `"id":`, "😀"}
	b := bytes.Clone(rec)
	for range 1 + rnd.IntN(5) {
		i := rnd.IntN(len(b))
		switch rnd.IntN(7) {
		case 0:
			b[i] = byte(rnd.IntN(256))
		case 1:
			b = append(b[:i:i], b[min(len(b), i+1+rnd.IntN(40)):]...)
		case 2, 3:
			b = append(b[:i:i], append([]byte(pieces[rnd.IntN(len(pieces))]), b[i:]...)...)
		case 4:
			if rnd.IntN(4) == 0 {
				b = b[:i+1]
			}
		case 5:
			j := rnd.IntN(len(b))
			b[i], b[j] = b[j], b[i]
		case 6: // a text or number becomes something else
			if at := bytes.IndexByte(b[i:], ':'); at >= 0 {
				b = append(b[:i+at+1:i+at+1], append([]byte([]string{"null", "7", `""`, "[]", "{}", "true"}[rnd.IntN(6)]+`,"_":`), b[i+at+1:]...)...)
			}
		}
		if len(b) == 0 {
			b = []byte("x")
		}
	}
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return []byte("x")
	}
	return b
}
