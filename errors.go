package reeve

import (
	"errors"
	"fmt"
)

// Kind classes an error by what the caller can do about it.
type Kind uint8

// The kinds of error.
const (
	Fault           Kind = iota // ours; details are for the log, never for the user
	Invalid                     // the input is wrong; correct it and try again
	Unauthenticated             // nobody is signed in, or the token is not known
	Forbidden                   // the policy says no
	NotFound
	Conflict
	TooLarge
	Transient // try the same again later
)

// Error carries a kind, the operation that failed and a message for people.
type Error struct {
	Op      string
	Kind    Kind
	Message string
	Err     error
}

func (e *Error) Error() string {
	s := e.Op
	if e.Message != "" {
		return s + ": " + e.Message // the message already prints a wrapped cause
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// E builds an error that a person may read: it says what is wrong, where and
// what to do. A %w verb wraps a cause.
func E(kind Kind, op, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Op: op, Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// KindOf reports the kind of err; an error of no kind is a Fault.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Fault
}

// Message returns what a person may read of err: the outermost message, or
// nothing for a Fault.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Kind != Fault {
		return e.Message
	}
	return ""
}
