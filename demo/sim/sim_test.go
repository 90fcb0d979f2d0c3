package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

func TestMain(m *testing.M) { connectortest.Main(m) }

func start(t *testing.T, dir string) *Town {
	t.Helper()
	town, err := Start(t.Context(), Options{Dir: dir, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(town.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return town
}

func (t *Town) address(id string) string {
	for _, s := range t.Systems {
		if s.ID == id {
			return s.Address
		}
	}
	return ""
}

func send(t *testing.T, method, url, key, body string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func task(n int) string {
	return fmt.Sprintf(`{"reference":"ASH-2026-%04d","task":"review-exemption","account":{"holder":"A B","address":"1 Road"},"diedOn":"2026-01-02"}`, n)
}

func TestCouncilTaxIsAwayOneTimeInTwentyAndKnowsARepeat(t *testing.T) {
	dir := t.TempDir()
	town := start(t, dir)
	away := 0
	for n := range 60 {
		for {
			code, err := send(t, "POST", town.address("sys-council-tax")+"/reviews", fmt.Sprint(n), task(n))
			if err != nil {
				t.Fatal(err)
			}
			if code == http.StatusServiceUnavailable {
				away++
				continue
			}
			if code != http.StatusCreated {
				t.Fatalf("request %d: %d", n, code)
			}
			break
		}
	}
	if away == 0 || away > 12 {
		t.Errorf("away %d times in 60", away)
	}
	for { // the same again is no new effect
		code, err := send(t, "POST", town.address("sys-council-tax")+"/reviews", "7", task(7))
		if err != nil {
			t.Fatal(err)
		}
		if code == http.StatusServiceUnavailable {
			continue
		}
		if code != http.StatusOK {
			t.Errorf("a repeat was answered with %d", code)
		}
		break
	}
	before := town.Counts("sys-council-tax")
	if before.Effects != 60 || before.Repeats != 1 {
		t.Errorf("%+v", before)
	}
	town.Close()

	again := start(t, dir)
	if got := again.Counts("sys-council-tax"); got != before {
		t.Errorf("after a restart %+v, before %+v", got, before)
	}
	res, err := http.Get(again.address("sys-council-tax") + "/received")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var items []map[string]any
	if err := json.NewDecoder(res.Body).Decode(&items); err != nil || len(items) != 60 {
		t.Errorf("%d items, %v", len(items), err)
	}
}

func TestElectoralRegisterRefusesWhatItDoesNotKnow(t *testing.T) {
	town := start(t, t.TempDir())
	at := town.address("sys-electoral-register") + "/information/ASH-2026-0001"
	good := `{"nature":"information-for-determination","source":{"kind":"death-registration","number":"ASH-2026-0001"},"elector":{"surname":"B","forenames":"A","born":"1950-01-01","qualifyingAddress":["1 Road"]},"information":{"died":"2026-01-02","standing":"registered"}}`
	for _, c := range []struct {
		body string
		want int
	}{
		{good, 204},
		{good, 204}, // again: nothing changes
		{strings.Replace(good, `"nature"`, `"delete":true,"nature"`, 1), 422},
		{strings.Replace(good, `"registered"`, `"withdrawn"`, 1), 204},
	} {
		code, err := send(t, "PUT", at, "", c.body)
		if err != nil || code != c.want {
			t.Errorf("%d %v, want %d: %s", code, err, c.want, c.body)
		}
	}
	if got := town.Counts("sys-electoral-register"); got.Effects != 2 || got.Repeats != 1 || got.Refused != 1 {
		t.Errorf("%+v", got)
	}
}

func TestBackOfficeDiesAfterTakingACase(t *testing.T) {
	town := start(t, t.TempDir())
	for n := range 30 {
		body := fmt.Sprintf(`{"portalReference":"p-%d","caseType":"pp","receivedOn":"2026-01-01","site":{"address":"x"},"proposal":"p","applicant":"a","documents":[]}`, n)
		for {
			code, err := send(t, "POST", town.address("sys-planning-back-office")+"/cases", fmt.Sprint(n), body)
			if err != nil {
				continue // net/http itself sends a request with an Idempotency-Key again where it may
			}
			if code != http.StatusCreated && code != http.StatusOK {
				t.Fatalf("case %d: %d", n, code)
			}
			break
		}
	}
	got := town.Counts("sys-planning-back-office")
	if got.Died == 0 || got.Effects != 30 || got.Changed != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLibrariesReadEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	l, err := openLedger(filepath.Join(dir, "l.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	in := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.csv", "registration,surname\nASH-1,Doe\nASH-2,\"Roe, Jr\"\n")
	write(".b.csv.tmp", "registration,surname\nASH-3,Poe\n")
	for range 3 {
		if err := readFiles(in, l); err != nil {
			t.Fatal(err)
		}
	}
	write("a.csv", "registration,surname\nASH-9,Doe\n")
	for range 2 {
		if err := readFiles(in, l); err != nil {
			t.Fatal(err)
		}
	}
	got := l.snapshot()
	if got.Effects != 2 || got.Changed != 1 || got.Requests != 1 {
		t.Errorf("%+v", got)
	}
	if items := l.received(); string(items[1]) != `{"registration":"ASH-2","surname":"Roe, Jr"}` {
		t.Errorf("%s", items[1])
	}
}

func TestTheFolderIsGivenAsAURL(t *testing.T) {
	town := start(t, t.TempDir())
	u, err := url.Parse(town.Env()["LIBRARIES_DIR"])
	if err != nil || u.Scheme != "file" {
		t.Fatalf("%v %v", u, err)
	}
	if _, err := os.Stat(u.Path); err != nil {
		t.Error(err)
	}
}
