package risk

import (
	"context"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// readBills reads the CycloneDX files that components name.
func readBills(set *def.Set) register.Bills {
	out := register.Bills{Unread: map[string]string{}}
	for _, c := range def.All[component.Spec](set) {
		name := c.Spec.SBOM
		if name == "" {
			continue
		}
		content, err := set.File(name)
		if err == nil {
			parts, failed := lists.Bill(context.Background(), name, content, c.ID)
			out.Parts, err = append(out.Parts, parts...), failed
		}
		if err != nil {
			out.Unread[name] = reeve.Message(err)
		}
	}
	return out
}
