package importer

import "testing"

func TestWordsOfFields(t *testing.T) {
	for _, c := range []struct {
		field      string
		text, want string
	}{
		{fieldHosting, "On-Premises", "on-premise"}, {fieldHosting, "SaaS", "saas"}, {fieldHosting, "Azure", "public-cloud"}, {fieldHosting, "Cloud", ""}, {fieldHosting, "Hosted", ""},
		{fieldPhase, "Being replaced", "retiring"}, {fieldPhase, "BAU", "live"}, {fieldPhase, "green", ""},
		{fieldAuth, "Azure AD", "oidc"}, {fieldAuth, "SSO", ""}, {fieldClass, "OFFICIAL-SENSITIVE", "confidential"}, {fieldClass, "Protected B", "confidential"},
		{fieldClients, "Web-based", "browser"}, {fieldAPI, "Yes", ""}, {fieldAPI, "No", "none"},
	} {
		if got, err := choice(c.field, c.text); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v", c.field, c.text, got, err)
		}
	}
}

func TestHeadings(t *testing.T) {
	for heading, want := range map[string]string{
		"Application": fieldName, "System name": fieldName, "Business owner": fieldOwner, "Vendor": fieldSupplier, "Hosting": fieldHosting, "Go-live": fieldSince,
		"Contract end": fieldTermEnds, "Annual cost (£)": fieldCost, "Annual Cost (£k)": fieldCostK, "Cost £000s": fieldCostK, "startDate": fieldSince, "Date of next contract renewal": "",
		"Notice period (days)": fieldNotice, "Data Classification": fieldClass, "Favourite colour": "", "": "", "Has API?": fieldAPI, "Contract End Date (dd/mm/yyyy)": fieldTermEnds,
		"Number of users": fieldUsers, "Annual cost per year inc VAT": fieldCost, "Last DR test": fieldRestore, "App ID": fieldReference,
	} {
		if got, _ := systems.Guess(heading); got != want {
			t.Errorf("%q: %q, want %q", heading, got, want)
		}
	}
}
