package suggest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
)

// conversion makes one value of another, in the language of maps.
type conversion struct {
	say   string // in plain words; "" where the value stays as it is
	write func(src string) string
	doubt bool // it rests on a guess
	run   *mapping.Map
}

func method(say, methods string) conversion {
	return conversion{say: say, write: func(src string) string { return src + methods }}
}

func strptime(say, in, out string) conversion {
	return method(say, fmt.Sprintf(".trim().ts_strptime(%q).ts_strftime(%q)", in, out))
}

const day, moment = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"

// conversions for each shape of field, the plainer first.
func (s *suggester) library() {
	s.copying = []conversion{method("", "")}
	texts := []conversion{
		method("spaces around it are cut off", ".trim()"),
		method("in capitals", ".trim().uppercase()"),
		method("in small letters", ".trim().lowercase()"),
		method("without spaces", `.replace_all(" ", "")`),
		method("without spaces, in capitals", `.replace_all(" ", "").uppercase()`),
		method("written as text", ".string()"),
		method("the day of it", ".slice(0, 10)"),
		strptime("a date written day/month/year", "%d/%m/%Y", day),
		strptime("a date written day-month-year", "%d-%m-%Y", day),
		strptime("a date written day.month.year", "%d.%m.%Y", day),
		strptime("a date written out", "%d %B %Y", day),
		strptime("a date written out", "%d %b %Y", day),
		strptime("a date written day-Mon-year", "%d-%b-%Y", day),
		strptime("a date written year/month/day", "%Y/%m/%d", day),
		strptime("a date in one piece", "%Y%m%d", day),
		method("the day of it", `.trim().split(" ").index(0).ts_strptime("%d/%m/%Y").ts_strftime("%Y-%m-%d")`),
	}
	either := conversion{say: "a date written day/month/year or year-month-day", write: func(src string) string {
		return fmt.Sprintf(`(%[1]s.trim().ts_strptime("%%d/%%m/%%Y") | %[1]s.trim().ts_strptime("%%Y-%%m-%%d")).ts_strftime("%%Y-%%m-%%d")`, src)
	}}
	texts = append(texts, either)
	american := strptime("a date written month/day/year", "%m/%d/%Y", day)
	american.doubt = true
	s.texts = append(texts, american)
	utc := []conversion{
		method("the beginning of the day, UTC", ` + "T00:00:00Z"`),
		method("taken as UTC", `.replace_all(" ", "T") + "Z"`),
		strptime("day/month/year and time, taken as UTC", "%d/%m/%Y %H:%M:%S", moment),
		strptime("day/month/year and time, taken as UTC", "%d/%m/%Y %H:%M", moment),
		strptime("the beginning of the day (day/month/year), UTC", "%d/%m/%Y", moment),
	}
	for i := range utc {
		utc[i].doubt = true
	}
	s.texts = append(s.texts, utc...)
	s.numbers = []conversion{
		method("text as a number", ".trim().number()"),
		method("an amount as a number", `.replace_all(",", "").replace_all("£", "").replace_all(" ", "").number()`),
	}
	s.whole = []conversion{
		method("a whole number", ".trim().number().round()"),
	}
	s.pence = []conversion{
		{say: "pounds as pence", doubt: true, write: func(src string) string {
			return "(" + src + `.string().replace_all(",", "").replace_all("£", "").replace_all(" ", "").number() * 100).round()`
		}},
	}
	s.truths = []conversion{
		method("yes or no", `.string().trim().lowercase().(v -> match v { "yes" => true, "y" => true, "true" => true, "1" => true, "no" => false, "n" => false, "false" => false, "0" => false })`),
	}
	for _, l := range [][]conversion{s.copying, s.texts, s.numbers, s.whole, s.pence, s.truths} {
		for i := range l {
			l[i].run = s.compile(l[i].write("this.v"))
		}
	}
}

func (s *suggester) compile(expr string) *mapping.Map {
	m, err := s.env.Compile("root.v = " + expr)
	if err != nil {
		return nil
	}
	return m
}

// on applies a conversion to a value.
func (c *conversion) on(v any) (any, bool) {
	if c.run == nil {
		return nil, false
	}
	if c.say == "" {
		return v, true
	}
	b, err := c.run.Run(map[string]any{"v": v}, mapping.Meta{})
	if err != nil {
		return nil, false
	}
	doc, err := mapping.Decode(b)
	if err != nil {
		return nil, false
	}
	m, _ := doc.(map[string]any)
	return m["v"], m["v"] != nil
}

// candidates are the conversions worth trying for a field.
func (s *suggester) candidates(f *contract.Field, c *column) []conversion {
	out := slices.Clone(s.copying)
	if f.Const != nil {
		return out
	}
	if len(f.Choices) > 1 {
		if table, ok := s.table(f, c); ok {
			out = append(out, table)
		}
		return append(out, s.texts[:3]...)
	}
	takes := func(t string) bool { return len(f.Takes) == 0 || slices.Contains(f.Takes, t) }
	if takes("number") || takes("integer") {
		if slices.Contains(words(f.Path), "pence") && !slices.Contains(c.words, "pence") {
			return s.pence
		}
		out = append(out, s.numbers...)
		if !takes("number") {
			out = append(append(out, s.whole...), s.pence...)
		}
	}
	if takes("boolean") {
		out = append(out, s.truths...)
	}
	if _, isBool := c.values[0].(bool); takes("string") && !isBool {
		out = append(out, s.texts...)
	}
	return out
}

// table is a conversion of a column's words into those that a field may have, if
// most of them can be told.
func (s *suggester) table(f *contract.Field, c *column) (conversion, bool) {
	if c.more || len(c.values) > 30 {
		return conversion{}, false
	}
	var lines []string
	found, plain := 0, true
	for _, v := range c.values {
		text, ok := v.(string)
		if !ok {
			return conversion{}, false
		}
		key := strings.ToLower(strings.TrimSpace(text))
		to := choice(key, f.Choices)
		if to == "" {
			continue
		}
		found++
		plain = plain && to == text
		line := quoteText(key) + " => " + quoteText(to)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if plain || found == 0 || found*2 < len(c.values) {
		return conversion{}, false
	}
	slices.Sort(lines)
	t := conversion{say: "words of the file as those of the record type", doubt: found < len(c.values), write: func(src string) string {
		return src + ".trim().lowercase().(v -> match v { " + strings.Join(lines, ", ") + ", _ => v })"
	}}
	t.run = s.compile(t.write("this.v"))
	return t, true
}

// choice is the choice that a word of the file stands for, "" if none or several.
func choice(key string, choices []string) string {
	flat := func(s string) string { return strings.Join(words(s), " ") }
	is := []func(a, b string) bool{
		func(a, b string) bool { return strings.EqualFold(a, b) },
		func(a, b string) bool { return flat(a) == flat(b) },
		func(a, b string) bool { return len(a) == 1 && strings.HasPrefix(strings.ToLower(b), a) },
		func(a, b string) bool {
			a, b = flat(a), flat(b)
			return len(a) >= 4 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b) && len(b) >= 4)
		},
	}
	for _, same := range is {
		found := ""
		for _, c := range choices {
			if same(key, c) {
				if found != "" {
					return ""
				}
				found = c
			}
		}
		if found != "" {
			return found
		}
	}
	return ""
}
