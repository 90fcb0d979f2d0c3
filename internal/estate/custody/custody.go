// Package custody is about the body's things while it has them: where each is in
// its life, who has it, when it was seen last, what was lost or stolen, and
// whether its owner says that its entry is right.
//
// What lists say comes from the inventory; what a person says here stands above
// it. Who has a thing is shown to those who may know.
package custody

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// AttestDays is how long an owner's word that an entry is right holds: twice a
// year it is asked for again.
const AttestDays = 183

// The states of an asset's life, in order.
var states = []string{"ordered", "stock", "in-use", "repair", "lost", "stolen", "disposed"}

// next are the states that may follow a state. That something was lost or stolen
// is reported, which starts a case; it is not a step that is chosen.
func next(state string) []string {
	switch state {
	case "ordered":
		return []string{"stock", "in-use", "disposed"}
	case "stock":
		return []string{"in-use", "repair", "disposed"}
	case "in-use":
		return []string{"stock", "repair", "disposed"}
	case "repair":
		return []string{"stock", "in-use", "disposed"}
	case "lost", "stolen":
		return []string{"stock", "in-use", "disposed"} // it was found
	case "disposed":
		return nil
	}
	return []string{"ordered", "stock", "in-use", "repair", "disposed"}
}

// Fill writes the facts of assets, and how long ago the owners of systems said
// that their entries are right.
func Fill(s *register.Snapshot) {
	t := s.Tables.Of("Asset")
	active, seen := t.Column("holderActive"), t.Column("lastSeenDays")
	for i, a := range s.Assets {
		if h := s.Directory.Find(a.Holder); a.Holder != "" && h.Known {
			active[i] = h.Active()
		}
		if !a.LastSeen.IsZero() {
			seen[i] = int64(s.Today.Sub(a.LastSeen))
		}
	}
	t = s.Tables.Of("System")
	for _, a := range s.Inventory.Attestations {
		if a.Kind != "System" || strings.HasPrefix(a.Note, wrong) {
			continue
		}
		if i := t.Find(s.Set.Present("System", a.ID)); i >= 0 {
			t.Set(i, "attestedAgeDays", int64(s.Today.Sub(a.On)))
		}
	}
}

// wrong begins the note of an attestation that says that something is not right.
const wrong = "wrong: "

// filter chooses assets.
type filter struct{ Text, Type, State, Site, Holder, Contract, System, Show string }

// chosen are the assets that a filter leaves, in the order of the register.
func (f filter) chosen(s *register.Snapshot, d *inventory.Directory) (at []int) {
	text := strings.ToLower(f.Text)
	for i := range s.Assets {
		a := &s.Assets[i]
		switch {
		case f.Type != "" && a.Type != f.Type && !(f.Type == "unknown" && a.Type == ""):
		case f.State != "" && a.State != f.State && !(f.State == "unknown" && a.State == ""):
		case f.Site != "" && a.Site != f.Site && !(f.Site == "unknown" && a.Site == ""):
		case f.Contract != "" && a.Contract != f.Contract:
		case f.System != "" && !slices.Contains(a.Systems, f.System):
		case f.Holder != "" && !strings.EqualFold(a.Holder, f.Holder):
		case !f.shows(s, d, a):
		case text != "" && !has(text, a.ID, a.Tag, a.Name, a.Serial, a.Model, a.Maker):
		default:
			at = append(at, i)
		}
	}
	return at
}

// shows decides the questions that people ask of a list of assets.
func (f filter) shows(s *register.Snapshot, d *inventory.Directory, a *inventory.Asset) bool {
	switch f.Show {
	case "unseen":
		return a.State != "disposed" && !a.LastSeen.IsZero() && s.Today.Sub(a.LastSeen) > UnseenDays
	case "nobody":
		return a.State != "disposed" && d.Find(a.Holder).Gone()
	case "warranty":
		return a.State != "disposed" && !a.Warranty.IsZero() && a.Warranty.Before(s.Today.AddDays(90))
	case "unencrypted":
		return a.State != "disposed" && a.Encrypted != nil && !*a.Encrypted
	case "noncompliant":
		return a.State != "disposed" && a.Compliant != nil && !*a.Compliant
	}
	return true
}

// UnseenDays is after how many days without a sign of it an asset stands out.
const UnseenDays = 45

func has(text string, of ...string) bool {
	for _, s := range of {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

// tally counts assets by a word, the commonest first; "" is not known.
type tally struct {
	Word string
	N    int
}

func count(s *register.Snapshot, at []int, word func(a *inventory.Asset) string) (out []tally) {
	by := map[string]int{}
	for _, i := range at {
		by[word(&s.Assets[i])]++
	}
	for w, n := range by {
		out = append(out, tally{w, n})
	}
	slices.SortFunc(out, func(a, b tally) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Word, b.Word)) })
	return out
}

// Task is something that an owner is asked to go through.
type Task struct {
	Kind, ID, Name string
	What           string   // what to look at, in a line
	Last           def.Date // when its owner last said that it is right; zero for never
	Wrong          string   // what was said to be wrong, "" for nothing
	Due            bool
}

// tasks are the systems of an owner with the assets that they run on, and what the
// owner holds if whoever asks may know that.
func tasks(s *register.Snapshot, owner string, sees bool) (out []Task) {
	said := map[string]inventory.Attestation{}
	for _, a := range s.Inventory.Attestations {
		said[a.Kind+"\x1f"+a.ID] = a
	}
	add := func(t Task) {
		a, ok := said[t.Kind+"\x1f"+t.ID]
		if ok {
			if w, is := strings.CutPrefix(a.Note, wrong); is {
				t.Wrong = w
			} else {
				t.Last = a.On
			}
		}
		t.Due = t.Wrong == "" && (t.Last.IsZero() || s.Today.Sub(t.Last) > AttestDays)
		out = append(out, t)
	}
	mine := map[string]bool{}
	for _, x := range s.Systems {
		if x.Spec.Owner != owner && x.Spec.Deputy != owner {
			continue
		}
		mine[x.ID] = true
		if x.Spec.InUse() {
			add(Task{Kind: "System", ID: x.ID, Name: x.Name, What: cmp.Or(x.Spec.Description, "What it does is not described.")})
		}
	}
	for _, a := range s.Assets {
		if a.State == "disposed" {
			continue
		}
		h := s.Directory.Find(a.Holder)
		held := sees && a.Holder != "" && (a.Holder == owner || h.OK && h.Person.ID == owner)
		if held || slices.ContainsFunc(a.Systems, func(id string) bool { return mine[s.Set.Present("System", id)] }) {
			what := strings.TrimSpace(a.Maker + " " + a.Model)
			if held {
				what += ", held by " + cmp.Or(h.Person.Name, words.Post(owner))
			} else {
				what += ", runs " + strings.Join(systemNames(s, a.Systems), ", ")
			}
			add(Task{Kind: "Asset", ID: a.ID, Name: cmp.Or(a.Name, a.Tag, a.ID), What: strings.TrimPrefix(what, ", ")})
		}
	}
	slices.SortStableFunc(out, func(a, b Task) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Kind, a.Kind))
	})
	return out
}

// Due is how many things wait for an owner to say that they are right.
func Due(s *register.Snapshot, owner string) (n int) {
	for _, t := range tasks(s, owner, true) {
		if t.Due {
			n++
		}
	}
	return n
}

func systemNames(s *register.Snapshot, ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id
		if x, ok := s.System(id); ok {
			names[i] = x.Name
		}
	}
	return names
}

func rank(t Task) int {
	switch {
	case t.Due:
		return 0
	case t.Wrong != "":
		return 1
	}
	return 2
}
