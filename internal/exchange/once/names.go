package once

import (
	"context"
	"maps"
	"slices"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// The kinds of definition by which keys are scoped.
const (
	sendersKind = "Organisation"
	typesKind   = "RecordType"
)

// first is the id under which a definition was first told of, by any it has or had.
func (x *Index) first(kind, id string) string {
	if first, ok := (*x.names.Load())[kind+"/"+id]; ok {
		return first
	}
	return id
}

// Rename follows the definitions: keys stay scoped by the first id that a sender or
// type had, so that what was told before its id changed is still a duplicate after.
// Which was the first is kept in the database: it depends neither on the order of
// formerly nor on what is left out of it later, and an id may be taken back. Of
// several that are made one, the first in formerly keeps its keys.
func (x *Index) Rename(ctx context.Context, s *def.Set) error {
	old := *x.names.Load()
	names := firsts(s, old)
	if maps.Equal(old, names) {
		return nil
	}
	x.names.Store(&names)
	return x.db.Update(ctx, func(tx *store.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if old[name] == names[name] {
				continue
			}
			if err := writeName(tx, name, names[name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// firsts adds the lineages of a set to what is known of first ids.
func firsts(s *def.Set, known map[string]string) map[string]string {
	names := maps.Clone(known)
	for _, o := range s.Objects() {
		if o.Kind != sendersKind && o.Kind != typesKind {
			continue
		}
		ids := s.Lineage(o.Kind, o.ID)
		first := ids[min(1, len(ids)-1)]
		for _, id := range ids {
			f, ok := known[o.Kind+"/"+id]
			// What another definition is called now is not this one's any more.
			if owner, taken := s.Lookup(o.Kind, f); ok && (!taken || owner == o) {
				first = f
				break
			}
		}
		for _, id := range ids {
			if name := o.Kind + "/" + id; len(ids) > 1 || names[name] != "" {
				names[name] = first
			}
		}
	}
	return names
}
