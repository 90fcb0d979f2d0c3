package offline

import (
	"io"

	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
)

// ServeMaps runs the maps that another process of this program asks for, until it
// asks no more.
func ServeMaps(in io.Reader, out io.Writer) error { return sandbox.Serve(in, out) }
