package feed

import (
	"github.com/reeve-civic/reeve/internal/exchange/feed/hook"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// mountHooks adds the door for systems that tell us by themselves.
func (d *Desk) mountHooks(m *web.Mux) {
	find := func(id string) *hook.Hook {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.set.Hooks[id]
	}
	hook.Door{Find: find, Giver: d.giver, Nobody: nobody, Intake: d.o.Intake, Rules: d.o.Rules, Slog: d.o.Slog, Now: d.o.Now, Getenv: d.o.Getenv,
		Scratch: d.o.Scratch}.Mount(m, ActionHook)
}
