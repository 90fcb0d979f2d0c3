package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// startLibraries makes the folder in which files arrive and looks into it until
// ctx ends. A file is read once by its name; a file that comes again under its
// name with another content is counted as changed and not read.
func startLibraries(ctx context.Context, l *ledger, o Options) (dir string, stop func(), err error) {
	if dir, err = filepath.Abs(filepath.Join(o.Dir, "libraries-in")); err != nil {
		return "", nil, fmt.Errorf("sim.startLibraries: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("sim.startLibraries: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(o.Every)
		defer tick.Stop()
		for {
			if err := readFiles(dir, l); err != nil {
				o.Log.Error("the libraries cannot read their files", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return dir, func() { cancel(); done.Wait() }, nil
}

func readFiles(dir string, l *ledger) error {
	names, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return fmt.Errorf("sim.readFiles: %w", err)
	}
	var all error
	for _, f := range names {
		name := f.Name()
		if f.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".csv") {
			continue // not there yet: files are written under another name first
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = readFile(name, raw, l)
		}
		all = errors.Join(all, err)
	}
	return all
}

// readFile takes every row of a file. Rows are known by the file's name and their
// place, so that a file read half before a crash is read to its end once.
func readFile(name string, raw []byte, l *ledger) error {
	sum := sha256.Sum256(raw)
	digest := hex.EncodeToString(sum[:8])
	if had, ok := l.digest(name); ok {
		if had != digest && l.first(name+" changed "+digest) {
			l.saw("changed")
		}
		return nil
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) == 0 {
		if l.first(name + " unreadable " + digest) {
			l.saw("refused")
		}
		return nil
	}
	l.saw("request")
	for i, row := range rows[1:] {
		item := map[string]string{}
		for j, column := range rows[0] {
			item[column] = row[j]
		}
		b, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("sim.readFile: %w", err)
		}
		l.take(fmt.Sprintf("%s#%d", name, i+1), digest, b)
	}
	l.take(name, digest, nil) // the file as a whole: not an effect
	return nil
}

// digest of what was taken under a key.
func (l *ledger) digest(key string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.keys[key]
	return d, ok
}

// first notes that something was seen, and says whether it was for the first time.
func (l *ledger) first(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.keys[what]; ok {
		return false
	}
	l.add(what, "", nil)
	return true
}
