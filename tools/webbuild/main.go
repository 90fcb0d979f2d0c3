// Command webbuild bundles the style sheet and scripts from their sources and the
// npm packages into a folder that the program embeds. Run it from the top of the
// repository after `npm ci --ignore-scripts`.
//
// Names carry a hash of the content, so that browsers may keep the files for
// ever; manifest.json tells the program which is which. Each file has a gzipped
// twin. It leaves out what is licensed for GOV.UK alone: the GDS Transport font,
// and the crown and crest.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	src = "internal/kernel/web/assets"
	out = "internal/kernel/web/dist"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "webbuild:", err)
		os.Exit(1)
	}
}

func run() error {
	if _, err := os.Stat("node_modules/govuk-frontend"); err != nil {
		return fmt.Errorf("govuk-frontend is not installed: run `npm ci --ignore-scripts` at the top of the repository")
	}
	options := api.BuildOptions{
		Bundle: true, MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Target: api.ES2022, Outdir: out, EntryNames: "[name]-[hash]",
		LegalComments: api.LegalCommentsEndOfFile, LogLevel: api.LogLevelWarning,
	}
	modules, scripts, files := options, options, options
	modules.EntryPoints = []string{src + "/app.mjs", src + "/app.css"}
	modules.Format = api.FormatESModule
	modules.Plugins = []api.Plugin{govukOnly()}
	scripts.EntryPoints = []string{src + "/boot.js"}
	scripts.Format = api.FormatIIFE
	files.EntryPoints = []string{src + "/icon.svg"}
	files.Loader = map[string]api.Loader{".svg": api.LoaderCopy}

	built := map[string][]byte{}
	for _, o := range []api.BuildOptions{modules, scripts, files} {
		r := api.Build(o)
		if len(r.Errors) > 0 {
			return fmt.Errorf("%d errors", len(r.Errors))
		}
		for _, f := range r.OutputFiles {
			built[filepath.Base(f.Path)] = f.Contents
		}
	}
	return write(built)
}

// write replaces the folder's content; the manifest comes last.
func write(built map[string][]byte) error {
	old, err := filepath.Glob(out + "/*")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, name := range old {
		if strings.HasPrefix(filepath.Base(name), ".") { // .gitignore
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	manifest := map[string]string{}
	for name, body := range built {
		i := strings.LastIndexByte(name, '-')
		if i < 0 {
			return fmt.Errorf("%s has no hash", name)
		}
		manifest[name[:i]+filepath.Ext(name)] = name
		packed, err := pack(body)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), body, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name+".gz"), packed, 0o644); err != nil {
			return err
		}
	}
	list, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "manifest.json"), append(list, '\n'), 0o644)
}

func pack(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

var fontFace = regexp.MustCompile(`@font-face\{[^}]*\}`)

// govukOnly takes out of GOV.UK Frontend's style sheet what is licensed for
// GOV.UK alone: the font faces and the name of GDS Transport, and the crest.
func govukOnly() api.Plugin {
	return api.Plugin{Name: "govuk-only", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: `govuk-frontend\.min\.css$`}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			raw, err := os.ReadFile(a.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			css := fontFace.ReplaceAllString(string(raw), "")
			css = strings.ReplaceAll(css, "GDS Transport,", "")
			css = strings.ReplaceAll(css, "url(/assets/images/govuk-crest.svg)", "none")
			css = strings.ReplaceAll(css, `screen\0`, "not all") // a trick for Internet Explorer
			for _, left := range []string{"GDS Transport", "crest", "url("} {
				if strings.Contains(css, left) {
					return api.OnLoadResult{}, fmt.Errorf("%s still speaks of %q", a.Path, left)
				}
			}
			return api.OnLoadResult{Contents: &css, Loader: api.LoaderCSS, ResolveDir: filepath.Dir(a.Path)}, nil
		})
	}}
}
