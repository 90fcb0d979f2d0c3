package lists

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func assetColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "asset", Meanings: sheet.Means([][3]string{
		{"id", "|device id|id|asset id|uuid|host uuid|hardware id|inventory number|", ""},
		{"tag", "|asset tag|asset number|tag|asset no|barcode|label|asset|", "asset tag"},
		{"name", "|device name|name|hostname|computer name|display name|host name|asset name|device|computer|machine name|", "device name"},
		{"serial", "|serial number|serial|serial no|hardware serial|service tag|s n|serialnumber|", "serial n"},
		{"type", "|type|device type|asset type|category|class|kind|form factor|chassis type|sku family|", "asset type|device type"},
		{"maker", "|manufacturer|make|maker|vendor|hardware vendor|brand|", "manufacturer"},
		{"model", "|model|hardware model|model name|product|", ""},
		{"state", "|state|status|asset state|asset status|lifecycle|condition|", "asset stat"},
		{"holder", "|primary user upn|user principal name|primary user email address|user|assigned to|holder|owner email|email|email address|username|custodian|issued to|user email|", "assigned to|issued to|primary user upn"},
		{"site", "|site|location|office|building|site id|", "location"},
		{"os", "|os|operating system|platform|", ""},
		{"osVersion", "|os version|operating system version|version|", "os version"},
		{"bought", "|bought|purchase date|purchased|date purchased|acquired|acquisition date|order date|", "purchase date"},
		{"warranty", "|warranty|warranty end|warranty expiry|warranty expires|warranty end date|", "warranty"},
		{"lastSeen", "|last check in|last seen|last sync|last sync date time|seen time|last contact|last logon|last online|last active|", "last check|last seen"},
		{"cost", "|cost|price|purchase cost|purchase price|value|unit cost|", "purchase cost"},
		{"contract", "|contract|contract id|purchase order|po|", ""},
		{"systems", "|systems|system|supports|used for|", ""},
		{"encrypted", "|encrypted|is encrypted|disk encryption|disk encryption enabled|bitlocker|", "encrypted"},
		{"compliant", "|compliance|compliant|compliance state|", "complian"},
	})}
}

func takeAssets(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		a := inventory.Asset{
			ID: l.Get("id"), Tag: l.Get("tag"), Name: l.Get("name"), Serial: l.Get("serial"), Maker: l.Get("maker"), Model: l.Get("model"), Holder: personKey(l.Get("holder")),
			Site: l.Get("site"), OS: l.Get("os"), OSVersion: l.Get("osVersion"), Contract: l.Get("contract"), Systems: sheet.Split(l.Get("systems")),
			Bought: day(l, "bought"), Warranty: day(l, "warranty"), LastSeen: day(l, "lastSeen"), Encrypted: l.Yes("encrypted"),
		}
		if a.ID = first(a.ID, a.Tag, a.Serial); a.ID == "" {
			if a.Name == "" {
				r.Fail(l.N, "", "nothing says which asset it is: there is no id, tag, serial number or name")
				return false
			}
			a.ID = a.Name
			l.Say("name", "there is no id, tag or serial number, so the name was taken: it must stay the same")
		}
		if v := l.Get("type"); v != "" {
			if a.Type = assetType(v); a.Type == "" {
				a.Type = "other"
				l.Say("type", "%q is not a type that is known; it was taken as another sort of asset", v)
			}
		} else {
			a.Type = guessType(a)
		}
		if v := l.Get("state"); v != "" {
			if a.State = assetState(v); a.State == "" {
				l.Say("state", "%q was not understood: write ordered, stock, in use, repair, lost, stolen or disposed", v)
			}
		}
		if v := l.Get("cost"); v != "" {
			cost, err := sheet.Money(v, 1)
			if err != nil {
				l.Say("cost", "%v", err)
			}
			a.Cost = cost
		}
		if v := l.Get("compliant"); v != "" {
			switch sheet.Words(v) {
			case "compliant", "yes", "true", "1":
				a.Compliant = yes()
			case "noncompliant", "non compliant", "not compliant", "no", "false", "0", "error", "conflict":
				a.Compliant = new(bool)
			case "in grace period", "ingraceperiod", "not evaluated", "config manager", "managed by config manager", "see config mgr":
			default:
				l.Say("compliant", "%q was not understood: write compliant or noncompliant", v)
			}
		}
		r.add(a)
		return true
	}
}

func yes() *bool {
	b := true
	return &b
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func day(l *sheet.Line, field string) def.Date {
	if d := l.Date(field, true); d != nil {
		return *d
	}
	return def.Date{}
}

// assetType is the type in words that people use, "" if it is none of them.
func assetType(s string) string {
	w := sheet.Words(s)
	for _, t := range []struct{ typ, words string }{
		{"laptop", "laptop|notebook|ultrabook|macbook|convertible|surface laptop"},
		{"desktop", "desktop|workstation|pc|imac|all in one|mini pc|thin client"},
		{"tablet", "tablet|ipad|slate"},
		{"phone", "phone|mobile|iphone|smartphone|handset"},
		{"vm", "vm|virtual"},
		{"server", "server|blade|rack"},
		{"network", "network|switch|router|firewall|access point|wap"},
		{"licence-seat", "licence|license"},
		{"sensor", "sensor|iot|gateway"},
		{"printer", "printer|mfd|multifunction"},
		{"other", "other|monitor|docking|dock|screen|projector|camera|headset"},
	} {
		for _, x := range strings.Split(t.words, "|") {
			if w == x || strings.Contains(" "+w+" ", " "+x+" ") || strings.HasPrefix(w, x) && len(x) > 4 {
				return t.typ
			}
		}
	}
	return ""
}

// guessType tells the type from model and operating system, "" where they do not.
func guessType(a inventory.Asset) string {
	if t := assetType(a.Model); t != "" && t != "other" {
		return t
	}
	model, os := strings.ToLower(a.Model), strings.ToLower(a.OS)
	switch {
	case strings.Contains(model, "latitude"), strings.Contains(model, "thinkpad"), strings.Contains(model, "elitebook"), strings.Contains(model, "probook"):
		return "laptop"
	case strings.Contains(model, "optiplex"), strings.Contains(model, "prodesk"), strings.Contains(model, "thinkcentre"), strings.Contains(model, "elitedesk"):
		return "desktop"
	case strings.Contains(model, "poweredge"), strings.Contains(model, "proliant"), strings.Contains(os, "server"):
		return "server"
	case strings.Contains(os, "ipados"):
		return "tablet"
	case os == "ios", strings.HasPrefix(os, "android"):
		return "phone"
	}
	return ""
}

// assetState is the state in words that people use, "" if it is none of them.
func assetState(s string) string {
	switch sheet.Words(s) {
	case "ordered", "on order", "pending":
		return "ordered"
	case "stock", "in stock", "spare", "available", "unassigned", "in store":
		return "stock"
	case "in use", "active", "deployed", "assigned", "live", "issued", "in service", "online", "offline", "allocated", "managed":
		return "in-use"
	case "repair", "in repair", "under repair", "broken", "faulty":
		return "repair"
	case "lost", "missing":
		return "lost"
	case "stolen":
		return "stolen"
	case "disposed", "disposed of", "retired", "scrapped", "recycled", "sold", "decommissioned", "written off", "weee":
		return "disposed"
	}
	return ""
}

func peopleColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "person", Meanings: sheet.Means([][3]string{
		{"id", "|id|object id|directory id|employee id|user id|person id|key|", ""},
		{"email", "|user principal name|upn|email|email address|mail|work email|e mail|", "email"},
		{"name", "|name|display name|full name|", "display name"},
		{"post", "|post|job title|title|role|position|", "job title"},
		{"organisation", "|organisation|department|service|team|directorate|org|organization|", "department"},
		{"active", "|active|account enabled|enabled|status|account status|employment status|leaver|", "account enabled"},
	})}
}

func takePeople(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		p := inventory.Person{ID: l.Get("id"), Email: email(l.Get("email")), Name: l.Get("name"), Post: l.Get("post"), Organisation: l.Get("organisation"), Active: true}
		if v := l.Get("email"); v != "" && p.Email == "" {
			l.Say("email", "it is not a mail address; it was not used")
		}
		if p.ID = first(p.ID, p.Email); p.ID == "" {
			r.Fail(l.N, "", "nothing says who it is: there is no id and no mail address")
			return false
		}
		if v := l.Get("active"); v != "" {
			switch sheet.Words(v) {
			case "active", "enabled", "yes", "true", "1", "y", "current", "employed":
			case "inactive", "disabled", "no", "false", "0", "n", "left", "leaver", "terminated", "suspended":
				p.Active = false
			default:
				r.Fail(l.N, l.Heading("active"), "%q does not say whether the person is still there: write active or inactive", v)
				return false
			}
			if sheet.Words(l.Heading("active")) == "leaver" {
				p.Active = !p.Active
			}
		}
		r.add(p)
		return true
	}
}

func seatColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "seat", Key: "person", Meanings: sheet.Means([][3]string{
		{"system", "|system|system id|application|app|service|resource|app display name|", ""},
		{"contract", "|contract|contract id|licence|license|", ""},
		{"person", "|person|user|user principal name|upn|email|username|account|user name|", "user principal"},
		{"lastUsed", "|last used|last sign in|last login|last logon|last activity|last activity date|last signin|", "last sign|last activ|last log"},
		{"offsite", "|offsite|off site|remote|outside|external network|", "off site"},
		{"method", "|method|sign in method|authentication|authentication method|auth|protocol|", "sign in method"},
	})}
}

func takeSeats(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		s := inventory.Seat{Person: personKey(l.Get("person")), System: l.Get("system"), Contract: l.Get("contract"), LastUsed: day(l, "lastUsed"), Offsite: l.Yes("offsite"), Method: strings.ToLower(l.Get("method"))}
		if s.Person == "" || s.System == "" {
			r.Fail(l.N, "", "a seat needs a person and a system")
			return false
		}
		r.add(s)
		return true
	}
}

func ledgerColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "payment", Meanings: sheet.Means([][3]string{
		{"id", "|id|transaction number|transaction no|transaction id|trans no|document number|document no|doc no|voucher|journal line|line id|payment reference|", "transaction n|document n"},
		{"on", "|date|posting date|payment date|transaction date|date paid|paid date|invoice date|paid on|", "date"},
		{"supplier", "|supplier|supplier name|vendor|vendor name|payee|beneficiary|beneficiary name|creditor|merchant|", "supplier name|vendor name"},
		{"reference", "|reference|invoice number|invoice no|contract reference|po number|purchase order|ref|contract|", "invoice n|contract ref"},
		{"description", "|description|purpose|expenditure category|expense type|narrative|summary|purpose of spend|details|", "descri|narrative|expense"},
		{"code", "|code|account code|account|cost centre|ledger code|subjective code|gl code|nominal|", "account code|cost cent"},
		{"type", "|type|capital revenue|revenue or capital|capital or revenue|", "capital"},
		{"amount", "|amount|net amount|value|net|total|gross|amount paid|amount gbp|net gbp|", "amount"},
		{"debit", "|debit|dr|", "debit"},
		{"credit", "|credit|cr|", "credit"},
	})}
}

func takeLedger(r *reading) func(*sheet.Line) bool {
	twice := map[string]int{}
	return func(l *sheet.Line) bool {
		x := inventory.Line{ID: l.Get("id"), On: day(l, "on"), Supplier: l.Get("supplier"), Reference: l.Get("reference"), Description: l.Get("description"), Code: l.Get("code")}
		if x.On.IsZero() {
			r.Fail(l.N, l.Heading("on"), "a payment needs the day on which it was made")
			return false
		}
		var err error
		switch amount, debit, credit := l.Get("amount"), l.Get("debit"), l.Get("credit"); {
		case amount != "":
			x.Amount, err = Amount(amount)
		case debit != "" || credit != "":
			var d, c int64
			if debit != "" {
				d, err = Amount(debit)
			}
			if credit != "" && err == nil {
				c, err = Amount(credit)
			}
			x.Amount = d - c
		default:
			err = fmt.Errorf("a payment needs an amount")
		}
		if err != nil {
			r.Fail(l.N, l.Heading("amount"), "%v", err)
			return false
		}
		switch v := sheet.Words(l.Get("type")); {
		case strings.HasPrefix(v, "cap"):
			x.Type = "capital"
		case strings.HasPrefix(v, "rev"), strings.HasPrefix(v, "oper"):
			x.Type = "operating"
		case v != "":
			l.Say("type", "%q is neither capital nor revenue (operating); it was not used", l.Get("type"))
		}
		if x.ID == "" {
			sum := sha256.Sum256([]byte(strings.Join([]string{x.On.String(), x.Supplier, x.Reference, x.Description, x.Code, strconv.FormatInt(x.Amount, 10)}, "\x1f")))
			x.ID = "line-" + hex.EncodeToString(sum[:10])
		}
		if twice[x.ID]++; twice[x.ID] > 1 { // lines of one document
			x.ID += "/" + strconv.Itoa(twice[x.ID])
		}
		r.add(x)
		return true
	}
}

// Amount reads an amount of a ledger into minor units: "£1,234.50", "(12.00)",
// "-12.00", "12.00-", "12.00 CR" and "12.00 DR". A credit is negative.
func Amount(s string) (int64, error) {
	v, sign := strings.TrimSpace(s), int64(1)
	for again := true; again; {
		again = false
		upper := strings.ToUpper(v)
		for _, cut := range []struct {
			before, after string
			minus         bool
		}{{"(", ")", true}, {"-", "", true}, {"−", "", true}, {"", "-", true}, {"", "CR", true}, {"", "DR", false}, {"£-", "", true}, {"£(", ")", true}, {"+", "", false}} {
			if strings.HasPrefix(upper, cut.before) && strings.HasSuffix(upper, cut.after) && len(v) > len(cut.before)+len(cut.after) {
				v, again = strings.TrimSpace(v[len(cut.before):len(v)-len(cut.after)]), true
				if cut.minus {
					sign = -sign
				}
				break
			}
		}
		if sign < 0 && again && strings.ContainsAny(v, "(-") {
			return 0, fmt.Errorf("%q says twice that it is negative", s)
		}
	}
	minor, err := sheet.Money(v, 1)
	if err != nil {
		return 0, fmt.Errorf("%q is not an amount that was understood: write it like 1234.50, £1,234.50, (12.00) or 12.00 CR", s)
	}
	return sign * minor, nil
}

func pointColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "point", Key: "series", Meanings: sheet.Means([][3]string{
		{"series", "|series|measure|metric|indicator|kpi|", "measure"},
		{"on", "|date|on|period|period end|month|day|week ending|", "period"},
		{"value", "|value|number|count|result|figure|", ""},
	})}
}

func takePoints(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		p := inventory.Point{Series: l.Get("series"), On: day(l, "on")}
		value, err := strconv.ParseFloat(strings.TrimSuffix(strings.ReplaceAll(l.Get("value"), ",", ""), "%"), 64)
		switch {
		case p.Series == "":
			r.Fail(l.N, l.Heading("series"), "a number needs the series that it belongs to")
		case p.On.IsZero():
			r.Fail(l.N, l.Heading("on"), "a number needs a day: the last of the period that it is for")
		case err != nil || value != value || value > 1e15 || value < -1e15:
			r.Fail(l.N, l.Heading("value"), "%q is not a number", l.Get("value"))
		default:
			p.Value = value
			r.add(p)
			return true
		}
		return false
	}
}

func evidenceColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "observation", Key: "fact", Meanings: sheet.Means([][3]string{
		{"kind", "|kind|type|entity kind|", ""},
		{"id", "|id|entity|entity id|subject|", ""},
		{"fact", "|fact|observation|question|", ""},
		{"value", "|value|answer|result|", ""},
		{"on", "|on|date|observed|seen|", "date"},
		{"source", "|source|observed by|from|", ""},
	})}
}

func takeEvidence(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		e := inventory.Evidence{Kind: l.Get("kind"), ID: l.Get("id"), Fact: l.Get("fact"), Value: l.Get("value"), On: day(l, "on"), Source: l.Get("source")}
		for _, need := range []struct{ field, what, value string }{{"kind", "the kind of entity", e.Kind}, {"id", "its id", e.ID}, {"fact", "the name of the fact", e.Fact}, {"value", "the value", e.Value}} {
			if need.value == "" {
				r.Fail(l.N, l.Heading(need.field), "evidence needs %s", need.what)
				return false
			}
		}
		if e.Source == "" {
			e.Source = r.List.Source
		}
		r.add(e)
		return true
	}
}

func softwareColumns() *sheet.Vocabulary {
	return &sheet.Vocabulary{Of: "product", Key: "name", Meanings: sheet.Means([][3]string{
		{"on", "|on|device|device name|device id|host|hostname|asset|asset id|component|computer|installed on|", "installed on"},
		{"name", "|name|product|software|application|application name|software name|product name|display name|", "software name"},
		{"vendor", "|vendor|publisher|manufacturer|maker|supplier|application publisher|", "publisher"},
		{"version", "|version|application version|product version|software version|", "version"},
		{"cpe", "|cpe|generated cpe|", "cpe"},
		{"purl", "|purl|package url|", ""},
	})}
}

func takeSoftware(r *reading) func(*sheet.Line) bool {
	return func(l *sheet.Line) bool {
		s := inventory.Software{On: l.Get("on"), Name: l.Get("name"), Vendor: l.Get("vendor"), Version: l.Get("version"), CPE: l.Get("cpe"), PURL: l.Get("purl")}
		if s.On == "" || s.Name == "" {
			r.Fail(l.N, "", "software needs a name, and the device or component that it is on")
			return false
		}
		r.add(s)
		return true
	}
}
