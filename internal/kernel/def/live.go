package def

import "context"

// Live is the set in force. It is safe for concurrent use.
type Live struct{}

// Set is the set in force now. Whoever needs two definitions to agree asks once.
func (l *Live) Set() *Set { return nil }

// OnActivate registers fn to be asked about every new set, and asks it about the
// present one before it returns. fn prepares: it compiles what it needs from s and
// returns a function that puts it in force and cannot fail, or problems. Only when
// all have prepared without a problem are all applied, in the order of registration;
// else the old set stays. fn must not call Reload.
func (l *Live) OnActivate(fn func(s *Set) (apply func(), problems []Problem)) []Problem { return nil }

// Reload reads the folder again and puts the new set in force, whole or not at
// all. Nothing happens if nothing changed. The error is for what could not be
// stored; problems are what is wrong with the definitions.
func (l *Live) Reload(ctx context.Context) ([]Problem, error) { return nil, nil }

// Watch reloads when a file changes, until ctx ends. Problems are logged.
func (l *Live) Watch(ctx context.Context) error { return nil }
