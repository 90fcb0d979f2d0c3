package intake

import (
	"net/url"

	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

var kindNames = map[string]string{"buy": "Buy something", "build": "Build something", "change": "Change what we have", "retire": "Stop using something", "pilot": "Try something out"}

var reviewNames = map[string]string{gate.Light: "Light", gate.Streamlined: "Streamlined", gate.Full: "Full", "": "Not decided"}

var reviewMeaning = map[string]string{
	gate.Light:       "Approved at once. It would be a streamlined one if it failed a standard.",
	gate.Streamlined: "Looked at against our standards, then decided.",
	gate.Full:        "Looked at in discovery, design and against our standards, each by a board.",
}

var gateNames = map[string]string{
	gate.Discovery: "Discovery", gate.Design: "Design", gate.Standards: "Standards", gate.Procurement: "Buying it", gate.Live: "Going live", gate.Closed: "Closed",
}

var gateMeaning = map[string]string{
	gate.Discovery:   "Finding out what is needed, and trying it where nothing can go wrong.",
	gate.Design:      "How it fits with what we have.",
	gate.Standards:   "Whether it meets our standards.",
	gate.Procurement: "Choosing and contracting with a supplier.",
	gate.Live:        "Putting it into use.",
	gate.Closed:      "Nothing is left to decide.",
}

var outcomeNames = map[string]string{"approved": "Approved", "refused": "Refused", "more-needed": "More is needed", "withdrawn": "Withdrawn"}

var answerNames = map[string]string{
	"personalData": "whether it handles data about people", "sensitive": "whether any of that data is sensitive", "newSupplier": "whether the supplier is new to us",
	"annualCost": "what it costs a year", "publicFacing": "whether residents would use it", "novelTech": "whether the technology is new to us",
	"ai": "whether it uses artificial intelligence", "sensors": "whether it uses sensors or cameras", "users": "how many people would use it",
}

// stateText is where a request stands, in a few words.
func stateText(r *gate.Request) string {
	switch r.State {
	case gate.Asked:
		return "Waits for an answer of whoever asked"
	case gate.InUse:
		return "Live"
	case gate.Done:
		return "Live, and compared with what was expected"
	case gate.Refused:
		return "Refused"
	case gate.Withdrawn:
		return "Withdrawn"
	}
	if r.Gate() == gate.Closed {
		return "Closed"
	}
	if r.Trying() {
		return "Being tried out"
	}
	switch r.Gate() {
	case gate.Procurement:
		return "Approved, being bought"
	case gate.Live:
		return "Approved, being put into use"
	}
	return "Waits at " + gateNames[r.Gate()]
}

func stateTone(r *gate.Request) ui.Tone {
	switch r.State {
	case gate.Asked:
		return ui.Special
	case gate.InUse, gate.Done:
		return ui.Good
	case gate.Refused:
		return ui.Bad
	case gate.Withdrawn:
		return ui.Quiet
	}
	if r.Gate() == gate.Procurement || r.Gate() == gate.Live {
		return ui.Info
	}
	return ui.Waiting
}

func outcomeTone(outcome string) ui.Tone {
	switch outcome {
	case "approved":
		return ui.Good
	case "refused":
		return ui.Bad
	case "more-needed":
		return ui.Special
	}
	return ui.Quiet
}

func href(id string) string { return "/staff/requests/" + url.PathEscape(id) }

func boardHref(id string) string { return "/staff/boards/" + url.PathEscape(id) }
