package ui

import (
	"strings"

	"github.com/a-h/templ"
)

func (o ButtonOptions) attrs() templ.Attributes {
	a := attrs(o.Attributes, "class", join("govuk-button", o.Classes, when(o.IsStartButton, "govuk-button--start")), "data-module", "govuk-button", "id", o.ID)
	if o.Href != "" {
		return a
	}
	return attrs(a, "type", or(o.Type, "submit"), "name", o.Name, "value", o.Value, "disabled", o.Disabled,
		"aria-disabled", when(o.Disabled, "true"), "data-prevent-double-click", o.PreventDoubleClick)
}

func (o NotificationBannerOptions) role() string {
	if o.Role != "" {
		return o.Role
	}
	if o.Type == "success" {
		return "alert"
	}
	return "region"
}

func (o NotificationBannerOptions) titleID() string {
	return or(o.TitleID, "govuk-notification-banner-title")
}

func (o NotificationBannerOptions) title() string {
	if o.Type == "success" {
		return or(o.TitleText, "Success")
	}
	return or(o.TitleText, "Important")
}

func headingLevel(level, other int) int {
	if level == 0 {
		return other
	}
	return level
}

func (o PanelOptions) interrupts() bool {
	return strings.Contains(o.Classes, "govuk-panel--interruption")
}
