package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/reeve-civic/reeve/client"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

type sendCmd struct {
	To       string   `required:"" help:"Where Reeve runs: https://reeve.example.gov.uk." placeholder:"URL"`
	Token    string   `required:"" help:"The partner's token." env:"REEVE_TOKEN"`
	Type     string   `required:"" help:"Record type." placeholder:"ID"`
	Key      string   `help:"Makes the same file another one, to be taken again: a date, say. With --receipts, the Idempotency-Key." placeholder:"KEY"`
	JSON     bool     `help:"Print the reconciliation as JSON."`
	Receipts bool     `help:"Send JSON or NDJSON in one request and print each record's receipt as a line of JSON."`
	Format   string   `help:"How the file is written: json, ndjson, csv, xml, xlsx, fhir. Default: found out." enum:",json,ndjson,csv,xml,xlsx,fhir" default:"" placeholder:"FORMAT"`
	Columns  []string `help:"Fields of the columns of a CSV or XLSX file, in place of its headings." placeholder:"FIELD"`
	Bare     bool     `help:"The file has no row of headings."`
	Delimit  string   `name:"delimiter" help:"What stands between the columns of a CSV file: a character, or tab." placeholder:"CHAR"`
	Encoding string   `help:"Of a text file: utf-8, windows-1252, iso-8859-1, utf-16." placeholder:"NAME"`
	RecordAt string   `help:"What holds one record: the name of an XML element, or a JSON Pointer." placeholder:"NAME"`
	Sheet    string   `help:"Name of the sheet of a workbook." placeholder:"NAME"`
	File     string   `arg:"" help:"File of any of the formats; - for standard input."`
}

// Run sends the file and prints what became of its rows.
func (s sendCmd) Run(ctx context.Context) (err error) {
	in := os.Stdin
	if s.File != "-" {
		if in, err = os.Open(s.File); err != nil {
			return fmt.Errorf("the records cannot be read: %w", err)
		}
		defer in.Close()
	}
	if u, err := url.Parse(s.To); err == nil && httpclient.InClear(u) {
		fmt.Fprintf(os.Stderr, "warning: the token and the records go to %s in clear, where anybody on the way can read them: use https\n", u.Hostname())
	}
	c := &client.Client{BaseURL: s.To, Token: s.Token}
	if s.Receipts {
		return s.reached(s.receipts(ctx, c, in))
	}
	name := filepath.Base(s.File)
	if s.File == "-" {
		name = "standard input"
		var drop func()
		if in, drop, err = spool(in); err != nil {
			return fmt.Errorf("the records cannot be read: %w", err)
		}
		defer drop()
	}
	return s.reached(s.file(ctx, c, in, name))
}

// spool keeps what can be read once, so that it can be read again.
func spool(in io.Reader) (f *os.File, drop func(), err error) {
	if f, err = os.CreateTemp("", "reeve-send-"); err != nil {
		return nil, nil, err
	}
	drop = func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) } // a file of a moment
	if _, err = io.Copy(f, in); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		drop()
	}
	return f, drop, err
}

// file sends any file; it goes on where an earlier sending of it stopped.
func (s sendCmd) file(ctx context.Context, c *client.Client, in *os.File, name string) error {
	f := client.File{Type: s.Type, Name: name, Key: s.Key, Body: in,
		Format: client.Format{Name: s.Format, Columns: s.Columns, Delimiter: s.Delimit, Encoding: s.Encoding, RecordAt: s.RecordAt, Sheet: s.Sheet}}
	if s.Bare {
		f.Format.Headings = new(bool)
	}
	sent, done := bar(name)
	f.Sent = sent
	st, err := c.SendFile(ctx, f)
	done()
	if err != nil {
		if st != nil && st.Rows > 0 {
			err = fmt.Errorf("%w\n%d rows were taken; send the file again, and it goes on from there", err, st.Rows)
		}
		return err
	}
	faults := []client.Fault{}
	const most = 1000
	if st.Faults > 0 && !st.Before {
		if err := c.Faults(ctx, st.ID, func(f client.Fault) error {
			if len(faults) < most {
				faults = append(faults, f)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if s.JSON {
		err = printJSON(struct {
			*client.FileStatus
			Problems []client.Fault `json:"problems"`
		}{st, faults})
	} else {
		report(st, faults)
	}
	if err == nil && (st.State != "complete" || !st.Reconciled || st.Held+st.Refused > 0) {
		err = errFailed
	}
	return err
}

// report prints what became of a file.
func report(st *client.FileStatus, faults []client.Fault) {
	last := int64(0)
	for _, f := range faults {
		if f.Row != last {
			at := f.At
			if at == "" {
				at = fmt.Sprintf("row %d", f.Row)
			}
			fmt.Println(strings.TrimSpace(at + ": " + f.Status + " " + string(f.ID)))
		}
		last = f.Row
		if f.Field != "" {
			f.Message = f.Field + ": " + f.Message
		}
		fmt.Printf("  %s\n", f.Message)
	}
	if more := st.Faults - int64(len(faults)); more > 0 && len(faults) > 0 {
		fmt.Printf("%d more problems: see %s\n", more, "/v1/files/"+st.ID+"/faults")
	}
	if st.Before {
		fmt.Println("This file was taken before; nothing was sent. Then it was:")
	}
	fmt.Printf("%s: %d accepted, %d held, %d duplicate, %d refused\n", plural(int(st.Rows), "row"), st.Accepted, st.Held, st.Duplicate, st.Refused)
	switch {
	case st.State == "complete" && st.Rows == 0:
		fmt.Println("There is no row in the file.")
	case st.State == "broken":
		fmt.Println("The file could not be read to its end: " + st.Why)
	case !st.Reconciled:
		fmt.Println("It does not add up: " + st.Why)
	}
	if st.Before && (st.State == "broken" || st.Refused > 0) {
		fmt.Println("To have its rows looked at again, give it another --key; a file that was put right is another by itself.")
	}
}

// bar shows a bar where somebody watches.
func bar(name string) (sent func(sent, size int64), done func()) {
	if i, err := os.Stderr.Stat(); err != nil || i.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	var shown *progressbar.ProgressBar
	return func(sent, size int64) {
			if shown == nil {
				shown = progressbar.DefaultBytes(size, name)
			}
			_ = shown.Set64(sent) // it is only shown
		}, func() {
			if shown != nil {
				_ = shown.Close()
			}
		}
}

// receipts streams the records of a file in one request.
func (s sendCmd) receipts(ctx context.Context, c *client.Client, in *os.File) error {
	bad := 0
	enc := json.NewEncoder(os.Stdout)
	err := c.Stream(ctx, s.Type, s.Key, in, func(r client.Receipt) error {
		if r.Status == "held" || r.Status == "refused" {
			bad++
		}
		return enc.Encode(r)
	})
	if err == nil && bad > 0 {
		err = errFailed
	}
	return err
}

// reached says in plain words that nobody was.
func (s sendCmd) reached(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped. Send the same file again, and it goes on from there")
	}
	var answer *client.Error
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound && answer.Detail == "" {
		return fmt.Errorf("%w: what answers at %s is no Reeve: give its address without a path", err, s.To)
	}
	var unreachable *url.Error
	if errors.As(err, &unreachable) && unreachable.Op == "parse" {
		return fmt.Errorf("%q is not the address of a server: write https://reeve.example.gov.uk", s.To)
	}
	if errors.As(err, &unreachable) {
		return fmt.Errorf("nobody answers at %s: %w", s.To, unreachable.Err)
	}
	return err
}
