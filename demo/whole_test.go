package demo_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/demo/data"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/tools/rig"
)

// fresh is how often somebody dies: the 491 who live must last as long as these tests do
// on a slow machine, for the demo goes on to the end of them.
const fresh = "1s"

// TestDemo runs the whole demo as its users do and counts what arrived where.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the real program")
	}
	bin, err := rig.Build(t.Context(), "./cmd/reeve", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &whole{T: t, r: &rig.Reeve{Bin: bin, Data: filepath.Join(t.TempDir(), "demo"), Args: []string{"--every", fresh, "--verbose"}}}
	d.start()
	defer d.r.Kill()

	t.Run("124 deaths reach 116, 116 and 124", d.deaths)
	t.Run("a mistake is reversed once in every system that had it", d.reversal)
	t.Run("615 patients are 124 notices and 491 refusals", d.hospital)
	t.Run("13 applications arrive, 5 are held, corrected and arrive", d.planning)
	t.Run("8 house moves are told to four systems, or to none", d.moves)
	t.Run("120 payments are 118, a refused and a held one", d.payments)
	t.Run("services write to those who should hear and to nobody else", d.services)
	t.Run("nothing of a patient that nobody may have is anywhere", d.nowhere)
	t.Run("a demo started again goes on", d.again)
}

// TestDemoOnPostgres counts the same on the other database.
func TestDemoOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the real program")
	}
	url := storetest.Postgres(t)
	bin, err := rig.Build(t.Context(), "./cmd/reeve", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &whole{T: t, r: &rig.Reeve{Bin: bin, Data: filepath.Join(t.TempDir(), "demo"), Database: url, Args: []string{"--every", fresh}}}
	d.start()
	defer d.r.Kill()
	t.Run("deaths", d.deaths)
	t.Run("reversal", d.reversal)
	t.Run("hospital", d.hospital)
	t.Run("planning", d.planning)
	t.Run("house moves", d.moves)
	t.Run("payments", d.payments)
	t.Run("again", d.again)
}

type whole struct {
	*testing.T
	r    *rig.Reeve
	file demo.File
	http *http.Client
}

func (d *whole) start() {
	d.Helper()
	if err := d.r.Start(d.Context()); err != nil {
		d.Fatal(err)
	}
	var ok bool
	var err error
	if d.file, ok, err = demo.ReadFile(d.r.Data); err != nil || !ok {
		d.Fatalf("demo.json: %v", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.Fatal(err)
	}
	d.http = &http.Client{Jar: jar}
}

// received is what a system has taken.
func (d *whole) received(t *testing.T, system string) (items []map[string]any) {
	t.Helper()
	res, err := http.Get(d.file.Systems[system].ReceivedURL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&items); err != nil {
		t.Fatal(err)
	}
	return items
}

// until waits until ok says so, and fails when nothing comes of it.
func (d *whole) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		select {
		case <-t.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatalf("in ten minutes: not %s\n%s", what, d.r.Logs())
}

// ofThePast are the numbers of registrations that are history; the demo numbers
// fresh ones from 5000.
var ofThePast = regexp.MustCompile(`^ASH-[0-9]{4}-[0-4][0-9]{3}$`)

func number(item map[string]any) string {
	if s, ok := item["source"].(map[string]any); ok {
		return fmt.Sprint(s["number"])
	}
	if s, ok := item["reference"]; ok {
		return fmt.Sprint(s)
	}
	return fmt.Sprint(item["registration"])
}

func (d *whole) history(t *testing.T, system string) (once map[string]int) {
	once = map[string]int{}
	for _, item := range d.received(t, system) {
		if n := number(item); ofThePast.MatchString(n) {
			once[n]++
		}
	}
	return once
}

func (d *whole) deaths(t *testing.T) {
	for system, want := range map[string]int{"sys-council-tax": 116, "sys-electoral-register": 116, "sys-libraries": 124} {
		d.until(t, fmt.Sprintf("%d at %s", want, system), func() bool { return len(d.history(t, system)) >= want })
		got := d.history(t, system)
		if len(got) != want {
			t.Errorf("%s has %d, want %d", system, len(got), want)
		}
		for n, times := range got {
			if times != 1 {
				t.Errorf("%s has %s %d times", system, n, times)
			}
		}
	}
	for _, item := range d.received(t, "sys-electoral-register") {
		b, _ := json.Marshal(item)
		if item["nature"] != "information-for-determination" || bytes.Contains(bytes.ToLower(b), []byte("delete")) {
			t.Fatalf("the officer was sent %s", b)
		}
	}
	for _, item := range d.received(t, "sys-council-tax") {
		if item["task"] != "review-exemption" && item["task"] != "withdraw-review" && item["move"] == nil {
			t.Fatalf("council tax was sent %v", item)
		}
	}
}

func (d *whole) reversal(t *testing.T) {
	for system, is := range map[string]func(map[string]any) bool{
		"sys-council-tax": func(i map[string]any) bool { return i["task"] == "withdraw-review" },
		"sys-electoral-register": func(i map[string]any) bool {
			s, _ := i["information"].(map[string]any)
			return s["standing"] == "withdrawn"
		},
		"sys-libraries": func(i map[string]any) bool { return i["action"] == "reopen-membership" },
	} {
		var reversed map[string]any
		d.until(t, "reversed in "+system, func() bool {
			for _, i := range d.received(t, system) {
				if is(i) {
					reversed = i
				}
			}
			return reversed != nil
		})
		before, times := 0, 0
		for _, i := range d.received(t, system) {
			switch {
			case is(i):
				times++
			case number(i) == number(reversed):
				before++
				if times > 0 {
					t.Errorf("%s heard of %s after it was reversed", system, number(i))
				}
			}
		}
		if times != 1 || before != 1 {
			t.Errorf("%s heard of it %d times and was told of the mistake %d times", system, before, times)
		}
	}
}

// send posts records as a partner and counts the receipts by status.
func (d *whole) send(t *testing.T, partner, recordType string, records []json.RawMessage) (counts map[string]int, receipts []map[string]any) {
	t.Helper()
	body := bytes.Join(func() (lines [][]byte) {
		for _, r := range records {
			lines = append(lines, r)
		}
		return lines
	}(), []byte("\n"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.file.BaseURL+"/v1/records/"+recordType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.file.Partners[partner].Token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		b, _ := io.ReadAll(res.Body)
		t.Fatalf("%s: %s", res.Status, b)
	}
	counts = map[string]int{}
	for dec := json.NewDecoder(res.Body); ; {
		var r map[string]any
		if err := dec.Decode(&r); err == io.EOF {
			return counts, receipts
		} else if err != nil {
			t.Fatal(err)
		}
		counts[fmt.Sprint(r["status"])]++
		receipts = append(receipts, r)
	}
}

// hospital sends all patients once more: what was taken the first time is now a
// duplicate, and what was refused is refused.
func (d *whole) hospital(t *testing.T) {
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	for _, p := range ps {
		all = append(all, p.Resource)
	}
	counts, receipts := d.send(t, "org-hospital-trust", "rec-fhir-patient.v1", all)
	if counts["duplicate"] != 124 || counts["refused"] != 491 || len(receipts) != 615 {
		t.Errorf("%v, want 124 that we have and 491 refused", counts)
	}
	for i, p := range ps {
		if want := map[bool]string{true: "refused", false: "duplicate"}[p.Died == ""]; receipts[i]["status"] != want {
			t.Fatalf("patient %d: %v, want %s", i+1, receipts[i], want)
		}
	}
}

func (d *whole) planning(t *testing.T) {
	d.until(t, "13 cases in the back office", func() bool { return len(d.received(t, "sys-planning-back-office")) >= 13 })
	whole, err := data.Applications()
	if err != nil {
		t.Fatal(err)
	}
	broken, err := data.BrokenApplications(whole)
	if err != nil {
		t.Fatal(err)
	}
	var copies []json.RawMessage
	for _, b := range broken {
		copies = append(copies, b.Body)
	}
	counts, _ := d.send(t, "org-planning-portal", "rec-planning-application.v1", whole)
	if counts["duplicate"] != 13 {
		t.Errorf("sent again: %v, want 13 duplicates", counts)
	}
	counts, receipts := d.send(t, "org-planning-portal", "rec-planning-application.v1", copies)
	if counts["accepted"] != 0 || counts["refused"] != 0 || len(receipts) != 5 {
		t.Fatalf("broken copies sent again: %v", counts)
	}
	if n := len(d.received(t, "sys-planning-back-office")); n != 13 {
		t.Errorf("the back office has %d cases before anything is corrected", n)
	}
	d.signIn(t)
	for i, b := range broken {
		page := fmt.Sprintf("/staff/held/%v", receipts[i]["id"])
		if got := d.page(t, page); !strings.Contains(got, "Held record") {
			t.Fatalf("%s is not held: %.1000s", page, got)
		}
		action, form := page+"/correct", url.Values{}
		switch i {
		case 0:
			form.Set("f/data/applicant/email", "applicant@example.org")
		case 1:
			form.Set("f/data/application/declaration/accurate", "true")
		case 2:
			form.Set("f/data/user/role", "applicant")
		case 3:
			form.Set("x/data/property/squirrels", "1")
		case 4:
			action = page + "/json"
			form.Set("json", string(b.Fixed))
		}
		res, err := d.http.PostForm(d.file.BaseURL+action, form)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !bytes.Contains(text, []byte("is in order and went on as")) {
			t.Errorf("the copy where %s was corrected, and then: %s %s", b.Wrong, res.Status, text)
		}
	}
	d.until(t, "18 cases in the back office", func() bool { return len(d.received(t, "sys-planning-back-office")) >= 18 })
	once := map[string]int{}
	for _, c := range d.received(t, "sys-planning-back-office") {
		once[fmt.Sprint(c["portalReference"])]++
	}
	for _, b := range broken {
		if once[b.ID] != 1 {
			t.Errorf("the copy where %s arrived %d times", b.Wrong, once[b.ID])
		}
	}
	if len(once) != 18 {
		t.Errorf("%d different cases, want 18", len(once))
	}
}

// services: 24 of the households have a living claimant. Half of them are enrolled,
// a quarter is asked for its income, a quarter earns too much. Of a death the
// informant hears, unless it is a child's: that is a person's task.
func (d *whole) services(t *testing.T) {
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]bool{} // address: whether it must have been written to
	for i, a := range data.Awards(ps) {
		switch {
		case a.Claimant.Email == "household-old@example.org": // has died
		case a.Household.Income == nil, *a.Household.Income < 10_000_00:
			expected[a.Claimant.Email] = i > 0 // the child of the first dies while it is being done
		}
	}
	children := 0
	for _, row := range d.received(t, "sys-libraries") {
		n, ok := strings.CutPrefix(number(row), "ASH-")
		if !ok || ofThePast.MatchString("ASH-"+n) {
			continue
		}
		if data.Age(fmt.Sprint(row["born"]), fmt.Sprint(row["died"])) < 18 {
			children++
			continue
		}
		expected["informant-"+fmt.Sprintf("%04d", atoi(t, n[len(n)-4:])-5000)+"@example.org"] = false
	}
	if children == 0 {
		t.Error("no child among the fresh deaths")
	}
	var to map[string]int
	d.until(t, "everybody written to", func() bool {
		to = addresses(d.received(t, "sys-notify"))
		for address, must := range expected {
			if must && to[address] == 0 {
				return false
			}
		}
		return to["informant-0001@example.org"] > 0
	})
	for address, times := range to {
		_, ok := expected[address]
		if late := strings.HasPrefix(address, "informant-"); times != 1 || !ok && !late {
			t.Errorf("%s was written to %d times, expected: %v", address, times, ok)
		}
	}
	if to["informant-0003@example.org"] > 0 {
		t.Error("a routine message was sent about a child")
	}
	if !strings.Contains(d.page(t, "/staff/entitlements"), "income") {
		t.Error("the page of entitlements does not say that an income is needed")
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// page reads a page as the member of staff who is signed in.
func (d *whole) page(t *testing.T, path string) string {
	t.Helper()
	res, err := d.http.Get(d.file.BaseURL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// likeNumbers finds what looks like the numbers of other sectors in the input: of
// social security, driving licences and passports.
var likeNumbers = regexp.MustCompile(`999-[0-9]{2}-[0-9]{4}|S999[0-9]{5}|X[0-9]{5,9}X`)

// secrets are values of the hospital's resources that must be nowhere: numbers of
// other sectors, and what tells race.
func secrets(t *testing.T) (numbers map[string]bool, words []string) {
	t.Helper()
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	numbers = map[string]bool{}
	for _, p := range ps {
		var r struct {
			Identifier []struct {
				Value string
				Type  struct{ Coding []struct{ Code string } }
			}
		}
		if err := json.Unmarshal(p.Resource, &r); err != nil {
			t.Fatal(err)
		}
		for _, id := range r.Identifier {
			if len(id.Type.Coding) == 0 || id.Type.Coding[0].Code == "MR" {
				continue
			}
			if likeNumbers.FindString(id.Value) != id.Value {
				t.Fatalf("%q does not look like the others", id.Value)
			}
			numbers[id.Value] = true
		}
	}
	if len(numbers) < 1600 {
		t.Fatalf("only %d numbers", len(numbers))
	}
	return numbers, []string{"us-core-race", "us-core-ethnicity", "us-ssn", "mothersMaidenName", `"2106-3"`, `"2054-5"`, `"2028-9"`, "passportNumber"}
}

func (d *whole) nowhere(t *testing.T) {
	hay := map[string][]byte{"the log of the program": []byte(d.r.Logs())}
	for system := range d.file.Systems {
		b, err := json.Marshal(d.received(t, system))
		if err != nil {
			t.Fatal(err)
		}
		hay["what "+system+" received"] = b
	}
	d.r.Kill() // nothing moves while its files are read
	err := filepath.WalkDir(d.r.Data, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, readErr := os.ReadFile(path)
			if readErr != nil {
				return readErr
			}
			hay[path] = b
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.sealed(t, hay)
	d.start()
	d.crawl(t, hay)
	for _, system := range []string{"sys-council-tax", "sys-electoral-register", "sys-libraries"} {
		if bytes.Contains(hay["what "+system+" received"], []byte("informant")) {
			t.Errorf("%s was told who registered a death: no agreement with it names that", system)
		}
	}
	ps, err := data.Patients()
	if err != nil {
		t.Fatal(err)
	}
	numbers, words := secrets(t)
	for where, b := range hay {
		for _, p := range data.Dead(ps) { // in the database all that tells of a person is sealed
			if strings.HasPrefix(filepath.Base(where), "reeve.db") && bytes.Contains(b, []byte(p.Died)) {
				t.Errorf("a date of death, %s, is in %s", p.Died, where)
			}
		}
		for _, m := range likeNumbers.FindAll(b, -1) {
			if numbers[string(m)] {
				t.Errorf("%q is in %s", m, where)
			}
		}
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				t.Errorf("%q is in %s", w, where)
			}
		}
	}
}

// sealed reads what the database holds compressed and under key: every record of
// the log, and every entry of the journal.
func (d *whole) sealed(t *testing.T, hay map[string][]byte) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(d.r.Data, "reeve.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text, err := os.ReadFile(filepath.Join(d.r.Data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Open(ctx, db, master)
	if err != nil {
		t.Fatal(err)
	}
	records, err := reclog.Open(ctx, db, keys)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	kinds := map[reeve.RecordType]int{}
	if err := records.Tail(ctx, 0, func(r reclog.Record) error {
		kinds[r.Type]++
		all.Write(r.Body)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if kinds["rec-fhir-patient.v1"] != 124 || kinds["rec-planning-application.v1"] < 13 || kinds["rec-death.v1"] < 124 {
		t.Errorf("the log holds %v", kinds)
	}
	hay["the records in the log"] = all.Bytes()
	j, err := journal.Open(ctx, db, journal.Options{Dir: t.TempDir(), Key: keys.Derive("journal signing")})
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	for from := int64(0); ; {
		es, err := j.Read(ctx, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(es) == 0 {
			break
		}
		for _, e := range es {
			fmt.Fprintf(&told, "%+v\n", e)
		}
		from = es[len(es)-1].N + 1
	}
	if told.Len() == 0 {
		t.Error("the journal is empty")
	}
	hay["the journal"] = told.Bytes()
}

var link = regexp.MustCompile(`href="(/[^"#]*)"`)

// crawl reads every page that a member of staff can reach by links.
func (d *whole) crawl(t *testing.T, hay map[string][]byte) {
	t.Helper()
	d.signIn(t)
	todo, seen := []string{"/staff/"}, map[string]bool{"/staff/": true}
	for len(todo) > 0 && len(seen) < 800 {
		at := todo[0]
		todo = todo[1:]
		res, err := d.http.Get(d.file.BaseURL + at)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode >= 500 {
			t.Errorf("%s: %s", at, res.Status)
		}
		hay["the page "+at] = b
		if !strings.Contains(res.Header.Get("Content-Type"), "html") {
			continue
		}
		for _, m := range link.FindAllSubmatch(b, -1) {
			next := strings.ReplaceAll(string(m[1]), "&amp;", "&")
			if strings.Contains(next, "sign-out") || strings.HasPrefix(next, "/assets") || seen[next] {
				continue
			}
			seen[next] = true
			todo = append(todo, next)
		}
	}
	t.Logf("%d pages read", len(seen))
}

func (d *whole) signIn(t *testing.T) {
	t.Helper()
	out, err := d.r.Command(t.Context(), "staff", "invite", "tester@ashcombe.example", "--role", "admin", "--role", "caseworker", "--role", "integration", "--role", "governance", "--role", "architect")
	if err != nil {
		t.Fatal(err)
	}
	res, err := d.http.PostForm(out, nil) // the link shows a button: a mail scanner that follows it uses nothing up
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the sign-in link answers %s %v: %.500s", res.Status, err, b)
	}
}

func (d *whole) again(t *testing.T) {
	before := map[string]int{}
	for _, s := range []string{"sys-council-tax", "sys-electoral-register", "sys-libraries"} {
		before[s] = len(d.received(t, s))
	}
	d.until(t, "somebody written to", func() bool { return len(d.received(t, "sys-notify")) > 0 })
	old, written := d.file, d.received(t, "sys-notify")
	d.r.Kill()
	d.start()
	if now := d.received(t, "sys-notify"); len(now) < len(written) || fmt.Sprint(now[0]["ID"], now[len(written)-1]["ID"]) != fmt.Sprint(written[0]["ID"], written[len(written)-1]["ID"]) {
		t.Errorf("%d messages were taken before the second start, %d after", len(written), len(now))
	}
	if d.file.Partners["org-register-office"].Token != old.Partners["org-register-office"].Token {
		t.Error("the partners' tokens changed")
	}
	for s, n := range before {
		d.until(t, "fresh deaths at "+s, func() bool { return len(d.received(t, s)) > n })
		want := 116
		if s == "sys-libraries" {
			want = 124
		}
		got := 0
		for _, times := range d.history(t, s) {
			got += times
		}
		if got != want {
			t.Errorf("%s has %d of the past after the second start", s, got)
		}
	}
	for address, times := range addresses(d.received(t, "sys-notify")) {
		if times != 1 {
			t.Errorf("%s was written to %d times", address, times)
		}
	}
}

// moves are read from housing's database, and told to four systems or to none.
func (d *whole) moves(t *testing.T) {
	d.until(t, "a move taken back", func() bool {
		n := 0
		for _, m := range d.received(t, "sys-council-tax") {
			if m["what"] == "withdrawn" {
				n++
			}
		}
		return n == 1 && len(d.received(t, "sys-parking")) == 6
	})
	for system, undone := range map[string]int{"sys-council-tax": 1, "sys-waste": 1, "sys-repairs": 1, "sys-parking": 0} {
		got := map[string]int{}
		for _, m := range d.received(t, system) {
			if what, ok := m["what"].(string); ok {
				got[what]++
				if m["move"] == "HM-0008" {
					t.Errorf("%s was told of a move to an address that does not exist", system)
				}
			}
		}
		if got["move"]-got["withdrawn"] != 6 || got["withdrawn"] != undone {
			t.Errorf("%s: %v, want 6 moves in force, %d taken back", system, got, undone)
		}
	}
}

// payments come in files over SFTP and end in a table: all but the ragged row, which is
// refused, and the one without a machine, which is held.
func (d *whole) payments(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.r.Data, "systems", "reports.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, pence := 0, 0
	d.until(t, "118 payments in the reports", func() bool {
		return db.QueryRow(`select count(*), coalesce(sum(pence), 0) from parking_payments`).Scan(&n, &pence) == nil && n >= 118
	})
	if n != 118 || pence != 33950 {
		t.Errorf("%d payments of %d pence", n, pence)
	}
}

// addresses counts messages by whom they went to.
func addresses(messages []map[string]any) map[string]int {
	to := map[string]int{}
	for _, m := range messages {
		to[fmt.Sprint(m["To"])]++
	}
	return to
}
