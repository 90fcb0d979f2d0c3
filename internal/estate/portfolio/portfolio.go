// Package portfolio answers what the body has: its systems with what they cost,
// who owns them, what they do twice, when notice must be given, and how they
// stand against the standards.
//
// What nobody has declared or observed is reported as not known, never as nothing
// or as fine. Money is added up in integers.
package portfolio

import "github.com/reeve-civic/reeve/internal/estate/register"

// The register's types, for short.
type (
	System     = register.System
	Capability = register.Capability
	Contract   = register.Contract
	Cost       = register.Cost
	Money      = register.Money
)
