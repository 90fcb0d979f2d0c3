// Package catalogue is the service catalogue: what the body does for residents,
// staff and partners, in plain words, and how to ask for it.
//
// People say what they think of an entry without saying who they are, and its
// owner settles it. Links are followed only when staff ask for that or a schedule
// was set. What is new, changed and withdrawn follows from the sets of definitions
// that were in force, one after the other.
package catalogue

import (
	"cmp"
	"context"
	"embed"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Service is an entry of the catalogue.
type Service = def.Of[Spec]

// Options of a keeper of the catalogue.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Now     func() time.Time
	Zone    *time.Location

	// Sets are the last max sets that were in force, newest first, and Earlier
	// reads one of them; for what is new. nil: nothing is announced.
	Sets    func(ctx context.Context, max int) ([]def.Activation, error)
	Earlier func(ctx context.Context, hash string) (*def.Set, error)

	Checker  *Checker                 // follows links; nil: they are not followed
	Links    func() ([]string, error) // those of the set in force, for the schedule
	Schedule time.Duration            // how often links are followed by themselves; 0: only when asked
}

// Keeper keeps feedback and the states of links.
type Keeper struct {
	o     Options
	local func(path string) bool // whether a page of this program is there
	links atomic.Pointer[map[string]Link]

	mu    sync.Mutex
	brief map[string]map[string]entry // what is announced of a set, by hash and id
}

// NewKeeper opens the keeper.
func NewKeeper(ctx context.Context, o Options) (*Keeper, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	k := &Keeper{o: o, brief: map[string]map[string]entry{}}
	if err := o.DB.Migrate(ctx, "estate/catalogue", migrations); err != nil {
		return nil, err
	}
	return k, k.refresh(ctx)
}

// refresh reads the states of links, which the facts of services follow from.
func (k *Keeper) refresh(ctx context.Context) error {
	return k.o.DB.View(ctx, func(tx *store.Tx) error {
		all, err := links(tx)
		if err != nil {
			return err
		}
		m := map[string]Link{}
		for _, l := range all {
			m[l.URL] = l
		}
		k.links.Store(&m)
		return nil
	})
}

// Link is what became of a web address; one that was never followed is not checked.
func (k *Keeper) Link(address string) Link {
	if l, ok := (*k.links.Load())[address]; ok {
		return l
	}
	return Link{URL: address, State: LinkUnchecked, Why: "it was never followed"}
}

// Addresses are the web addresses of a service, each once.
func Addresses(s Service) (out []string) {
	for _, a := range []string{s.Spec.Request, s.Spec.Channels.Online} {
		if strings.HasPrefix(a, "http://") || strings.HasPrefix(a, "https://") {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// AllAddresses are the web addresses of all services offered on a day.
func AllAddresses(set *def.Set, on def.Date) (out []string) {
	for _, s := range def.All[Spec](set) {
		if Offered(s, on) {
			out = append(out, Addresses(s)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Offered reports whether a service can be had on a day.
func Offered(s Service, on def.Date) bool {
	switch s.Spec.Lifecycle {
	case "retired", "discovery":
		return false
	}
	return s.Spec.Withdrawn == nil || s.Spec.Withdrawn.After(on)
}

// RequestOK reports whether the way to ask for a service works; known is false
// where nobody looked.
func (k *Keeper) RequestOK(s Service) (ok, known bool) {
	switch a := s.Spec.Request; {
	case a == "":
		return false, true
	case strings.HasPrefix(a, "/"):
		if k.local == nil {
			return false, false
		}
		path, _, _ := strings.Cut(a, "?")
		return k.local(path), true
	default:
		switch k.Link(a).State {
		case LinkOK, LinkMoved, LinkElsewhere:
			return true, true
		case LinkGone:
			return false, true
		}
	}
	return false, false
}

// Fill writes the facts of services that follow from the definitions alone.
func Fill(s *register.Snapshot) {
	t := s.Tables.Of("Service")
	for _, x := range def.All[Spec](s.Set) {
		i := t.Find(x.ID)
		if i < 0 {
			continue
		}
		if r := x.Spec.Research; r != nil {
			t.Set(i, "researchAgeDays", int64(s.Today.Sub(r.Last)))
		}
		if u := x.Spec.Updated; u != nil {
			t.Set(i, "updatedAgeDays", int64(s.Today.Sub(*u)))
		}
		if x.Spec.Request == "" {
			t.Set(i, "requestLinkOk", false)
		}
	}
}

// FillLinks writes whether the ways to ask lead somewhere. Of a day that is over
// that is not known.
func (k *Keeper) FillLinks(s *register.Snapshot) {
	if s.Past {
		return
	}
	t := s.Tables.Of("Service")
	for _, x := range def.All[Spec](s.Set) {
		if ok, known := k.RequestOK(x); known {
			t.Set(t.Find(x.ID), "requestLinkOk", ok)
		}
	}
}

// CheckLinks asks for links to be followed; the worker does it.
func (k *Keeper) CheckLinks(tx *store.Tx, by string, urls []string) error {
	if k.o.Checker == nil {
		return reeve.E(reeve.Invalid, "catalogue.CheckLinks", "this program may not ask other sites: an administrator can allow it")
	}
	if err := want(tx, urls); err != nil {
		return err
	}
	_, err := k.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: "asked to follow links", About: "catalogue/links"})
	return err
}

// step bounds what the worker takes on at once.
const stepLinks = 40

// Step is the worker: it follows the links that somebody asked for, or that the
// schedule says are due.
func (k *Keeper) Step(ctx context.Context) (did int, err error) {
	if k.o.Checker == nil {
		return 0, nil
	}
	if err := k.due(ctx); err != nil {
		return 0, err
	}
	var urls []string
	if err := k.o.DB.View(ctx, func(tx *store.Tx) error { urls, err = wanted(tx, stepLinks); return err }); err != nil || len(urls) == 0 {
		return 0, err
	}
	found := k.o.Checker.Check(ctx, urls)
	if len(found) == 0 {
		return 0, ctx.Err()
	}
	err = k.o.DB.Update(ctx, func(tx *store.Tx) error {
		for _, l := range found {
			l.Checked = tx.Now
			if err := saveLink(tx, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = k.refresh(ctx)
	}
	return len(found), err
}

// due puts on the list what the schedule says, if there is one.
func (k *Keeper) due(ctx context.Context) error {
	if k.o.Schedule <= 0 || k.o.Links == nil {
		return nil
	}
	now := k.o.Now()
	urls, err := k.o.Links()
	if err != nil {
		return err
	}
	all := *k.links.Load()
	urls = slices.DeleteFunc(slices.Clone(urls), func(u string) bool { l, ok := all[u]; return ok && now.Sub(l.Checked) < k.o.Schedule })
	if len(urls) == 0 {
		return nil
	}
	if err := k.o.DB.Update(ctx, func(tx *store.Tx) error { return want(tx, urls) }); err != nil {
		return err
	}
	return k.refresh(ctx)
}

// Feedback is what somebody said about an entry. Who it was is not kept.
type Feedback struct {
	ID       int64
	Service  string
	At       time.Time
	Audience string // public, staff
	Useful   string // yes, no
	Text     string
	Settled  time.Time
	By       string // who settled it
	Note     string // what was done about it
}

// Say keeps feedback.
func (k *Keeper) Say(tx *store.Tx, f Feedback) error {
	id, err := nextFeedback(tx)
	if err != nil {
		return err
	}
	f.ID, f.At = id, tx.Now
	if err := k.insertFeedback(tx, f); err != nil {
		return err
	}
	_, err = k.o.Journal.Append(tx, journal.Entry{Actor: "catalogue", Verb: "took feedback", About: reeve.Ref("service/" + f.Service)})
	return err
}

// Settle says what was done about feedback.
func (k *Keeper) Settle(tx *store.Tx, by, service string, id int64, note string) error {
	ok, err := k.settleFeedback(tx, by, service, id, note)
	if err != nil {
		return err
	}
	if !ok {
		return reeve.E(reeve.Conflict, "catalogue.Settle", "this was settled before, or is not there")
	}
	_, err = k.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: "settled feedback", About: reeve.Ref("service/" + service)})
	return err
}

// Find are the services offered on a day to one of the audiences, by name, that
// have all words of the query.
func Find(set *def.Set, on def.Date, query string, audiences ...string) (out []Service) {
	words := strings.FieldsFunc(strings.ToLower(query), func(r rune) bool { return strings.ContainsRune(" ,.;:/?!'’\"()-", r) })
	for _, s := range def.All[Spec](set) {
		if !slices.Contains(audiences, s.Spec.Audience) || !Offered(s, on) {
			continue
		}
		text := " " + strings.ToLower(s.Name+" "+s.Spec.Description+" "+strings.Join(s.Spec.Words, " "))
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, stem(w)) }) {
			continue
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Service) int {
		return cmp.Or(hit(b, words)-hit(a, words), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	return out
}

// hit is how many of the words are in the name.
func hit(s Service, words []string) (n int) {
	name := strings.ToLower(s.Name)
	for _, w := range words {
		if strings.Contains(name, stem(w)) {
			n++
		}
	}
	return n
}

func stem(w string) string {
	for _, end := range []string{"ing", "ies", "es", "s"} {
		if strings.HasSuffix(w, end) && len(w)-len(end) >= 3 {
			return strings.TrimSuffix(w, end)
		}
	}
	return w
}
