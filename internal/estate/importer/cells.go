package importer

import (
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// cells is a row by field, with the words of a system's fields.
type cells struct{ *sheet.Line }

// choose reads one word of the field's vocabulary.
func (r cells) choose(f string) string {
	v := r.Get(f)
	if v == "" {
		return ""
	}
	word, err := choice(f, v)
	if err != nil {
		r.Say(f, "%v", err)
	}
	return word
}

// several reads words of the field's vocabulary.
func (r cells) several(f string) []string {
	v := r.Get(f)
	if v == "" {
		return nil
	}
	if word, err := choice(f, v); err == nil {
		return []string{word}
	}
	var out []string
	for _, part := range sheet.Split(v) {
		word, err := choice(f, part)
		if err != nil {
			r.Say(f, "%v", err)
		} else if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
