package notify

import (
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// TemplateSpec is a message that is sent to people: what `kind: Template` says.
type TemplateSpec struct {
	Channel         string   `json:"channel" def:"required,enum=email|sms|letter" doc:"How it is sent."`
	NotifyID        string   `json:"notifyId" doc:"Id of the same template in GOV.UK Notify (a UUID). Without it, an email goes by SMTP."`
	Subject         string   `json:"subject" doc:"Subject of an email or heading of a letter; ((name)) is filled in."`
	Body            string   `json:"body" def:"required" doc:"The text; ((name)) is filled in. Under Notify it is what people here see; Notify's own template is what is sent."`
	Personalisation []string `json:"personalisation" doc:"Names of everything in double brackets."`
}

// Kinds are the definitions of this room.
func Kinds() []def.Kind {
	return []def.Kind{{
		Name: "Template", Spec: new(TemplateSpec), Check: checkTemplate,
		Doc: "A message to people, with the names of what is filled in.",
	}}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func checkTemplate(c *def.Checker, o *def.Object) {
	s := o.Spec.(*TemplateSpec)
	if s.NotifyID != "" && !uuid.MatchString(s.NotifyID) {
		c.Problem("spec.notifyId", "%q is not an id of a Notify template: copy the UUID from its page", s.NotifyID)
	}
	if s.NotifyID == "" && s.Channel != "email" {
		c.Problem("spec.channel", "a %s can only be sent by GOV.UK Notify: give its notifyId", s.Channel)
	}
	if s.Channel == "email" && s.Subject == "" {
		c.Problem("spec.channel", "an email needs a subject")
	}
	used := placeholders(s.Subject + " " + s.Body)
	for _, p := range used {
		if !slices.Contains(s.Personalisation, p) {
			c.Problem("spec.body", "((%s)) is used but is not in personalisation", p)
		}
	}
	for i, p := range s.Personalisation {
		if !slices.Contains(used, p) {
			c.Problem("spec.personalisation", "%s (number %d) is not used in the subject or body: take it out, or write ((%s))", p, i+1, p)
		}
	}
}

// placeholder is ((name)), or ((name??text shown when name is yes)).
var placeholder = regexp.MustCompile(`\(\(([^()?]+)(\?\?((?:[^)]|\)[^)])*))?\)\)`)

// placeholders returns the names in text, each once, in order.
func placeholders(text string) (names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if n := strings.TrimSpace(m[1]); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// fill puts values in; missing names the placeholders without one.
func fill(text string, values map[string]string) (filled string, missing []string) {
	filled = placeholder.ReplaceAllStringFunc(text, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		v, ok := values[strings.TrimSpace(m[1])]
		if !ok {
			missing = append(missing, strings.TrimSpace(m[1]))
			return s
		}
		if m[2] != "" {
			if v == "yes" || v == "true" {
				return m[3]
			}
			return ""
		}
		return v
	})
	return filled, missing
}
