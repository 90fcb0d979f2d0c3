package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// RequestSpec is what is declared of an intake request.
type RequestSpec struct {
	Description  string   `json:"description,omitempty" doc:"What is asked for and why, in plain words."`
	Sponsor      string   `json:"sponsor,omitempty" def:"ref=Organisation" doc:"Id of the organisation that asks."`
	Owner        string   `json:"owner,omitempty" def:"person" doc:"Directory id of who asks."`
	Kind         string   `json:"kind" def:"required,enum=pilot|buy|build|change|retire" doc:"What is asked: try something, buy, build, change or retire."`
	Capabilities []string `json:"capabilities,omitempty" def:"ref=Capability" doc:"Ids of the capabilities that it is about."`
	Systems      []string `json:"systems,omitempty" def:"ref=System" doc:"Ids of the systems that it changes or retires."`
	Answers      Answers  `json:"answers,omitempty" doc:"Answers that decide how it is reviewed."`
	Creates      []string `json:"creates,omitempty" def:"ref=System" doc:"Ids of the draft systems that it would add; the same standards hold for them."`
	Gate         *Gate    `json:"gate,omitempty" doc:"Where it stands."`
	Review       string   `json:"review,omitempty" def:"enum=full|streamlined|light" doc:"How it is reviewed, as triage decided."`
	Pilot        *Pilot   `json:"pilot,omitempty" doc:"How a pilot is kept safe: where, until when."`
	Decided      *Decided `json:"decided,omitempty" doc:"What was decided, and by whom."`
}

// Answers decide how a request is reviewed. What nobody answered is not known.
type Answers struct {
	PersonalData *bool  `json:"personalData,omitempty" doc:"Whether it handles data about people."`
	Sensitive    *bool  `json:"sensitive,omitempty" doc:"Whether any of that is confidential or restricted."`
	NewSupplier  *bool  `json:"newSupplier,omitempty" doc:"Whether the supplier is new to the body."`
	AnnualCost   *int64 `json:"annualCost,omitempty" def:"min=0" doc:"What it would cost a year, in whole units of the body's currency."`
	PublicFacing *bool  `json:"publicFacing,omitempty" doc:"Whether residents would use it."`
	NovelTech    *bool  `json:"novelTech,omitempty" doc:"Whether it uses technology new to the body: sensors, generative AI."`
	AI           *bool  `json:"ai,omitempty" doc:"Whether it uses artificial intelligence to decide, to write or to talk."`
	Sensors      *bool  `json:"sensors,omitempty" doc:"Whether it collects data by sensors or cameras."`
	Users        *int   `json:"users,omitempty" def:"min=0" doc:"How many people would use it."`
}

// Gate is where a request stands.
type Gate struct {
	At      string   `json:"at" def:"required,enum=discovery|design|standards|procurement|live|closed" doc:"The gate that it waits at."`
	Entered def.Date `json:"entered" def:"required" doc:"Day on which it came there."`
}

// Pilot is how a pilot is kept safe.
type Pilot struct {
	Starts      *def.Date `json:"starts,omitempty" doc:"First day."`
	Ends        *def.Date `json:"ends,omitempty" doc:"Last day: a pilot ends within a year."`
	Environment string    `json:"environment,omitempty" doc:"Folder of the sandbox body that it is tried in."`
}

// Decided is the decision on a request.
type Decided struct {
	Outcome string   `json:"outcome" def:"required,enum=approved|refused|more-needed|withdrawn" doc:"What was decided."`
	By      string   `json:"by" def:"required" doc:"Id of the board, or directory id of the person, that decided; reeve where a rule did."`
	On      def.Date `json:"on" def:"required" doc:"Day of the decision."`
	Reason  string   `json:"reason" def:"required" doc:"Why."`
}

// BoardSpec is what is declared of a governance board.
type BoardSpec struct {
	Description string   `json:"description,omitempty" doc:"What the board is for."`
	Decides     []string `json:"decides,omitempty" doc:"The gates that it decides at: gate/design, gate/standards."`
	Meets       Meets    `json:"meets,omitempty" doc:"How often and for how long it meets."`
	Members     []Member `json:"members,omitempty" doc:"Who sits on it. Where any are named, they alone record its decisions."`
	Secretary   string   `json:"secretary,omitempty" def:"person" doc:"Directory id, or address, of who writes down its decisions without being a member."`
	TargetDays  *int     `json:"targetDays,omitempty" def:"min=1" doc:"Days within which it means to decide."`
}

// Meets is the rhythm of a board.
type Meets struct {
	Every   def.Duration `json:"every,omitempty" doc:"How often: 14d."`
	Minutes int          `json:"minutes,omitempty" def:"min=0" doc:"Length of a meeting in minutes."`
}

// Member is a seat on a board.
type Member struct {
	Role   string `json:"role" def:"required" doc:"The role that sits there."`
	Person string `json:"person,omitempty" def:"person" doc:"Directory id, or address, of who has it."`
	Rate   int64  `json:"rate,omitempty" def:"min=0" doc:"What an hour of the role costs, in whole units of the body's currency."`
}

// TriageSpec is a rule of triage: when a request must not be waved through.
type TriageSpec struct {
	When   string `json:"when" def:"required,cel" doc:"CEL over answers and kind that is true of the requests meant. What nobody answered counts as if it were true."`
	Review string `json:"review" def:"required,enum=full|streamlined" doc:"The least review that such a request gets."`
	Reason string `json:"reason" def:"required" doc:"Why, in a plain sentence for whoever asks."`
}

// Kinds describes IntakeRequest, Board and TriageRule to the loader.
func Kinds() []def.Kind {
	return []def.Kind{
		{Name: "IntakeRequest", Doc: "A wish to buy, build, change, try or retire something, and where it stands.", Spec: new(RequestSpec), Check: checkRequest},
		{Name: "Board", Doc: "A governance board: what it decides, when it meets, what its time costs.", Spec: new(BoardSpec), Check: checkBoard},
		{Name: "TriageRule", Doc: "When a request needs more than a light review. Where none is declared, Reeve's own rules hold.", Spec: new(TriageSpec), Check: checkTriage},
	}
}

func checkRequest(c *def.Checker, o *def.Object) {
	s := o.Spec.(*RequestSpec)
	if p := s.Pilot; p != nil {
		if s.Kind != "pilot" {
			c.Problem("spec.pilot", "only a request of kind pilot has one: leave it out, or write kind: pilot")
		}
		if p.Starts != nil && p.Ends != nil {
			if n := p.Ends.Sub(*p.Starts); n < 0 {
				c.Problem("spec.pilot.ends", "the pilot ends on %s, before it starts on %s", p.Ends, p.Starts)
			} else if n > MaxPilotDays {
				c.Problem("spec.pilot.ends", "the pilot lasts %d days; a pilot ends within a year, so until %s", n, p.Starts.AddDays(MaxPilotDays))
			}
		}
	}
	if d := s.Decided; d != nil && s.Gate != nil && d.On.Before(s.Gate.Entered) {
		c.Problem("spec.decided.on", "it was decided on %s, before it came to its gate on %s", d.On, s.Gate.Entered)
	}
}

func checkBoard(c *def.Checker, o *def.Object) {
	for i, d := range o.Spec.(*BoardSpec).Decides {
		if gate, ok := strings.CutPrefix(d, "gate/"); !ok || !slices.Contains(Gates, gate) {
			c.Problem(fmt.Sprintf("spec.decides[%d]", i), "%q is no gate: write gate/ and one of %s", d, strings.Join(Gates, ", "))
		}
	}
}

func checkTriage(c *def.Checker, o *def.Object) {
	env, err := environment()
	if err != nil {
		c.Problem("spec.when", "%v", err)
		return
	}
	c.Compile(env, "spec.when")
}
