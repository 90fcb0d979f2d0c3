package app

import "github.com/reeve-civic/reeve/internal/kernel/web"

// Routes are all routes that are mounted, for the test of the walls.
func (a *App) Routes() []web.Route { return a.k.Web.Routes() }
