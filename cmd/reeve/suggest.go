package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/app/offline"
)

type suggestCmd struct {
	File        string   `arg:"" help:"A file of the rows that will come: JSON, NDJSON, CSV, XML, XLSX or FHIR." type:"path"`
	To          string   `required:"" help:"Record type that they are to become." placeholder:"TYPE"`
	Definitions string   `default:"." help:"Folder of definitions that has the record type." type:"existingdir" placeholder:"DIR"`
	Format      string   `help:"json, ndjson, csv, xml, xlsx or fhir. Else it is found out." enum:",json,ndjson,csv,xml,xlsx,fhir" default:"" placeholder:"FORMAT"`
	Delimiter   string   `help:"Of a CSV file: a character, or tab. Else it is found out." placeholder:"CHAR"`
	Encoding    string   `help:"Of a text file: utf-8, windows-1252, iso-8859-1, utf-16. Else it is found out." placeholder:"NAME"`
	RecordAt    string   `help:"Name of an XML element, or JSON Pointer to a list, that holds one record." placeholder:"PLACE"`
	Sheet       string   `help:"Of a workbook. Else the first." placeholder:"NAME"`
	Columns     []string `help:"Names of the columns of a CSV file or a sheet, in their order, in place of the headings." placeholder:"NAME"`
	Rows        int      `default:"1000" help:"How many rows to look at." placeholder:"N"`
	Show        int      `default:"3" help:"How many rows to show as what they become." placeholder:"N"`
	Write       bool     `help:"Put the flow, the record type and the map into the folder, as files that are not there yet."`
	JSON        bool     `help:"Print the proposal as JSON."`
}

// Run proposes a mapping and shows what it makes of the first rows.
func (c suggestCmd) Run(ctx context.Context) error {
	s, problems, err := offline.Suggest(ctx, os.DirFS(c.Definitions), offline.SuggestOptions{File: c.File, Type: c.To, Most: c.Rows, Show: c.Show,
		Format: format.Spec{Name: c.Format, Delimiter: c.Delimiter, Encoding: c.Encoding, Record: c.RecordAt, Sheet: c.Sheet, Columns: c.Columns}})
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		for _, p := range problems {
			fmt.Fprintln(os.Stderr, p)
		}
		return fmt.Errorf("the definitions in %s have problems: see reeve check", c.Definitions)
	}
	if c.Write {
		if err := offline.WriteSuggestion(s, c.Definitions); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(s)
	}
	c.print(os.Stdout, s)
	return nil
}

func (c suggestCmd) print(w io.Writer, s *offline.Suggestion) {
	fmt.Fprintf(w, "%s is %s. %s looked at", s.File, strings.TrimPrefix(formatWords(s.Format), " "), plural(s.Rows, "row"))
	if s.Broken == 0 {
		fmt.Fprintln(w, ".")
	} else {
		fmt.Fprintf(w, "; %d cannot be read:\n", s.Broken)
	}
	for _, b := range s.Told {
		if b.Field != "" {
			b.Problem = b.Field + ": " + b.Problem
		}
		fmt.Fprintf(w, "  %s: %s\n", b.At, b.Problem)
	}
	if s.Stopped != "" {
		fmt.Fprintf(w, "It cannot be read to the end: %s\n", s.Stopped)
	}
	fmt.Fprintln(w)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tab, "%s\tfrom\tconfidence\thow\n", s.Type)
	for _, f := range s.Fields {
		from := strings.Join(f.Columns, " + ")
		if f.Constant != nil {
			b, _ := json.Marshal(f.Constant) // it came from JSON
			from = string(b)
		}
		fmt.Fprintf(tab, "  %s\t%s\t%.0f%% %s\t%s\n", cmp.Or(f.Path, "the whole"), from, f.Confidence*100, offline.Sure(f.Confidence), f.How)
	}
	for _, m := range s.Missing {
		fmt.Fprintf(tab, "  %s\t\tmissing\tevery record must have it\n", m)
	}
	_ = tab.Flush() // w is the terminal
	if n := len(s.Unused); n > 25 {
		fmt.Fprintf(w, "\nNot used: %s and %d more\n", strings.Join(s.Unused[:25], ", "), n-25)
	} else if n > 0 {
		fmt.Fprintf(w, "\nNot used: %s\n", strings.Join(s.Unused, ", "))
	}
	if s.More {
		fmt.Fprintln(w, "The record type has more fields than were looked at.")
	}
	become := "become records"
	if s.Good == 1 {
		become = "becomes a record"
	}
	fmt.Fprintf(w, "\nOf %s, %d %s that %s takes.\n", plural(s.Rows, "row"), s.Good, become, s.Type)
	for _, r := range s.Why {
		fmt.Fprintf(w, "  %s, the first at %s: %s\n", plural(r.Rows, "row"), r.First, strings.TrimSpace(r.Path+" "+r.Message))
	}
	if len(s.First) > 0 {
		fmt.Fprintln(w, "\nThe first rows become:")
	}
	for _, e := range s.First {
		fmt.Fprintf(w, "  %s\n    %s\n", e.At, e.Row)
		if len(e.Record) > 0 {
			fmt.Fprintf(w, "    -> %s\n", e.Record)
		}
		for _, p := range e.Problems {
			fmt.Fprintf(w, "       %s\n", strings.TrimSpace(p.Path+" "+p.Message))
		}
	}
	for _, f := range s.Files {
		switch {
		case c.Write:
			fmt.Fprintf(w, "\nWritten: %s", f.Path)
		case strings.HasSuffix(f.Path, ".json"):
			fmt.Fprintf(w, "\n-- %s: the schema of the rows, which --write and --json give --\n", f.Path)
		default:
			fmt.Fprintf(w, "\n-- %s --\n%s", f.Path, f.Text)
		}
	}
	if c.Write {
		fmt.Fprint(w, "\n\nWhat is still to be written in them, reeve check says.\n")
	}
}

func formatWords(f format.Spec) string {
	s := strings.ToUpper(f.Name)
	if f.Delimiter != "" {
		s += fmt.Sprintf(" (delimiter %s)", f.Delimiter)
	}
	if f.Encoding != "" {
		s += " in " + f.Encoding
	}
	return s
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
