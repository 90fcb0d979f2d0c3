// Package component holds the kind Component: a part of a system that has a
// product, a version and an end of life of its own.
package component

import "github.com/reeve-civic/reeve/internal/kernel/def"

// Spec is what is declared of a component.
type Spec struct {
	Description string   `json:"description,omitempty" doc:"What the part does."`
	System      string   `json:"system" def:"required,ref=System" doc:"Id of the system that it is a part of."`
	UsedBy      []string `json:"usedBy,omitempty" def:"ref=System" doc:"Ids of other systems that use it too."`
	Product     Product  `json:"product,omitempty" doc:"What product it is, by the names that others publish about."`
	RunsOn      []string `json:"runsOn,omitempty" doc:"Ids of the assets that it runs on, declared or imported."`
	SBOM        string   `json:"sbom,omitempty" def:"file" doc:"CycloneDX file of the folder that lists what it is made of."`
}

// Product names a product as published lists do.
type Product struct {
	Name    string `json:"name,omitempty" doc:"Name of the product as its maker writes it."`
	Version string `json:"version,omitempty" doc:"Version that is installed."`
	CPE     string `json:"cpe,omitempty" doc:"Name in the Common Platform Enumeration, to the product: cpe:2.3:a:microsoft:sql_server."`
	EOL     string `json:"eol,omitempty" doc:"Name of the product in endoflife.date: mssqlserver."`
	Cycle   string `json:"cycle,omitempty" doc:"Release cycle in endoflife.date: 2019."`
}

// Kind describes Component to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "Component", Doc: "A part of a system with a product, a version and an end of life of its own.", Spec: new(Spec)}
}
