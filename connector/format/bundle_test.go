package format

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// A Bundle without end does not fill the disk: at its limit it is refused, with what
// to do, and nothing of it is kept. One that is as large as may be is read.
func TestBundleWithinLimit(t *testing.T) {
	const most = 6 << 20 // more than is kept in memory
	entry := `{"fullUrl":"urn:uuid:0a","resource":{"resourceType":"Basic","id":"b","code":{"text":"` + strings.Repeat("x", 1000) + `"}}},`
	head, tail := `{"resourceType":"Bundle","type":"collection","entry":[`, `{"resource":{"resourceType":"Basic"}}]}`
	n := (most - len(head) - len(tail)) / len(entry)
	fits := func() io.Reader { return strings.NewReader(head + strings.Repeat(entry, n) + tail) }
	scratch := t.TempDir()
	r, err := newFHIRWithin(most, Spec{Name: "fhir"}, fits(), scratch)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for {
		if _, err = r.Next(); err != nil {
			break
		}
		rows++
	}
	if !errors.Is(err, io.EOF) || rows != n+1 || r.Close() != nil {
		t.Errorf("%d rows of %d: %v", rows, n+1, err)
	}
	read := &endless{text: head, again: entry}
	var told *Error
	if r, err = newFHIRWithin(most, Spec{Name: "fhir"}, read, scratch); !errors.As(err, &told) || r != nil || !strings.Contains(told.Message, "6 MiB") || !strings.Contains(told.Message, "NDJSON") {
		t.Errorf("%v %v", r, err)
	}
	if read.n > most+2<<20 {
		t.Errorf("%d bytes were read, and %d may be", read.n, most)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) != 0 {
		t.Errorf("left on the disk: %v %v", left, err)
	}
}

// endless is a text after which another comes for ever.
type endless struct {
	text, again string
	n           int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.text == "" {
		e.text = e.again
	}
	n := copy(p, e.text)
	e.text, e.n = e.text[n:], e.n+int64(n)
	return n, nil
}
