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
type veil struct {
	t    *contract.Type
	sees reeve.Class
	out  []veiled
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
			n := strconv.Itoa(i)
			v.take(at+"/"+n, append(slices.Clone(toks), n), append(slices.Clone(lists), len(in)), x)
		}
	}
}

// uncover puts back what cover took out, and says why it cannot.
func (v *veil) uncover(doc any) (any, string) {
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
