// Package rig runs the real program, as a process of its own, for tests that kill
// it and for measuring. Nothing in the product uses it.
package rig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reeve-civic/reeve/demo/sim"
)

// Root is the folder of the module that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("rig.Root: no go.mod above the working directory")
		}
		dir = up
	}
	return "", fmt.Errorf("rig.Root: %w", err)
}

// Build builds a command of the module ("./cmd/reeve") into dir and returns the
// program's path. With REEVE_BIN set, that is used for ./cmd/reeve instead.
func Build(ctx context.Context, command, dir string) (string, error) {
	if bin := os.Getenv("REEVE_BIN"); bin != "" && command == "./cmd/reeve" {
		return filepath.Abs(bin)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, filepath.Base(command))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("rig.Build: %w: %s", err, b)
	}
	return out, nil
}

// Reeve is `reeve serve` (or `reeve demo`, where there are no definitions) on one
// data folder. It may be started and killed again and again.
type Reeve struct {
	Bin         string
	Data        string            // data folder
	Definitions string            // folder of definitions; "" runs the demo
	Args        []string          // more arguments
	Database    string            // postgres://… or "" for SQLite in the data folder
	Env         map[string]string // what the definitions' env: addresses ask for
	Wrap        []string          // a command that runs the program, such as strace -f -o FILE

	URL   string        // after Start
	Began time.Duration // from the start of the process until it listens

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan error
	logs *tail
}

// Start starts the program and returns when it says that it is ready.
func (r *Reeve) Start(ctx context.Context) error {
	args := append(append([]string{}, r.Wrap...), r.Bin)
	if r.Definitions == "" {
		args = append(args, "demo")
	} else {
		args = append(args, "serve", "--definitions", r.Definitions)
	}
	args = append(append(args, "--listen", "127.0.0.1:0", "--data", r.Data), r.Args...)
	if r.Database != "" {
		args = append(args, "--database", r.Database)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = r.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("rig.Start: %w", err)
	}
	logs := &tail{}
	cmd.Stderr = logs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("rig.Start: %w", err)
	}
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if url, ok := strings.CutPrefix(sc.Text(), "ready "); ok {
				ready <- strings.TrimSpace(url)
			}
		}
		done <- cmd.Wait()
	}()
	r.mu.Lock()
	r.cmd, r.done, r.logs = cmd, done, logs
	r.mu.Unlock()
	select {
	case r.URL = <-ready:
		r.Began = time.Since(began)
		return nil
	case err := <-done:
		done <- err
		return fmt.Errorf("rig.Start: the program ended: %v\n%s", err, logs)
	case <-time.After(5 * time.Minute): // a busy machine is slow
	case <-ctx.Done():
	}
	r.Kill()
	return fmt.Errorf("rig.Start: the program does not get ready\n%s", logs)
}

func (r *Reeve) environ() []string {
	env := os.Environ()
	for k, v := range r.Env {
		env = append(env, k+"="+v)
	}
	return env
}

// PID of the running program (of its wrapper, if it has one).
func (r *Reeve) PID() int { return r.cmd.Process.Pid }

// Kill ends the program at once, as kill -9 does, and waits until it is gone.
func (r *Reeve) Kill() { r.end(syscall.SIGKILL) }

// Stop asks the program to end and waits until it has.
func (r *Reeve) Stop() { r.end(syscall.SIGTERM) }

func (r *Reeve) end(sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return
	}
	_ = syscall.Kill(-r.cmd.Process.Pid, sig) // its own group: nothing else is in it
	<-r.done
	r.cmd = nil
}

// Logs is the end of what the program logged since it was last started.
func (r *Reeve) Logs() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.String()
}

// Command runs another command of the program on the same data: "token",
// "create", "org-x". It returns what the command printed.
func (r *Reeve) Command(ctx context.Context, args ...string) (string, error) {
	args = append(args, "--data", r.Data)
	if r.Database != "" {
		args = append(args, "--database", r.Database)
	}
	cmd := exec.CommandContext(ctx, r.Bin, args...)
	cmd.Env = r.environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("reeve %s: %w: %s%s", strings.Join(args, " "), err, errs.String(), out.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Token makes a token for an organisation.
func (r *Reeve) Token(ctx context.Context, org string) (string, error) {
	return r.Command(ctx, "token", "create", org)
}

// Memory is the resident memory of the running program in bytes: now, and at its
// highest.
func (r *Reeve) Memory() (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	if err != nil {
		return 0, 0, fmt.Errorf("rig.Memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmRSS:":
			now = kb << 10
		case "VmHWM:":
			peak = kb << 10
		}
	}
	return now, peak, nil
}

// CPU is the processor's time that the running program has used.
func (r *Reeve) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID()))
	if err != nil {
		return 0, fmt.Errorf("rig.CPU: %w", err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // after the name: state is the first
	if len(f) < 13 {
		return 0, errors.New("rig.CPU: the kernel says nothing")
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick, nil
}

// tail keeps the last megabyte of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 1<<20 {
		t.b = append([]byte{}, t.b[len(t.b)-1<<20:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// Systems is the demo's simulated systems in a process of their own: they count
// while the program is killed.
type Systems struct {
	List []sim.System
	cmd  *exec.Cmd
	in   io.Closer
}

// StartSystems starts them from a built demo/cmd/systems.
func StartSystems(bin, dir string, seed uint64) (*Systems, error) {
	cmd := exec.Command(bin, "-dir", dir, "-seed", strconv.FormatUint(seed, 10))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("rig.StartSystems: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("rig.StartSystems: %w", err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("rig.StartSystems: %w", err)
	}
	s := &Systems{cmd: cmd, in: in}
	if err := json.NewDecoder(out).Decode(&s.List); err != nil {
		s.Close()
		return nil, fmt.Errorf("rig.StartSystems: %w", err)
	}
	return s, nil
}

// Close stops them.
func (s *Systems) Close() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
}

// Env is what the definitions' env: addresses ask for.
func (s *Systems) Env() map[string]string {
	env := map[string]string{}
	for _, sys := range s.List {
		env[sys.Env] = sys.Address
	}
	return env
}

// Received is what a system has taken, one item an effect.
func (s *Systems) Received(id string) (items []json.RawMessage, err error) {
	return items, s.ask(id, "/received", &items)
}

// Counts is what a system has counted.
func (s *Systems) Counts(id string) (c sim.Counts, err error) {
	return c, s.ask(id, "/counts", &c)
}

func (s *Systems) ask(id, path string, v any) error {
	for _, sys := range s.List {
		if sys.ID != id {
			continue
		}
		res, err := http.Get(strings.TrimSuffix(sys.Received, "/received") + path)
		if err != nil {
			return fmt.Errorf("rig.Systems: %w", err)
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(v)
	}
	return fmt.Errorf("rig.Systems: there is no %s", id)
}
