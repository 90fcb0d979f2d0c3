// Package sim holds the simulated systems of the demo body: small servers that
// speak the real protocol and misbehave on purpose, in an order that depends only
// on a seed and on how many requests they have had.
//
//   - council tax: slow, away (503) one time in twenty; knows an Idempotency-Key.
//   - electoral register: PUT by registration number; refuses fields it does not know.
//   - libraries: reads CSV files from a folder, each name once.
//   - maps, bins, repairs, parking: what a house move is told to; parking refuses
//     moves to where there is no permit zone.
//   - housing: a database (SQLite) with a table of moves that others read.
//   - reports: a database with a table of payments that others write into.
//   - car parks: an SFTP server with a file of payments a night.
//   - planning back office: one time in seven it takes a case and dies before it
//     answers; knows an Idempotency-Key.
//
// What a system has taken is kept in memory and in an append-only file in its
// folder. GET /received answers with it as a JSON array, one item an effect;
// GET /counts says how many requests, effects and repeats there were. Run in a
// process of its own (demo/cmd/systems), it counts through the crashes of whoever
// sends to it. It does not sync its files: it is not the one whose power is cut.
package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options of the simulated systems.
type Options struct {
	Dir   string        // where each keeps what it has taken
	Seed  uint64        // of their misbehaviour
	Calm  bool          // no misbehaviour at all: for measuring
	Log   *slog.Logger  // defaults to none
	Every time.Duration // how often the libraries look into their folder; default 200 ms
}

// System is one running system, as the sender needs to know it.
type System struct {
	ID       string `json:"id"`       // of its definition: sys-council-tax
	Env      string `json:"env"`      // name of the environment variable that interfaces take its address from
	Address  string `json:"address"`  // what that variable should be
	Received string `json:"received"` // URL that answers with what it has taken, "" where none does
	// More is what the environment needs besides, by name.
	More map[string]string `json:"more,omitempty"`
}

// Town is the running systems.
type Town struct {
	Systems []System
	stop    []func()
	ledgers map[string]*ledger
}

// Env is the environment that the definitions' interfaces ask for.
func (t *Town) Env() map[string]string {
	env := map[string]string{}
	for _, s := range t.Systems {
		env[s.Env] = s.Address
		maps.Copy(env, s.More)
	}
	return env
}

// Counts of one system, by id.
func (t *Town) Counts(id string) Counts { return t.ledgers[id].snapshot() }

// Close stops all systems.
func (t *Town) Close() {
	for _, stop := range t.stop {
		stop()
	}
}

// Start starts every system on a free port of this machine; they stop with ctx
// or Close. Started again on the same folder they still know what they have.
func Start(ctx context.Context, o Options) (*Town, error) {
	if o.Every == 0 {
		o.Every = 200 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("sim.Start: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &Town{stop: []func(){cancel}, ledgers: map[string]*ledger{}}
	for _, s := range []struct {
		id, env string
		handler func(*ledger, Options) http.Handler
	}{
		{"sys-council-tax", "COUNCIL_TAX_URL", councilTax},
		{"sys-electoral-register", "ELECTORAL_REGISTER_URL", electoralRegister},
		{"sys-planning-back-office", "PLANNING_BACK_OFFICE_URL", planningBackOffice},
		{"sys-libraries", "LIBRARIES_DIR", nil},
		{"sys-maps", "MAPS_URL", mapServer},
		{"sys-waste", "WASTE_URL", waste},
		{"sys-repairs", "REPAIRS_URL", repairs},
		{"sys-parking", "PARKING_URL", parking},
	} {
		l, err := openLedger(filepath.Join(o.Dir, s.id+".ndjson"))
		if err != nil {
			t.Close()
			return nil, err
		}
		t.ledgers[s.id] = l
		t.stop = append(t.stop, func() { l.file.Close() })
		mux := http.NewServeMux()
		mux.HandleFunc("GET /received", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, l.received()) })
		mux.HandleFunc("GET /counts", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, l.snapshot()) })
		if s.handler != nil {
			mux.Handle("/", s.handler(l, o))
		}
		base, stop, err := listen(mux, o.Log)
		if err != nil {
			t.Close()
			return nil, err
		}
		t.stop = append([]func(){stop}, t.stop...) // servers stop before their ledgers close
		sys := System{ID: s.id, Env: s.env, Address: base, Received: base + "/received"}
		if s.handler == nil {
			dir, stop, err := startLibraries(ctx, l, o)
			if err != nil {
				t.Close()
				return nil, err
			}
			t.stop = append([]func(){stop}, t.stop...)
			sys.Address = (&url.URL{Scheme: "file", Path: dir}).String()
		}
		t.Systems = append(t.Systems, sys)
	}
	if err := t.startOthers(ctx, o); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// startOthers starts the systems that do not speak HTTP.
func (t *Town) startOthers(ctx context.Context, o Options) error {
	moves, err := housing(ctx, o.Dir)
	if err != nil {
		return err
	}
	payments, err := reports(ctx, o.Dir)
	if err != nil {
		return err
	}
	files, stop, err := carParks(o.Dir, o.Log)
	if err != nil {
		return err
	}
	t.stop = append([]func(){stop}, t.stop...)
	t.Systems = append(t.Systems,
		System{ID: "sys-housing", Env: "HOUSING_DB", Address: moves},
		System{ID: "sys-reports", Env: "REPORTS_DB", Address: payments},
		System{ID: "sys-car-parks", Env: "CAR_PARKS_SFTP", Address: files.address, More: map[string]string{"CAR_PARKS_KEY": files.key, "CAR_PARKS_HOST_KEY": files.hostKey}})
	return nil
}

// listen serves h on a free port and returns its base URL.
func listen(h http.Handler, log *slog.Logger) (base string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("sim.listen: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	var done sync.WaitGroup
	done.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a simulated system stopped", "error", err)
		}
	})
	return "http://" + ln.Addr().String(), func() { srv.Close(); done.Wait() }, nil
}

// chance says whether the nth request is one of the unlucky, one in odds: the
// same for the same seed and n, and evenly spread (splitmix64).
func chance(o Options, n int64, odds uint64) bool {
	return !o.Calm && dice(o.Seed, n)%odds == 0
}

func dice(seed uint64, n int64) uint64 {
	z := seed + uint64(n)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// pause makes a slow system slow: mostly 5 to 20 ms, now and then a quarter of a
// second.
func pause(ctx context.Context, o Options, n int64) {
	if o.Calm {
		return
	}
	d := 5*time.Millisecond + time.Duration(dice(o.Seed+1, n)%15)*time.Millisecond
	if chance(o, n+1_000_003, 50) {
		d = 250 * time.Millisecond
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// maxBody is the most that a system reads of a request, in bytes.
const maxBody = 1 << 20

func body(r *http.Request) ([]byte, string, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:8]), err
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other side is gone: nothing to do
}

func refuse(w http.ResponseWriter, l *ledger, status int, format string, args ...any) {
	l.saw("refused")
	answer(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}
