//go:build !objects

package all

import "github.com/reeve-civic/reeve/connector"

// Objects is what an Interface says about a store of objects, in programs that were
// built with the tag objects.
type Objects struct{}

func more() []*connector.Connector { return nil }
