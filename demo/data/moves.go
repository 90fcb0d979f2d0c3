package data

import (
	"encoding/json"
	"fmt"
)

// MoveCount is how many moves there are.
const MoveCount = 5

// Moves are changes of address that the benefits service was told of. They are
// made up, name nobody, and say so.
func Moves() []json.RawMessage {
	moves := make([]json.RawMessage, MoveCount)
	for i := range moves {
		moves[i] = fmt.Appendf(nil, `{"reference":"MOVE-%04d","madeUp":true,"movedOn":"2026-10-%02d","to":{"lines":["%d Sample Street"],"town":"Ashcombe","postcode":"AS1 1AA"}}`, i+1, i+1, 10+i)
	}
	return moves
}
