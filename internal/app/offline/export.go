package offline

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/exporter"
)

// ExportOptions choose what is written; see [exporter.Options].
type ExportOptions = exporter.Options

// ExportFile is the name that an export's file has if nobody gives it another.
func ExportFile(format string, o ExportOptions) (string, error) {
	f, err := exporter.Find(format)
	if err != nil {
		return "", err
	}
	name, _ := f.Named(o)
	return name, f.Check(o)
}

// Export writes the estate that a folder describes, as it is at now, in a format.
func Export(ctx context.Context, w io.Writer, folder fs.FS, format string, o ExportOptions, now time.Time) ([]Problem, error) {
	f, err := exporter.Find(format)
	if err != nil {
		return nil, err
	}
	s, problems, err := snapshot(ctx, folder, now)
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	if o.Body == "" {
		for _, x := range s.Organisations {
			if x.Spec.Type == "council" && x.Spec.Parent == "" {
				o.Body = x.Name
			}
		}
	}
	o.Version = Version()
	return nil, f.Write(w, s, o)
}

// ExportSite writes the web pages of a folder's estate into a folder that is not
// there yet or empty.
func ExportSite(ctx context.Context, dir string, folder fs.FS, o ExportOptions, now time.Time) ([]Problem, error) {
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return nil, reeve.E(reeve.Conflict, "offline.ExportSite", "%s is not empty: give a folder that is, or a file that ends in .zip", dir)
	}
	var b bytes.Buffer
	problems, err := Export(ctx, &b, folder, "site", o, now)
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return nil, err
	}
	for _, f := range z.File {
		data, err := fs.ReadFile(z, f.Name)
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
