package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// Assessment is the draft of a data protection impact assessment, under the
// headings of the template of the Information Commissioner's Office.
type Assessment struct {
	Title string
	Steps []AssessmentStep
	Risks []Risk
}

// AssessmentStep is one step of the template.
type AssessmentStep struct {
	Heading string
	Points  []Point
}

// Point is a question of the template and what is known of its answer.
type Point struct {
	Question, Answer string
	Open             bool // nobody has answered it
}

// Risk is a risk to people, and what is done about it. How likely and how bad it
// is, people decide.
type Risk struct{ What, Measure string }

// Emerging reports whether a request belongs into the register of emerging
// technology.
func (r *Request) Emerging() bool {
	a := r.Spec.Answers
	return Yes(a.AI) || Yes(a.Sensors) || Yes(a.NovelTech)
}

// NeedsDPIA reports whether a request needs an assessment, and why.
func (r *Request) NeedsDPIA() (why []string) {
	a := r.Spec.Answers
	for _, x := range []struct {
		v    *bool
		text string
	}{
		{a.PersonalData, "it handles data about people"}, {a.Sensitive, "some of that data is sensitive"},
		{a.AI, "it uses artificial intelligence"}, {a.Sensors, "it collects data by sensors or cameras"},
	} {
		if Yes(x.v) {
			why = append(why, x.text)
		}
	}
	return why
}

// Yes reports whether an answer was given and is yes.
func Yes(b *bool) bool { return b != nil && *b }

// Technologies are what in a request is new and needs a second look.
func (r *Request) Technologies() (out []string) {
	a := r.Spec.Answers
	if Yes(a.AI) {
		out = append(out, "Artificial intelligence")
	}
	if Yes(a.Sensors) {
		out = append(out, "Sensors or cameras")
	}
	if Yes(a.NovelTech) && len(out) == 0 {
		out = append(out, "New to us")
	}
	return out
}

// Risks are what usually goes wrong with what a request uses, with what usually
// helps, and what whoever asked said themselves.
func (r *Request) Risks() (out []Risk) {
	a := r.Spec.Answers
	if r.Privacy.Risks != "" || r.Privacy.Measure != "" {
		out = append(out, Risk{cmp.Or(r.Privacy.Risks, "Not said by whoever asked."), cmp.Or(r.Privacy.Measure, "Not said yet.")})
	}
	if Yes(a.AI) {
		out = append(out,
			Risk{"It gives a wrong or an unfair answer, and somebody relies on it.", "A person decides, sees why, and can put it right; answers are sampled and measured by group."},
			Risk{"What is typed into it is kept or learnt from by its supplier.", "The contract forbids both; nothing confidential is typed in; the setting is checked once a quarter."},
			Risk{"People do not know that they deal with a machine.", "It says so, and a person can be reached at every step."})
	}
	if Yes(a.Sensors) {
		out = append(out,
			Risk{"It records people who did not expect it.", "It is put up with a sign, counts instead of recording where that will do, and does not recognise anybody."},
			Risk{"The device is taken over, or sends to somebody else.", "It has a password of its own and a network of its own, gets updates, and has a day on which it is taken down."})
	}
	if Yes(a.PersonalData) {
		out = append(out,
			Risk{"More is collected or kept than is needed.", "Each field has a purpose in an agreement, and each record type a day on which it is disposed of."},
			Risk{"Somebody sees what they need not see.", "Sign-in is as strong as the data needs, and every look leaves a trace."})
	}
	if Yes(a.Sensitive) {
		out = append(out, Risk{"Sensitive data gets out.", "It is classed, encrypted and kept out of any discovery environment."})
	}
	return out
}

// Assess fills the template from the answers and the estate.
func Assess(s *register.Snapshot, r *Request) Assessment {
	a := Assessment{Title: "Data protection impact assessment: " + r.Name, Risks: r.Risks()}
	point := func(q, answer string) Point {
		if strings.TrimSpace(answer) == "" {
			return Point{q, "Not known yet.", true}
		}
		return Point{q, answer, false}
	}
	var systems, records, flows, suppliers []string
	for _, id := range append(slices.Clone(r.Spec.Creates), r.Spec.Systems...) {
		x, ok := s.System(id)
		if !ok {
			continue
		}
		systems = append(systems, x.Name)
		for _, f := range s.FlowsOf(x.ID) {
			other := f.From
			if other == x.ID {
				other = f.To
			}
			flows = append(flows, fmt.Sprintf("%s (with %s)", cmp.Or(f.Name, f.ID), SystemName(s, other)))
			records = append(records, f.Record)
		}
		for _, c := range s.ContractsOf[x.ID] {
			suppliers = append(suppliers, s.OrganisationName(c.Spec.Supplier))
		}
	}
	systems, records, flows, suppliers = once(systems), once(records), once(flows), once(suppliers)
	classes := ""
	if touches, known := Sensitive(s, r); known {
		classes = "No confidential or restricted data, by the answers given."
		if touches {
			classes = "Confidential or restricted data, by the answers given or by the class of the systems that it touches."
		}
	}
	ends := ""
	if p := r.Spec.Pilot; p != nil && p.Ends != nil {
		ends = "It is a pilot and ends on " + words.Date(*p.Ends) + "."
	}
	users := ""
	if n := r.Spec.Answers.Users; n != nil {
		users = words.Count(*n, "user", "users") + " are expected."
	}
	a.Steps = []AssessmentStep{
		{"Step 1: Identify the need for a DPIA", []Point{
			point("What does the project aim to achieve?", r.Spec.Description),
			point("Why is an assessment needed?", sentence(strings.Join(r.NeedsDPIA(), ", "))),
		}},
		{"Step 2: Describe the processing", []Point{
			point("The nature: how will data be collected, used, stored and deleted? Who will it be shared with?", join(list("Systems", systems), list("Connections", flows), list("Suppliers", suppliers), ends)),
			point("The scope: what is the data, is it special category or criminal offence data, how many people are affected?", join(r.Privacy.Data, list("Record types", records), classes, users)),
			point("The context: what is the relationship with the people, do they expect it, is it novel?", setting(r)),
			point("The purposes: what do you want to achieve, what is the effect on people, what are the benefits?", r.Privacy.Why),
		}},
		{"Step 3: Consultation process", []Point{
			point("Who will be asked, when and how? If nobody, why not?", ""),
			point("Which processors and experts will be asked?", list("Suppliers", suppliers)),
		}},
		{"Step 4: Assess necessity and proportionality", []Point{
			point("What is the lawful basis?", lawful(s, records)),
			point("Does it achieve the purpose, and is there another way?", ""),
			point("How will function creep be prevented, and quality and minimisation ensured?", ifAny(flows, "What travels is cut down to the fields of an agreement before it leaves, and every exchange is written in a journal.")),
			point("What will people be told, and how are their rights supported?", ""),
		}},
		{"Step 5: Identify and assess risks", []Point{
			point("Likelihood and severity of harm", ""),
		}},
		{"Step 6: Identify measures to reduce risk", []Point{
			point("Which measures are taken, and what risk is left?", r.Privacy.Measure),
		}},
		{"Step 7: Sign off and record outcomes", []Point{
			point("Measures approved by", ""), point("Residual risks approved by", ""), point("Data protection officer's advice", ""), point("Kept under review by", ""),
		}},
	}
	return a
}

func once(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func lawful(s *register.Snapshot, records []string) string {
	var out []string
	for _, id := range records {
		o, ok := s.Set.Lookup("RecordType", id)
		if !ok {
			continue
		}
		if spec, ok := o.Value()["spec"].(map[string]any); ok {
			if b, ok := spec["lawfulBasis"].(map[string]any); ok {
				out = append(out, fmt.Sprintf("%s: Article 6(1)(%v)", cmp.Or(o.Name, o.ID), b["article6"]))
			}
		}
	}
	return join(list("As declared for what already flows", out))
}

func setting(r *Request) string {
	var out []string
	a := r.Spec.Answers
	if a.PublicFacing != nil {
		out = append(out, map[bool]string{true: "Residents would use it or notice it.", false: "It is for staff only."}[*a.PublicFacing])
	}
	if r.Emerging() {
		out = append(out, "It is novel to us: "+strings.ToLower(strings.Join(r.Technologies(), ", "))+".")
	}
	if a.NewSupplier != nil && *a.NewSupplier {
		out = append(out, "The supplier is new to us.")
	}
	return strings.Join(out, " ")
}

// Markdown is the assessment as a document to work on.
func (a Assessment) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nA draft, filled in from what is known. What nobody has said reads *Not known yet*.\n", plain(a.Title))
	for _, s := range a.Steps {
		fmt.Fprintf(&b, "\n## %s\n", s.Heading)
		for _, p := range s.Points {
			answer := plain(p.Answer)
			if p.Open {
				answer = "*" + p.Answer + "*"
			}
			fmt.Fprintf(&b, "\n**%s**\n\n%s\n", p.Question, answer)
		}
		if strings.HasPrefix(s.Heading, "Step 5") && len(a.Risks) > 0 {
			b.WriteString("\n| Risk | Likelihood | Severity | Measure |\n|---|---|---|---|\n")
			for _, r := range a.Risks {
				fmt.Fprintf(&b, "| %s |  |  | %s |\n", cell(r.What), cell(r.Measure))
			}
		}
	}
	return b.String()
}

// plain keeps what people wrote from being read as Markdown or HTML.
func plain(s string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;", "#", "\\#").Replace(s)
}

func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\r", "", "\n", " ").Replace(plain(s))
}

func list(what string, items []string) string {
	if len(items) == 0 {
		return ""
	}
	return what + ": " + strings.Join(items, "; ") + "."
}

func ifAny(items []string, text string) string {
	if len(items) == 0 {
		return ""
	}
	return text
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// SystemName is the name of a system, or its id if it has none.
func SystemName(s *register.Snapshot, id string) string {
	if x, ok := s.System(id); ok {
		return x.Name
	}
	return id
}
