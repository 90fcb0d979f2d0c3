package workbench

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// veil takes out of a record what is above a class before a person's map sees it,
// and puts it back afterwards: else a map could copy what its author may not see
// into a field that is shown.
//
// An item of a list that something was taken out of carries a mark meanwhile. What
// was taken out is put back only where every such item stands where it stood: else it
// would become that of another item.
type veil struct {
	t     *contract.Type
	sees  reeve.Class
	out   []veiled
	mark  string     // name of the field that marks an item; no record has it
	items [][]string // where marked items stand
}

// veiled is one value that was taken out.
type veiled struct {
	toks  []string
	lists []int // length of the list at each step, -1 where there is none
	v     any
}

// cover returns the record without what is above the class.
func (v *veil) cover(body []byte) (json.RawMessage, error) {
	doc, err := rawjson.Decode(body)
	if err != nil {
		return nil, err
	}
	for v.mark = "reeve:item"; bytes.Contains(body, []byte(v.mark)); v.mark += "+" {
	}
	v.take("", nil, nil, doc)
	if len(v.out) == 0 {
		return body, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err = enc.Encode(doc)
	return bytes.TrimSpace(buf.Bytes()), err
}

func (v *veil) take(at string, toks []string, lists []int, in any) {
	switch in := in.(type) {
	case map[string]any:
		for k, x := range in {
			here, path := at+"/"+quarantine.Escape(k), append(slices.Clone(toks), k)
			steps := append(slices.Clone(lists), -1)
			if v.t.ClassOf(here) > v.sees {
				v.out = append(v.out, veiled{path, steps, x})
				delete(in, k)
				continue
			}
			v.take(here, path, steps, x)
		}
	case []any:
		for i, x := range in {
			n, before := strconv.Itoa(i), len(v.out)
			path := append(slices.Clone(toks), n)
			v.take(at+"/"+n, path, append(slices.Clone(lists), len(in)), x)
			if item, ok := x.(map[string]any); ok && len(v.out) > before {
				item[v.mark] = strconv.Itoa(len(v.items))
				v.items = append(v.items, path)
			}
		}
	}
}

const otherItems = "the correction moves, copies or makes anew items of a list that hold fields that you may not see: change fields of the items, and leave each where it is"

// unmark takes the marks off, and says why it cannot: a marked item is not where it
// was, or its mark is somewhere else as well.
func (v *veil) unmark(doc any, body []byte) string {
	if bytes.Count(body, []byte(v.mark)) != len(v.items) {
		return otherItems
	}
	for i, path := range v.items {
		at := doc
		for _, tok := range path {
			switch in := at.(type) {
			case map[string]any:
				at = in[tok]
			case []any:
				n, err := strconv.Atoi(tok)
				if err != nil || n >= len(in) {
					return otherItems
				}
				at = in[n]
			default:
				return otherItems
			}
		}
		item, ok := at.(map[string]any)
		if !ok || item[v.mark] != strconv.Itoa(i) {
			return otherItems
		}
		delete(item, v.mark)
	}
	return ""
}

// uncover puts back what cover took out, and says why it cannot.
func (v *veil) uncover(body []byte) (any, string) {
	doc, err := rawjson.Decode(body)
	if err != nil {
		return nil, "the correction makes something that is not well-formed"
	}
	if why := v.unmark(doc, body); why != "" {
		return nil, why
	}
	for _, h := range v.out {
		at := doc
		for i, tok := range h.toks {
			last := i == len(h.toks)-1
			switch in := at.(type) {
			case map[string]any:
				if h.lists[i] >= 0 {
					return nil, "the correction changes the shape of what holds a field that you may not see"
				}
				if last {
					if _, there := in[tok]; there {
						return nil, "the correction changes a field that you may not see"
					}
					in[tok] = h.v
				}
				at = in[tok]
			case []any:
				n, err := strconv.Atoi(tok)
				if err != nil || h.lists[i] != len(in) || n >= len(in) {
					return nil, "the correction changes a list that holds fields that you may not see"
				}
				at = in[n]
			default:
				return nil, "the correction removes what holds a field that you may not see"
			}
		}
	}
	return doc, ""
}
