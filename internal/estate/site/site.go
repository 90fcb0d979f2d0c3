// Package site holds the kind Site: a place where the body works, and how well
// it is connected.
package site

import "github.com/reeve-civic/reeve/internal/kernel/def"

// Spec is what is declared of a site.
type Spec struct {
	Description  string    `json:"description,omitempty" doc:"What the place is used for."`
	Organisation string    `json:"organisation,omitempty" def:"ref=Organisation" doc:"Id of the organisation that runs the place."`
	Address      Address   `json:"address,omitempty" doc:"Where it is."`
	Country      string    `json:"country,omitempty" def:"min=3,max=3" doc:"Country, as ISO 3166-1 alpha-3 (GBR): it picks the factor of the electricity grid."`
	Circuits     []Circuit `json:"circuits,omitempty" doc:"Network lines to the place."`
}

// Address is where a site is.
type Address struct {
	UPRN     string `json:"uprn,omitempty" doc:"Unique Property Reference Number."`
	Text     string `json:"text,omitempty" doc:"Address in words."`
	Postcode string `json:"postcode,omitempty" doc:"Postcode."`
}

// Circuit is a network line. Speeds are in megabits a second.
type Circuit struct {
	Supplier string `json:"supplier,omitempty" def:"ref=Organisation" doc:"Id of the organisation that supplies the line."`
	Mbps     int    `json:"mbps,omitempty" def:"min=0" doc:"Speed of the line in megabits a second."`
	MinMbps  int    `json:"minMbps,omitempty" def:"min=0" doc:"Speed that the work done there needs."`
}

// Kind describes Site to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "Site", Doc: "A place where the body works, and how well it is connected.", Spec: new(Spec)}
}
