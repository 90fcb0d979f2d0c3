package format

import (
	"io"
	"strconv"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/markup"
)

// xmlReader gives the records of an XML file as rows.
type xmlReader struct {
	r *markup.Reader
	n int64
}

func newXML(spec Spec, r io.Reader) (*xmlReader, error) {
	in, err := markup.NewReader(r, spec.Encoding, spec.Record, spec.Types)
	return &xmlReader{r: in}, err
}

func (x *xmlReader) Close() error { return nil }

// Next implements [Reader].
func (x *xmlReader) Next() (Row, error) {
	r, err := x.r.Next()
	if err != nil {
		return Row{}, err
	}
	x.n++
	row := Row{Number: x.n, At: "item " + strconv.FormatInt(x.n, 10) + ", " + base.LineAt(r.Line), Body: r.Body}
	if r.TooLarge {
		row.Problem = base.TooLarge
	}
	return row, nil
}
