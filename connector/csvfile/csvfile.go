// Package csvfile delivers items as files in a folder: CSV, or one JSON object a
// line. One call of Send makes one file, whose name and content follow from the
// items alone: sending them again makes the same file, so it has one effect.
package csvfile

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reeve-civic/reeve/connector"
)

// Options says where and what.
type Options struct {
	Dir    string // the folder; made when it is not there
	Prefix string // first part of the name: the flow's id
	// Columns of a CSV file: each is a field's name, or a JSON Pointer into the
	// body whose last part is the heading. None: the file is NDJSON.
	Columns []string
}

// Sink writes files.
type Sink struct {
	o    Options
	root string
}

// New checks the options and returns a sink. The folder is made when first needed.
func New(o Options) (*Sink, error) {
	if o.Dir == "" || o.Prefix == "" {
		return nil, errors.New("csvfile: the folder and the prefix are needed")
	}
	return &Sink{o, filepath.Clean(o.Dir)}, nil
}

// Whole is true: the items of one call are one file.
func (s *Sink) Whole() bool { return true }

// Name of the file that items make: the prefix, the first and the last id.
func (s *Sink) Name(items []connector.Item) string {
	ext := ".csv"
	if len(s.o.Columns) == 0 {
		ext = ".ndjson"
	}
	return plain(s.o.Prefix) + "." + plain(items[0].ID) + "." + plain(items[len(items)-1].ID) + ext
}

// plain keeps what is safe in a file name.
func plain(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s), ".")
}

// Send implements [connector.Sink]: the file appears under its name complete and
// synced, or not at all.
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	rs := make([]connector.Result, len(items))
	if len(items) == 0 || ctx.Err() != nil {
		return rs
	}
	r := s.send(items)
	for i := range rs {
		rs[i] = r
	}
	return rs
}

func (s *Sink) send(items []connector.Item) connector.Result {
	content, err := s.render(items)
	if err != nil {
		return connector.Result{Outcome: connector.Refused, Message: err.Error()}
	}
	name := filepath.Join(s.root, s.Name(items))
	switch there, err := os.ReadFile(name); {
	case err == nil && bytes.Equal(there, content):
		return s.settled(syncDir(s.root)) // written before, but the folder may not have been synced
	case err == nil:
		return connector.Result{Outcome: connector.Later, Message: "a file of the same name with other contents is in the folder: move it away"}
	case !errors.Is(err, fs.ErrNotExist):
		return s.settled(err)
	}
	return s.settled(s.write(name, content))
}

func (s *Sink) settled(err error) connector.Result {
	if err == nil {
		return connector.Result{Outcome: connector.Delivered}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // without the path
	}
	return connector.Result{Outcome: connector.Later, Message: "the file cannot be written: " + err.Error()}
}

func (s *Sink) write(name string, content []byte) error {
	if err := os.MkdirAll(s.root, 0o750); err != nil {
		return err
	}
	temp := filepath.Join(s.root, "."+filepath.Base(name)+".part")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	return syncDir(s.root)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Sink) render(items []connector.Item) ([]byte, error) {
	var buf bytes.Buffer
	if len(s.o.Columns) == 0 {
		for _, it := range items {
			if err := json.Compact(&buf, it.Body); err != nil {
				return nil, errors.New("a record is not JSON")
			}
			buf.WriteByte('\n')
		}
		return buf.Bytes(), nil
	}
	w := csv.NewWriter(&buf)
	head := make([]string, len(s.o.Columns))
	for i, c := range s.o.Columns {
		head[i] = guard(c[strings.LastIndexByte(c, '/')+1:])
	}
	row := make([]string, len(head))
	if err := w.Write(head); err != nil {
		return nil, err
	}
	for _, it := range items {
		d := json.NewDecoder(bytes.NewReader(it.Body))
		d.UseNumber()
		var doc map[string]any
		if err := d.Decode(&doc); err != nil {
			return nil, errors.New("a record is not a JSON object")
		}
		for i, c := range s.o.Columns {
			cell, err := cell(lookup(doc, c))
			if err != nil {
				return nil, err
			}
			row[i] = cell
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return buf.Bytes(), w.Error()
}

func lookup(doc any, column string) any {
	if !strings.HasPrefix(column, "/") {
		m, _ := doc.(map[string]any)
		return m[column]
	}
	for _, part := range strings.Split(column[1:], "/") {
		m, ok := doc.(map[string]any)
		if !ok {
			return nil
		}
		doc = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return doc
}

func cell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return guard(v), nil
	case json.Number:
		return v.String(), nil
	case bool:
		return fmt.Sprint(v), nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// guard keeps a spreadsheet from running a text as a formula.
func guard(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 || strings.HasPrefix(s, "＝") || strings.HasPrefix(s, "＋") ||
		strings.HasPrefix(s, "－") || strings.HasPrefix(s, "＠") {
		return "'" + s
	}
	return s
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "file", Schemes: []string{"file"}, Once: true,
	Doc: "Files in a folder of this machine.",
	Promise: connector.Promise{
		Order:  "The records of a file are in the order in which they were accepted; files are written one after the other.",
		Repeat: "Name and contents are fixed before the first attempt: writing again makes the same file.",
		Ack:    "A record counts as delivered when its file is complete under its name and on the disk.",
	},
	Sink: func(c connector.Config) (connector.Sink, error) {
		return New(Options{Dir: strings.TrimPrefix(c.Address, "file://"), Prefix: c.ID, Columns: c.Format.Columns})
	},
}
