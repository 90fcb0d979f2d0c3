package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// councilTax puts review tasks on an officer's list, POST /reviews, and takes house
// moves.
func councilTax(l *ledger, o Options) http.Handler {
	type account struct {
		Holder      string `json:"holder"`
		DateOfBirth string `json:"dateOfBirth"`
		Address     string `json:"address"`
		Postcode    string `json:"postcode"`
	}
	type task struct {
		Reference string   `json:"reference"`
		Task      string   `json:"task"`
		Account   *account `json:"account"`
		DiedOn    string   `json:"diedOn"`
		Note      string   `json:"note"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reviews", func(w http.ResponseWriter, r *http.Request) {
		n := l.saw("request")
		pause(r.Context(), o, n)
		if chance(o, n, 20) {
			l.saw("unavailable")
			w.Header().Set("Retry-After", "1")
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "the nightly job is running, come back later"})
			return
		}
		raw, digest, err := body(r)
		if err != nil {
			refuse(w, l, http.StatusBadRequest, "the body stopped half-way")
			return
		}
		key := r.Header.Get("Idempotency-Key")
		var t task
		switch err := strict(raw, &t); {
		case key == "":
			refuse(w, l, http.StatusBadRequest, "an Idempotency-Key is needed")
		case err != nil:
			refuse(w, l, http.StatusUnprocessableEntity, "%v", err)
		case t.Reference == "" || t.Account == nil || t.Account.Holder == "" || t.DiedOn == "":
			refuse(w, l, http.StatusUnprocessableEntity, "a reference, an account holder and a date of death are needed")
		case t.Task != "review-exemption" && t.Task != "withdraw-review":
			refuse(w, l, http.StatusUnprocessableEntity, "%q is not a task that we know", t.Task)
		default:
			switch repeat, changed := l.take(key, digest, raw); {
			case changed:
				answer(w, http.StatusConflict, map[string]string{"error": "this key came with another body before"})
			case repeat:
				answer(w, http.StatusOK, map[string]string{"task": key})
			default:
				answer(w, http.StatusCreated, map[string]string{"task": key})
			}
		}
	})
	tellMoves(mux, l, o, anyMove)
	return mux
}

// electoralRegister takes information for the officer: PUT /information/{number}.
func electoralRegister(l *ledger, o Options) http.Handler {
	type information struct {
		Nature string `json:"nature"`
		Source *struct {
			Kind   string `json:"kind"`
			Number string `json:"number"`
		} `json:"source"`
		Elector *struct {
			Surname           string   `json:"surname"`
			Forenames         string   `json:"forenames"`
			Born              string   `json:"born"`
			QualifyingAddress []string `json:"qualifyingAddress"`
		} `json:"elector"`
		Information *struct {
			Died     string `json:"died"`
			Standing string `json:"standing"`
		} `json:"information"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /information/{number}", func(w http.ResponseWriter, r *http.Request) {
		l.saw("request")
		raw, digest, err := body(r)
		if err != nil {
			refuse(w, l, http.StatusBadRequest, "the body stopped half-way")
			return
		}
		var in information
		number := r.PathValue("number")
		switch err := strict(raw, &in); {
		case err != nil:
			refuse(w, l, http.StatusUnprocessableEntity, "%v", err)
		case in.Nature != "information-for-determination":
			refuse(w, l, http.StatusUnprocessableEntity, "we take information for determination, and nothing else")
		case in.Source == nil || in.Elector == nil || in.Information == nil || in.Elector.Surname == "":
			refuse(w, l, http.StatusUnprocessableEntity, "a source, an elector and information are needed")
		case in.Source.Number != number:
			refuse(w, l, http.StatusUnprocessableEntity, "the address and the body name two registrations")
		default:
			l.put(number, digest, raw)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	return mux
}

// planningBackOffice opens cases: POST /cases. One time in seven it takes the case
// and dies before it answers: the connection is closed and nothing is said.
func planningBackOffice(l *ledger, o Options) http.Handler {
	type newCase struct {
		PortalReference string          `json:"portalReference"`
		CaseType        string          `json:"caseType"`
		CaseTypeText    string          `json:"caseTypeText"`
		ReceivedOn      string          `json:"receivedOn"`
		Site            json.RawMessage `json:"site"`
		Proposal        string          `json:"proposal"`
		Applicant       string          `json:"applicant"`
		Agent           string          `json:"agent"`
		FeePence        *int64          `json:"feePence"`
		Documents       json.RawMessage `json:"documents"`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cases", func(w http.ResponseWriter, r *http.Request) {
		n := l.saw("request")
		raw, digest, err := body(r)
		if err != nil {
			refuse(w, l, http.StatusBadRequest, "the body stopped half-way")
			return
		}
		key := r.Header.Get("Idempotency-Key")
		var c newCase
		switch err := strict(raw, &c); {
		case key == "":
			refuse(w, l, http.StatusBadRequest, "an Idempotency-Key is needed")
		case err != nil:
			refuse(w, l, http.StatusUnprocessableEntity, "%v", err)
		case c.PortalReference == "" || c.CaseType == "" || c.Site == nil:
			refuse(w, l, http.StatusUnprocessableEntity, "a portal reference, a type of case and a site are needed")
		default:
			repeat, changed := l.take(key, digest, raw)
			if changed {
				answer(w, http.StatusConflict, map[string]string{"error": "this key came with another body before"})
				return
			}
			if !repeat && chance(o, n, 7) {
				l.saw("died")
				panic(http.ErrAbortHandler) // closes the connection without an answer
			}
			status := http.StatusCreated
			if repeat {
				status = http.StatusOK
			}
			answer(w, status, map[string]string{"case": "26/" + key})
		}
	})
	return mux
}

// strict decodes one JSON object into v and refuses a field that v does not have.
func strict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("not understood: %w", err)
	}
	return nil
}
