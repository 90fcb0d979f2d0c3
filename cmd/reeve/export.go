package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/app/offline"
)

type exportCmd struct {
	Format   string `arg:"" help:"What to write: csv, xlsx, archimate, json, site (web pages), or sb272 (the catalogue of enterprise systems that California asks for)."`
	Dir      string `arg:"" optional:"" default:"definitions" help:"Folder of definitions. What only a running program knows (imports, what was observed) is not in it: take that from its page."`
	Out      string `help:"File to write to; - for standard output; for site also a folder." placeholder:"FILE"`
	Audience string `help:"For whom the web pages are: the public see no owners, costs or findings." enum:"public,staff" default:"public"`
	List     string `help:"Of csv: one list alone, such as systems." placeholder:"NAME"`
	On       string `help:"As on this day instead of today." placeholder:"2026-01-31"`
}

func (e exportCmd) Run(ctx context.Context) error {
	o := offline.ExportOptions{Audience: e.Audience, Kind: e.List}
	name, err := offline.ExportFile(e.Format, o)
	if err != nil {
		return err
	}
	if err := folder(e.Dir); err != nil {
		return err
	}
	now, err := dayOr(e.On, time.Now())
	if err != nil {
		return err
	}
	if e.Out == "" {
		e.Out = name
	}
	var problems []offline.Problem
	switch {
	case e.Out == "-":
		problems, err = offline.Export(ctx, os.Stdout, os.DirFS(e.Dir), e.Format, o, now)
	case e.Format == "site" && !strings.HasSuffix(e.Out, ".zip"):
		problems, err = offline.ExportSite(ctx, e.Out, os.DirFS(e.Dir), o, now)
	default:
		part := e.Out + ".part" // what was there before stays until the new one is whole
		err = writeFile(part, func(w io.Writer) (err error) {
			problems, err = offline.Export(ctx, w, os.DirFS(e.Dir), e.Format, o, now)
			return err
		})
		if err == nil && len(problems) == 0 {
			err = os.Rename(part, e.Out)
		} else {
			_ = os.Remove(part)
		}
	}
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return told(problems, false)
	}
	if e.Out != "-" {
		fmt.Printf("Written to %s.\n", e.Out)
	}
	return nil
}
