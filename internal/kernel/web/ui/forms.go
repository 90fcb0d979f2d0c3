package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// labels returns p as the label for the control with this id.
func (p Part) labels(id string) Part {
	p.For = id
	return p
}

// describe is the aria-describedby of a control or fieldset.
func describe(f *FieldsetOptions, more, id string, hint, err Part) string {
	if f != nil && f.DescribedBy != "" {
		more = f.DescribedBy
	}
	return join(more, when(hint.given(), id+"-hint"), when(err.given(), id+"-error"))
}

// chosen is the explicit choice where there is one.
func chosen(explicit *bool, byValue bool) bool {
	if explicit != nil {
		return *explicit
	}
	return byValue
}

func has(values []string, v string) bool { return slices.Contains(values, v) }

func (o InputOptions) id() string { return or(o.ID, o.Name) }

func (o InputOptions) wrapped() bool {
	return o.Prefix.given() || o.Suffix.given() || o.FormGroup.BeforeInput.given() || o.FormGroup.AfterInput.given()
}

func (o InputOptions) attrs() templ.Attributes {
	return attrs(o.Attributes,
		"class", join("govuk-input", o.Classes, when(o.ErrorMessage.given(), "govuk-input--error")),
		"id", o.id(), "name", o.Name, "type", or(o.Type, "text"), "spellcheck", o.Spellcheck, "value", o.Value,
		"disabled", o.Disabled, "aria-describedby", describe(nil, o.DescribedBy, o.id(), o.Hint, o.ErrorMessage),
		"autocomplete", o.Autocomplete, "autocapitalize", o.Autocapitalize, "pattern", o.Pattern, "inputmode", o.Inputmode)
}

func (o TextareaOptions) attrs() templ.Attributes {
	id, rows := or(o.ID, o.Name), o.Rows
	if rows == 0 {
		rows = 5
	}
	return attrs(o.Attributes,
		"class", join("govuk-textarea", when(o.ErrorMessage.given(), "govuk-textarea--error"), o.Classes),
		"id", id, "name", o.Name, "rows", rows, "spellcheck", o.Spellcheck, "disabled", o.Disabled,
		"aria-describedby", describe(nil, o.DescribedBy, id, o.Hint, o.ErrorMessage), "autocomplete", o.Autocomplete)
}

func (o SelectOptions) attrs() templ.Attributes {
	id := or(o.ID, o.Name)
	return attrs(o.Attributes,
		"class", join("govuk-select", o.Classes, when(o.ErrorMessage.given(), "govuk-select--error")),
		"id", id, "name", o.Name, "disabled", o.Disabled,
		"aria-describedby", describe(nil, o.DescribedBy, id, o.Hint, o.ErrorMessage))
}

func plural(kind string) string {
	if kind == "radio" {
		return "govuk-radios"
	}
	return "govuk-checkboxes"
}

// itemID is the id of item number i: the first has no number, so that an error
// summary can link to the group by its prefix.
func itemID(it ChoiceItem, prefix string, i int) string {
	if it.ID != "" {
		return it.ID
	}
	if i == 0 {
		return prefix
	}
	return fmt.Sprintf("%s-%d", prefix, i+1)
}

func (it ChoiceItem) attrs(id, describedBy string, checked bool) templ.Attributes {
	return attrs(it.Attributes, "checked", checked, "disabled", it.Disabled,
		"data-aria-controls", when(it.Conditional != nil, "conditional-"+id), "data-behaviour", it.Behaviour,
		"aria-describedby", join(describedBy, when(it.Hint.given(), id+"-item-hint")))
}

func (o CheckboxesOptions) describedBy() string {
	return describe(o.Fieldset, o.DescribedBy, or(o.IDPrefix, o.Name), o.Hint, o.ErrorMessage)
}

// itemDescribedBy is what each checkbox says where no fieldset can.
func (o CheckboxesOptions) itemDescribedBy() string {
	if o.Fieldset != nil {
		return ""
	}
	return o.describedBy()
}

// inputs are the fields of a date.
func (o DateInputOptions) inputs() []InputOptions {
	items := o.Items
	if len(items) == 0 {
		for _, it := range []struct {
			given *DateItem
			name  string
		}{{o.Day, "day"}, {o.Month, "month"}, {o.Year, "year"}} {
			item := DateItem{}
			if it.given != nil {
				item = *it.given
			}
			item.Name = or(item.Name, it.name)
			items = append(items, item)
		}
	}
	marked := false // some item says that it is the wrong one
	for _, it := range items {
		marked = marked || it.Error != nil && *it.Error || strings.Contains(it.Classes, "govuk-input--error")
	}
	prefix := ""
	if o.NamePrefix != "" {
		prefix = o.NamePrefix + "-"
	}
	ins := make([]InputOptions, len(items))
	for i, it := range items {
		wrong := it.Error != nil && *it.Error || it.Error == nil && o.ErrorMessage.given() && !marked
		width := when(!strings.Contains(it.Classes, "govuk-input--width-"), o.width(it.Name))
		ins[i] = InputOptions{
			Label:        Part{Text: or(it.Label, Capital(strings.ToLower(it.Name))), Classes: "govuk-date-input__label"},
			ID:           or(it.ID, o.ID+"-"+it.Name),
			Name:         prefix + it.Name,
			Value:        or(it.Value, or(o.Values[prefix+it.Name], o.Values[it.Name])),
			Classes:      join("govuk-date-input__input", when(wrong && !strings.Contains(it.Classes, "govuk-input--error"), "govuk-input--error"), width, it.Classes),
			Inputmode:    or(it.Inputmode, "numeric"),
			Pattern:      it.Pattern,
			Autocomplete: it.Autocomplete,
			Attributes:   it.Attributes,
		}
	}
	return ins
}

func (o DateInputOptions) width(name string) string {
	if name == "year" || o.Year != nil && name == o.Year.Name {
		return "govuk-input--width-4"
	}
	return "govuk-input--width-2"
}
