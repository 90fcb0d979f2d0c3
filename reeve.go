// Package reeve is the vocabulary of the house: the few names that more than one
// building block must agree on. It holds no behaviour beyond parsing and
// printing, and imports only the standard library.
//
// An entity that belongs to one block (a case, a delivery, a supplier) is not
// vocabulary; it lives in its block. A fact crosses a wall as an [Event], a
// record that a flow carries to a receiver inside this program as a [Delivered].
package reeve

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Identifiers have their own types so that signatures explain themselves.
type (
	RecordID   string // "r1-42": epoch and number, see [NewRecordID]
	RecordType string // id of a RecordType definition, with its major version: "rec-death.v1"
	PersonID   string // a person as this body knows them; opaque, never from another sector
	Purpose    string // why data is used: "direct-care"
	Ref        string // points at a thing in some block: "record/r1-42", "case/7", "flow/flow-x"
	EventID    int64  // number of an event; numbers follow commit order
)

// NewRecordID names record number n of an epoch. A restore from backup raises
// the epoch, so an id that was given out twice can be told apart.
func NewRecordID(epoch, n int64) RecordID {
	return RecordID("r" + strconv.FormatInt(epoch, 10) + "-" + strconv.FormatInt(n, 10))
}

// Parse returns the epoch and number in id, or an Invalid error.
func (id RecordID) Parse() (epoch, n int64, err error) {
	e, rest, ok := strings.Cut(strings.TrimPrefix(string(id), "r"), "-")
	if ok && strings.HasPrefix(string(id), "r") {
		epoch, err = strconv.ParseInt(e, 10, 64)
		if err == nil {
			n, err = strconv.ParseInt(rest, 10, 64)
		}
		if err == nil && epoch > 0 && n > 0 {
			return epoch, n, nil
		}
	}
	return 0, 0, E(Invalid, "reeve.RecordID", "%q is not a record id: they look like r1-42", string(id))
}

// Class is the classification of data, lowest first. Each body shows the four
// classes under its own marking scheme (OFFICIAL-SENSITIVE, Protected B).
type Class uint8

// The classes.
const (
	Public Class = iota
	Internal
	Confidential
	Restricted
)

var classNames = [...]string{"public", "internal", "confidential", "restricted"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// ParseClass reads the name of a class.
func ParseClass(s string) (Class, error) {
	for i, n := range classNames {
		if n == s {
			return Class(i), nil
		}
	}
	return 0, E(Invalid, "reeve.ParseClass", "%q is not a class: use public, internal, confidential or restricted", s)
}

// Assurance says how sure we are of who acts: two ordered integers, 0-3 each.
// Identity is how well the person was proved to be who they say, Authentication
// how strongly they signed in. It is derived from facts and never stored.
type Assurance struct{ Identity, Authentication uint8 }

// Meets reports whether a is at least need in both.
func (a Assurance) Meets(need Assurance) bool {
	return a.Identity >= need.Identity && a.Authentication >= need.Authentication
}

// ActorKind says what sort of actor acts.
type ActorKind string

// The kinds of actor.
const (
	Anyone   ActorKind = "anyone"   // nobody signed in
	Partner  ActorKind = "partner"  // an organisation's program, by token
	Staff    ActorKind = "staff"    // a member of staff
	Resident ActorKind = "resident" // a member of the public
	Program  ActorKind = "program"  // a part of Reeve itself: "flow/flow-x", "casework"
)

// Actor is whoever acts. ID is stable and holds no personal data ("staff/3").
type Actor struct {
	ID        string
	Kind      ActorKind
	Party     string   // id of the Organisation acted for, if any
	Roles     []string // staff roles: "caseworker", "architect", "integration", "governance", "steward", "admin"
	Assurance Assurance
}

// Problem is one thing wrong with an input: where, and what to do about it.
// Path is a JSON Pointer (RFC 6901) into the record, "" for the whole.
type Problem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Event says that something happened. Events are facts in the past tense, never
// requests; they carry references and small codes, never bodies or personal data.
type Event struct {
	ID        EventID
	Type      string // "case.opened"
	Time      time.Time
	NotBefore time.Time // handlers see it no earlier; zero for at once
	Subject   PersonID
	About     Ref
	Cause     EventID // the event this one follows from, or 0
	Body      json.RawMessage
}

// Delivered is a record that a flow carried to a receiver inside this program,
// already cut down to the agreement's fields, filtered and mapped.
type Delivered struct {
	Record RecordID
	N      int64 // number of the record; grows with commit order
	Type   RecordType
	Flow   string
	Sender string // id of the Organisation that told us
	At     time.Time
	Body   json.RawMessage
}
