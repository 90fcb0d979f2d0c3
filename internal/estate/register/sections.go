package register

import "strings"

// section is a part of the estate in its navigation.
type section struct{ Text, Href string }

// group is sections that answer one sort of question.
type group struct {
	Text     string
	Sections []section
}

// groups are the parts of the estate, in the order of its navigation.
var groups = []group{
	{"What we have", []section{
		{"Overview", "/staff/estate"},
		{"Where to begin", "/staff/estate/for"},
		{"Map", "/staff/estate/map"},
		{"Systems", "/staff/estate/systems"},
		{"Capabilities", "/staff/estate/capabilities"},
		{"Services", "/staff/services"},
		{"Assets", "/staff/estate/assets"},
		{"Owners", "/staff/estate/owners"},
	}},
	{"How it stands", []section{
		{"Standards", "/staff/estate/standards"},
		{"Portfolio", "/staff/estate/portfolio"},
		{"Risk", "/staff/estate/risk"},
		{"Measures", "/staff/estate/measures"},
		{"Carbon", "/staff/estate/carbon"},
		{"Spend", "/staff/estate/spend"},
	}},
	{"Where it goes", []section{
		{"Roadmap", "/staff/estate/roadmap"},
		{"Objectives", "/staff/estate/objectives"},
		{"Scenarios", "/staff/estate/scenarios"},
		{"Requests", "/staff/requests"},
		{"Boards", "/staff/boards"},
		{"Changes", "/staff/estate/changes"},
	}},
	{"In and out", []section{
		{"Change definitions", "/staff/estate/edit"},
		{"Import", "/staff/estate/import"},
		{"Export", "/staff/estate/export"},
	}},
}

// href is the address of a section, on the day that is looked at.
func (x section) href(s *Snapshot) string {
	if s == nil {
		return x.Href
	}
	return Href(s, x.Href)
}

// current reports whether a page belongs to the section: to it itself, and to no
// other that says more of its address.
func (x section) current(path string) bool {
	if x.Href == "/staff/estate" {
		return path == x.Href
	}
	return path == x.Href || strings.HasPrefix(path, x.Href+"/")
}
