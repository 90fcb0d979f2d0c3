// Command reeve knows every system a public body runs, carries what those
// systems tell each other, and gives residents, staff and partners one way in.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // the body's days begin and end in its own zone, wherever this runs

	"github.com/alecthomas/kong"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app"
	"github.com/reeve-civic/reeve/internal/app/offline"
)

// cli is every command. Each ends with 0 when all went well, with 1 when something
// did not, and with 2 when it was called in a way that it does not understand.
type cli struct {
	Demo           demoCmd       `cmd:"" help:"Run Ashcombe Borough Council: a whole body with simulated systems and real input."`
	Serve          serveCmd      `cmd:"" help:"Run Reeve on your own definitions."`
	Check          checkCmd      `cmd:"" help:"Check a folder of definitions; show every mistake with file, line and column."`
	Plan           planCmd       `cmd:"" help:"Say what a change of definitions would change: standards, cost, carbon, what would stop, who would newly see what."`
	Test           testCmd       `cmd:"" help:"Run the examples of flows; or rehearse a changed flow over what really came."`
	Fmt            fmtCmd        `cmd:"" help:"Write definitions in one form: order of fields, indentation, quotes. Comments stay."`
	Schema         schemaCmd     `cmd:"" help:"Print the JSON Schema of a kind, for editors, or the reference of all kinds."`
	Connectors     connectorsCmd `cmd:"" help:"List the ways to reach systems, and what an Interface says to each."`
	Send           sendCmd       `cmd:"" help:"Send a file of records and say what became of its rows; ends with 1 if any was held or refused."`
	SuggestMapping suggestCmd    `cmd:"" help:"Propose how the rows of a file become records of a type, and show what they become."`
	Import         importCmd     `cmd:"" help:"Take in a list, a model or a folder of documents."`
	Export         exportCmd     `cmd:"" help:"Write the estate of a folder of definitions as CSV, XLSX, ArchiMate, JSON, web pages or SB 272's catalogue."`
	Journal        journalCmd    `cmd:"" help:"Verify the journal."`
	Token          tokenCmd      `cmd:"" help:"Create, list and revoke the bearer tokens of partners."`
	Staff          staffCmd      `cmd:"" help:"Invite members of staff."`
	Backup         backupCmd     `cmd:"" help:"Write a backup while the program runs."`
	Restore        restoreCmd    `cmd:"" help:"Restore a backup into an empty data folder or database."`
	Version        versionCmd    `cmd:"" help:"Print the version."`

	Replay    replayCmd    `cmd:"" help:"Send records again to one flow, or say what that would change."`
	MapWorker mapWorkerCmd `cmd:"" hidden:"" help:"Run maps for another process of this program."`
}

// errFailed ends the program with 1 after a command has said all there is to say.
var errFailed = errors.New("failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := kong.Must(&c, kong.Name("reeve"), kong.Description("What is declared is what is enforced, and what flows is what is drawn."), kong.BindTo(ctx, (*context.Context)(nil)))
	k, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "reeve: "+usage(err))
		os.Exit(2)
	}
	switch err := k.Run(); {
	case err == nil:
	case errors.Is(err, context.Canceled): // a person or a supervisor said stop
		if c := k.Command(); c != "serve" && c != "demo" {
			os.Exit(130) // what was asked for was not done
		}
	case errors.Is(err, errFailed):
		os.Exit(1)
	default:
		text := reeve.Message(err)
		if text == "" {
			text = err.Error()
		}
		fmt.Fprintln(os.Stderr, "reeve: "+text)
		os.Exit(1)
	}
}

// usage says what is wrong with how the program was called, in one line, and where
// to read more.
func usage(err error) string {
	help := "reeve --help"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil && p.Context.Command() != "" {
		words := []string{"reeve"}
		for _, w := range strings.Fields(p.Context.Command()) {
			if !strings.HasPrefix(w, "<") {
				words = append(words, w)
			}
		}
		help = strings.Join(append(words, "--help"), " ")
	}
	return strings.ReplaceAll(err.Error(), "\n", " ") + ": see " + help
}

// where says which data a command works on.
type where struct {
	Config   string `help:"Configuration file." type:"path" placeholder:"FILE"`
	Data     string `help:"Data folder." type:"path" placeholder:"DIR"`
	Database string `help:"postgres://… to use PostgreSQL in place of SQLite in the data folder." placeholder:"URL"`
}

func (w where) config() (app.Config, error) {
	c, err := app.LoadConfig(w.Config, os.Getenv)
	if w.Data != "" {
		c.Data = w.Data
	}
	if w.Database != "" {
		c.Database = w.Database
	}
	c.MapWorker = mapWorker()
	return c, err
}

// mapWorker is the command for maps that people typed: this program, as [mapWorkerCmd].
func mapWorker() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{self, "map-worker"}
}

type mapWorkerCmd struct{}

func (mapWorkerCmd) Run() error { return offline.ServeMaps(os.Stdin, os.Stdout) }

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Println(offline.Version())
	return nil
}
