package portfolio

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// filter chooses systems. Its empty fields choose all. "unknown" in a field
// chooses the systems of which nobody has said it.
type filter struct {
	Text         string // in the name, description or product
	Capability   string
	Hosting      string
	Phase        string // "in-use" for pilot, live, retiring and unknown
	Organisation string
	Owner        string // "missing"
	Cost         string // "unknown": not known, or only in part
	Class        string
	Standard     string
	Result       standard.Result // of the standard; of any if Standard is empty
}

// perPage is how many systems a page of the list shows.
const perPage = 100

func readFilter(q url.Values) filter {
	return filter{
		Text: strings.TrimSpace(q.Get("q")), Capability: q.Get("capability"), Hosting: q.Get("hosting"), Phase: q.Get("phase"),
		Organisation: q.Get("organisation"), Owner: q.Get("owner"), Cost: q.Get("cost"), Class: q.Get("class"),
		Standard: q.Get("standard"), Result: standard.Result(q.Get("result")),
	}
}

func (f filter) values() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		"q": f.Text, "capability": f.Capability, "hosting": f.Hosting, "phase": f.Phase, "organisation": f.Organisation,
		"owner": f.Owner, "cost": f.Cost, "class": f.Class, "standard": f.Standard, "result": string(f.Result),
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// href is the address of the list of what f chooses.
func (f filter) href() string {
	if q := f.values().Encode(); q != "" {
		return "/staff/estate/systems?" + q
	}
	return "/staff/estate/systems"
}

// listing is a page of what a filter chose.
type listing struct {
	Rows        []*Row
	Total       int
	Yearly      Cost // of all chosen
	Page, Pages int
}

// list chooses from r, and cuts out a page (from 1; out of range is the nearest).
func (f filter) list(r *Report, page int) listing {
	var l listing
	var rows []*Row
	for _, row := range r.Rows {
		if f.chooses(r, row) {
			rows = append(rows, row)
			l.Yearly = l.Yearly.Plus(row.Yearly)
		}
	}
	l.Total = len(rows)
	l.Pages = max(1, (l.Total+perPage-1)/perPage)
	l.Page = min(max(page, 1), l.Pages)
	l.Rows = rows[(l.Page-1)*perPage : min(l.Page*perPage, l.Total)]
	return l
}

func (f filter) chooses(r *Report, row *Row) bool {
	s := row.Spec
	switch {
	case f.Text != "" && !containsFold(row.Name+" "+row.ID+" "+s.Description+" "+s.Product, f.Text):
	case f.Capability == "unknown" && len(s.Capabilities) > 0:
	case f.Capability != "" && f.Capability != "unknown" && !slices.ContainsFunc(r.CapabilitiesOf(row.ID), func(c Capability) bool { return c.ID == f.Capability }):
	case f.Hosting != "" && f.Hosting != words.Or(s.Hosting, "unknown"):
	case f.Phase == "in-use" && !row.InUse:
	case f.Phase != "" && f.Phase != "in-use" && f.Phase != words.Or(s.Phase(), "unknown"):
	case f.Organisation != "" && f.Organisation != words.Or(s.Organisation, "unknown"):
	case f.Owner == "missing" && (s.Owner != "" || !row.InUse || !row.Ours):
	case f.Cost == "unknown" && (row.Yearly.Sure && !row.Yearly.Lacks):
	case f.Class != "" && f.Class != r.className(row):
	case !f.judged(r, row):
	default:
		return true
	}
	return false
}

func (f filter) judged(r *Report, row *Row) bool {
	if f.Standard == "" && f.Result == "" {
		return true
	}
	for i := range r.Outcome.Standings {
		st := &r.Outcome.Standings[i]
		if t := st.Table(); t.Kind == "System" && (f.Standard == "" || f.Standard == st.ID) {
			if result := st.Result(t.Find(row.ID)); result != "" && (f.Result == "" || f.Result == result) {
				return true
			}
		}
	}
	return false
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// className is the class of the data of a system, "unknown" if it is not known.
func (r *Report) className(row *Row) string {
	if class, ok := r.ClassOf(row.ID); ok {
		return class.String()
	}
	return "unknown"
}
