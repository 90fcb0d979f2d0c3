// Package roadmap holds what the body wants and when it does it: objectives,
// dated changes to the estate, and the budget lines that pay for them.
package roadmap

import "github.com/reeve-civic/reeve/internal/kernel/def"

// ObjectiveSpec is what is declared of an objective.
type ObjectiveSpec struct {
	Description string    `json:"description,omitempty" doc:"What will be better, and for whom."`
	Parent      string    `json:"parent,omitempty" def:"ref=Objective,acyclic" doc:"Id of the objective that this one serves."`
	Owner       string    `json:"owner,omitempty" def:"person" doc:"Directory id of the person or post that answers for it."`
	Measures    []string  `json:"measures,omitempty" def:"ref=Measure" doc:"Ids of the measures that show whether it is reached."`
	Systems     []string  `json:"systems,omitempty" def:"ref=System" doc:"Ids of systems that serve it today."`
	Source      string    `json:"source,omitempty" doc:"Where the body agreed it: a strategy, a decision."`
	Due         *def.Date `json:"due,omitempty" doc:"Day by which it is to be reached."`
}

// ItemSpec is what is declared of a roadmap item.
type ItemSpec struct {
	Description string       `json:"description,omitempty" doc:"What is done, in plain words."`
	Scenario    string       `json:"scenario,omitempty" doc:"The plan that it belongs to; baseline if not given. Other names are alternatives to compare."`
	Owner       string       `json:"owner,omitempty" def:"person" doc:"Directory id of the person or post that answers for it."`
	Starts      def.Date     `json:"starts" def:"required" doc:"First day."`
	Ends        def.Date     `json:"ends" def:"required" doc:"Last day: what it changes is so from the day after."`
	Changes     []Change     `json:"changes,omitempty" doc:"What it changes in the estate."`
	Objectives  []string     `json:"objectives,omitempty" def:"ref=Objective" doc:"Ids of the objectives that it serves."`
	After       []string     `json:"after,omitempty" def:"ref=RoadmapItem,acyclic" doc:"Ids of the items that must have ended before it starts."`
	From        string       `json:"from,omitempty" def:"ref=IntakeRequest" doc:"Id of the intake request that it came from."`
	Cost        []BudgetCost `json:"cost,omitempty" doc:"What it costs, by budget line."`
	State       string       `json:"state,omitempty" def:"enum=proposed|agreed|under-way|done|stopped" doc:"Where it stands; proposed if not given."`
}

// Change is one thing that an item changes.
type Change struct {
	Subject      string   `json:"subject" def:"required,ref=System|Component|SupplierContract" doc:"Id of the system, component or supplier contract."`
	Phase        string   `json:"phase,omitempty" def:"enum=planned|pilot|live|retiring|retired" doc:"The phase of its life that it then has."`
	Hosting      string   `json:"hosting,omitempty" def:"enum=saas|paas|public-cloud|private-cloud|on-premise" doc:"Where it then runs."`
	Annual       *int64   `json:"annual,omitempty" def:"min=0" doc:"What it then costs a year, in whole units of the body's currency."`
	Capabilities []string `json:"capabilities,omitempty" def:"ref=Capability" doc:"Ids of the capabilities that it then provides."`
}

// BudgetCost is money that an item needs from a budget line.
type BudgetCost struct {
	Line   string `json:"line" def:"required,ref=BudgetLine" doc:"Id of the budget line."`
	Amount int64  `json:"amount" def:"required,min=0" doc:"Whole units of the body's currency, in all."`
}

// BudgetSpec is what is declared of a budget line.
type BudgetSpec struct {
	Type         string `json:"type" def:"required,enum=operating|capital" doc:"operating: what keeps things running; capital: what buys or builds something that lasts."`
	Year         string `json:"year" def:"required" doc:"Financial year, as the body writes it: 2026-27."`
	Amount       int64  `json:"amount" def:"required,min=0" doc:"Whole units of the body's currency."`
	Code         string `json:"code,omitempty" doc:"Code in the general ledger."`
	Organisation string `json:"organisation,omitempty" def:"ref=Organisation" doc:"Id of the organisation whose budget it is."`
}

// Kinds describes Objective, RoadmapItem and BudgetLine to the loader.
func Kinds() []def.Kind {
	return []def.Kind{
		{Name: "Objective", Doc: "Something the body wants to reach, and the measures that show it.", Spec: new(ObjectiveSpec)},
		{Name: "RoadmapItem", Doc: "A dated change to the estate.", Spec: new(ItemSpec), Check: checkItem},
		{Name: "BudgetLine", Doc: "Money set aside for a year, operating or capital.", Spec: new(BudgetSpec)},
	}
}

func checkItem(c *def.Checker, o *def.Object) {
	s := o.Spec.(*ItemSpec)
	if s.Ends.Before(s.Starts) {
		c.Problem("spec.ends", "the item ends on %s, before it starts on %s", s.Ends, s.Starts)
	}
}
