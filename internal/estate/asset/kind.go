// Package asset holds the kind Asset: a thing that the body bought and that
// somebody has. Assets are many and name people, so most are imported records
// (package inventory); one that the estate is built on, a server, can be declared.
package asset

import "github.com/reeve-civic/reeve/internal/kernel/def"

// Spec is what is declared of an asset.
type Spec struct {
	Type     string    `json:"type" def:"required,enum=laptop|desktop|tablet|phone|server|vm|network|licence-seat|sensor|printer|other" doc:"What sort of thing it is."`
	Model    Model     `json:"model,omitempty" doc:"Who makes it, and what it is called."`
	Serial   string    `json:"serial,omitempty" doc:"Serial number."`
	Bought   Bought    `json:"bought,omitempty" doc:"When, under which supplier contract and for how much it was bought."`
	Holder   string    `json:"holder,omitempty" def:"person" doc:"Directory id of who has it."`
	Site     string    `json:"site,omitempty" def:"ref=Site" doc:"Id of the site where it is."`
	Systems  []string  `json:"systems,omitempty" def:"ref=System" doc:"Ids of the systems that run on it or that it serves."`
	State    string    `json:"state,omitempty" def:"enum=ordered|stock|in-use|repair|lost|stolen|disposed" doc:"Where it is in its life."`
	Warranty *def.Date `json:"warranty,omitempty" doc:"Last day of the warranty."`
}

// Model is the make and model of an asset.
type Model struct {
	Maker     string `json:"maker,omitempty" doc:"Who makes it."`
	Name      string `json:"name,omitempty" doc:"Name of the model."`
	CarbonRef string `json:"carbonRef,omitempty" doc:"Source of the model's carbon figures: the id of a CarbonFactor, or the name of a public list."`
}

// Bought says how an asset was bought.
type Bought struct {
	Date     *def.Date `json:"date,omitempty" doc:"Day on which it was bought."`
	Contract string    `json:"contract,omitempty" def:"ref=SupplierContract" doc:"Id of the supplier contract under which it was bought."`
	Cost     int64     `json:"cost,omitempty" def:"min=0,max=10000000000" doc:"Whole units of the body's currency."`
}

// Kind describes Asset to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "Asset", Doc: "A thing that the body bought and that somebody has: declared where the estate is built on it, imported otherwise.", Spec: new(Spec)}
}
