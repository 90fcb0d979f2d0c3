package spend

import "math"

// Concentration says how much of the spend goes to few suppliers.
type Concentration struct {
	Known     bool
	HHI       int     // 0 to 10,000: the sum of the squares of the shares in per cent
	Equal     float64 // as many suppliers of equal size would give the same
	Suppliers int     // with more paid than credited
	Largest   Share
	Band      string // in words
}

// The bands of the index, and who drew them.
const (
	moderate   = 1000
	high       = 1800
	bandSource = "US Department of Justice, Herfindahl-Hirschman index: from 1,000 to 1,800 moderately, above 1,800 highly concentrated (the threshold of the Merger Guidelines of 2023)"
)

// Concentrate works the Herfindahl-Hirschman index out from the shares of
// suppliers.
func Concentrate(suppliers []Share) Concentration {
	var c Concentration
	var sum float64
	for _, s := range suppliers {
		if s.Part <= 0 {
			continue
		}
		c.Suppliers++
		sum += s.Part * s.Part * 10_000
		if s.Part > c.Largest.Part {
			c.Largest = s
		}
	}
	if c.Suppliers == 0 {
		return c
	}
	c.Known, c.HHI, c.Equal = true, int(math.Round(sum)), 10_000/sum
	switch {
	case c.HHI > high:
		c.Band = "Highly concentrated"
	case c.HHI >= moderate:
		c.Band = "Moderately concentrated"
	default:
		c.Band = "Not concentrated"
	}
	return c
}
