package suggest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

const (
	maxColumns  = 300
	maxDistinct = 60   // values of a column that are kept
	maxValue    = 4096 // bytes of a value that is kept
)

// first stands for the first item of a list, among keys.
const first = "\x000"

// column is a value that the rows of the file have at one place.
type column struct {
	tokens []string // keys, and first
	words  []string // of all keys
	leaf   []string // of the last
	list   bool     // a list of texts, read as one
	mixed  bool     // or a text alone
	filled int      // rows that have it
	values []any    // different ones, the first that came
	more   bool     // there are others
	taken  bool     // by a field

	seen map[string]bool
}

// pointer is where the value stands, without indexes.
func (c *column) pointer() string {
	var b strings.Builder
	for _, t := range c.tokens {
		if t != first {
			b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(t))
		}
	}
	return b.String()
}

// label is how people know it.
func (c *column) label() string {
	if len(c.tokens) == 1 {
		return c.tokens[0]
	}
	return c.pointer()
}

// expr reads it in a map.
func (c *column) expr() string {
	s := c.place()
	if c.mixed {
		s = "[" + s + "].flatten()"
	}
	if c.list {
		s += `.join(" ")`
	}
	if strings.Contains(s, "(") {
		return "(" + s + " | null)"
	}
	return s
}

// place is the value as it stands.
func (c *column) place() string {
	s := "this"
	for _, t := range c.tokens {
		if t == first {
			s += ".index(0)"
			continue
		}
		s += "." + segment(t)
	}
	return s
}

// segment is a key as a path of the language writes it.
func segment(key string) string {
	plain := key != "" && (key[0] < '0' || key[0] > '9')
	for i := 0; i < len(key) && plain; i++ {
		c := key[i]
		plain = c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	if plain {
		return key
	}
	return quoteText(key)
}

func quoteText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

// profile gathers what rows hold, in the order in which it came.
type profile struct {
	columns []*column
	at      map[string]*column
	rows    int
}

func (p *profile) add(body []byte) error {
	doc, err := rawjson.Decode(body)
	if err != nil {
		return err
	}
	p.rows++
	p.value(nil, doc, keyOrder(body))
	return nil
}

// keyOrder are the keys of the outermost object, as they stand.
func keyOrder(body []byte) (keys []string) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	depth := 0
	key := true
	for {
		t, err := d.Token()
		if err != nil {
			return keys
		}
		switch v := t.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
			key = depth == 1
		case string:
			if depth == 1 && key {
				keys = append(keys, v)
				key = false
				continue
			}
			key = depth == 1
		default:
			key = depth == 1
		}
	}
}

func (p *profile) value(tokens []string, v any, order []string) {
	switch v := v.(type) {
	case map[string]any:
		if order == nil {
			for k := range v {
				order = append(order, k)
			}
			slices.Sort(order)
		}
		for _, k := range order {
			p.value(append(slices.Clone(tokens), k), v[k], nil)
		}
	case []any:
		if texts := allTexts(v); texts != nil {
			p.leaf(tokens, strings.Join(texts, " "), true)
		} else if len(v) > 0 {
			p.value(append(slices.Clone(tokens), first), v[0], nil)
		}
	case nil:
	default:
		p.leaf(tokens, v, false)
	}
}

func allTexts(list []any) (texts []string) {
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

func (p *profile) leaf(tokens []string, v any, list bool) {
	key := strings.Join(tokens, "\x1f")
	c := p.at[key]
	if c == nil {
		if len(p.columns) == maxColumns || len(tokens) == 0 {
			return
		}
		c = &column{tokens: tokens, list: list, seen: map[string]bool{}}
		for _, t := range tokens {
			if t != first {
				c.leaf = words(t)
				c.words = append(c.words, c.leaf...)
			}
		}
		p.at[key] = c
		p.columns = append(p.columns, c)
	}
	if c.list != list {
		c.list, c.mixed = true, true // XML has no lists of one
	}
	c.filled++
	s, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return
		}
		s = string(b)
	}
	if len(s) > maxValue {
		s, v = s[:0], ""
	}
	if c.seen[s] {
		return
	}
	if len(c.values) == maxDistinct {
		c.more = true
		return
	}
	c.seen[s] = true
	c.values = append(c.values, v)
}
