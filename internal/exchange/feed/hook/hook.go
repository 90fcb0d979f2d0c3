// Package hook is the door at which systems tell us by themselves.
//
// What is guaranteed. Who sends nothing that could be right is refused by the headers
// of the request: nothing of its body is read. Of a body that is signed no more is
// kept than the interface allows, and none of it is read as a record before its
// signature is known to be right. A request that comes again has no effect.
//
// What not to assume. Strangers get one answer, whatever is wrong and whether there is
// such an interface; how soon it comes may tell them.
package hook

import (
	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/httpjson"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Hook is an Interface whose system tells us by itself.
type Hook struct {
	ID     string
	Spec   *iface.Spec
	Verify httpjson.Webhook
	Type   reeve.RecordType
	Givers []string
}

// Of is the webhook of an interface; nil if it has none, or if it is not clear which
// records come.
func Of(s *def.Set, id string, spec *iface.Spec) *Hook {
	if spec.Settings.HTTP == nil || !spec.Settings.HTTP.Webhook.Given() {
		return nil
	}
	record := ""
	switch {
	case spec.Read != nil:
		record = spec.Read.Record
	case len(spec.Records) == 1:
		record = spec.Records[0]
	default:
		return nil
	}
	return &Hook{ID: id, Spec: spec, Verify: spec.Settings.HTTP.Webhook, Type: reeve.RecordType(s.Present("RecordType", record)), Givers: iface.Givers(s, id)}
}
