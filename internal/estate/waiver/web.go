package waiver

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the page of all waivers.
type Desk struct {
	register.Desk
	// Problems are the mistakes that keep what the folder of definitions holds now
	// from being in force; nil: none are known.
	Problems func() []def.Problem
}

const home = "/staff/estate/waivers"

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+home, register.Read, d.list)
	m.Handle("GET "+home+".json", register.Read, d.asJSON)
}

type view struct {
	S       *register.Snapshot
	Show    string // only these; "" for all
	All     []Leave
	Refused []def.Problem // waivers that are written down and cannot be had
	May     bool          // whoever looks may change definitions
}

func (d *Desk) list(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	v := view{S: s, Show: r.URL.Query().Get("show"), All: List(s), May: !s.Past && d.May(r.Context(), "estate.edit")}
	if !slices.Contains(States, v.Show) {
		v.Show = ""
	}
	if d.Problems != nil && !s.Past {
		for _, p := range d.Problems() {
			if standard.AboutWaiver(p) {
				v.Refused = append(v.Refused, p)
			}
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Waivers", Crumbs: []ui.Link{register.Crumb, {Text: "Standards", Href: "/staff/estate/standards"}}}, page(v))
}

// Row is a waiver for a program to read.
type Row struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Standard   string   `json:"standard"`
	Kind       string   `json:"kind"`
	Subject    string   `json:"subject"`
	Owner      string   `json:"owner,omitempty"`
	ApprovedBy string   `json:"approvedBy"`
	Granted    def.Date `json:"granted"`
	Expires    def.Date `json:"expires"`
	State      string   `json:"state"`
	Days       int      `json:"days"`
	Before     int      `json:"before"`
	Reason     string   `json:"reason"`
}

// Rows are all waivers of a snapshot for a program to read.
func Rows(s *register.Snapshot) []Row {
	out := []Row{}
	for _, l := range List(s) {
		out = append(out, Row{l.ID, l.Name, l.Standard, l.Kind, l.Subject, l.Owner, l.ApprovedBy, l.Granted, l.Expires, l.State, l.Days, l.Before, l.Reason})
	}
	return out
}

func (d *Desk) asJSON(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"waivers": Rows(s)})
}
