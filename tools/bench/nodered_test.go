package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/tools/rig"
)

// nodeRed is the same schema check and mapping in Node-RED, a message a record, in
// memory; 1,000 rows are appended to a file at once. Its schema checker does not
// know formats, so dates are not checked there.
func nodeRed(t *testing.T, input string, n int) (row, error) {
	dir, err := installNodeRed(t.Context())
	if err != nil {
		return row{}, err
	}
	schema, err := plainSchema("body/change.json")
	if err != nil {
		return row{}, err
	}
	data, out := t.TempDir(), filepath.Join(t.TempDir(), "out.ndjson")
	for _, name := range []string{"flow.json", "settings.js"} {
		b, err := os.ReadFile(filepath.Join("nodered", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(data, name), b, 0o600)
		}
		if err != nil {
			return row{}, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return row{}, err
	}
	address := l.Addr().String()
	l.Close() // Node-RED takes a number only
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return row{}, err
	}
	cmd := exec.Command("node", filepath.Join(dir, "node_modules", "node-red", "red.js"), "-u", data, "-s", filepath.Join(data, "settings.js"), "flow.json")
	cmd.Env = append(os.Environ(), "BENCH_PORT="+port, "BENCH_IN="+input, "BENCH_OUT="+out, "BENCH_SCHEMA="+schema)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return row{}, err
	}
	var took time.Duration
	var asked time.Time
	for began := time.Now(); ; {
		if time.Since(began) > 10*time.Minute {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return row{}, fmt.Errorf("Node-RED does not come to an end: %s", said.String())
		}
		if asked.IsZero() {
			if res, err := http.Get("http://" + address + "/go"); err == nil {
				res.Body.Close()
				if res.StatusCode < 300 { // it listens before it has its flow
					asked = time.Now()
				}
			}
		} else if b, err := os.ReadFile(out); err == nil && bytes.Count(b, []byte("\n")) >= n/1000*1000 {
			took = time.Since(asked)
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return row{}, errors.New("the system does not tell what Node-RED used")
	}
	return row{what: "Node-RED, schema and mapping, not durable", records: n / 1000 * 1000, took: took,
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: usage.Maxrss << 10, fsyncs: "0"}, nil
}

// installNodeRed installs it from npm into a folder that git does not see, once.
func installNodeRed(ctx context.Context) (dir string, err error) {
	root, err := rig.Root()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(root, ".cache", "nodered")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	same := true
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("nodered", name))
		if err != nil {
			return "", err
		}
		have, _ := os.ReadFile(filepath.Join(dir, name))
		same = same && bytes.Equal(b, have)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "node-red", "red.js")); same && err == nil {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm cannot install Node-RED: %w: %s", err, out)
	}
	return dir, nil
}

// plainSchema is a schema as Node-RED's checker takes it: without its dialect and formats.
func plainSchema(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return "", err
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "$schema")
			delete(v, "format")
			for _, x := range v {
				strip(x)
			}
		case []any:
			for _, x := range v {
				strip(x)
			}
		}
	}
	strip(v)
	b, err = json.Marshal(v)
	return string(b), err
}
