package crash

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestPowerCut runs the program in a file system that loses power: POWERLOSS names
// its program, which mirrors -w at -mnt and keeps in -d only what was fsynced.
// Both are killed at a random moment and the program goes on from what a machine
// would find when it is switched on again: REEVE_CUTS times, two by default. The
// acknowledgements and the receivers are outside. Needs root and /dev/fuse.
func TestPowerCut(t *testing.T) {
	powerloss := os.Getenv("POWERLOSS")
	if powerloss == "" {
		t.Skip("POWERLOSS does not name a file system that loses power")
	}
	r, systems := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cuts := times(t, "REEVE_CUTS", 2)
	const seed = 20261122
	rnd := rand.New(rand.NewPCG(seed, 2))
	work := filepath.Join(dir, "w0")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	on := func(i int) *disk { // the power comes on for the ith time
		d := newDisk(t, powerloss, dir, work, i)
		r.Data = filepath.Join(d.mnt, "data")
		if err := restart(ctx, r); err != nil {
			t.Fatalf("after %d cuts: %v", i, err)
		}
		return d
	}
	d := on(0)
	token, err := r.Token(ctx, "org-register-office")
	if err != nil {
		t.Fatal(err)
	}
	l := newLoad(t, r, token, seed)
	var sender sync.WaitGroup
	for i := range cuts {
		stop := make(chan struct{})
		sender.Go(func() { l.run(ctx, (i+1)*perKill, stop) })
		time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
		d.cut()
		r.Kill()
		d.unmount()
		work = d.durable
		d = on(i + 1)
		close(stop)
		sender.Wait()
	}
	defer r.Kill()
	l.run(ctx, (cuts+1)*perKill, make(chan struct{}))
	l.check(ctx, systems)
	t.Logf("%d power cuts, %d records, %d answers cut off", cuts, l.sent, l.cut)
	if out, err := r.Command(ctx, "journal", "verify"); err != nil {
		t.Errorf("the journal does not verify: %v", err)
	} else {
		t.Log(strings.TrimSpace(out))
	}
}

// disk is one life of the file system.
type disk struct {
	t            *testing.T
	mnt, durable string
	cmd          *exec.Cmd
}

func newDisk(t *testing.T, program, dir, work string, n int) *disk {
	t.Helper()
	d := &disk{t: t, mnt: filepath.Join(dir, fmt.Sprintf("mnt%d", n)), durable: filepath.Join(dir, fmt.Sprintf("d%d", n))}
	for _, p := range []string{d.mnt, d.durable} {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.cmd = exec.Command(program, "-mnt", d.mnt, "-w", work, "-d", d.durable)
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.unmount() })
	if line, err := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != "mounted" {
		t.Fatalf("the file system says %q: %v", line, err)
	}
	return d
}

// cut takes the power away.
func (d *disk) cut() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func (d *disk) unmount() {
	if d.cmd.ProcessState == nil {
		d.cut()
	}
	_ = syscall.Unmount(d.mnt, syscall.MNT_DETACH) // it may be gone already
}

// TestPowerCutWhileAFolderIsRead cuts the power while the files of a folder are read,
// which lies outside: that a file was moved away there is the acknowledgement.
func TestPowerCutWhileAFolderIsRead(t *testing.T) {
	powerloss := os.Getenv("POWERLOSS")
	if powerloss == "" {
		t.Skip("POWERLOSS does not name a file system that loses power")
	}
	r, folder := filesSetup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	dir := t.TempDir()
	const files, each = 30, 2_000
	fill(t, folder, files, each)
	rnd := rand.New(rand.NewPCG(20261122, 3))
	work := filepath.Join(dir, "w0")
	must(t, os.Mkdir(work, 0o755))
	on := func(i int) *disk {
		d := newDisk(t, powerloss, dir, work, i)
		r.Data = filepath.Join(d.mnt, "data")
		if err := r.Start(ctx); err != nil {
			t.Fatalf("after %d cuts: %v", i, err)
		}
		return d
	}
	d := on(0)
	cuts, half := times(t, "REEVE_CUTS", 2), 0
	for i := range cuts {
		for len(moved(t, folder)) < i*files/(cuts+1) && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Duration(rnd.IntN(150)) * time.Millisecond)
		d.cut()
		r.Kill()
		d.unmount()
		if n := len(moved(t, folder)); n > 0 && n < files {
			half++
		}
		work = d.durable
		d = on(i + 1)
	}
	defer r.Kill()
	for len(moved(t, folder)) < files {
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d files were taken\n%s", len(moved(t, folder)), files, r.Logs())
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.Stop()
	everyRowOnce(t, r, files*each)
	t.Logf("%d power cuts, %d of them with some files taken", cuts, half)
}
