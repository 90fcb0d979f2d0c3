package importer

import (
	"fmt"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"slices"
	"strings"
)

// The words that people write for the values of a field.
func vocabulary(f string) map[string]string {
	switch f {
	case fieldHosting:
		return map[string]string{
			"saas": "saas", "software as a service": "saas", "saas cloud": "saas", "cloud saas": "saas", "vendor saas": "saas", "hosted saas": "saas", "office 365": "saas", "o365": "saas", "microsoft 365": "saas", "m365": "saas",
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
func choice(f string, s string) (string, error) {
	vocab := vocabulary(f)
	if v, ok := vocab[sheet.Words(s)]; ok {
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
	switch w := sheet.Words(s); {
	case f == fieldHosting && (strings.Contains(w, "cloud") || strings.Contains(w, "hosted")):
		hint = ": it may mean software as a service, a platform, or rented servers"
	case f == fieldAuth && strings.Contains(w, "sso"):
		hint = ": say by which protocol"
	case f == fieldAPI:
		hint = ": whether there is an API is not enough, it matters whether it is documented"
	}
	return "", fmt.Errorf("%q was not understood%s; write one of %s", sheet.Clean(s), hint, strings.Join(values, ", "))
}
