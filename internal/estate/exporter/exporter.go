// Package exporter gives the estate away: as CSV, XLSX, ArchiMate, JSON, a static
// site, and the catalogue of enterprise systems that California's SB 272 asks for.
//
// What is for the public holds nothing that is not: no names of owners, no holders
// of devices, nothing of how people sign in, what is vulnerable or where it runs.
// A system with the label "publish: no" is in nothing for the public. Cells that a
// spreadsheet would take for a formula begin with an apostrophe.
package exporter

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
)

// The audiences of an export.
const (
	Public = "public"
	Staff  = "staff"
)

// Options choose what is written.
type Options struct {
	Audience string // of the site: Public or Staff; "" is Public
	Kind     string // of CSV: one kind alone; "" is a zip of all
	Body     string // name of the public body
	Version  string // of the program
}

// Format is a way to write the estate.
type Format struct {
	Name   string // archimate
	Title  string // ArchiMate model
	Doc    string // what it is for, in a sentence
	File   string // name of the file
	Type   string // its media type
	Public bool   // fit for the public
	write  func(w io.Writer, s *register.Snapshot, o Options) error
}

// Formats are all formats, in the order in which they are shown.
func Formats() []Format {
	return []Format{
		{"csv", "CSV files", "One file a kind, in a zip: for a spreadsheet or a database.", "estate-csv.zip", "application/zip", false, writeCSV},
		{"xlsx", "Excel workbook", "One sheet a kind.", "estate.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false, writeXLSX},
		{"archimate", "ArchiMate model", "The Open Group's exchange file (XML): for Archi and other modelling tools.", "estate-archimate.xml", "application/xml", false, writeArchiMate},
		{"json", "JSON", "Everything, with the facts that were worked out: for programs.", "estate.json", "application/json", false, writeJSON},
		{"site", "Web pages", "A folder of pages, in a zip, that need no server and no scripts.", "estate-site.zip", "application/zip", true, writeSite},
		{"sb272", "Catalogue of enterprise systems (SB 272)", "The columns of California's Government Code 6270.5, and a list of what is not known.", "enterprise-systems.zip", "application/zip", true, writeSB272},
	}
}

// Find finds a format by name.
func Find(name string) (Format, error) {
	all := Formats()
	if i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
	}
	return Format{}, reeve.E(reeve.NotFound, "exporter.Find", "there is no export %q: there are %s", name, strings.Join(names, ", "))
}

// Named is the file's name and type with the options: one kind alone is a CSV file
// and not a zip.
func (f Format) Named(o Options) (file, media string) {
	if f.Name == "csv" && o.Kind != "" {
		return o.Kind + ".csv", "text/csv; charset=utf-8"
	}
	return f.File, f.Type
}

// Check says what is wrong with the options, before anything is written.
func (f Format) Check(o Options) error {
	if o.Audience != "" && o.Audience != Public && o.Audience != Staff {
		return reeve.E(reeve.Invalid, "exporter.Check", "the audience %q is neither public nor staff", o.Audience)
	}
	if f.Name == "csv" && o.Kind != "" && !slices.Contains(Sheets(), o.Kind) {
		return reeve.E(reeve.Invalid, "exporter.Check", "there is no list %q: there are %s", o.Kind, strings.Join(Sheets(), ", "))
	}
	return nil
}

// Write writes the estate as it goes; nothing of it is kept in memory but a part.
func (f Format) Write(w io.Writer, s *register.Snapshot, o Options) error {
	if err := f.Check(o); err != nil {
		return err
	}
	if err := f.write(w, s, o); err != nil {
		return fmt.Errorf("exporting %s: %w", f.Name, err)
	}
	return nil
}

// sheet is a list: a heading and its rows.
type sheet struct {
	Name string
	Head []string
	Rows iter.Seq[[]string]
}

// safe makes a cell harmless in a spreadsheet: what begins like a formula gets an
// apostrophe before it, and characters that end a cell are spaces. Numbers stay.
func safe(s string) string {
	if s == "" {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s)
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune("=+-@\t\n|%＝＋－＠", first) && !number(s) { // some spreadsheets read wide signs as narrow ones
		return "'" + s
	}
	return s
}

// number reports whether s is a plain number: -12.50.
func number(s string) bool {
	s, dots := strings.TrimPrefix(s, "-"), 0
	for _, r := range s {
		if r == '.' {
			dots++
		} else if r < '0' || r > '9' {
			return false
		}
	}
	return s != "" && s != "." && dots < 2
}
