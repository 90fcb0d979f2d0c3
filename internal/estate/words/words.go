// Package words puts what definitions hold into plain words, in one way for all
// pages of the estate: values of a vocabulary, posts, dates, counts, costs.
package words

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Href is the page of something of a kind; "" where that kind has none.
func Href(kind, id string) string {
	at, ok := pages[kind]
	if !ok {
		return ""
	}
	return at + url.PathEscape(id)
}

var pages = map[string]string{
	"System": "/staff/estate/systems/", "Capability": "/staff/estate/capabilities/", "Standard": "/staff/estate/standards/", "SupplierContract": "/staff/estate/spend/contracts/",
	"Asset": "/staff/estate/assets/", "Objective": "/staff/estate/objectives/", "RoadmapItem": "/staff/estate/roadmap/items/", "Measure": "/staff/estate/measures/",
	"IntakeRequest": "/staff/requests/", "Board": "/staff/boards/", "Service": "/staff/services/", "Flow": "/staff/flows/",
}

// SystemHref is the page of a system.
func SystemHref(id string) string { return Href("System", id) }

// CapabilityHref is the page of a capability.
func CapabilityHref(id string) string { return Href("Capability", id) }

// StandardHref is the page of a standard.
func StandardHref(id string) string { return Href("Standard", id) }

// Date is a day in words: "2 January 2026".
func Date(d def.Date) string { return ui.DateText(d.Time(time.UTC)) }

// Count is a number with what it counts: "1 system", "3 systems".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Count(int64(n)) + " " + many
}

// Percent is a share in whole percent, as every page says it: rounded, but all and
// nothing are only said where they are true.
func Percent(n, of int) string {
	switch p := (n*100 + of/2) / max(of, 1); {
	case of <= 0:
		return "not known"
	case n > 0 && n < of:
		return fmt.Sprintf("%d%%", min(max(p, 1), 99))
	default:
		return fmt.Sprintf("%d%%", p)
	}
}

// Length is a length of time in its largest whole unit, to stand after "every":
// "day", "2 weeks", "36 hours".
func Length(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		word string
	}{{7 * 24 * time.Hour, "week"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := int(d / u.d); {
		case d%u.d != 0 || n == 0:
		case n == 1:
			return u.word
		default:
			return Count(n, u.word, u.word+"s")
		}
	}
	return d.String()
}

// Period is from one day to another, of which either may be open.
func Period(from, to def.Date) string {
	switch {
	case from.IsZero() && to.IsZero():
		return ""
	case to.IsZero():
		return "From " + Date(from)
	case from.IsZero():
		return "Until " + Date(to)
	}
	return Date(from) + " to " + Date(to)
}

// Days is how far off a day is: "today", "in 3 days", "2 days ago".
func Days(n int) string {
	switch {
	case n == 0:
		return "today"
	case n < 0:
		return Count(-n, "day ago", "days ago")
	}
	return "in " + Count(n, "day", "days")
}

// Or is s, or other where there is none.
func Or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// List joins a few things as a sentence does: "a, b and c".
func List(things []string) string {
	switch n := len(things); n {
	case 0:
		return ""
	case 1:
		return things[0]
	default:
		return strings.Join(things[:n-1], ", ") + " and " + things[n-1]
	}
}

// Few is List of the first n, and how many more there are.
func Few(things []string, n int) string {
	if more := len(things) - n; more > 0 {
		return strings.Join(things[:n], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return List(things)
}

// Post is a post in words: "post-revenues-manager" is "Revenues manager". A name
// that is written out stays as it is.
func Post(id string) string {
	rest, ok := strings.CutPrefix(id, "post-")
	if !ok || rest == "" {
		return id
	}
	words := strings.Fields(ui.Words(rest))
	for i, w := range words {
		if strings.Contains(" gis hr it ict foi crm ", " "+w+" ") {
			words[i] = strings.ToUpper(w)
		}
	}
	return ui.Capital(strings.Join(words, " "))
}

// Source is where a standard or an objective comes from, in words:
// "briggs/cloud-native" is "Briggs: cloud native".
func Source(s string) string {
	who, what, ok := strings.Cut(s, "/")
	if !ok || strings.ContainsAny(s, " :") {
		return s
	}
	return ui.Capital(ui.Words(who)) + ": " + ui.Words(what)
}

// Value puts a value of a vocabulary into words; a value that is none stays.
func Value(v string) string {
	if w, ok := vocabulary[v]; ok {
		return w
	}
	return v
}

var vocabulary = map[string]string{
	"saas": "Software as a service", "paas": "Platform as a service", "public-cloud": "Public cloud",
	"private-cloud": "Private cloud", "on-premise": "Our own premises",
	"oidc": "single sign-on (OpenID Connect)", "saml": "single sign-on (SAML)", "ldap": "the directory (LDAP)",
	"password": "its own passwords", "certificate": "certificates", "none": "no sign-in",
	"remote-desktop": "remote desktop", "desktop": "an installed program", "app": "an app", "browser": "a browser", "terminal": "a terminal",
	"public": "the public", "partner": "partners", "unknown": "Not known",
	"api": "API", "db": "database", "ui-scrape": "screen scraping",
	"under-way": "under way", "in-use": "in use", "true": "yes", "false": "no",
}

// Values puts several values into words.
func Values(vs []string) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = Value(v)
	}
	return ui.Capital(strings.Join(out, ", "))
}

// Result is the result of a standard in words, and the tone of its tag.
func Result(f standard.Finding) (string, ui.Tone) {
	switch f.Result {
	case standard.Pass:
		return "Met", ui.Good
	case standard.Fail:
		return "Not met", ui.Bad
	case standard.Waived:
		if f.Ending {
			return "Waived, ending soon", ui.Waiting
		}
		return "Waived", ui.Special
	}
	return "Not known", ui.Quiet
}

// Field is the name of a field of a definition in words, to stand before a colon:
// "spec.lifecycle.phase" is "the phase of its life".
func Field(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "self."), "spec."), "facts.")
	if w, ok := fields[path]; ok {
		return w
	}
	var b strings.Builder
	for i, r := range path {
		switch {
		case r == '.':
			b.WriteString(", ")
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte(' ')
			fallthrough
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

var fields = map[string]string{
	"hosting": "where it runs", "hostingReason": "why it runs there", "clients": "what people use it with",
	"audience": "whom it serves", "lifecycle.phase": "the phase of its life", "lifecycle.end": "when it ends",
	"lifecycle.successor": "what follows it", "auth.methods": "how people sign in", "auth.identity": "how well people are checked (0 to 3)",
	"auth.authn": "how strong the sign-in is (0 to 3)", "owner": "who answers for it", "deputy": "who answers for the owner",
	"organisation": "whose it is", "capabilities": "what it does for us", "api": "whether it has a documented API",
	"channels": "how people reach it", "channels.online": "where people can do it for themselves", "data.class": "how sensitive its data is",
	"data.personal": "whether it holds data about people", "continuity.restoreTested": "when a restore was last tried",
	"continuity.rtoHours": "how soon it must be back", "cost": "what it costs", "term": "its term", "term.ends": "when it ends",
	"term.noticeDays": "the notice to give", "seats": "how many may use it", "supplier": "who supplies it", "systems": "which systems it pays for",
	"exit": "how to leave", "exit.tested": "when leaving was last tried", "exit.dataExport": "how data can be taken out",
	"documentedInterfaces": "documented interfaces", "requiredIdentity": "how well people must be checked for its data (0 to 3)",
	"requiredAuthn": "how strong the sign-in must be for its data (0 to 3)", "peersInCapability": "other systems that do the same",
	"sharedCapabilitiesDuplicated": "building blocks of its own although a shared one was chosen", "selfServiceChannels": "ways to do it for oneself",
	"genericCapabilities": "building blocks that it provides", "daysToNotice": "days until notice must be given",
	"restoreTestAgeDays": "days since a restore was last tried", "exitTestAgeDays": "days since leaving was last tried",
	"kevOpenPastDue": "exploited weaknesses past their date", "daysToEol": "days until support ends", "ours": "ours", "inUse": "in use",
}

var aPath = regexp.MustCompile(`\b(?:self\.)?spec\.[A-Za-z.]*[A-Za-z]`)

// Ask puts what must be done to know something into words: "declare
// spec.hosting" is "say where it runs".
func Ask(text string) string {
	if !aPath.MatchString(text) {
		return text
	}
	return strings.Replace(aPath.ReplaceAllStringFunc(text, Field), "declare ", "say ", 1)
}

// Looked is something that a rule looked at, in words: "where it runs: Our own
// premises".
func Looked(path, value string) string {
	value = strings.Trim(value, `"`)
	if strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]") {
		var vs []string
		for v := range strings.SplitSeq(strings.Trim(value, "[]"), ",") {
			if v = strings.Trim(strings.TrimSpace(v), `"`); v != "" {
				vs = append(vs, Value(v))
			}
		}
		value = Or(List(vs), "nothing")
	}
	return Field(path) + ": " + Value(value)
}
