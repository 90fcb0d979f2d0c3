// Package carbon works out the estate's carbon footprint: what was spent in
// making things and what they use, each figure with its factor, year, source and
// range.
package carbon

import "github.com/reeve-civic/reeve/internal/kernel/def"

// FactorSpec is what is declared of a carbon factor.
type FactorSpec struct {
	About     string   `json:"about" def:"required,enum=grid|embodied|power|spend|cloud" doc:"grid: kg CO2e a kWh in a country; embodied: kg CO2e to make one; power: kWh that one uses a year; spend: kg CO2e for one unit of money; cloud: kg CO2e a year for one user of hosted software."`
	Of        string   `json:"of" def:"required" doc:"What it is the factor of: a country (GBR), an asset type (laptop), a maker and model, a spend pool (software), a hosting (saas)."`
	Value     float64  `json:"value" def:"required,min=0" doc:"The factor."`
	Low       *float64 `json:"low,omitempty" def:"min=0" doc:"Lower end of its range."`
	High      *float64 `json:"high,omitempty" def:"min=0" doc:"Upper end of its range."`
	Year      int      `json:"year" def:"required,min=1990,max=2100" doc:"Year that it is for."`
	Source    string   `json:"source" def:"required" doc:"Who published it, and where."`
	Years     *float64 `json:"years,omitempty" def:"min=1" doc:"For embodied: years of life over which it is spread; 4 if not given."`
	Preferred bool     `json:"preferred,omitempty" doc:"True for the one to use where several sources give the same factor; the others then show the range."`
}

// Kind describes CarbonFactor to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "CarbonFactor", Doc: "A published factor for working out carbon, with its year, source and range.", Spec: new(FactorSpec), Check: check}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*FactorSpec)
	if s.Low != nil && *s.Low > s.Value || s.High != nil && *s.High < s.Value {
		c.Problem("spec.value", "the value must lie between low and high")
	}
}
