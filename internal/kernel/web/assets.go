package web

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
)

// dist is what tools/webbuild made of assets/ and the npm packages. It is not in
// git; without it the program still builds, and says so when it starts.
//
//go:embed all:dist
var dist embed.FS

// ErrNoAssets says that the program was built without its style sheet and scripts.
var ErrNoAssets = errors.New("web: the program was built without its style sheet and scripts: run `make build` instead of `go build`")

// assets are the built files by their logical names ("app.css").
type assets struct {
	err   error
	names map[string]string // "app.css" to "app-7FA3K2QX.css"
	files map[string][]byte // by hashed name, ".gz" beside it
}

func loadAssets(fsys fs.FS) assets {
	a := assets{files: map[string][]byte{}}
	raw, err := fs.ReadFile(fsys, "dist/manifest.json")
	if err != nil {
		a.err = ErrNoAssets
		return a
	}
	if err := json.Unmarshal(raw, &a.names); err != nil {
		a.err = err
		return a
	}
	for _, hashed := range a.names {
		for _, name := range []string{hashed, hashed + ".gz"} {
			if body, err := fs.ReadFile(fsys, "dist/"+name); err == nil {
				a.files[name] = body
			}
		}
	}
	return a
}

// Assets returns nil, or why the built assets are missing: a server should not
// start without them.
func (m *Mux) Assets() error { return m.assets.err }

func (a assets) href(name string) string {
	if hashed, ok := a.names[name]; ok {
		return "/assets/" + hashed
	}
	return ""
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".txt": "text/plain; charset=utf-8",
}

// serveAsset answers a request for a built file. Their names change with their
// content, so they may be kept for ever. They are the same for everybody and
// hold no data, so they need no action.
func (m *Mux) serveAsset(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, "/assets/")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	body, ok := m.assets.files[name]
	if !ok || strings.HasSuffix(name, ".gz") {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", assetTypes[name[strings.LastIndexByte(name, '.'):]])
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Add("Vary", "Accept-Encoding")
	if packed, ok := m.assets.files[name+".gz"]; ok && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = packed
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone
	}
	return true
}
