// Package performance holds measures: what is counted to see whether the body
// does well, from where, with which target and by whom.
package performance

import "github.com/reeve-civic/reeve/internal/kernel/def"

// Spec is what is declared of a measure.
type Spec struct {
	Description string  `json:"description,omitempty" doc:"What is counted and how, so that two people get the same number."`
	Owner       string  `json:"owner,omitempty" def:"person" doc:"Directory id of the person or post that answers for it."`
	Source      Source  `json:"source" def:"required" doc:"Where its numbers come from."`
	Unit        string  `json:"unit,omitempty" doc:"Unit of the numbers: days, %, tickets."`
	Every       string  `json:"every,omitempty" def:"enum=day|week|month|quarter|year" doc:"How often there is a number; month if not given."`
	Target      *Target `json:"target,omitempty" doc:"What is aimed at."`
}

// Source is where the numbers of a measure come from: an import, or something
// that the program counts itself.
type Source struct {
	Import   string `json:"import,omitempty" doc:"Name of the imported series: the process and what is counted, like tickets/median-days."`
	Computed string `json:"computed,omitempty" def:"enum=standards-pass-share|standards-unknown-share|intake-median-days|board-median-days|yearly-cost|carbon-kg|unmatched-spend|records-delivered|held-records" doc:"What the program counts itself."`
}

// Target is what a measure aims at.
type Target struct {
	Value  float64   `json:"value" def:"required" doc:"The number aimed at."`
	Better string    `json:"better" def:"required,enum=higher|lower" doc:"Whether higher or lower is better."`
	By     *def.Date `json:"by,omitempty" doc:"Day by which it is to be reached."`
}

// Kind describes Measure to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "Measure", Doc: "Something that is counted to see whether the body does well.", Spec: new(Spec), Check: check}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	if (s.Source.Import == "") == (s.Source.Computed == "") {
		c.Problem("spec.source", "give either import or computed")
	}
}
