//go:build objects

package all

import (
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/objects"
)

// Objects is what an Interface says about a store of objects.
type Objects struct {
	S3 *objects.Settings `json:"s3,omitempty" doc:"Of stores of objects: which are read, and what becomes of them."`
}

func more() []*connector.Connector { return []*connector.Connector{&objects.Connector} }
