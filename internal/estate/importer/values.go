package importer

import (
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// known reports whether a cell says something. "TBC", "n/a" and the like are
// ways to say that nobody knows.
func known(s string) bool {
	switch strings.ToLower(strings.Trim(s, " .?!*()[]")) {
	case "", "-", "--", "–", "—", "n/a", "na", "n.a", "none known", "tbc", "tbd", "tba", "unknown", "not known", "null", "nil known", "not applicable", "to be confirmed", "not recorded", "#n/a", "#ref", "#value", "#name", "nan":
		return false
	}
	return true
}

// clean makes one line of a cell: no control characters, one space between words.
func clean(s string) string {
	s = strings.NewReplacer(`\n`, " ", "\u00a0", " ", "\u200b", "", "\ufeff", "").Replace(s)
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// words normalises a word or two for a look-up: "On-Premises" is "on premises".
func words(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127)
	}), " ")
}

var (
	dayMonthYear = regexp.MustCompile(`^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4}|\d{2})$`)
	isoDate      = regexp.MustCompile(`^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})([T ].*)?$`)
	timeOfDay    = regexp.MustCompile(`^(.*\d{4}) \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?$`)
	monthYear    = regexp.MustCompile(`^([A-Za-z]{3,9})[ \-/']*(\d{4}|\d{2})$`)
	ordinal      = regexp.MustCompile(`(?i)\b(\d{1,2})(st|nd|rd|th)\b`)
)

// date reads a date as British and ISO spreadsheets write them, and the serial
// numbers that Excel stores. end says that a month alone means its last day.
func date(s string, monthFirst, is1904, end bool) (d def.Date, note string, err error) {
	s = clean(s)
	if m := timeOfDay.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	if m := isoDate.FindStringSubmatch(s); m != nil {
		d, err = civil(m[1], m[2], m[3])
		return d, "", err
	}
	if m := dayMonthYear.FindStringSubmatch(s); m != nil {
		day, month := m[1], m[2]
		if monthFirst {
			day, month = month, day
		}
		if d, err = civil(m[3], month, day); err == nil {
			return d, "", nil
		}
		if _, swapped := civil(m[3], day, month); swapped == nil {
			other, say := "day", "month-first"
			if monthFirst {
				other, say = "month", "day-first"
			}
			return d, "", fmt.Errorf("%q is not a date with the %s first; if the file writes it the other way round, put \"dates: %s\" in the mapping", s, other, say)
		}
		return d, "", err
	}
	if n, e := strconv.ParseFloat(s, 64); e == nil {
		return serial(n, is1904)
	}
	text := clean(strings.ReplaceAll(ordinal.ReplaceAllString(s, "$1"), ",", " "))
	for _, layout := range []string{"2 January 2006", "2 Jan 2006", "2-Jan-2006", "2-January-2006", "2/Jan/2006", "2 Jan 06", "2-Jan-06", "January 2 2006", "Jan 2 2006", "Monday 2 January 2006", "Mon 2 Jan 2006", "Mon 2 January 2006", "Monday 2 Jan 2006"} {
		if t, e := time.Parse(layout, text); e == nil {
			return def.DateOf(t), "", nil
		}
	}
	if m := monthYear.FindStringSubmatch(s); m != nil {
		for _, layout := range []string{"January 2006", "Jan 2006", "January 06", "Jan 06"} {
			t, e := time.Parse(layout, m[1]+" "+m[2])
			if e != nil {
				continue
			}
			if end {
				t = t.AddDate(0, 1, -1)
			}
			d = def.DateOf(t)
			return d, fmt.Sprintf("%q names no day: %s was taken", s, d), nil
		}
	}
	return d, "", fmt.Errorf("%q is not a date that was understood: write it like 31/03/2027 or 2027-03-31", s)
}

func civil(y, m, d string) (def.Date, error) {
	if len(y) == 2 { // as Excel does
		if y < "70" {
			y = "20" + y
		} else {
			y = "19" + y
		}
	}
	iso := fmt.Sprintf("%s-%02s-%02s", y, m, d)
	if len(m) == 1 {
		m = "0" + m
	}
	if len(d) == 1 {
		d = "0" + d
	}
	v, err := def.ParseDate(y + "-" + m + "-" + d)
	if err != nil {
		return v, fmt.Errorf("%q is not a date that exists", strings.ReplaceAll(iso, " ", "0"))
	}
	return v, nil
}

// serial reads the number of a day as Excel counts: 1 is 1900-01-01, and 60 the
// 29 February 1900 that never was.
func serial(n float64, is1904 bool) (def.Date, string, error) {
	if !(n >= 10_000 && n < 110_000) { // 1927 to 2201; other numbers are not meant as dates
		return def.Date{}, "", fmt.Errorf("%s is a number, not a date", strconv.FormatFloat(n, 'f', -1, 64))
	}
	base := def.Date{Year: 1899, Month: 12, Day: 30}
	if is1904 {
		base = def.Date{Year: 1904, Month: 1, Day: 1}
	}
	return base.AddDays(int(n)), "", nil
}

var (
	perYear  = regexp.MustCompile(`(?i)\s*(p\.?a\.?|per year|per annum|a year|/ ?y(ea)?r|annual(ly)?|/annum|exc?\.? ?vat|ex vat|\+ ?vat|inc\.? ?vat)\s*`)
	grouped  = regexp.MustCompile(`^\d{1,3}(,\d{3})+(\.\d+)?$`)
	plain    = regexp.MustCompile(`^\d+(\.\d+)?(e[+-]?\d{1,2})?$`)
	currency = regexp.MustCompile(`(?i)^(gbp|£)\s*|\s*(gbp|£)$`)
)

// money reads an amount into minor units. times is 1, or 1000 for a column that
// counts in thousands.
func money(s string, times int64) (minor int64, err error) {
	v := strings.ToLower(clean(perYear.ReplaceAllString(clean(s), " ")))
	switch v {
	case "free", "nil", "no cost", "none", "zero", "£nil":
		return 0, nil
	}
	v = currency.ReplaceAllString(v, "")
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "-") || strings.HasPrefix(v, "(") {
		return 0, fmt.Errorf("%q is a negative amount", s)
	}
	if strings.ContainsAny(v, "€$") || strings.HasPrefix(v, "eur") || strings.HasPrefix(v, "usd") {
		return 0, fmt.Errorf("%q is in another currency: write pounds", s)
	}
	scale := int64(1)
	for _, unit := range []struct {
		suffix string
		times  int64
	}{{"million", 1e6}, {"mn", 1e6}, {"m", 1e6}, {"thousand", 1e3}, {"k", 1e3}} {
		if rest, ok := strings.CutSuffix(v, unit.suffix); ok {
			v, scale = strings.TrimSpace(rest), unit.times
			break
		}
	}
	if grouped.MatchString(v) {
		v = strings.ReplaceAll(v, ",", "")
	}
	if !plain.MatchString(v) {
		return 0, fmt.Errorf("%q is not an amount that was understood: write it like 12000 or £12,000.50", s)
	}
	if scale == 1 {
		scale = times
	}
	amount, ok := new(big.Rat).SetString(v)
	if !ok {
		return 0, fmt.Errorf("%q is not an amount", s)
	}
	amount.Mul(amount, big.NewRat(scale*100, 1))
	// Excel stores 12000.1 as 12000.100000000001: forgive a thousandth of a penny.
	nearest := new(big.Int).Div(new(big.Int).Add(new(big.Int).Mul(amount.Num(), big.NewInt(2)), amount.Denom()), new(big.Int).Mul(amount.Denom(), big.NewInt(2)))
	off := new(big.Rat).Sub(amount, new(big.Rat).SetInt(nearest))
	if off.Abs(off).Cmp(big.NewRat(1, 1000)) > 0 {
		return 0, fmt.Errorf("%q has more than two decimals", s)
	}
	if !nearest.IsInt64() || nearest.Int64() > 1e12 {
		return 0, fmt.Errorf("%q is more than a system can cost", s)
	}
	return nearest.Int64(), nil
}

// count reads a whole number: "1,200" or "1200.0".
func count(s string) (int, error) {
	v := strings.TrimSuffix(clean(s), ".0")
	if grouped.MatchString(v) {
		v = strings.ReplaceAll(v, ",", "")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 100_000_000 {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

var length = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?(hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|mths?|m|years?|y)?$`)

// span reads a length of time in the unit given ("hour" or "day"), which is also
// what a bare number counts.
func span(s, unit string) (int, error) {
	m := length.FindStringSubmatch(strings.ToLower(clean(s)))
	if m == nil {
		return 0, fmt.Errorf("%q is not a number of %ss", s, unit)
	}
	n, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return 0, fmt.Errorf("%q is not a number of %ss", s, unit)
	}
	hours := map[byte]int64{'h': 1, 'd': 24, 'w': 168, 'm': 730, 'y': 8760}
	if m[2] != "" {
		n.Mul(n, big.NewRat(hours[m[2][0]], hours[unit[0]]))
		if m[2][0] == 'm' && !n.IsInt() { // months differ: rather a day too many than too few
			n.SetInt(new(big.Int).Add(new(big.Int).Div(n.Num(), n.Denom()), big.NewInt(1)))
		}
	}
	if !n.IsInt() || !n.Num().IsInt64() || n.Num().Int64() > 100_000 {
		return 0, fmt.Errorf("%q is not a whole number of %ss", s, unit)
	}
	return int(n.Num().Int64()), nil
}

// yes reads yes or no.
func yes(s string) (bool, error) {
	switch words(s) {
	case "yes", "y", "true", "1", "x", "t":
		return true, nil
	case "no", "n", "false", "0", "f", "none":
		return false, nil
	}
	if slices.Contains([]string{"✓", "✔", "☑"}, strings.TrimSpace(s)) {
		return true, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// address reads a web address.
func address(s string) (string, error) {
	v := clean(s)
	if strings.HasPrefix(strings.ToLower(v), "www.") {
		v = "https://" + v
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not a web address", s)
	}
	return v, nil
}

// The words that people write for the values of a field.
func vocabulary(f field) map[string]string {
	switch f {
	case fieldHosting:
		return map[string]string{
			"saas": "saas", "software as a service": "saas", "saas cloud": "saas", "cloud saas": "saas", "vendor saas": "saas", "hosted saas": "saas",
			"paas": "paas", "platform as a service": "paas", "cloud paas": "paas", "heroku": "paas", "app service": "paas",
			"iaas": "public-cloud", "public cloud": "public-cloud", "azure": "public-cloud", "aws": "public-cloud", "amazon web services": "public-cloud", "gcp": "public-cloud",
			"google cloud": "public-cloud", "microsoft azure": "public-cloud", "cloud iaas": "public-cloud", "infrastructure as a service": "public-cloud",
			"private cloud": "private-cloud", "shared data centre": "private-cloud", "co location": "private-cloud", "colocation": "private-cloud", "colo": "private-cloud", "supplier data centre": "private-cloud", "vendor data centre": "private-cloud",
			"on premise": "on-premise", "on premises": "on-premise", "on prem": "on-premise", "onprem": "on-premise", "onsite": "on-premise", "on site": "on-premise", "in house": "on-premise", "internal": "on-premise", "local": "on-premise",
			"data centre": "on-premise", "datacentre": "on-premise", "data center": "on-premise", "server room": "on-premise", "council data centre": "on-premise", "own servers": "on-premise", "physical": "on-premise",
		}
	case fieldPhase:
		return map[string]string{
			"live": "live", "in use": "live", "production": "live", "active": "live", "in production": "live", "in service": "live", "operational": "live", "current": "live", "bau": "live",
			"pilot": "pilot", "trial": "pilot", "poc": "pilot", "beta": "pilot", "proof of concept": "pilot", "alpha": "pilot",
			"planned": "planned", "in procurement": "planned", "procurement": "planned", "in development": "planned", "development": "planned", "in build": "planned", "project": "planned", "future": "planned", "implementation": "planned",
			"retiring": "retiring", "decommissioning": "retiring", "sunset": "retiring", "phasing out": "retiring", "to be retired": "retiring", "end of life": "retiring", "being replaced": "retiring", "to be replaced": "retiring", "to be decommissioned": "retiring",
			"retired": "retired", "decommissioned": "retired", "closed": "retired", "switched off": "retired", "archived": "retired", "inactive": "retired", "obsolete": "retired",
		}
	case fieldClients:
		return map[string]string{
			"browser": "browser", "web": "browser", "web browser": "browser", "web based": "browser", "web app": "browser", "web application": "browser", "website": "browser",
			"app": "app", "mobile": "app", "mobile app": "app", "ios": "app", "android": "app", "tablet app": "app",
			"desktop": "desktop", "client": "desktop", "thick client": "desktop", "fat client": "desktop", "windows": "desktop", "installed": "desktop", "desktop client": "desktop", "windows client": "desktop", "client server": "desktop",
			"citrix": "remote-desktop", "rds": "remote-desktop", "remote desktop": "remote-desktop", "vdi": "remote-desktop", "avd": "remote-desktop",
			"terminal": "terminal", "green screen": "terminal", "telnet": "terminal", "emulator": "terminal",
		}
	case fieldAuth:
		return map[string]string{
			"oidc": "oidc", "openid connect": "oidc", "entra": "oidc", "entra id": "oidc", "azure ad": "oidc", "aad": "oidc", "azure ad sso": "oidc", "microsoft entra id": "oidc",
			"saml": "saml", "adfs": "saml", "saml2": "saml", "saml 2 0": "saml",
			"ldap": "ldap", "ad": "ldap", "active directory": "ldap", "windows authentication": "ldap", "kerberos": "ldap", "ntlm": "ldap",
			"password": "password", "local": "password", "own": "password", "username and password": "password", "local accounts": "password", "user name and password": "password", "forms": "password", "application": "password",
			"certificate": "certificate", "smart card": "certificate", "smartcard": "certificate", "nhs smartcard": "certificate",
			"none": "none", "no": "none", "anonymous": "none", "open": "none",
		}
	case fieldAudience:
		return map[string]string{
			"public": "public", "residents": "public", "citizens": "public", "citizen": "public", "customers": "public", "customer": "public", "external": "public", "resident": "public", "businesses": "public", "public facing": "public", "customer facing": "public",
			"staff": "staff", "internal": "staff", "employees": "staff", "officers": "staff", "back office": "staff", "corporate": "staff",
			"partner": "partner", "partners": "partner", "suppliers": "partner", "schools": "partner", "agencies": "partner",
		}
	case fieldClass:
		return map[string]string{
			"public": "public", "open": "public", "unclassified": "public", "not sensitive": "public",
			"internal": "internal", "official": "internal", "protected a": "internal", "low": "internal",
			"confidential": "confidential", "official sensitive": "confidential", "sensitive": "confidential", "personal": "confidential", "personal data": "confidential", "pii": "confidential", "protected b": "confidential", "medium": "confidential",
			"restricted": "restricted", "secret": "restricted", "special category": "restricted", "special category data": "restricted", "official sensitive personal": "restricted", "protected c": "restricted", "highly sensitive": "restricted", "high": "restricted",
		}
	case fieldAPI:
		return map[string]string{
			"documented": "documented", "documented api": "documented", "open api": "documented", "openapi": "documented", "published": "documented", "public api": "documented", "rest documented": "documented",
			"undocumented": "undocumented", "yes undocumented": "undocumented", "proprietary": "undocumented", "supplier only": "undocumented",
			"none": "none", "no": "none", "n": "none", "no api": "none", "false": "none", "0": "none",
		}
	}
	return nil
}

// choice looks a value up in a field's vocabulary.
func choice(f field, s string) (string, error) {
	vocab := vocabulary(f)
	if v, ok := vocab[words(s)]; ok {
		return v, nil
	}
	var values []string
	for _, v := range vocab {
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	hint := ""
	switch w := words(s); {
	case f == fieldHosting && (strings.Contains(w, "cloud") || strings.Contains(w, "hosted")):
		hint = ": it may mean software as a service, a platform, or rented servers"
	case f == fieldAuth && strings.Contains(w, "sso"):
		hint = ": say by which protocol"
	case f == fieldAPI:
		hint = ": whether there is an API is not enough, it matters whether it is documented"
	}
	return "", fmt.Errorf("%q was not understood%s; write one of %s", clean(s), hint, strings.Join(values, ", "))
}

// list splits a cell that names several things.
func list(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || r == '|' || r == '/' || r == '\n' || r == '+' }) {
		if part = clean(part); known(part) {
			out = append(out, part)
		}
	}
	return out
}
