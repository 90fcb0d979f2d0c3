package importer

import (
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// What a column can say of a system.
const (
	fieldIgnore       = "ignore"
	fieldName         = "name"
	fieldReference    = "reference"
	fieldDescription  = "description"
	fieldOrganisation = "organisation"
	fieldOwner        = "owner"
	fieldDeputy       = "deputy"
	fieldProduct      = "product"
	fieldSupplier     = "supplier"
	fieldCapabilities = "capabilities"
	fieldHosting      = "hosting"
	fieldPhase        = "phase"
	fieldSince        = "since"
	fieldEnd          = "end"
	fieldAPI          = "api"
	fieldAPIDocs      = "apiDocumentation"
	fieldAuth         = "auth"
	fieldMFA          = "twoFactor"
	fieldClients      = "clients"
	fieldAudience     = "audience"
	fieldOnline       = "onlineAddress"
	fieldClass        = "class"
	fieldPersonal     = "personalData"
	fieldUsers        = "users"
	fieldRTO          = "rtoHours"
	fieldRestore      = "restoreTested"
	fieldContract     = "contractReference"
	fieldTermStarts   = "contractStarts"
	fieldTermEnds     = "contractEnds"
	fieldNotice       = "noticeDays"
	fieldCost         = "annualCost"
	fieldCostK        = "annualCostThousands"
	fieldSeats        = "seats"
)

// systems are the headings that people give to what a list says of a system.
var systems = &sheet.Vocabulary{Of: "system", Key: fieldName, More: []string{fieldCostK}, Adjust: costUnit, Meanings: sheet.Means([][3]string{
	{fieldReference, "|id|system id|application id|app id|asset id|ref|reference|cmdb id|unique id|", ""},
	{fieldName, "|application|application name|system|system name|app|app name|name|solution|solution name|software|software name|name of system|name of application|service name|title|official name|business application|it system|app title|application title|system title|name of app|information system|system application|application system|", "system name|application name|name of the system"},
	{fieldDescription, "|description|purpose|what it does|summary|used for|function description|notes on use|", "description"},
	{fieldOrganisation, "|department|directorate|service|service area|organisation|organization|division|business unit|team|owning department|business area|", "department|directorate|service area"},
	{fieldDeputy, "|deputy|deputy owner|backup owner|secondary owner|", "deputy"},
	{fieldOwner, "|owner|business owner|system owner|product owner|service owner|information asset owner|iao|application owner|responsible person|maintainer|", "business owner|system owner|product owner"},
	{fieldSupplier, "|supplier|vendor|provider|manufacturer|software supplier|provider name|supplier name|vendor name|publisher|company|", "supplier|vendor"},
	{fieldProduct, "|product|product name|product version|version|edition|module|modules|", ""},
	{fieldCapabilities, "|capability|capabilities|business capability|business function|function|category|functional area|type of system|", "capabilit"},
	{fieldHosting, "|hosting|hosted|hosting model|hosting type|deployment|deployment model|location hosted|where hosted|cloud|infrastructure|platform|cloud or on prem|cloud on prem|cloud or on premise|cloud on premise|cloud or on premises|on prem or cloud|on premise or cloud|hosting location|", "hosting|deployment"},
	{fieldPhase, "|status|lifecycle|life cycle|lifecycle status|phase|lifecycle stage|stage|state|current status|", "lifecycle|life cycle"},
	{fieldNotice, "|notice|notice period|notice days|notice period days|termination notice|", "notice period|notice"},
	{fieldTermStarts, "|contract start|contract start date|contract from|contract commencement|agreement start|", "contract start|contract commenc"},
	{fieldTermEnds, "|contract end|contract end date|contract expiry|contract expires|renewal|renewal date|contract renewal|contract renewal date|expiry|expiry date|contract to|agreement end|licence expiry|license expiry|", "contract end|contract expir|renewal date"},
	{fieldContract, "|contract|contract ref|contract reference|contract number|contract id|contract no|po number|", "contract ref|contract no|contract number"},
	{fieldSince, "|go live|go live date|live since|live date|implemented|implementation date|start date|installed|date installed|in use since|live from|", "go live|implementation date"},
	{fieldEnd, "|end date|end of life|decommission date|retirement date|end of support|planned end|eol|switch off|", "decommission|retirement|end of life"},
	{fieldCost, "|cost|annual cost|yearly cost|cost per year|annual spend|annual charge|annual fee|cost pa|cost p a|spend|licence cost|license cost|annual maintenance|price|annual value|annual contract value|tco|", "annual cost|yearly cost|cost per annum|annual spend|annual charge|per year"},
	{fieldSeats, "|seats|licences|licenses|number of licences|number of licenses|no of licences|licence count|", "number of licen|no of licen|nr of licen"},
	{fieldUsers, "|users|user count|number of users|no of users|active users|user base|named users|nr of users|user numbers|# users|", "number of users|no of users|nr of users"},
	{fieldAPIDocs, "|documentation|api documentation|api docs|api url|developer documentation|swagger|openapi|", "api doc"},
	{fieldAPI, "|api|api available|has api|apis|integration|open api|interfaces|", "api"},
	{fieldMFA, "|mfa|2fa|two factor|multi factor|mfa enabled|", "mfa|2fa|multi factor|two factor"},
	{fieldAuth, "|authentication|sign in|login|log in|sso|single sign on|login method|authentication method|identity provider|", "authentication|sign on"},
	{fieldClients, "|client|client type|access method|access|interface type|user interface|device|devices|", "client type|access method"},
	{fieldAudience, "|audience|users type|user type|used by|internal external|public facing|", "audience"},
	{fieldOnline, "|url|web address|website|link|online address|public url|portal url|", "public url|web address"},
	{fieldClass, "|classification|data classification|information classification|sensitivity|data sensitivity|security classification|protective marking|", "classification|sensitivity"},
	{fieldPersonal, "|personal data|contains personal data|pii|gdpr|holds personal data|", "personal data"},
	{fieldRTO, "|rto|rto hours|recovery time|recovery time objective|", "recovery time"},
	{fieldRestore, "|restore tested|last restore test|last dr test|dr test|dr tested|backup tested|", "restore test|dr test"},
})}

// Mapping says what the columns of a list mean.
type Mapping = sheet.Mapping

// Column is one column of a mapping.
type Column = sheet.Column

// ParseMapping reads a mapping of systems that was kept as YAML.
func ParseMapping(data []byte) (*Mapping, error) { return systems.ParseMapping(data) }

// costUnit tells a column that counts in thousands.
func costUnit(f, heading string) string {
	if f == fieldCost && sheet.Thousands.MatchString(heading) {
		return fieldCostK
	}
	return f
}
