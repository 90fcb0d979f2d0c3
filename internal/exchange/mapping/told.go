package mapping

import (
	"regexp"
	"strconv"
	"strings"
)

// What the language says of a failure may hold anything: the text that a map throws,
// a name or a format that a record brought, a part of a value. So nothing of it is
// passed on as it stands. It is read for what is known to say nothing of the record:
// the line, a field that the map itself names, and the kinds of values.
var (
	failedAt = regexp.MustCompile(`^failed assignment \(line (\d+)\): `)
	ofField  = regexp.MustCompile("^field `([^`]*)`: ")
	mismatch = regexp.MustCompile("^expected ([a-z]+(?:(?:, | or )[a-z]+)*) value, got ([a-z]+)(?: from field `([^`]*)`)?")
	cannot   = regexp.MustCompile(`^cannot ([a-z]+) types ([a-z]+) \(from .*\) and ([a-z]+) \(from .*\)$`)
	nothing  = regexp.MustCompile(`^(value is null|(?:string|array|object) value is empty)$`)
	throws   = regexp.MustCompile(`\bthrow\s*\(\s*("(?:[^"\\\n]|\\.)*"\s*\))?`)
	words    = regexp.MustCompile(`[a-z]+`)
	kinds    = set(`string bytes number integer float bool timestamp object array null unknown delete nothing function or`)
	doings   = set(`add subtract multiply divide modulo compare`)
)

// told is what people are told of a failure: it holds no value, whoever sees it.
func told(err error, source string) string {
	rest, at, line := err.Error(), "", 0
	if m := failedAt.FindStringSubmatch(rest); m != nil { // what follows may be of the map's own making
		rest, at = rest[len(m[0]):], m[0]
		line, _ = strconv.Atoi(m[1])
	}
	what := ""
	if m := ofField.FindStringSubmatch(rest); m != nil && named(source, m[1]) {
		rest, what = rest[len(m[0]):], "field `"+m[1]+"`: "
	}
	switch {
	case onlyKinds(mismatch, rest, 1, 2):
		m := mismatch.FindStringSubmatch(rest)
		what += "expected " + m[1] + " value, got " + m[2]
		if m[3] != "" && named(source, m[3]) {
			what += " from field `" + m[3] + "`"
		}
	case onlyKinds(cannot, rest, 2, 3) && doings[cannot.FindStringSubmatch(rest)[1]]:
		m := cannot.FindStringSubmatch(rest)
		what += "cannot " + m[1] + " types " + m[2] + " and " + m[3]
	case nothing.MatchString(rest):
		what += rest
	default:
		what += gaveUp(source, line)
	}
	return "map: " + at + what
}

// onlyKinds reports whether groups of a match hold nothing but kinds of values.
func onlyKinds(re *regexp.Regexp, s string, groups ...int) bool {
	m := re.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	for _, g := range groups {
		for _, w := range words.FindAllString(m[g], -1) {
			if !kinds[w] {
				return false
			}
		}
	}
	return true
}

// named reports whether a path consists of names that stand in the map.
func named(source, path string) bool {
	for tok := range strings.SplitSeq(path, ".") {
		if tok == "" || len(tok) > 100 || tok != "this" && !strings.Contains(source, tok) {
			return false
		}
	}
	return true
}

// gaveUp says that a statement failed or threw. Where there is one text that it can
// throw, and the text stands there as it is, that is told: out of the map, not out of
// what was thrown.
func gaveUp(source string, line int) string {
	if found := throws.FindAllStringSubmatch(statement(source, line), -1); len(found) == 1 && found[0][1] != "" {
		quoted := strings.TrimRight(strings.TrimSuffix(found[0][1], ")"), " \t\r\n")
		if text, err := strconv.Unquote(quoted); err == nil && len(text) <= 200 {
			return "it gives up or fails on this record; the map says there: " + text
		}
	}
	return "it gives up or fails on this record"
}

// statement is the text of the statement that begins in a line.
func statement(source string, line int) string {
	lines := strings.SplitAfter(source, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	end := line
	for end < len(lines) && (strings.TrimSpace(lines[end]) == "" || strings.ContainsAny(lines[end][:1], " \t})]#|&.+")) {
		end++
	}
	return strings.Join(lines[line-1:end], "")
}
