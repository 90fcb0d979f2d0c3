package app

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// TestEstateTable makes one large estate, in a folder and in a database, and
// prints how long what people do with it takes: make bench.
func TestEstateTable(t *testing.T) {
	if os.Getenv("REEVE_BENCH") != "1" {
		t.Skip("make bench runs it")
	}
	systems, assets := 10_000, 200_000
	if n, err := strconv.Atoi(os.Getenv("REEVE_BENCH_SYSTEMS")); err == nil {
		systems, assets = n, 20*n
	}
	b := &estateBench{T: t, dir: bigEstate(t, systems)}
	b.w = tabwriter.NewWriter(&b.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(b.w, "%d systems and contracts, %d interfaces and flows, %d assets on %d cores\tmedian\tworst\tprocessor\tgoal\n", systems, 5*systems, assets, runtime.NumCPU())
	b.folder()
	b.open()
	list := devices(t, systems, assets)
	b.time(1, "import of the assets, into the database", "", func() {
		var done ImportedList
		if err := b.a.Operator().Call(t.Context(), "import", ImportList{Source: "auto", File: list}, &done); err != nil || done.Added != assets {
			t.Fatalf("%d of %d assets: %v", done.Added, assets, err)
		}
	})
	b.close()
	b.open()
	b.time(1, "inventory read from the database", "", func() {
		if _, err := b.a.blocks.estate.Inventory.Now(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	s := b.snapshots()
	b.standards(s)
	b.pages(s)
	b.close()
	b.w.Flush()
	fmt.Printf("\n%s\n", b.out.String())
}

type estateBench struct {
	*testing.T
	dir, data string
	a         *App
	out       bytes.Buffer
	w         *tabwriter.Writer
}

// time adds a line: the median and the worst of some runs.
func (b *estateBench) time(runs int, what, goal string, f func()) {
	took, used := make([]time.Duration, runs), make([]time.Duration, runs)
	for i := range took {
		runtime.GC() // what others left behind is not this one's
		start, before := time.Now(), processor(b.T)
		f()
		took[i], used[i] = time.Since(start), processor(b.T)-before
	}
	b.line(what, goal, took, used)
}

func (b *estateBench) line(what, goal string, took, used []time.Duration) {
	slices.Sort(took)
	slices.Sort(used)
	fmt.Fprintf(b.w, "%s\t%s\t%s\t%s\t%s\n", what, short(took[len(took)/2]), short(took[len(took)*99/100]), short(used[len(used)/2]), goal)
}

// processor is the time that this process has used of all processors: what
// others do on the machine does not count in it.
func processor(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func short(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// folder reads and checks the definitions as reeve check does, and joins them.
func (b *estateBench) folder() {
	var set *def.Set
	b.time(3, "folder read and checked", "2s", func() {
		var problems []def.Problem
		if set, problems = def.Load(os.DirFS(b.dir), offline.Registry()); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	})
	b.time(3, "definitions made ready", "", func() {
		if _, problems := register.Compile(set); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	})
}

func (b *estateBench) open() {
	if b.data == "" {
		data, err := os.MkdirTemp("", "estate") // short: the operator's socket lives in it
		if err != nil {
			b.Fatal(err)
		}
		b.data = data
		b.Cleanup(func() { os.RemoveAll(data) })
	}
	var err error
	b.a, err = Open(b.Context(), Config{Data: b.data, Definitions: b.dir, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Getenv: func(name string) string { return map[string]string{"LIBRARIES_DIR": "file://" + b.data}[name] }})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *estateBench) close() {
	if err := b.a.Close(); err != nil {
		b.Fatal(err)
	}
}

// snapshots brings definitions, inventory and observations together: all facts of
// all rooms, and the body's own standards.
func (b *estateBench) snapshots() (s *register.Snapshot) {
	set := b.a.k.Defs.Set()
	b.time(3, "everything brought together, with all facts", "", func() {
		var err error
		if s, err = b.a.blocks.estate.Draft(b.Context(), set); err != nil {
			b.Fatal(err)
		}
	})
	return s
}

// standards holds all of it to the whole library, on the tables that the rooms filled.
func (b *estateBench) standards(s *register.Snapshot) {
	pack, err := standard.Library(s.Set)
	if err != nil {
		b.Fatal(err)
	}
	var o *standard.Outcome
	b.time(5, "all 52 standards", "1s", func() {
		if o, err = pack.Judge(b.Context(), s.Tables, s.At); err != nil {
			b.Fatal(err)
		}
	})
	n := 0
	for i := range o.Standings {
		n += o.Standings[i].About()
	}
	fmt.Fprintf(b.w, "  results of these\t%d\t\t\t\n", n)
}

// pages are asked for as a browser asks, without the network.
func (b *estateBench) pages(s *register.Snapshot) {
	var in Invitation
	if err := b.a.Operator().Call(b.Context(), "staff/invite", InviteStaff{Email: "alex@ashcombe.example", Roles: []string{"architect", "admin"}}, &in); err != nil {
		b.Fatal(err)
	}
	i := strings.Index(in.Link, "/staff/")
	post := httptest.NewRequest(http.MethodPost, in.Link[i:], nil)
	post.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	b.a.Handler().ServeHTTP(w, post)
	cookies := w.Result().Cookies()
	if len(cookies) == 0 {
		b.Fatalf("nobody was signed in: %d", w.Code)
	}
	get := func(path string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		b.a.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d %.300s", path, w.Code, w.Body)
		}
		return w.Body.Len()
	}
	b.time(1, "first page after a start (it waits for what is brought together)", "", func() { get("/staff/estate/systems") })
	for _, p := range [][3]string{
		{"/staff/estate/map?at=capability/cap-finance", "map of one capability", "100ms"},
		{"/staff/estate/map", "map of the whole estate", ""},
		{"/staff/estate/map?at=system/sys-n7", "map of one system", ""},
		{"/staff/estate", "page: the estate", ""},
		{"/staff/estate/systems?page=50", "page: systems, 100 of all", ""},
		{"/staff/estate/systems/sys-n7", "page: one system", ""},
		{"/staff/estate/portfolio", "page: portfolio", ""},
		{"/staff/estate/portfolio/systems/sys-n7", "page: fit of one system", ""},
		{"/staff/estate/standards", "page: standards", ""},
		{"/staff/estate/assets", "page: assets", ""},
		{"/staff/estate/carbon", "page: carbon", ""},
		{"/staff/estate/risk", "page: risk", ""},
		{"/staff/estate/spend", "page: spend", ""},
		{"/staff/estate/roadmap", "page: roadmap", ""},
		{"/staff/estate/owners", "page: owners", ""},
	} {
		get(p[0]) // what is made once is made
		b.time(9, p[1], p[2], func() { get(p[0]) })
	}
	b.search(get)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	fmt.Fprintf(b.w, "memory in use after all this, and taken from the system\t%d MB\t%d MB\t\t\n", m.HeapAlloc>>20, m.Sys>>20)
	runtime.KeepAlive(s)
}

// search types texts, one letter after the other.
func (b *estateBench) search(get func(string) int) {
	var took, used []time.Duration
	get("/staff/estate/search/hits?q=x")
	for _, text := range []string{"system 77", "payments from", "adult social care", "latitude 7430", "LT-001", "contract 12", "libaries", "finance", "e", "94PB"} {
		for i := range text {
			path := "/staff/estate/search/hits?q=" + strings.ReplaceAll(text[:i+1], " ", "+")
			start, before := time.Now(), processor(b.T)
			get(path)
			took, used = append(took, time.Since(start)), append(used, processor(b.T)-before)
		}
	}
	b.line(fmt.Sprintf("search, each of %d keys pressed (median, and 99 of 100)", len(took)), "50ms", took, used)
}

// devices writes a list of assets as an asset register exports it.
func devices(t *testing.T, systems, n int) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "register.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "Asset tag,Device type,Make,Model,Serial number,Location,Status,Purchase date,Purchase cost,Warranty expiry,Systems,OS,OS version")
	sites := []string{"site-castle-street", "site-library"}
	for i := range n {
		typ, system := "Laptop", ""
		if i%20 == 0 {
			typ, system = "Server", fmt.Sprintf("sys-n%d", i/20%systems)
		}
		fmt.Fprintf(w, "ABC-%06d,%s,Dell Inc.,Latitude 7430,SN%08X,%s,In use,%02d/06/20%d,£%d.00,%02d/06/2028,%s,,\n", i, typ, uint32(i)*2654435761, sites[i%2], 1+i%28, 18+i%8, 400+i%900, 1+i%28, system)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
