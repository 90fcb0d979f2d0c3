package portfolio

import (
	"fmt"

	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

const standardsPath = "/staff/estate/standards"

// door is a way into the estate.
type door struct {
	Text, Href, Note string
	Reader           bool // it is a page of questions of one sort of reader
}

var doors = []door{
	{"Map", "/staff/estate/map", "What tells what, and what would stop without it", false},
	{"Systems", "/staff/estate/systems", "All of them, by what they do, whose they are and how they stand", false},
	{"Architect", "/staff/estate/for/architect", "How it fits together, and where it does not", true},
	{"Chief information officer", "/staff/estate/for/cio", "What it costs, and what to decide by when", true},
	{"Security officer", "/staff/estate/for/security", "Where sensitive data is, and what is open", true},
	{"Service owner", "/staff/estate/for/owner", "What is behind your services", true},
	{"Elected member", "/staff/estate/for/member", "What it costs and whether it serves people, in plain words", true},
	{"Compare two days", "/staff/estate/changes", "What changed, and the estate as it was", false},
}

// attention is what somebody should look at today, the most pressing first. What
// is not known is not pressing, and comes last.
func attention(r *Report, has func(path string) bool) []ui.Task {
	var out []ui.Task
	add := func(n int, one, many, hint, href, page, status string, tone ui.Tone) {
		if n == 0 {
			return
		}
		t := ui.Task{Title: ui.Text(words.Count(n, one, many)), Hint: ui.Text(hint), Status: ui.TaskStatus{HTML: ui.Status(status, tone)}}
		if page == "" || has(page) {
			t.Href = href
			if href[0] == '/' {
				t.Href = register.Href(r.Snapshot, href)
			}
		}
		out = append(out, t)
	}
	patches, parts := attacked(r)
	add(patches, "part has a weakness that is being attacked and is past its day", "parts have weaknesses that are being attacked and are past their day",
		fmt.Sprintf("Known for %d of %d parts of systems.", parts, len(r.Tables.Of("Component").IDs)), "/staff/estate/risk", "/staff/estate/risk", "Mend", ui.Bad)
	must, by := required(r)
	add(must, "required check is not met", "required checks are not met", by, standardsPath, standardsPath, "Mend", ui.Bad)
	lost := 0
	for _, a := range r.Assets {
		if a.State == "lost" || a.State == "stolen" {
			lost++
		}
	}
	add(lost, "device is lost or stolen", "devices are lost or stolen", fmt.Sprintf("Of %d in the list.", len(r.Assets)), "/staff/estate/assets?state=lost", "/staff/estate/assets", "Look", ui.Bad)
	add(len(r.Ended), "contract has ended, but a system still needs it", "contracts have ended, but systems still need them", "Nobody is bound to keep these systems going.", "#ended", "", "Decide", ui.Bad)
	add(len(r.Ownerless), "system has no owner", "systems have no owner", "Nobody answers for what it costs, or for mending it.", filter{Owner: "missing"}.href(), "", "Name one", ui.Bad)
	passed := 0
	for _, n := range r.Notices {
		if n.Passed() {
			passed++
		}
	}
	if soon := r.Notices[passed:]; len(soon) > 0 {
		add(len(soon), "contract renews unless notice is given", "contracts renew unless notice is given", fmt.Sprintf("The next is %s, %s.", soon[0].Contract.Name, words.Days(soon[0].Days)), "#notices", "", "Decide", ui.Waiting)
	}
	waits, longest := 0, 0
	for _, x := range gate.Requests(r.Snapshot) {
		if x.Waits() {
			waits, longest = waits+1, max(longest, x.Waited(r.Today))
		}
	}
	add(waits, "request waits for a decision or an answer", "requests wait for a decision or an answer", "The longest for "+words.Count(longest, "day", "days")+".", "/staff/requests", "/staff/requests", "Decide", ui.Waiting)
	if len(r.Duplicates) > 0 {
		add(len(r.Duplicates), "thing is done by more systems than needed", "things are done by more systems than needed", "The dearest is "+r.Duplicates[0].Capability.Name+": "+r.Duplicates[0].Yearly.String()+" a year.", "#duplicates", "", "Look", ui.Waiting)
	}
	missing := 0
	for _, g := range gaps(r) {
		missing += g.N
	}
	add(missing+len(r.NoCost), "fact about a system or a contract is not known", "facts about systems and contracts are not known", "What is not known is never counted as good.", "#costs", "", "Find out", ui.Quiet)
	return out
}

// attacked counts parts of systems with a weakness that is used by attackers and
// was not mended in time, and those of which that is known.
func attacked(r *Report) (n, known int) {
	t := r.Tables.Of("Component")
	for i := range t.IDs {
		if x, ok := t.Fact(i, "kevOpenPastDue"); ok {
			known++
			if k, ok := x.(int64); ok && k > 0 {
				n++
			}
		}
	}
	return n, known
}

// required counts what must be met and is not, and says where most of it is.
func required(r *Report) (n int, most string) {
	worst := 0
	for i := range r.Outcome.Standings {
		t := &r.Outcome.Standings[i]
		if t.Spec.Severity != "must" {
			continue
		}
		n += t.Fail
		if t.Fail > worst {
			worst, most = t.Fail, fmt.Sprintf("Most of all “%s”: %d of %d.", t.Name, t.Fail, t.Fail+t.Pass+t.Unknown+t.Waived)
		}
	}
	return n, most
}
