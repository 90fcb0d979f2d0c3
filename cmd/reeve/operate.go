package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/reeve-civic/reeve/internal/app"
)

// operate calls one operation of the program that runs on the data, or of the
// data itself where none runs.
func (w where) operate(ctx context.Context, operation string, in, out any) error {
	c, err := w.config()
	if err != nil {
		return err
	}
	o, err := app.Operate(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(o.Call(ctx, operation, in, out), o.Close())
}

func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token. It is shown once; only its hash is kept."`
	List   tokenListCmd   `cmd:"" help:"List tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token, at once."`
}

type tokenCreateCmd struct {
	where
	Party string        `arg:"" help:"Id of the Organisation that will use it."`
	Label string        `help:"What it is for." default:""`
	For   time.Duration `help:"How long it lasts." default:"8760h"`
	JSON  bool          `help:"Print as JSON."`
}

func (t tokenCreateCmd) Run(ctx context.Context) error {
	var out app.NewToken
	if err := t.operate(ctx, "token/create", app.CreateToken{Party: t.Party, Label: t.Label, Seconds: int64(t.For / time.Second)}, &out); err != nil {
		return err
	}
	if t.JSON {
		return printJSON(out)
	}
	fmt.Println(out.Token)
	fmt.Fprintf(os.Stderr, "Token %s for %s, good until %s. Keep it safe: it is not shown again.\n", out.ID, t.Party, out.Expires.Format("2 January 2006"))
	return nil
}

type tokenListCmd struct {
	where
	JSON bool `help:"Print as JSON."`
}

func (t tokenListCmd) Run(ctx context.Context) error {
	var out []app.Token
	if err := t.operate(ctx, "token/list", struct{}{}, &out); err != nil {
		return err
	}
	if t.JSON {
		return printJSON(out)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tORGANISATION\tLABEL\tUNTIL\tSTATE")
	for _, t := range out {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, t.Party, t.Label, t.Expires.Format("2006-01-02"), t.State)
	}
	return w.Flush()
}

type tokenRevokeCmd struct {
	where
	ID string `arg:"" help:"Id of the token."`
}

func (t tokenRevokeCmd) Run(ctx context.Context) error {
	return t.operate(ctx, "token/revoke", app.RevokeToken{ID: t.ID}, nil)
}

type staffCmd struct {
	Invite staffInviteCmd `cmd:"" help:"Invite a member of staff: prints a link that signs them in once."`
}

type staffInviteCmd struct {
	where
	Email string   `arg:"" help:"E-mail address, to know them by."`
	Role  []string `help:"caseworker, architect, integration, governance, steward (data steward, Caldicott guardian) or admin; may be given more than once." default:"caseworker"`
}

func (s staffInviteCmd) Run(ctx context.Context) error {
	var out app.Invitation
	if err := s.operate(ctx, "staff/invite", app.InviteStaff{Email: s.Email, Roles: s.Role}, &out); err != nil {
		return err
	}
	fmt.Println(out.Link)
	fmt.Fprintf(os.Stderr, "The link works once, until %s.\n", out.Expires.Format("2 January 2006 15:04"))
	return nil
}

type journalCmd struct {
	Verify journalVerifyCmd `cmd:"" help:"Recompute the whole journal and name the first bad entry."`
}

type journalVerifyCmd struct {
	where
	Checkpoint []string `help:"A checkpoint kept elsewhere, to hold the journal against." type:"existingfile" placeholder:"FILE"`
	JSON       bool     `help:"Print as JSON."`
}

func (j journalVerifyCmd) Run(ctx context.Context) error {
	c, err := j.config()
	if err != nil {
		return err
	}
	r, err := app.VerifyJournal(ctx, c, j.Checkpoint)
	if err != nil {
		return err
	}
	if j.JSON {
		err = printJSON(r)
	} else {
		fmt.Println(r)
	}
	if err == nil && !r.OK() {
		return errFailed
	}
	return err
}

type backupCmd struct {
	where
	JSON bool   `help:"Print as JSON."`
	File string `arg:"" help:"File to write." type:"path"`
}

func (b backupCmd) Run(ctx context.Context) error {
	f, err := os.OpenFile(b.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already: a backup is never written over another file", b.File)
	case err != nil:
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	if err := b.operate(ctx, "backup", struct{}{}, f); err != nil {
		return errors.Join(err, f.Close(), os.Remove(b.File))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if b.JSON {
		i, err := os.Stat(b.File)
		if err != nil {
			return err
		}
		return printJSON(map[string]any{"file": b.File, "bytes": i.Size()})
	}
	fmt.Printf("Written to %s. The master key is not in it: keep the two apart, and keep both.\n", b.File)
	return nil
}

type restoreCmd struct {
	where
	JSON bool   `help:"Print as JSON."`
	File string `arg:"" help:"Backup to restore." type:"existingfile"`
}

func (r restoreCmd) Run(ctx context.Context) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	report, err := app.Restore(ctx, c, r.File)
	if err != nil {
		return err
	}
	if r.JSON {
		return printJSON(report)
	}
	fmt.Println(report)
	return nil
}
