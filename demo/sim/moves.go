package sim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// move is what every system of a house move understands, and a little more than any
// one of them is told.
type move struct {
	Reference    string `json:"reference"`
	MovedOn      string `json:"movedOn"`
	Tenant       string `json:"tenant"`
	FromLine     string `json:"fromLine"`
	FromPostcode string `json:"fromPostcode"`
	ToLine       string `json:"toLine"`
	ToPostcode   string `json:"toPostcode"`
	UPRN         string `json:"uprn"`
	Round        string `json:"round"`
}

// tellMoves adds what takes house moves and takes them back: POST /house-moves and
// POST /house-moves/withdrawn. refused says why a move is never taken, or "".
func tellMoves(mux *http.ServeMux, l *ledger, o Options, refused func(m move) string) {
	take := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n := l.saw("request")
			pause(r.Context(), o, n)
			raw, digest, err := body(r)
			if err != nil {
				refuse(w, l, http.StatusBadRequest, "the body stopped half-way")
				return
			}
			key := r.Header.Get("Idempotency-Key")
			var m move
			switch err := strict(raw, &m); {
			case key == "":
				refuse(w, l, http.StatusBadRequest, "an Idempotency-Key is needed")
				return
			case err != nil:
				refuse(w, l, http.StatusUnprocessableEntity, "%v", err)
				return
			case m.Reference == "":
				refuse(w, l, http.StatusUnprocessableEntity, "a reference is needed")
				return
			}
			if why := refused(m); why != "" && what == "move" {
				refuse(w, l, http.StatusUnprocessableEntity, "%s", why)
				return
			}
			item, err := json.Marshal(map[string]string{"what": what, "move": m.Reference})
			if err != nil {
				refuse(w, l, http.StatusInternalServerError, "%v", err)
				return
			}
			switch repeat, changed := l.take(key, digest, item); {
			case changed:
				answer(w, http.StatusConflict, map[string]string{"error": "this key came with another body before"})
			case repeat:
				answer(w, http.StatusOK, map[string]string{"move": m.Reference})
			default:
				answer(w, http.StatusCreated, map[string]string{"move": m.Reference})
			}
		}
	}
	mux.HandleFunc("POST /house-moves", take("move"))
	mux.HandleFunc("POST /house-moves/withdrawn", take("withdrawn"))
}

func anyMove(move) string { return "" }

// waste changes the rounds of the bins.
func waste(l *ledger, o Options) http.Handler {
	mux := http.NewServeMux()
	tellMoves(mux, l, o, anyMove)
	return mux
}

// repairs closes what is to be mended in the old home.
func repairs(l *ledger, o Options) http.Handler { return waste(l, o) }

// parking moves permits. Outside the zones there are none: it refuses those moves.
func parking(l *ledger, o Options) http.Handler {
	mux := http.NewServeMux()
	tellMoves(mux, l, o, func(m move) string {
		if strings.HasPrefix(m.ToPostcode, "AS9 ") {
			return "the new address is outside every permit zone: the permit must be given back first"
		}
		return ""
	})
	return mux
}

// mapServer knows which addresses there are: POST /addresses/check. What it is asked
// changes nothing there.
func mapServer(l *ledger, _ Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /addresses/check", func(w http.ResponseWriter, r *http.Request) {
		l.saw("request")
		raw, digest, err := body(r)
		if err != nil {
			refuse(w, l, http.StatusBadRequest, "the body stopped half-way")
			return
		}
		var q struct{ Line, Postcode string }
		if err := strict(raw, &q); err != nil {
			refuse(w, l, http.StatusUnprocessableEntity, "%v", err)
			return
		}
		l.take(r.Header.Get("Idempotency-Key"), digest, json.RawMessage(`{"what":"asked"}`))
		if strings.Contains(q.Line, "Nowhere") {
			answer(w, http.StatusOK, map[string]any{"exists": false})
			return
		}
		answer(w, http.StatusOK, map[string]any{"exists": true, "uprn": uprn(q.Line + q.Postcode), "round": []string{"Monday A", "Tuesday B", "Friday A"}[len(q.Line)%3]})
	})
	return mux
}

// uprn is a number for an address, the same every time.
func uprn(address string) string {
	n := uint64(10_000_000)
	for _, c := range address {
		n = (n*31 + uint64(c)) % 900_000_000
	}
	b, _ := json.Marshal(100_000_000_000 + n)
	return string(b)
}
