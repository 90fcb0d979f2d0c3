package fit

import (
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// Level is how a side of a capability stands.
type Level string

// The levels. Unknown is the empty one.
const (
	Good    Level = "good"
	Fair    Level = "fair"
	Poor    Level = "poor"
	Unknown Level = ""
)

// Dimension is one side of a capability's health.
type Dimension struct {
	Name         string // process, people, information, IT, security
	Signs        []Sign
	Good, Known  int // signs that are well; that are known
	Level        Level
	Why, NotSeen string // in words: what is known, what is not
}

// Sign is one thing that a dimension rests on.
type Sign struct {
	Text        string
	Good, Known bool
}

// Health is how healthy a capability is, in five dimensions.
type Health struct {
	Capability register.Capability
	Systems    []register.System // ours in use that provide it or a part of it
	Dimensions []Dimension
}

// CapabilityHealth works out the health of a capability with all its parts. A
// dimension of which less than half is known has no level.
func (r *Report) CapabilityHealth(id string) (h Health) {
	c, ok := r.Capability(id)
	if !ok {
		return h
	}
	h.Capability = c
	r.gather(c, &h, map[string]bool{}, map[string]bool{})
	for _, d := range []struct {
		name  string
		signs func([]register.System) []Sign
	}{{"process", r.process}, {"people", r.people}, {"information", r.information}, {"IT", r.technology}, {"security", r.security}} {
		h.Dimensions = append(h.Dimensions, level(d.name, d.signs(h.Systems)))
	}
	return h
}

func (r *Report) gather(c register.Capability, h *Health, seen, had map[string]bool) {
	if seen[c.ID] {
		return
	}
	seen[c.ID] = true
	for _, x := range r.Providers[c.ID] {
		if !had[x.ID] {
			had[x.ID] = true
			h.Systems = append(h.Systems, x)
		}
	}
	for _, part := range r.Children(c.ID) {
		r.gather(part, h, seen, had)
	}
}

func level(name string, signs []Sign) Dimension {
	d := Dimension{Name: name, Signs: signs}
	var wrong, unseen []string
	for _, s := range signs {
		switch {
		case !s.Known:
			unseen = append(unseen, s.Text)
		case s.Good:
			d.Known, d.Good = d.Known+1, d.Good+1
		default:
			d.Known++
			wrong = append(wrong, s.Text)
		}
	}
	if len(unseen) > 0 {
		d.NotSeen = "Not known: " + words.Few(unseen, 2) + "."
	}
	if len(signs) == 0 {
		d.Why = "Nothing is declared that tells of it."
		return d
	}
	d.Why = fmt.Sprintf("%d of %s are well.", d.Good, words.Count(d.Known, "thing known", "things known"))
	if len(wrong) > 0 {
		d.Why += " Not well: " + words.Few(wrong, 2) + "."
	}
	if d.Known == 0 {
		d.Why = ""
	}
	if d.Known*2 < len(signs) || d.Known == 0 {
		return d
	}
	switch share := float64(d.Good) / float64(d.Known); {
	case share >= 0.8:
		d.Level = Good
	case share >= 0.5:
		d.Level = Fair
	default:
		d.Level = Poor
	}
	return d
}

// process is whether the work goes through without paper and typing again.
func (r *Report) process(xs []register.System) (out []Sign) {
	services, flows := map[string]bool{}, map[string]bool{}
	for _, x := range xs {
		for _, v := range r.services[x.ID] {
			if services[v.ID] {
				continue
			}
			services[v.ID] = true
			if v.Spec.Audience == "public" {
				out = append(out, Sign{v.Name + " can be had online", v.Spec.Channels.Online != "", true})
			}
			if p := v.Spec.Channels.Paper; p != nil {
				out = append(out, Sign{v.Name + " works without paper", !*p, true})
			} else {
				out = append(out, Sign{"whether " + v.Name + " needs paper", false, false})
			}
		}
		for _, f := range r.FlowsOf(x.ID) {
			if !flows[f.ID] {
				flows[f.ID] = true
				out = append(out, Sign{words.Or(f.Name, f.ID) + " is not typed again by hand", f.Via != "manual", f.Via != ""})
			}
		}
	}
	return out
}

// people is whether somebody answers for the systems, and people use them.
func (r *Report) people(xs []register.System) (out []Sign) {
	table := r.Tables.Of("System")
	for _, x := range xs {
		at := table.Find(x.ID)
		for _, who := range []struct{ role, id, fact string }{{"owner", x.Spec.Owner, "ownerActiveInDirectory"}, {"deputy", x.Spec.Deputy, "deputyActiveInDirectory"}} {
			active, known := false, false
			if at >= 0 {
				if v, ok := table.Fact(at, who.fact); ok {
					active, known = v.(bool)
				}
			}
			switch {
			case who.id == "":
				out = append(out, Sign{fmt.Sprintf("%s has a named %s", x.Name, who.role), false, true})
			default:
				out = append(out, Sign{fmt.Sprintf("the %s of %s is in the directory", who.role, x.Name), active, known})
			}
		}
		n := r.seats[x.ID]
		out = append(out, Sign{"those who have " + x.Name + " use it", n.given > 0 && n.active*10 >= n.given*7, n.given > 0})
	}
	return out
}

// information is whether the data is classified and kept once.
func (r *Report) information(xs []register.System) (out []Sign) {
	had := map[string]bool{}
	for _, x := range xs {
		_, known := r.ClassOf(x.ID)
		out = append(out, Sign{"the class of the data of " + x.Name, known, known})
		for _, i := range r.InterfacesOf(x.ID) {
			for _, id := range i.Records {
				had[r.Set.Present("RecordType", id)] = true
			}
		}
	}
	for _, t := range r.RecordTypes {
		if had[t.ID] {
			out = append(out,
				Sign{"every field of " + words.Or(t.Name, t.ID) + " has a class", t.Classified == t.Fields, t.Fields > 0},
				Sign{words.Or(t.Name, t.ID) + " has one master", t.Masters == 1, true})
		}
	}
	return out
}

// technology is whether what runs is sound, and no more than is needed.
func (r *Report) technology(xs []register.System) (out []Sign) {
	for _, x := range xs {
		if row, ok := r.row[x.ID]; ok {
			out = append(out, Sign{"the technical fit of " + x.Name, row.Technical.Value >= 50, row.Technical.Known()})
		}
		for _, c := range r.CapabilitiesOf(x.ID) {
			if most := c.Spec.Max(); most > 0 && len(r.Providers[c.ID]) > most {
				out = append(out, Sign{x.Name + " is the only one to do " + c.Name, false, true})
			}
		}
	}
	return out
}

// security is whether sign-in is as strong as the data asks for, and nothing
// known to be exploited is open.
func (r *Report) security(xs []register.System) (out []Sign) {
	table := r.Tables.Of("System")
	for _, x := range xs {
		at := table.Find(x.ID)
		need, known := whole(table, at, "requiredAuthn")
		strong := false
		if x.Spec.Auth != nil && x.Spec.Auth.Authn != nil {
			strong = int64(*x.Spec.Auth.Authn) >= need
		} else {
			known = false
		}
		out = append(out, Sign{"sign-in to " + x.Name + " is strong enough for its data", strong, known})
		if row, ok := r.row[x.ID]; ok {
			for _, e := range row.Technical.Evidence {
				if e.What == weaknessesText {
					out = append(out, Sign{"no exploited weakness is open in " + x.Name, e.Value > 0, e.Known > 0})
				}
			}
		}
		for _, f := range r.Outcome.Of("System", x.ID) {
			if f.Standard.Spec.Severity == "must" && isSecurity(f.Standard) {
				out = append(out, Sign{x.Name + " meets “" + f.Standard.Name + "”", f.Result == standard.Pass, f.Result != standard.Unknown})
			}
		}
	}
	return out
}

// isSecurity tells the standards on security: those of the library by their code,
// a body's own by the label area.
func isSecurity(s *standard.Standard) bool {
	return strings.HasPrefix(s.Labels["code"], "SEC-") || s.Labels["area"] == "security"
}

// Fill writes the facts about capabilities that standards on systems read.
func Fill(s *register.Snapshot) {
	platforms := []any{}
	chosen := map[string]bool{}
	for _, c := range s.Capabilities {
		if id, ok := s.Platforms[c.ID]; ok && !chosen[id] {
			chosen[id] = true
			platforms = append(platforms, id)
		}
	}
	t := s.Tables.Of("System")
	generic, plural, ids := t.Column("ownsGenericCapability"), t.Column("capabilityPlural"), t.Column("platformIds")
	for i, id := range t.IDs {
		ids[i] = platforms
		cs := s.CapabilitiesOf(id)
		if len(cs) == 0 {
			continue // what it does is not known
		}
		owns, many := false, true
		for _, c := range cs {
			owns, many = owns || c.Spec.Generic, many && c.Spec.Max() == 0
		}
		generic[i], plural[i] = owns, many
	}
}
