package example

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// Difference is a place at which two bodies are not the same, as JSON; "" where one
// has nothing there.
type Difference struct {
	Path string `json:"path"` // JSON Pointer, "" for the whole
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// String is a difference as lines: what is wanted with a minus, what came with a plus.
func (d Difference) String() string {
	s := d.Path
	if s == "" {
		s = "/"
	}
	if d.Want != "" {
		s += "\n  - " + d.Want
	}
	if d.Got != "" {
		s += "\n  + " + d.Got
	}
	return s
}

// Compare tells where two JSON bodies differ. Numbers that mean the same are the
// same, however they are written.
func Compare(want, got []byte) []Difference {
	w, err := rawjson.Decode(want)
	if err != nil {
		return []Difference{{Want: "something that is no JSON"}}
	}
	g, err := rawjson.Decode(got)
	if err != nil {
		return []Difference{{Got: "something that is no JSON"}}
	}
	var out []Difference
	compare("", w, g, &out)
	return out
}

func compare(path string, want, got any, out *[]Difference) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			names := slices.Collect(maps.Keys(w))
			for name := range g {
				if _, both := w[name]; !both {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			for _, name := range names {
				at := path + "/" + escape(name)
				wv, inW := w[name]
				gv, inG := g[name]
				switch {
				case !inG:
					*out = append(*out, Difference{Path: at, Want: text(wv)})
				case !inW:
					*out = append(*out, Difference{Path: at, Got: text(gv)})
				default:
					compare(at, wv, gv, out)
				}
			}
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			for i := range max(len(w), len(g)) {
				at := path + "/" + strconv.Itoa(i)
				switch {
				case i >= len(g):
					*out = append(*out, Difference{Path: at, Want: text(w[i])})
				case i >= len(w):
					*out = append(*out, Difference{Path: at, Got: text(g[i])})
				default:
					compare(at, w[i], g[i], out)
				}
			}
			return
		}
	case json.Number:
		if g, ok := got.(json.Number); ok {
			a, okA := new(big.Rat).SetString(w.String())
			b, okB := new(big.Rat).SetString(g.String())
			if okA && okB && a.Cmp(b) == 0 {
				return
			}
		}
	default:
		if want == got {
			return
		}
	}
	*out = append(*out, Difference{Path: path, Want: text(want), Got: text(got)})
}

// text is a value as compact JSON.
func text(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
