package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/reeve-civic/reeve/client"
)

type sendCmd struct {
	To    string `required:"" help:"Where Reeve runs: https://reeve.example.gov.uk." placeholder:"URL"`
	Token string `required:"" help:"The partner's token." env:"REEVE_TOKEN"`
	Type  string `required:"" help:"Record type." placeholder:"ID"`
	Key   string `help:"Idempotency-Key of the whole submission, to send the same file again safely." placeholder:"KEY"`
	JSON  bool   `help:"Print each receipt as a line of JSON."`
	File  string `arg:"" help:"File of JSON or NDJSON; - for standard input."`
}

// Run streams the file and prints what became of each record.
func (s sendCmd) Run(ctx context.Context) error {
	in := os.Stdin
	if s.File != "-" {
		f, err := os.Open(s.File)
		if err != nil {
			return fmt.Errorf("the records cannot be read: %w", err)
		}
		defer f.Close()
		in = f
	}
	c := client.Client{BaseURL: s.To, Token: s.Token}
	counts, bad := map[string]int{}, 0
	enc := json.NewEncoder(os.Stdout)
	err := c.Stream(ctx, s.Type, s.Key, in, func(r client.Receipt) error {
		counts[r.Status]++
		if r.Status == "held" || r.Status == "refused" {
			bad++
		}
		switch {
		case s.JSON:
			return enc.Encode(r)
		case len(r.Problems) > 0:
			fmt.Printf("%s %s\n", r.ID, r.Status)
			for _, p := range r.Problems {
				fmt.Printf("  %s: %s\n", p.Path, p.Message)
			}
		}
		return nil
	})
	var unreachable *url.Error
	if errors.As(err, &unreachable) && unreachable.Op == "parse" {
		return fmt.Errorf("%q is not the address of a server: write https://reeve.example.gov.uk", s.To)
	}
	if errors.As(err, &unreachable) {
		return fmt.Errorf("nobody answers at %s: %w", s.To, unreachable.Err)
	}
	if err != nil {
		return err
	}
	if !s.JSON {
		fmt.Printf("%d accepted, %d held, %d duplicate, %d refused\n", counts["accepted"], counts["held"], counts["duplicate"], counts["refused"])
	}
	if bad > 0 {
		return errFailed
	}
	return nil
}
