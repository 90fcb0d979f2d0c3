package def

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// LiveOptions says where definitions come from and where they are kept.
type LiveOptions struct {
	DB       *store.DB
	Journal  *journal.Journal
	Registry *Registry
	FS       fs.FS  // the folder; nil for Dir, or for the set that was last in force
	Dir      string // the folder's name, for messages; with FS nil, where it is
	Log      *slog.Logger
	Poll     time.Duration // how often Watch looks; 0 for a second
}

// Live is the set in force. It is safe for concurrent use.
//
// What is guaranteed: a set is taken up whole or not at all; before it is in force
// it is in the database, with a journal entry in the same transaction, so a set that
// a record, a delivery or an entry names can always be read again ([Live.Earlier]).
type Live struct {
	o   LiveOptions
	set atomic.Pointer[Set]

	mu       sync.Mutex // one change at a time; guards what follows
	prepare  []func(*Set) (func(), []Problem)
	problems []Problem
	seen     uint64 // fingerprint of the folder before it was last read
}

// OpenLive reads the folder and puts its set in force. If the folder is not there,
// the set that was last in force stays so; if the folder has mistakes, too, and
// the mistakes are returned with the Live. With neither, Live is nil.
func OpenLive(ctx context.Context, o LiveOptions) (*Live, []Problem, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil && o.Dir != "" {
		o.FS = os.DirFS(o.Dir)
	}
	if err := o.DB.Migrate(ctx, "def", migrations); err != nil {
		return nil, nil, err
	}
	l := &Live{o: o}
	var problems []Problem
	if l.there() {
		var s *Set
		l.seen = l.fingerprint()
		if s, problems = Load(o.FS, o.Registry); s != nil {
			if err := l.activate(ctx, s); err != nil {
				return nil, nil, err
			}
			l.set.Store(s)
			return l, nil, nil
		}
	}
	var hash string
	err := o.DB.View(ctx, func(tx *store.Tx) (err error) {
		hash, err = last(tx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if hash == "" {
		if len(problems) == 0 {
			return nil, nil, reeve.E(reeve.NotFound, "def.OpenLive", "there is no folder of definitions %q, and no set of them was ever in force: give a folder with --definitions", o.Dir)
		}
		return nil, problems, nil
	}
	s, err := l.Earlier(ctx, hash)
	if err != nil {
		return nil, problems, err
	}
	l.set.Store(s)
	l.problems = problems
	o.Log.Warn("the definitions last in force stay in force", "set", hash, "folder", o.Dir, "problems", len(problems))
	return l, problems, nil
}

// there reports whether there is a folder to read.
func (l *Live) there() bool {
	if l.o.FS == nil {
		return false
	}
	_, err := fs.Stat(l.o.FS, ".")
	return !errors.Is(err, fs.ErrNotExist)
}

// activate keeps s in the database, unless it is the last there already.
func (l *Live) activate(ctx context.Context, s *Set) error {
	return l.o.DB.Update(ctx, func(tx *store.Tx) error {
		hash, err := last(tx)
		if err != nil || hash == s.hash {
			return err
		}
		if err := keep(tx, s); err != nil {
			return err
		}
		_, err = l.o.Journal.Append(tx, journal.Entry{Actor: "program/def", Verb: "activated", About: reeve.Ref("set/" + s.hash), Set: s.hash})
		return err
	})
}

// Set is the set in force now. Whoever needs two definitions to agree asks once.
func (l *Live) Set() *Set { return l.set.Load() }

// Problems are the mistakes that keep the folder's present content from being in
// force; none if it is.
func (l *Live) Problems() []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Problem(nil), l.problems...)
}

// OnActivate registers fn to be asked about every new set, and asks it about the
// present one before it returns. fn prepares: it compiles what it needs from s and
// returns a function that puts it in force and cannot fail, or problems. Only when
// all have prepared without a problem are all applied, in the order of registration;
// else the old set stays. fn must not call Live.
//
// The problems returned are those with the present set: the program must not start
// to serve with any.
func (l *Live) OnActivate(fn func(s *Set) (apply func(), problems []Problem)) []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prepare = append(l.prepare, fn)
	apply, problems := fn(l.set.Load())
	l.problems = append(l.problems, problems...)
	if len(problems) == 0 && apply != nil {
		apply()
	}
	return problems
}

// Reload reads the folder again and puts the new set in force, whole or not at
// all. Nothing happens if nothing changed, or if the folder is gone. The error is
// for what could not be stored; problems are what is wrong with the definitions.
func (l *Live) Reload(ctx context.Context) ([]Problem, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.there() {
		l.seen = 0
		return nil, nil
	}
	l.seen = l.fingerprint()
	s, problems := Load(l.o.FS, l.o.Registry)
	if s != nil && s.hash == l.set.Load().hash {
		l.problems = nil
		return nil, nil
	}
	var apply []func()
	if s != nil {
		for _, fn := range l.prepare {
			a, p := fn(s)
			problems = append(problems, p...)
			if a != nil {
				apply = append(apply, a)
			}
		}
	}
	l.problems = problems
	if len(problems) > 0 {
		l.complain(problems)
		return problems, nil
	}
	if err := l.activate(ctx, s); err != nil {
		return nil, err
	}
	for _, a := range apply {
		a()
	}
	l.set.Store(s)
	l.o.Log.Info("a new set of definitions is in force", "set", s.hash, "definitions", len(s.objects))
	return nil, nil
}

// mostLogged is how many mistakes of one folder are logged.
const mostLogged = 50

// LogProblems logs what keeps the folder's present content from being in force, a
// line each, with where it stands; nothing if it is in force. Reload does so itself.
func (l *Live) LogProblems() {
	if problems := l.Problems(); len(problems) > 0 {
		l.complain(problems)
	}
}

func (l *Live) complain(problems []Problem) {
	l.o.Log.Error("the definitions have mistakes: the old set stays in force", "problems", len(problems))
	for i, p := range problems {
		if i == mostLogged {
			l.o.Log.Error("more mistakes are not logged: reeve check shows all", "left", len(problems)-i)
			return
		}
		l.o.Log.Error("a mistake in the definitions", "file", p.File, "line", p.Line, "col", p.Col, "problem", p.Message)
	}
}

// Earlier reads a set that was once in force. The error is NotFound if none was.
func (l *Live) Earlier(ctx context.Context, hash string) (*Set, error) {
	folder, err := stored(ctx, l.o.DB, hash)
	if err != nil {
		return nil, err
	}
	s, problems := Load(folder, l.o.Registry)
	if s == nil {
		return nil, fmt.Errorf("def: the stored set %s cannot be read by this version: %v", hash, problems[0])
	}
	return s, nil
}

// Activations are the last max sets put in force, newest first.
func (l *Live) Activations(ctx context.Context, max int) ([]Activation, error) {
	return activations(ctx, l.o.DB, max)
}

// Watch reloads when a file changes, until ctx ends. It looks at names, sizes and
// times once a second, which works on every file system, and waits until they stay
// the same for a second, so that a set half copied is not taken up. Mistakes are
// logged and kept for [Live.Problems].
func (l *Live) Watch(ctx context.Context) error {
	every := l.o.Poll
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := l.fingerprint()
		if now == before && l.changed(now) {
			if _, err := l.Reload(ctx); err != nil {
				l.o.Log.Error("new definitions could not be stored", "error", err)
				l.forget()
			}
		}
		before = now
	}
}

func (l *Live) changed(now uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now != l.seen
}

// forget makes Watch try the same folder again.
func (l *Live) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = 0
}

// fingerprint changes when a file of the folder does; 0 if there is none.
func (l *Live) fingerprint() uint64 {
	if !l.there() {
		return 0
	}
	h := fnv.New64a()
	n := 0
	fs.WalkDir(l.o.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if n++; err != nil || n > maxFiles {
			return nil
		}
		if strings.HasPrefix(path.Base(name), ".") && name != "." {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := fs.Stat(l.o.FS, name); err == nil && !info.IsDir() {
			fmt.Fprintf(h, "%s\x00%d\x00%d\x00", name, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return h.Sum64()
}
