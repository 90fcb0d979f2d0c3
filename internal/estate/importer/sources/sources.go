// Package sources lists what can be imported, and finds out what a file is.
package sources

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/archimate"
	"github.com/reeve-civic/reeve/internal/estate/importer/backstage"
	"github.com/reeve-civic/reeve/internal/estate/importer/contracts"
	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/importer/openapi"
	"github.com/reeve-civic/reeve/internal/estate/importer/published"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// Definitions are the sources whose files become definitions. The order is that in
// which they are asked what a file is: from the surest to the most general.
func Definitions() []importer.Source {
	return slices.Concat([]importer.Source{archimate.Source, backstage.Source, openapi.Source}, published.Sources(), []importer.Source{contracts.Source, importer.Systems})
}

// All are all sources, in the order in which they are asked what a file is.
func All() []importer.Source {
	all := Definitions()
	general := len(all) - 2 // contracts and systems have the most general headings
	var fill []importer.Source
	for _, s := range lists.Sources() {
		s.List = true
		fill = append(fill, s)
	}
	return slices.Concat(all[:general], fill, all[general:])
}

// Find finds a source by its name.
func Find(all []importer.Source, name string) (importer.Source, error) {
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return importer.Source{}, reeve.E(reeve.NotFound, "import", "there is no import called %q; there are %s", name, strings.Join(names, ", "))
}

// Detect finds out what a file is from how it begins.
func Detect(all []importer.Source, head []byte, name string) (importer.Source, error) {
	for _, s := range all {
		if s.Detect != nil && s.Detect(head, name) {
			return s, nil
		}
	}
	return importer.Source{}, reeve.E(reeve.Invalid, "import", "it cannot be told what %s is: choose what it is, and try again", path.Base(name))
}

// headBytes is how much of a file is looked at to find out what it is.
const headBytes = 64 << 10

// Bounds of a zip of a folder.
const (
	maxZip      = 64 << 20
	maxZipFiles = 20_000
	maxUnzipped = 256 << 20
)

// Open opens a file or a folder for a source; with the name "" or "auto" for the
// source that it seems to be for. Close what is returned.
func Open(all []importer.Source, name, file string) (importer.Source, importer.Input, io.Closer, error) {
	fail := func(err error) (importer.Source, importer.Input, io.Closer, error) {
		return importer.Source{}, importer.Input{}, nil, err
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(reeve.E(reeve.NotFound, "import", "there is no file %s", file))
	}
	if err != nil {
		return fail(err)
	}
	in := importer.Input{Name: path.Base(file)}
	if info.IsDir() {
		if name == "" || name == "auto" {
			return fail(reeve.E(reeve.Invalid, "import", "%s is a folder: say which import it is for", file))
		}
		src, err := Find(all, name)
		if err != nil {
			return fail(err)
		}
		if !src.Folder {
			return fail(reeve.E(reeve.Invalid, "import", "%s is a folder; %s are read from a file", file, src.Title))
		}
		in.Folder = os.DirFS(file)
		return src, in, io.NopCloser(nil), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	src, in, err := From(all, name, f, info.Size(), path.Base(file))
	if err != nil {
		f.Close()
		return fail(err)
	}
	return src, in, f, nil
}

// From is like Open for a file that is open already.
func From(all []importer.Source, name string, f io.ReaderAt, size int64, file string) (src importer.Source, in importer.Input, err error) {
	head := make([]byte, min(size, headBytes))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return src, in, err
	}
	if name == "" || name == "auto" {
		if bytes.HasPrefix(head, []byte("PK\x03\x04")) && strings.EqualFold(path.Ext(file), ".xlsx") {
			if head, err = sheet.Begin(io.NewSectionReader(f, 0, size), file); err != nil {
				return src, in, err
			}
		}
		src, err = Detect(all, head, file)
	} else {
		src, err = Find(all, name)
	}
	if err != nil {
		return src, in, err
	}
	in = importer.Input{Name: file, Reader: io.NewSectionReader(f, 0, size)}
	if src.Folder && bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		if in.Folder, err = unzip(f, size, file); err != nil {
			return src, in, err
		}
		in.Reader = nil
	}
	return src, in, nil
}

// unzip reads a folder that was sent as a zip, whatever sizes it claims.
func unzip(f io.ReaderAt, size int64, name string) (fs.FS, error) {
	if size > maxZip {
		return nil, reeve.E(reeve.TooLarge, "import", "%s is larger than %d MB", name, maxZip>>20)
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "import", "%s is not a whole zip file: %w", name, err)
	}
	if len(z.File) > maxZipFiles {
		return nil, reeve.E(reeve.TooLarge, "import", "%s has %d files inside; %d are read at most", name, len(z.File), maxZipFiles)
	}
	left := int64(maxUnzipped)
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			return nil, reeve.E(reeve.Invalid, "import", "%s: %q inside it cannot be opened: %w", name, part.Name, err)
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, left+1))
		r.Close()
		if left -= n; left < 0 {
			return nil, reeve.E(reeve.TooLarge, "import", "%s would be more than %d MB when unpacked, so it was not opened", name, maxUnzipped>>20)
		}
		if err != nil {
			return nil, reeve.E(reeve.Invalid, "import", "%s: %q inside it is damaged: %w", name, part.Name, err)
		}
	}
	return z, nil
}
