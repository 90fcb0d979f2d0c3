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

// HouseMove is a row of housing's own table of moves.
type HouseMove struct{ Reference, MovedOn, Tenant, FromLine, FromPostcode, ToLine, ToPostcode string }

// HouseMoves are the moves in housing's own database: made up, naming nobody. The last
// but one goes to an address outside every permit zone, so parking refuses it and all
// that was told before is taken back; the last goes to an address that does not exist.
func HouseMoves() (moves []HouseMove) {
	for i := range 8 {
		m := HouseMove{Reference: fmt.Sprintf("HM-%04d", i+1), MovedOn: fmt.Sprintf("2026-11-%02d", i+2), Tenant: fmt.Sprintf("Sample Tenant %d", i+1),
			FromLine: fmt.Sprintf("%d Sample Court", i+1), FromPostcode: "AS1 1AA", ToLine: fmt.Sprintf("%d Example Terrace", 20+i), ToPostcode: "AS2 3BB"}
		switch i {
		case 6:
			m.ToPostcode = "AS9 9ZZ"
		case 7:
			m.ToLine = "1 Nowhere Road"
		}
		moves = append(moves, m)
	}
	return moves
}

// PaymentFile is what the car parks' machines leave in one night.
type PaymentFile struct{ Name, Content string }

// PaymentFiles are the files of three nights. One row of the second is ragged, and one
// ticket in the third has no machine: the other rows of each are taken in.
func PaymentFiles() (files []PaymentFile) {
	ticket := 1
	for night := range 3 {
		text := "ticket,machine,paidOn,pence\r\n"
		for i := range 40 {
			row := fmt.Sprintf("T%05d,%s,2026-11-%02d,%d\r\n", ticket, []string{"station", "market", "riverside"}[i%3], 18+night, 100+50*(i%9))
			switch {
			case night == 1 && i == 11:
				row = fmt.Sprintf("T%05d,market\r\n", ticket)
			case night == 2 && i == 23:
				row = fmt.Sprintf("T%05d,,2026-11-20,250\r\n", ticket)
			}
			text += row
			ticket++
		}
		files = append(files, PaymentFile{fmt.Sprintf("payments-2026-11-%02d.csv", 18+night), text})
	}
	return files
}
