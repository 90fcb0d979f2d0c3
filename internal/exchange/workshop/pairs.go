package workshop

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
)

// A map is text, and stays text: pairs that are picked in the page are lines of it.
// So there is nothing that the page knows and the file does not, and whatever is
// written by hand stays as it is.

// line is an assignment of a map, in its own line.
type line struct {
	N      int    // from 1
	Target string // JSON Pointer of what it assigns
	Source string // JSON Pointer of the field that it takes as it is; "" where it does more
	How    string // what is done with it on the way: "as text", "as a number", "the day", "the first of a list"
}

const (
	segment = `(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|"(?:[^"\\]|\\.)*"))`
	method  = `(?:\.string\(\)|\.number\(\)|\.slice\(0, ?10\))`
)

var (
	assignment = regexp.MustCompile(`^\s*root(` + segment + `*)\s*=[^=]`)
	simple     = regexp.MustCompile(`^root(` + segment + `+)\s*=\s*this(` + segment + `+?)(` + method + `?)(?:\s*\|\s*deleted\(\))?\s*(?:#.*)?$`)
	one        = regexp.MustCompile(segment)
	goesOn     = regexp.MustCompile(`^\s*[.|&+*/=<>?)\]}-]`)
	bare       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// read finds the assignments of a map.
func read(text string) (lines []line) {
	all := strings.Split(text, "\n")
	for i, s := range all {
		m := assignment.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		l := line{N: i + 1, Target: pointer(m[1])}
		more := i+1 < len(all) && goesOn.MatchString(all[i+1])
		if p := simple.FindStringSubmatch(s); p != nil && !more {
			l.Source, l.How = pointer(p[2]), how(p[3], p[2])
		}
		lines = append(lines, l)
	}
	return lines
}

func how(method, path string) string {
	switch {
	case strings.HasPrefix(method, ".string"):
		return "as text"
	case strings.HasPrefix(method, ".number"):
		return "as a number"
	case strings.HasPrefix(method, ".slice"):
		return "the day"
	case hasIndex(path):
		return "the first of a list"
	}
	return ""
}

func hasIndex(path string) bool {
	return slices.ContainsFunc(one.FindAllString(path, -1), func(s string) bool { return strings.Trim(s, ".0123456789") == "" })
}

// whole reports whether the map begins with all of the record.
func whole(text string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(s string) bool {
		s, _, _ = strings.Cut(s, "#")
		return strings.Join(strings.Fields(s), "") == "root=this"
	})
}

// pointer is a path of the language as a JSON Pointer without list indexes.
func pointer(path string) string {
	var b strings.Builder
	for _, s := range one.FindAllString(path, -1) {
		s = s[1:]
		if u, err := strconv.Unquote(s); err == nil {
			s = u
		} else if strings.Trim(s, "0123456789") == "" {
			continue
		}
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
	}
	return b.String()
}

// dotted is a JSON Pointer as a path of the language.
func dotted(at string) string {
	var b strings.Builder
	for _, tok := range contract.Tokens(at) {
		if bare.MatchString(tok) {
			b.WriteString("." + tok)
		} else {
			b.WriteString("." + strconv.Quote(tok))
		}
	}
	return b.String()
}

// written is the line that puts a source field into a target field.
func written(from, to contract.Field) string {
	take := "this" + dotted(from.Path)
	if from.Listed { // the first of each list around it
		take = "this" + firsts(from)
	}
	switch {
	case takes(to, "string") && !takes(from, "string") && len(from.Takes) > 0 && !takes(from, "object") && !takes(from, "array"):
		take += ".string()"
	case len(to.Takes) > 0 && !takes(to, "string") && (takes(to, "number") || takes(to, "integer")) && takes(from, "string"):
		take += ".number()"
	case to.Format == "date" && from.Format == "date-time":
		take += ".slice(0, 10)"
	}
	if !from.Required {
		take += " | deleted()"
	}
	return "root" + dotted(to.Path) + " = " + take
}

// firsts takes the first of every list on the way to a field.
func firsts(f contract.Field) string {
	toks, lists := contract.Tokens(f.Path), map[int]bool{}
	for _, at := range f.Lists {
		lists[at] = true
	}
	var b strings.Builder
	for i, tok := range toks {
		if lists[i] {
			b.WriteString(".0")
		}
		if bare.MatchString(tok) {
			b.WriteString("." + tok)
		} else {
			b.WriteString("." + strconv.Quote(tok))
		}
	}
	return b.String()
}

func takes(f contract.Field, t string) bool { return slices.Contains(f.Takes, t) }

// put puts a source field into a target field, in the line where another was, or in
// a new one. What is written by hand is not touched.
func put(text string, from, to contract.Field) (string, error) {
	if to.Listed {
		return text, reeve.E(reeve.Invalid, "workshop.put", "%s is within a list: write in the map how the list is made", to.Path)
	}
	all := strings.Split(text, "\n")
	last := 0
	for _, l := range read(text) {
		switch {
		case l.Target == to.Path && l.Source == "":
			return text, reeve.E(reeve.Invalid, "workshop.put", "%s is made by hand in line %d of the map: change it there, or take that line away first", to.Path, l.N)
		case l.Target == to.Path:
			all[l.N-1] = written(from, to)
			return strings.Join(all, "\n"), nil
		case strings.HasPrefix(l.Target, to.Path+"/"), strings.HasPrefix(to.Path, l.Target+"/") && l.Target != "":
			return text, reeve.E(reeve.Invalid, "workshop.put", "line %d of the map makes %s, which goes together with %s: change it there", l.N, l.Target, to.Path)
		case l.Source != "":
			last = l.N
		}
	}
	if last == 0 {
		if last = len(all); strings.TrimSpace(all[last-1]) == "" {
			last--
		}
	}
	return strings.Join(slices.Insert(all, last, written(from, to)), "\n"), nil
}

// drop takes away what puts something into a target field, if it is a picked pair.
func drop(text, target string) (string, error) {
	for _, l := range read(text) {
		if l.Target != target {
			continue
		}
		if l.Source == "" {
			return text, reeve.E(reeve.Invalid, "workshop.drop", "%s is made by hand in line %d of the map: take it away there", target, l.N)
		}
		all := strings.Split(text, "\n")
		return strings.Join(slices.Delete(all, l.N-1, l.N), "\n"), nil
	}
	return text, reeve.E(reeve.NotFound, "workshop.drop", "nothing is put into %s", target)
}

// same puts every source field into the target field of the same path or, where only
// one has its name, of the same name; what has a line already stays. It tells how many.
func same(text string, from, to []contract.Field) (string, int) {
	n, done := 0, map[string]bool{}
	for _, l := range read(text) {
		done[l.Target] = true
	}
	for _, t := range to {
		if done[t.Path] || t.Listed {
			continue
		}
		s, ok := counterpart(t, from, to)
		if !ok {
			continue
		}
		if next, err := put(text, s, t); err == nil {
			text = next
			n++
		}
	}
	return text, n
}

func counterpart(t contract.Field, from, to []contract.Field) (found contract.Field, ok bool) {
	name := func(f contract.Field) string { return strings.ToLower(f.Path[strings.LastIndexByte(f.Path, '/')+1:]) }
	for _, s := range from {
		if s.Path == t.Path && !s.Listed {
			return s, true
		}
	}
	for _, other := range to {
		if other.Path != t.Path && name(other) == name(t) {
			return found, false
		}
	}
	for _, s := range from {
		if name(s) == name(t) && !s.Listed {
			if ok {
				return found, false
			}
			found, ok = s, true
		}
	}
	return found, ok
}

// state is what a map does about a target field.
func state(t contract.Field, lines []line, all bool) (source, note string) {
	for _, l := range lines {
		switch {
		case l.Target == t.Path && l.Source != "":
			return l.Source, l.How
		case l.Target == t.Path, strings.HasPrefix(l.Target, t.Path+"/"), l.Target != "" && strings.HasPrefix(t.Path, l.Target+"/"):
			if l.Source != "" && strings.HasPrefix(t.Path, l.Target+"/") {
				return l.Source + strings.TrimPrefix(t.Path, l.Target), ""
			}
			return "", fmt.Sprintf("made by hand, line %d", l.N)
		}
	}
	if all {
		return "", "as it came"
	}
	return "", ""
}
